//! How git and git-lfs reach a server over HTTPS: which proxy the real ones ask, in a table, and what
//! the doctor reports of it. No credential arrives.

use std::fs;

use serde_json::Value;

use crate::support::network::{Network, Situation, network_sandbox};
use crate::support::{Access, Cmd, GitHost, Workspace};

/// Settings of git and variables, of which one proxy is asked.
struct Row {
    what: &'static str,
    config: &'static [(&'static str, &'static str)],
    env: &'static [(&'static str, &'static str)],
    /// The proxy that git asks, and git-lfs: `deny` or `ntlm`; empty: none.
    git: &'static str,
    lfs: &'static str,
}

const fn row(
    what: &'static str,
    config: &'static [(&'static str, &'static str)],
    env: &'static [(&'static str, &'static str)],
    [git, lfs]: [&'static str; 2],
) -> Row {
    Row { what, config, env, git, lfs }
}

const A: &str = "{proxy.deny}";
const B: &str = "{proxy.ntlm}";

/// git 2.39 and 2.47 with libcurl, git-lfs 3.3.
const ROWS: &[Row] = &[
    row("nothing", &[], &[], ["", ""]),
    row("https_proxy", &[], &[("https_proxy", A)], ["deny", "deny"]),
    row("HTTPS_PROXY", &[], &[("HTTPS_PROXY", A)], ["deny", "deny"]),
    row("both spellings", &[], &[("https_proxy", A), ("HTTPS_PROXY", B)], ["deny", "ntlm"]),
    row("HTTP_PROXY", &[], &[("HTTP_PROXY", A)], ["", "deny"]),
    row("http_proxy", &[], &[("http_proxy", A)], ["", "deny"]),
    row("ALL_PROXY", &[], &[("ALL_PROXY", A)], ["deny", ""]),
    row("all_proxy before ALL_PROXY", &[], &[("all_proxy", A), ("ALL_PROXY", B)], ["deny", ""]),
    row(
        "HTTPS_PROXY before all_proxy",
        &[],
        &[("all_proxy", B), ("HTTPS_PROXY", A)],
        ["deny", "deny"],
    ),
    row("an empty variable", &[], &[("https_proxy", ""), ("HTTPS_PROXY", A)], ["", "deny"]),
    row("no scheme", &[], &[("HTTPS_PROXY", "{hostport.deny}")], ["deny", "deny"]),
    row("http.proxy", &[("http.proxy", A)], &[("https_proxy", B)], ["deny", "deny"]),
    row(
        "http.URL.proxy before http.proxy",
        &[("http.proxy", B), ("http.https://gateway.corp.test.proxy", A)],
        &[],
        ["deny", "deny"],
    ),
    row(
        "http.URL.proxy of another host",
        &[("http.proxy", A), ("http.https://other.corp.test.proxy", B)],
        &[],
        ["deny", "deny"],
    ),
    row(
        "remote.NAME.proxy before http.URL.proxy",
        &[("http.https://gateway.corp.test.proxy", B), ("remote.origin.proxy", A)],
        &[],
        ["deny", "ntlm"],
    ),
    row("an empty http.proxy", &[("http.proxy", "")], &[("https_proxy", A)], ["", "deny"]),
    row(
        "an empty remote.NAME.proxy",
        &[("http.proxy", A), ("remote.origin.proxy", "")],
        &[],
        ["", "deny"],
    ),
    row("no_proxy", &[], &[("https_proxy", A), ("no_proxy", "corp.test")], ["", ""]),
    row("NO_PROXY", &[], &[("https_proxy", A), ("NO_PROXY", ".corp.test")], ["", ""]),
    row(
        "no_proxy of others",
        &[],
        &[("https_proxy", A), ("no_proxy", "example")],
        ["deny", "deny"],
    ),
    row("*", &[], &[("https_proxy", A), ("no_proxy", "*")], ["", ""]),
    row(
        "no_proxy and http.proxy",
        &[("http.proxy", A)],
        &[("no_proxy", "gateway.corp.test")],
        ["", ""],
    ),
];

const URL: &str = "https://gateway.corp.test/acme/app.git";

fn clone(ws: &Workspace) {
    ws.git(&["init", "-q", "src/app"]).run().success();
    ws.git(&["remote", "add", "origin", URL]).current_dir("src/app").run().success();
    ws.write("src/app/.gitattributes", "*.bin filter=lfs\n", 0o644);
    let filter = ["config", "--global", "filter.lfs.clean", "git-lfs clean -- %f"];
    ws.git(&filter).run().success();
}

/// The proxies that were asked since the network was set.
fn proxies(network: &Network) -> String {
    let seen = network.seen();
    let mut names: Vec<_> = seen.iter().filter_map(|seen| seen.at.strip_prefix("proxy.")).collect();
    names.dedup();
    names.join(" ")
}

impl Row {
    fn run(&self, network: &Network, mut command: Cmd) -> crate::support::Output {
        network.forget();
        for (name, value) in self.env {
            command = command.env(name, network.fill(value));
        }
        command.current_dir("src/app").run()
    }

    fn judge(&self, ws: &Workspace, network: &Network) -> Vec<String> {
        let config = |arguments: &[&str]| {
            ws.git(&[&["config"], arguments].concat()).current_dir("src/app").run().success();
        };
        for (key, value) in self.config {
            config(&[key, &network.fill(value)]);
        }
        self.run(network, ws.git(&["ls-remote", "origin"]).env("GIT_ASKPASS", "false"));
        let git = proxies(network);
        let lfs = ws.git(&["lfs", "locks"]).env("GIT_ASKPASS", "false");
        self.run(network, lfs);
        let lfs = proxies(network);
        let doctor = |only: &str| {
            let output = self.run(network, ws.pushready(&["doctor", "--json", "--only", only]));
            let found = output.json()["checks"][0].clone();
            (proxies(network), found)
        };
        let (asked, found) = doctor("push.write");
        let (lfs_asked, lfs_found) = doctor("git.lfs");
        for (key, _) in self.config {
            config(&["--unset-all", key]);
        }
        let code = |proxy: &str| {
            let code = if proxy.is_empty() { "git-unreachable" } else { "git-proxy-refused" };
            Value::from(code)
        };
        println!("{:<42} git: {git:<5} git-lfs: {lfs}", self.what);
        let mut wrong = Vec::new();
        let mut expect = |what: &str, is_right: bool, shown: String| {
            if !is_right {
                wrong.push(format!("{}: {what}: {shown}", self.what));
            }
        };
        expect("git", git == self.git, git.clone());
        expect("git-lfs", lfs == self.lfs, lfs.clone());
        expect("the doctor's git", asked == self.git, asked);
        expect("its code", found["code"] == code(self.git), format!("{found:#}"));
        expect("the doctor's git-lfs", lfs_asked == self.lfs, lfs_asked);
        expect("its code", lfs_found["code"] == code(self.lfs), format!("{lfs_found:#}"));
        wrong
    }
}

#[test]
fn git_and_git_lfs_take_the_proxy_that_the_doctor_asks() {
    network_sandbox(|ws, network| {
        clone(ws);
        network.set(&Situation { hosts: vec![("*", Some("refused"))], ..Situation::default() });
        let wrong: Vec<_> = ROWS.iter().flat_map(|row| row.judge(ws, network)).collect();
        assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// What the doctor says of git-lfs.
fn lfs(ws: &Workspace, env: &[(&str, String)]) -> Value {
    let mut doctor = ws.pushready(&["doctor", "--json", "--only", "git.lfs"]);
    for (name, value) in env {
        doctor = doctor.env(name, value);
    }
    doctor.current_dir("src/app").run().json()["checks"][0].clone()
}

/// The endpoint is the one that git-lfs reads, and no login is sent to it.
#[test]
fn git_lfs_is_asked_without_a_login_at_its_own_server() {
    network_sandbox(|ws, network| {
        clone(ws);
        let good = Situation {
            hosts: vec![("*", Some("refused")), ("gateway.corp.test", Some("gateway"))],
            ..Situation::default()
        };
        network.set(&good);
        ws.write(".netrc", "machine gateway.corp.test login me password canary\n", 0o600);
        ws.git(&["config", "--global", "http.extraHeader", "Authorization: basic canary"]).run();
        ws.git(&["config", "--global", "credential.helper", "!echo password=canary"]).run();
        let found = lfs(ws, &[]);
        assert_eq!((&found["status"], &found["code"]), (&"pass".into(), &Value::Null), "{found:#}");
        let seen = network.seen();
        let paths: Vec<_> = seen.iter().map(|it| it.target.split('?').next().unwrap()).collect();
        assert_eq!(paths, ["/acme/app.git/info/lfs/locks"]);
        for seen in &seen {
            assert_eq!((&*seen.method, seen.headers.get("authorization")), ("GET", None));
        }
        // each of these is another server
        for (file, text) in [
            ("src/app/.lfsconfig", "[lfs]\n\turl = https://claude.ai/lfs\n"),
            ("src/app/.git/more", "[lfs]\n\turl = https://claude.ai/lfs\n"),
            ("src/app/.git/more", "[remote \"origin\"]\n\tlfsurl = https://claude.ai/lfs\n"),
        ] {
            ws.write(file, text, 0o644);
            let include = ["config", "include.path", "more"];
            ws.git(&include).current_dir("src/app").run().success();
            let found = lfs(ws, &[]);
            assert_eq!(found["code"], "git-unreachable", "{text} {found:#}");
            assert!(found["evidence"].to_string().contains("claude.ai/lfs"), "{found:#}");
            fs::remove_file(ws.home().join(file)).unwrap();
        }
        network.set(&Situation { hosts: vec![("*", Some("corp"))], ..Situation::default() });
        let found = lfs(ws, &[]);
        assert_eq!(found["code"], "git-tls-untrusted", "{found:#}");
        let found = lfs(ws, &[("GIT_SSL_CAINFO", network.ca("corp"))]);
        assert_eq!(found["status"], "pass", "{found:#}");
        // without files for git-lfs nothing is asked
        network.forget();
        fs::remove_file(ws.home().join("src/app/.gitattributes")).unwrap();
        assert_eq!(lfs(ws, &[])["status"], "skip");
        assert!(network.seen().is_empty());
    });
}

/// A program in Go ends where it cannot start a thread, and then names no server.
#[test]
fn git_lfs_has_the_memory_that_it_takes() {
    network_sandbox(|ws, network| {
        clone(ws);
        network.set(&Situation { hosts: vec![("*", Some("gateway"))], ..Situation::default() });
        let stub = "#!/bin/sh\nulimit -d >>/tmp/limits\nexec /usr/bin/git-lfs \"$@\"\n";
        ws.install("git-lfs", stub);
        assert_eq!(lfs(ws, &[])["status"], "pass");
        let limits = fs::read_to_string("/tmp/limits").unwrap();
        assert!(limits.lines().all(|limit| limit == "unlimited"), "{limits}");
        ws.install("git-lfs", "#!/bin/sh\necho pthread_create failed >&2\nexit 2\n");
        assert_eq!(lfs(ws, &[])["status"], "unknown");
    });
}

/// git-lfs asks the ssh server for the URL of its server, and not the one that it makes of the
/// remote's: here that is a name of ssh's own configuration, which no resolver knows.
#[test]
fn the_ssh_server_names_the_server_of_git_lfs() {
    network_sandbox(|ws, network| {
        let host = GitHost::start();
        host.repository("acme/app");
        let key = host.deploy_key("acme/app", Access::Write);
        ws.write(".ssh/known_hosts", host.known_hosts(&["forge"]), 0o644);
        key.write_to(&ws.home().join(".ssh/key"));
        let config =
            "Host forge\n\tHostName 127.0.0.1\n\tHostKeyAlias forge\n\tIdentityFile ~/.ssh/key\n";
        ws.write(".ssh/config", config, 0o600);
        host.serve_lfs_at("https://gateway.corp.test");
        clone(ws);
        let url = ["remote", "set-url", "origin", "git@forge:acme/app.git"];
        ws.git(&url).current_dir("src/app").run().success();
        network.set(&Situation {
            hosts: vec![("*", Some("refused")), ("gateway.corp.test", Some("gateway"))],
            ..Situation::default()
        });
        ws.git(&["lfs", "locks"]).current_dir("src/app").env("GIT_ASKPASS", "false").run();
        let asked: Vec<_> = network.seen().iter().map(|it| it.headers["host"].clone()).collect();
        assert!(asked.contains(&"gateway.corp.test".to_owned()), "{asked:?}");
        network.forget();
        let sessions = host.sessions().len();
        let found = lfs(ws, &[]);
        assert_eq!((&found["status"], &found["code"]), (&"skip".into(), &Value::Null), "{found:#}");
        assert!(found.to_string().contains("the ssh server names"), "{found:#}");
        assert_eq!((network.seen().len(), host.sessions().len()), (0, sessions));
        // a URL of the configuration's own is asked
        let own = ["config", "lfs.url", "https://gateway.corp.test/acme/app.git/info/lfs"];
        ws.git(&own).current_dir("src/app").run().success();
        assert_eq!(lfs(ws, &[])["status"], "pass");
    });
}

/// A git before 2.31 reads no settings from the environment: what a clone has of its own is not
/// proven with one, and does not pass.
#[test]
fn an_older_git_cannot_be_given_the_clones_own_proxy() {
    network_sandbox(|ws, network| {
        clone(ws);
        network.set(&Situation { hosts: vec![("*", Some("refused"))], ..Situation::default() });
        let proxy = network.fill(A);
        ws.git(&["config", "http.proxy", &proxy]).current_dir("src/app").run().success();
        let older = "#!/bin/sh\nunset GIT_CONFIG_COUNT\nexec /usr/bin/git \"$@\"\n";
        ws.install("git", older);
        let doctor = ws.pushready(&["doctor", "--json", "--only", "push.write,git.lfs"]);
        let report = doctor.current_dir("src/app").run().json();
        for check in report["checks"].as_array().unwrap() {
            assert_eq!(
                (&check["status"], &check["code"]),
                (&"unknown".into(), &Value::Null),
                "{check:#}"
            );
            assert!(check.to_string().contains("2.31"), "{check:#}");
        }
        assert_eq!(proxies(network), "");
    });
}
