//! Which authorities a client trusts: which variables count is pure, then their files are read.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Decode as _, Encode as _, SliceReader};

use super::rules::{NetworkRules, Strictness};
use super::variables::{ReadVariable, Variables};
use crate::client::Client;
use crate::http::probe::{ChainRules, Distrust, Presented, Trust, has_namesakes};
use crate::resource::file::{self, Kind};

/// Where a client takes authorities from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthoritySource {
    /// The system's store.
    System,
    /// The list of public authorities that the client brings.
    Bundle,
    File(ReadVariable),
    /// `hashed`: files that are named as OpenSSL names them count alone.
    Folder {
        setting: ReadVariable,
        hashed: bool,
    },
}

/// What the variables make of the authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityPlan {
    pub sources: Vec<AuthoritySource>,
    /// The variable that switches the verification off.
    pub blind: Option<ReadVariable>,
    /// The variable because of which the system's store does not count.
    pub replaced_by: Option<ReadVariable>,
}

/// The variables that a client reads.
pub const fn names(client: Client) -> &'static [&'static str] {
    match client {
        Client::Codex => &["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE", "SSL_CERT_DIR"],
        Client::Claude => &[
            "NODE_EXTRA_CA_CERTS",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "CLAUDE_CODE_CERT_STORE",
            "NODE_TLS_REJECT_UNAUTHORIZED",
        ],
    }
}

/// The variables with which other programs are configured: where a file of authorities may be.
pub const FILES: &[&str] = &[
    "CODEX_CA_CERTIFICATE",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
];

/// Which authorities count. Pure.
pub fn plan(rules: &NetworkRules, variables: &Variables) -> AuthorityPlan {
    match rules.client {
        Client::Codex => codex(variables),
        Client::Claude => claude(rules, variables),
    }
}

fn codex(variables: &Variables) -> AuthorityPlan {
    let filled = |setting: &ReadVariable| !setting.value.is_empty();
    let own = variables.of_environment("CODEX_CA_CERTIFICATE").filter(filled);
    let file = variables.get("SSL_CERT_FILE").filter(filled);
    let folder = variables.get("SSL_CERT_DIR").filter(filled);
    let (mut sources, replaced_by) = match (own, file) {
        (Some(own), _) => (vec![AuthoritySource::System, AuthoritySource::File(own)], None),
        (None, Some(file)) => {
            (vec![AuthoritySource::Bundle, AuthoritySource::File(file.clone())], Some(file))
        }
        (None, None) => (vec![AuthoritySource::System], None),
    };
    sources.extend(folder.map(|setting| AuthoritySource::Folder { setting, hashed: true }));
    AuthorityPlan { sources, blind: None, replaced_by }
}

fn claude(rules: &NetworkRules, variables: &Variables) -> AuthorityPlan {
    let filled = |setting: &ReadVariable| !setting.value.is_empty();
    // too late in a settings file
    let file = variables.of_environment("SSL_CERT_FILE");
    let folder = variables.of_environment("SSL_CERT_DIR");
    let extra = variables.get("NODE_EXTRA_CA_CERTS").filter(filled);
    let names = |store: &ReadVariable, name: &str| {
        store.value.split(',').any(|part| part.trim().eq_ignore_ascii_case(name))
    };
    // any other value is ignored
    let store = variables.get("CLAUDE_CODE_CERT_STORE");
    let store = store.filter(|it| names(it, "bundled") || names(it, "system"));
    let blind = variables.get("NODE_TLS_REJECT_UNAUTHORIZED").filter(|it| it.value == "0");
    let has = |name: &str| store.as_ref().is_none_or(|store| names(store, name));
    let mut sources = Vec::new();
    if has("bundled") {
        sources.push(AuthoritySource::Bundle);
    }
    let mut replaced_by = store.clone().filter(|_| !has("system"));
    if has("system") {
        let files = file.clone().or_else(|| folder.clone());
        replaced_by = files.filter(|_| rules.files_replace_store);
        if replaced_by.is_none() {
            sources.push(AuthoritySource::System);
        }
        sources.extend(file.filter(filled).map(AuthoritySource::File));
        let folder = folder.filter(filled);
        sources.extend(folder.map(|setting| AuthoritySource::Folder { setting, hashed: false }));
    }
    sources.extend(extra.map(AuthoritySource::File));
    AuthorityPlan { sources, blind, replaced_by }
}

