use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::test_server::{Reply, Server};
use super::{BODY_CAP, Credential, Failure, Http, Url};
use crate::env::Env;
use crate::secret::ApiToken;

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
    assert_eq!(get("/away").unwrap_err(), Failure::Elsewhere("127.0.0.1".to_owned()));
    assert!(matches!(get("/circle").unwrap_err(), Failure::Broken(_)));
    assert!(
        own.requests().iter().all(|request| request.headers["authorization"] == "Bearer not-a-real-token")
    );
    assert!(other.requests().is_empty(), "another port is another origin");
    http.get(&url(&other.url()), &[], Some(&credential)).unwrap();
    assert!(!other.requests()[0].headers.contains_key("authorization"));
    assert!(own.requests()[0].headers["user-agent"].starts_with("pushready/"));
}

#[test]
fn urls_with_a_password_or_of_another_kind_are_refused() {
    for text in ["https://user:word@example.org", "ftp://example.org", "example.org", "https://", ""] {
        assert_eq!(Url::parse(text), None, "{text}");
    }
    let base = url("https://h.example/api/v3/");
    assert_eq!(base.below("/repos").unwrap().to_string(), "https://h.example/api/v3/repos");
    assert_eq!(base.follow("/x?y=1").unwrap().to_string(), "https://h.example/x?y=1");
    for foreign in
        ["//evil.example/x", "http://h.example/x", "https://h.example:444/x", "https://h.example.evil/x", "x"]
    {
        assert_eq!(base.follow(foreign), None, "{foreign}");
    }
    assert_eq!(super::segment("deploy/prod 1%"), "deploy%2Fprod%201%25");
}

#[test]
fn answers_that_are_slow_large_or_cut_short() {
    let server = Server::start(|request| match &*request.target {
        "/large" => Reply::new(200, vec![b'x'; usize::try_from(BODY_CAP).unwrap() + 1]),
        "/cut" => Reply { cut: true, ..Reply::new(200, "half of this") },
        _ => Reply { delay: Duration::from_secs(60), ..Reply::new(200, "") },
    });
    let base = url(&server.url());
    let get = |path: &str, left: u64| {
        let http = Http::new(&Env::of(&[]), Instant::now() + Duration::from_millis(left));
        http.get(&base.below(path).unwrap(), &[], None).unwrap_err()
    };
    assert_eq!(get("/large", 20_000), Failure::TooLarge);
    assert!(matches!(get("/cut", 20_000), Failure::Connect(_) | Failure::Broken(_)));
    let start = Instant::now();
    assert_eq!(get("/slow", 100), Failure::Deadline);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(get("/never", 0), Failure::Deadline);
}

#[test]
fn hosts_that_are_not_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let get = |text: &str| http(&[]).get(&url(text), &[], None).unwrap_err();
    assert!(matches!(get(&format!("http://127.0.0.1:{port}")), Failure::Connect(_)));
    assert_eq!(get("http://no-such-host.invalid"), Failure::Resolve("no-such-host.invalid".to_owned()));
}

/// A proxy that lets through what it is asked for, or refuses.
fn proxy(status: u16) -> (String, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::<std::sync::Mutex<Vec<String>>>::default();
    let lines = Arc::clone(&seen);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let target = head.split(' ').nth(1).unwrap().to_owned();
            lines.lock().unwrap().push(head);
            stream.write_all(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes()).unwrap();
            if status == 200 {
                let mut onward = std::net::TcpStream::connect(target).unwrap();
                let mut back = (onward.try_clone().unwrap(), stream.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut back.0, &mut back.1));
                std::thread::spawn(move || std::io::copy(&mut stream, &mut onward));
            }
        }
    });
    (format!("http://{address}"), seen)
}

#[test]
fn the_proxy_of_the_environment_is_used_unless_it_is_excepted() {
    let server = Server::start(|_| Reply::new(200, "through"));
    let (address, seen) = proxy(200);
    let get = |no: &str| {
        http(&[("http_proxy", &address), ("NO_PROXY", no)]).get(&url(&server.url()), &[], None).unwrap().body
    };
    assert_eq!(get("example.org"), b"through");
    assert_eq!(seen.lock().unwrap().len(), 1);
    assert_eq!(get("127.0.0.0/8"), b"through");
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn a_proxy_that_refuses_is_named_without_its_password() {
    let (address, _) = proxy(407);
    let with_password = address.replace("http://", "http://user:hidden-word@");
    for variable in [with_password.as_str(), "http://user:hidden-word@[bad"] {
        let error =
            http(&[("HTTPS_PROXY", variable)]).get(&url("https://api.example"), &[], None).unwrap_err();
        assert!(matches!(error, Failure::Proxy(_)), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("hidden-word"));
    }
}

/// An authority and a server that it vouches for, made by openssl.
fn tls_server(folder: &std::path::Path) -> String {
    let openssl = |arguments: &str| {
        let done = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    openssl(&format!("{new} -subj /CN=authority -keyout ca.key -out ca.pem"));
    openssl(&format!(
        "{new} -subj /CN=server -keyout server.key -out server.pem -CA ca.pem -CAkey ca.key -addext \
         basicConstraints=CA:FALSE -addext subjectAltName=DNS:localhost"
    ));
    let certificate = CertificateDer::from_pem_file(folder.join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, stream);
            if tls.read(&mut [0; 4096]).is_ok() {
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsafe");
            }
        }
    });
    format!("https://localhost:{port}")
}

#[test]
fn corporate_authorities_are_trusted_where_any_usual_variable_names_them() {
    if Command::new("openssl").arg("version").output().is_err() {
        return super::test_server::skip("corporate authorities", "openssl not found");
    }
    let folder = tempfile::tempdir().unwrap();
    let server = url(&tls_server(folder.path()));
    let ca = folder.path().join("ca.pem").display().to_string();
    for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE"] {
        assert_eq!(http(&[(name, &ca)]).get(&server, &[], None).unwrap().body, b"safe", "{name}");
    }
    let error = http(&[]).get(&server, &[], None).unwrap_err();
    assert_eq!(error, Failure::UnknownIssuer);
    assert!(error.to_string().contains("SSL_CERT_FILE"));
}
