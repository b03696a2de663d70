//! What answers on port 443: the provider, or something else in its place.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::provider;
use super::{Network, Seen, Shared};

macro_rules! modes {
    ($($mode:ident $name:literal)*) => {
        /// What answers at a vendor's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mode { $($mode,)* }

        impl Mode {
            fn of(name: &str) -> Self {
                match name {
                    $($name => Self::$mode,)*
                    _ => panic!("no server is called {name}"),
                }
            }
        }
    };
}

modes! {
    Good "good"
    Corp "corp"
    CorpBlock "corp-block"
    CorpExpired "corp-expired"
    CorpChain "corp-chain"
    CorpNoChain "corp-no-chain"
    CorpSubject "corp-subject"
    CorpClient "corp-client"
    Wildcard "wildcard"
    NoCa "no-ca"
    ExplicitNoCa "explicit-no-ca"
    Http "http-good"
    Http8080 "http-8080"
    ExpiredCa "expired-ca"
    Expired "expired"
    ExpiredDated "expired-dated"
    NotYetDated "not-yet-dated"
    NotYet "not-yet"
    WrongName "wrong-name"
    SelfSigned "self-signed"
    SelfSignedCa "self-signed-ca"
    Stranger "stranger"
    WsBlocked "ws-blocked"
    WsPage "ws-page"
    WsReset "ws-reset"
    WsHangs "ws-hangs"
    Captive200 "captive-200"
    Captive302 "captive-302"
    Captive511 "captive-511"
    Block403 "block-403"
    Challenge "challenge"
    Region "region"
    Rate "rate"
    Busy503 "busy-503"
    Busy503Page "busy-503-page"
    Other404 "other-404"
    Text403 "text-403"
    Json403 "json-403"
    Empty403 "empty-403"
    Page451 "page-451"
    Text200 "text-200"
    DenyReason "deny-reason"
    Captive307 "captive-307"
    Page407 "page-407"
    Slow "slow"
    Slower "slower"
    Tls12 "tls12"
    Reset "reset"
    Hang "hang"
    Close "close"
    PlainHttp "plain-http"
    Gateway "gateway"
    PageGateway "page-gateway"
    ExpiredIntermediate "expired-intermediate"
    Renewed "renewed"
    ClientCert "client-cert"
    OldTls "old-tls"
    NoCipher "no-cipher"
    Chunked403 "chunked-403"
    Http10 "http10"
    Negotiate401 "negotiate-401"
    EarlyHints "early-hints"
}

const OLD: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

pub fn start(shared: &Shared, name: &str, address: SocketAddr) {
    static NEVER: AtomicBool = AtomicBool::new(false);
    start_until(shared, name, address, &NEVER);
}

/// The same, until the next connection after `is_stopped`.
pub fn start_until(
    shared: &Shared,
    name: &str,
    address: SocketAddr,
    is_stopped: &'static AtomicBool,
) {
    let listener = TcpListener::bind(address).unwrap();
    let mode = Mode::of(name);
    let (shared, name) = (shared.clone(), name.to_owned());
    let leaf = Network::leaf(&shared.authorities, mode);
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(if mode == Mode::Tls12 { OLD } else { rustls::ALL_VERSIONS })
            .unwrap();
    let config = match mode {
        Mode::ClientCert => config.with_client_cert_verifier(of_corp(&shared)),
        _ => config.with_no_client_auth(),
    };
    let chain = [vec![leaf.certificate], leaf.others].concat();
    let config = Arc::new(config.with_single_cert(chain, leaf.key).unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if is_stopped.load(Ordering::SeqCst) {
                return;
            }
            shared.accepted.lock().unwrap().push(name.clone());
            let (shared, name, config) = (shared.clone(), name.clone(), Arc::clone(&config));
            thread::spawn(move || connection(stream, mode, &shared, &name, config));
        }
    });
}

/// Asks each client for a certificate of the company's.
fn of_corp(shared: &Shared) -> Arc<dyn ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(shared.authorities.corp.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap()
}

/// Ends a connection as a firewall does.
pub fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// Until the other side goes away.
pub fn hang(mut stream: impl Read) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
}

