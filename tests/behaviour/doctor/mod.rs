//! The doctor's confusion matrix: each real fault comes out as exactly its code, and a healthy
//! workspace as none.

mod agree;
mod budget;
pub mod document;
mod faults;
mod hostile;
mod live;
mod names;
mod offline;
mod requirements;
mod schemas;
mod table;
mod wait;

use std::collections::BTreeSet;
use std::fs;

use base64ct::{Base64, Encoding as _};

use crate::support::{
    Access, Cmd, Coder, GitHost, KeyPair, Output, Vendors, Workspace, fake_auth, sandbox, schema,
};
use table::findings;

/// A workspace in which everything is well: logins, a writable key, a clone, an author.
struct Lab<'ws> {
    ws: &'ws Workspace,
    host: GitHost,
    key: KeyPair,
    seed: fake_auth::ChatGpt,
    vendors: Option<Vendors>,
}

const URL: &str = "git@github.com:acme/app.git";
/// A copy of the healthy home.
const HEALTHY: &str = "/srv/healthy";

fn token() -> String {
    format!("sk-ant-oat01-{}", "rig".repeat(20))
}

impl<'ws> Lab<'ws> {
    fn new(ws: &'ws Workspace) -> Self {
        let host = GitHost::start();
        host.repository("acme/app");
        host.repository("acme/other");
        let key = host.deploy_key("acme/app", Access::Write);
        let lab = Self { ws, host, key, seed: fake_auth::chatgpt(), vendors: None };
        lab.ws.write(".gitconfig", "[user]\n\tname = Dev\n\temail = dev@example.com\n", 0o644);
        lab.ws.write("work/file", "", 0o644);
        lab.apply().run().success();
        lab.ws.git(&["clone", "--quiet", "https://github.com/acme/app", "src/app"]).run().success();
        lab.ws.cmd("cp").args(["-a", "/home/coder", HEALTHY]).run().success();
        lab
    }

    /// The home as it was when all was well.
    fn fresh(&self) {
        self.host.behave("acme/app");
        self.vendors.iter().for_each(Vendors::behave);
        self.ws.set_mode("", 0o700);
        for entry in fs::read_dir(self.ws.home()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                self.ws.cmd("chmod").args(["-R", "u+rwx"]).arg(&path).run();
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        self.ws.cmd("cp").args(["-a", &format!("{HEALTHY}/."), "/home/coder"]).run().success();
    }

    fn apply(&self) -> Cmd {
        self.ws
            .pushready(&["apply"])
            .env("PUSHREADY_REPOSITORY", "acme/app")
            .env("PUSHREADY_DEPLOY_KEY", &*self.key.private)
            .env("PUSHREADY_KNOWN_HOSTS", self.host.known_hosts(&["github.com"]))
            .env("PUSHREADY_CODEX_AUTH_JSON", self.seed.json())
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token())
            .env("PUSHREADY_TRUSTED_FOLDERS", "~/work")
    }

    /// As an agent would run it: in the clone, without the template's variables.
    fn doctor(&self, arguments: &[&str]) -> Cmd {
        self.ws.pushready(&["doctor", "--json"]).args(arguments).current_dir("src/app")
    }

    fn vendors(&self) -> &Vendors {
        self.vendors.as_ref().unwrap()
    }

    fn write(&self, path: &str, content: &str) {
        self.ws.write(path, content, 0o600);
    }

    fn append(&self, path: &str, content: &str) {
        let old = fs::read_to_string(self.ws.home().join(path)).unwrap_or_default();
        self.ws.write(path, old + content, 0o600);
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.ws.home().join(path)).unwrap();
    }

    fn key_file(&self) -> String {
        let keys = self.ws.home().join(".local/state/pushready/keys");
        let key = fs::read_dir(keys).unwrap().next().unwrap().unwrap().path();
        key.strip_prefix(self.ws.home()).unwrap().to_str().unwrap().to_owned()
    }
}

