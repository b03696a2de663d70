//! Where the server and the token come from: variables first, then the stored session of Coder's
//! own command line.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::env::{Env, expand};
use crate::error::{Error, Exit, Result};
use crate::http::Url;
use crate::resource::file::{self, Kind};
use crate::secret::SessionToken;
use crate::variables;

/// A file of a session is one line.
const LARGEST: u64 = 4096;

pub struct CoderSession {
    pub url: Url,
    pub token: SessionToken,
    /// Where the token comes from.
    pub source: &'static str,
}

impl CoderSession {
    /// `insecure`: plain http to another machine is wanted.
    pub fn find(env: &Env, insecure: bool) -> Result<Self> {
        let folder = folder(env);
        let stored_url = folder.as_ref().and_then(|folder| line(&folder.join("url")));
        let from_env = env.text(variables::CODER_URL);
        let Some(text) = from_env.clone().or_else(|| stored_url.clone()) else {
            return Err(logged_out("there is no Coder server to ask", folder.as_ref()));
        };
        let url = Url::parse(&text).ok_or_else(|| {
            let source = if from_env.is_some() { "CODER_URL" } else { "the stored session" };
            Error::new(format!("{source} has no URL of a Coder server"))
                .because("it is not an http or https URL without user and password")
                .hint("set CODER_URL=https://coder.example.com")
                .exit(Exit::Usage)
        })?;
        if !url.origin().is_confidential() && !insecure {
            return Err(Error::new(format!(
                "the token is not sent over plain http to `{}`",
                url.origin().host()
            ))
            .hint("set CODER_URL to the https URL, or give --insecure-http if everybody between may read the token")
            .exit(Exit::Usage));
        }
        let (text, via) = if let Some(text) = env.text(variables::CODER_SESSION_TOKEN) {
            (SecretString::from(text), "CODER_SESSION_TOKEN")
        } else {
            let stored = folder.as_ref().and_then(|folder| line(&folder.join("session")));
            let Some(text) = stored else {
                return Err(logged_out("there is no session token", folder.as_ref()));
            };
            // the stored token belongs to the stored URL
            let its_own = stored_url.as_deref().and_then(Url::parse);
            if its_own.is_none_or(|own| own.origin() != url.origin()) {
                return Err(Error::new("the stored session is one of another server")
                    .because(format!("it is not for `{}`", url.origin().host()))
                    .hint(format!("`coder login {url}`, or set CODER_SESSION_TOKEN"))
                    .exit(Exit::NotPermitted));
            }
            (SecretString::from(text), "the stored session")
        };
        let token = SessionToken::parse(&text).map_err(|reason| {
            Error::new(format!("the token in {via} cannot be used"))
                .because(reason)
                .hint("log in again: `coder login URL`, or `coder tokens create`")
                .exit(Exit::NotPermitted)
        })?;
        tracing::info!("server {url}, token from {via}");
        Ok(Self { url, token, source: via })
    }
}

/// The folder of Coder's own command line.
fn folder(env: &Env) -> Option<PathBuf> {
    let home = env.get(variables::HOME).map(PathBuf::from).unwrap_or_default();
    if let Some(folder) = env.get(variables::CODER_CONFIG_DIR) {
        return Some(expand(&folder, &home));
    }
    let config = env.get(variables::XDG_CONFIG_HOME).map(PathBuf::from);
    let config = config.filter(|path| path.is_absolute());
    let config = config.or_else(|| home.is_absolute().then(|| home.join(".config")))?;
    Some(config.join("coderv2"))
}

/// The content of a file of one line.
fn line(path: &std::path::Path) -> Option<String> {
    let content = file::observe_up_to(LARGEST, path, Kind::Shared).ok()??;
    let text = String::from_utf8_lossy(&content.bytes);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn logged_out(what: &str, folder: Option<&PathBuf>) -> Error {
    let stored = folder.map_or("a stored session".to_owned(), |folder| {
        format!("the session that `coder login` stores in `{}`", folder.display())
    });
    Error::new(what)
        .because(format!("looked at CODER_URL and CODER_SESSION_TOKEN, and at {stored}"))
        .hint("`coder login https://coder.example.com`, or set both variables (in CI: a token of `coder tokens create --lifetime 720h`)")
        .exit(Exit::NotPermitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(variables: &[(&str, &str)], insecure: bool) -> (Exit, String) {
        match CoderSession::find(&Env::of(variables), insecure) {
            Ok(session) => panic!("found {}", session.url),
            Err(error) => (error.status(), error.render()),
        }
    }

    #[test]
    fn a_token_goes_to_its_own_server_and_not_over_plain_http() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().to_str().unwrap();
        let both = |url: &str, insecure| {
            CoderSession::find(
                &Env::of(&[("CODER_URL", url), ("CODER_SESSION_TOKEN", "not-a-token")]),
                insecure,
            )
        };
        for (url, insecure, ok) in [
            ("https://coder.example", false, true),
            ("http://127.0.0.1:3000", false, true),
            ("http://localhost:3000/", false, true),
            ("http://coder.example", false, false),
            ("http://coder.example", true, true),
            ("ftp://coder.example", true, false),
            ("https://user:secret@coder.example", false, false),
        ] {
            assert_eq!(both(url, insecure).is_ok(), ok, "{url}");
        }
        assert_eq!(error(&[("CODER_CONFIG_DIR", folder)], false).0, Exit::NotPermitted);
        std::fs::write(home.path().join("url"), "https://coder.example\n").unwrap();
        std::fs::write(home.path().join("session"), "not-a-token\n").unwrap();
        let stored = CoderSession::find(&Env::of(&[("CODER_CONFIG_DIR", folder)]), false).unwrap();
        assert_eq!(stored.url.to_string(), "https://coder.example/");
        let other = [("CODER_CONFIG_DIR", folder), ("CODER_URL", "https://other.example")];
        let (exit, text) = error(&other, false);
        assert_eq!(exit, Exit::NotPermitted);
        assert!(text.contains("another server") && !text.contains("not-a-token"), "{text}");
    }
}
