//! `--live`: the throw-away branch that is always deleted, and one request through each agent's own
//! client.

use std::fs;

use serde_json::{Value, json};

use super::table::{Fault, fault, matrix, matrix_in};
use super::{Lab, hostile, token};
use crate::github_rig::server::{Reply, Server};
use crate::support::{Clients, Cmd, Output, Vendors, Workspace, canary, sandbox};

/// The server's rules, which no advertisement shows.
pub const RULES: &[Fault] = &[
    fault("push-branch-protected", "fail", "a branch of this name is protected", |lab| {
        refusing(lab, "error: GH006: Protected branch update failed for refs/heads/pushready.")
    }),
    fault("push-rule-violation", "fail", "a rule of the repository", |lab| {
        refusing(lab, "error: GH013: Repository rule violations found for refs/heads/pushready.")
    }),
    fault("push-secret-blocked", "fail", "push protection", |lab| {
        refusing(
            lab,
            "error: GH013: Repository rule violations found\n- GITHUB PUSH PROTECTION\n- Push cannot contain secrets",
        )
    }),
    fault("push-file-too-large", "fail", "a limit of size", |lab| {
        refusing(
            lab,
            "error: GH001: Large files detected. You may want to try Git Large File Storage",
        )
    }),
    fault("push-email-private", "fail", "a private address", |lab| {
        refusing(lab, "error: GH007: Your push would publish a private email address.")
    }),
    fault("push-workflow-scope", "fail", "the token lacks the workflow scope", |lab| {
        refusing(
            lab,
            "refusing to allow an OAuth App to create or update workflow `.github/workflows/ci.yml` without `workflow` scope",
        )
    }),
    fault("push-hook-declined", "fail", "a hook in words of its own", |lab| {
        refusing(lab, "no ticket number in the message of the commit")
    }),
    fault("push-hook-declined", "unknown", "branches of other names alone", |lab| {
        let hook = "#!/bin/sh\nwhile read -r old new ref; do case $ref in refs/heads/main|refs/heads/agent/*) ;;\n\
                    *) echo \"${ref#refs/heads/} is not allowed: use agent/*\" >&2; exit 1;; esac; done\n";
        lab.host.install_hook("acme/app", "pre-receive", hook);
        live(lab)
    }),
    fault("push-rule-violation", "unknown", "new branches are restricted", |lab| {
        refusing(
            lab,
            "error: GH013: Repository rule violations found for refs/heads/pushready.\n\n- Cannot create ref due to creations being restricted.",
        )
    }),
    fault("push-ref-invalid", "unknown", "a branch is in the way of the name", |lab| {
        lab.ws
            .git(&["push", "--quiet", "origin", "HEAD:refs/heads/pushready"])
            .current_dir("src/app")
            .run()
            .success();
        live(lab)
    }),
    fault("push-branch-protected", "warn", "branches may be made, not deleted", undeletable),
];

fn undeletable(lab: &Lab) -> Cmd {
    let hook = "#!/bin/sh\nwhile read -r old new ref; do case $new in *[!0]*) ;; *)\n\
                echo \"error: GH006: Protected branch update failed for $ref. Cannot delete this branch\" >&2; exit 1;;\n\
                esac; done\n";
    lab.host.install_hook("acme/app", "pre-receive", hook);
    live(lab)
}

fn refusing(lab: &Lab, words: &str) -> Cmd {
    lab.host.install_hook(
        "acme/app",
        "pre-receive",
        &format!("#!/bin/sh\necho '{words}' >&2\nexit 1\n"),
    );
    live(lab)
}

fn live(lab: &Lab) -> Cmd {
    lab.doctor(&["--live", "--only", "push"])
}

/// The branches of the server other than `main`.
fn branches(lab: &Lab) -> String {
    let list = [
        "-C",
        "/srv/git/acme/app.git",
        "for-each-ref",
        "--format=%(refname)",
        "refs/heads/pushready",
    ];
    lab.ws.git(&list).run().success().stdout
}

#[test]
fn each_rule_of_the_server_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, RULES));
}

