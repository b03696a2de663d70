//! What a certificate says of itself: who issued it, for whom, and how long it is valid.

use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, UnixTime};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectAltName};
use x509_cert::name::RdnSequence;

/// Embedded signed certificate timestamps (RFC 6962): every public authority adds them, and a
/// gateway that intercepts TLS cannot.
const TIMESTAMPS: &str = "1.3.6.1.4.1.11129.2.4.2";

/// A certificate that was shown, as evidence. All texts are from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presented {
    pub issuer: String,
    pub subject: String,
    pub names: Vec<String>,
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
    /// It is its own issuer.
    pub is_self_signed: bool,
    /// It carries the timestamps of public logs.
    pub is_logged: bool,
    /// As it was sent: the server's own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
}

/// Why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// No authority that the client has issued it.
    UnknownIssuer,
    /// The list contains the authority that has issued it, and not the root above that.
    RootMissing,
    /// The authority that has issued it.
    AuthorityExpired,
    Expired,
    NotYetValid,
    OtherName,
    /// It is for something else than servers.
    OtherPurpose,
    /// It is of a form that is not verified here, such as one signed with SHA-1.
    Other(String),
}

impl Presented {
    pub fn of(chain: Vec<CertificateDer<'static>>) -> Self {
        let own = chain.first().and_then(|der| Certificate::from_der(der).ok());
        let Some(certificate) = own else { return Self { chain, ..Self::default() } };
        let body = certificate.tbs_certificate;
        let names = body.get::<SubjectAltName>().ok().flatten().map(|(_, names)| names.0);
        let name = |name: GeneralName| match name {
            GeneralName::DnsName(name) => Some(name.to_string()),
            _ => None,
        };
        let time = |time: Duration| Timestamp::try_from(std::time::UNIX_EPOCH + time).ok();
        let mut extensions = body.extensions.iter().flatten();
        Self {
            issuer: common_name(&body.issuer),
            subject: common_name(&body.subject),
            names: names.unwrap_or_default().into_iter().filter_map(name).collect(),
            not_before: time(body.validity.not_before.to_unix_duration()),
            not_after: time(body.validity.not_after.to_unix_duration()),
            is_self_signed: body.issuer == body.subject,
            is_logged: extensions.any(|extension| extension.extn_id.to_string() == TIMESTAMPS),
            chain,
        }
    }

    /// Whether it is valid at a time.
    pub fn valid_at(&self, time: UnixTime) -> Result<(), Distrust> {
        let time = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        match (self.not_before, self.not_after) {
            (Some(start), _) if start.as_second() > time => Err(Distrust::NotYetValid),
            (_, Some(end)) if end.as_second() < time => Err(Distrust::Expired),
            _ => Ok(()),
        }
    }

    /// Whether the subject is this host, or `*.` and what is behind its first dot.
    pub fn subject_names(&self, host: &str) -> bool {
        let behind_dot = host.split_once('.').map(|(_, behind)| behind);
        self.subject.eq_ignore_ascii_case(host)
            || self.subject.strip_prefix("*.").is_some_and(|named| {
                behind_dot.is_some_and(|behind| behind.eq_ignore_ascii_case(named))
            })
    }
}

/// Whether a certificate of the chain may have been issued by several of the authorities: they have
/// one name and other keys, and the certificate does not say which.
pub fn has_namesakes(chain: &[CertificateDer<'_>], roots: &[CertificateDer<'_>]) -> bool {
    let parsed = |der: &CertificateDer<'_>| Certificate::from_der(der).ok();
    let roots: Vec<_> = roots.iter().filter_map(parsed).map(|it| it.tbs_certificate).collect();
    chain.iter().filter_map(parsed).any(|certificate| {
        let body = certificate.tbs_certificate;
        let says_which = body.get::<AuthorityKeyIdentifier>().ok().flatten().is_some();
        let mut keys = roots
            .iter()
            .filter(|root| root.subject == body.issuer)
            .map(|root| &root.subject_public_key_info);
        let first = keys.next();
        !says_which && keys.any(|key| Some(key) != first)
    })
}

/// `CN=…`, else the whole name.
fn common_name(name: &RdnSequence) -> String {
    let whole = name.to_string();
    let mut parts = whole.split(',');
    let part = parts.find_map(|part| part.strip_prefix("CN="));
    part.map_or_else(|| whole.clone(), str::to_owned)
}
