//! The stream of a chat: a WebSocket, on which only the server speaks. Only there the troubles of
//! the model show.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding as _};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use secrecy::SecretString;
use serde_json::Value;
use tungstenite::client::client_with_config;
use tungstenite::handshake::client::generate_key;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{HandshakeError, Message, WebSocket};
use ureq::http::Request;

use super::{Coder, SESSION};
use crate::http::Origin;
use crate::http::probe::{Timed, ask_for_tunnel};
use crate::secret::SessionToken;

/// A frame holds all messages of a chat at first, and one may be megabytes long. What is larger is
/// read by polling.
const LARGEST: usize = 32 * 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(10);
/// How long one look at the stream waits for a frame.
const LOOK: Duration = Duration::from_millis(500);

/// Plain or inside TLS.
enum StreamLine {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl StreamLine {
    /// Ends all that waits after this time.
    fn ends_in(&mut self, patience: Duration) {
        let socket = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_mut(),
        };
        socket.end = Instant::now() + patience;
    }
}

impl Read for StreamLine {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for StreamLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

pub struct ChatStream {
    socket: WebSocket<StreamLine>,
    /// Not printed where the server repeats it.
    token: SessionToken,
}

/// Why a stream gives no more events.
#[derive(Debug)]
pub enum StreamEnd {
    /// The server or the network ended it: another one may follow.
    Closed(String),
    /// It never began: a proxy, or a server that does not serve it.
    Refused(String),
}

impl Coder {
    /// Opens the stream at `path`.
    pub fn stream(&self, path: &str) -> Result<ChatStream, StreamEnd> {
        let closed = |error: io::Error| StreamEnd::Closed(error.to_string());
        let refused = |why: &str| StreamEnd::Refused(why.to_owned());
        let url = self.base.below(path).ok_or_else(|| refused("the path is not valid"))?;
        let origin = url.origin();
        let mut stream = self.dial(origin)?;
        stream.end = Instant::now() + self.left(CONNECT);
        let line = if origin.is_https() {
            let name = ServerName::try_from(origin.host().trim_matches(['[', ']']).to_owned());
            let name = name.map_err(|_| refused("the name of the host is not valid"))?;
            let tls = ClientConnection::new(self.http.tls(), name)
                .map_err(|error| refused(&error.to_string()))?;
            StreamLine::Tls(Box::new(StreamOwned::new(tls, stream)))
        } else {
            StreamLine::Plain(stream)
        };
        let scheme = if origin.is_https() { "wss" } else { "ws" };
        let authority = url.uri().authority().map_or("", |authority| authority.as_str());
        let path = url.uri().path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(format!("{scheme}://{authority}{path}"))
            .header("host", authority)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", generate_key())
            .header(SESSION, self.token.header())
            .body(())
            .map_err(|_| refused("the request cannot be made"))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        let (mut socket, response) =
            client_with_config(request, line, Some(config)).map_err(|error| match error {
                // one that restarts, or limits the rate, has a stream later
                HandshakeError::Failure(tungstenite::Error::Http(response)) => {
                    let status = response.status().as_u16();
                    let why = format!("status {status}");
                    match status {
                        429 | 500.. => StreamEnd::Closed(why),
                        _ => StreamEnd::Refused(why),
                    }
                }
                HandshakeError::Failure(tungstenite::Error::Io(error)) => closed(error),
                HandshakeError::Failure(error) => StreamEnd::Refused(error.to_string()),
                HandshakeError::Interrupted(_) => {
                    StreamEnd::Closed("no answer to the upgrade".to_owned())
                }
            })?;
        tracing::debug!(status = response.status().as_u16(), "WebSocket {path}");
        socket.get_mut().ends_in(LOOK);
        Ok(ChatStream { socket, token: self.token.clone() })
    }

    /// A connection to the host, or through the proxy of the environment.
    fn dial(&self, origin: &Origin) -> Result<Timed, StreamEnd> {
        let closed = |error: io::Error| StreamEnd::Closed(error.to_string());
        let host = origin.host().trim_matches(['[', ']']);
        let Some(proxy) = self.http.proxy(origin) else {
            return self.connect(host, origin.port()).map_err(closed);
        };
        if !matches!(proxy.protocol(), ureq::ProxyProtocol::Http) {
            return Err(StreamEnd::Refused("a proxy of this kind carries no WebSocket".to_owned()));
        }
        let mut stream = self.connect(proxy.host(), proxy.port()).map_err(closed)?;
        let login = proxy.username().map(|user| {
            let login = format!("{user}:{}", proxy.password().unwrap_or_default());
            SecretString::from(format!("Basic {}", Base64::encode_string(login.as_bytes())))
        });
        let answer = ask_for_tunnel(&mut stream, login.as_ref(), origin.host(), origin.port());
        match answer.map_err(closed)? {
            Some(head) if (200..300).contains(&head.status) => Ok(stream),
            Some(head) if head.status >= 500 => {
                Err(StreamEnd::Closed(format!("the proxy answers with status {}", head.status)))
            }
            Some(head) => {
                Err(StreamEnd::Refused(format!("the proxy answers with status {}", head.status)))
            }
            None => Err(StreamEnd::Closed("the proxy ended the connection".to_owned())),
        }
    }

    fn connect(&self, host: &str, port: u16) -> io::Result<Timed> {
        let end = Instant::now() + self.left(CONNECT);
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in (host, port).to_socket_addrs()? {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match TcpStream::connect_timeout(&address, left) {
                Ok(socket) => return Ok(Timed { socket, end }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl ChatStream {
    /// The events of the next frame; none if nothing came for a moment. Some versions send a bare
    /// list, an older one an envelope around it.
    pub fn next(&mut self) -> Result<Vec<Value>, StreamEnd> {
        self.socket.get_mut().ends_in(LOOK);
        let text = match self.socket.read() {
            Ok(Message::Text(text)) => text,
            Ok(Message::Close(frame)) => {
                let why = frame.map_or_else(String::new, |frame| frame.reason.to_string());
                return Err(StreamEnd::Closed(self.token.hidden_in(&why).into_owned()));
            }
            // tungstenite answers a ping by itself
            Ok(_) => return Ok(Vec::new()),
            Err(tungstenite::Error::Io(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::Interrupted
                ) =>
            {
                return Ok(Vec::new());
            }
            Err(tungstenite::Error::Capacity(error)) => {
                return Err(StreamEnd::Refused(error.to_string()));
            }
            Err(error) => return Err(StreamEnd::Closed(error.to_string())),
        };
        Ok(events_of(self.token.read_json(text.as_bytes())))
    }
}

/// The events of a frame. Pure.
pub(super) fn events_of(frame: serde_json::Result<Value>) -> Vec<Value> {
    match frame {
        Ok(Value::Array(events)) => events,
        Ok(Value::Object(mut envelope)) => match envelope.remove("data") {
            Some(Value::Array(events)) => events,
            Some(event @ Value::Object(_)) => vec![event],
            _ => vec![Value::Object(envelope)],
        },
        _ => Vec::new(),
    }
}