#[test]
fn the_throw_away_branch_is_deleted_or_reported() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let output = live(&lab).run().success();
        assert!(output.stdout.contains("a throw-away branch was pushed and deleted"), "{output}");
        assert_eq!(branches(&lab), "");
        // a branch that could not be deleted is reported
        let report = undeletable(&lab).run().success().json();
        let check = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|check| check["id"] == "push.live")
            .unwrap();
        let left = check["evidence"]
            .as_array()
            .unwrap()
            .iter()
            .find(|line| line["label"] == "branch")
            .unwrap();
        let left = left["value"].as_str().unwrap();
        assert!(branches(&lab).contains(left), "{check:#}");
        // an agent is refused as the doctor was
        assert_eq!(
            (&check["actor"], &check["agent_may_fix"]),
            (&json!("repo_admin"), &json!(false))
        );
        assert!(check["fix"]["message"].as_str().unwrap().contains(left), "{check:#}");
        assert!(check["summary"].as_str().unwrap().contains("could not be deleted"), "{check:#}");
    });
}

pub const ASKPASS: Fault =
    fault("push-no-credentials", "fail", "an askpass that never returns", |_| unreachable!());

/// A proxy or authorities of the clone's own decide for git in it, and receive no credential.
#[test]
fn the_way_of_git_over_https_is_asked_as_the_clone_has_it() {
    sandbox(|ws| {
        let vendors = Vendors::start();
        let lab = Lab::new(ws);
        vendors.reply("chatgpt.com/acme/lib/info/refs", 401, &json!({}));
        let in_clone = |args: &[&str]| lab.ws.git(args).current_dir("src/app").run().success();
        in_clone(&["remote", "add", "lib", "https://chatgpt.com/acme/lib"]);
        push_to_lib(ws);
        // libcurl reads the system's folder of authorities as well
        fs::create_dir_all("/tmp/empty").unwrap();
        let found = |ca: &str| {
            let doctor = lab.doctor(&["--only", "push"]);
            let doctor = doctor.env("GIT_SSL_CAINFO", ca).env("GIT_SSL_CAPATH", "/tmp/empty");
            let report = doctor.run().json();
            let checks = report["checks"].as_array().unwrap();
            let is_lib = |check: &&serde_json::Value| {
                check["id"] == "push.read" && check["subject"].to_string().contains("acme/lib")
            };
            checks.iter().find(is_lib).unwrap().clone()
        };
        let good = vendors.ca();
        let good = good.to_str().unwrap();
        assert_eq!(found(good)["code"], "push-no-credentials");
        let other = "openssl req -x509 -newkey ed25519 -nodes -days 1 -subj /CN=other";
        ws.sh(&format!("{other} -keyout /tmp/other.key -out /tmp/other.pem")).run().success();
        let check = found("/tmp/other.pem");
        assert_eq!(
            (&check["code"], &check["status"]),
            (&json!("git-tls-untrusted"), &json!("fail"))
        );
        assert!(check["evidence"].to_string().contains("GIT_SSL_CAINFO"), "{check:#}");
        for (key, value) in [
            ("http.proxy", "http://127.0.0.1:1"),
            ("http.https://chatgpt.com/.proxy", "http://127.0.0.1:1"),
            ("remote.lib.proxy", "http://127.0.0.1:1"),
            // other users can read the arguments of a process
            ("http.proxy", "http://me:canary@127.0.0.1:1"),
        ] {
            in_clone(&["config", key, value]);
            let spy =
                "#!/bin/sh\nprintf '%s\\n' \"$*\" >>/tmp/arguments\nexec /usr/bin/git \"$@\"\n";
            ws.install("git", spy);
            let check = found(good);
            fs::remove_file("/run/rig/bin/git").unwrap();
            let arguments = fs::read_to_string("/tmp/arguments").unwrap();
            assert!(!arguments.contains("canary"), "{arguments}");
            // once: what write access finds on that way holds for read access
            let asked = arguments.lines().filter(|line| line.contains("acme/lib")).count();
            assert_eq!(asked, 1, "{arguments}");
            fs::remove_file("/tmp/arguments").unwrap();
            assert_eq!(check["code"], "git-proxy-refused", "{key}: {check:#}");
            assert!(check["evidence"].to_string().contains(key), "{check:#}");
            in_clone(&["config", "--unset", key]);
        }
        in_clone(&["remote", "set-url", "lib", "https://git.nowhere.test/acme/lib"]);
        assert_eq!(found(good)["code"], "git-unreachable");
        // nothing of the user's is sent by the way of the clone
        let proxy =
            Server::start(|_| Reply::new(401, "").header("www-authenticate", "Basic realm=git"));
        in_clone(&["config", "http.proxy", &proxy.url()]);
        in_clone(&["remote", "set-url", "lib", "http://git.nowhere.test/acme/lib"]);
        let canary = "canary-of-the-user";
        ws.write(".netrc", format!("default login me password {canary}\n"), 0o600);
        let header = format!("X-Secret: {canary}");
        lab.ws.git(&["config", "--global", "http.extraHeader", &header]).run().success();
        lab.doctor(&["--only", "push"]).run();
        let asked = proxy.requests();
        assert!(!asked.is_empty());
        for request in asked {
            assert!(!format!("{request:?}").contains(canary), "{request:?}");
            assert_eq!(request.headers.get("authorization"), None, "{request:?}");
        }
    });
}

