//! Certificate authorities, made for the test.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    key: String,
}

/// A server's certificate.
pub struct Leaf {
    pub certificate: CertificateDer<'static>,
    /// What the server sends behind it.
    pub others: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

fn leaf(certificate: &Certificate, key: &KeyPair) -> Leaf {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Leaf { certificate: certificate.der().clone(), others: Vec::new(), key }
}

fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

pub fn of_years(params: &mut CertificateParams, years: Range<i32>) {
    params.not_before = date_time_ymd(years.start, 1, 1);
    params.not_after = date_time_ymd(years.end, 1, 1);
}

impl Authority {
    pub fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    /// One whose certificate differs.
    pub fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(&[], name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, key: key.serialize_pem(), issuer: Issuer::new(params, key) }
    }

    pub fn of_years(name: &str, years: Range<i32>) -> Self {
        Self::with(name, |params| of_years(params, years))
    }

    /// An authority that this one has issued.
    pub fn intermediate(&self, name: &str) -> Self {
        self.intermediate_with(name, |_| {})
    }

    pub fn intermediate_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(&[], name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self { certificate, key: key.serialize_pem(), issuer: Issuer::new(params, key) }
    }

    /// Its private key, which people put into the file of its certificate.
    pub fn key_pem(&self) -> String {
        self.key.clone()
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    /// As OpenSSL finds it in a folder: by the hash of its name.
    pub fn write_hashed(&self, folder: &Path) {
        let file = folder.join("authority.pem");
        fs::write(&file, self.pem()).unwrap();
        let mut openssl = Command::new("openssl");
        let hash = openssl.args(["x509", "-hash", "-noout", "-in"]).arg(&file).output().unwrap();
        let hash = String::from_utf8(hash.stdout).unwrap();
        fs::rename(&file, folder.join(format!("{}.0", hash.trim()))).unwrap();
    }

    pub fn leaf(&self, names: &[&str]) -> Leaf {
        self.leaf_with(names, |params| of_years(params, 2020..2090))
    }

    pub fn leaf_of_years(&self, names: &[&str], years: Range<i32>) -> Leaf {
        self.leaf_with(names, |params| of_years(params, years))
    }

    pub fn leaf_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = params(names, names[0]);
        change(&mut params);
        leaf(&params.signed_by(&key, &self.issuer).unwrap(), &key)
    }

    /// Without the extension that names the server: only the subject does.
    pub fn leaf_by_subject(&self, name: &str) -> Leaf {
        self.leaf_with(&[name], |params| params.subject_alt_names.clear())
    }

    /// For clients, not for servers.
    pub fn leaf_of_client(&self, names: &[&str]) -> Leaf {
        self.leaf_with(names, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        })
    }

    /// A certificate of a client, with its key, as one file.
    pub fn client_pem(&self) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = params(&["agent"], "agent");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.signed_by(&key, &self.issuer).unwrap().pem() + &key.serialize_pem()
    }

    /// A server's own certificate that nobody else has issued, with its text for a file.
    pub fn self_signed(names: &[&str], is_ca: bool) -> (Leaf, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = params(names, names[0]);
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let certificate = params.self_signed(&key).unwrap();
        (leaf(&certificate, &key), certificate.pem())
    }
}
