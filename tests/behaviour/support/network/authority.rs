//! Certificate authorities, made for the test.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate.
pub struct Leaf {
    pub certificate: CertificateDer<'static>,
    pub key: PrivateKeyDer<'static>,
}

fn leaf(certificate: &Certificate, key: &KeyPair) -> Leaf {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Leaf { certificate: certificate.der().clone(), key }
}

fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(&[], name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
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
        self.leaf_of_years(names, 2020..2090)
    }

    pub fn leaf_of_years(&self, names: &[&str], years: Range<i32>) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = params(names, names[0]);
        params.not_before = date_time_ymd(years.start, 1, 1);
        params.not_after = date_time_ymd(years.end, 1, 1);
        leaf(&params.signed_by(&key, &self.issuer).unwrap(), &key)
    }

    pub fn self_signed(names: &[&str]) -> Leaf {
        let key = KeyPair::generate().unwrap();
        leaf(&params(names, names[0]).self_signed(&key).unwrap(), &key)
    }
}