/// A plain `git push` in the clone goes to the remote `lib`: others without a key are not asked.
fn push_to_lib(ws: &Workspace) {
    ws.git(&["config", "remote.pushDefault", "lib"]).current_dir("src/app").run().success();
}

/// `coder gitaskpass` waits for somebody to log in in a browser.
#[test]
fn an_askpass_that_never_returns() {
    sandbox(|ws| {
        let vendors = Vendors::start();
        let lab = Lab::new(ws);
        vendors.reply("chatgpt.com/acme/lib/info/refs", 401, &json!({}));
        let doctor = |askpass: &str| {
            ws.install("askpass", askpass);
            lab.ws
                .git(&["remote", "add", "lib", "https://chatgpt.com/acme/lib"])
                .current_dir("src/app")
                .run();
            push_to_lib(ws);
            lab.doctor(&["--only", "push"])
                .env("GIT_SSL_CAINFO", vendors.ca())
                .env("GIT_ASKPASS", "/run/rig/bin/askpass")
        };
        for (askpass, said) in [
            ("#!/bin/sh\necho $$ >>/tmp/askpass\nexec sleep 600\n", "the askpass never returns"),
            ("#!/bin/sh\nexit 1\n", "git asked for a credential, and nothing could supply one"),
        ] {
            let output = doctor(askpass).run();
            let wrong = ASKPASS.judge(&output);
            assert_eq!(wrong, None, "{}", wrong.as_deref().unwrap_or_default());
            output.stdout_has(said);
        }
        // what the clone has for itself, the doctor does not use, and does not judge
        ws.git(&["config", "http.https://chatgpt.com/.extraheader", "AUTHORIZATION: basic eA=="])
            .current_dir("src/app")
            .run()
            .success();
        let report = doctor("#!/bin/sh\nexit 1\n").run().json();
        let checks = report["checks"].as_array().unwrap().iter();
        let reported: Vec<_> =
            checks.filter(|check| check["code"] == "push-no-credentials").collect();
        assert!(
            !reported.is_empty() && reported.iter().all(|check| check["status"] == "unknown"),
            "{report:#}"
        );
        // and nothing of it is left behind
        for pid in fs::read_to_string("/tmp/askpass").unwrap().lines() {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            assert!(state.is_empty() || state.contains(") Z "), "{state}");
        }
    });
}

