//! One question to one server by a given way: which proxy, which authorities. It carries no
//! credential, and reports what answered at each step: what other clients hide.

mod certificate;
mod connect;
mod head;
mod key_share;
mod resolver;
mod tls;

use std::io::Write as _;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::time::Instant;

use jiff::Timestamp;
use secrecy::SecretString;

pub use certificate::{Distrust, Presented, has_namesakes};
use connect::SeenCertificate;
pub use connect::{ConnectFault, NotConnected, Timed, ask_for_tunnel};
pub use head::ProbeHead;
pub use tls::{ChainRules, Trust};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// With the query, encoded.
    pub path: String,
}

/// A proxy, as its URL names it.
#[derive(Clone, Debug)]
pub struct ProxyServer {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// The value of the header for the proxy, which it alone receives.
    pub authorization: Option<SecretString>,
}

/// The question.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub target: &'a ProbeTarget,
    pub proxy: Option<&'a ProxyServer>,
    pub trust: &'a Trust,
    pub look_up: LookUp,
    pub order: AddressOrder,
    /// Asks for a WebSocket instead of a document.
    pub upgrade: bool,
    pub end: Instant,
}

/// How a client looks a name up, until the end.
pub type LookUp = fn(&str, Instant) -> Result<Vec<IpAddr>, ConnectFault>;

/// As a static program does: by `/etc/hosts` and `/etc/resolv.conf` alone.
pub fn look_up(host: &str, _: Instant) -> Result<Vec<IpAddr>, ConnectFault> {
    let found = (host, 0).to_socket_addrs().map_err(|_| ConnectFault::Unresolved)?;
    Ok(found.map(|address| address.ip()).collect())
}

/// In which order a client tries the addresses of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressOrder {
    /// Each a moment after the one before.
    Staggered,
    /// Both families side by side; in a family the next one when the one before has failed.
    Families,
}

/// What came of it.
#[derive(Debug)]
pub struct ProbeAnswer {
    pub outcome: ProbeOutcome,
    /// The certificate that was shown in the name of the server.
    pub presented: Option<Presented>,
}

#[derive(Debug)]
pub enum ProbeOutcome {
    /// The server, or what answers in its place.
    Head(ProbeHead),
    /// Nobody was connected to.
    Unconnected(NotConnected),
    /// The proxy answered, and did not connect.
    Refused(ProbeHead),
    /// The proxy reports a connection, and something else than the server's bytes came.
    NoTunnel(String),
    /// A proxy of TLS was named, and this one has none.
    PlainProxy,
    /// The certificate of the server is refused. `date`: the server's time, where only the time of
    /// its certificate is.
    Distrusted { distrust: Distrust, date: Option<Timestamp> },
    /// The certificate of a proxy with TLS is refused.
    ProxyDistrusted(Distrust),
    /// The server answered in clear text: its first words.
    NotTls(String),
    /// The server speaks no TLS that is in use.
    OldTls,
    /// The server wants a certificate of the client.
    WantsCertificate,
    /// TLS failed in another way.
    Tls(String),
    /// The connection ended before an answer. `by_proxy`: before the proxy had connected.
    Cut { by_proxy: bool },
    /// The first message of TLS takes more than one packet, and is lost or has the connection cut: a
    /// small one is answered.
    LargeHelloLost { is_cut: bool },
    /// A connection was made, and nothing came in time.
    Silent { at_proxy: bool },
}

/// Asks.
pub fn ask(question: Question) -> ProbeAnswer {
    let mut seen = SeenCertificate::default();
    let outcome = connect::connect(&question, &mut seen)
        .and_then(|stream| exchange(question, stream))
        .unwrap_or_else(|outcome| outcome);
    let SeenCertificate { presented, distrust } = seen;
    let outcome = match (distrust, outcome) {
        (Some(distrust), ProbeOutcome::Head(head)) => {
            ProbeOutcome::Distrusted { distrust, date: head.date() }
        }
        (Some(distrust), _) => ProbeOutcome::Distrusted { distrust, date: None },
        (None, outcome) => outcome,
    };
    tracing::debug!(?outcome, "GET {}", question.target.host);
    ProbeAnswer { outcome, presented }
}

fn exchange(
    Question { target, proxy, upgrade, .. }: Question,
    mut stream: connect::Connected,
) -> Result<ProbeOutcome, ProbeOutcome> {
    let ProbeTarget { tls, host, port, path } = target;
    let default = if *tls { 443 } else { 80 };
    let authority = if *port == default { host.clone() } else { format!("{host}:{port}") };
    // a proxy forwards what has no TLS, and needs the whole URL for that
    let by_proxy = proxy.filter(|_| !tls);
    let place = by_proxy.map_or_else(|| path.clone(), |_| format!("http://{authority}{path}"));
    let authorization = by_proxy.and_then(|proxy| proxy.authorization.as_ref());
    let kind = if upgrade {
        // of no meaning: what matters is whether the request passes
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cHVzaHJlYWR5LXByb2JlIQ==\r\n"
    } else {
        "Accept: */*\r\nConnection: close\r\n"
    };
    let request = format!(
        "GET {place} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {}\r\n{kind}{}\r\n",
        super::USER_AGENT,
        connect::proxy_header(authorization),
    );
    let failed = |error: &std::io::Error| connect::broken(error, false);
    stream.write_all(request.as_bytes()).and_then(|()| stream.flush()).map_err(|it| failed(&it))?;
    match head::read(&mut stream) {
        Ok(Some(head)) => Ok(ProbeOutcome::Head(head)),
        Ok(None) => Ok(ProbeOutcome::Cut { by_proxy: false }),
        Err(error) => Err(failed(&error)),
    }
}

#[cfg(test)]
mod tests;
