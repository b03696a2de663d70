//! Host keys of the variable and of the seed folder: which hosts they pin, and that they pin no
//! other.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::json;

use crate::support::{Access, Cmd, GitHost, KeyPair, Workspace, sandbox};

const SEED: &str = ".config/pushready/seed/known_hosts";

/// `host KEYTYPE BASE64`, with a key of its own.
fn line(host: &str) -> String {
    let key = KeyPair::generate(host);
    format!("{host} {}", key.public.rsplit_once(' ').unwrap().0)
}

fn apply(ws: &Workspace, lines: &str) -> Cmd {
    ws.pushready(&["apply"]).env("PUSHREADY_KNOWN_HOSTS", lines)
}

/// Whether our file has the line.
fn has(ws: &Workspace, line: &str) -> bool {
    ws.read(".local/state/pushready/known_hosts").lines().any(|known| known == line)
}

/// How ssh treats a host: whether it consults our file, and whether it is strict.
fn treats(ws: &Workspace, host: &str) -> (bool, bool) {
    let options: BTreeMap<_, _> = ws
        .cmd("ssh")
        .args(["-G", host])
        .run()
        .success()
        .stdout
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let ours = options["globalknownhostsfile"].contains("/pushready/known_hosts");
    (ours, options["stricthostkeychecking"] == "true")
}

#[test]
fn the_lines_of_one_source_stay_where_another_is_read_alone() {
    sandbox(|ws| {
        let [variable, newer, seed, later] =
            ["a.corp.test", "b.corp.test", "c.corp.test", "d.corp.test"].map(line);
        ws.write(SEED, &seed, 0o644);
        apply(ws, &variable).run().success();
        assert!(has(ws, &variable) && has(ws, &seed));
        // an agent's shell has lost the variable, and still sees the seed folder
        ws.run(&["apply"]).success().stdout_has("no changes needed");
        assert!(has(ws, &variable) && has(ws, &seed));
        ws.write(SEED, &later, 0o644);
        ws.run(&["apply"]).success();
        assert!(has(ws, &variable) && has(ws, &later) && !has(ws, &seed));
        apply(ws, &newer).run().success();
        assert!(!has(ws, &variable) && has(ws, &newer) && has(ws, &later));
        // one damaged source costs nothing of the other, nor what it brought before
        ws.write(SEED, "damaged\n", 0o644);
        apply(ws, &variable).run().fails(1);
        assert!(has(ws, &variable) && !has(ws, &newer) && has(ws, &later));
    });
}

#[test]
fn marked_lines_and_patterns_pin_the_hosts_that_they_name_and_no_other() {
    sandbox(|ws| {
        let lines = [
            format!("@cert-authority {}", line("*.ca.test")),
            format!("@revoked {}", line("revoked.test")),
            line("*.dev.test,!wild.dev.test"),
            line("[port.test]:2222"),
        ];
        apply(ws, &lines.join("\n")).run().success();
        for (host, expected) in [
            ("git.ca.test", (true, true)),
            ("ca.test", (false, false)),
            // a revoked key must be seen; other keys of that host are the user's business
            ("revoked.test", (true, false)),
            ("git.dev.test", (true, true)),
            ("wild.dev.test", (false, false)),
            ("port.test", (true, true)),
            ("github.com", (true, true)),
            ("elsewhere.test", (false, false)),
        ] {
            assert_eq!(treats(ws, host), expected, "{host}");
        }
    });
}

#[test]
fn a_line_for_every_host_makes_no_host_strict() {
    sandbox(|ws| {
        for every in
            [line("*"), format!("@cert-authority {}", line("*")), format!("@revoked {}", line("*"))]
        {
            apply(ws, &every).run().success();
            assert_eq!(treats(ws, "elsewhere.test"), (true, false), "{every}");
            assert_eq!(treats(ws, "github.com"), (true, true), "{every}");
        }
    });
}

#[test]
fn a_hashed_line_pins_the_keyed_host_that_it_names() {
    sandbox(|ws| {
        let host = GitHost::start();
        host.repository("acme/app");
        let key = host.deploy_key("acme/app", Access::Write);
        let plain = host.known_hosts(&["ghe.corp.test"]);
        let hashed = |plain: &str| {
            std::fs::write("/tmp/known_hosts", plain).unwrap();
            let made = Command::new("ssh-keygen")
                .args(["-q", "-H", "-f", "/tmp/known_hosts"])
                .output()
                .unwrap();
            assert!(made.status.success());
            std::fs::read_to_string("/tmp/known_hosts").unwrap()
        };
        let apply = |lines: &str| {
            apply(ws, lines)
                .env(
                    "PUSHREADY_DEPLOY_KEYS",
                    json!({"ghe.corp.test/acme/app": key.private}).to_string(),
                )
                .run()
                .success()
        };
        let output = apply(&hashed(&plain));
        assert!(!output.stdout.contains("ssh-host-key-unknown"), "{output}");
        assert_eq!(treats(ws, "ghe.corp.test"), (true, true));
        ws.git(&["ls-remote", "git@ghe.corp.test:acme/app.git"]).run().success();
        // one for a host without a key names nobody
        apply(&format!("{}{}", hashed(&plain), hashed(&line("secret.corp.test"))))
            .stdout_has("1 hashed line of known_hosts names no host that has a key here");
    });
}

#[test]
fn a_value_that_is_not_known_hosts_makes_one_line() {
    sandbox(|ws| {
        let key = KeyPair::generate("pasted");
        let output = apply(ws, &key.private).run().fails(1);
        let reported = output.stdout.matches("ssh-host-key-unknown").count();
        // and in the verdict
        assert_eq!(reported, 2, "{output}");
        let lines = key.private.lines().count();
        output
            .stdout_has(&format!("lines 1, 2, 3 and {} more of PUSHREADY_KNOWN_HOSTS", lines - 3));
    });
}

/// ssh looks a host on port 22 up by its bare name: a line for another port says nothing of it.
#[test]
fn a_line_for_another_port_does_not_confirm_the_host() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        for (repository, known, config, is_reported) in [
            ("git.corp.test/acme/app", "[git.corp.test]:2222", "", true),
            ("git.corp.test/acme/app", "git.corp.test", "", false),
            ("ssh://git@git.corp.test:2222/acme/app", "[git.corp.test]:2222", "", false),
            // without one for the port, ssh takes the bare name too
            ("ssh://git@git.corp.test:2222/acme/app", "git.corp.test", "", false),
            (
                "git.corp.test/acme/app",
                "[git.corp.test]:2222",
                "Host git.corp.test\n  Port 2222\n",
                false,
            ),
        ] {
            ws.write(".ssh/config", config, 0o600);
            let output = apply(ws, &line(known))
                .env("PUSHREADY_DEPLOY_KEY", &*key.private)
                .env("PUSHREADY_REPOSITORY", repository)
                .run()
                .success();
            let reported =
                output.stdout.contains("no host key is pinned for git.corp.test at its port");
            assert_eq!(reported, is_reported, "{repository} {known} {config:?}\n{output}");
            ws.run(&["remove"]).success();
        }
    });
}