/// Claude Code reads its own variable without blanks around it; its TLS library those of OpenSSL.
fn path_of<'a>(rules: &NetworkRules, setting: &'a ReadVariable) -> &'a str {
    if setting.name == rules.authority { setting.text(rules.strictness) } else { &setting.value }
}

/// What is wrong with a file that a variable names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileDefect {
    Missing,
    /// It cannot be read.
    Unreadable,
    /// The client waits for its end.
    Fifo,
    /// There is no certificate in it.
    Empty,
    /// One of its certificates cannot be read.
    Damaged,
}

impl FileDefect {
    pub const fn says(self) -> &'static str {
        match self {
            Self::Missing => "names a file that does not exist",
            Self::Unreadable => "names a file that cannot be read",
            Self::Fifo => "names a FIFO, of which the client awaits the end",
            Self::Empty => "names a file that contains no certificate",
            Self::Damaged => "names a file in which a certificate is damaged",
        }
    }
}

/// How much a defect matters to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlawWeight {
    /// Every request fails, whatever the server shows.
    Fails,
    /// The variable is without effect.
    Ignored,
    /// The system's store is without effect.
    LosesStore,
}

/// What a defect means. Pure.
pub fn weigh(rules: &NetworkRules, name: &str, defect: FileDefect) -> FlawWeight {
    match (rules.client, name, defect) {
        (Client::Codex, ..) | (Client::Claude, _, FileDefect::Fifo) => FlawWeight::Fails,
        (Client::Claude, "NODE_EXTRA_CA_CERTS", FileDefect::Empty) if rules.empty_file_is_fatal => {
            FlawWeight::Fails
        }
        (Client::Claude, "SSL_CERT_FILE", _) if rules.files_replace_store => FlawWeight::LosesStore,
        (Client::Claude, ..) => FlawWeight::Ignored,
    }
}

/// A defect with its variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityFlaw {
    pub setting: ReadVariable,
    pub defect: FileDefect,
    pub weight: FlawWeight,
}

/// The authorities of a client.
#[derive(Debug)]
pub struct Authorities {
    pub plan: AuthorityPlan,
    pub flaws: Vec<AuthorityFlaw>,
    /// Those that it certainly has.
    certain: Trust,
    /// It brings a list of public ones, of which the system's store is the only copy here.
    has_bundle: bool,
    public: Vec<CertificateDer<'static>>,
}

/// What is known of a certificate that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateVerdict {
    Trusted,
    Refused(Distrust),
    /// Whether the client's own list has the authority is not known here.
    Unsure,
    /// The client may take another authority of the same name for the issuer.
    Ambiguous,
}

