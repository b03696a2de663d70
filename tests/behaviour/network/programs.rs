//! Which proxies and authorities the other programs of a workspace take: curl, npm, Node and Python
//! beside git and git-lfs. It is what docs/network.md says of them; the doctor does not ask them.
//!
//! By hand, with npm, python3-requests and, in `target/requests`, a virtual environment with the
//! requests of pip: `cargo test --test behaviour network::programs -- --ignored --nocapture`.

use std::fs;

use crate::support::network::{Network, Situation, network_sandbox};
use crate::support::{CRATE, Cmd, Output, Workspace, require};

const PROGRAMS: [&str; 7] = ["git", "git-lfs", "curl", "npm", "node", "urllib", "requests"];
/// Debian's requests has the system's store instead of a list of its own.
const PIP: &str = "target/requests/bin/python3";

const SERVER: &str = "https://gateway.corp.test/";

/// The question of a program: it ends well where the server is reached.
fn ask(ws: &Workspace, program: &str) -> Cmd {
    let python = |python: &str, script: &str| ws.cmd(python).args(["-c", script]);
    let requests = format!("import requests; requests.get('{SERVER}', timeout=9)");
    let fetch =
        format!("fetch('{SERVER}').catch(e => {{ console.error(e.cause); process.exit(1) }})");
    match program {
        "git" => {
            ws.git(&["ls-remote", "origin"]).current_dir("src/app").env("GIT_ASKPASS", "false")
        }
        "git-lfs" => ws.git(&["lfs", "locks"]).current_dir("src/app").env("GIT_ASKPASS", "false"),
        "curl" => ws.cmd("curl").args(["-sS", SERVER]),
        "npm" => ws.cmd("npm").args([
            "ping",
            "--fetch-retries=0",
            "--no-update-notifier",
            "--registry",
            SERVER,
            // the machine's own may name authorities
            "--globalconfig=/dev/null",
        ]),
        "node" => ws.cmd("node").args(["-e", &fetch]),
        "urllib" => python(
            "/usr/bin/python3",
            &format!("import urllib.request; urllib.request.urlopen('{SERVER}', timeout=9)"),
        ),
        "requests" => python("/usr/bin/python3", &requests),
        _ => python(&format!("{CRATE}/{PIP}"), &requests),
    }
}

/// What none of the programs prints where it has reached a server, whatever the server says.
fn is_untrusted(output: &Output) -> bool {
    let text = output.to_string().to_lowercase();
    [
        "certificate",
        "self-signed",
        "self signed",
        "unable to get",
        "ssl_error",
        "ssl ca cert",
        "tls",
    ]
    .iter()
    .any(|words| text.contains(words))
}

fn filled(network: &Network, mut command: Cmd, env: &[(&str, &str)]) -> Cmd {
    for (name, value) in env {
        command = command.env(name, network.fill(value));
    }
    command
}

const A: &str = "{proxy.deny}";
const B: &str = "{proxy.ntlm}";
const SOCKS: &str = "socks5h://{hostport.socks}";