#[test]
fn a_healthy_workspace_is_all_green() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let output = lab.doctor(&[]).run().success();
        let report = output.json();
        assert_eq!(findings(&report), BTreeSet::new(), "{output}");
        assert_eq!(report["overall"], "pass");
        let receipt: serde_json::Value =
            serde_json::from_str(&ws.read(".local/state/pushready/receipt.json")).unwrap();
        assert_eq!(report["provisioned_at"], receipt["provisioned_at"]);
        let list = ws.run(&["doctor", "--list", "--json"]).success().json();
        let checks = list["checks"].as_array().unwrap().iter();
        let asked = checks.filter(|check| {
            check["depth"] != "live" && !check["id"].as_str().unwrap().starts_with("actions.")
        });
        let asked: serde_json::Value = asked.map(|check| check["id"].clone()).collect();
        assert_eq!(report["requested"], asked);
        let passed = |id: &str| {
            let mut checks = report["checks"].as_array().unwrap().iter();
            checks.any(|check| check["id"] == id && check["status"] == "pass")
        };
        for id in [
            "push.write",
            "push.read",
            "ssh.identity",
            "ssh.route",
            "codex.login",
            "claude.login",
            "git.remotes",
        ] {
            assert!(passed(id), "{id} did not pass\n{output}");
        }
        ws.run(&["doctor", "--short"]).success().stdout_has("READY");
        // nothing is repaired, and nothing but the verdict is written
        let before = ws.snapshot();
        lab.doctor(&["--offline"]).run().success();
        let written = before.written(&ws.snapshot());
        assert!(
            written.iter().all(|path| path.ends_with("doctor.json") || path.ends_with("pushready")),
            "{written:?}"
        );
    });
}

/// The one check of this kind, on the repository with a key.
fn check(output: &Output, id: &str) -> serde_json::Value {
    let report = output.json();
    let mut checks = report["checks"].as_array().unwrap().iter();
    let is_it = |check: &&serde_json::Value| check["id"] == id && check["subject"] == URL;
    checks.find(is_it).unwrap_or_else(|| panic!("no {id}\n{output}")).clone()
}

/// What a label of the evidence says.
fn evidence<'a>(check: &'a serde_json::Value, label: &str) -> &'a str {
    let mut evidence = check["evidence"].as_array().unwrap().iter();
    let found = evidence.find(|line| line["label"] == label);
    found.map_or("", |line| line["value"].as_str().unwrap())
}

/// Which ssh git starts is told, and what another process of the workspace would get.
#[test]
fn each_way_to_start_ssh_is_probed() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let coder = Coder::install(None);
        let write = |doctor: Cmd| check(&doctor.run(), "push.write");
        let doctor = || lab.doctor(&["--only", "push"]);
        let told = |check: &serde_json::Value| {
            let [by, otherwise] =
                ["ssh configured by", "alternative"].map(|label| evidence(check, label).to_owned());
            (check["status"].as_str().unwrap().to_owned(), by, otherwise)
        };
        let expect =
            |status: &str, by: &str, otherwise: &str| (status.into(), by.into(), otherwise.into());
        assert_eq!(told(&write(doctor())), expect("pass", "", ""));
        let gitssh = coder.git_ssh_command();
        assert_eq!(
            told(&write(doctor().env("GIT_SSH_COMMAND", &*gitssh))),
            expect("fail", "GIT_SSH_COMMAND", "with plain ssh it works")
        );
        ws.install("my-ssh", "#!/bin/sh\nexec ssh \"$@\"\n");
        assert_eq!(
            told(&write(doctor().env("GIT_SSH", "my-ssh"))),
            expect("pass", "GIT_SSH", "with plain ssh it works")
        );
        // git gives one that knows no options none
        ws.install("simple", "#!/bin/sh\ncase $1 in -*) exit 64;; esac\nexec ssh \"$1\" \"$2\"\n");
        ws.git(&["ls-remote", URL]).env("GIT_SSH", "simple").run().success();
        assert_eq!(
            told(&write(doctor().env("GIT_SSH", "simple"))),
            expect("pass", "GIT_SSH", "with plain ssh it works")
        );
        ws.git(&["config", "--global", "core.sshCommand", "false"]).run().success();
        assert_eq!(
            told(&write(doctor().env("GIT_SSH_COMMAND", "ssh"))),
            expect("pass", "GIT_SSH_COMMAND", "with core.sshCommand it does not work")
        );
        assert_eq!(
            told(&write(doctor())),
            expect("fail", "core.sshCommand", "with plain ssh it works")
        );
        // one that plain ssh does no better than is not proven to be at fault
        let elsewhere =
            lab.doctor(&["--only", "push", "--repo", "git@git.nowhere.example:acme/app.git"]);
        let report = elsewhere.env("GIT_SSH_COMMAND", "exit 3;").run().success().json();
        let mut checks = report["checks"].as_array().unwrap().iter();
        let silent =
            checks.find(|check| check["id"] == "push.write" && check["subject"] != URL).unwrap();
        assert_eq!(
            (&silent["status"], &silent["code"]),
            (&"unknown".into(), &"push-unrecognized".into())
        );
        let summary = silent["summary"].as_str().unwrap();
        assert!(summary.contains("printed nothing, and ended with status 3"), "{silent}");
        // the clone's own, and what a setting of the user's own says of that clone alone
        lab.fresh();
        ws.git(&["config", "core.sshCommand", "ssh -v"]).current_dir("src/app").run().success();
        assert_eq!(
            told(&write(doctor())),
            expect("unknown", "core.sshCommand of the clone", "with plain ssh it works")
        );
        assert_eq!(
            told(&write(doctor().env("GIT_SSH_COMMAND", "ssh"))),
            expect("pass", "GIT_SSH_COMMAND", "")
        );
    });
}

