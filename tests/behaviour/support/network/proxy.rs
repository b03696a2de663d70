//! Proxies, good and bad. They resolve names by themselves: to them, the vendors are reachable.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::Shared;
use super::server::{hang, page, read_request, reset, response};

pub const PASSWORD: &str = "right-password";
/// Right as well, and of a special form in a URL.
const ODD_PASSWORDS: &[&str] = &["right-p@ss", "right-p%ss", "right-p:ss", "right-p+ss", ""];

/// `targets`: the provider, and what an intercepting proxy puts in its place.
pub fn start(shared: &Shared, name: &str, address: SocketAddr, targets: [SocketAddr; 3]) {
    let listener = TcpListener::bind(address).unwrap();
    let (shared, name) = (shared.clone(), name.to_owned());
    let inner = name.starts_with("proxy.tls").then(|| {
        let [.., nth] = match address.ip() {
            IpAddr::V4(ip) => ip.octets(),
            IpAddr::V6(_) => unreachable!("the proxies with TLS have addresses of IPv4"),
        };
        let inner = SocketAddr::from(([127, 0, 2, nth], address.port()));
        start(&shared, "proxy.behind-tls", inner, targets);
        (inner, tls_config(&shared, &name, address))
    });
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            shared.accepted.lock().unwrap().push(name.clone());
            let (shared, name, inner) = (shared.clone(), name.clone(), inner.clone());
            thread::spawn(move || match inner {
                Some((inner, config)) => behind_tls(stream, inner, config),
                None => connection(stream, &shared, &name, targets),
            });
        }
    });
}

/// A proxy to which the connection itself is TLS.
fn tls_config(shared: &Shared, name: &str, address: SocketAddr) -> Arc<ServerConfig> {
    let authorities = &shared.authorities;
    let authority = if name == "proxy.tls-corp" { &authorities.corp } else { &authorities.public };
    let leaf = authority.leaf(&[&address.ip().to_string()]);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(config.with_single_cert(vec![leaf.certificate], leaf.key).unwrap())
}

fn behind_tls(stream: TcpStream, inner: SocketAddr, config: Arc<ServerConfig>) -> Option<()> {
    let wait = Duration::from_millis(5);
    let mut inner = TcpStream::connect(inner).ok()?;
    inner.set_read_timeout(Some(wait)).ok()?;
    stream.set_read_timeout(Some(wait)).ok()?;
    let mut tls = StreamOwned::new(ServerConnection::new(config).ok()?, stream);
    loop {
        copy_some(&mut tls, &mut inner)?;
        copy_some(&mut inner, &mut tls)?;
    }
}

/// What has arrived. `None`: an end.
fn copy_some(from: &mut impl Read, to: &mut impl Write) -> Option<()> {
    let mut buffer = [0; 16 * 1024];
    match from.read(&mut buffer) {
        Ok(0) => None,
        Ok(read) => to.write_all(&buffer[..read]).and_then(|()| to.flush()).ok(),
        Err(error) => {
            [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()).then_some(())
        }
    }
}

fn connection(
    mut stream: TcpStream,
    shared: &Shared,
    name: &str,
    [good, corp, block]: [SocketAddr; 3],
) -> Option<()> {
    let mode = name.trim_start_matches("proxy.");
    match mode {
        "reset" => {
            let _ = stream.read(&mut [0; 16]);
            reset(stream);
            return None;
        }
        "close" => return None,
        "hang" => {
            hang(stream);
            return None;
        }
        "socks" => return socks(stream, good),
        _ => {}
    }
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let request = read_request(&mut reader)?;
    shared.log.lock().unwrap().push(request.seen(name));
    let is_of = |password: &&str| {
        let pair = Base64::encode_string(format!("agent:{password}").as_bytes());
        request.headers.get("proxy-authorization") == Some(&format!("Basic {pair}"))
    };
    let is_known = [PASSWORD].iter().chain(ODD_PASSWORDS).any(is_of);
    let wants = "407 Proxy Authentication Required";
    let refusal = match mode {
        "auth" if !is_known => {
            Some(page(wants, "proxy-authenticate: Basic realm=\"corp\"\r\n", "Proxy login"))
        }
        "many" if !is_known => Some(page(
            wants,
            "proxy-authenticate: Negotiate\r\nproxy-authenticate: NTLM\r\nproxy-authenticate: Basic realm=\"corp\"\r\n",
            "Proxy login",
        )),
        "redirect" => {
            Some(response("302 Found", "location: http://portal.hotel.example/login\r\n", ""))
        }
        "ntlm" => Some(page(wants, "proxy-authenticate: NTLM\r\n", "Proxy login")),
        "deny" => Some(page(
            "403 Forbidden",
            "x-squid-error: ERR_ACCESS_DENIED 0\r\nserver: squid/5.7\r\n",
            "ERROR: The requested URL could not be retrieved",
        )),
        "502" => Some(response("502 Bad Gateway", "", "")),
        "digest" => Some(page(wants, "proxy-authenticate: Digest realm=\"corp\"\r\n", "Login")),
        "badgw" => Some(page("503 Service Unavailable", "server: squid/5.7\r\n", "ERROR")),
        "html200" => Some(page("200 OK", "", "Welcome")),
        _ => None,
    };
    if let Some(refusal) = refusal {
        stream.write_all(&refusal).ok()?;
        return None;
    }
    let target = match mode {
        "mitm" => corp,
        "mitmblock" => block,
        _ => good,
    };
    if request.method == "CONNECT" {
        // a server of the test's own is where its address says
        let target = request.target.parse::<SocketAddr>().unwrap_or(target);
        let onward = TcpStream::connect(target).ok()?;
        if mode == "slow" {
            thread::sleep(Duration::from_secs(3));
        }
        let established: &[u8] = match mode {
            "http10" => b"HTTP/1.0 200 Connection established\r\nproxy-agent: old/1\r\n\r\n",
            "length" => b"HTTP/1.1 200 OK\r\nvia: 1.1 corp\r\ncontent-length: 0\r\n\r\n",
            "no-reason" => b"HTTP/1.1 200\r\n\r\n",
            _ => b"HTTP/1.1 200 Connection established\r\n\r\n",
        };
        stream.write_all(established).ok()?;
        relay(stream, onward);
    } else {
        stream.write_all(&response("404 Not Found", "via: 1.1 corp-proxy\r\n", "")).ok()?;
    }
    None
}

fn socks(mut stream: TcpStream, target: SocketAddr) -> Option<()> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).ok()?;
    stream.read_exact(&mut vec![0; head[1].into()]).ok()?;
    stream.write_all(&[5, 0]).ok()?;
    let mut request = [0; 5];
    stream.read_exact(&mut request).ok()?;
    let rest = match request[3] {
        1 => 3,
        4 => 15,
        _ => usize::from(request[4]),
    };
    stream.read_exact(&mut vec![0; rest + 2]).ok()?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    relay(stream, TcpStream::connect(target).ok()?);
    None
}

fn relay(mut stream: TcpStream, mut onward: TcpStream) {
    let (Ok(mut from), Ok(mut to)) = (onward.try_clone(), stream.try_clone()) else { return };
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
    let _ = std::io::copy(&mut stream, &mut onward);
    let _ = onward.shutdown(std::net::Shutdown::Write);
}