/// The proxy to which each of [`PROGRAMS`] connects: `deny` is A, `ntlm` B; empty: none.
type Asked = [&'static str; 7];

/// Variables, a file of a program's own, and the proxies.
type ProxyRow = (&'static [(&'static str, &'static str)], (&'static str, &'static str), Asked);

const PROXIES: &[ProxyRow] = &[
    (&[("https_proxy", A)], ("", ""), ["deny", "deny", "deny", "deny", "", "deny", "deny"]),
    (&[("HTTPS_PROXY", A)], ("", ""), ["deny", "deny", "deny", "deny", "", "deny", "deny"]),
    (&[("http_proxy", A)], ("", ""), ["", "deny", "", "", "", "", ""]),
    (&[("HTTP_PROXY", A)], ("", ""), ["", "deny", "", "", "", "", ""]),
    (&[("all_proxy", A)], ("", ""), ["deny", "", "deny", "", "", "", "deny"]),
    (&[("ALL_PROXY", A)], ("", ""), ["deny", "", "deny", "", "", "", "deny"]),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", B)],
        ("", ""),
        ["deny", "ntlm", "deny", "deny", "", "deny", "deny"],
    ),
    (
        &[("https_proxy", A), ("ALL_PROXY", B)],
        ("", ""),
        ["deny", "deny", "deny", "deny", "", "deny", "deny"],
    ),
    (&[("https_proxy", ""), ("HTTPS_PROXY", A)], ("", ""), ["", "deny", "deny", "", "", "", ""]),
    (
        &[("HTTPS_PROXY", ""), ("https_proxy", A)],
        ("", ""),
        ["deny", "deny", "deny", "deny", "", "deny", "deny"],
    ),
    (
        &[("HTTPS_PROXY", "{hostport.deny}")],
        ("", ""),
        ["deny", "deny", "deny", "", "", "deny", "deny"],
    ),
    (
        &[("HTTPS_PROXY", SOCKS)],
        ("", ""),
        ["socks good", "socks good", "socks good", "socks good", "", "socks", ""],
    ),
    (&[("ALL_PROXY", SOCKS)], ("", ""), ["socks good", "", "socks good", "", "", "", ""]),
    (&[("npm_config_https_proxy", A)], ("", ""), ["", "", "", "deny", "", "", ""]),
    (&[("npm_config_proxy", A)], ("", ""), ["", "", "", "deny", "", "", ""]),
    (
        &[("NODE_USE_ENV_PROXY", "1"), ("HTTPS_PROXY", A)],
        ("", ""),
        ["deny", "deny", "deny", "deny", "", "deny", "deny"],
    ),
    (
        &[("HTTPS_PROXY", B)],
        (".curlrc", "proxy = {proxy.deny}\n"),
        ["ntlm", "ntlm", "deny", "ntlm", "", "ntlm", "ntlm"],
    ),
    (
        &[("HTTPS_PROXY", B)],
        (".npmrc", "https-proxy={proxy.deny}\n"),
        ["ntlm", "ntlm", "ntlm", "deny", "", "ntlm", "ntlm"],
    ),
    (
        &[("HTTPS_PROXY", B)],
        (".npmrc", "proxy={proxy.deny}\n"),
        ["ntlm", "ntlm", "ntlm", "deny", "", "ntlm", "ntlm"],
    ),
    (
        &[("HTTPS_PROXY", B)],
        (".gitconfig", "[http]\n\tproxy = {proxy.deny}\n"),
        ["deny", "deny", "ntlm", "ntlm", "", "ntlm", "ntlm"],
    ),
    (
        &[("HTTPS_PROXY", B)],
        (".config/pip/pip.conf", "[global]\nproxy = {proxy.deny}\n"),
        ["ntlm", "ntlm", "ntlm", "ntlm", "", "ntlm", "ntlm"],
    ),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", A), ("NO_PROXY", "gateway.corp.test")],
        ("", ""),
        ["", "", "", "", "", "", ""],
    ),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", A), ("no_proxy", "gateway.corp.test")],
        ("", ""),
        ["", "", "", "", "", "", ""],
    ),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", A), ("NO_PROXY", ".corp.test")],
        ("", ""),
        ["", "", "", "", "", "", ""],
    ),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", A), ("NO_PROXY", "corp.test")],
        ("", ""),
        ["", "", "", "", "", "", ""],
    ),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", A), ("NO_PROXY", "*.corp.test")],
        ("", ""),
        ["deny", "", "deny", "deny", "", "deny", "deny"],
    ),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", A), ("NO_PROXY", "gateway.corp.test:443")],
        ("", ""),
        ["deny", "", "deny", "deny", "", "deny", "deny"],
    ),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", A), ("NO_PROXY", "localhost gateway.corp.test")],
        ("", ""),
        ["", "deny", "", "deny", "", "deny", "deny"],
    ),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", A), ("NO_PROXY", "localhost, gateway.corp.test")],
        ("", ""),
        ["", "", "", "", "", "", ""],
    ),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", A), ("NO_PROXY", "GATEWAY.corp.test")],
        ("", ""),
        ["", "", "", "deny", "", "", ""],
    ),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", A), ("NO_PROXY", "127.0.0.0/8")],
        ("", ""),
        ["deny", "deny", "deny", "deny", "", "deny", "deny"],
    ),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", A), ("NO_PROXY", "*")],
        ("", ""),
        ["", "", "", "deny", "", "", ""],
    ),
    (
        &[
            ("https_proxy", A),
            ("HTTPS_PROXY", A),
            ("no_proxy", "x"),
            ("NO_PROXY", "gateway.corp.test"),
        ],
        ("", ""),
        ["deny", "", "deny", "deny", "", "deny", "deny"],
    ),
    (
        &[("https_proxy", A), ("HTTPS_PROXY", A), ("npm_config_noproxy", "gateway.corp.test")],
        ("", ""),
        ["deny", "deny", "deny", "", "", "deny", "deny"],
    ),
];

