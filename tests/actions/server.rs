//! Servers on loopback: one that answers with a closure and records its requests, with or without
//! TLS, and a proxy.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub delay: Duration,
    /// Before each byte of the body.
    pub drip: Duration,
    /// Hang up in the middle of the body.
    pub cut: bool,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let (delay, drip) = (Duration::ZERO, Duration::ZERO);
        Self { status, headers: Vec::new(), body: body.into(), delay, drip, cut: false }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

pub struct Server {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), None, answer)
    }

    pub fn start_at(
        address: SocketAddr,
        tls: Option<&Certificates>,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        let config = tls.map(|tls| Arc::clone(&tls.config));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer, config) =
                    (Arc::clone(&seen), Arc::clone(&answer), config.clone());
                std::thread::spawn(move || match config {
                    None => serve(stream, &seen, &*answer),
                    Some(config) => {
                        let connection = rustls::ServerConnection::new(config).unwrap();
                        serve(rustls::StreamOwned::new(connection, stream), &seen, &*answer)
                    }
                });
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    stream: impl Read + Write,
    seen: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request) -> Reply,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut lines = stream.by_ref().lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        })
        .collect();
    let request = Request { method, target, headers };
    seen.lock().unwrap().push(request.clone());
    let reply = answer(&request);
    std::thread::sleep(reply.delay);
    let mut head = format!(
        "HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n",
        reply.status,
        reply.body.len()
    );
    for (name, value) in &reply.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    let stream = stream.get_mut();
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    let end = if reply.cut { reply.body.len() / 2 } else { reply.body.len() };
    if reply.drip.is_zero() {
        stream.write_all(&reply.body[..end]).ok()?;
    } else {
        for byte in &reply.body[..end] {
            stream.flush().ok()?;
            std::thread::sleep(reply.drip);
            stream.write_all(&[*byte]).ok()?;
        }
    }
    stream.flush().ok()
}

/// An authority of our own, and a server's certificate that it issued.
pub struct Certificates {
    /// What `SSL_CERT_FILE` and its kin must name.
    pub authority: PathBuf,
    config: Arc<rustls::ServerConfig>,
}

impl Certificates {
    /// Made by openssl in `folder`, for these names.
    pub fn make(folder: &Path, names: &[&str]) -> Self {
        let openssl = |arguments: &str| {
            let done = Command::new("openssl")
                .args(arguments.split(' '))
                .current_dir(folder)
                .output()
                .unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
        openssl(&format!("{new} -subj /CN=authority -keyout ca.key -out ca.pem"));
        let names: Vec<_> = names.iter().map(|name| format!("DNS:{name}")).collect();
        openssl(&format!(
            "{new} -subj /CN=server -keyout server.key -out server.pem -CA ca.pem -CAkey ca.key -addext \
             basicConstraints=CA:FALSE -addext subjectAltName={}",
            names.join(",")
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
        Self { authority: folder.join("ca.pem"), config: Arc::new(config) }
    }
}

/// A proxy that connects (200), or refuses with any other status.
pub struct Proxy {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || pass_through(stream, status, &seen));
            }
        });
        Self { address, heads }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its requests, each with its headers.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn pass_through(mut stream: TcpStream, status: u16, seen: &Mutex<Vec<String>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1)?.to_owned();
    seen.lock().unwrap().push(head);
    stream.write_all(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes()).ok()?;
    if status == 200 {
        let mut onward = TcpStream::connect(target).ok()?;
        let mut back = (onward.try_clone().ok()?, stream.try_clone().ok()?);
        std::thread::spawn(move || std::io::copy(&mut back.0, &mut back.1));
        std::io::copy(&mut stream, &mut onward).ok()?;
    }
    Some(())
}
