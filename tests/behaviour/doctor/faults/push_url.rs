//! Remotes that lead to the repository by another way than its canonical URL.

use std::collections::BTreeSet;

use crate::doctor::table::{Fault, fault, findings, matrix};
use crate::doctor::{Lab, URL};
use crate::support::sandbox;

fn origin(lab: &Lab, arguments: &[&str]) {
    let set_url = [&["remote", "set-url"], arguments].concat();
    lab.ws.git(&set_url).current_dir("src/app").run().success();
}

/// ssh's configuration as people have it who use several accounts.
fn alias(lab: &Lab) {
    lab.append(".ssh/config", "\nHost github.com-work\n  HostName github.com\n");
    origin(lab, &["origin", "git@github.com-work:acme/app.git"]);
}

pub const ROWS: &[Fault] = &[
    fault("ssh-key-refused", "fail", "the remote logs in as somebody else", |lab| {
        origin(lab, &["origin", "ssh://someone@github.com/acme/app.git"]);
        lab.doctor(&["--only", "push"])
    }),
    fault("ssh-key-refused", "fail", "the push URL alone logs in as somebody else", |lab| {
        origin(lab, &["--push", "origin", "someone@github.com:acme/app.git"]);
        lab.doctor(&["--only", "push"])
    }),
    fault("ssh-port-blocked", "fail", "nothing listens where the second push URL leads", |lab| {
        for url in [URL, "ssh://git@github.com:9/acme/app.git"] {
            origin(lab, &["--add", "--push", "origin", url]);
        }
        lab.doctor(&["--only", "push"])
    }),
    fault(
        "ssh-port-blocked",
        "fail",
        "nothing listens on the port that the remote names, and 22 is open",
        |lab| {
            origin(lab, &["origin", "ssh://git@ssh.github.com:444/acme/app.git"]);
            lab.doctor(&["--only", "push"])
        },
    ),
    fault("remote-still-https", "fail", "the clone pushes over HTTPS past our rules", |lab| {
        lab.ws.git(&["config", "--global", "--unset", "include.path"]).run().success();
        origin(lab, &["origin", "https://github.com/acme/app"]);
        lab.doctor(&["--only", "push"])
    }),
    fault(
        "ssh-host-key-unknown",
        "fail",
        "an alias of the host, for which no host key is known",
        |lab| {
            alias(lab);
            lab.doctor(&["--only", "push"])
        },
    ),
    fault(
        "ssh-key-refused",
        "fail",
        "an alias of the host, for which our routing has no key",
        |lab| {
            alias(lab);
            lab.write(".ssh/known_hosts", &lab.host.known_hosts(&["github.com"]));
            lab.doctor(&["--only", "push"])
        },
    ),
    fault("ssh-key-refused", "fail", "a fork without a key", |lab| {
        lab.host.repository("someone/app");
        origin(lab, &["origin", "git@github.com:someone/app.git"]);
        lab.doctor(&["--only", "push"])
    }),
];

#[test]
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}

/// A URL of another form is not a fault where git gets through with it.
#[test]
fn a_remote_of_another_form_passes_where_a_push_does() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let names = ["github.com", "[ssh.github.com]:443"];
        let apply = lab.apply().env("PUSHREADY_KNOWN_HOSTS", lab.host.known_hosts(&names));
        apply.run().success();
        let passes = |url: &str| {
            origin(&lab, &["origin", url]);
            lab.ws
                .git(&["push", "--dry-run", "origin", "HEAD"])
                .current_dir("src/app")
                .run()
                .success();
            let doctor = lab.doctor(&["--only", "ssh,push,git"]).run().success();
            let report = doctor.json();
            assert_eq!(findings(&report), BTreeSet::new(), "{url}\n{doctor}");
            let mut checks = report["checks"].as_array().unwrap().iter();
            let write = checks.find(|check| check["id"] == "push.write").unwrap();
            assert_eq!((&write["subject"], &write["status"]), (&url.into(), &"pass".into()));
        };
        for url in ["github.com:acme/app.git", "ssh://github.com/acme/app.git"] {
            passes(url);
        }
        // ssh ignores a key file that does not exist
        let config = lab.ws.read(".ssh/config");
        lab.write(".ssh/config", &format!("IdentityFile ~/.ssh/gone\n{config}"));
        passes("git@github.com:acme/app.git");
        // port 22 is closed, as far as ssh is concerned
        lab.append(".ssh/config", "\nHost github.com\n  Port 9\n");
        passes("ssh://git@ssh.github.com:443/acme/app.git");
    });
}

/// Whoever adds a key must know for which repository, and where.
#[test]
fn what_a_refused_remote_takes_is_named() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let refused = || {
            let doctor = lab.doctor(&["--only", "push.write"]).run().fails(1);
            let report = doctor.json();
            let mut checks = report["checks"].as_array().unwrap().iter();
            checks.find(|check| check["status"] == "fail").unwrap().clone()
        };
        origin(&lab, &["origin", "git@github.com:someone/app.git"]);
        let fork = refused();
        assert_eq!(fork["actor"], "template_admin", "{fork:#}");
        assert_eq!(fork["fix"]["url"], "https://github.com/someone/app/settings/keys");
        for text in ["ssh-keygen -t ed25519", "someone/app", "PUSHREADY_DEPLOY_KEYS"] {
            assert!(fork["fix"]["message"].as_str().unwrap().contains(text), "{fork:#}");
        }
        alias(&lab);
        let alias = refused();
        let argv = ["git", "-C", "/home/coder/src/app", "remote", "set-url", "origin", URL];
        assert_eq!(alias["fix"]["argv"], serde_json::json!(argv), "{alias:#}");
    });
}
