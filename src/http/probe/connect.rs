//! The way to the server: addresses, a proxy, TLS. Each step has the same end.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConnection, Error, PeerIncompatible, StreamOwned};
use secrecy::{ExposeSecret as _, SecretString};

use super::head::{self, ProbeHead};
use super::resolver;
use super::tls::{self, Hello, Recorder};
use super::{
    AddressOrder, Distrust, LookUp, Presented, ProbeOutcome, ProxyServer, Question, Trust,
};

/// A resolver that is in order has answered by then.
const SOON: Duration = Duration::from_millis(1500);
/// A handshake that is not done by then may never be.
const LATE: Duration = Duration::from_secs(2);
/// Between two addresses of a name (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);
/// How long a proxy may keep silent when TLS is begun with it, before it is asked without.
const TLS_WITH_PROXY: Duration = Duration::from_millis(1500);

/// Why nobody was connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotConnected {
    /// The one that was wanted: the server, or the proxy.
    pub host: String,
    pub port: u16,
    pub is_proxy: bool,
    pub why: ConnectFault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectFault {
    /// The name does not resolve.
    Unresolved,
    /// The resolver did not answer in time.
    Unanswered,
    /// The resolver has an IPv4 address, and does not answer the question for another one.
    HalfAnswered,
    Refused,
    /// Packets are dropped.
    TimedOut,
    Other(String),
}

/// A stream to the server.
pub type Connected = Box<dyn ByteStream>;

pub trait ByteStream: Read + Write + Send {}
impl<T: Read + Write + Send> ByteStream for T {}

/// A socket that waits no longer than the end, however often a byte comes.
pub struct Timed {
    pub socket: TcpStream,
    pub end: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Keeps the first bytes that came, of a server that does not answer in TLS.
struct Noting<S> {
    stream: S,
    first: Arc<Mutex<Vec<u8>>>,
}

impl<S: Read> Read for Noting<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.len() < 512 {
            first.extend_from_slice(buffer.get(..read).unwrap_or_default());
        }
        Ok(read)
    }
}

impl<S: Write> Write for Noting<S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The header by which a proxy knows its user.
#[expect(clippy::disallowed_methods, reason = "the proxy alone receives it")]
pub fn proxy_header(authorization: Option<&SecretString>) -> String {
    authorization.map_or_else(String::new, |value| {
        format!("Proxy-Authorization: {}\r\n", value.expose_secret())
    })
}

/// The certificate that was shown in the name of the server, and why it is refused.
#[derive(Default)]
pub struct SeenCertificate {
    pub presented: Option<Presented>,
    pub distrust: Option<Distrust>,
}

/// A connection on which the server is spoken to. One whose certificate is refused only because of
/// the time is connected to as well: nothing secret is sent to it.
pub fn connect(question: &Question, seen: &mut SeenCertificate) -> Result<Connected, ProbeOutcome> {
    let Question { target, proxy, trust, look_up, order, end, .. } = *question;
    let wanted = |host, port, is_proxy| ConnectTarget { host, port, is_proxy, look_up, order, end };
    let way = || -> Result<Connected, ProbeOutcome> {
        let Some(proxy) = proxy else {
            return Ok(Box::new(open(wanted(&target.host, target.port, false))?));
        };
        let stream = to_proxy(proxy, trust, wanted(&proxy.host, proxy.port, true))?;
        if target.tls { tunnel(stream, proxy, &target.host, target.port) } else { Ok(stream) }
    };
    if !target.tls {
        return way();
    }
    let shake = |stream, hello| handshake(stream, Recorder::new(trust, &target.host, true, hello));
    let large = way()?;
    let recorder = Recorder::new(trust, &target.host, true, Hello::Large);
    let (sender, receiver) = channel();
    let in_thread = move || drop(sender.send(handshake(large, recorder)));
    let mut shaken = match thread::Builder::new().spawn(in_thread) {
        Ok(_) => {
            receiver.recv_timeout(LATE.min(end.saturating_duration_since(Instant::now()))).ok()
        }
        Err(_) => Some(shake(way()?, Hello::Large)),
    };
    if shaken.as_ref().is_none_or(Shaken::is_cut) {
        // with a small message, to see whether the size is the cause
        let small = way().map(|stream| shake(stream, Hello::Small));
        let left = end.saturating_duration_since(Instant::now());
        // what makes a certificate for each host is slow at the first message alone
        shaken = shaken.or_else(|| receiver.recv_timeout(left).ok());
        let is_lost = shaken.as_ref().is_none_or(|large| large.is_cut() || large.is_silent());
        if let Ok(small) = small
            && small.is_answered()
            && is_lost
        {
            *seen = small.seen;
            let is_cut = shaken.is_some_and(|large| large.is_cut());
            return Err(ProbeOutcome::LargeHelloLost { is_cut });
        }
    }
    let Some(shaken) = shaken else { return Err(ProbeOutcome::Silent { at_proxy: false }) };
    *seen = shaken.seen;
    shaken.result.map_err(|failure| match failure {
        Handshake::Distrusted(distrust) => ProbeOutcome::Distrusted { distrust, date: None },
        Handshake::NotTls(first) if proxy.is_some() => ProbeOutcome::NoTunnel(first),
        Handshake::NotTls(first) => ProbeOutcome::NotTls(first),
        Handshake::Tls(error) => of_tls(&error),
        Handshake::Io(error) => broken(&error, false),
    })
}