fn clone(ws: &Workspace) {
    ws.git(&["init", "-q", "src/app"]).run().success();
    let add = ["remote", "add", "origin", "https://gateway.corp.test/acme/app.git"];
    ws.git(&add).current_dir("src/app").run().success();
}

#[test]
#[ignore = "npm takes a second for each row"]
fn each_program_takes_the_proxy_of_the_page() {
    network_sandbox(|ws, network| {
        for program in ["npm", "curl", "python3"] {
            require(program);
        }
        clone(ws);
        network.set(&Situation { hosts: vec![("*", Some("refused"))], ..Situation::default() });
        let mut wrong = Vec::new();
        for (env, (file, text), expected) in PROXIES {
            if !file.is_empty() {
                ws.write(file, network.fill(text), 0o600);
            }
            let asked = PROGRAMS.map(|program| {
                network.forget();
                filled(network, ask(ws, program), env).run();
                let mut proxies = network.accepted();
                proxies.dedup();
                proxies.join(" ").replace("proxy.", "")
            });
            if !file.is_empty() {
                fs::remove_file(ws.home().join(file)).unwrap();
            }
            println!("{env:?} {file} {text:?} {asked:?}");
            if asked != *expected {
                wrong.push(format!("{env:?} {file} {text:?}: {asked:?}, not {expected:?}"));
            }
        }
        assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// Whether each of [`PROGRAMS`], and requests of pip, trusts the server: `+` it does, `-` not.
type Trusts = &'static str;

/// The server, the system's store, variables, a file, and who trusts the server.
type AuthorityRow = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    (&'static str, &'static str),
    Trusts,
);

const AUTHORITIES: &[AuthorityRow] = &[
    ("good", "public", &[], ("", ""), "+++--++-"),
    ("corp", "public", &[], ("", ""), "--------"),
    ("corp", "with-corp", &[], ("", ""), "+++--++-"),
    ("corp", "public", &[("GIT_SSL_CAINFO", "{ca.corp}")], ("", ""), "++------"),
    ("corp", "public", &[("CURL_CA_BUNDLE", "{ca.corp}")], ("", ""), "--+---++"),
    ("corp", "public", &[("SSL_CERT_FILE", "{ca.corp}")], ("", ""), "-++--+--"),
    ("corp", "public", &[("REQUESTS_CA_BUNDLE", "{ca.corp}")], ("", ""), "------++"),
    ("corp", "public", &[("NODE_EXTRA_CA_CERTS", "{ca.corp}")], ("", ""), "---++---"),
    ("corp", "public", &[("PIP_CERT", "{ca.corp}")], ("", ""), "--------"),
    ("corp", "public", &[("npm_config_cafile", "{ca.corp}")], ("", ""), "---+----"),
    ("corp", "public", &[("CODEX_CA_CERTIFICATE", "{ca.corp}")], ("", ""), "--------"),
    ("good", "public", &[("GIT_SSL_CAINFO", "{ca.corp}")], ("", ""), "+-+--++-"),
    ("good", "public", &[("CURL_CA_BUNDLE", "{ca.corp}")], ("", ""), "++---+--"),
    ("good", "public", &[("SSL_CERT_FILE", "{ca.corp}")], ("", ""), "++----+-"),
    ("good", "public", &[("REQUESTS_CA_BUNDLE", "{ca.corp}")], ("", ""), "+++--+--"),
    ("good", "public", &[("NODE_EXTRA_CA_CERTS", "{ca.corp}")], ("", ""), "+++--++-"),
    ("good", "public", &[("npm_config_cafile", "{ca.corp}")], ("", ""), "+++--++-"),
    ("corp", "public", &[("SSL_CERT_DIR", "{ca.folder}")], ("", ""), "-++--+--"),
    ("good", "public", &[("SSL_CERT_DIR", "{ca.folder}")], ("", ""), "+++--++-"),
    ("good", "public", &[("SSL_CERT_DIR", "/nowhere")], ("", ""), "+++--++-"),
    ("corp", "public", &[("GIT_SSL_CAPATH", "{ca.folder}")], ("", ""), "++------"),
    ("corp", "with-corp", &[("NODE_OPTIONS", "--use-openssl-ca")], ("", ""), "+++--++-"),
    (
        "corp",
        "public",
        &[("NODE_OPTIONS", "--use-openssl-ca"), ("SSL_CERT_FILE", "{ca.corp}")],
        ("", ""),
        "-+++++--",
    ),
    (
        "corp",
        "public",
        &[("npm_config_cafile", "{ca.public}"), ("NODE_EXTRA_CA_CERTS", "{ca.corp}")],
        ("", ""),
        "----+---",
    ),
    ("good", "public", &[("SSL_CERT_FILE", "{ca.missing}")], ("", ""), "++----+-"),
    ("good", "public", &[("CURL_CA_BUNDLE", "{ca.missing}")], ("", ""), "++---+--"),
    ("good", "public", &[("REQUESTS_CA_BUNDLE", "{ca.missing}")], ("", ""), "+++--+--"),
    ("good", "public", &[("NODE_EXTRA_CA_CERTS", "{ca.missing}")], ("", ""), "+++--++-"),
    ("good", "public", &[("GIT_SSL_CAINFO", "{ca.missing}")], ("", ""), "-++--++-"),
    ("corp", "public", &[], (".gitconfig", "[http]\n\tsslCAInfo = {ca.corp}\n"), "++------"),
    ("good", "public", &[], (".gitconfig", "[http]\n\tsslCAInfo = {ca.corp}\n"), "+-+--++-"),
    ("corp", "public", &[], (".npmrc", "cafile={ca.corp}\n"), "---+----"),
    ("corp", "public", &[], (".curlrc", "cacert = {ca.corp}\n"), "--+-----"),
    (
        "corp",
        "public",
        &[("CURL_CA_BUNDLE", "{ca.public}"), ("REQUESTS_CA_BUNDLE", "{ca.corp}")],
        ("", ""),
        "------++",
    ),
    (
        "corp",
        "public",
        &[("SSL_CERT_FILE", "{ca.corp}"), ("CURL_CA_BUNDLE", "{ca.public}")],
        ("", ""),
        "-+---+--",
    ),
];

#[test]
#[ignore = "npm takes a second for each row"]
fn each_program_has_the_authorities_of_the_page() {
    network_sandbox(|ws, network| {
        for program in ["npm", "curl", "python3"] {
            require(program);
        }
        let pip = fs::exists(format!("{CRATE}/{PIP}")).unwrap().then_some("requests of pip");
        clone(ws);
        let mut wrong = Vec::new();
        for (server, store, env, (file, text), expected) in AUTHORITIES {
            network.set(&Situation {
                hosts: vec![("*", Some(server))],
                store,
                ..Situation::default()
            });
            if !file.is_empty() {
                ws.write(file, network.fill(text), 0o600);
            }
            let trusts = PROGRAMS.into_iter().chain(pip).map(|program| {
                network.forget();
                let output = filled(network, ask(ws, program), env).run();
                let is_reached = !network.seen().is_empty();
                assert!(is_reached || is_untrusted(&output), "{program} {output}");
                if is_reached { '+' } else { '-' }
            });
            let trusts: String = trusts.collect();
            if !file.is_empty() {
                fs::remove_file(ws.home().join(file)).unwrap();
            }
            println!("{server:<5} {store:<9} {env:?} {file} {text:?} {trusts}");
            if !expected.starts_with(&trusts) {
                wrong.push(format!("{server} {store} {env:?} {file}: {trusts}, not {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}