/// A page that answers to everything is not a repository, and a server that does not answer is not the
/// askpass's fault.
#[test]
fn what_answers_over_https_may_be_no_git() {
    sandbox(|ws| {
        let vendors = Vendors::start();
        let lab = Lab::new(ws);
        vendors.reply("chatgpt.com/acme/lib/info/refs", 200, &json!("<html>Sign in</html>"));
        let add = |url: &str| {
            ws.git(&["remote", "add", "lib", url]).current_dir("src/app").run().success();
            push_to_lib(ws);
        };
        add("https://chatgpt.com/acme/lib");
        let doctor = || lab.doctor(&["--only", "push"]).env("GIT_SSL_CAINFO", vendors.ca());
        let of_lib = |report: &Value, reported: &str| {
            let checks = report["checks"].as_array().unwrap().iter();
            // the subject of push.target names the clone as well
            let is_lib = |check: &&Value| {
                check["subject"].as_str().unwrap_or_default().ends_with("acme/lib")
            };
            let codes: Vec<_> =
                checks.filter(is_lib).map(|check| [&check["status"], &check["code"]]).collect();
            assert_eq!(codes, [[&json!("unknown"), &json!(reported)]; 2], "{report:#}");
        };
        of_lib(&doctor().run().json(), "push-no-credentials");
        ws.git(&["remote", "remove", "lib"]).current_dir("src/app").run().success();
        let silent = "import socket, time\ns = socket.create_server(('0.0.0.0', 8099))\nprint(flush=True)\ntime.sleep(600)";
        let mut server = ws.cmd("python3").args(["-c", silent]).spawn();
        std::io::Read::read_exact(server.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        add("http://git.corp.test:8099/acme/lib");
        ws.install("askpass", "#!/bin/sh\nexit 1\n");
        of_lib(&doctor().env("GIT_ASKPASS", "/run/rig/bin/askpass").run().json(), "push-timeout");
        server.kill().unwrap();
        server.wait().unwrap();
    });
}

/// What the clients themselves print is the proof.
pub const REQUESTS: &[Fault] = &[
    fault("codex-model-unsupported", "fail", "the server does not offer the model", |lab| {
        let detail =
            "The 'gpt-6.1-sol' model is not supported when using Codex with a ChatGPT account.";
        lab.vendors().reply(CODEX, 400, &json!({"detail": detail}));
        requests(lab)
    }),
    fault("codex-auth-expired", "fail", "the refresh token was used elsewhere", |lab| {
        lab.write(".codex/auth.json", &lab.seed.clone().expired().json());
        let reused = json!({"error": {"message": "used", "type": "invalid_request_error", "code": "refresh_token_reused"}});
        lab.vendors().reply("auth.openai.com/oauth/token", 401, &reused);
        lab.vendors().reply(CODEX, 401, &json!({"error": {"code": "token_expired"}}));
        requests(lab)
    }),
    fault("claude-token-expired", "fail", "Anthropic knows the token as expired", |lab| {
        let message =
            "OAuth token has expired. Please obtain a new token or refresh your existing token.";
        lab.vendors().reply(CLAUDE, 401, &refusal("authentication_error", message));
        requests(lab)
    }),
    fault("claude-account-refused", "fail", "the organization forbids subscriptions", |lab| {
        let message = "Your organization has disabled Claude subscription access for Claude Code";
        lab.vendors().reply(CLAUDE, 403, &refusal("permission_error", message));
        requests(lab)
    }),
    fault("codex-account-refused", "fail", "the region is not served", |lab| {
        let error = json!({"error": {"code": "unsupported_country_region_territory",
            "message": "Country, region, or territory not supported"}});
        lab.vendors().reply(CODEX, 403, &error);
        requests(lab)
    }),
    fault("clock-skew", "warn", "the server's clock shows an hour later", |lab| {
        lab.vendors().tell_time(3600);
        let doctor =
            lab.doctor(&["--only", "home"]).env("CODER_AGENT_URL", "https://platform.claude.com/");
        doctor.env("SSL_CERT_FILE", lab.vendors().ca())
    }),
];

const CODEX: &str = "chatgpt.com/backend-api/codex/responses";
const CLAUDE: &str = "api.anthropic.com/v1/messages";

fn refusal(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}})
}

fn requests(lab: &Lab) -> Cmd {
    let doctor = lab.doctor(&["--live", "--only", "codex,claude"]);
    doctor.env("SSL_CERT_FILE", lab.vendors().ca()).env("NODE_EXTRA_CA_CERTS", lab.vendors().ca())
}

