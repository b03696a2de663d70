//! The home itself, and what is in it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use crate::doctor::table::{Fault, fault, matrix};
use crate::support::{fake_auth, sandbox, skip};

pub const ROWS: &[Fault] = &[
    fault("home-unset", "fail", "HOME is not set", |lab| {
        lab.doctor(&["--offline"]).env_remove("HOME")
    })
    .entails(&["remote-still-https", "git-identity-missing"]),
    fault("home-mismatch", "warn", "HOME is not the passwd home", |lab| {
        let other = lab.ws.home().join("elsewhere");
        lab.write("elsewhere/.gitconfig", "[user]\n\tname = D\n\temail = d@example.com\n");
        lab.doctor(&["--offline"]).env("HOME", other)
    })
    .entails(&["not-provisioned"]),
    fault("home-read-only", "fail", "the home is not writable", |lab| {
        lab.ws.set_mode("", 0o500);
        lab.doctor(&["--offline"])
    }),
    fault("home-other-owner", "fail", "HOME is somebody else's folder", |lab| {
        let foreign =
            ["/usr/share", "/var/cache/man", "/var/cache/apt/archives/partial"].into_iter();
        let owner = |folder: &str| fs::metadata(folder).map(|folder| folder.uid());
        // to a sandbox that root starts, what is root's seems to be its own
        let mut foreign = foreign.filter(|folder| owner(folder).is_ok_and(|uid| uid != 1000));
        let home = foreign.next().unwrap_or_else(|| skip("no folder of another user's was found"));
        lab.doctor(&["--offline", "--only", "home"]).env("HOME", home)
    })
    .entails(&["home-read-only", "not-provisioned"]),
    fault("clock-skew", "warn", "Codex's token was issued in an hour from now", |lab| {
        lab.write(
            ".codex/auth.json",
            &fake_auth::ChatGpt { last_refresh: 3600, ..lab.seed.clone() }.json(),
        );
        lab.doctor(&["--offline"])
    }),
    fault("home-unsafe-place", "warn", "known_hosts is a folder", |lab| {
        fs::create_dir(lab.ws.home().join(".ssh/known_hosts")).unwrap();
        lab.doctor(&["--offline"])
    }),
    fault("home-unsafe-place", "fail", "known_hosts is a FIFO", |lab| {
        lab.ws.cmd("mkfifo").arg(lab.ws.home().join(".ssh/known_hosts")).run().success();
        lab.doctor(&["--offline"])
    }),
    fault("home-unsafe-place", "fail", "auth.json is a symlink", |lab| {
        let (place, away) =
            (lab.ws.home().join(".codex/auth.json"), lab.ws.home().join("auth.json"));
        fs::rename(&place, &away).unwrap();
        symlink(away, place).unwrap();
        lab.doctor(&["--offline"])
    }),
    fault("home-unsafe-place", "fail", "anybody may swap Claude Code's login", |lab| {
        lab.ws.set_mode(".claude", 0o777);
        lab.doctor(&["--offline"])
    }),
    fault("network-sandboxed", "unknown", "Codex denies the network", |lab| {
        lab.doctor(&["--only", "home"]).env("CODEX_SANDBOX_NETWORK_DISABLED", "1")
    }),
];

#[test]
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}
