use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::model::Workflow;
use super::{Api, Forge, GitHub, GithubRefusal, MOST_REQUESTS, Memory, Sources};
use crate::env::Env;
use crate::git::url::Repository;
use crate::github_rig::server::{Reply, Server};
use crate::home::Home;
use crate::http::{Http, Url};
use crate::settings::ApiTokens;

/// A folder with programs of these names and scripts, as the whole PATH.
fn programs(scripts: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in scripts {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

fn ask<T>(server: &Server, forge: Forge, env: &Env, ask: impl FnOnce(&GitHub<'_>) -> T) -> T {
    ask_again(server, forge, env, &Memory::default(), ask)
}

fn ask_again<T>(
    server: &Server,
    forge: Forge,
    env: &Env,
    memory: &Memory,
    ask: impl FnOnce(&GitHub<'_>) -> T,
) -> T {
    let api = Api { forge, url: Url::parse(&server.url()).unwrap(), trusted: true };
    let home = Home::at(std::path::Path::new("/nonexistent"));
    let tokens = ApiTokens::read(env, &home, forge == Forge::Enterprise);
    let sources = Sources::new(env, &api, "github.example", tokens);
    let http = Arc::new(Http::new(env, Instant::now() + Duration::from_secs(20)));
    ask(&GitHub::new(http, api.url, &sources, memory))
}

fn workflows(names: std::ops::Range<usize>) -> String {
    let list: Vec<_> =
        names.map(|n| json!({"path": format!("{n}.yml"), "state": "active"})).collect();
    json!({"total_count": 350, "workflows": list}).to_string()
}

#[test]
fn pages_are_followed_on_their_origin_and_up_to_a_cap() {
    let base = Arc::new(std::sync::OnceLock::<String>::new());
    let known = Arc::clone(&base);
    let server = Server::start(move |request| {
        let page: usize =
            request.target.split("page=").nth(1).map_or(1, |page| page.parse().unwrap());
        let next = format!(
            "<{}/list?page={}>; rel=\"next\", <x>; rel=\"last\"",
            known.get().unwrap(),
            page + 1
        );
        Reply::new(200, workflows((page - 1) * 100..page * 100)).header("link", next)
    });
    base.set(server.url()).unwrap();
    let env = Env::of(&[("PUSHREADY_GITHUB_TOKEN", "not-a-real-token")]);
    let page =
        ask(&server, Forge::Cloud, &env, |hub| hub.list::<Workflow>("/list", "workflows")).unwrap();
    assert_eq!((page.items.len(), page.total, server.requests().len()), (300, 350, 3));
    let page =
        ask(&server, Forge::Cloud, &env, |hub| hub.page::<Workflow>("/list", "workflows")).unwrap();
    assert_eq!((page.items.len(), server.requests().len()), (100, 4));

    let other = Server::start(|_| Reply::new(200, workflows(100..200)));
    let link = format!("<{}/list?page=2>; rel=\"next\"", other.url());
    let server =
        Server::start(move |_| Reply::new(200, workflows(0..100)).header("link", link.clone()));
    let page =
        ask(&server, Forge::Cloud, &env, |hub| hub.list::<Workflow>("/list", "workflows")).unwrap();
    assert_eq!((page.items.len(), other.requests().len()), (100, 0));
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let server =
        Server::start(|request| match request.headers.get("if-none-match").map(String::as_str) {
            Some("W/\"1\"") => Reply::new(304, ""),
            _ => Reply::new(200, workflows(0..3)).header("etag", "W/\"1\""),
        });
    let memory = Memory::default();
    for token in ["one", "one", "two"] {
        let env = Env::of(&[("PUSHREADY_GITHUB_TOKEN", token)]);
        ask_again(&server, Forge::Cloud, &env, &memory, |hub| {
            assert_eq!(hub.page::<Workflow>("/list", "workflows").unwrap().items.len(), 3);
        });
    }
    let asked = server.requests();
    let conditional: Vec<_> =
        asked.iter().map(|request| request.headers.contains_key("if-none-match")).collect();
    assert_eq!(conditional, [false, true, true]);
    // an ETag belongs to one credential
    ask_again(&server, Forge::Cloud, &Env::of(&[("GH_TOKEN", "one")]), &memory, |hub| {
        hub.page::<Workflow>("/list", "workflows").unwrap();
    });
    assert!(!server.requests()[3].headers.contains_key("if-none-match"));
}

#[test]
fn sources_are_tried_in_their_order_each_where_it_belongs() {
    let server =
        Server::start(|request| match request.headers.get("authorization").map(String::as_str) {
            Some("Bearer good") | None => Reply::new(200, "{}"),
            Some(_) => Reply::new(401, r#"{"message":"Bad credentials"}"#),
        });
    let path = programs(&[
        ("gh", "[ \"$*\" = 'auth token --hostname github.example' ] && echo from-gh"),
        // not linked: a login URL, and status 1
        ("coder", "echo https://coder.example/external-auth/github; exit 1"),
    ]);
    let path = path.path().display().to_string();
    let tried = |forge, more: &[(&str, &str)]| {
        let variables: Vec<_> = [("PATH", &*path)].iter().chain(more).copied().collect();
        ask(&server, forge, &Env::of(&variables), |hub| {
            let before = server.requests().len();
            hub.page::<Workflow>("/list", "workflows").unwrap();
            let requests = server.requests();
            let sent = requests[before..]
                .iter()
                .map(|request| request.headers.get("authorization").cloned());
            let sent: Vec<_> =
                sent.map(|value| value.unwrap_or_default().replace("Bearer ", "")).collect();
            (sent.join(" "), hub.token(), hub.rejected().len())
        })
    };
    let (sent, token, rejected) = tried(
        Forge::Cloud,
        &[("PUSHREADY_GITHUB_TOKEN", "one"), ("GH_TOKEN", "two"), ("GITHUB_TOKEN", "good")],
    );
    assert_eq!(
        (&*sent, token.as_deref(), rejected),
        ("one two good", Some("token from GITHUB_TOKEN"), 2)
    );
    // gh has a token that is not accepted, Coder none: anonymously at last
    assert_eq!(tried(Forge::Cloud, &[]), ("from-gh ".to_owned(), None, 1));
    // gh's variables for github.com are not for another server
    let (sent, ..) =
        tried(Forge::Enterprise, &[("GH_TOKEN", "two"), ("GH_ENTERPRISE_TOKEN", "good")]);
    assert_eq!(sent, "good");
}

#[test]
fn coder_is_asked_last() {
    let server = Server::start(|_| Reply::new(200, "{}"));
    let path = programs(&[
        ("gh", "exit 1"),
        (
            "coder",
            "[ \"$*\" = 'external-auth access-token corporate' ] && [ -z \"$GH_TOKEN\" ] && printf good",
        ),
    ]);
    let path = path.path().display().to_string();
    let env = Env::of(&[("PATH", &path), ("PUSHREADY_EXTERNAL_AUTH_ID", "corporate")]);
    let token = ask(&server, Forge::Enterprise, &env, |hub| {
        hub.page::<Workflow>("/list", "workflows").unwrap();
        hub.token()
    });
    assert_eq!(token.as_deref(), Some("token from `coder external-auth access-token`"));
}

#[test]
fn once_the_limit_is_reached_nothing_more_is_asked() {
    let server = Server::start(|_| {
        Reply::new(403, r#"{"message":"API rate limit exceeded"}"#)
            .header("x-ratelimit-reset", "2000000000")
    });
    let env = Env::of(&[("PUSHREADY_GITHUB_TOKEN", "not-a-real-token")]);
    let memory = Memory::default();
    for _ in 0..3 {
        ask_again(&server, Forge::Cloud, &env, &memory, |hub| {
            let refusal = hub.page::<Workflow>("/list", "workflows").unwrap_err();
            assert!(
                matches!(refusal, GithubRefusal::RateLimited { until: Some(_) }),
                "{refusal:?}"
            );
        });
    }
    assert_eq!(server.requests().len(), 1, "who goes on is locked out for longer");
}

#[test]
fn a_run_asks_so_much_and_no_more() {
    let server = Server::start(|_| Reply::new(200, "{}"));
    let env = Env::of(&[("PUSHREADY_GITHUB_TOKEN", "not-a-real-token")]);
    ask(&server, Forge::Cloud, &env, |hub| {
        for _ in 0..MOST_REQUESTS {
            hub.page::<Workflow>("/list", "workflows").unwrap();
        }
        assert_eq!(
            hub.page::<Workflow>("/list", "workflows").unwrap_err(),
            GithubRefusal::TooManyRequests
        );
    });
}

#[test]
fn a_server_that_does_not_know_the_version_is_asked_without() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Server::start(move |request| {
        count.fetch_add(1, Ordering::Relaxed);
        let known = !request.headers.contains_key("x-github-api-version");
        if known {
            Reply::new(200, "{}")
        } else {
            Reply::new(400, r#"{"message":"unknown version"}"#)
        }
    });
    let env = Env::of(&[("PUSHREADY_GITHUB_TOKEN", "not-a-real-token")]);
    ask(&server, Forge::Cloud, &env, |hub| hub.page::<Workflow>("/list", "workflows").unwrap());
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[test]
fn no_token_goes_in_clear_over_the_network() {
    let env = Env::of(&[("PUSHREADY_GITHUB_TOKEN", "not-a-real-token")]);
    let home = Home::at(std::path::Path::new("/nonexistent"));
    for (url, tokens) in
        [("http://github.corp.example/api/v3", 0), ("https://github.corp.example/api/v3", 1)]
    {
        let api = Api { forge: Forge::Enterprise, url: Url::parse(url).unwrap(), trusted: true };
        let given = ApiTokens::read(&env, &home, true);
        let sources = Sources::new(&env, &api, "github.corp.example", given);
        assert_eq!(sources.get(0, api.url.origin()).iter().len(), tokens, "{url}");
        assert_eq!(sources.warnings.len(), 1 - tokens, "{url}: the reason is reported");
    }
}

/// Every source of tokens at every kind of host: what is sent there.
#[test]
fn each_token_goes_only_where_it_belongs() {
    let cloud = ["PUSHREADY_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "gh", "coder"];
    let server =
        ["PUSHREADY_GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "gh", "coder"];
    let url = ("PUSHREADY_GITHUB_API_URL", "https://api.corp.example/api/v3");
    let named = |host| ("GH_HOST", host);
    let none: &[&str] = &[];
    for (host, setting, origin, accepted) in [
        ("github.com", None, "https://api.github.com", &cloud[..]),
        ("acme.ghe.com", None, "https://api.acme.ghe.com", &cloud),
        ("github.com", Some(url), "https://api.corp.example", &cloud),
        ("code.corp.example", Some(url), "https://api.corp.example", &server),
        ("github.corp.example", Some(url), "https://api.corp.example", &server),
        (
            "code.corp.example",
            Some(named("code.corp.example")),
            "https://code.corp.example",
            &server,
        ),
        ("github.evil.example", None, "https://github.evil.example", none),
        ("github.com.evil.example", None, "https://github.com.evil.example", none),
        ("github.evil.example", Some(named("github.com")), "https://github.evil.example", none),
        (
            "github.evil.example",
            Some(named("code.corp.example")),
            "https://github.evil.example",
            none,
        ),
    ] {
        for source in cloud.iter().chain(&server) {
            let program = |name| if *source == name { "printf a-token" } else { "exit 1" };
            let path = programs(&[("gh", program("gh")), ("coder", program("coder"))]);
            let path = path.path().display().to_string();
            let mut variables = vec![("PATH", &*path), ("PUSHREADY_EXTERNAL_AUTH_ID", "corporate")];
            variables.extend(setting);
            variables.extend(source.contains('_').then_some((*source, "a-token")));
            let env = Env::of(&variables);
            let repository = Repository::parse_declared(&format!("{host}/o/r")).unwrap();
            let api = Api::of(&repository, &env).unwrap();
            assert_eq!(*api.url.origin(), *Url::parse(origin).unwrap().origin(), "{host}");
            let home = Home::at(std::path::Path::new("/nonexistent"));
            let given = ApiTokens::read(&env, &home, api.forge == Forge::Enterprise);
            let sources = Sources::new(&env, &api, host, given);
            let found = sources.get(0, api.url.origin());
            let case = format!("{host}, {setting:?}, {source}");
            assert_eq!(found.is_some(), accepted.contains(source), "{case}");
            assert!(
                found.is_none_or(|found| found.credential.origin == *api.url.origin()),
                "{case}"
            );
            assert_eq!(accepted.is_empty(), !sources.warnings.is_empty(), "{case}");
        }
    }
}
