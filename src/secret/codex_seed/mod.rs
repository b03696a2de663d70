//! A seed for Codex as people hand it over, repaired where the repair is certain, and completed so
//! that Codex sends a credential with it.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::codex_auth::{CodexAuth, Liveness, Mode, is_blank};
use super::codex_file::{LOG_IN, incomplete, malformed};
use super::text::{Repairs, decode_base64, gather, placeholder, strip_word, unwrap};
use super::{Checked, MAX_JSON, finding, reveal};
use crate::catalogue::{Code, Finding};

/// Base64, JSON strings and quotes around a seed, in any order.
const MAX_WRAPPINGS: usize = 4;

impl CodexAuth {
    /// A seed: the text of an `auth.json`, or an `at-…` access token. Completed: `auth_mode`,
    /// `account_id` from the id_token, `last_refresh` from when the access token was issued,
    /// else `now`.
    pub fn parse_seed(input: &SecretString, now: Timestamp) -> Result<Checked<Self>, Finding> {
        let input = reveal(input);
        if input.len() > 2 * MAX_JSON {
            return Err(malformed("it is longer than 1 MiB"));
        }
        let mut repairs = Repairs::default();
        let mut text = unwrap_json(input, &mut repairs);
        if let Some(token) =
            strip_word(&text, "bearer ").filter(|token| token.trim_start().starts_with("at-"))
        {
            repairs.note("Bearer prefix");
            text = unwrap(token, &mut repairs);
        }
        for _ in 0..MAX_WRAPPINGS {
            let Some(inner) = unwrap_once(&text, &mut repairs) else { break };
            text = unwrap_json(&inner, &mut repairs);
        }
        let value = if text.starts_with("at-") {
            Self::from_access_token(access_token(&text, &mut repairs)?)
        } else if let Some(finding) = other_kind(&text) {
            return Err(finding);
        } else {
            if let Some(finding) = other_object(&text) {
                return Err(finding);
            }
            let parsed = Self::parse(text.as_bytes());
            parsed
                .map_err(|finding| damage(&text).unwrap_or(finding))?
                .complete(now, &mut repairs)?
        };
        Ok(Checked { value, repairs: repairs.into_names() })
    }

    fn complete(mut self, now: Timestamp, repairs: &mut Repairs) -> Result<Self, Finding> {
        if self.mode == Mode::ApiKey
            && !self.mode_named
            && self.api_key.as_ref().is_some_and(is_blank)
        {
            // Older versions of Codex, and people, leave an empty key beside good tokens.
            if self.tokens.is_some() {
                repairs.note("empty OPENAI_API_KEY");
                self.mode = Mode::ChatGpt;
            }
        }
        if self.mode != Mode::ApiKey && self.api_key.as_ref().is_some_and(is_blank) {
            self.api_key = None;
        }
        if let Some(tokens) = &mut self.tokens {
            if tokens.account_id.as_deref().is_none_or(|id| id.trim().is_empty()) {
                tokens.account_id = tokens.claimed_account().map(str::to_owned);
                repairs.note_if(tokens.account_id.is_some(), "no account_id");
            }
            if self.last_refresh.is_none() {
                self.last_refresh = Some(tokens.issued.unwrap_or(now));
                repairs.note("no last_refresh");
            }
        }
        self.mode_named = true;
        match self.state(now) {
            Liveness::Incomplete(reason) => Err(incomplete(reason)),
            Liveness::Stub => Err(incomplete("it contains no credential")),
            Liveness::Usable | Liveness::Refreshable | Liveness::Dead => Ok(self),
        }
    }
}

/// Without what is around it. A JSON string is not merely quoted: what is in it is escaped, too.
fn unwrap_json(text: &str, repairs: &mut Repairs) -> Zeroizing<String> {
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if let Some(inner) = json_string(trimmed) {
        repairs.note_if(text.starts_with('\u{feff}'), "byte order mark");
        repairs.note("JSON string around it");
        return inner;
    }
    unwrap(text, repairs)
}

fn json_string(text: &str) -> Option<Zeroizing<String>> {
    text.starts_with('"').then(|| serde_json::from_str(text).ok().map(Zeroizing::new))?
}

/// One wrapping less, where there is one.
fn unwrap_once(text: &str, repairs: &mut Repairs) -> Option<Zeroizing<String>> {
    if text.starts_with("{\\") {
        // Escaped for a shell or a JSON string whose quotes are gone.
        let quoted = gather(text.len() + 2, ['"'].into_iter().chain(text.chars()).chain(['"']));
        repairs.note("escaped quotes");
        return json_string(&quoted);
    }
    if text.starts_with('{') || text.starts_with("at-") {
        return None;
    }
    if text.starts_with('"') || text.starts_with('\u{feff}') {
        return Some(unwrap_json(text, repairs));
    }
    let bytes = decode_base64(text)?;
    let inner = std::str::from_utf8(&bytes).ok()?;
    // a name in it may be anybody's
    let plain = |c: char| !c.is_control() || c.is_whitespace();
    if !inner.chars().all(plain) {
        return None;
    }
    repairs.note("base64 wrapping");
    Some(Zeroizing::new(inner.to_owned()))
}

