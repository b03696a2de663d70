//! A server on loopback that answers with a closure; a WebSocket and a stream of events as well.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

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

pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || serve(stream, &*answer));
        }
    });
    address
}

fn serve(stream: TcpStream, answer: &dyn Fn(&Request) -> Reply) -> Option<()> {
    let mut stream = BufReader::new(stream);
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
    let reply = answer(&request);
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
        Reply::Cut => Some(()),
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
            wait_for_end(&mut stream)
        }
        Reply::Frames(frames) => {
            let key = request.headers.get("sec-websocket-key")?;
            let head = format!(
                "HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {}\r\n\r\n",
                derive_accept_key(key.as_bytes())
            );
            stream.write_all(head.as_bytes()).ok()?;
            let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
            for frame in frames {
                socket.send(frame.into()).ok()?;
            }
            wait_for_end(socket.get_mut())
        }
    }
}

/// Until the client leaves.
fn wait_for_end(stream: &mut TcpStream) -> Option<()> {
    stream.set_read_timeout(Some(OPEN)).ok()?;
    while stream.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
    Some(())
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
