//! What git's configuration does to a push.

use crate::doctor::table::{Fault, fault, matrix};
use crate::support::sandbox;

pub const ROWS: &[Fault] = &[
    fault("push-target-none", "warn", "no commit is on a branch", |lab| {
        lab.ws.write("src/app/.git/HEAD", format!("{}\n", "0".repeat(40)), 0o644);
        lab.doctor(&["--offline", "--only", "push"])
    }),
    fault("push-target-other", "warn", "the branch tracks another", |lab| {
        let git = |args: &[&str]| lab.ws.git(args).current_dir("src/app").run().success();
        git(&["commit", "--quiet", "--allow-empty", "-m", "x"]);
        let branch = git(&["symbolic-ref", "--short", "HEAD"]).stdout;
        git(&["config", "push.default", "upstream"]);
        git(&["config", "branch.feature.remote", "origin"]);
        git(&["config", "branch.feature.merge", &format!("refs/heads/{}", branch.trim())]);
        git(&["switch", "--quiet", "-c", "feature"]);
        lab.doctor(&["--offline", "--only", "push"])
    }),
    fault(
        "remote-reversed",
        "fail",
        "a rule turns SSH back to HTTPS, and no clone is in view",
        |lab| {
            lab.append(
                ".gitconfig",
                "[url \"https://github.com/Acme/\"]\n\tinsteadOf = git@github.com:acme/\n",
            );
            lab.ws.pushready(&["doctor", "--json", "--only", "push"])
        },
    ),
    fault(
        "remote-push-elsewhere",
        "warn",
        "a rule sends pushes to another repository, and no clone is in view",
        |lab| {
            lab.append(
                ".gitconfig",
                "[url \"git@github.com:acme/other\"]\n\tpushInsteadOf = git@github.com:acme/app\n",
            );
            lab.ws.pushready(&["doctor", "--json", "--only", "push.write"])
        },
    ),
    fault("remote-still-https", "warn", "dotfiles replaced git's configuration", |lab| {
        lab.write(".gitconfig", "[user]\n\tname = Dev\n\temail = dev@example.com\n");
        lab.ws.pushready(&["doctor", "--json", "--offline", "--only", "git.config"])
    }),
    fault("remote-reversed", "fail", "a rule of the clone leads to another host", |lab| {
        for args in [
            ["remote", "set-url", "origin", "git@github.com:acme/app"],
            ["config", "--add", "url.git@gitlab.com:.insteadOf", "git@github.com:"],
        ] {
            lab.ws.git(&args).current_dir("src/app").run().success();
        }
        lab.doctor(&["--only", "git"])
    }),
    fault("git-transport-forbidden", "fail", "an image that allows HTTPS alone", |lab| {
        for (name, value) in [("protocol.allow", "never"), ("protocol.https.allow", "always")] {
            lab.ws.git(&["config", "--global", name, value]).run().success();
        }
        lab.doctor(&["--only", "push"])
    }),
    fault("git-transport-forbidden", "fail", "the clone forbids ssh", |lab| {
        lab.ws
            .git(&["config", "protocol.ssh.allow", "never"])
            .current_dir("src/app")
            .run()
            .success();
        lab.doctor(&["--only", "push"])
    }),
    fault("push.write", "unknown", "the clone names another program for the server", |lab| {
        let program = ["config", "remote.origin.receivepack", "/opt/none/git-receive-pack"];
        lab.ws.git(&program).current_dir("src/app").run().success();
        lab.doctor(&["--only", "push"])
    })
    .entails(&["push-target-other"]),
    fault("remote-reversed", "fail", "a rule for pushes alone, and no clone is in view", |lab| {
        let rule =
            ["config", "--global", "url.https://github.com/.pushInsteadOf", "git@github.com:"];
        lab.ws.git(&rule).run().success();
        lab.ws.pushready(&["doctor", "--json", "--only", "push"])
    }),
    fault(
        "push-option-unsupported",
        "fail",
        "pushes send an option, and nothing was pushed yet",
        |lab| {
            lab.ws.git(&["config", "--global", "push.pushOption", "ci.skip"]).run().success();
            lab.doctor(&["--only", "push"])
        },
    ),
    fault("push-option-unsupported", "fail", "every push is to be signed", |lab| {
        lab.ws.git(&["config", "--global", "push.gpgSign", "true"]).run().success();
        lab.doctor(&["--live", "--only", "push.live"])
    }),
    fault("git-config-invalid", "fail", "core.sshCommand has no value", |lab| {
        lab.append(".gitconfig", "[core]\n\tsshCommand\n");
        lab.doctor(&["--only", "push"])
    }),
];

#[test]
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}
