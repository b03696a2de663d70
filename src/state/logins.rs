//! What the receipt knows of the clients' logins.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::via::{SecretOrigin, Via};
use crate::client::Client;
use crate::resource::digest::Digest;

/// The logins that were configured at the last apply that had their variables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Logins {
    pub codex: Option<CodexRecord>,
    pub claude: Option<ClaudeRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodexRecord {
    pub seed: Digest,
    pub account: Option<Digest>,
    pub lease: bool,
    pub origin: SecretOrigin,
    /// The variable or the file of the seed folder that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaudeRecord {
    pub token: Digest,
    /// The day the token was made, or first seen.
    pub created: Date,
    pub origin: SecretOrigin,
    /// The variable or the file of the seed folder that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

impl Logins {
    pub const fn has(&self, client: Client) -> bool {
        match client {
            Client::Codex => self.codex.is_some(),
            Client::Claude => self.claude.is_some(),
        }
    }

    /// Where the login came from.
    pub fn via(&self, client: Client) -> Option<&Via> {
        match client {
            Client::Codex => self.codex.as_ref()?.via.as_ref(),
            Client::Claude => self.claude.as_ref()?.via.as_ref(),
        }
    }

    /// Makes one login what it was `before`. False if it is that already.
    pub fn restore(&mut self, client: Client, before: &Self) -> bool {
        match client {
            Client::Codex => restore(&mut self.codex, before.codex.as_ref()),
            Client::Claude => restore(&mut self.claude, before.claude.as_ref()),
        }
    }

    /// Only these.
    pub fn retain(&mut self, keep: impl Fn(Client) -> bool) {
        for &client in Client::ALL {
            if !keep(client) {
                self.restore(client, &Self::default());
            }
        }
    }
}

fn restore<T: Clone + PartialEq>(record: &mut Option<T>, before: Option<&T>) -> bool {
    let differs = record.as_ref() != before;
    *record = before.cloned();
    differs
}
