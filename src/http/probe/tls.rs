//! TLS with the authorities of another client, and what it refuses.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::key_share::LargeKeyShare;
use super::{Distrust, Presented};

/// What a client trusts.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The authorities that it certainly has.
    pub roots: Vec<CertificateDer<'static>>,
    pub rules: ChainRules,
    /// It verifies nothing.
    pub blind: bool,
}

/// How a client verifies a chain of certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChainRules {
    /// rustls: each certificate of the list ends a chain, whatever it says of itself.
    #[default]
    WebPki,
    /// OpenSSL and BoringSSL: a chain ends at a certificate that is its own issuer and valid now, or
    /// is one certificate that the list contains. The subject names a server that nothing else names.
    OpenSsl,
}

impl Trust {
    /// Whether a chain, the server's own certificate first, is accepted in the name of the host.
    pub fn accepts(&self, chain: &[CertificateDer<'_>], host: &str) -> Result<(), Distrust> {
        if self.blind {
            return Ok(());
        }
        let [own, others @ ..] = chain else { return Err(Distrust::UnknownIssuer) };
        let name = ServerName::try_from(host.trim_matches(['[', ']']))
            .map_err(|error| Distrust::Other(error.to_string()))?;
        let shown = Presented::of(vec![own.clone().into_owned()]);
        let verify = |now| match self.rules {
            ChainRules::WebPki => self.by_webpki(own, others, &name, now),
            ChainRules::OpenSsl => self.by_openssl(own, others, &name, &shown, now),
        };
        let Err(distrust) = verify(UnixTime::now()) else { return Ok(()) };
        // one whose authority is unknown too is refused for that: the clock is not the nearer cause
        let then = match distrust {
            Distrust::Expired => shown.not_after,
            Distrust::NotYetValid => shown.not_before,
            _ => None,
        };
        let then = then.and_then(|time| u64::try_from(time.as_second()).ok());
        let then = then.map(|at| verify(UnixTime::since_unix_epoch(Duration::from_secs(at))));
        Err(match (then, distrust) {
            (Some(Err(Distrust::UnknownIssuer)), _) => Distrust::UnknownIssuer,
            // an authority's own certificate in place of a server's
            (_, Distrust::Other(_)) if shown.is_self_signed => Distrust::UnknownIssuer,
            (_, distrust) => distrust,
        })
    }

    fn by_webpki(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Distrust> {
        let own = ParsedCertificate::try_from(own).map_err(distrust)?;
        chain_ends(&own, others, &self.roots, now)?;
        verify_server_name(&own, name).map_err(distrust)
    }

    fn by_openssl(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        shown: &Presented,
        now: UnixTime,
    ) -> Result<(), Distrust> {
        let parsed = ParsedCertificate::try_from(own).map_err(distrust)?;
        if self.roots.contains(own) {
            shown.valid_at(now)?;
        } else {
            self.ends_at_root(&parsed, others, now)?;
        }
        match verify_server_name(&parsed, name) {
            Err(_) if shown.names.is_empty() && shown.subject_names(&name.to_str()) => Ok(()),
            named => named.map_err(distrust),
        }
    }

    fn ends_at_root(
        &self,
        own: &ParsedCertificate<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Distrust> {
        let listed = self.roots.iter().map(|der| (Presented::of(vec![der.clone()]), der.clone()));
        let (roots, between): (Vec<_>, Vec<_>) = listed.partition(|(it, _)| it.is_self_signed);
        let between = between.into_iter().map(|(_, der)| der);
        let between: Vec<_> = others.iter().cloned().chain(between).collect();
        let ends = |is_usable: &dyn Fn(&Presented) -> bool| {
            let usable = roots.iter().filter(|(it, _)| is_usable(it)).map(|(_, der)| der.clone());
            chain_ends(own, &between, &usable.collect::<Vec<_>>(), now)
        };
        let distrust = match ends(&|root| root.valid_at(now).is_ok()) {
            Err(Distrust::UnknownIssuer) => Distrust::UnknownIssuer,
            result => return result,
        };
        Err(match () {
            () if ends(&|_| true).is_ok() => Distrust::AuthorityExpired,
            () if chain_ends(own, others, &self.roots, now).is_ok() => Distrust::RootMissing,
            () => distrust,
        })
    }
}

/// Whether the chain ends at one of these.
fn chain_ends(
    own: &ParsedCertificate<'_>,
    others: &[CertificateDer<'_>],
    roots: &[CertificateDer<'static>],
    now: UnixTime,
) -> Result<(), Distrust> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(own, &store, others, now, algorithms)
        .map_err(distrust)
}

/// The first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// Of more than one packet, as the clients send it.
    Large,
    Small,
}

/// Verifies as the client does, and keeps what it saw.
#[derive(Debug)]
pub struct Recorder {
    trust: Trust,
    host: String,
    provider: CryptoProvider,
    /// Goes on where only the time is wrong, to see the server's time.
    asks_time: bool,
    hello: Hello,
    seen: Mutex<Option<(Presented, Option<Distrust>)>>,
}

impl Recorder {
    pub fn new(trust: &Trust, host: &str, asks_time: bool, hello: Hello) -> Arc<Self> {
        Arc::new(Self {
            trust: trust.clone(),
            host: host.to_owned(),
            asks_time,
            hello,
            provider: ring::default_provider(),
            seen: Mutex::default(),
        })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// The certificate, and why it is refused.
    pub fn seen(&self) -> Option<(Presented, Option<Distrust>)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn distrust(error: Error) -> Distrust {
    match error {
        Error::InvalidCertificate(error) => {
            match error {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    Distrust::Expired
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Distrust::NotYetValid
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => Distrust::OtherName,
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    Distrust::UnknownIssuer
                }
                CertificateError::InvalidPurpose
                | CertificateError::InvalidPurposeContext { .. } => Distrust::OtherPurpose,
                error => Distrust::Other(error.to_string()),
            }
        }
        error => Distrust::Other(error.to_string()),
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain: Vec<_> =
            std::iter::once(own).chain(others).map(|der| der.clone().into_owned()).collect();
        let distrust = self.trust.accepts(&chain, &self.host).err();
        let is_of_time = matches!(distrust, Some(Distrust::Expired | Distrust::NotYetValid));
        let is_refused = distrust.is_some() && !(self.asks_time && is_of_time);
        let seen = Some((Presented::of(chain), distrust));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        if is_refused {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The settings of a connection in which `recorder` verifies.
pub fn config(recorder: &Arc<Recorder>) -> Result<ClientConfig, Error> {
    let mut provider = ring::default_provider();
    if recorder.hello == Hello::Large {
        provider.kx_groups.insert(0, &LargeKeyShare);
    }
    let verifier: Arc<dyn ServerCertVerifier> = Arc::clone(recorder) as _;
    Ok(ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}
