//! Remotes: the one of a plain push, and where it leads.

use serde_json::json;

use super::Doctor::{Green, NoFailure, Warns};
use super::Git::{PushFails, Works};
use super::{Doctor, Lab, Row, app, row, run};
use crate::support::{Access, sandbox};

const NO_TARGET: Doctor = Warns("push-target-none");
const ELSEWHERE: Doctor = Warns("remote-push-elsewhere");

const ONE: &str = "cd app; git remote rename origin gh; git switch -qc feat
    git push -qf gh :feat 2>/dev/null || true; cd";

const NAMES: &[Row] = &[
    row("the only remote, set up by the push", Works, Green, |lab| {
        lab.sh(ONE);
        lab.sh("git config --global push.autoSetupRemote true");
        app()
    }),
    row("the only remote, and push.default is current", Works, Green, |lab| {
        lab.sh(ONE);
        lab.sh("git config --global push.default current");
        app()
    }),
    row("the only remote, and no upstream", PushFails, NO_TARGET, |lab| {
        lab.sh(ONE);
        app()
    }),
    row("the only remote, and one that has no URL", PushFails, NO_TARGET, |lab| {
        lab.sh(ONE);
        lab.sh("git config --global push.default current
            git config --global remote.origin.prune true");
        app()
    }),
    row("one of two remotes, neither of them origin", PushFails, NO_TARGET, |lab| {
        lab.sh(ONE);
        lab.sh("git config --global push.default current
            git clone -q --bare app up.git; git -C app remote add up ~/up.git");
        app()
    }),
    row("one of two, and remote.pushDefault", Works, Green, |lab| {
        lab.sh(ONE);
        lab.sh("git clone -q --bare app up.git; cd app; git remote add up ~/up.git
            git config remote.pushDefault gh; git config push.default current");
        app()
    }),
    row("a new branch, and pushes go to a fork", Works, NoFailure, |lab| {
        lab.sh("git clone -q --bare app fork.git; cd app; git remote add fork ~/fork.git
            git config remote.pushDefault fork; git switch -qc feat");
        app()
    }),
];

/// There is a key for another repository, with the same history.
fn with_two(lab: &Lab) {
    if !lab.ws.sh("test -e /srv/git/o/two.git").run().status.success() {
        lab.host.repository("o/two");
    }
    let key = |name| lab.host.deploy_key(name, Access::Write).private.to_string();
    let keys = json!({"o/app": key("o/app"), "o/two": key("o/two")});
    lab.ws
        .pushready(&["apply"])
        .env("PUSHREADY_DEPLOY_KEYS", keys.to_string())
        .env("PUSHREADY_KNOWN_HOSTS", lab.host.known_hosts(&["github.com"]))
        .run()
        .success();
    lab.sh("git -C app push -qf git@github.com:o/two.git main");
}

const PLACES: &[Row] = &[
    row("a push URL of another repository", Works, ELSEWHERE, |lab| {
        with_two(lab);
        lab.sh("git -C app config remote.origin.pushurl git@github.com:o/two.git");
        app()
    }),
    row("a rule leads pushes to another repository", Works, ELSEWHERE, |lab| {
        with_two(lab);
        lab.sh("git config --global url.git@github.com:o/two.pushInsteadOf git@github.com:o/app");
        app()
    }),
    row("a second push URL of another repository", Works, ELSEWHERE, |lab| {
        with_two(lab);
        lab.sh("cd app; git config remote.origin.pushurl git@github.com:o/app.git
            git config --add remote.origin.pushurl git@github.com:o/two.git");
        app()
    }),
    row("another remote of another repository", Works, Green, |lab| {
        with_two(lab);
        lab.sh("git -C app remote add two git@github.com:o/two.git");
        app()
    }),
    row("a push URL of the same, in other words", Works, Green, |lab| {
        lab.sh("git -C app config remote.origin.pushurl ssh://git@github.com/O/App");
        app()
    }),
    row("fetches over HTTPS, and pushes over SSH", Works, Green, |lab| {
        lab.sh("cd app; git config remote.origin.url https://github.com/o/app
            git config remote.origin.pushurl git@github.com:o/app.git");
        app()
    }),
];

#[test]
fn the_remote_of_a_plain_push() {
    sandbox(|ws| run(ws, NAMES));
}

#[test]
fn where_a_remote_pushes_to() {
    sandbox(|ws| run(ws, PLACES));
}
