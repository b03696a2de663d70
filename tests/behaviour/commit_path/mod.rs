//! The commit path: what git does beside what the doctor says before. A row turns red when a new
//! git behaves otherwise.

mod busy;
mod everywhere;
mod found;
mod kinds;
mod more;
mod mounts;
mod objects;
mod others;
mod parts;
mod pushes;
mod ready;
mod remotes;
mod rows;
mod scripts;
mod settings;
mod signing;
mod starts;
mod variables;

use std::collections::BTreeSet;

use crate::doctor::document;
use crate::support::{Access, Cmd, GitHost, Output, Workspace};

/// What git does with `echo x >> f; git add f; git commit -m x; git push`, without a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Git {
    AddFails,
    CommitFails,
    PushFails,
    Works,
    /// git is not started: it would hang, or leave the sandbox's processes running.
    NotTried,
}

/// What the doctor says before.
#[derive(Clone, Copy, Debug)]
enum Doctor {
    Fails(&'static str),
    Warns(&'static str),
    /// An unknown of this check.
    Unknown(&'static str),
    Green,
    /// A warning is allowed.
    NoFailure,
    /// A warning or an unknown of this check.
    Undecided(&'static str),
}

struct Row {
    what: &'static str,
    build: fn(&Lab) -> Where,
    git: Git,
    doctor: Doctor,
}

/// Where and with which variables the doctor and git run.
struct Where {
    folder: String,
    variables: Vec<(&'static str, String)>,
}

const fn row(what: &'static str, git: Git, doctor: Doctor, build: fn(&Lab) -> Where) -> Row {
    Row { what, build, git, doctor }
}

/// In the clone, without any variable.
fn app() -> Where {
    at("app")
}

fn at(folder: &str) -> Where {
    Where { folder: folder.to_owned(), variables: Vec::new() }
}

impl Where {
    fn of(&self, command: Cmd) -> Cmd {
        let command = command.current_dir(&self.folder);
        let variables = self.variables.iter();
        variables.fold(command, |command, (name, value)| command.env(name, value))
    }

    fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }
}

struct Lab<'ws> {
    ws: &'ws Workspace,
    /// The server's repository is restored for each row.
    host: GitHost,
}

impl<'ws> Lab<'ws> {
    fn new(ws: &'ws Workspace) -> Self {
        let host = GitHost::start();
        host.repository("o/app");
        let key = host.deploy_key("o/app", Access::Write);
        ws.write(
            ".gitconfig",
            "[user]\n\tname = Dev\n\temail = dev@example.com\n[init]\n\tdefaultBranch = main\n",
            0o644,
        );
        ws.pushready(&["apply"])
            .env("PUSHREADY_REPOSITORY", "o/app")
            .env("PUSHREADY_DEPLOY_KEY", &*key.private)
            .env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&["github.com"]))
            .run()
            .success();
        let lab = Self { ws, host };
        lab.sh(
            "git clone -q git@github.com:o/app.git app 2>/dev/null && cd app && git switch -qC main
             echo 1 >f && git add f && git commit -qm first && git push -qu origin main",
        );
        lab.sh("cp -a ~ /srv/healthy");
        lab
    }

    /// The home as it was when all was well, and the server's branch with it.
    fn fresh(&self) {
        self.sh("chmod -R u+rwx . ; find . -mindepth 1 -delete; cp -a /srv/healthy/. .
             git -C app push -qf origin main");
    }

    fn sh(&self, script: &str) -> Output {
        let script = format!("set -e\n{script}");
        self.ws.sh(&script).run().success()
    }

    fn doctor(&self, place: &Where) -> Output {
        place.of(self.ws.pushready(&["doctor", "--json", "--only", "git,push,home.writable"])).run()
    }

    fn git(&self, place: &Where) -> (Git, Output) {
        let script = "echo x >>f || true
            timeout 20 git add f || exit 11
            timeout 20 git commit -qm x || exit 12
            timeout 20 git push -q || exit 13";
        let output = place.of(self.ws.sh(script)).run();
        let git = match output.status.code() {
            Some(0) => Git::Works,
            Some(11) => Git::AddFails,
            Some(12) => Git::CommitFails,
            Some(13) => Git::PushFails,
            status => panic!("{status:?}\n{output}"),
        };
        (git, output)
    }
}

impl Row {
    fn judge(&self, output: &Output) -> Vec<String> {
        let report = output.json();
        let checks = report["checks"].as_array().unwrap();
        let of = |status: &str| -> BTreeSet<&str> {
            let of_status = checks.iter().filter(|check| check["status"] == status);
            of_status
                .map(|check| check["code"].as_str().or(check["id"].as_str()).unwrap())
                .collect()
        };
        let (failed, warned, unknown) = (of("fail"), of("warn"), of("unknown"));
        let right = match self.doctor {
            Doctor::Fails(code) => failed.contains(code),
            Doctor::Warns(code) => failed.is_empty() && warned.contains(code),
            Doctor::Unknown(id) => failed.is_empty() && unknown.contains(id),
            Doctor::Green => failed.is_empty() && warned.is_empty() && unknown.is_empty(),
            Doctor::NoFailure => failed.is_empty(),
            Doctor::Undecided(id) => {
                let is_it = |check: &&serde_json::Value| check["id"] == id;
                let status = checks.iter().find(is_it).map(|check| &check["status"]);
                failed.is_empty() && status.is_some_and(|it| it == "warn" || it == "unknown")
            }
        };
        let mut wrong = document::faults(&report);
        if !right {
            wrong.push(format!(
                "expected {:?}: failed {failed:?}, warned {warned:?}, unknown {unknown:?}",
                self.doctor
            ));
        }
        let fixes: String = checks.iter().map(|check| check["fix"].to_string()).collect();
        for forbidden in ["--no-verify", "safe.directory=*", "directory\",\"*"] {
            if fixes.contains(forbidden) {
                wrong.push(format!("a fix names {forbidden}"));
            }
        }
        wrong
    }
}

/// `PUSHREADY_FAULT=TEXT` runs the rows alone whose description contains TEXT.
fn run(ws: &Workspace, rows: &[Row]) {
    let lab = Lab::new(ws);
    let text = std::env::var("PUSHREADY_FAULT").unwrap_or_default();
    let mut wrong = Vec::new();
    for row in rows.iter().filter(|row| row.what.contains(&text)) {
        lab.fresh();
        let place = (row.build)(&lab);
        let doctor = lab.doctor(&place);
        let mut of_row = row.judge(&doctor);
        if row.git != Git::NotTried {
            let (git, output) = lab.git(&place);
            if git != row.git {
                of_row.push(format!("git: expected {:?}, and it was {git:?}\n{output}", row.git));
            }
        }
        println!("{:<70} {:?} {:?} {}", row.what, row.git, row.doctor, of_row.is_empty());
        wrong.extend(of_row.into_iter().map(|what| format!("{}: {what}", row.what)));
    }
    lab.host.behave("o/app");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
