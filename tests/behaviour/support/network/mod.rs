//! A network around the workspace: the providers of the models, gateways that intercept TLS,
//! portals, ports that do not answer, and proxies. All of it on loopback: `/etc/hosts`, the resolver
//! and the system's certificate store belong to the test.

mod authority;
mod provider;
mod proxy;
pub mod resolver;
mod server;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::IsCa;

use super::Workspace;
use super::sandbox::{is_inside, sandbox_of, test_name};
use authority::{Authority, Leaf};
pub use server::Mode;

/// The hosts of both vendors, and one of the company's own.
const HOSTS: &[&str] = &[
    "chatgpt.com",
    "auth.openai.com",
    "api.openai.com",
    "ab.chatgpt.com",
    "api.anthropic.com",
    "platform.claude.com",
    "console.anthropic.com",
    "claude.ai",
    "statsig.anthropic.com",
    "gateway.corp.test",
];
/// Where the authorities' files are.
const FOLDER: &str = "/run/rig/network";
/// Of documents (RFC 3849).
const UNROUTED: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// One request, or one connection that was requested of a proxy.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The server: `good`, `proxy.plain`.
    pub at: String,
    pub method: String,
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// What all servers share.
#[derive(Clone)]
struct Shared {
    log: Arc<Mutex<Vec<Seen>>>,
    /// Connections that were accepted, by server.
    accepted: Arc<Mutex<Vec<String>>>,
    authorities: Arc<Authorities>,
}

struct Authorities {
    public: Authority,
    corp: Authority,
    /// Issued by `corp`.
    issuing: Authority,
    stranger: Authority,
    /// Its certificate does not say that it is an authority.
    no_ca: Authority,
    /// Its certificate says that it is none.
    explicitly_no_ca: Authority,
    expired: Authority,
    /// Issued by `public`.
    expired_issuing: Authority,
    /// A new key under the name of `corp`.
    renewed: Authority,
    /// Servers that are their own issuers, with what a file of authorities has of them.
    alone: [(Leaf, String); 2],
}

impl Authorities {
    fn new() -> Self {
        let [public, corp, stranger] =
            ["Public Root CA", "Zscaler Root CA", "Unheard-of CA"].map(Authority::new);
        Self {
            issuing: corp.intermediate("Zscaler Issuing CA"),
            no_ca: Authority::with("Corp Proxy", |params| params.is_ca = IsCa::NoCa),
            explicitly_no_ca: Authority::with("Corp Server", |params| {
                params.is_ca = IsCa::ExplicitNoCa;
            }),
            expired: Authority::of_years("Corp Root CA 2012", 2012..2022),
            expired_issuing: public.intermediate_with("Public Issuing CA", |params| {
                authority::of_years(params, 2012..2022);
            }),
            renewed: Authority::new("Zscaler Root CA"),
            alone: [false, true].map(|is_ca| Authority::self_signed(HOSTS, is_ca)),
            public,
            corp,
            stranger,
        }
    }

    /// The files of authorities, by name.
    fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let Self {
            public, corp, issuing, no_ca, explicitly_no_ca, expired, renewed, alone, ..
        } = self;
        let [alone, alone_ca] = alone.each_ref().map(|(_, pem)| pem.clone());
        let texts = [
            ("public", public.pem()),
            ("corp", corp.pem()),
            ("issuing", issuing.pem()),
            ("issuing-and-root", issuing.pem() + &corp.pem()),
            ("no-ca", no_ca.pem()),
            ("explicit-no-ca", explicitly_no_ca.pem()),
            ("expired-ca", expired.pem()),
            ("self-signed", alone),
            ("self-signed-ca", alone_ca),
            ("empty", String::new()),
            ("garbage", "no certificate\n".to_owned()),
            ("client", corp.client_pem()),
            ("with-key", corp.key_pem() + &corp.pem()),
            ("bom", format!("\u{feff}{}", corp.pem())),
            ("old-and-renewed", corp.pem() + &renewed.pem()),
            ("renewed-and-old", renewed.pem() + &corp.pem()),
            ("pkcs7", corp.pem().replace(" CERTIFICATE", " PKCS7")),
            ("many", format!("# ours\r\n{}\r\n# theirs\r\n{}", public.pem(), corp.pem())),
            ("trusted", corp.pem().replace(" CERTIFICATE", " TRUSTED CERTIFICATE")),
            (
                "damaged",
                corp.pem() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            ),
        ];
        let texts = texts.map(|(name, text)| (name, text.into_bytes()));
        texts.into_iter().chain([("der", corp.der().to_vec())]).collect()
    }
}

