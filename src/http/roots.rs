//! The certificate authorities: the system's, and those that the environment names for any of the
//! usual programs.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls_native_certs::{load_certs_from_paths, load_native_certs};
use ureq::tls::{Certificate, RootCerts};

use crate::env::Env;

/// What configures OpenSSL, curl, git, Node and Python in workspaces behind a proxy that inspects
/// TLS. A workspace often sets only one of them.
const FILES: [&str; 6] = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "REQUESTS_CA_BUNDLE",
    "CODEX_CA_CERTIFICATE",
];

pub(super) fn load(env: &Env) -> RootCerts {
    // reads SSL_CERT_FILE and SSL_CERT_DIR of the process by itself
    let mut all = load_native_certs().certs;
    for name in FILES {
        add(&mut all, env, name, |path| (Some(path), None));
    }
    add(&mut all, env, "SSL_CERT_DIR", |path| (None, Some(path)));
    all.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    all.dedup();
    let roots: Vec<_> = all.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    RootCerts::from(roots)
}

fn add(
    all: &mut Vec<CertificateDer<'static>>,
    env: &Env,
    name: &str,
    place: impl Fn(&Path) -> (Option<&Path>, Option<&Path>),
) {
    let Some(value) = env.get(name) else { return };
    let (file, folder) = place(Path::new(&value));
    let found = load_certs_from_paths(file, folder);
    for error in &found.errors {
        tracing::debug!("{name}: {error}");
    }
    all.extend(found.certs);
}
