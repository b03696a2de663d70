//! Which hosts are a GitHub, where their API is (cli/go-gh, pkg/auth; cli/cli, internal/ghinstance),
//! and which of them may receive a token.

use crate::env::Env;
use crate::git::url::{Repository, is_known_forge};
use crate::http::Url;
use crate::variables;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forge {
    /// github.com, or a tenant of ghe.com.
    Cloud,
    /// GitHub Enterprise Server: no hosted runners, no public status page.
    Enterprise,
}

/// The API of one GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    pub forge: Forge,
    pub url: Url,
    /// Tokens may be sent there: it is GitHub's own, or the user's environment names it. A remote
    /// proves nothing, since whoever writes it would receive the token.
    pub trusted: bool,
}

impl Api {
    /// The API of the GitHub that hosts a repository; `None`: its host is not known as a GitHub.
    pub fn of(repository: &Repository, env: &Env) -> Option<Self> {
        let host = repository.host();
        let configured = env.text(variables::GITHUB_API_URL).and_then(|url| Url::parse(&url));
        let named =
            env.text(variables::GH_HOST).is_some_and(|name| name.eq_ignore_ascii_case(host));
        let (forge, url, trusted) = match host {
            "github.com" => (Forge::Cloud, "https://api.github.com".to_owned(), true),
            // a tenant has a host of its own for the API
            host if host.ends_with(".ghe.com") => {
                (Forge::Cloud, format!("https://api.{host}"), true)
            }
            host if is_known_forge(host) => return None,
            host if named
                || configured.is_some()
                || host.split('.').any(|part| part.starts_with("github")) =>
            {
                (Forge::Enterprise, format!("https://{host}/api/v3"), named)
            }
            _ => return None,
        };
        // only the user can have set the variable
        let trusted = trusted || configured.is_some();
        Some(Self { forge, url: configured.or_else(|| Url::parse(&url))?, trusted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(host: &str, variables: &[(&str, &str)]) -> Option<(Forge, String, bool)> {
        let repository = Repository::parse_declared(&format!("{host}/o/r")).unwrap();
        let api = Api::of(&repository, &Env::of(variables))?;
        Some((api.forge, api.url.to_string(), api.trusted))
    }

    #[test]
    fn each_host_has_its_api_and_only_some_are_trusted() {
        let cloud = |url: &str| Some((Forge::Cloud, url.to_owned(), true));
        let server = |url: &str, trusted| Some((Forge::Enterprise, url.to_owned(), trusted));
        assert_eq!(api("github.com", &[]), cloud("https://api.github.com/"));
        assert_eq!(api("acme.ghe.com", &[]), cloud("https://api.acme.ghe.com/"));
        assert_eq!(api("code.acme.example", &[]), None);
        for host in [
            "github.acme.example",
            "github.com.evil.example",
            "github-com.evil.example",
            "githubx.example",
            "evil.github.example",
        ] {
            let url = format!("https://{host}/api/v3");
            assert_eq!(api(host, &[]), server(&url, false), "{host}");
            assert_eq!(api(host, &[("GH_HOST", "github.com")]), server(&url, false), "{host}");
        }
        for host in ["evilghe.com", "ghe.com", "acme.ghe.com.evil.example", "notgithub.com"] {
            assert_eq!(api(host, &[]), None, "{host}");
        }
        assert_eq!(
            api("code.acme.example", &[("GH_HOST", "Code.acme.example")]),
            server("https://code.acme.example/api/v3", true)
        );
        let configured = [("PUSHREADY_GITHUB_API_URL", "http://127.0.0.1:9/api/v3")];
        for host in ["code.acme.example", "github.evil.example"] {
            assert_eq!(api(host, &configured), server("http://127.0.0.1:9/api/v3", true), "{host}");
        }
        assert_eq!(api("gitlab.com", &configured), None);
    }
}
