//! The logins of Codex and Claude Code.

use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Reader, Wanted};
use crate::catalogue::Code;
use crate::secret::{ClaudeToken, CodexAuth};
use crate::state::subject::Subject;
use crate::variables;

impl Reader<'_> {
    pub(super) fn codex(&mut self) {
        let wanted = Wanted {
            item: Subject::Codex,
            repository: None,
            names: &[variables::CODEX_AUTH_JSON],
            seed: Some(self.seed.join("codex-auth.json")),
            fallback: &[],
            malformed: Code::CodexAuthMalformed,
        };
        let Some(found) = self.first(&wanted) else { return };
        let now = self.env.now;
        self.settings.codex =
            self.check(&Subject::Codex, None, found, |text| CodexAuth::parse_seed(text, now));
    }

    pub(super) fn claude(&mut self) {
        let wanted = Wanted {
            item: Subject::Claude,
            repository: None,
            names: &[variables::CLAUDE_OAUTH_TOKEN],
            seed: Some(self.seed.join("claude-oauth-token")),
            // in an agent's shell it may be anybody's: it does not outrank what the template gave
            fallback: &[variables::CLAUDE_CODE_OAUTH_TOKEN],
            malformed: Code::ClaudeTokenMalformed,
        };
        if let Some(found) = self.first(&wanted) {
            self.settings.claude = self.check(&Subject::Claude, None, found, ClaudeToken::parse);
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
                Ok(date) => self.settings.claude_created = Some(date),
                Err(_) => self.warn(format!(
                    "{} is not a date like 2026-01-31: it is ignored",
                    variables::CLAUDE_TOKEN_CREATED
                )),
            }
        }
    }
}
