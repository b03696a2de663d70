//! The installed keys, and the configuration of ssh.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::doctor::Lab;
use crate::doctor::table::{Fault, doctor_with_only, fault, matrix};
use crate::support::{KeyPair, sandbox};

const STATE: &str = ".local/state/pushready";

/// Leaves this many bytes of it.
fn copy_of_pushready(lab: &Lab, bytes: usize) {
    let copy = lab.ws.home().join(STATE).join("bin/pushready");
    let whole = fs::read(&copy).unwrap();
    fs::remove_file(&copy).unwrap();
    fs::write(&copy, &whole[..bytes]).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o700)).unwrap();
}

pub const ROWS: &[Fault] = &[
    fault("key-permissions", "fail", "the key is 0644", |lab| {
        lab.ws.set_mode(&lab.key_file(), 0o644);
        lab.doctor(&["--offline"])
    }),
    fault("key-permissions", "fail", "the key is 0000", |lab| {
        lab.ws.set_mode(&lab.key_file(), 0);
        lab.doctor(&["--offline"])
    }),
    fault("key-malformed", "fail", "the file holds another key", |lab| {
        lab.write(&lab.key_file(), &KeyPair::generate("other").private);
        lab.doctor(&["--offline"])
    }),
    fault("key-malformed", "fail", "the key's file is empty", |lab| {
        lab.write(&lab.key_file(), "");
        lab.doctor(&["--offline"])
    }),
    fault("key-encrypted", "fail", "somebody gave the installed key a passphrase", |lab| {
        let key = lab.ws.home().join(lab.key_file());
        lab.ws
            .cmd("ssh-keygen")
            .args(["-q", "-p", "-P", "", "-N", "passphrase", "-f"])
            .arg(&key)
            .run()
            .success();
        // status and apply see it as well
        lab.ws.pushready(&["status"]).run().fails(1).stdout_has("key-encrypted key acme/app");
        lab.ws.pushready(&["apply"]).run().fails(1).stdout_has("key-encrypted key acme/app");
        lab.doctor(&["--offline", "--only", "keys"])
    }),
    fault("ssh-route-broken", "fail", "the key file is gone", |lab| {
        lab.remove(&lab.key_file());
        lab.doctor(&["--offline"])
    }),
    fault("ssh-route-broken", "fail", "the Include line was taken out", |lab| {
        lab.write(".ssh/config", "");
        lab.doctor(&["--offline"])
    }),
    fault("ssh-route-broken", "warn", "another key is offered first", |lab| {
        lab.write(".ssh/mine", &KeyPair::generate("mine").private);
        lab.ws.set_mode(".ssh/mine", 0o600);
        let ours = lab.ws.read(".ssh/config");
        lab.write(".ssh/config", &format!("Host *\n  IdentityFile ~/.ssh/mine\n{ours}"));
        lab.doctor(&["--offline"])
    }),
    fault("ssh-config-invalid", "fail", "a line that ssh does not know", |lab| {
        lab.append(".ssh/config", "NoSuchOption yes\n");
        lab.doctor(&["--offline"])
    }),
    fault("ssh-route-broken", "fail", "a line of our configuration is cut", |lab| {
        lab.write(&format!("{STATE}/ssh_config"), "Host github.com\n  Ide");
        lab.doctor(&["--offline", "--only", "ssh.config"])
    }),
    fault("ssh-route-broken", "fail", "our configuration is 0000", |lab| {
        lab.ws.set_mode(&format!("{STATE}/ssh_config"), 0);
        lab.doctor(&["--offline", "--only", "ssh.config"])
    }),
    fault("route-binary-gone", "fail", "the copy of pushready is empty", |lab| {
        copy_of_pushready(lab, 0);
        lab.doctor(&["--offline"])
    }),
    fault("route-binary-gone", "fail", "the copy of pushready is cut", |lab| {
        copy_of_pushready(lab, 100_000);
        lab.doctor(&["--offline"])
    }),
    fault("ssh-input-closed", "fail", "an option for tunnels is above all hosts", |lab| {
        let ours = lab.ws.read(".ssh/config");
        lab.write(".ssh/config", &format!("{ours}\nHost *\n  StdinNull yes\n"));
        lab.doctor(&["--offline"])
    }),
    fault("ssh-config-permissions", "fail", "the configuration is world-writable", |lab| {
        lab.ws.set_mode(".ssh/config", 0o666);
        lab.doctor(&["--offline"])
    }),
    fault("ssh-known-hosts-poisoned", "warn", "known_hosts has a stranger's key", |lab| {
        let stranger = KeyPair::generate("x").public;
        lab.write(".ssh/known_hosts", &format!("github.com {stranger}\n"));
        lab.doctor(&["--offline"])
    }),
    fault("ssh-missing", "fail", "there is no ssh on PATH", |lab| {
        doctor_with_only(lab, &["git", "sh"])
    }),
];

#[test]
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}
