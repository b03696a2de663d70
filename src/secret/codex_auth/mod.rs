//! A login of Codex: whose it is, whether it still works, which of two is the newer.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::json::Opaque;
use super::jwt::{Identity, Lifetime};
use super::{digest, reveal};

/// Without a readable expiry Codex 0.169 renews after this time (login/src/auth/manager.rs).
const RENEWED_EVERY: SignedDuration = SignedDuration::from_hours(8 * 24);

/// How Codex logs in with a file: what `auth_mode` says, or else what Codex infers from the keys
/// that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    ChatGpt,
    ApiKey,
    PersonalAccessToken,
    /// Tokens that another program renews.
    ChatGptAuthTokens,
    /// Never loaded from a file.
    Headers,
    AgentIdentity,
    BedrockApiKey,
    BedrockAccessKeys,
}

impl Mode {
    pub(super) const ALL: [Self; 8] = [
        Self::ChatGpt,
        Self::ApiKey,
        Self::PersonalAccessToken,
        Self::ChatGptAuthTokens,
        Self::Headers,
        Self::AgentIdentity,
        Self::BedrockApiKey,
        Self::BedrockAccessKeys,
    ];

    /// As `auth_mode` spells it; Codex is exact about the case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChatGpt => "chatgpt",
            Self::ApiKey => "apikey",
            Self::PersonalAccessToken => "personalAccessToken",
            Self::ChatGptAuthTokens => "chatgptAuthTokens",
            Self::Headers => "headers",
            Self::AgentIdentity => "agentIdentity",
            Self::BedrockApiKey => "bedrockApiKey",
            Self::BedrockAccessKeys => "bedrockAccessKeys",
        }
    }
}

/// What Codex can do with a login at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// As far as the file tells: keys and opaque tokens do not say when they end.
    Usable,
    /// The access token has expired, and a refresh token is there.
    Refreshable,
    /// The access token has expired, and nothing can renew it.
    Dead,
    /// Codex takes the file, and then sends no credential or fails. Says what is wrong.
    Incomplete(&'static str),
    /// `{}`, or an empty key: what modules write (coder-labs/codex v4).
    Stub,
}

const API_KEY: &str = "OPENAI_API_KEY";

/// A login of Codex. Account, email and plan are the id_token's word; no signature is checked.
pub struct CodexAuth {
    pub(super) mode: Mode,
    pub(super) mode_named: bool,
    pub(super) api_key: Option<SecretString>,
    pub(super) tokens: Option<Tokens>,
    pub(super) last_refresh: Option<Timestamp>,
    pub(super) personal_access_token: Option<SecretString>,
    pub(super) agent_identity: Option<Opaque>,
    pub(super) bedrock_api_key: Option<Opaque>,
    pub(super) bedrock_access_keys: Option<Opaque>,
}

pub(super) struct Tokens {
    pub(super) id: SecretString,
    pub(super) identity: Identity,
    /// When the access token was issued, else the id_token.
    pub(super) issued: Option<Timestamp>,
    pub(super) access: SecretString,
    pub(super) access_lifetime: Lifetime,
    pub(super) refresh: SecretString,
    /// What Codex sends as `chatgpt-account-id`; it does not fall back to the claim.
    pub(super) account_id: Option<String>,
}

