//! Claude Code's `.credentials.json` as found: whose login is in it, if any (measured on Claude
//! Code 2.1.330).

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::claude_token::TokenForm;
use super::json::SecretText;
use super::jwt::epoch;
use super::{MAX_JSON, reveal, sha256};

/// The verdict on a file. Holds digests, no credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsFile {
    /// No login in it: absent for our purpose. Other keys (`mcpOAuth`) may be there and must
    /// survive a rewrite.
    Blank {
        /// Claude Code emptied the tokens after a failed refresh.
        by_client: bool,
    },
    /// A token without means to refresh it and without expiry: the form in which we write, or a
    /// person did.
    SetupToken {
        /// Equals `ClaudeToken::digest` of the same token.
        digest: String,
        /// False: Claude Code ignores the file, because `scopes` lacks `user:inference`.
        inference: bool,
        form: TokenForm,
    },
    /// What `/login` wrote.
    Login { digest: String, inference: bool, refreshable: bool, expires: Option<Timestamp> },
    /// Not JSON of the known shape. Claude Code treats this as logged out, but somebody may want it
    /// back. Place of the first error, from 1; 0 where there is none.
    Malformed { line: usize, column: usize },
}

#[derive(Deserialize)]
struct CredentialsJson {
    #[serde(rename = "claudeAiOauth")]
    oauth: Option<Oauth>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Oauth {
    access_token: Option<SecretText>,
    refresh_token: Option<SecretText>,
    expires_at: Option<serde_json::Value>,
    scopes: Option<serde_json::Value>,
}

/// Without it Claude Code ignores the file.
const INFERENCE: &str = "user:inference";

impl CredentialsFile {
    pub fn parse(bytes: &[u8]) -> Self {
        if bytes.len() > MAX_JSON {
            return Self::Malformed { line: 0, column: 0 };
        }
        if bytes.trim_ascii().is_empty() {
            return Self::Blank { by_client: false };
        }
        // serde would take an array for the struct.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Self::Malformed { line: 1, column: 1 };
        }
        let file: CredentialsJson = match serde_json::from_slice(bytes) {
            Ok(file) => file,
            Err(error) => return Self::Malformed { line: error.line(), column: error.column() },
        };
        let Some(Oauth { access_token, refresh_token, expires_at, scopes }) = file.oauth else {
            return Self::Blank { by_client: false };
        };
        let by_client = access_token.is_some();
        let refreshable = refresh_token.is_some_and(|token| !is_blank(&token));
        let Some(token) = access_token.filter(|token| !is_blank(token)) else {
            return if refreshable {
                Self::Malformed { line: 0, column: 0 }
            } else {
                Self::Blank { by_client }
            };
        };
        let digest = sha256(reveal(&token.0).as_bytes());
        // a list, or a text of which it may be any part; with anything else it does not start
        let inference = match scopes {
            None | Some(Value::Null) => false,
            Some(Value::Array(list)) => list.iter().any(|scope| scope == INFERENCE),
            Some(Value::String(text)) => text.contains(INFERENCE),
            Some(_) => return Self::Malformed { line: 0, column: 0 },
        };
        let expires_at = expires_at.filter(|at| !at.is_null());
        if !refreshable && expires_at.is_none() {
            let form = TokenForm::of(&token.0);
            return Self::SetupToken { digest, inference, form };
        }
        // Milliseconds as JavaScript counts them; beyond 2^53 it is not a time.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, and epoch() checks the range"
        )]
        let expires = expires_at.and_then(|at| as_number(&at)).and_then(|at| epoch(at as i64));
        Self::Login { digest, inference, refreshable, expires }
    }
}