/// What an error of a connection that was made means.
pub fn broken(error: &io::Error, at_proxy: bool) -> ProbeOutcome {
    if let Some(error) = tls_error(error) {
        return of_tls(error);
    }
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ProbeOutcome::Silent { at_proxy },
        _ => ProbeOutcome::Cut { by_proxy: at_proxy },
    }
}

fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn of_tls(error: &Error) -> ProbeOutcome {
    match error {
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => ProbeOutcome::OldTls,
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            ProbeOutcome::WantsCertificate
        }
        error => ProbeOutcome::Tls(error.to_string()),
    }
}

fn to_proxy(
    proxy: &ProxyServer,
    trust: &Trust,
    wanted: ConnectTarget<'_>,
) -> Result<Connected, ProbeOutcome> {
    if !proxy.tls {
        return Ok(Box::new(open(wanted)?));
    }
    let soon = wanted.end.min(Instant::now() + TLS_WITH_PROXY);
    let stream = open(ConnectTarget { end: soon, ..wanted })?;
    let handshake =
        handshake(Box::new(stream), Recorder::new(trust, &proxy.host, false, Hello::Small));
    match handshake.result {
        Ok(stream) => Ok(stream),
        Err(Handshake::NotTls(_)) => Err(ProbeOutcome::PlainProxy),
        Err(Handshake::Distrusted(distrust)) => Err(ProbeOutcome::ProxyDistrusted(distrust)),
        Err(Handshake::Tls(error)) => Err(of_tls(&error)),
        Err(Handshake::Io(error)) => {
            // one without TLS may wait for the end of a request: does it answer to a plain one?
            let mut plain = open(wanted)?;
            let request = "OPTIONS * HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n";
            plain.write_all(request.as_bytes()).map_err(|error| broken(&error, true))?;
            let is_plain = head::read_exactly(&mut plain).ok().flatten();
            Err(is_plain.map_or_else(|| broken(&error, true), |_| ProbeOutcome::PlainProxy))
        }
    }
}

/// Asks a proxy to connect to the server; not a byte behind its answer is read. `None`: the proxy
/// ended the connection.
pub fn ask_for_tunnel(
    stream: &mut (impl Read + Write),
    authorization: Option<&SecretString>,
    host: &str,
    port: u16,
) -> io::Result<Option<ProbeHead>> {
    let request = format!(
        "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{}\r\n",
        proxy_header(authorization)
    );
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    head::read_exactly(stream)
}