/// What is found of each agent's request: status and summary.
fn requested(output: &Output) -> Vec<(String, String)> {
    let report = output.json();
    let checks = report["checks"].as_array().unwrap().iter();
    let requests = checks.filter(|check| check["id"].as_str().unwrap().ends_with(".request"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    requests.map(|check| (text(&check["status"]), text(&check["summary"]))).collect()
}

/// Exit status 0 is not an answer: an older Claude Code ends so, and in silence, with a proxy that has no
/// scheme.
#[test]
fn a_client_that_ends_without_an_answer_does_not_pass() {
    sandbox(|ws| {
        let lab = Lab { vendors: Some(Vendors::start()), ..Lab::new(ws) };
        for said in ["", "echo", "echo warning: nothing was sent >&2"] {
            for client in ["codex", "claude"] {
                ws.install(client, &format!("#!/bin/sh\n{said}\n"));
            }
            let output = requests(&lab).run();
            let requested = requested(&output);
            assert_eq!(requested.len(), 2, "{output}");
            for (status, summary) in requested {
                assert_eq!(status, "unknown", "{said:?}: {summary}\n{output}");
            }
        }
    });
}

/// With the agents' own clients and the vendors' servers.
fn with_clients(ws: &Workspace) -> Lab<'_> {
    let vendors = Vendors::start();
    Clients::install(ws, &vendors);
    Lab { vendors: Some(vendors), ..Lab::new(ws) }
}

#[test]
fn each_refused_request_is_named_by_its_code() {
    sandbox(|ws| matrix_in(|| with_clients(ws), REQUESTS));
}

#[test]
fn the_agents_own_clients_make_one_request_each() {
    sandbox(|ws| {
        let lab = with_clients(ws);
        // what the repository would have the clients run
        hostile::plant(&lab);
        let output = requests(&lab).run();
        let statuses: Vec<_> = requested(&output).into_iter().map(|(status, _)| status).collect();
        assert_eq!(statuses, ["pass", "pass"], "{output}");
        hostile::assert_untouched(&lab);
        let asked = |path: &str| {
            let requests = lab.vendors().requests();
            requests
                .into_iter()
                .filter(|it| it.path.ends_with(path) && it.method == "POST")
                .collect::<Vec<_>>()
        };
        let codex = asked("/codex/responses");
        assert_eq!(codex.len(), 1, "{codex:#?}");
        assert_eq!(
            codex[0].headers["authorization"],
            format!("Bearer {}", lab.seed.access_token())
        );
        let claude = asked("/v1/messages");
        assert!(!claude.is_empty() && claude.len() <= 2, "{}", claude.len());
        for request in &claude {
            assert_eq!(request.headers["authorization"], format!("Bearer {}", token()));
        }
        for request in codex.iter().chain(&claude) {
            assert!(
                !request.body.contains("acme"),
                "nothing of the repository is sent: {}",
                request.body
            );
        }
        let secrets = [&lab.seed.secrets()[..], &[token()]].concat();
        canary::assert_absent("the report", output.to_string(), &secrets);

        // Claude Code would send the token of the variable
        lab.fresh();
        lab.remove(".claude/.credentials.json");
        let other = format!("sk-ant-oat01-{}", "var".repeat(20));
        let output = requests(&lab).env("CLAUDE_CODE_OAUTH_TOKEN", &*other).run().success();
        assert_eq!(requested(&output)[1].0, "pass", "{output}");
        let sent = asked("/v1/messages").pop().unwrap();
        assert_eq!(sent.headers["authorization"], format!("Bearer {other}"));

        // a bad day of the vendor's is not a fault of the login
        lab.fresh();
        lab.vendors().reply(CLAUDE, 529, &refusal("overloaded_error", "Overloaded"));
        let asked_before = asked("/v1/messages").len();
        let output = requests(&lab).run();
        assert_eq!(requested(&output)[1].0, "unknown", "{output}");
        // reported at once, not after the client's ten retries
        let retries = asked("/v1/messages").len() - asked_before;
        assert!((1..=3).contains(&retries), "{retries}");

        // Codex would delete the login at its start, and Claude Code send the token elsewhere
        lab.fresh();
        let with_login = || {
            let requests = lab.vendors().requests().into_iter();
            requests.filter(|request| request.headers.contains_key("authorization")).count()
        };
        let asked_before = with_login();
        lab.write(".codex/config.toml", "forced_login_method = \"api\"\n");
        let output =
            requests(&lab).env("ANTHROPIC_BASE_URL", "https://api.openai.com").run().fails(1);
        for (status, summary) in requested(&output) {
            assert!(status == "unknown" && summary.contains("no request was made"), "{output}");
        }
        assert_eq!(with_login(), asked_before);
        assert_eq!(ws.read(".codex/auth.json"), lab.seed.json());
    });
}

/// A child has a group of its own, which the terminal's Ctrl-C does not reach.
#[test]
fn who_ends_the_doctor_ends_its_children() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        ws.install(
            "codex",
            "#!/bin/sh\necho $$ >/tmp/codex.pid.new; mv /tmp/codex.pid.new /tmp/codex.pid; exec sleep 600\n",
        );
        for signal in ["-INT", "-TERM", "-HUP"] {
            // a shell's background job, as these tests may be one, ignores SIGINT, and nohup SIGHUP
            let doctor = lab.doctor(&["--live", "--only", "codex.request"]);
            let doctor = doctor.wrapped_in("env", ["--default-signal"]).spawn();
            let pid = loop {
                if let Ok(pid) = fs::read_to_string("/tmp/codex.pid") {
                    break pid.trim().to_owned();
                }
                std::thread::yield_now();
            };
            ws.cmd("kill").args([signal, &doctor.id().to_string()]).run().success();
            let ended = doctor.wait_with_output().unwrap();
            assert_eq!(ended.status.code(), Some(130), "{signal}");
            // killed, be it that the kernel is still at it
            let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
            loop {
                let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                if status.is_empty() || status.contains(") Z ") {
                    break;
                }
                assert!(std::time::Instant::now() < end, "{signal}: {status}");
                std::thread::yield_now();
            }
            fs::remove_file("/tmp/codex.pid").unwrap();
        }
    });
}