/// git's rules lead to an alias there, and so does the probe.
#[test]
fn where_ssh_cannot_ask_the_alias_is_probed() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let nologin = |cmd: Cmd| cmd.env("SHELL", "/usr/sbin/nologin");
        nologin(lab.apply()).run().success().stdout_has("host aliases");
        let output = nologin(lab.doctor(&[])).run().success();
        assert_eq!(findings(&output.json()), BTreeSet::new(), "{output}");
        assert_eq!(check(&output, "push.write")["status"], "pass");
        assert_eq!(check(&output, "ssh.route")["status"], "pass");
    });
}

/// What apply had to refuse, and a check sees as well, is one fault: told by the check, which knows
/// more of it.
#[test]
fn a_fault_that_apply_met_is_told_once() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let told = |code: &str| {
            let report = lab.doctor(&["--offline"]).run().fails(1).json();
            let checks = report["checks"].as_array().unwrap().iter();
            let of_code = checks
                .filter(|check| check["code"] == code)
                .map(|check| check["id"].as_str().unwrap());
            of_code.map(str::to_owned).collect::<Vec<_>>()
        };
        lab.apply().env("PUSHREADY_CLAUDE_TOKEN_CREATED", "2024-01-31").run().fails(1);
        assert_eq!(told("claude-token-expired"), ["claude.login"]);
        lab.fresh();
        lab.append(".gitconfig", "[broken\n");
        lab.append("src/app/.git/config", "[broken\n");
        lab.apply().run().fails(1).stdout_has("git-config-invalid clone ~/src/app");
        assert_eq!(told("git-config-invalid"), ["git.config"]);
        // what no check sees is told as apply's
        lab.ws.write(".gitconfig", "[user]\n\tname = D\n\temail = d@example.com\n", 0o600);
        let output = ws.run(&["doctor", "--json", "--offline"]).fails(1);
        let mut checks = output.json()["checks"].as_array().unwrap().clone().into_iter();
        let clone = checks.find(|check| check["code"] == "git-config-invalid").unwrap();
        assert_eq!(
            (&clone["id"], &clone["subject"]),
            (&"home.provisioned".into(), &"clone ~/src/app".into())
        );
    });
}

