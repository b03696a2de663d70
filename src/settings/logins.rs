//! The logins of the clients.

use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{FoundSecret, Reader, SecretKind, Sourced};
use crate::client::Client;
use crate::secret::{ClaudeToken, CodexAuth};
use crate::state::subject::Subject;
use crate::state::via::Via;
use crate::variables;

/// The logins that are configured in this run, and what goes with them. `None`: unset, so it stays
/// as the last apply was configured.
#[derive(Debug, Default)]
pub struct LoginSettings {
    pub codex: Option<Sourced<CodexAuth>>,
    pub codex_lease: Option<bool>,
    pub claude: Option<Sourced<ClaudeToken>>,
    pub claude_created: Option<Date>,
}

impl LoginSettings {
    /// Where the login of a client came from, if one is set.
    pub fn via(&self, client: Client) -> Option<&Via> {
        match client {
            Client::Codex => self.codex.as_ref().map(|login| &login.via),
            Client::Claude => self.claude.as_ref().map(|login| &login.via),
        }
    }
}

impl Reader<'_> {
    pub(super) fn logins(&mut self) {
        self.settings.logins.codex_lease = self.switch(variables::CODEX_LEASE);
        if self.settings.unclaimed {
            return;
        }
        for client in Client::ALL {
            match client {
                Client::Codex => self.codex(),
                Client::Claude => self.claude(),
            }
        }
    }

    /// The login of a client, from the first of its sources.
    fn login(&mut self, client: Client) -> Option<FoundSecret> {
        let row = client.row();
        self.first(&SecretKind {
            item: Subject::Login(client),
            repository: None,
            names: &[row.variable],
            seed: self.seed.as_ref().map(|seed| seed.join(row.seed)),
            // in an agent's shell it may be anybody's: it does not outrank what the template gave
            fallback: row.own_variable.as_slice(),
            malformed: row.malformed,
        })
    }

    fn codex(&mut self) {
        let Some(found) = self.login(Client::Codex) else { return };
        let now = self.env.now;
        self.settings.logins.codex =
            self.check(&Subject::Login(Client::Codex), None, found, |text| {
                CodexAuth::parse_seed(text, now)
            });
    }

    fn claude(&mut self) {
        if let Some(found) = self.login(Client::Claude) {
            self.settings.logins.claude =
                self.check(&Subject::Login(Client::Claude), None, found, ClaudeToken::parse);
        }
        if let Some(text) = self.env.text(variables::CLAUDE_TOKEN_CREATED) {
            // east of Greenwich it may be tomorrow already
            let latest =
                self.env.now.to_zoned(TimeZone::UTC).date().saturating_add(Span::new().days(1));
            match text.parse::<Date>() {
                Ok(date) if date > latest => self.warn(format!(
                    "{} is in the future: it is ignored, and the day on which the token was first seen is used",
                    variables::CLAUDE_TOKEN_CREATED
                )),
                Ok(date) => self.settings.logins.claude_created = Some(date),
                Err(_) => self.warn(format!(
                    "{} is not a date like 2026-01-31: it is ignored",
                    variables::CLAUDE_TOKEN_CREATED
                )),
            }
        }
    }
}
