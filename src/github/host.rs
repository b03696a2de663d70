//! Which hosts are a GitHub, and where their API is (cli/go-gh, pkg/auth; cli/cli,
//! internal/ghinstance).

use crate::env::Env;
use crate::git::url::Repository;
use crate::http::Url;
use crate::variables;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forge {
    /// github.com, or a tenant of ghe.com.
    Cloud,
    /// GitHub Enterprise Server: no hosted runners, no status page of ours.
    Enterprise,
}

/// The API of the GitHub that a repository is on; `None`: its host is no GitHub that we know of.
pub fn api_of(repository: &Repository, env: &Env) -> Option<(Forge, Url)> {
    let host = repository.host();
    let given = env.text(variables::GITHUB_API_URL).and_then(|url| Url::parse(&url));
    let named = env.text(variables::GH_HOST).is_some_and(|name| name.eq_ignore_ascii_case(host));
    let (forge, url) = match host {
        "github.com" => (Forge::Cloud, "https://api.github.com".to_owned()),
        // ghe.com's tenants have their API a level up
        host if host.ends_with(".ghe.com") => (Forge::Cloud, format!("https://api.{host}")),
        "gitlab.com"
        | "bitbucket.org"
        | "codeberg.org"
        | "git.sr.ht"
        | "ssh.dev.azure.com"
        | "vs-ssh.visualstudio.com" => return None,
        host if named
            || given.is_some()
            || host.split('.').any(|part| part.starts_with("github")) =>
        {
            (Forge::Enterprise, format!("https://{host}/api/v3"))
        }
        _ => return None,
    };
    Some((forge, given.or_else(|| Url::parse(&url))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(host: &str, variables: &[(&str, &str)]) -> Option<(Forge, String)> {
        let repository = Repository::parse_declared(&format!("{host}/o/r")).unwrap();
        api_of(&repository, &Env::of(variables)).map(|(forge, url)| (forge, url.to_string()))
    }

    #[test]
    fn each_host_has_its_api() {
        let cloud = |url: &str| Some((Forge::Cloud, url.to_owned()));
        let server = |url: &str| Some((Forge::Enterprise, url.to_owned()));
        assert_eq!(api("github.com", &[]), cloud("https://api.github.com/"));
        assert_eq!(api("acme.ghe.com", &[]), cloud("https://api.acme.ghe.com/"));
        assert_eq!(api("github.acme.example", &[]), server("https://github.acme.example/api/v3"));
        assert_eq!(api("code.acme.example", &[]), None);
        assert_eq!(
            api("code.acme.example", &[("GH_HOST", "code.acme.example")]),
            server("https://code.acme.example/api/v3")
        );
        let given = [("PUSHREADY_GITHUB_API_URL", "http://127.0.0.1:9/api/v3")];
        assert_eq!(api("code.acme.example", &given), server("http://127.0.0.1:9/api/v3"));
        assert_eq!(api("gitlab.com", &[]), None);
    }
}
