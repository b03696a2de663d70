use std::io::Write as _;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{BODY_CAP, Credential, Http, HttpError, Url};
use crate::env::Env;
use crate::github_rig::server::{Certificates, Proxy, Reply, Server};
use crate::secret::ApiToken;

/// Prints it; scripts/test.sh counts these lines.
pub fn skip(test: &str, why: &str) {
    let line = format!("{test}: {why}\n");
    let _ = std::io::stderr().write_all(format!("SKIPPED {line}").as_bytes());
    if let Some(path) = std::env::var_os("PUSHREADY_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
    assert!(std::env::var_os("PUSHREADY_NO_SKIP").is_none_or(|value| value != "1"), "{why}");
}

fn http(variables: &[(&str, &str)]) -> Http {
    Http::new(&Env::of(variables), Instant::now() + Duration::from_secs(10))
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn credential(url: &Url) -> Credential {
    let token = ApiToken::parse(&"not-a-real-token".to_owned().into()).unwrap().value;
    Credential { token, origin: url.origin().clone() }
}

#[test]
fn the_token_goes_to_its_origin_and_nowhere_else() {
    let other = Server::start(|_| Reply::new(200, "other"));
    let elsewhere = format!("{}/stolen", other.url());
    let own = Server::start(move |request| match &*request.target {
        "/moved" => Reply::new(301, "").header("location", "/here"),
        "/away" => Reply::new(302, "").header("location", elsewhere.clone()),
        "/circle" => Reply::new(307, "").header("location", "/circle"),
        _ => Reply::new(200, "own"),
    });
    let (http, base) = (http(&[]), url(&own.url()));
    let credential = credential(&base);
    let get = |path: &str| http.get(&base.below(path).unwrap(), &[], Some(&credential));
    assert_eq!(get("/moved").unwrap().body, b"own");
    assert_eq!(get("/away").unwrap_err(), HttpError::Elsewhere("127.0.0.1".to_owned()));
    assert!(matches!(get("/circle").unwrap_err(), HttpError::Broken(_)));
    assert!(
        own.requests()
            .iter()
            .all(|request| request.headers["authorization"] == "Bearer not-a-real-token")
    );
    assert!(other.requests().is_empty(), "another port is another origin");
    http.get(&url(&other.url()), &[], Some(&credential)).unwrap();
    assert!(!other.requests()[0].headers.contains_key("authorization"));
    assert!(own.requests()[0].headers["user-agent"].starts_with("pushready/"));
}

#[test]
fn a_token_goes_in_clear_to_this_machine_alone() {
    for (text, confidential) in [
        ("https://api.github.com", true),
        ("http://127.0.0.1:8080", true),
        ("http://localhost", true),
        ("http://[::1]:80", true),
        ("http://github.corp.example", false),
        ("http://10.0.0.1", false),
        ("http://localhost.example", false),
    ] {
        assert_eq!(url(text).origin().is_confidential(), confidential, "{text}");
    }
}

#[test]
fn urls_with_a_password_or_of_another_kind_are_refused() {
    for text in
        ["https://user:word@example.org", "ftp://example.org", "example.org", "https://", ""]
    {
        assert_eq!(Url::parse(text), None, "{text}");
    }
    let base = url("https://h.example/api/v3/");
    assert_eq!(base.below("/repos").unwrap().to_string(), "https://h.example/api/v3/repos");
    assert_eq!(base.follow("/x?y=1").unwrap().to_string(), "https://h.example/x?y=1");
    for foreign in [
        "//evil.example/x",
        "http://h.example/x",
        "https://h.example:444/x",
        "https://h.example.evil/x",
        "x",
    ] {
        assert_eq!(base.follow(foreign), None, "{foreign}");
    }
    assert_eq!(super::segment("deploy/prod 1%"), "deploy%2Fprod%201%25");
}

#[test]
fn answers_that_are_slow_large_or_cut_short() {
    let server = Server::start(|request| match &*request.target {
        "/large" => Reply::new(200, vec![b'x'; usize::try_from(BODY_CAP).unwrap() + 1]),
        "/cut" => Reply { cut: true, ..Reply::new(200, "half of this") },
        "/drip" => Reply { drip: Duration::from_millis(20), ..Reply::new(200, "x".repeat(1000)) },
        _ => Reply { delay: Duration::from_secs(60), ..Reply::new(200, "") },
    });
    let base = url(&server.url());
    let get = |path: &str, left: u64| {
        let http = Http::new(&Env::of(&[]), Instant::now() + Duration::from_millis(left));
        http.get(&base.below(path).unwrap(), &[], None).unwrap_err()
    };
    assert_eq!(get("/large", 20_000), HttpError::TooLarge);
    assert!(matches!(get("/cut", 20_000), HttpError::Broken(_)));
    let start = Instant::now();
    assert_eq!(get("/slow", 100), HttpError::Deadline);
    assert_eq!(get("/drip", 100), HttpError::Deadline);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(get("/never", 0), HttpError::Deadline);
}

#[test]
fn hosts_that_are_not_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let get = |text: &str| http(&[]).get(&url(text), &[], None).unwrap_err();
    assert!(matches!(get(&format!("http://127.0.0.1:{port}")), HttpError::Connect(_)));
    assert_eq!(
        get("http://no-such-host.invalid"),
        HttpError::Resolve("no-such-host.invalid".to_owned())
    );
}

#[test]
fn the_proxy_of_the_environment_is_used_unless_it_is_excepted() {
    let server = Server::start(|_| Reply::new(200, "through"));
    let proxy = Proxy::start(200);
    let get = |no: &str| {
        let variables = [("http_proxy", &*proxy.url()), ("NO_PROXY", no)];
        http(&variables).get(&url(&server.url()), &[], None).unwrap().body
    };
    assert_eq!(get("example.org"), b"through");
    assert_eq!(proxy.heads().len(), 1);
    assert_eq!(get("127.0.0.0/8"), b"through");
    assert_eq!(proxy.heads().len(), 1);
}

#[test]
fn a_proxy_that_refuses_is_named_without_its_password() {
    let proxy = Proxy::start(407);
    let with_password = proxy.url().replace("http://", "http://user:hidden-word@");
    for variable in [with_password.as_str(), "http://user:hidden-word@[bad"] {
        let error = http(&[("HTTPS_PROXY", variable)])
            .get(&url("https://api.example"), &[], None)
            .unwrap_err();
        assert!(matches!(error, HttpError::Proxy(_)), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("hidden-word"));
    }
}

#[test]
fn corporate_authorities_are_trusted_where_any_usual_variable_names_them() {
    if Command::new("openssl").arg("version").output().is_err() {
        return skip("corporate authorities", "openssl not found");
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path(), &["localhost"]);
    let server = Server::start_at(([127, 0, 0, 1], 0).into(), Some(&certificates), |_| {
        Reply::new(200, "safe")
    });
    let server = url(&format!("https://localhost:{}", server.address.port()));
    let ca = certificates.authority.display().to_string();
    for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE"] {
        assert_eq!(http(&[(name, &ca)]).get(&server, &[], None).unwrap().body, b"safe", "{name}");
    }
    let error = http(&[]).get(&server, &[], None).unwrap_err();
    assert_eq!(error, HttpError::UnknownIssuer);
}

#[test]
fn behind_a_proxy_it_is_the_proxy_that_is_not_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = format!("http://127.0.0.1:{port}");
    for proxy in [
        refused.as_str(),
        "http://no-such-proxy.invalid:3128",
        "socks5://127.0.0.1:1080",
        "socks5h://127.0.0.1:1080",
        "socks4://127.0.0.1:1080",
        "socks4a://127.0.0.1:1080",
    ] {
        let error = http(&[("HTTPS_PROXY", proxy)])
            .get(&url("https://api.example"), &[], None)
            .unwrap_err();
        assert!(matches!(error, HttpError::Proxy(_)), "{proxy}: {error:?}");
    }
}
