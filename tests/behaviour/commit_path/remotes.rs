//! Remotes: the one of a plain push, and where it leads.

use serde_json::json;

use super::Doctor::{Fails, Green, NoFailure, Unknown, Warns};
use super::Git::{NotTried, PushFails, Works};
use super::{Doctor, Lab, Row, Where, app, row, run};
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
    row("a new branch, and pushes go to a fork", Works, Green, |lab| {
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
    let key = |name| lab.host.deploy_key(name, Access::Write).private.clone();
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

const NOT_FOUND: Doctor = Fails("push-repository-not-found");

/// Sets the URL of origin. `bare.git` is in the home.
fn leads_to(lab: &Lab, url: &str) -> Where {
    lab.sh("git clone -q --bare app bare.git");
    lab.sh(&format!("git -C app config remote.origin.url '{url}'"));
    app()
}

const PATHS: &[Row] = &[
    row("a path in the home", Works, Green, |lab| leads_to(lab, "~/bare.git")),
    row("a path in the home that is gone", PushFails, NOT_FOUND, |lab| leads_to(lab, "~/gone.git")),
    row("a path with a variable", PushFails, NOT_FOUND, |lab| leads_to(lab, "$HOME/bare.git")),
    row("an owner and a name", PushFails, NOT_FOUND, |lab| leads_to(lab, "o/app")),
    row("a word", PushFails, NOT_FOUND, |lab| leads_to(lab, "DISABLED")),
    row("a push URL against pushes", PushFails, ELSEWHERE, |lab| {
        lab.sh("git -C app config remote.origin.pushurl no/push");
        app()
    }),
    row("a plain folder", PushFails, NOT_FOUND, |lab| {
        lab.sh("mkdir plain");
        leads_to(lab, "/home/coder/plain")
    }),
    row("a plain file", PushFails, NOT_FOUND, |lab| {
        lab.sh("echo x >plain");
        leads_to(lab, "/home/coder/plain")
    }),
    row("a path below the clone", Works, Green, |lab| {
        lab.sh("git clone -q --bare app app/.git/bare.git");
        leads_to(lab, ".git/bare.git")
    }),
    row("a name below the clone", Works, NoFailure, |lab| {
        lab.sh("git clone -q --bare app app/below.git");
        leads_to(lab, "below.git")
    }),
    row("a file URL", Works, Green, |lab| leads_to(lab, "file:///home/coder/bare.git")),
    row("a file URL with a host", Works, Green, |lab| {
        leads_to(lab, "file://localhost/home/coder/bare")
    }),
    row("a file URL of the home", PushFails, NOT_FOUND, |lab| leads_to(lab, "file://~/bare.git")),
    row("a file URL with a coded character", Works, NoFailure, |lab| {
        leads_to(lab, "file:///home/coder/b%61re.git")
    }),
];

const FORBIDDEN: Doctor = Fails("git-transport-forbidden");

const HELPERS: &[Row] = &[
    row("a command, which git does not allow", PushFails, FORBIDDEN, |lab| {
        leads_to(lab, "ext::false")
    }),
    row("a command, which is allowed", PushFails, Unknown("push.target"), |lab| {
        lab.sh("git config --global protocol.ext.allow always");
        leads_to(lab, "ext::false")
    }),
    row("a command, and all protocols are allowed", PushFails, Unknown("push.target"), |lab| {
        lab.sh("git config --global protocol.allow always");
        leads_to(lab, "ext::false")
    }),
    row("a command, and a variable allows others", PushFails, FORBIDDEN, |lab| {
        lab.sh("git config --global protocol.ext.allow always");
        leads_to(lab, "ext::false").env("GIT_ALLOW_PROTOCOL", "ssh:https")
    }),
    row("an open file", NotTried, Unknown("push.target"), |lab| leads_to(lab, "fd::17")),
    row("an open file, not by the user", PushFails, FORBIDDEN, |lab| {
        leads_to(lab, "fd::17").env("GIT_PROTOCOL_FROM_USER", "0")
    }),
    row("an open file, which is forbidden", PushFails, FORBIDDEN, |lab| {
        lab.sh("git config --global protocol.fd.allow never");
        leads_to(lab, "fd::17")
    }),
];

#[test]
fn the_paths_of_remotes() {
    sandbox(|ws| run(ws, PATHS));
}

#[test]
fn the_helpers_of_remotes() {
    sandbox(|ws| run(ws, HELPERS));
}

#[test]
fn the_remote_of_a_plain_push() {
    sandbox(|ws| run(ws, NAMES));
}

#[test]
fn where_a_remote_pushes_to() {
    sandbox(|ws| run(ws, PLACES));
}