fn connection(
    mut stream: TcpStream,
    mode: Mode,
    shared: &Shared,
    name: &str,
    config: Arc<ServerConfig>,
) {
    match mode {
        Mode::Hang => hang(stream),
        Mode::Close => drop(stream),
        Mode::Reset => {
            let _ = stream.read(&mut [0; 16]);
            reset(stream);
        }
        Mode::PlainHttp => {
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
        // a fatal alert (RFC 8446, 6.2): protocol_version, handshake_failure
        Mode::OldTls | Mode::NoCipher => {
            let _ = stream.read(&mut [0; 4096]);
            let alert = if mode == Mode::OldTls { 70 } else { 40 };
            let _ = stream.write_all(&[21, 3, 1, 0, 2, 2, alert]);
        }
        Mode::Http | Mode::Http8080 => {
            let mut stream = BufReader::new(stream);
            while let Some(request) = read_request(&mut stream) {
                shared.log.lock().unwrap().push(request.seen(name));
                if stream.get_mut().write_all(&answer(mode, &request)).is_err() {
                    return;
                }
            }
        }
        _ => {
            let raw = stream.try_clone().unwrap();
            let tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
            let mut tls = BufReader::new(tls);
            while let Some(request) = read_request(&mut tls) {
                shared.log.lock().unwrap().push(request.seen(name));
                let is_upgrade = request.headers.contains_key("upgrade");
                let is_last = mode == Mode::Http10;
                match mode {
                    Mode::WsHangs if is_upgrade => return hang(tls),
                    Mode::WsReset if is_upgrade => return reset(raw),
                    // as long as a server computes, and as long as the doctor does not wait
                    Mode::Slow => thread::sleep(Duration::from_millis(3500)),
                    Mode::Slower => thread::sleep(Duration::from_secs(7)),
                    _ => {}
                }
                if tls.get_mut().write_all(&answer(mode, &request)).is_err() {
                    return;
                }
                let _ = tls.get_mut().flush();
                let closes =
                    request.headers.get("connection").is_some_and(|it| it.contains("close"));
                if is_last || closes && mode != Mode::Chunked403 {
                    tls.get_mut().conn.send_close_notify();
                    let _ = tls.get_mut().flush();
                    return;
                }
            }
        }
    }
}

pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn seen(&self, at: &str) -> Seen {
        let Self { method, target, headers, .. } = self;
        Seen {
            at: at.to_owned(),
            method: method.clone(),
            target: target.clone(),
            headers: headers.clone(),
        }
    }
}

pub fn read_request(stream: &mut BufReader<impl Read>) -> Option<Request> {
    let mut line = || {
        let mut text = Vec::new();
        stream.read_until(b'\n', &mut text).ok().filter(|read| *read > 0)?;
        Some(String::from_utf8_lossy(&text).trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    while let Some(text) = line().filter(|text| !text.is_empty()) {
        let (name, value) = text.split_once(':')?;
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|it| it == "chunked") {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            body.extend(&chunk[..size]);
        }
    } else if let Some(length) = headers.get("content-length") {
        body = vec![0; length.parse().ok()?];
        stream.read_exact(&mut body).ok()?;
    }
    Some(Request { method, target, headers, body })
}

/// A whole response.
pub fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

pub fn page(status: &str, headers: &str, title: &str) -> Vec<u8> {
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>{title}</body></html>\n"
    );
    response(status, &format!("content-type: text/html; charset=utf-8\r\n{headers}"), &body)
}

fn json(status: &str, body: &str) -> Vec<u8> {
    response(
        status,
        "content-type: application/json\r\nserver: cloudflare\r\ncf-ray: 8f00-FRA\r\n",
        body,
    )
}