/// Has the proxy connect to the server.
fn tunnel(
    mut stream: Connected,
    proxy: &ProxyServer,
    host: &str,
    port: u16,
) -> Result<Connected, ProbeOutcome> {
    let authorization = proxy.authorization.as_ref();
    let answer = ask_for_tunnel(&mut stream, authorization, host, port);
    match answer.map_err(|error| broken(&error, true))? {
        None => Err(ProbeOutcome::Cut { by_proxy: true }),
        Some(head) if (200..300).contains(&head.status) => Ok(stream),
        Some(mut head) => {
            if head.status > 0 {
                head::read_body(&mut stream, &mut head);
            }
            Err(ProbeOutcome::Refused(head))
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

/// A TLS connection, or why there is none, and the certificate in either case.
struct Shaken {
    result: Result<Connected, Handshake>,
    seen: SeenCertificate,
}

impl Shaken {
    /// The connection was ended before the server said anything.
    fn is_cut(&self) -> bool {
        matches!(&self.result, Err(Handshake::Io(error)) if !is_late(error))
    }

    /// Nothing came in time.
    fn is_silent(&self) -> bool {
        matches!(&self.result, Err(Handshake::Io(error)) if is_late(error))
    }

    /// The server answered in TLS.
    fn is_answered(&self) -> bool {
        matches!(self.result, Ok(_) | Err(Handshake::Distrusted(_) | Handshake::Tls(_)))
    }
}

enum Handshake {
    Distrusted(super::Distrust),
    NotTls(String),
    Tls(Error),
    Io(io::Error),
}

#[expect(clippy::needless_pass_by_value, reason = "each handshake has a recorder of its own")]
fn handshake(stream: Connected, recorder: Arc<Recorder>) -> Shaken {
    let result = shake(stream, &recorder);
    let (presented, distrust) = recorder.seen().unzip();
    let distrust = distrust.flatten();
    let result = match (result, distrust.clone()) {
        (Err(_), Some(distrust)) => Err(Handshake::Distrusted(distrust)),
        (result, _) => result,
    };
    Shaken { result, seen: SeenCertificate { presented, distrust } }
}

fn shake(stream: Connected, recorder: &Arc<Recorder>) -> Result<Connected, Handshake> {
    let name = ServerName::try_from(recorder.host().trim_matches(['[', ']']).to_owned())
        .map_err(|error| Handshake::Tls(Error::General(error.to_string())))?;
    let config = tls::config(recorder).map_err(Handshake::Tls)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(Handshake::Tls)?;
    let first = Arc::<Mutex<Vec<u8>>>::default();
    let noting = Noting { stream, first: Arc::clone(&first) };
    let mut tls = StreamOwned::new(connection, noting);
    while tls.conn.is_handshaking() {
        if let Err(error) = tls.conn.complete_io(&mut tls.sock) {
            return Err(match tls_error(&error) {
                Some(Error::InvalidMessage(_)) => {
                    let first = first.lock().unwrap_or_else(PoisonError::into_inner);
                    Handshake::NotTls(String::from_utf8_lossy(&first).into_owned())
                }
                Some(error) => Handshake::Tls(error.clone()),
                None => Handshake::Io(error),
            });
        }
    }
    Ok(Box::new(tls))
}

/// Whom to connect to.
#[derive(Clone, Copy)]
struct ConnectTarget<'a> {
    host: &'a str,
    port: u16,
    is_proxy: bool,
    look_up: LookUp,
    order: AddressOrder,
    end: Instant,
}

/// Connects to one of the addresses of a name.
fn open(wanted: ConnectTarget<'_>) -> Result<Timed, ProbeOutcome> {
    let ConnectTarget { host, port, is_proxy, look_up, order, end } = wanted;
    let failed = |why| {
        ProbeOutcome::Unconnected(NotConnected { host: host.to_owned(), port, is_proxy, why })
    };
    let addresses = resolve(host, look_up, end).map_err(failed)?;
    let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
    let socket = race(&in_order(addresses, order), end).map_err(failed)?;
    // small requests, each waited for
    let _ = socket.set_nodelay(true);
    Ok(Timed { socket, end })
}

/// The addresses of a name. The C library waits longer than we do, so another thread asks it.
fn resolve(host: &str, look_up: LookUp, end: Instant) -> Result<Vec<IpAddr>, ConnectFault> {
    let host = host.trim_matches(['[', ']']).to_owned();
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![address]);
    }
    let name = host.clone();
    let look_up = move || look_up(&host, end);
    let (sender, receiver) = channel();
    let in_thread = look_up.clone();
    let started = thread::Builder::new().spawn(move || sender.send(in_thread()));
    let left = || end.saturating_duration_since(Instant::now());
    let mut is_half = false;
    let found = match started {
        Ok(_) => receiver.recv_timeout(left().min(SOON)).or_else(|_| {
            is_half = resolver::answers_for_v4(&name, left().min(SOON));
            receiver.recv_timeout(left())
        }),
        Err(_) => Ok(look_up()),
    };
    match found {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        _ if is_half => Err(ConnectFault::HalfAnswered),
        Ok(Err(why)) => Err(why),
        Ok(_) | Err(RecvTimeoutError::Disconnected) => Err(ConnectFault::Unresolved),
        Err(RecvTimeoutError::Timeout) => Err(ConnectFault::Unanswered),
    }
}