impl CodexAuth {
    /// A file that holds nothing but a personal access token (`at-…`).
    pub(super) fn from_access_token(token: SecretString) -> Self {
        Self {
            mode: Mode::PersonalAccessToken,
            mode_named: true,
            api_key: None,
            tokens: None,
            last_refresh: None,
            personal_access_token: Some(token),
            agent_identity: None,
            bedrock_api_key: None,
            bedrock_access_keys: None,
        }
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The ChatGPT account (in a team: the workspace), from `tokens.account_id`, else from the
    /// id_token.
    pub fn account(&self) -> Option<&str> {
        let tokens = self.chatgpt_tokens()?;
        tokens
            .account_id
            .as_deref()
            .or(tokens.identity.account.as_deref())
            .filter(|id| !id.trim().is_empty())
    }

    /// The workspace that the id_token claims, which Codex holds against
    /// `forced_chatgpt_workspace_id`.
    pub fn claimed_workspace(&self) -> Option<&str> {
        self.chatgpt_tokens()?.claimed_account()
    }

    /// False for a ChatGPT login whose requests lack the account header, which some accounts need.
    #[cfg(test)]
    pub fn sends_account(&self) -> bool {
        self.chatgpt_tokens()
            .is_none_or(|tokens| tokens.account_id.as_deref().is_some_and(|id| !id.is_empty()))
    }

    /// `f…@example.com`; None where the claim is absent or has characters that do not belong on a
    /// terminal.
    pub fn email_masked(&self) -> Option<String> {
        let (name, domain) = self.chatgpt_tokens()?.identity.email.as_deref()?.rsplit_once('@')?;
        let first = name.chars().next().filter(char::is_ascii_alphanumeric)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        (!domain.is_empty() && domain.len() <= 253 && domain.chars().all(plain))
            .then(|| format!("{first}\u{2026}@{domain}"))
    }

    /// The plan as the id_token names it (`plus`, `business`); unknown names are kept when they are
    /// printable words.
    pub fn plan(&self) -> Option<&str> {
        let plan = self.chatgpt_tokens()?.identity.plan.as_deref()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        (!plan.is_empty() && plan.len() <= 40 && plan.chars().all(plain)).then_some(plan)
    }

    pub fn last_refresh(&self) -> Option<Timestamp> {
        self.last_refresh
    }

    /// When the access token ends; None where it does not say.
    pub fn access_expires(&self) -> Option<Timestamp> {
        self.chatgpt_tokens()?.access_lifetime.expires
    }

    pub fn access_issued(&self) -> Option<Timestamp> {
        self.chatgpt_tokens()?.access_lifetime.issued
    }

    pub fn has_refresh_token(&self) -> bool {
        self.chatgpt_tokens().is_some_and(|tokens| !is_blank(&tokens.refresh))
    }

    /// Two ways to log in at once, by their names in the file: the one that Codex uses, and the one
    /// that it does not.
    pub fn conflict(&self) -> Option<(&'static str, &'static str)> {
        const TOKENS: &str = "tokens";
        self.tokens.as_ref()?;
        let key = self.api_key.as_ref().filter(|key| !reveal(key).is_empty()).map(|_| API_KEY);
        Some(match self.mode {
            Mode::ChatGpt | Mode::ChatGptAuthTokens => (TOKENS, key?),
            Mode::ApiKey => (key?, TOKENS),
            Mode::PersonalAccessToken => ("personal_access_token", TOKENS),
            Mode::AgentIdentity => ("agent_identity", TOKENS),
            Mode::BedrockApiKey => ("bedrock_api_key", TOKENS),
            Mode::BedrockAccessKeys => ("bedrock_access_keys", TOKENS),
            Mode::Headers => return None,
        })
    }

    /// A file with this API key and nothing else. Coder's codex module writes it so, and hands the
    /// same key to every process as `OPENAI_API_KEY` (coder/registry, coder-labs/codex v4);
    /// Codex itself writes `auth_mode` beside the key.
    pub fn is_key_of_template(&self, given: Option<&SecretString>) -> bool {
        let key = self.api_key.as_ref().filter(|key| !is_blank(key));
        key.zip(given).is_some_and(|(key, given)| reveal(key) == reveal(given))
            && !self.mode_named
            && self.mode == Mode::ApiKey
            && self.tokens.is_none()
            && self.agent_identity.is_none()
    }

    pub fn state(&self, now: Timestamp) -> Liveness {
        let present =
            |secret: &Option<SecretString>| secret.as_ref().map(|secret| !is_blank(secret));
        match self.mode {
            Mode::ApiKey => match present(&self.api_key) {
                Some(true) if !self.api_key.as_ref().is_some_and(is_sendable) => {
                    Liveness::Incomplete(UNSENDABLE)
                }
                Some(true) => Liveness::Usable,
                Some(false) if self.tokens.is_some() => {
                    Liveness::Incomplete("an empty `OPENAI_API_KEY` overrides its tokens")
                }
                Some(false) => Liveness::Stub,
                None => {
                    Liveness::Incomplete("`auth_mode` is apikey and `OPENAI_API_KEY` is missing")
                }
            },
            Mode::PersonalAccessToken => match present(&self.personal_access_token) {
                Some(true) => Liveness::Usable,
                Some(false) => Liveness::Stub,
                None => Liveness::Incomplete("`personal_access_token` is missing"),
            },
            Mode::Headers => {
                Liveness::Incomplete("`auth_mode` is headers, which codex never loads from a file")
            }
            Mode::AgentIdentity if self.agent_identity.is_none() => {
                Liveness::Incomplete("`agent_identity` is missing")
            }
            Mode::BedrockApiKey if self.bedrock_api_key.is_none() => {
                Liveness::Incomplete("`bedrock_api_key` is missing")
            }
            Mode::BedrockAccessKeys if self.bedrock_access_keys.is_none() => {
                Liveness::Incomplete("`bedrock_access_keys` is missing")
            }
            Mode::AgentIdentity | Mode::BedrockApiKey | Mode::BedrockAccessKeys => Liveness::Usable,
            Mode::ChatGpt | Mode::ChatGptAuthTokens => self.chatgpt_state(now),
        }
    }

    fn chatgpt_state(&self, now: Timestamp) -> Liveness {
        let Some(tokens) = &self.tokens else { return Liveness::Stub };
        match (is_blank(&tokens.access), is_blank(&tokens.refresh)) {
            (true, true) => return Liveness::Stub,
            (true, false) => return Liveness::Incomplete("`tokens.access_token` is empty"),
            (false, _) if !is_sendable(&tokens.access) => return Liveness::Incomplete(UNSENDABLE),
            (false, _) => {}
        }
        // null is not sent; of an empty one Codex 0.169 sends nothing at all
        if tokens.account_id.as_deref().is_some_and(|id| id.trim().is_empty()) {
            return Liveness::Incomplete("`tokens.account_id` is empty");
        }
        let Some(last_refresh) = self.last_refresh else {
            return Liveness::Incomplete("`last_refresh` is missing");
        };
        // Codex renews five minutes early; what counts here is whether the server still takes the
        // token.
        let renewable = self.has_refresh_token() && self.mode == Mode::ChatGpt;
        match tokens.access_lifetime.expires {
            Some(expires) if expires > now => Liveness::Usable,
            Some(_) if renewable => Liveness::Refreshable,
            Some(_) => Liveness::Dead,
            None if renewable && now.duration_since(last_refresh) > RENEWED_EVERY => {
                Liveness::Refreshable
            }
            None => Liveness::Usable,
        }
    }

    /// Whether this login was renewed after the other: by `last_refresh`, then by the access
    /// token's own times, never by the times of files. False where nothing tells.
    pub fn newer_than(&self, other: &Self) -> bool {
        let pairs = [
            (self.last_refresh(), other.last_refresh()),
            (self.access_issued(), other.access_issued()),
            (self.access_expires(), other.access_expires()),
        ];
        pairs
            .into_iter()
            .filter_map(|(ours, theirs)| Some((ours?, theirs?)))
            .find(|(ours, theirs)| ours != theirs)
            .is_some_and(|(ours, theirs)| ours > theirs)
    }

    /// Both log in as the same account, and as the same user where both name one: colleagues share
    /// a team's account.
    pub fn same_account(&self, other: &Self) -> bool {
        if let (Some(ours), Some(theirs)) = (self.account(), other.account()) {
            let differ = matches!((self.user(), other.user()), (Some(a), Some(b)) if a != b);
            return ours == theirs && !differ;
        }
        matches!((self.account_digest(), other.account_digest()), (Some(a), Some(b)) if a == b)
    }

    /// SHA-256 in hex of whose login it is, for the receipt. None: the file does not say.
    pub fn account_digest(&self) -> Option<String> {
        if let Some(account) = self.account() {
            return Some(digest(&[
                b"chatgpt",
                account.as_bytes(),
                self.user().unwrap_or_default().as_bytes(),
            ]));
        }
        let (kind, secret) = match self.mode {
            Mode::ApiKey => ("apikey", &self.api_key),
            Mode::PersonalAccessToken => ("pat", &self.personal_access_token),
            _ => return None,
        };
        let secret = secret.as_ref().filter(|secret| !is_blank(secret))?;
        Some(digest(&[kind.as_bytes(), reveal(secret).as_bytes()]))
    }

    /// SHA-256 in hex of the credential: the same however the file is written, and whatever
    /// `last_refresh` says.
    pub fn digest(&self) -> String {
        let secret = |secret: &Option<SecretString>| {
            Zeroizing::new(
                secret.as_ref().map_or_else(String::new, |secret| reveal(secret).to_owned()),
            )
        };
        let opaque = |value: &Option<Opaque>| value.as_ref().map(Opaque::json).unwrap_or_default();
        let (key, pat) = (secret(&self.api_key), secret(&self.personal_access_token));
        let tokens = self.tokens.as_ref().map_or([""; 3], |tokens| {
            [reveal(&tokens.id), reveal(&tokens.access), reveal(&tokens.refresh)]
        });
        let agent = opaque(&self.agent_identity);
        let (bedrock_key, bedrock_keys) =
            (opaque(&self.bedrock_api_key), opaque(&self.bedrock_access_keys));
        let [id, access, refresh] = tokens;
        let account = self.account().unwrap_or_default();
        let mode = self.mode.name();
        let fields: [&str; 10] =
            [mode, &key, id, access, refresh, account, &pat, &agent, &bedrock_key, &bedrock_keys];
        digest(&fields.map(str::as_bytes))
    }

    /// A lease: works until the access token ends, and cannot use up anybody's refresh token.
    #[must_use]
    pub fn without_refresh_token(mut self) -> Self {
        if let Some(tokens) = &mut self.tokens {
            tokens.refresh = SecretString::default();
        }
        self
    }

    fn user(&self) -> Option<&str> {
        self.chatgpt_tokens()?.identity.user.as_deref().filter(|user| !user.is_empty())
    }

    /// The tokens, where the mode uses them.
    fn chatgpt_tokens(&self) -> Option<&Tokens> {
        self.tokens
            .as_ref()
            .filter(|_| matches!(self.mode, Mode::ChatGpt | Mode::ChatGptAuthTokens))
    }
}

impl fmt::Debug for CodexAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodexAuth").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Tokens {
    /// The account that the id_token names.
    pub(super) fn claimed_account(&self) -> Option<&str> {
        self.identity.account.as_deref().filter(|id| !id.trim().is_empty())
    }
}

const UNSENDABLE: &str =
    "the credential contains a line break or a character that a request cannot contain";

/// Whether it can stand in a header.
fn is_sendable(secret: &SecretString) -> bool {
    reveal(secret).bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

pub(super) fn is_blank(secret: &SecretString) -> bool {
    reveal(secret).trim().is_empty()
}

#[cfg(test)]
mod tests;