impl Authorities {
    /// Reads the files. `system` is the system's store.
    pub fn read(
        rules: &NetworkRules,
        plan: AuthorityPlan,
        system: &[CertificateDer<'static>],
    ) -> Self {
        let mut roots = Vec::new();
        let mut flaws = Vec::new();
        for source in &plan.sources {
            match source {
                AuthoritySource::System => roots.extend_from_slice(system),
                AuthoritySource::Bundle => {}
                AuthoritySource::File(setting) => {
                    match certificates(Path::new(path_of(rules, setting)), rules.strictness) {
                        Ok(found) => roots.extend(found),
                        Err(defect) => flaws.push(AuthorityFlaw {
                            setting: setting.clone(),
                            defect,
                            weight: weigh(rules, setting.name, defect),
                        }),
                    }
                }
                AuthoritySource::Folder { setting, hashed } => {
                    let folders = std::env::split_paths(&setting.value);
                    roots.extend(folders.flat_map(|folder| in_folder(&folder, *hashed)));
                }
            }
        }
        let has_bundle = plan.sources.contains(&AuthoritySource::Bundle);
        let certain = Trust { roots, rules: rules.chains, blind: plan.blind.is_some() };
        let public = if has_bundle { system.to_vec() } else { Vec::new() };
        Self { plan, flaws, certain, has_bundle, public }
    }

    /// The defect by which every request fails.
    pub fn fatal(&self) -> Option<&AuthorityFlaw> {
        self.flaws.iter().find(|flaw| flaw.weight == FlawWeight::Fails)
    }

    /// With which the question is asked: never less than the client trusts.
    pub fn trust(&self) -> Trust {
        let nothing_public = self.has_bundle && self.public.is_empty();
        Trust {
            roots: [&self.certain.roots[..], &self.public].concat(),
            rules: self.certain.rules,
            blind: self.certain.blind || nothing_public,
        }
    }

    /// What the client makes of the certificate that was shown.
    pub fn judge(&self, shown: &Presented, host: &str) -> CertificateVerdict {
        if self.certain.blind {
            return CertificateVerdict::Trusted;
        }
        let is_openssl = self.certain.rules == ChainRules::OpenSsl;
        let distrust = match self.certain.accepts(&shown.chain, host) {
            Ok(()) if is_openssl && has_namesakes(&shown.chain, &self.certain.roots) => {
                return CertificateVerdict::Ambiguous;
            }
            Ok(()) => return CertificateVerdict::Trusted,
            Err(distrust) => distrust,
        };
        let is_unknown = matches!(distrust, Distrust::UnknownIssuer | Distrust::RootMissing);
        if !self.has_bundle || !is_unknown {
            return CertificateVerdict::Refused(distrust);
        }
        let rules = self.certain.rules;
        let accepts =
            |roots: Vec<_>| Trust { roots, rules, blind: false }.accepts(&shown.chain, host);
        if !self.public.is_empty()
            && let Err(nearer) = accepts(self.public.clone())
        {
            let is_known = nearer == Distrust::UnknownIssuer;
            return CertificateVerdict::Refused(if is_known { distrust } else { nearer });
        }
        match () {
            () if shown.is_logged => CertificateVerdict::Trusted,
            () if shown.is_self_signed
                || intercepts(&shown.issuer)
                || accepts(of_folders(LOCAL)).is_ok() =>
            {
                CertificateVerdict::Refused(distrust)
            }
            () if accepts(of_folders(PUBLIC)).is_ok() => CertificateVerdict::Trusted,
            () => CertificateVerdict::Unsure,
        }
    }

    /// As evidence.
    pub fn shown(&self) -> String {
        let source = |source: &AuthoritySource| match source {
            AuthoritySource::System => "the system's store".to_owned(),
            AuthoritySource::Bundle => "the client's own list".to_owned(),
            AuthoritySource::File(setting) | AuthoritySource::Folder { setting, .. } => {
                format!("{}={}", setting.origin(), setting.value)
            }
        };
        match &self.plan.blind {
            Some(setting) => format!("not verified ({}=0)", setting.origin()),
            None => self.plan.sources.iter().map(source).collect::<Vec<_>>().join(", "),
        }
    }
}

/// Products that re-sign TLS, by the names of their authorities.
const INTERCEPTORS: &[&str] = &[
    "zscaler",
    "netskope",
    "goskope",
    "palo alto",
    "fortinet",
    "fortigate",
    "blue coat",
    "bluecoat",
    "cisco umbrella",
    "forcepoint",
    "sophos",
    "check point",
    "mcafee web gateway",
    "skyhigh",
    "squid",
    "mitmproxy",
    "untangle",
    "barracuda",
    "iboss",
];

/// Whether the name of an issuer is that of a product that intercepts TLS.
pub fn intercepts(issuer: &str) -> bool {
    let issuer = issuer.to_lowercase();
    INTERCEPTORS.iter().any(|name| issuer.contains(name))
}

/// What administrators add to the system's store.
const LOCAL: &[&str] = &[
    "/usr/local/share/ca-certificates",
    "/etc/pki/ca-trust/source/anchors",
    "/etc/ca-certificates/trust-source/anchors",
    "/etc/pki/trust/anchors",
];
/// What distributions put into it: Mozilla's list.
const PUBLIC: &[&str] = &["/usr/share/ca-certificates/mozilla"];

/// The system's store: a bundle, and a folder (as openssl-probe finds them; not by its variables).
pub fn system_store() -> Vec<CertificateDer<'static>> {
    const BUNDLES: &[&str] = &[
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/pki/tls/cacert.pem",
        "/etc/ssl/cert.pem",
    ];
    const FOLDERS: &[&str] = &["/etc/ssl/certs", "/etc/pki/tls/certs"];
    let bundle = BUNDLES.iter().find(|path| Path::new(path).exists()).map(Path::new);
    let mut all =
        bundle.and_then(|path| certificates(path, Strictness::Lenient).ok()).unwrap_or_default();
    for folder in FOLDERS {
        all.extend(rustls_native_certs::load_certs_from_paths(None, Some(Path::new(folder))).certs);
    }
    all.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    all.dedup();
    all
}

