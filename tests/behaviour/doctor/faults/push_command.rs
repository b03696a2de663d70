//! The command that git starts instead of ssh.

use crate::doctor::table::{Fault, fault, matrix};
use crate::support::{Access, Coder, sandbox};

pub const ROWS: &[Fault] = &[
    fault("ssh-command-broken", "fail", "GIT_SSH_COMMAND does nothing", |lab| {
        lab.doctor(&["--only", "push"]).env("GIT_SSH_COMMAND", "false")
    }),
    fault("ssh-command-broken", "fail", "GIT_SSH_COMMAND is not a program", |lab| {
        lab.doctor(&["--only", "push"]).env("GIT_SSH_COMMAND", "no-such-ssh --quiet")
    }),
    fault("ssh-command-broken", "fail", "GIT_SSH is not a program", |lab| {
        lab.doctor(&["--only", "push"]).env("GIT_SSH", "/nowhere/ssh")
    }),
    fault(
        "ssh-command-broken",
        "fail",
        "GIT_SSH_COMMAND is not a program, and the server refuses too",
        |lab| {
            lab.host
                .refuse_push("acme/app", "ERROR: This repository was archived so it is read-only.");
            lab.doctor(&["--only", "push.write"]).env("GIT_SSH_COMMAND", "/opt/gone/ssh")
        },
    ),
    fault("ssh-command-broken", "fail", "GIT_SSH_COMMAND is set and empty", |lab| {
        lab.doctor(&["--only", "push"]).env("GIT_SSH_COMMAND", "")
    }),
    fault("ssh-command-broken", "fail", "core.sshCommand is set and empty", |lab| {
        lab.ws.git(&["config", "--global", "core.sshCommand", ""]).run().success();
        lab.doctor(&["--only", "push"])
    }),
    fault("ssh-command-broken", "fail", "GIT_SSH is a folder, and the server refuses too", |lab| {
        lab.host.refuse_push("acme/app", "ERROR: This repository was archived so it is read-only.");
        lab.doctor(&["--only", "push.write"]).env("GIT_SSH", "/tmp")
    }),
    fault(
        "ssh-command-broken",
        "fail",
        "GIT_SSH_COMMAND uses the key of another repository",
        |lab| {
            let other = lab.host.deploy_key("acme/elsewhere", Access::Write);
            lab.ws.write("other", &*other.private, 0o600);
            let command =
                "ssh -F none -i ~/other -o IdentitiesOnly=yes -o StrictHostKeyChecking=no";
            lab.doctor(&["--only", "push"]).env("GIT_SSH_COMMAND", command)
        },
    ),
    fault("ssh-command-broken", "fail", "GIT_SSH_COMMAND reads another configuration", |lab| {
        lab.write("elsewhere", "Host *\n  ConnectTimeout 5\n");
        lab.doctor(&["--only", "push"]).env("GIT_SSH_COMMAND", "ssh -F ~/elsewhere")
    }),
    fault(
        "ssh-command-broken",
        "fail",
        "core.sshCommand names a key and no configuration",
        |lab| {
            let command = format!("ssh -i ~/{} -F /dev/null", lab.key_file());
            lab.ws.git(&["config", "--global", "core.sshCommand", &command]).run().success();
            lab.doctor(&["--only", "push"])
        },
    ),
    fault("ssh-port-blocked", "fail", "a wrapper speaks of success where nothing answers", |lab| {
        lab.ws
            .install("talker", "#!/bin/sh\necho 'Already up to date.' >&2\nexec ssh -p 2 \"$@\"\n");
        lab.doctor(&["--only", "push.write"]).env("GIT_SSH_COMMAND", "/run/rig/bin/talker")
    }),
    fault(
        "ssh-command-broken",
        "fail",
        "core.sshCommand does nothing, and a branch was to be pushed",
        |lab| {
            lab.ws.git(&["config", "--global", "core.sshCommand", "false"]).run().success();
            lab.doctor(&["--live", "--only", "push"])
        },
    ),
    fault("ssh-command-broken", "fail", "the wrapper never answers", |lab| {
        lab.doctor(&["--only", "push"]).env("GIT_SSH_COMMAND", "sleep 60; ssh")
    }),
    fault(
        "ssh-command-broken",
        "fail",
        "GIT_SSH_COMMAND is `ssh -n`, and the server lists its refs",
        |lab| lab.doctor(&["--only", "push"]).env("GIT_SSH_COMMAND", "ssh -n"),
    ),
    fault("ssh-command-broken", "fail", "a wrapper of another name does the same", |lab| {
        lab.ws.install("quiet-ssh", "#!/bin/sh\nexec ssh -n \"$@\"\n");
        lab.doctor(&["--only", "push"]).env("GIT_SSH", "/run/rig/bin/quiet-ssh")
    }),
    fault("push.write", "unknown", "a variable says that the command takes no options", |lab| {
        lab.doctor(&["--only", "push.write"]).env("GIT_SSH_VARIANT", "simple")
    }),
    fault("push.read", "unknown", "the configuration says that ssh is plink", |lab| {
        lab.ws.git(&["config", "--global", "ssh.variant", "plink"]).run().success();
        lab.doctor(&["--only", "push.read"])
    }),
    fault(
        "ssh-command-broken",
        "fail",
        "a condition of the user's configuration sets core.sshCommand",
        |lab| {
            lab.write("work.gitconfig", "[core]\n\tsshCommand = false\n");
            lab.ws
                .git(&["config", "--global", "includeIf.gitdir:~/src/.path", "~/work.gitconfig"])
                .run()
                .success();
            lab.doctor(&["--live", "--only", "push"])
        },
    ),
    fault(
        "ssh-command-broken",
        "fail",
        "a condition on the remote, which a shorthand names",
        |lab| {
            lab.write("work.gitconfig", "[core]\n\tsshCommand = false\n");
            for (key, value) in [
                ("includeIf.hasconfig:remote.*.url:work:*.path", "~/work.gitconfig"),
                ("url.git@github.com:acme/.insteadOf", "work:"),
            ] {
                lab.ws.git(&["config", "--global", key, value]).run().success();
            }
            lab.ws
                .git(&["remote", "set-url", "origin", "work:app.git"])
                .current_dir("src/app")
                .run()
                .success();
            lab.doctor(&["--only", "push.write"])
        },
    ),
    fault("ssh-command-broken", "fail", "git gives a wrapper no port", |lab| {
        lab.ws.install("no-g", "#!/bin/sh\n[ \"$1\" != -G ] || exit 1\nexec ssh \"$@\"\n");
        lab.doctor(&["--only", "push", "--repo", "ssh://git@github.com:2222/acme/app.git"])
            .env("GIT_SSH_COMMAND", "no-g")
    }),
    fault(
        "ssh-command-broken",
        "fail",
        "a wrapper is named from the folder, and git runs it from the top",
        |lab| {
            lab.write("src/app/sub/wrapper", "#!/bin/sh\nexec ssh \"$@\"\n");
            lab.ws.set_mode("src/app/sub/wrapper", 0o755);
            lab.doctor(&["--only", "push"])
                .current_dir("/home/coder/src/app/sub")
                .env("GIT_SSH_COMMAND", "./wrapper")
        },
    ),
    fault("gitssh-blocked", "fail", "coderd refuses coder gitssh the key", |lab| {
        lab.ws.install(
            "coder-gitssh",
            "#!/bin/sh\nprintf 'Trace=[get agent git ssh token: ]\\nForbidden.\\nYou do not have it.\\n' >&2\nexit 1\n",
        );
        lab.doctor(&["--only", "push"]).env("GIT_SSH_COMMAND", "coder-gitssh")
    }),
    fault("gitssh-blocked", "fail", "coder gitssh cannot reach coderd", |lab| {
        let coder = Coder::install(None);
        lab.doctor(&["--only", "push"]).env("GIT_SSH_COMMAND", coder.git_ssh_command())
    }),
];

#[test]
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}
