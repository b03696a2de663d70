//! Codex's `auth.json`, read as strictly as codex 0.169 reads it: no stricter, or a working login
//! would be replaced; no laxer, or a dead one would be called ready (every case was run against
//! codex 0.169).

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::codex_auth::{CodexAuth, Mode, Tokens, is_blank};
use super::json::{Opaque, SecretText};
use super::{MAX_JSON, finding, json_finding, jwt, reveal};
use crate::catalogue::{Code, Finding};

/// Deeper than any login; Codex itself skips what it does not know, however deep.
const MAX_DEPTH: usize = 64;

pub(super) const LOG_IN: &str = "log in with `d=$(mktemp -d); CODEX_HOME=$d codex login --device-auth` and give the whole content of `$d/auth.json`";

impl CodexAuth {
    /// Whether a file has nothing in it that anybody could miss: blank, `{}`, or an empty key,
    /// which is what Coder's codex module writes where its template has none.
    pub fn is_stub(bytes: &[u8]) -> bool {
        let empty = |(name, value): (&String, &Option<SecretText>)| {
            name == "auth_mode" || value.as_ref().is_none_or(|SecretText(value)| is_blank(value))
        };
        bytes.trim_ascii().is_empty()
            || serde_json::from_slice::<BTreeMap<String, Option<SecretText>>>(bytes)
                .is_ok_and(|members| members.iter().all(empty))
    }

    /// A file as Codex reads it. Errors where Codex fails to load it: `codex-auth-malformed`, or
    /// `codex-auth-incomplete` for a login that lacks one of its tokens.
    pub fn parse(bytes: &[u8]) -> Result<Self, Finding> {
        if bytes.len() > MAX_JSON {
            return Err(malformed("it is longer than 1 MiB"));
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(malformed("the bytes are not UTF-8 text"));
        };
        if !text.trim_ascii_start().starts_with('{') {
            return Err(malformed("it is not a JSON object"));
        }
        if depth(text) > MAX_DEPTH {
            return Err(malformed("it is nested too deeply"));
        }
        let file: AuthJson = serde_json::from_str(text).map_err(|error| {
            json_finding(Code::CodexAuthMalformed, "codex cannot read it", &error, LOG_IN)
        })?;
        Self::from_file(file)
    }

    fn from_file(file: AuthJson) -> Result<Self, Finding> {
        let named = match file.auth_mode {
            None => None,
            Some(SecretText(name)) => {
                match Mode::ALL.into_iter().find(|mode| mode.name() == reveal(&name)) {
                    Some(mode) => Some(mode),
                    None => return Err(malformed("`auth_mode` is not a mode that codex knows")),
                }
            }
        };
        let last_refresh = match file.last_refresh {
            None => None,
            Some(SecretText(time)) => match jwt::rfc3339(reveal(&time)) {
                Some(time) => Some(time),
                None => return Err(malformed("`last_refresh` is not an RFC 3339 time")),
            },
        };
        let objects = [&file.bedrock_api_key, &file.bedrock_access_keys];
        if objects.into_iter().flatten().any(|value| !value.0.is_object())
            || file
                .agent_identity
                .as_ref()
                .is_some_and(|value| !value.0.is_object() && !value.0.is_string())
        {
            return Err(malformed("a credential in it is of the wrong kind"));
        }
        // The order of Codex's resolved_mode: an API key counts when it is there, even empty.
        let inferred = if file.personal_access_token.is_some() {
            Mode::PersonalAccessToken
        } else if file.bedrock_api_key.is_some() {
            Mode::BedrockApiKey
        } else if file.bedrock_access_keys.is_some() {
            Mode::BedrockAccessKeys
        } else if file.openai_api_key.is_some() {
            Mode::ApiKey
        } else {
            Mode::ChatGpt
        };
        Ok(Self {
            mode: named.unwrap_or(inferred),
            mode_named: named.is_some(),
            api_key: file.openai_api_key.map(|text| text.0),
            tokens: file.tokens.map(Tokens::from_file).transpose()?,
            last_refresh,
            personal_access_token: file.personal_access_token.map(|text| text.0),
            agent_identity: file.agent_identity,
            bedrock_api_key: file.bedrock_api_key,
            bedrock_access_keys: file.bedrock_access_keys,
        })
    }