/// A start script is red for what is required alone, and not because the forge has a bad day.
#[test]
fn only_what_is_required_is_red() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let read_only = lab.host.deploy_key("acme/app", Access::Read);
        let apply = || lab.apply().env("PUSHREADY_DEPLOY_KEY", &*read_only.private);
        apply().run().success();
        let short = |require: &str| {
            let doctor =
                ws.pushready(&["doctor", "--required", "--short", "--only", "home,codex,ssh,push"]);
            doctor.env("PUSHREADY_REQUIRE", require)
        };
        let begins = |output: &Output, verdict: &str| {
            assert!(
                output.stdout.starts_with(verdict) && output.stdout.lines().count() == 1,
                "{output}"
            );
        };
        let fault = "push-key-read-only git@github.com:acme/app.git";
        let output = short("codex").run().success().stdout_has(&format!("not required: {fault}"));
        begins(&output, "READY not required");
        let output = short("codex,push:Acme/App").run().fails(1);
        begins(&output, &format!("NOT READY {fault} (give the deploy key write access"));
        let output = short("").run().success().stdout_has(fault);
        begins(&output, "NOTHING REQUIRED WAS CHECKED");
        // what the receipt requires counts in a shell without the variable
        apply().env("PUSHREADY_REQUIRE", "push:acme/app").run().success();
        ws.run(&["doctor", "--required", "--short"]).fails(1);

        // nothing listens there
        let unreachable = |require: &str| short(require).env("GIT_SSH_COMMAND", "ssh -p 9");
        let output = unreachable("push:acme/app").run().success();
        begins(&output, "UNKNOWN ssh-port-blocked git@github.com:acme/app.git");
        // reading and writing fail by one fault: it is told once
        assert_eq!(output.stdout.matches("ssh-port-blocked").count(), 1, "{output}");
        let text = ws.pushready(&["doctor"]).env("GIT_SSH_COMMAND", "ssh -p 9").run().fails(1);
        assert_eq!(text.stdout.matches("FAIL    ssh-port-blocked").count(), 1, "{text}");
        assert!(text.stdout.contains("checks: push.read, push.write"), "{text}");
        begins(&unreachable("codex").run().success(), "READY");
        unreachable("push:acme/app").arg("--strict").run().fails(1);

        // and so does the last verdict, by which a probe takes agents out of service
        let doctor = |require: &str, ssh: &str| {
            let doctor = ws
                .pushready(&["doctor", "--required", "--short"])
                .env("PUSHREADY_REQUIRE", require);
            doctor.env("GIT_SSH_COMMAND", ssh).run()
        };
        let fails = |list: &str, what: &str| {
            let output = ws.run(&["status", "--json"]);
            let json = output.json();
            assert_eq!(json["ready"], list != "not_ready", "{output}");
            assert!(json[list].as_array().unwrap().iter().any(|item| item == what), "{output}");
        };
        let blocked = "ssh-port-blocked git@github.com:acme/app.git";
        doctor("push:acme/app", "ssh -p 9").success();
        fails("unproven", blocked);
        ws.run(&["status"]).success().stdout_has(&format!("ready · unproven: {blocked}"));
        apply().env("PUSHREADY_REQUIRE", "codex").run().success();
        doctor("codex", "ssh").success();
        fails("not_required", fault);
        ws.run(&["status"]).success().stdout_has(&format!("ready · not required: {fault}"));
        doctor("push:acme/app", "ssh").fails(1);
        fails("not_ready", fault);
        ws.run(&["status"]).fails(1);

        let report = short("codex").arg("--json").run();
        assert_eq!(
            report.status.code(),
            Some(2),
            "--short and --json exclude each other: {report}"
        );
        let json =
            lab.doctor(&["--required"]).env("PUSHREADY_REQUIRE", "codex").run().success().json();
        assert_eq!((&json["overall"], &json["required"]), (&"fail".into(), &"pass".into()));
        let required = |check: &&serde_json::Value| check["required"] == true;
        let checks = json["checks"].as_array().unwrap().iter().filter(required);
        let areas: BTreeSet<_> =
            checks.map(|check| check["id"].as_str().unwrap().split('.').next()).collect();
        assert_eq!(areas, BTreeSet::from([Some("codex"), Some("home")]));
    });
}

/// The first check that ended so.
fn first<'a>(report: &'a mut serde_json::Value, status: &str) -> &'a mut serde_json::Value {
    let checks = report["checks"].as_array_mut().unwrap();
    checks.iter_mut().find(|check| check["status"] == status).unwrap()
}

