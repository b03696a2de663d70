//! A server on loopback that answers with a closure; a WebSocket and a stream of events as well.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use serde_json::Value;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocket};

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With its query, decoded.
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Option<Value>,
}

#[derive(Clone, Debug)]
pub enum Reply {
    Json(u16, Value),
    Empty(u16),
    Raw {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Nothing, or half of an answer.
    Cut,
    /// Text frames of a WebSocket, then it stays open.
    Frames(Vec<String>),
    /// Text frames of a WebSocket, then the connection ends.
    FramesAndEnd(Vec<String>),
    /// The head of a frame of a WebSocket, and a byte of it now and then.
    Drip,
    /// After a while.
    Slow(Duration, Box<Reply>),
    /// Server-sent events, then it stays open.
    Events(Vec<String>),
    /// Never.
    Hang,
}

impl Reply {
    pub fn html(status: u16, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())];
        Self::Raw { status, headers, body: body.as_bytes().to_vec() }
    }
}

/// How long a stream stays open.
const OPEN: Duration = Duration::from_secs(120);

type Answer = dyn Fn(&Request) -> Reply + Send + Sync;

pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> SocketAddr {
    start_with(None, Arc::new(answer))
}

/// The same within TLS.
pub fn start_tls(
    config: ServerConfig,
    answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> SocketAddr {
    start_with(Some(Arc::new(config)), Arc::new(answer))
}

fn start_with(tls: Option<Arc<ServerConfig>>, answer: Arc<Answer>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, tls) = (Arc::clone(&answer), tls.clone());
            stream.set_read_timeout(Some(OPEN)).unwrap();
            std::thread::spawn(move || match tls {
                None => serve(stream, &*answer),
                Some(config) => {
                    let connection = ServerConnection::new(config).unwrap();
                    serve(StreamOwned::new(connection, stream), &*answer)
                }
            });
        }
    });
    address
}

fn serve<S: Read + Write>(stream: S, answer: &Answer) -> Option<()> {
    let mut stream = BufReader::new(stream);
    if stream.fill_buf().ok()?.first() == Some(&0x16) {
        // TLS to a server that has none
        let mut plain = stream.into_inner();
        return plain.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").ok();
    }
    let mut first = String::new();
    stream.read_line(&mut first).ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length: usize = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let body = (length > 0).then(|| serde_json::from_slice(&body).unwrap());
    let request = Request { method, path: decoded(&target), headers, body };
    let mut reply = answer(&request);
    while let Reply::Slow(pause, then) = reply {
        std::thread::sleep(pause);
        reply = *then;
    }
    let mut stream = stream.into_inner();
    let mut send = |status: u16, headers: &[(String, String)], body: &[u8]| {
        let mut head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
        stream.write_all(body).ok()?;
        stream.flush().ok()
    };
    let json = [("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
    match reply {
        Reply::Json(status, value) => send(status, &json, value.to_string().as_bytes()),
        Reply::Empty(status) => send(status, &[], b""),
        Reply::Raw { status, headers, body } => send(status, &headers, &body),
        Reply::Cut | Reply::Slow(..) => Some(()),
        Reply::Hang => {
            std::thread::sleep(OPEN);
            Some(())
        }
        Reply::Events(events) => {
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).ok()?;
            for event in events {
                stream.write_all(format!("event: data\ndata: {event}\n\n").as_bytes()).ok()?;
            }
            stream.flush().ok()?;
            wait_for_end(&mut stream);
            Some(())
        }
        Reply::Drip => {
            stream.write_all(upgrade(&request)?.as_bytes()).ok()?;
            stream.write_all(&[0x81, 127, 0, 0, 0, 0, 0, 16, 0, 0]).ok()?;
            loop {
                stream.write_all(b"x").ok()?;
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Reply::Frames(ref frames) | Reply::FramesAndEnd(ref frames) => {
            stream.write_all(upgrade(&request)?.as_bytes()).ok()?;
            let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
            for frame in frames {
                socket.send(frame.clone().into()).ok()?;
            }
            if matches!(reply, Reply::FramesAndEnd(_)) {
                return Some(());
            }
            wait_for_end(socket.get_mut());
            Some(())
        }
    }
}

/// The answer that begins a WebSocket.
fn upgrade(request: &Request) -> Option<String> {
    let key = request.headers.get("sec-websocket-key")?;
    Some(format!(
        "HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    ))
}

/// Until the client leaves.
fn wait_for_end(stream: &mut impl Read) {
    while stream.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
}

fn decoded(target: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = target.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        if byte == b'%' {
            let digits = [*rest.next().unwrap(), *rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