/// The folders of ours in /tmp.
fn left() -> Vec<String> {
    let entries = fs::read_dir("/tmp").unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| name.into_string().unwrap());
    names.filter(|name| name.starts_with(".pushready")).collect()
}

#[test]
fn an_ended_doctor_leaves_no_folder_and_a_killed_one_none_for_long() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        ws.install(
            "codex",
            "#!/bin/sh\npwd >/tmp/in.new; mv /tmp/in.new /tmp/in; exec sleep 600\n",
        );
        let run = |signal: &str| {
            let doctor = lab.doctor(&["--live", "--only", "codex.request"]);
            let doctor = doctor.wrapped_in("env", ["--default-signal"]).spawn();
            while fs::remove_file("/tmp/in").is_err() {
                std::thread::yield_now();
            }
            assert_eq!(left().len(), 1);
            ws.cmd("kill").args([signal, &doctor.id().to_string()]).run().success();
            doctor.wait_with_output().unwrap();
        };
        for signal in ["-INT", "-TERM", "-HUP"] {
            run(signal);
            assert_eq!(left(), Vec::<String>::new(), "{signal}");
        }
        for next in [lab.doctor(&["--offline"]), lab.apply()] {
            run("-KILL");
            assert_eq!(left().len(), 1);
            next.run();
            assert_eq!(left(), Vec::<String>::new());
        }
        // one that is in use stays
        let doctor = lab.doctor(&["--live", "--only", "codex.request"]);
        let mut doctor = doctor.spawn();
        while fs::remove_file("/tmp/in").is_err() {
            std::thread::yield_now();
        }
        lab.doctor(&["--offline"]).run();
        lab.apply().run().success();
        assert_eq!(left().len(), 1);
        doctor.kill().unwrap();
        doctor.wait().unwrap();
    });
}

#[test]
fn rules_with_which_codex_does_not_start_fail_before_a_request() {
    sandbox(|ws| {
        let vendors = Vendors::start();
        Clients::install(ws, &vendors);
        let lab = Lab { vendors: Some(vendors), ..Lab::new(ws) };
        lab.write(".codex/rules/odd.rules", "prefix_rule(\n");
        let output = requests(&lab).run().fails(1);
        let report = output.json();
        let mut checks = report["checks"].as_array().unwrap().iter();
        let mut check = |id| checks.find(|check| check["id"] == id).unwrap();
        assert_eq!(check("codex.config")["code"], "codex-config-malformed", "{output}");
        assert_eq!(
            check("codex.request")["reason"],
            "fix `codex-config-malformed` first",
            "{output}"
        );
    });
}