/// A personal access token, for ChatGPT Business and Enterprise.
fn access_token(text: &str, repairs: &mut Repairs) -> Result<SecretString, Finding> {
    let text = match text.strip_suffix("\\n") {
        Some(rest) => {
            repairs.note("literal \\n");
            rest
        }
        None => text,
    };
    if text.contains(|c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '\\' | ',')) {
        return Err(finding(
            Code::CodexAuthMalformed,
            "the access token contains spaces, line breaks or other characters that are not allowed in a token",
            "give the token alone, on one line",
        ));
    }
    if text.len() < 12 {
        return Err(malformed("the access token is truncated: only its beginning is there"));
    }
    Ok(SecretString::from(text))
}

/// Other things that people take for an `auth.json`.
fn other_kind(text: &str) -> Option<Finding> {
    let starts = |prefix: &str| text.starts_with(prefix);
    let one_word = !text.contains(char::is_whitespace);
    if let Some(finding) = placeholder(text, Code::CodexAuthMalformed) {
        return Some(finding);
    }
    let (reason, hint) = if starts("{") {
        return None;
    } else if starts("sk-ant-") {
        ("a credential of Anthropic, not of OpenAI", LOG_IN)
    } else if starts("sk-") {
        ("an API key alone", "give it as the JSON object that `codex login --with-api-key` writes")
    } else if starts("eyJ") && one_word && text.split('.').count() == 3 {
        ("one token of a login, not the whole `auth.json`", LOG_IN)
    } else if starts("rt_") || starts("rt.") {
        ("a refresh token alone, not the whole `auth.json`", LOG_IN)
    } else if starts("H4sI") && one_word {
        ("compressed (gzip) and in base64", "give the text of `auth.json`, not compressed")
    } else if is_assignment(text) {
        (
            "an assignment: the name of a variable, and `=`, are before the value",
            "give the value alone, from the first `{` to the last `}`",
        )
    } else if text.contains("-----BEGIN ") {
        ("a key block, not an `auth.json`", LOG_IN)
    } else {
        ("it is not a JSON object", LOG_IN)
    };
    Some(finding(Code::CodexAuthMalformed, reason, hint))
}

/// `NAME={…}`, as a line of a file for `export`.
fn is_assignment(text: &str) -> bool {
    let text = text.strip_prefix("export ").unwrap_or(text);
    let Some((name, value)) = text.split_once('=') else { return false };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && name.chars().all(is_name)
        && value.trim_start_matches(['"', '\'', ' ']).starts_with('{')
}

/// Which of these keys an object has; what they hold is not read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct KeysOfObject {
    tokens: Option<IgnoredAny>,
    #[serde(rename = "OPENAI_API_KEY")]
    openai_api_key: Option<IgnoredAny>,
    auth_mode: Option<IgnoredAny>,
    access_token: Option<IgnoredAny>,
    refresh_token: Option<IgnoredAny>,
    id_token: Option<IgnoredAny>,
    #[serde(rename = "claudeAiOauth")]
    claude: Option<IgnoredAny>,
    openai: Option<IgnoredAny>,
    anthropic: Option<IgnoredAny>,
}

/// Objects of other programs, or a part of this one, known by their keys alone.
fn other_object(text: &str) -> Option<Finding> {
    let keys: KeysOfObject = serde_json::from_str(text).ok()?;
    if keys.tokens.is_some() || keys.openai_api_key.is_some() || keys.auth_mode.is_some() {
        return None;
    }
    let reason = match () {
        () if keys.access_token.is_some()
            && (keys.refresh_token.is_some() || keys.id_token.is_some()) =>
        {
            "it is the value of `tokens` alone, not the whole `auth.json`"
        }
        () if keys.claude.is_some() => "it is a login of Claude Code, not of Codex",
        () if keys.openai.is_some() || keys.anthropic.is_some() => {
            "it is the auth.json of opencode, not of Codex"
        }
        () => return None,
    };
    Some(finding(Code::CodexAuthMalformed, reason, LOG_IN))
}

/// What keeps the text from being JSON, where it can be named.
fn damage(text: &str) -> Option<Finding> {
    let (reason, hint) = match () {
        () if text.contains('\0') => {
            ("it contains a NUL byte", "give the text of `auth.json` alone, without padding")
        }
        () if text.contains('\u{a0}') => (
            "it contains no-break spaces, as text has that was copied from a web page",
            "copy the file itself, or replace them by plain spaces",
        ),
        () => return None,
    };
    Some(finding(Code::CodexAuthMalformed, reason, hint))
}

#[cfg(test)]
mod tests;