/// As JavaScript compares it with the time: of what is not a number, nothing is earlier or later.
fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn is_blank(token: &SecretText) -> bool {
    reveal(&token.0).trim().is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judge(file: &Value) -> CredentialsFile {
        CredentialsFile::parse(file.to_string().as_bytes())
    }

    fn oauth(token: &Value, refresh: &Value, expires: &Value, scopes: &Value) -> Value {
        json!({"mcpOAuth": {"x": [1]}, "claudeAiOauth": {
            "accessToken": token, "refreshToken": refresh, "expiresAt": expires, "scopes": scopes, "subscriptionType": "max",
        }})
    }

    #[test]
    fn every_kind_of_file() {
        const TOKEN: &str = "sk-ant-oat01-rigrigrigrigrigrigrig";
        let digest = sha256(TOKEN.as_bytes());
        let (token, null, scopes) =
            (json!(TOKEN), Value::Null, json!(["user:profile", "user:inference"]));
        let (absent, emptied) = (
            CredentialsFile::Blank { by_client: false },
            CredentialsFile::Blank { by_client: true },
        );
        let login = |refreshable, inference, expires: Option<&str>| CredentialsFile::Login {
            digest: digest.clone(),
            inference,
            refreshable,
            expires: expires.map(|time| time.parse().unwrap()),
        };
        let milliseconds = json!(1_795_375_376_948_i64);
        let when = Some("2026-11-22T19:22:56.948Z");
        let table = [
            (json!({}), absent.clone()),
            (json!({"mcpOAuth": {}}), absent.clone()),
            (json!({"claudeAiOauth": null}), absent.clone()),
            (json!({"claudeAiOauth": {}}), absent),
            (oauth(&json!(""), &json!(""), &json!(0), &scopes), emptied.clone()),
            (oauth(&json!(" \n"), &null, &null, &scopes), emptied),
            // nothing to send, and somebody's means to get another
            (
                oauth(&null, &json!("r"), &null, &scopes),
                CredentialsFile::Malformed { line: 0, column: 0 },
            ),
            (
                oauth(&token, &null, &null, &scopes),
                CredentialsFile::SetupToken {
                    digest: digest.clone(),
                    inference: true,
                    form: TokenForm::Right { digest: digest.clone() },
                },
            ),
            (
                oauth(&token, &json!(""), &null, &json!([])),
                CredentialsFile::SetupToken {
                    digest: digest.clone(),
                    inference: false,
                    form: TokenForm::Right { digest: digest.clone() },
                },
            ),
            (oauth(&token, &json!("r"), &milliseconds, &scopes), login(true, true, when)),
            // as Claude Code 2.1.330 took them
            (
                oauth(&token, &null, &null, &json!("user:profile user:inference")),
                CredentialsFile::SetupToken {
                    digest: digest.clone(),
                    inference: true,
                    form: TokenForm::Right { digest: digest.clone() },
                },
            ),
            (
                oauth(&token, &null, &null, &json!("user:profile")),
                CredentialsFile::SetupToken {
                    digest: digest.clone(),
                    inference: false,
                    form: TokenForm::Right { digest: digest.clone() },
                },
            ),
            (
                oauth(&token, &json!("r"), &json!("2020-01-01T00:00:00Z"), &scopes),
                login(true, true, None),
            ),
            (oauth(&token, &json!("r"), &json!("1795375376948"), &scopes), login(true, true, when)),
            (
                oauth(&token, &null, &null, &json!({"user:inference": 1})),
                CredentialsFile::Malformed { line: 0, column: 0 },
            ),
            (oauth(&token, &json!("r"), &null, &null), login(true, false, None)),
            (oauth(&token, &null, &milliseconds, &scopes), login(false, true, when)),
            (
                oauth(&token, &null, &json!(0), &scopes),
                login(false, true, Some("1970-01-01T00:00:00Z")),
            ),
            (oauth(&token, &null, &json!(1e300), &scopes), login(false, true, None)),
            (oauth(&token, &null, &json!(-1e300), &scopes), login(false, true, None)),
        ];
        for (file, expected) in table {
            assert_eq!(judge(&file), expected, "{file}");
        }
        assert_eq!(CredentialsFile::parse(b" \n"), CredentialsFile::Blank { by_client: false });
    }

    #[test]
    fn not_such_a_file() {
        let place = |line, column| CredentialsFile::Malformed { line, column };
        let table: [(&[u8], CredentialsFile); 7] = [
            (b"{\n  \"claudeAiOauth\": {", place(2, 20)),
            (b"[]", place(1, 1)),
            (b"sk-ant-oat01-x", place(1, 1)),
            (b"\xef\xbb\xbf{}", place(1, 1)),
            (br#"{"claudeAiOauth":{"accessToken":3}}"#, place(1, 33)),
            (br#"{"claudeAiOauth":"x"}"#, place(1, 20)),
            (b"{\"claudeAiOauth\":{\"accessToken\":\"\xff\"}}", place(1, 34)),
        ];
        for (file, expected) in table {
            assert_eq!(CredentialsFile::parse(file), expected, "{}", String::from_utf8_lossy(file));
        }
        let long = format!(r#"{{"x":"{}"}}"#, "a".repeat(MAX_JSON));
        assert_eq!(CredentialsFile::parse(long.as_bytes()), place(0, 0));
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(0_u8.., 0..100), text in "[{}\\[\\]\":,a0]{0,60}") {
            let _ = (CredentialsFile::parse(&bytes), CredentialsFile::parse(text.as_bytes()));
        }
    }
}
