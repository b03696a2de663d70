//! Why there is no answer, in fixed texts: ureq's errors may quote what a server sent.

use std::fmt;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    Deadline,
    /// The host's name does not resolve.
    Resolve(String),
    Connect(String),
    /// No trusted authority issued the certificate.
    UnknownIssuer,
    Tls(String),
    Proxy(String),
    TooLarge,
    /// A redirect to another origin, which was not followed.
    Elsewhere(String),
    Broken(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline => f.write_str("no answer before the deadline"),
            Self::Resolve(host) => write!(f, "the name `{host}` does not resolve"),
            Self::Connect(why) => write!(f, "cannot connect: {why}"),
            Self::UnknownIssuer => {
                f.write_str("the certificate is issued by an authority that is not trusted here")
            }
            Self::Tls(why) => write!(f, "TLS failed: {why}"),
            Self::Proxy(why) => {
                write!(f, "the proxy of the environment refuses the connection: {why}")
            }
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Elsewhere(host) => {
                write!(f, "redirected to another host, `{host}`, which was not followed")
            }
            Self::Broken(why) => write!(f, "the answer is broken: {why}"),
        }
    }
}

impl HttpError {
    /// Whether a retry may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Deadline | Self::Resolve(_) | Self::Connect(_) | Self::Broken(_))
    }

    pub(super) fn of(error: &ureq::Error, host: &str) -> Self {
        let unresolved = || Self::Resolve(host.to_owned());
        match error {
            ureq::Error::Timeout(_) => Self::Deadline,
            ureq::Error::HostNotFound => unresolved(),
            ureq::Error::BodyExceedsLimit(_) => Self::TooLarge,
            ureq::Error::ConnectProxyFailed(text) => {
                Self::Proxy(text.escape_debug().take(120).collect())
            }
            ureq::Error::ConnectionFailed => Self::Connect("connection failed".to_owned()),
            ureq::Error::Rustls(error) => tls_failure(error),
            ureq::Error::Io(error) => {
                match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                    Some(error) => tls_failure(error),
                    None if error.kind() == std::io::ErrorKind::TimedOut => Self::Deadline,
                    // std has no kind for an error of getaddrinfo
                    None if error.to_string().contains("lookup address") => unresolved(),
                    None if is_cut(error.kind()) => {
                        Self::Broken("the connection ended early".to_owned())
                    }
                    None => Self::Connect(error.kind().to_string()),
                }
            }
            other => Self::Broken(other.to_string().escape_debug().take(120).collect()),
        }
    }
}

fn tls_failure(error: &rustls::Error) -> HttpError {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            HttpError::UnknownIssuer
        }
        other => HttpError::Tls(other.to_string().escape_debug().take(120).collect()),
    }
}

fn is_cut(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::UnexpectedEof | Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe
    )
}