impl Shared {
    fn new() -> Self {
        let authorities = Arc::new(Authorities::new());
        Self { log: Arc::default(), accepted: Arc::default(), authorities }
    }
}

pub struct Network {
    folder: &'static str,
    shared: Shared,
    addresses: Mutex<BTreeMap<String, SocketAddr>>,
    /// Listeners that never accept, with the connections that fill their queues.
    full: Mutex<Vec<(TcpListener, Vec<TcpStream>)>>,
    resolver: Mutex<Option<UdpSocket>>,
}

/// What a situation's network is like.
#[derive(Default)]
pub struct Situation<'a> {
    /// Where the hosts lead, `*` is all others. `None`: the name does not resolve.
    pub hosts: Vec<(&'a str, Option<&'a str>)>,
    /// `public`, `with-corp` or `none`.
    pub store: &'a str,
    /// The resolver does not answer.
    pub dns_dead: bool,
    /// How it answers otherwise: `servfail`, `only-v4`, `portal`; empty: there is none.
    pub resolver: &'a str,
}

/// A sandbox in which names, resolver and certificate store can be changed.
pub fn network_sandbox<F: FnOnce(&Workspace, &Network)>(test: F) {
    let folder = (!is_inside()).then(|| tempfile::tempdir().unwrap());
    let place = |name: &str, text: &str| {
        let path = folder.as_ref().map_or(PathBuf::new(), |folder| folder.path().join(name));
        if folder.is_some() {
            fs::write(&path, text).unwrap();
        }
        path.display().to_string()
    };
    let [hosts, resolver] = [place("hosts", "127.0.0.1 localhost\n"), place("resolv.conf", "")];
    let arguments = [["--bind", &hosts, "/etc/hosts"], ["--bind", &resolver, "/etc/resolv.conf"]];
    let arguments: Vec<&str> = arguments.iter().flatten().copied().collect();
    sandbox_of(test_name::<F>(), &arguments, |ws| test(ws, &Network::start()));
}

/// Where every sandbox has the providers.
const PROVIDERS: ([u8; 4], u16) = ([127, 0, 0, 3], 443);
static ARE_STOPPED: AtomicBool = AtomicBool::new(false);

/// The providers, as far as the doctor asks them, under a certificate that the system trusts.
pub fn serve_providers() {
    let shared = Shared::new();
    trust_everywhere(&shared.authorities.public.pem());
    server::start_until(&shared, "good", PROVIDERS.into(), &ARE_STOPPED);
}

/// Leaves their address to another server.
pub fn stop_providers() {
    ARE_STOPPED.store(true, Ordering::SeqCst);
    while TcpStream::connect(SocketAddr::from(PROVIDERS)).is_ok() {
        std::thread::yield_now();
    }
}

/// Makes an authority the only one in the system's store.
pub fn trust_everywhere(authority: &str) {
    fs::write(BUNDLE, authority).unwrap();
}

impl Network {
    pub fn start() -> Self {
        let shared = Shared::new();
        let folder = Path::new(FOLDER);
        fs::create_dir_all(folder.join("folder")).unwrap();
        fs::create_dir_all(folder.join("names")).unwrap();
        for (name, content) in shared.authorities.files() {
            fs::write(folder.join(format!("{name}.pem")), content).unwrap();
        }
        let corp = &shared.authorities.corp;
        fs::write(folder.join("unreadable.pem"), corp.pem()).unwrap();
        fs::set_permissions(folder.join("unreadable.pem"), Permissions::from_mode(0o000)).unwrap();
        fs::write(folder.join("names/corp.pem"), corp.pem()).unwrap();
        corp.write_hashed(&folder.join("folder"));
        Self {
            folder: FOLDER,
            shared,
            addresses: Mutex::default(),
            full: Mutex::default(),
            resolver: Mutex::default(),
        }
    }

    /// A file of certificates, `missing`, or one of the folders: with hashed names, and with others.
    pub fn ca(&self, name: &str) -> String {
        match name {
            "folder" | "names" => format!("{}/{name}", self.folder),
            _ => format!("{}/{name}.pem", self.folder),
        }
    }