fn answer(mode: Mode, request: &Request) -> Vec<u8> {
    let is_upgrade = request.headers.contains_key("upgrade");
    match mode {
        Mode::CorpBlock => {
            page("403 Forbidden", "server: Zscaler/6.2\r\n", "Blocked by Acme policy")
        }
        Mode::Block403 => {
            page("403 Forbidden", "x-squid-error: ERR_ACCESS_DENIED 0\r\n", "Access denied")
        }
        Mode::Captive200 => page("200 OK", "", "Hotel Wi-Fi: sign on"),
        Mode::Captive302 => {
            response("302 Found", "location: http://portal.hotel.example/login\r\n", "")
        }
        Mode::Captive307 => response(
            "307 Temporary Redirect",
            "location: https://sso.corp.test/login?to=api\r\n",
            "",
        ),
        Mode::Page407 => page(
            "407 Proxy Authentication Required",
            "proxy-authenticate: Basic realm=\"corp\"\r\n",
            "Proxy login",
        ),
        Mode::Page451 => page("451 Unavailable For Legal Reasons", "", "Not in this country"),
        // as a service mesh refuses
        Mode::Text403 => response(
            "403 Forbidden",
            "content-type: text/plain\r\nserver: envoy\r\n",
            "RBAC: access denied",
        ),
        Mode::DenyReason => response(
            "403 Forbidden",
            "content-type: text/plain\r\nx-deny-reason: host_not_allowed\r\n",
            "Host not in allowlist",
        ),
        Mode::Empty403 => response("403 Forbidden", "", ""),
        Mode::Json403 => json("403 Forbidden", r#"{"error":{"type":"permission_error"}}"#),
        Mode::Text200 => response("200 OK", "content-type: text/plain\r\n", "OK"),
        Mode::Busy503Page => page("503 Service Unavailable", "server: squid/5.7\r\n", "ERROR"),
        Mode::Captive511 => page("511 Network Authentication Required", "", "Sign on"),
        Mode::Challenge => page(
            "403 Forbidden",
            "server: cloudflare\r\ncf-ray: 8f00-FRA\r\ncf-mitigated: challenge\r\n",
            "Just a moment...",
        ),
        Mode::Region if request.headers.get("host").is_some_and(|it| it.contains("anthropic")) => {
            json(
                "403 Forbidden",
                r#"{"error":{"type":"forbidden","message":"Request not allowed"}}"#,
            )
        }
        Mode::Region => json(
            "403 Forbidden",
            r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported"}}"#,
        ),
        Mode::Rate => json("429 Too Many Requests", r#"{"error":{"message":"slow down"}}"#),
        Mode::Busy503 => json("503 Service Unavailable", r#"{"error":{"message":"busy"}}"#),
        Mode::Other404 => json("404 Not Found", r#"{"message":"no route matched"}"#),
        Mode::WsBlocked if is_upgrade => response("403 Forbidden", "", ""),
        Mode::WsPage if is_upgrade => page("403 Forbidden", "server: Zscaler/6.2\r\n", "Blocked"),
        Mode::Gateway => response(
            "404 Not Found",
            "content-type: application/json\r\n",
            "{\"detail\":\"Not Found\"}",
        ),
        // as a gateway shows its own page to a browser, and speaks to programs below it
        Mode::PageGateway if request.target == "/" => page("200 OK", "", "LiteLLM API"),
        Mode::Chunked403 => {
            let page = "<html><head><title>Blocked by Acme</title></head></html>";
            let (head, length) =
                ("content-type: text/html\r\ntransfer-encoding: chunked", page.len());
            format!("HTTP/1.1 403 Forbidden\r\n{head}\r\n\r\n{length:x}\r\n{page}\r\n0\r\n\r\n")
                .into_bytes()
        }
        Mode::Http10 => {
            let whole = String::from_utf8(provider::answer(request)).unwrap();
            whole.replacen("HTTP/1.1", "HTTP/1.0", 1).into_bytes()
        }
        Mode::Negotiate401 => response("401 Unauthorized", "www-authenticate: Negotiate\r\n", ""),
        Mode::EarlyHints => {
            let hints = "HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n";
            [hints.as_bytes(), &provider::answer(request)].concat()
        }
        Mode::ExpiredDated => {
            response("405 Method Not Allowed", "date: Mon, 01 Jun 2020 10:00:00 GMT\r\n", "")
        }
        Mode::NotYetDated => {
            response("405 Method Not Allowed", "date: Thu, 01 Jun 2090 10:00:00 GMT\r\n", "")
        }
        _ => provider::answer(request),
    }
}