/// The certificates of a file.
pub fn certificates(
    path: &Path,
    strictness: Strictness,
) -> Result<Vec<CertificateDer<'static>>, FileDefect> {
    let is_fifo = || fs::metadata(path).is_ok_and(|it| it.file_type().is_fifo());
    let content = file::observe(path, Kind::Shared)
        .map_err(|_| if is_fifo() { FileDefect::Fifo } else { FileDefect::Unreadable })?;
    let content = content.ok_or(FileDefect::Missing)?;
    let found = match strictness {
        Strictness::Strict => all_of(&content.bytes)?,
        Strictness::Lenient => readable_of(&content.bytes),
    };
    if found.is_empty() { Err(FileDefect::Empty) } else { Ok(found) }
}

fn readable_of(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect()
}

fn all_of(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, FileDefect> {
    let text = String::from_utf8_lossy(pem).replace(" TRUSTED CERTIFICATE-", " CERTIFICATE-");
    let read = |der: Result<CertificateDer<'static>, _>| {
        let der = der.ok().and_then(|der| without_rest(&der))?;
        RootCertStore::empty().add(der.clone()).ok()?;
        Some(der)
    };
    let all = CertificateDer::pem_slice_iter(text.as_bytes());
    all.map(|der| read(der).ok_or(FileDefect::Damaged)).collect()
}

/// Without what OpenSSL adds to a certificate that it marks.
fn without_rest(der: &[u8]) -> Option<CertificateDer<'static>> {
    let mut reader = SliceReader::new(der).ok()?;
    let certificate = AnyRef::decode(&mut reader).ok()?;
    certificate.to_der().ok().map(CertificateDer::from)
}

/// Enough for any store; a folder of others may have more files.
const MOST_FILES: usize = 1000;

fn in_folder(folder: &Path, hashed: bool) -> Vec<CertificateDer<'static>> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let names = entries.map(|entry| entry.path()).take(MOST_FILES);
    let is_named = |path: &PathBuf| !hashed || path.file_name().is_some_and(is_hash);
    let read = |path: PathBuf| certificates(&path, Strictness::Lenient).unwrap_or_default();
    names.filter(is_named).flat_map(read).collect()
}

fn of_folders(folders: &[&str]) -> Vec<CertificateDer<'static>> {
    folders.iter().flat_map(|folder| in_folder(Path::new(folder), false)).collect()
}