/// The schema that is shipped is the judge of what is printed: of a report with every kind of
/// status in it.
#[test]
fn the_report_is_of_its_schema() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.append(".ssh/config", "NoSuchOption yes\n");
        let reports = [
            lab.doctor(&[]).env("ANTHROPIC_API_KEY", "x").env("CODER_SESSION_TOKEN", "x").run(),
            lab.doctor(&["--offline", "--only", "codex"]).env_remove("HOME").run(),
            lab.doctor(&["--only", "home"]).env("CODEX_SANDBOX_NETWORK_DISABLED", "1").run(),
            ws.run(&["doctor", "--json", "--offline"]),
            // nothing can be looked at, which is said in the same form
            lab.doctor(&[]).env("HOME", "/nowhere").run().fails(1),
        ];
        for report in reports {
            assert_eq!(document::faults(&report.json()), Vec::<String>::new(), "{report}");
        }
        // a schema that takes anything would judge nothing
        let good = ws.run(&["doctor", "--json", "--offline"]).json();
        let spoilt = |spoil: fn(&mut serde_json::Value)| {
            let mut report = good.clone();
            spoil(&mut report);
            assert!(schema::fault("doctor", &report).is_some(), "{report:#}");
        };
        // an error alone stands in place of the checks
        spoilt(|report| drop(report.as_object_mut().unwrap().remove("checks")));
        spoilt(|report| first(report, "pass")["code"] = "home-unset".into());
        spoilt(|report| first(report, "pass")["reason"] = "none".into());
        spoilt(|report| first(report, "skip")["reason"] = serde_json::Value::Null);
        spoilt(|report| first(report, "fail")["fix"] = serde_json::Value::Null);
        spoilt(|report| {
            first(report, "fail")["fix"] = serde_json::json!({"kind": "run", "message": "x"});
        });
        spoilt(|report| {
            first(report, "fail")["fix"] =
                serde_json::json!({"kind": "visit", "message": "x", "path": "/"});
        });
        spoilt(|report| {
            first(report, "fail")["fix"] =
                serde_json::json!({"kind": "edit", "message": "x", "argv": ["x"]});
        });
    });
}

/// The judgement has its own scenarios; here it is asked through the binary, without network and
/// without a token.
#[test]
fn actions_are_looked_at_where_they_are_asked_for() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let codes = |output: &serde_json::Value| -> Vec<(String, String)> {
            let checks = output["checks"].as_array().unwrap().iter();
            checks.map(|check| (check["id"].to_string(), check["code"].to_string())).collect()
        };
        ws.write(
            "src/app/.github/workflows/ci.yml",
            "on: push\njobs:\n  build:\n    runs-on: ubuntu-18.04\n    steps: []\n",
            0o644,
        );
        for arguments in [&["add", ".github"][..], &["commit", "--quiet", "--message", "ci"]] {
            ws.git(arguments).current_dir("src/app").run().success();
        }
        let offline = lab.doctor(&["--offline", "--only", "actions"]).run();
        let said = codes(&offline.json());
        assert!(
            said.contains(&(
                "\"actions.workflow-files\"".into(),
                "\"actions-label-retired\"".into()
            )),
            "{offline}"
        );
        // nothing answers here: that is no verdict on anybody
        let online = lab.doctor(&["--only", "actions.runs,actions.status-page"]).run().success();
        assert_eq!(online.json()["overall"], "unknown", "{online}");
        // a rate limit is somebody's: not without being asked
        let whole = lab.doctor(&[]).run().json();
        let said: Vec<_> = whole["checks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|check| check["id"] == "actions.runs")
            .collect();
        assert_eq!((said.len(), &said[0]["status"]), (1, &"skip".into()), "{whole}");
        assert!(said[0]["reason"].as_str().unwrap().contains("--only actions"), "{whole}");
        let without = lab.doctor(&["--skip", "actions"]).run().json();
        assert!(codes(&without).iter().all(|(id, _)| !id.starts_with("\"actions.")), "{without}");
    });
}

/// Whoever mends a key must find it: on the forge's page by its fingerprint, in the workspace by a
/// command.
#[test]
fn what_is_said_of_a_key_names_it() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let read_only = lab.host.deploy_key("acme/app", Access::Read);
        let stranger = KeyPair::generate("x");
        for (key, id, code) in [
            (&read_only, "push.write", "push-key-read-only"),
            (&stranger, "push.write", "ssh-key-refused"),
            (&stranger, "ssh.identity", "ssh-key-refused"),
        ] {
            lab.fresh();
            lab.apply().env("PUSHREADY_DEPLOY_KEY", &*key.private).run().success();
            let found = check(&lab.doctor(&["--only", "ssh,push"]).run().fails(1), id);
            assert_eq!(found["code"], code, "{found:#}");
            assert_eq!(found["fix"]["url"], "https://github.com/acme/app/settings/keys");
            assert_eq!(
                evidence(&found, "installed key"),
                format!("ssh-ed25519 {}", key.fingerprint)
            );
            let print = evidence(&found, "show the public key with");
            let public = ws.sh(print).run().success().stdout;
            assert_eq!(public.split(' ').nth(1), key.public.split(' ').nth(1), "{print}");
        }
        // of a key that ssh does not offer the server knows nothing
        lab.fresh();
        ws.set_mode(&lab.key_file(), 0o644);
        let found = check(&lab.doctor(&["--only", "ssh"]).run().fails(1), "ssh.identity");
        assert_eq!(found["code"], "key-permissions", "{found:#}");
    });
}