    /// Makes the network so, and forgets what was seen.
    pub fn set(&self, situation: &Situation) {
        let mode = |host: &str| {
            let named = |name: &str| situation.hosts.iter().find(|(known, _)| *known == name);
            named(host).or_else(|| named("*")).map_or(Some("good"), |(_, mode)| *mode)
        };
        let mut hosts = "127.0.0.1 localhost\n".to_owned();
        for host in HOSTS {
            for mode in mode(host).into_iter().flat_map(|modes| modes.split('+')) {
                let address = self.address(mode, 443).ip().to_string();
                hosts.extend([&address, " ", host, "\n"]);
            }
        }
        fs::write("/etc/hosts", hosts).unwrap();
        let dead = Ipv4Addr::new(127, 0, 9, 9);
        let mut resolver = self.resolver.lock().unwrap();
        if situation.dns_dead && resolver.is_none() {
            *resolver = Some(UdpSocket::bind((dead, 53)).unwrap());
        }
        let nameserver = match situation.resolver {
            "" if situation.dns_dead => format!("nameserver {dead}\n"),
            "" => String::new(),
            kind => format!("nameserver {}\n", self.resolver_of(kind)),
        };
        fs::write("/etc/resolv.conf", nameserver).unwrap();
        let Authorities { public, corp, .. } = &*self.shared.authorities;
        let store = match situation.store {
            "none" => None,
            "with-corp" => Some(public.pem() + &corp.pem()),
            _ => Some(public.pem()),
        };
        fs::remove_file(BUNDLE).ok();
        if let Some(store) = store {
            fs::write(BUNDLE, store).unwrap();
        }
        self.forget();
    }

    /// A resolver that answers in this way.
    fn resolver_of(&self, kind: &str) -> IpAddr {
        let mut addresses = self.addresses.lock().unwrap();
        let name = format!("resolver.{kind}");
        if let Some(address) = addresses.get(&name) {
            return address.ip();
        }
        let nth = u8::try_from(addresses.len() + 1).unwrap();
        let address = SocketAddr::from(([127, 0, 3, nth], 53));
        addresses.insert(name, address);
        drop(addresses);
        let server = if kind == "portal" { "captive-200" } else { "good" };
        let server = self.address(server, 443).ip();
        resolver::start(kind, address, server);
        address.ip()
    }

    pub fn forget(&self) {
        self.shared.log.lock().unwrap().clear();
        self.shared.accepted.lock().unwrap().clear();
    }

