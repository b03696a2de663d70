//! What ssh meets, or is configured to do, on the way to the server.

use crate::doctor::table::{Fault, fault, matrix};
use crate::support::{Access, KeyPair, sandbox};

pub const ROWS: &[Fault] = &[
    fault("ssh-host-unresolved", "fail", "the server's name does not resolve", |lab| {
        lab.doctor(&["--only", "push", "--repo", "git@git.nowhere.example:acme/app.git"])
    }),
    fault("ssh-port-blocked", "fail", "nothing listens on the port", |lab| {
        lab.doctor(&["--only", "push", "--repo", "ssh://git@github.com:9/acme/other.git"])
    }),
    fault("ssh-host-key-unknown", "fail", "no host key is known", |lab| {
        lab.doctor(&["--only", "push", "--repo", "git@git.corp.test:acme/other.git"])
    }),
    fault("ssh-too-many-keys", "fail", "ssh offers seven keys, and the seventh is right", |lab| {
        lab.host
            .user_key("dev", &[("acme/other", Access::Write)])
            .write_to(&lab.ws.home().join(".ssh/k7"));
        let mut config = lab.ws.read(".ssh/config") + "\nHost github.com\n";
        for nth in 1..=7 {
            let file = lab.ws.home().join(format!(".ssh/k{nth}"));
            if nth < 7 {
                KeyPair::generate("stranger").write_to(&file);
            }
            config = format!("{config}  IdentityFile {}\n", file.display());
        }
        lab.write(".ssh/config", &config);
        lab.doctor(&["--only", "push", "--repo", "acme/other"])
    }),
    fault(
        "ssh-host-key-changed",
        "fail",
        "the server has another host key than the pinned one",
        |lab| {
            lab.apply().env("PUSHREADY_KNOWN_HOSTS", "example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIVIC02vnjFyL+I4RHfvIGNtOgJMe769VTF1VR4EB3ZB").run().success();
            lab.doctor(&["--only", "push"])
        },
    ),
    fault(
        "route-binary-gone",
        "fail",
        "the copy that ssh asks is gone, and the server knows no other key",
        |lab| {
            lab.remove(".local/state/pushready/bin/pushready");
            lab.doctor(&["--only", "push"])
        },
    ),
    fault("ssh-route-broken", "fail", "the key that apply installed is gone", |lab| {
        lab.remove(&lab.key_file());
        lab.doctor(&["--only", "keys,ssh,push"])
    }),
    fault("ssh-control-path", "fail", "the folder of the shared connections is missing", |lab| {
        let config = lab.ws.read(".ssh/config");
        let lines = "ControlMaster auto\nControlPath ~/.ssh/masters/%C\n";
        lab.write(".ssh/config", &format!("{lines}{config}"));
        lab.doctor(&["--only", "ssh"])
    }),
    fault("ssh-control-path", "fail", "the path is too long, and only pushes are tested", |lab| {
        let config = lab.ws.read(".ssh/config");
        let path = format!("/tmp/{}", "x".repeat(90));
        lab.write(".ssh/config", &format!("ControlMaster auto\nControlPath {path}\n{config}"));
        lab.doctor(&["--only", "push"])
    }),
    fault("ssh-input-closed", "fail", "ssh gives the server nothing to read", |lab| {
        lab.append(".ssh/config", "\nHost *\n  StdinNull yes\n");
        lab.doctor(&["--only", "push"])
    }),
    fault("ssh-input-closed", "fail", "the same for this host alone", |lab| {
        lab.append(".ssh/config", "\nHost github.com\n  StdinNull yes\n");
        lab.doctor(&["--only", "push"])
    }),
    fault("ssh-input-closed", "fail", "the same through GIT_SSH_COMMAND", |lab| {
        lab.append(".ssh/config", "\nHost *\n  StdinNull yes\n");
        lab.doctor(&["--only", "push"]).env("GIT_SSH_COMMAND", "ssh -4")
    }),
    fault("ssh-input-closed", "fail", "ssh runs no command on the server", |lab| {
        lab.append(".ssh/config", "\nHost *\n  SessionType none\n");
        lab.doctor(&["--only", "push.write"])
    }),
    fault(
        "ssh-proxy-failed",
        "fail",
        "ssh is to go through a program that is not installed",
        |lab| {
            lab.append(".ssh/config", "\nHost *\n  ProxyCommand cloudflared access ssh\n");
            lab.doctor(&["--only", "push"])
        },
    ),
    fault("ssh-output-garbled", "fail", "a LocalCommand greets", |lab| {
        lab.append(
            ".ssh/config",
            "\nHost *\n  PermitLocalCommand yes\n  LocalCommand echo Welcome 00ps\n",
        );
        lab.doctor(&["--only", "push"])
    }),
    fault(
        "ssh-route-broken",
        "fail",
        "the key is of a kind that ssh is configured not to use",
        |lab| {
            lab.append(".ssh/config", "\nHost *\n  PubkeyAcceptedAlgorithms rsa-sha2-512\n");
            lab.doctor(&["--only", "push"])
        },
    ),
];

#[test]
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}
