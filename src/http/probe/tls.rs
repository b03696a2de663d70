//! TLS with the authorities of another client, and what it refuses.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::Presented;

/// What a client trusts.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The authorities that it certainly has.
    pub roots: Vec<CertificateDer<'static>>,
    /// It verifies nothing.
    pub blind: bool,
}

/// Why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// No authority that the client has issued it.
    UnknownIssuer,
    Expired,
    NotYetValid,
    OtherName,
    Other(String),
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
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.roots.iter().cloned());
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        // there is none to verify with
        let Ok(verifier) = verifier.build() else { return Err(Distrust::UnknownIssuer) };
        let verify = |now| match verifier.verify_server_cert(own, others, &name, &[], now) {
            Ok(_) => Ok(()),
            Err(error) => Err(distrust(error)),
        };
        let Err(distrust) = verify(UnixTime::now()) else { return Ok(()) };
        let shown = Presented::of(vec![own.clone().into_owned()]);
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
}

/// Verifies as the client does, and keeps what it saw.
#[derive(Debug)]
pub struct Recorder {
    trust: Trust,
    host: String,
    provider: CryptoProvider,
    seen: Mutex<Option<(Presented, Option<Distrust>)>>,
}

impl Recorder {
    pub fn new(trust: &Trust, host: &str) -> Arc<Self> {
        Arc::new(Self {
            trust: trust.clone(),
            host: host.to_owned(),
            provider: ring::default_provider(),
            seen: Mutex::default(),
        })
    }

    /// The certificate, and why it is refused.
    pub fn seen(&self) -> Option<(Presented, Option<Distrust>)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn distrust(error: Error) -> Distrust {
    match error {
        Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Distrust::Expired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Distrust::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Distrust::OtherName
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Distrust::UnknownIssuer
            }
            error => Distrust::Other(error.to_string()),
        },
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
        let is_refused = distrust.is_some();
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
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = Arc::clone(recorder) as _;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}