    /// The requests since the last change.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.log.lock().unwrap().clone()
    }

    /// The connections since the last change, by server.
    pub fn accepted(&self) -> Vec<String> {
        self.shared.accepted.lock().unwrap().clone()
    }

    /// Writes files below the home, filled.
    pub fn write(&self, ws: &Workspace, files: &BTreeMap<String, String>) -> Written {
        let write = |(path, text): (&String, &String)| {
            let old = fs::read(ws.home().join(path)).ok();
            ws.write(path, self.fill(text), 0o600);
            (path.clone(), old)
        };
        Written(files.iter().map(write).collect())
    }

    /// `{proxy.MODE}`, `{hostport.MODE}` and `{ca.NAME}` replaced.
    pub fn fill(&self, text: &str) -> String {
        let mut parts = text.split('{');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let named = part.split_once('}');
            let value = named.and_then(|(name, rest)| Some(self.value(name)? + rest));
            filled += &value.unwrap_or_else(|| format!("{{{part}"));
        }
        filled
    }

    fn value(&self, name: &str) -> Option<String> {
        let hostport = |mode: &str| match mode {
            "noname" => "no-such-proxy.corp.test:3128".to_owned(),
            mode => self.address(&format!("proxy.{mode}"), 3128).to_string(),
        };
        let with_password =
            |password: &str| format!("http://agent:{password}@{}", hostport("auth"));
        Some(match name {
            "proxy-good-password" => with_password(proxy::PASSWORD),
            "proxy-wrong-password" => with_password("wrong-password"),
            _ => match name.split_once('.')? {
                ("proxy", mode) => format!("http://{}", hostport(mode)),
                ("hostport", mode) => hostport(mode),
                ("ca", name) => self.ca(name),
                ("server", mode) => self.address(mode, 443).to_string(),
                _ => return None,
            },
        })
    }

    /// Where the server of this kind listens: started when it is first needed.
    fn address(&self, mode: &str, port: u16) -> SocketAddr {
        let mut addresses = self.addresses.lock().unwrap();
        if let Some(address) = addresses.get(mode) {
            return *address;
        }
        let nth = u8::try_from(addresses.len() + 1).unwrap();
        let address = match mode {
            // no route leads there
            "http-8080" => SocketAddr::from(([127, 0, 1, nth], 8080)),
            "v6-nowhere" => SocketAddr::from((UNROUTED, port)),
            "zero" => SocketAddr::from(([0, 0, 0, 0], port)),
            // one of them in a sandbox
            "v6-good" | "v6-dropped" | "proxy.v6" => SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
            _ => SocketAddr::from(([127, 0, 1, nth], port)),
        };
        addresses.insert(mode.to_owned(), address);
        drop(addresses);
        self.listen(mode, address);
        address
    }

    fn listen(&self, mode: &str, address: SocketAddr) {
        match mode.trim_start_matches("proxy.") {
            "refused" | "nobody" | "v6-nowhere" | "zero" => {}
            "dropped" | "v6-dropped" => self.full.lock().unwrap().push(full(address)),
            _ if mode.starts_with("proxy.") => {
                let target = self.address("good", 443);
                let corp = self.address("corp", 443);
                let block = self.address("corp-block", 443);
                proxy::start(&self.shared, mode, address, [target, corp, block]);
            }
            _ => server::start(&self.shared, mode.trim_start_matches("v6-"), address),
        }
    }

    /// The certificate of the server of this kind, with its key.
    fn leaf(authorities: &Authorities, mode: Mode) -> Leaf {
        let Authorities { public, corp, issuing, stranger, no_ca, expired, .. } = authorities;
        let explicitly_no_ca = &authorities.explicitly_no_ca;
        let alone = |(leaf, _): &(Leaf, String)| Leaf {
            certificate: leaf.certificate.clone(),
            others: Vec::new(),
            key: leaf.key.clone_key(),
        };
        match mode {
            Mode::Corp | Mode::CorpBlock => corp.leaf(HOSTS),
            Mode::CorpExpired => corp.leaf_of_years(HOSTS, 2020..2021),
            Mode::CorpChain => Leaf { others: vec![issuing.der().clone()], ..issuing.leaf(HOSTS) },
            Mode::CorpNoChain => issuing.leaf(HOSTS),
            Mode::CorpSubject => corp.leaf_by_subject("api.anthropic.com"),
            Mode::CorpClient => corp.leaf_of_client(HOSTS),
            Mode::Wildcard => public.leaf(&["*.anthropic.com", "*.com", "*.openai.com"]),
            Mode::ExplicitNoCa => explicitly_no_ca.leaf(HOSTS),
            Mode::NoCa => no_ca.leaf(HOSTS),
            Mode::ExpiredCa => expired.leaf(HOSTS),
            Mode::Expired | Mode::ExpiredDated => public.leaf_of_years(HOSTS, 2020..2021),
            Mode::NotYet | Mode::NotYetDated => public.leaf_of_years(HOSTS, 2090..2091),
            Mode::WrongName => public.leaf(&["portal.hotel.example"]),
            Mode::SelfSigned => alone(&authorities.alone[0]),
            Mode::SelfSignedCa => alone(&authorities.alone[1]),
            Mode::Stranger => stranger.leaf(HOSTS),
            // which of two authorities of one name has issued it, it says
            Mode::Renewed => authorities.renewed.leaf_with(HOSTS, |params| {
                params.use_authority_key_identifier_extension = true;
                authority::of_years(params, 2020..2090);
            }),
            Mode::ExpiredIntermediate => {
                let issuing = &authorities.expired_issuing;
                Leaf { others: vec![issuing.der().clone()], ..issuing.leaf(HOSTS) }
            }
            _ => public.leaf(HOSTS),
        }
    }
}

/// Files that a situation has written, with what was there before.
pub struct Written(Vec<(String, Option<Vec<u8>>)>);

impl Written {
    pub fn restore(self, ws: &Workspace) {
        for (path, old) in self.0 {
            match old {
                Some(old) => ws.write(&path, old, 0o600),
                None => fs::remove_file(ws.home().join(path)).unwrap(),
            }
        }
    }
}

/// A listener whose queue is full: the kernel drops what else wants to connect.
fn full(address: SocketAddr) -> (TcpListener, Vec<TcpStream>) {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = socket(family, SocketType::STREAM, None).unwrap();
    bind(&socket, &address).unwrap();
    listen(&socket, 0).unwrap();
    (TcpListener::from(socket), vec![TcpStream::connect(address).unwrap()])
}