/// Groups of addresses: those of one group are tried one after the other has failed.
fn in_order(addresses: Vec<SocketAddr>, order: AddressOrder) -> Vec<Vec<SocketAddr>> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    if order == AddressOrder::Families {
        return [one, other].into_iter().filter(|family| !family.is_empty()).collect();
    }
    // the first address of each family before the second of any
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let pairs = std::iter::from_fn(|| {
        let pair = [one.next(), other.next()];
        pair.iter().any(Option::is_some).then_some(pair)
    });
    pairs.flatten().flatten().map(|address| vec![address]).collect()
}

/// The first of the addresses that answers; each group is tried a moment after the one before.
fn race(groups: &[Vec<SocketAddr>], end: Instant) -> Result<TcpStream, ConnectFault> {
    let (sender, receiver) = channel();
    let mut why = ConnectFault::TimedOut;
    let mut running = 0;
    let mut addresses = groups.iter();
    loop {
        let next = addresses.next();
        if let Some(group) = next {
            running += usize::from(try_group(group, end, &sender));
        }
        if running == 0 {
            return Err(why);
        }
        let left = end.saturating_duration_since(Instant::now());
        let patience = if addresses.len() > 0 { STAGGER.min(left) } else { left };
        match first(&receiver, patience) {
            Some(Ok(socket)) => return Ok(socket),
            Some(Err(error)) => {
                running -= 1;
                // a refusal says more than a silence
                if why != ConnectFault::Refused {
                    why = error;
                }
            }
            None if left.is_zero() => return Err(why),
            None => {}
        }
    }
}

fn first(
    receiver: &Receiver<Result<TcpStream, ConnectFault>>,
    patience: Duration,
) -> Option<Result<TcpStream, ConnectFault>> {
    receiver.recv_timeout(patience).ok()
}

/// Tries a group in a thread of its own, or here where none can be started.
fn try_group(
    group: &[SocketAddr],
    end: Instant,
    sender: &Sender<Result<TcpStream, ConnectFault>>,
) -> bool {
    if end <= Instant::now() {
        return false;
    }
    let (in_thread, addresses) = (sender.clone(), group.to_vec());
    let attempt = move || in_thread.send(try_in_turn(&addresses, end));
    if thread::Builder::new().spawn(attempt).is_err() {
        let _ = sender.send(try_in_turn(group, end));
    }
    true
}

fn try_in_turn(addresses: &[SocketAddr], end: Instant) -> Result<TcpStream, ConnectFault> {
    let mut result = Err(ConnectFault::TimedOut);
    for address in addresses {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        result = TcpStream::connect_timeout(address, left).map_err(|error| why(&error));
        if result.is_ok() {
            break;
        }
    }
    result
}

fn why(error: &io::Error) -> ConnectFault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectFault::Refused,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ConnectFault::TimedOut,
        kind => ConnectFault::Other(kind.to_string()),
    }
}