    /// The file as Codex writes it: the same keys in the same order, two blanks of indentation, no
    /// final newline.
    pub fn to_json(&self) -> SecretString {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_JSON / 16));
        let file = FileOut {
            auth_mode: self.mode.name(),
            openai_api_key: self.api_key.as_ref().map(reveal),
            tokens: self.tokens.as_ref().map(|tokens| TokensOut {
                id_token: reveal(&tokens.id),
                access_token: reveal(&tokens.access),
                refresh_token: reveal(&tokens.refresh),
                account_id: tokens.account_id.as_deref(),
            }),
            last_refresh: self.last_refresh.map(|time| time.to_string()),
            agent_identity: self.agent_identity.as_ref(),
            personal_access_token: self.personal_access_token.as_ref().map(reveal),
            bedrock_api_key: self.bedrock_api_key.as_ref(),
            bedrock_access_keys: self.bedrock_access_keys.as_ref(),
        };
        // Writing strings to memory cannot fail.
        let written = serde_json::to_writer_pretty(&mut *bytes, &file);
        debug_assert!(written.is_ok(), "a login is always JSON");
        SecretString::from(std::str::from_utf8(&bytes).unwrap_or_default())
    }
}

impl Tokens {
    fn from_file(file: TokensFile) -> Result<Self, Finding> {
        let Some(SecretText(id)) = file.id_token else {
            return Err(incomplete("`tokens.id_token` is missing"));
        };
        let Some(SecretText(access)) = file.access_token else {
            return Err(incomplete("`tokens.access_token` is missing"));
        };
        let Some(SecretText(refresh)) = file.refresh_token else {
            return Err(incomplete("`tokens.refresh_token` is missing"));
        };
        let Some(identity) = jwt::identity(reveal(&id)) else {
            return Err(malformed("`tokens.id_token` is not a JWT that codex can read"));
        };
        let access_lifetime = jwt::lifetime(reveal(&access));
        let issued = access_lifetime.issued.or_else(|| jwt::lifetime(reveal(&id)).issued);
        Ok(Self {
            id,
            identity,
            issued,
            access,
            access_lifetime,
            refresh,
            account_id: file.account_id,
        })
    }
}

pub(super) fn malformed(reason: &'static str) -> Finding {
    finding(Code::CodexAuthMalformed, reason, LOG_IN)
}

pub(super) fn incomplete(reason: &'static str) -> Finding {
    finding(Code::CodexAuthIncomplete, reason, LOG_IN)
}

/// How deep brackets nest outside strings.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The keys that Codex reads. It ignores others, and drops them at its next refresh.
#[derive(Deserialize)]
struct AuthJson {
    auth_mode: Option<SecretText>,
    #[serde(rename = "OPENAI_API_KEY")]
    openai_api_key: Option<SecretText>,
    tokens: Option<TokensFile>,
    last_refresh: Option<SecretText>,
    agent_identity: Option<Opaque>,
    personal_access_token: Option<SecretText>,
    bedrock_api_key: Option<Opaque>,
    bedrock_access_keys: Option<Opaque>,
}

#[derive(Deserialize)]
struct TokensFile {
    id_token: Option<SecretText>,
    access_token: Option<SecretText>,
    refresh_token: Option<SecretText>,
    account_id: Option<String>,
}

#[derive(Serialize)]
struct FileOut<'a> {
    auth_mode: &'static str,
    #[serde(rename = "OPENAI_API_KEY")]
    openai_api_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<TokensOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_refresh: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_identity: Option<&'a Opaque>,
    #[serde(skip_serializing_if = "Option::is_none")]
    personal_access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bedrock_api_key: Option<&'a Opaque>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bedrock_access_keys: Option<&'a Opaque>,
}

#[derive(Serialize)]
struct TokensOut<'a> {
    id_token: &'a str,
    access_token: &'a str,
    refresh_token: &'a str,
    account_id: Option<&'a str>,
}

#[cfg(test)]
mod tests;