/// Whose settings page is where is known of the public forges alone.
#[test]
fn a_page_is_named_where_the_forge_has_it_or_not_at_all() {
    sandbox(|ws| {
        let host = GitHost::start();
        for (repository, page) in [
            (
                "gitlab.com/acme/app",
                Some("https://gitlab.com/acme/app/-/settings/repository#js-deploy-keys-settings"),
            ),
            ("git.corp.test/acme/app", None),
        ] {
            let key = KeyPair::generate("x");
            let apply = ws.pushready(&["apply"]).env("PUSHREADY_REPOSITORY", repository);
            let apply = apply.env("PUSHREADY_DEPLOY_KEY", &*key.private);
            let name = repository.split('/').next().unwrap();
            apply.env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&[name])).run().success();
            let doctor = ws.run(&["doctor", "--json", "--only", "ssh.identity"]).fails(1).json();
            let found = &doctor["checks"][0];
            assert_eq!(
                (&found["code"], found["fix"]["url"].as_str()),
                (&"ssh-key-refused".into(), page),
                "{found:#}"
            );
        }
    });
}

/// An agent's shell has lost the variables; where its secret belongs is known all the same.
#[test]
fn a_lost_login_is_told_with_the_source_that_it_came_from() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        let said = |id: &str| {
            let report = ws
                .pushready(&["doctor", "--json", "--offline", "--only", "codex,claude"])
                .run()
                .json();
            let mut checks = report["checks"].as_array().unwrap().iter();
            let check = checks.find(|check| check["id"] == id && check["status"] == "fail");
            check.unwrap_or_else(|| panic!("{id}\n{report:#}"))["fix"]["message"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let lose = || {
            ws.sh("rm .codex/auth.json .claude/.credentials.json").run().success();
            [said("codex.login"), said("claude.login")]
        };
        ws.write("codex.json", seed.json(), 0o600);
        let apply = ws.pushready(&["apply"]).env("PUSHREADY_CODEX_AUTH_JSON_FILE", "~/codex.json");
        apply
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN_BASE64", Base64::encode_string(token().as_bytes()))
            .run()
            .success();
        let [codex, claude] = lose();
        assert!(codex.contains("PUSHREADY_CODEX_AUTH_JSON_FILE"), "{codex}");
        assert_eq!(claude, "run apply where PUSHREADY_CLAUDE_OAUTH_TOKEN_BASE64 is set");
        ws.run(&["remove"]);

        ws.write(".config/pushready/seed/codex-auth.json", seed.json(), 0o600);
        ws.write(".config/pushready/seed/claude-oauth-token", token(), 0o600);
        ws.run(&["apply"]).success();
        let [codex, claude] = lose();
        assert!(
            codex.contains("seed/codex-auth.json") && codex.contains("coder secret update"),
            "{codex}"
        );
        assert_eq!(claude, "run apply: it reads `~/.config/pushready/seed/claude-oauth-token`");
    });
}

/// A format that this git does not know, a GIT_DIR that leads nowhere: every git command fails
/// there.
#[test]
fn a_clone_in_which_git_does_not_work_is_no_pass() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let config = "src/app/.git/config";
        let before = lab.ws.read(config);
        lab.ws
            .git(&["config", "core.repositoryformatversion", "9"])
            .current_dir("src/app")
            .run()
            .success();
        let broken = lab.doctor(&["--offline", "--only", "git"]).run();
        lab.write(config, &before);
        let elsewhere =
            lab.doctor(&["--offline", "--only", "git"]).env("GIT_DIR", "/nowhere").run();
        for (output, code) in [(broken, "git-too-old"), (elsewhere, "git-environment-broken")] {
            let report = output.json();
            assert_eq!(report["overall"], "fail", "{output}");
            let found = findings(&report);
            assert!(found.contains(&("fail".to_owned(), code.to_owned())), "{found:?}");
        }
        lab.doctor(&["--offline", "--only", "git"]).run().success();
    });
}