/// `5a7e3f2b.0`
fn is_hash(name: &std::ffi::OsStr) -> bool {
    let name = name.to_str().and_then(|name| name.split_once('.'));
    name.is_some_and(|(hash, number)| {
        hash.len() == 8
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::super::rules;
    use super::*;
    use crate::doctor::variable_file::VariableFile;
    use crate::env::Env;

    fn planned(rules: &NetworkRules, env: &[(&str, &str)], file: &[(&str, &str)]) -> String {
        let env = Env::of(env);
        let values = file.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        let files = vec![VariableFile { path: "/f".into(), values, of_project: false }];
        let plan = plan(rules, &Variables { env: &env, files });
        let source = |source: &AuthoritySource| match source {
            AuthoritySource::System => "system".to_owned(),
            AuthoritySource::Bundle => "bundle".to_owned(),
            AuthoritySource::File(setting) => setting.value.clone(),
            AuthoritySource::Folder { setting, .. } => format!("{}/", setting.value),
        };
        let blind = if plan.blind.is_some() { " blind" } else { "" };
        plan.sources.iter().map(source).collect::<Vec<_>>().join(" ") + blind
    }

    #[test]
    fn each_client_has_its_own_variables_for_authorities() {
        let (codex, claude) = (rules::of(Client::Codex), rules::of(Client::Claude));
        let (_, older) = rules::older(Client::Claude).unwrap();
        for (rules, env, file, expected) in [
            (codex, &[][..], &[][..], "system"),
            (codex, &[("NODE_EXTRA_CA_CERTS", "a")], &[], "system"),
            (codex, &[("CODEX_CA_CERTIFICATE", "a"), ("SSL_CERT_FILE", "b")], &[], "system a"),
            (codex, &[("CODEX_CA_CERTIFICATE", ""), ("SSL_CERT_FILE", "b")], &[], "bundle b"),
            (codex, &[("SSL_CERT_FILE", "")], &[], "system"),
            (codex, &[("SSL_CERT_DIR", "d")], &[], "system d/"),
            (codex, &[], &[("SSL_CERT_FILE", "b")], "bundle b"),
            (codex, &[], &[("CODEX_CA_CERTIFICATE", "a")], "system"),
            (claude, &[], &[], "bundle system"),
            (claude, &[("CODEX_CA_CERTIFICATE", "a")], &[], "bundle system"),
            (claude, &[("NODE_EXTRA_CA_CERTS", "a")], &[], "bundle system a"),
            (
                claude,
                &[("NODE_EXTRA_CA_CERTS", "a")],
                &[("NODE_EXTRA_CA_CERTS", "")],
                "bundle system",
            ),
            (claude, &[], &[("NODE_EXTRA_CA_CERTS", "a")], "bundle system a"),
            (claude, &[("SSL_CERT_FILE", "b")], &[], "bundle system b"),
            (older, &[("SSL_CERT_FILE", "b")], &[], "bundle b"),
            (older, &[("SSL_CERT_FILE", "")], &[], "bundle"),
            (older, &[("SSL_CERT_DIR", "d")], &[], "bundle d/"),
            (claude, &[], &[("SSL_CERT_FILE", "b")], "bundle system"),
            (claude, &[("CLAUDE_CODE_CERT_STORE", "bundled")], &[], "bundle"),
            (claude, &[("CLAUDE_CODE_CERT_STORE", "system")], &[], "system"),
            (claude, &[("CLAUDE_CODE_CERT_STORE", "nonsense")], &[], "bundle system"),
            (claude, &[("CLAUDE_CODE_CERT_STORE", "nonsense,bundled")], &[], "bundle"),
            (claude, &[("NODE_TLS_REJECT_UNAUTHORIZED", " 0")], &[], "bundle system"),
            (claude, &[("NODE_TLS_REJECT_UNAUTHORIZED", "0")], &[], "bundle system blind"),
            (claude, &[], &[("NODE_TLS_REJECT_UNAUTHORIZED", "0")], "bundle system blind"),
            (claude, &[("NODE_TLS_REJECT_UNAUTHORIZED", "1")], &[], "bundle system"),
        ] {
            assert_eq!(planned(rules, env, file), expected, "{env:?} {file:?}");
        }
    }

    #[test]
    fn a_file_that_is_missing_or_empty_matters_as_the_client_takes_it() {
        let (codex, claude) = (rules::of(Client::Codex), rules::of(Client::Claude));
        let (_, older) = rules::older(Client::Claude).unwrap();
        let (missing, empty) = (FileDefect::Missing, FileDefect::Empty);
        for (rules, name, defect, weight) in [
            (codex, "SSL_CERT_FILE", missing, FlawWeight::Fails),
            (codex, "CODEX_CA_CERTIFICATE", empty, FlawWeight::Fails),
            (claude, "NODE_EXTRA_CA_CERTS", missing, FlawWeight::Ignored),
            (claude, "NODE_EXTRA_CA_CERTS", empty, FlawWeight::Ignored),
            (older, "NODE_EXTRA_CA_CERTS", missing, FlawWeight::Ignored),
            (older, "NODE_EXTRA_CA_CERTS", empty, FlawWeight::Fails),
            (claude, "SSL_CERT_FILE", missing, FlawWeight::Ignored),
            (older, "SSL_CERT_FILE", missing, FlawWeight::LosesStore),
            (claude, "NODE_EXTRA_CA_CERTS", FileDefect::Fifo, FlawWeight::Fails),
            (older, "SSL_CERT_FILE", FileDefect::Fifo, FlawWeight::Fails),
        ] {
            assert_eq!(weigh(rules, name, defect), weight, "{name} {defect:?}");
        }
        for strictness in [Strictness::Strict, Strictness::Lenient] {
            let read = |path: &str| certificates(Path::new(path), strictness);
            assert_eq!(read("/no/such/file"), Err(FileDefect::Missing));
            assert_eq!(read("/dev/null"), Err(FileDefect::Unreadable));
            assert_eq!(read("/etc/passwd"), Err(FileDefect::Empty));
        }
    }

    #[test]
    fn products_that_intercept_are_known_by_name() {
        assert!(intercepts("Zscaler Root CA") && intercepts("O=Palo Alto Networks"));
        assert!(!intercepts("GTS Root R4") && !intercepts("E7"));
    }
}
