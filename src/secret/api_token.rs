//! A token for GitHub's API.

use secrecy::SecretString;
use ureq::http::HeaderValue;
use zeroize::Zeroizing;

use super::text::{Repairs, placeholder, strip_word, unwrap};
use super::{Checked, finding, reveal};
use crate::catalogue::{Code, Finding};

const LONGEST: usize = 1024;

/// Letters, digits and a little more; nothing that could end a header line.
#[derive(Debug)]
pub struct ApiToken(SecretString);

impl ApiToken {
    /// Errors with `actions-no-token`.
    pub fn parse(text: &SecretString) -> Result<Checked<Self>, Finding> {
        let mut repairs = Repairs::default();
        let text = unwrap(reveal(text), &mut repairs);
        if let Some(finding) = placeholder(&text, Code::ActionsNoToken) {
            return Err(finding);
        }
        let token = match strip_word(&text, "bearer ").or_else(|| strip_word(&text, "token ")) {
            Some(rest) => {
                repairs.note("`Bearer` prefix");
                rest.trim()
            }
            None => &text,
        };
        let refuse = |reason| {
            Err(finding(Code::ActionsNoToken, reason, "give the token alone, on one line"))
        };
        // `coder external-auth access-token` prints a login URL where the account is not linked
        if token.contains("://") {
            return refuse("it is a URL, not a token");
        }
        if token.is_empty() || token.len() > LONGEST {
            return refuse("it is not a token: too short or too long");
        }
        if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.~+/=".contains(&byte)) {
            return refuse("it contains characters that are not allowed in a token");
        }
        Ok(Checked { value: Self(token.to_owned().into()), repairs: repairs.into_names() })
    }

    /// What made it, by its prefix (GitHub's "About authentication to GitHub", token formats).
    pub fn kind(&self) -> &'static str {
        let text = reveal(&self.0);
        [
            ("github_pat_", "fine-grained token"),
            ("ghp_", "classic token"),
            ("gho_", "OAuth token"),
            ("ghu_", "App user token"),
            ("ghs_", "App installation token"),
        ]
        .into_iter()
        .find_map(|(prefix, kind)| text.starts_with(prefix).then_some(kind))
        .unwrap_or("token")
    }

    /// The value of an `Authorization` header, marked as sensitive.
    pub fn bearer(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", reveal(&self.0)));
        // parse let nothing through that a header may not hold
        let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer"));
        value.set_sensitive(true);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Checked<ApiToken>, Finding> {
        ApiToken::parse(&text.to_owned().into())
    }

    #[test]
    fn pasted_damage_is_repaired() {
        for text in [
            "not-a-real-token",
            "\"not-a-real-token\"",
            "Bearer not-a-real-token\n",
            "token not-a-real-token",
        ] {
            let token = parse(text).unwrap().value;
            assert_eq!(token.bearer(), "Bearer not-a-real-token");
            assert!(!format!("{token:?} {:?}", token.bearer()).contains("real"));
        }
    }

    #[test]
    fn what_is_not_a_token_is_refused_without_quoting_it() {
        for text in [
            "",
            "https://coder.example/external-auth/github",
            "two words",
            "a\r\nX-Evil: 1",
            "${var.token}",
            "é",
        ] {
            let finding = parse(text).unwrap_err();
            assert_eq!(finding.code, Code::ActionsNoToken);
        }
    }
}
