//! The Actions checks through the binary, in real clones: every scenario, the sources and receivers
//! of tokens, proxies, certificates, servers that hang, and repeated looks.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;

use crate::doctor::document;
use crate::github_rig::causes::incomplete;
use crate::github_rig::played::Played;
use crate::github_rig::scenario::{Scenario, TOKEN};
use crate::github_rig::server::{Certificates, Proxy, Reply, Request, Server};
use crate::support::{
    Access, CRATE, Cmd, GitHost, KeyPair, Measured, Output, Workspace, canary, sandbox,
};

/// A clone as a push leaves it: files, a commit, a remote, and the branch of the remote where it
/// was pushed.
fn clone(ws: &Workspace, scenario: &Scenario) -> String {
    let folder = format!("src/{}", scenario.name);
    for (name, text) in &scenario.files {
        ws.write(&format!("{folder}/{name}"), text, 0o644);
    }
    let script = "git init --quiet --initial-branch=\"$2\" \"$1\" && cd \"$1\" && git add --all &&
        GIT_COMMITTER_DATE=\"$9\" git commit --quiet --allow-empty --message=\"$3\" && git remote add origin \"$4\" &&
        { [ \"$5\" = false ] || GIT_COMMITTER_DATE=\"$6\" git update-ref -m \"$8\" \"refs/remotes/origin/$2\" HEAD; } &&
        for tag in $7; do git tag \"$tag\"; done && git rev-parse HEAD";
    let remote = match scenario.repository.splitn(3, '/').collect::<Vec<_>>()[..] {
        [host, owner, name] => format!("git@{host}:{owner}/{name}.git"),
        _ => format!("git@github.com:{}.git", scenario.repository),
    };
    let head = &scenario.head;
    let pushed_at = (Timestamp::now() - head.pushed_ago()).as_second().to_string() + " +0000";
    let made_at = Timestamp::now().as_second().to_string() + " +0000";
    let made = ws
        .sh(script)
        .args([
            "sh",
            &folder,
            &head.branch,
            &head.message,
            &remote,
            &head.pushed.to_string(),
            &pushed_at,
            &head.tags.join(" "),
            if head.by_workflow { "fetch" } else { "update by push" },
            if head.by_workflow { &pushed_at } else { &made_at },
        ])
        .env("GIT_AUTHOR_NAME", if head.by_workflow { "github-actions[bot]" } else { "Dev" })
        .env("GIT_AUTHOR_EMAIL", "dev@example.com")
        .env("GIT_COMMITTER_NAME", "Dev")
        .env("GIT_COMMITTER_EMAIL", "dev@example.com");
    let commit = made.run().success().stdout.trim().to_owned();
    for (name, text) in &scenario.untracked {
        ws.write(&format!("{folder}/{name}"), text, 0o644);
    }
    commit
}

fn doctor(ws: &Workspace, scenario: &Scenario, arguments: &[&str]) -> Cmd {
    ws.pushready(&["doctor", "--only", "actions"])
        .args(arguments)
        .current_dir(format!("src/{}", scenario.name))
}

/// The token in use, as the evidence names it.
fn token_of(output: &Output) -> String {
    let report = output.json();
    let evidence = report["checks"][0]["evidence"].as_array().unwrap();
    let token = evidence.iter().rfind(|evidence| evidence["label"] == "asked with");
    token.unwrap_or_else(|| panic!("no token in the evidence\n{output}"))["value"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn sent(requests: &[Request]) -> Vec<String> {
    let bearer = |request: &Request| {
        let value = request.headers.get("authorization").cloned().unwrap_or_default();
        value.replace("Bearer ", "")
    };
    let mut sent: Vec<_> = requests.iter().map(bearer).collect();
    sent.dedup();
    sent
}

#[test]
fn every_scenario_through_the_binary() {
    sandbox(|ws| {
        let all = Scenario::all(CRATE);
        assert_eq!(incomplete(&all), Vec::<String>::new());
        let (mut table, mut failures) = (Played::heading(), Vec::new());
        for scenario in &all {
            let sha = clone(ws, scenario);
            if scenario.deploy_key {
                let key = KeyPair::generate("deploy");
                let apply =
                    ws.pushready(&["apply"]).env("PUSHREADY_REPOSITORY", &scenario.repository);
                apply.env("PUSHREADY_DEPLOY_KEY", &*key.private).run().success();
            }
            let (api, status) =
                (Server::start(scenario.api(&sha)), Server::start(scenario.status_page()));
            let with = |arguments: &[&str]| {
                let mut doctor = doctor(ws, scenario, arguments)
                    .env("PUSHREADY_GITHUB_API_URL", api.url())
                    .env("PUSHREADY_GITHUB_STATUS_URL", status.url());
                for (name, value) in &scenario.env {
                    doctor = doctor.env(name, value);
                }
                if scenario.token { doctor.env("PUSHREADY_GITHUB_TOKEN", TOKEN) } else { doctor }
            };
            let start = Instant::now();
            let output = with(&["--json"]).run();
            let elapsed = start.elapsed();
            let report = output.json();
            let outcomes = report["checks"].as_array().unwrap().clone();
            let (requests, pages) = (api.requests(), status.requests());
            let played =
                Played { outcomes, offline: Vec::new(), api: requests, status: pages, elapsed };
            table += &played.line(scenario);
            failures.extend(played.check(scenario));
            let mut fail = |what: &str, output: &Output| {
                failures.push(format!("{}: {what}\n{output}", scenario.name));
            };
            for wrong in document::faults(&report) {
                fail(&wrong, &output);
            }
            let failed = played.outcomes.iter().any(|outcome| outcome["status"] == "fail");
            if output.status.code() != Some(failed.into()) {
                fail("the exit status does not match the verdict", &output);
            }
            let text = with(&["-vv"]).run();
            let codes = played
                .outcomes
                .iter()
                .filter(|outcome| outcome["status"] != "pass" && outcome["status"] != "skip");
            if codes
                .filter_map(|outcome| outcome["code"].as_str())
                .any(|code| !text.stdout.contains(code))
            {
                fail("the text names not every code", &text);
            }
            let printable =
                |c: char| c == '\n' || c == ' ' || !c.is_control() && !c.is_whitespace();
            if !text.stdout.chars().all(printable) {
                fail("what may steer a terminal is printed", &text);
            }
            for (place, text) in [("JSON", output.to_string()), ("text and log", text.to_string())]
            {
                canary::assert_absent(&format!("{place} of {}", scenario.name), text, &[TOKEN]);
            }
            if scenario.deploy_key {
                ws.run(&["remove"]).success();
            }
        }
        eprintln!("{table}");
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

/// Clone, push over SSH with a deploy key, and send requests to GitHub's own addresses over TLS with
/// a corporate authority.
#[test]
fn from_a_push_to_the_cause() {
    sandbox(|ws| {
        let scenario = Scenario::named(CRATE, "a04-retired");
        let host = GitHost::start();
        host.repository("octo/app");
        let key = host.deploy_key("octo/app", Access::Write);
        ws.pushready(&["apply"])
            .env("PUSHREADY_REPOSITORY", "octo/app")
            .env("PUSHREADY_DEPLOY_KEY", &*key.private)
            .env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&["github.com"]))
            .run()
            .success();
        ws.git(&["clone", "--quiet", "https://github.com/octo/app", "src/a04-retired"])
            .run()
            .success();
        for (name, text) in &scenario.files {
            ws.write(&format!("src/a04-retired/{name}"), text, 0o644);
        }
        let git =
            |arguments: &[&str]| ws.git(arguments).current_dir("src/a04-retired").run().success();
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message=change"]);
        git(&["push", "--quiet"]);
        let sha = host.head("octo/app", "refs/heads/main").unwrap();

        let certificates =
            Certificates::make("/run/rig".as_ref(), &["api.github.com", "www.githubstatus.com"]);
        let (api, page) = (scenario.api(&sha), scenario.status_page());
        let server =
            Server::start_at(([127, 0, 0, 1], 443).into(), Some(&certificates), move |request| {
                if request.headers["host"] == "api.github.com" {
                    api(request)
                } else {
                    page(request)
                }
            });
        let look = || doctor(ws, &scenario, &["--json"]).env("GH_TOKEN", TOKEN);
        let untrusted = look().run().stdout_has("SSL_CERT_FILE");
        assert_eq!(untrusted.json()["checks"][0]["status"], "unknown", "{untrusted}");
        assert!(server.requests().is_empty(), "{untrusted}");

        let ca = &certificates.authority;
        fs::create_dir("/run/rig/authorities").unwrap();
        fs::copy(ca, "/run/rig/authorities/ca.pem").unwrap();
        ws.cmd("openssl").args(["rehash", "/run/rig/authorities"]).run().success();
        for (variable, value) in [
            ("SSL_CERT_FILE", ca.to_str().unwrap()),
            ("SSL_CERT_DIR", "/run/rig/authorities"),
            ("NODE_EXTRA_CA_CERTS", ca.to_str().unwrap()),
            ("CURL_CA_BUNDLE", ca.to_str().unwrap()),
            ("GIT_SSL_CAINFO", ca.to_str().unwrap()),
            ("REQUESTS_CA_BUNDLE", ca.to_str().unwrap()),
        ] {
            let before = server.requests().len();
            let output = look().env(variable, value).run().fails(1);
            let runs = &output.json()["checks"][0];
            assert_eq!(runs["code"], "actions-label-retired", "{variable}: {output}");
            assert_eq!(token_of(&output), "token from GH_TOKEN");
            for request in &server.requests()[before..] {
                let to_github = request.headers["host"] == "api.github.com";
                assert_eq!(request.headers.contains_key("authorization"), to_github, "{request:?}");
            }
        }
    });
}

/// Each source in its order: the first that is set is used, and the next one where the server does
/// not accept its token.
#[test]
fn tokens_come_from_their_sources_in_order() {
    sandbox(|ws| {
        let scenario = Scenario::named(CRATE, "healthy");
        let sha = clone(ws, &scenario);
        // the environment of the programs, kept for the end
        let dump = "printf '%s %s\\n' \"$0\" \"$*\" >>~/children; env >>~/children";
        ws.install(
            "gh",
            &format!(
                "#!/bin/sh\n{dump}\n[ \"$*\" = 'auth token --hostname github.com' ] && echo token-of-gh\n"
            ),
        );
        ws.install(
            "coder",
            &format!("#!/bin/sh\n{dump}\n[ \"$*\" = 'external-auth access-token corporate' ] && printf token-of-coder\n"),
        );
        ws.install("git", &format!("#!/bin/sh\n{dump}\nexec /usr/bin/git \"$@\"\n"));
        ws.write("token", "token-of-file\n", 0o600);
        let base64 = Base64::encode_string(b"token-of-base64");
        let sources = [
            (
                "PUSHREADY_GITHUB_TOKEN_FILE",
                "~/token",
                "token-of-file",
                "PUSHREADY_GITHUB_TOKEN_FILE",
            ),
            (
                "PUSHREADY_GITHUB_TOKEN_BASE64",
                &base64,
                "token-of-base64",
                "PUSHREADY_GITHUB_TOKEN_BASE64",
            ),
            (
                "PUSHREADY_GITHUB_TOKEN",
                "token-of-variable",
                "token-of-variable",
                "PUSHREADY_GITHUB_TOKEN",
            ),
            ("GH_TOKEN", "token-of-gh-token", "token-of-gh-token", "GH_TOKEN"),
            ("GITHUB_TOKEN", "token-of-github-token", "token-of-github-token", "GITHUB_TOKEN"),
        ];
        let (api, status) =
            (Server::start(scenario.api(&sha)), Server::start(scenario.status_page()));
        let mut said = String::new();
        let mut look = |from: usize, api: &Server| {
            let mut doctor = doctor(ws, &scenario, &["-vv", "--json"])
                .env("PUSHREADY_GITHUB_API_URL", api.url())
                .env("PUSHREADY_GITHUB_STATUS_URL", status.url())
                .env("PUSHREADY_EXTERNAL_AUTH_ID", "corporate");
            for (name, value, ..) in &sources[from..] {
                doctor = doctor.env(name, *value);
            }
            let before = api.requests().len();
            let output = doctor.run();
            let _ = write!(said, "{output}");
            (sent(&api.requests()[before..]), output)
        };
        for (from, (name, _, token, via)) in sources.iter().enumerate() {
            let (sent, output) = look(from, &api);
            assert_eq!(sent, [*token], "{name}");
            assert_eq!(token_of(&output), format!("token from {via}"), "{output}");
        }
        assert_eq!(look(sources.len(), &api).0, ["token-of-gh"]);
        ws.install("gh", "#!/bin/sh\nexit 1\n");
        let (sent_last, output) = look(sources.len(), &api);
        assert_eq!(
            (&*sent_last, &*token_of(&output)),
            (&["token-of-coder".to_owned()][..], "token from `coder external-auth access-token`")
        );
        // where the account is not linked, coder prints a login URL and fails
        ws.install(
            "coder",
            "#!/bin/sh\necho https://coder.example/external-auth/corporate\nexit 1\n",
        );
        let (anonymous, output) = look(sources.len(), &api);
        assert_eq!(
            (&*anonymous, &*token_of(&output)),
            (&[String::new()][..], "no token, anonymously")
        );

        // all but the last are not known to the server
        let answer = scenario.api(&sha);
        let strict = Server::start(move |request| {
            match request.headers.get("authorization").map(String::as_str) {
                Some("Bearer token-of-github-token") => answer(request),
                _ => Reply::new(401, r#"{"message":"Bad credentials"}"#),
            }
        });
        let (tried, output) = look(0, &strict);
        let mut order = tried.clone();
        order.sort_by_key(|token| {
            ["token-of-file", "token-of-gh-token", "token-of-github-token"]
                .iter()
                .position(|known| known == token)
        });
        order.dedup();
        assert_eq!(
            order,
            ["token-of-file", "token-of-gh-token", "token-of-github-token"],
            "{output}"
        );
        assert_eq!(output.json()["overall"], "pass");
        assert!(output.stdout.contains("not accepted (401)"), "{output}");

        assert!(
            status.requests().iter().all(|request| !request.headers.contains_key("authorization"))
        );
        let tokens = [
            "token-of-file",
            "token-of-base64",
            "token-of-variable",
            "token-of-gh-token",
            "token-of-github-token",
        ];
        canary::assert_absent("the output", &said, &tokens);
        canary::assert_absent(
            "the output",
            &said,
            &["token-of-gh", "token-of-coder"].map(|token| format!("{token}\"")),
        );
        canary::assert_absent("a child's environment", ws.read("children"), &tokens);
    });
}

#[test]
fn a_token_stays_where_it_belongs() {
    sandbox(|ws| {
        let scenario = Scenario::named(CRATE, "healthy");
        let sha = clone(ws, &scenario);
        let (elsewhere, status) =
            (Server::start(|_| Reply::new(200, "{}")), Server::start(scenario.status_page()));
        let target = elsewhere.url();
        let away = Server::start(move |request| {
            Reply::new(302, "").header("location", format!("{target}{}", request.target))
        });
        let look = |api: &str| {
            doctor(ws, &scenario, &["--json"])
                .env("PUSHREADY_GITHUB_API_URL", api)
                .env("PUSHREADY_GITHUB_STATUS_URL", status.url())
                .env("GH_TOKEN", TOKEN)
                .run()
                .success()
        };
        let output = look(&away.url());
        assert_eq!(output.json()["overall"], "unknown", "{output}");
        assert!(!away.requests().is_empty() && elsewhere.requests().is_empty(), "{output}");
        // over the network without TLS it is not sent, and the report contains that
        let output = look("http://ghe.corp.test/api/v3").stdout_has("plain http");
        assert_eq!(token_of(&output), "no token, anonymously");

        // a page of another origin is not requested
        let target = elsewhere.url();
        let answer = scenario.api(&sha);
        let paged = Server::start(move |request| {
            answer(request).header("link", format!("<{target}/next>; rel=\"next\""))
        });
        assert_eq!(look(&paged.url()).json()["overall"], "pass");
        assert!(elsewhere.requests().is_empty());
    });
}

/// GitHub Enterprise Server: its address comes from the remote, and its tokens from gh's variables
/// for such servers.
#[test]
fn github_enterprise_server() {
    sandbox(|ws| {
        let mut scenario = Scenario::named(CRATE, "healthy");
        scenario.repository = "ghe.corp.test/octo/app".to_owned();
        let sha = clone(ws, &scenario);
        scenario.repository = "octo/app".to_owned();
        let certificates = Certificates::make("/run/rig".as_ref(), &["ghe.corp.test"]);
        let answer = scenario.api(&sha);
        let server =
            Server::start_at(([127, 0, 0, 1], 443).into(), Some(&certificates), move |request| {
                let Some(target) = request.target.strip_prefix("/api/v3") else {
                    return Reply::new(404, "{}");
                };
                answer(&Request { target: target.to_owned(), ..request.clone() })
            });
        let look =
            || doctor(ws, &scenario, &["--json"]).env("SSL_CERT_FILE", &certificates.authority);
        let output = look()
            .env("GH_HOST", "ghe.corp.test")
            .env("GH_TOKEN", "token-for-github-com")
            .env("GITHUB_TOKEN", "token-for-github-com")
            .env("GH_ENTERPRISE_TOKEN", "token-for-ghes")
            .run()
            .success();
        let report = output.json();
        assert_eq!(report["overall"], "pass", "{output}");
        assert!(output.stdout.contains("no public status page"), "{output}");
        assert_eq!(sent(&server.requests()), ["token-for-ghes"]);
        // a host that nothing declares to be a GitHub
        let output = look().run().success().stdout_has("actions-not-github");
        assert!(output.stdout.contains("PUSHREADY_GITHUB_API_URL"), "{output}");
    });
}

/// A clone's remote alone makes no host trusted: whoever writes the remote would receive the token.
#[test]
fn a_host_that_only_a_remote_names_receives_no_token() {
    sandbox(|ws| {
        let mut scenario = Scenario::named(CRATE, "healthy");
        scenario.repository = "github.evil.test/octo/app".to_owned();
        let sha = clone(ws, &scenario);
        scenario.repository = "octo/app".to_owned();
        ws.install("gh", "#!/bin/sh\necho token-of-gh\n");
        ws.install("coder", "#!/bin/sh\nprintf token-of-coder\n");
        let certificates = Certificates::make("/run/rig".as_ref(), &["github.evil.test"]);
        let answer = scenario.api(&sha);
        let server =
            Server::start_at(([127, 0, 0, 1], 443).into(), Some(&certificates), move |request| {
                // as a server in private mode
                if !request.headers.contains_key("authorization") {
                    return Reply::new(401, r#"{"message":"Must authenticate"}"#);
                }
                let target = request.target.replacen("/api/v3", "", 1);
                answer(&Request { target, ..request.clone() })
            });
        let look = |variables: &[(&str, &str)]| {
            let before = server.requests().len();
            let mut doctor = doctor(ws, &scenario, &["--json"])
                .env("SSL_CERT_FILE", &certificates.authority)
                .env("PUSHREADY_EXTERNAL_AUTH_ID", "corporate");
            for (name, value) in variables {
                doctor = doctor.env(name, *value);
            }
            let output = doctor.run();
            let requests = server.requests();
            assert!(requests.len() > before, "{output}");
            (sent(&requests[before..]), output)
        };
        for source in [
            &[][..],
            &[("PUSHREADY_GITHUB_TOKEN", TOKEN)],
            &[("GH_TOKEN", TOKEN)],
            &[("GITHUB_TOKEN", TOKEN)],
            &[("GH_ENTERPRISE_TOKEN", TOKEN)],
            &[("GITHUB_ENTERPRISE_TOKEN", TOKEN)],
        ] {
            let (sent, output) = look(source);
            assert_eq!(sent, [String::new()], "{source:?}: {output}");
            let report = output.json();
            let runs = &report["checks"][0];
            assert_eq!(runs["status"], "unknown", "{output}");
            assert_eq!(runs["code"], "actions-no-token", "{output}");
            let fix = runs["fix"]["message"].as_str().unwrap();
            assert!(fix.contains("GH_HOST=github.evil.test"), "{output}");
            assert!(output.stdout.contains("only the remote of a clone names"), "{output}");
        }
        // once a variable of the user names it
        let trusted = [("GH_HOST", "github.evil.test"), ("GH_ENTERPRISE_TOKEN", TOKEN)];
        let (sent, output) = look(&trusted);
        assert_eq!(sent, [TOKEN], "{output}");
        assert_eq!(output.json()["overall"], "pass", "{output}");
    });
}

#[test]
fn proxies_and_their_exceptions() {
    sandbox(|ws| {
        let scenario = Scenario::named(CRATE, "healthy");
        let sha = clone(ws, &scenario);
        let certificates =
            Certificates::make("/run/rig".as_ref(), &["api.github.com", "www.githubstatus.com"]);
        let (api, page) = (scenario.api(&sha), scenario.status_page());
        let _server =
            Server::start_at(([127, 0, 0, 1], 443).into(), Some(&certificates), move |request| {
                if request.headers["host"] == "api.github.com" {
                    api(request)
                } else {
                    page(request)
                }
            });
        let proxy = Proxy::start(200);
        let look = |proxy: &str, except: &str| {
            doctor(ws, &scenario, &["--json"])
                .env("SSL_CERT_FILE", &certificates.authority)
                .env("GH_TOKEN", TOKEN)
                .env("HTTPS_PROXY", proxy)
                .env("NO_PROXY", except)
                .run()
                .success()
        };
        let hosts = |from: usize| -> Vec<String> {
            let heads = proxy.heads();
            let mut hosts: Vec<_> = heads[from..]
                .iter()
                .map(|head| head.split(' ').take(2).collect::<Vec<_>>().join(" "))
                .collect();
            hosts.sort();
            hosts.dedup();
            hosts
        };
        let output = look(&proxy.url(), "example.org,10.0.0.0/8");
        assert_eq!(output.json()["overall"], "pass", "{output}");
        assert_eq!(hosts(0), ["CONNECT api.github.com:443", "CONNECT www.githubstatus.com:443"]);
        canary::assert_absent("what the proxy sees", proxy.heads().concat(), &[TOKEN]);
        let before = proxy.heads().len();
        assert_eq!(look(&proxy.url(), "github.com").json()["overall"], "pass");
        assert_eq!(hosts(before), ["CONNECT www.githubstatus.com:443"]);
        let before = proxy.heads().len();
        assert_eq!(look(&proxy.url(), "*").json()["overall"], "pass");
        assert_eq!(hosts(before), Vec::<String>::new());

        // addresses, by range
        let (api, status) =
            (Server::start(scenario.api(&sha)), Server::start(scenario.status_page()));
        for (except, proxied) in [("192.168.0.0/16", true), ("127.0.0.0/8", false)] {
            let before = proxy.heads().len();
            let output = doctor(ws, &scenario, &["--json"])
                .env("PUSHREADY_GITHUB_API_URL", api.url())
                .env("PUSHREADY_GITHUB_STATUS_URL", status.url())
                .env("http_proxy", proxy.url())
                .env("no_proxy", except)
                .run()
                .success();
            assert_eq!(output.json()["overall"], "pass", "{output}");
            assert_eq!(proxy.heads().len() > before, proxied, "{except}");
        }

        // a proxy that refuses is named, its password is not
        let strict = Proxy::start(407);
        let with_password = strict.url().replace("http://", "http://dev:hidden-word@");
        let output = look(&with_password, "").stdout_has("proxy");
        assert_eq!(output.json()["overall"], "unknown", "{output}");
        canary::assert_absent("the output", output.to_string(), &["hidden-word"]);
    });
}

/// The memory and the time are bounded, whatever a repository contains.
#[test]
fn hostile_workflow_files_take_little_memory_and_time() {
    sandbox(|ws| {
        let half = 512 * 1024;
        let fill = |unit: &str| unit.repeat(half / unit.len());
        let bomb = |head: &str, alias: &str| {
            let aliases = (half - head.len()) / (alias.len() + 2);
            format!(
                "{head}on: push\njobs: {{a: {{runs-on: [{}]}}}}",
                vec![alias; aliases - 20].join(", ")
            )
        };
        let mut doubling = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..40 {
            let aliases = vec![format!("*a{}", n - 1); 9].join(", ");
            let _ = writeln!(doubling, "a{n}: &a{n} [{aliases}]");
        }
        let many = |count: usize, name: &str| -> Vec<String> {
            (0..count).map(|n| format!("{name}{n}-{}", "x".repeat(60))).collect()
        };
        let own = format!("self-hosted-runner: {{labels: [{}]}}", many(400, "**+a*").join(", "));
        let labels = format!(
            "on: push\njobs: {{a: {{strategy: {{matrix: {{os: [{}]}}}}, runs-on: '${{{{ matrix.os }}}}'}}}}",
            many(400, "label").join(", ")
        );
        let workflow = |name: &str, text: String| (format!(".github/workflows/{name}"), text);
        let cases: Vec<(&str, Vec<(String, String)>)> = vec![
            (
                "long aliases",
                vec![workflow("a.yml", bomb(&format!("x: &x {}\n", "y".repeat(half / 2)), "*x"))],
            ),
            (
                "aliases of maps",
                vec![workflow(
                    "a.yml",
                    bomb(
                        &format!(
                            "x: &x {{{}}}\n",
                            fill("a: 1, ").get(..50_000).unwrap().trim_end_matches(", ")
                        ),
                        "*x",
                    ),
                )],
            ),
            ("doubling aliases", vec![workflow("a.yml", doubling)]),
            ("brackets", vec![workflow("a.yml", fill("[")), workflow("b.yml", fill("{a: "))]),
            ("block nesting", vec![workflow("a.yml", fill("- ")), workflow("b.yml", fill("? "))]),
            ("flow list", vec![workflow("a.yml", format!("[{}]", fill("a,")))]),
            ("many keys", vec![workflow("a.yml", fill("a:\n"))]),
            (
                "actionlint, nested",
                vec![
                    workflow("a.yml", "on: push\njobs: {}".to_owned()),
                    (".github/actionlint.yaml".to_owned(), fill("{a: ")),
                ],
            ),
            (
                "labels and patterns",
                vec![workflow("a.yml", labels), (".github/actionlint.yaml".to_owned(), own)],
            ),
            (
                "many files",
                (0..200).map(|n| workflow(&format!("{n}.yml"), fill("- a\n"))).collect(),
            ),
        ];
        for (number, (what, files)) in cases.into_iter().enumerate() {
            let folder = format!("src/hostile{number}");
            for (path, text) in files {
                ws.write(&format!("{folder}/{path}"), text, 0o644);
            }
            ws.git(&["init", "--quiet", &folder]).run().success();
            ws.git(&["-C", &folder, "remote", "add", "origin", "git@github.com:octo/app.git"])
                .run()
                .success();
            ws.git(&["-C", &folder, "add", "--all"]).run().success();
            let identity = ["-c", "user.name=n", "-c", "user.email=e@example"];
            let commit = ["commit", "--quiet", "--message", "one"];
            ws.git(&[&["-C", &folder], &identity[..], &commit[..]].concat()).run().success();
            let look = ws.pushready(&["doctor", "--offline", "--only", "actions", "--json"]);
            let Measured { output, mebibytes, seconds, .. } =
                Measured::run(look.current_dir(&folder));
            let report = output.json();
            eprintln!("{what}: {mebibytes} MiB, {seconds} s");
            assert!(mebibytes < 128, "{what}: {mebibytes} MiB");
            assert!(seconds < 28.0, "{what}: {seconds} s");
            assert!(output.stdout.len() < 20_000, "{what}: {}", output.stdout.len());
            assert_eq!(report["checks"][0]["id"], "actions.workflow-files", "{what}: {output}");
        }
    });
}

/// The same, whatever a server answers.
#[test]
fn hostile_answers_take_little_memory_and_time() {
    sandbox(|ws| {
        let scenario = Scenario::named(CRATE, "healthy");
        clone(ws, &scenario);
        let size = 4 * 1024 * 1024 - 1000;
        // every list of GitHub's at once, in each answer
        let lists = |item: &str, size: usize| {
            let items = vec![item; size / (item.len() + 1) / 12].join(",");
            let keys = [
                "workflow_runs",
                "jobs",
                "runners",
                "workflows",
                "concurrency_groups",
                "incidents",
                "runner_groups",
                "labels",
                "steps",
                "components",
                "group_members",
                "reviewers",
            ];
            let lists: Vec<_> = keys.iter().map(|key| format!("\"{key}\":[{items}]")).collect();
            format!("{{\"total_count\":99999,{}}}", lists.join(","))
        };
        let run = r#"{"id":7,"status":"queued","name":"n","path":"p","event":"e","labels":["a"]}"#;
        for (what, body) in [
            ("numbers", format!("[{}0]", "0,".repeat(size / 2))),
            ("numbers in a list", lists("0", size)),
            ("empty objects", lists("{}", size)),
            ("runs", lists(run, size)),
            ("as many runs as are kept", lists(run, size / 12)),
            ("short names", lists(r#"{"id":1,"name":"a"}"#, size)),
            ("a long text", format!("{{\"message\":\"{}\"}}", "a".repeat(size))),
            ("unknown fields", format!("{{{}\"id\":1}}", "\"url\":[1,2],".repeat(size / 13))),
        ] {
            for status in [200, 403] {
                let body = body.clone();
                let server = Server::start(move |request| {
                    Reply::new(status, body.clone())
                        .header("etag", format!("\"{}\"", request.target.len()))
                });
                let look = doctor(ws, &scenario, &["--json"])
                    .env("PUSHREADY_GITHUB_API_URL", server.url())
                    .env("PUSHREADY_GITHUB_STATUS_URL", server.url())
                    .env("GH_TOKEN", TOKEN);
                let Measured { output, mebibytes, elapsed, .. } = Measured::run(look);
                let count = server.requests().len();
                eprintln!("{what} ({status}): {mebibytes} MiB, {elapsed} s, {count} requests");
                assert!(mebibytes < 128, "{what}: {mebibytes} MiB");
                assert!(elapsed < 28.0, "{what}: {elapsed} s");
                assert!(output.stdout.len() < 50_000, "{what}: {}", output.stdout.len());
                output.json();
            }
        }
    });
}

/// Servers that hang, send slowly or without end, or break the protocol: unknown, and in time.
#[test]
fn servers_that_waste_time() {
    sandbox(|ws| {
        let scenario = Scenario::named(CRATE, "healthy");
        clone(ws, &scenario);
        let hour = Duration::from_secs(3600);
        let deep = "[".repeat(1_000_000);
        let servers = [
            ("hangs", Server::start(move |_| Reply { delay: hour, ..Reply::new(200, "") })),
            (
                "drips",
                Server::start(|_| Reply {
                    drip: Duration::from_millis(300),
                    ..Reply::new(200, " ".repeat(1000))
                }),
            ),
            ("never stops", Server::start(|_| Reply::new(200, vec![b' '; 9 << 20]))),
            ("nests", Server::start(move |_| Reply::new(200, deep.clone()))),
            ("is not GitHub", Server::start(|_| Reply::new(200, "<html>Please log in</html>"))),
        ];
        let start = Instant::now();
        let looks: Vec<_> = servers
            .iter()
            .map(|(_, server)| {
                doctor(ws, &scenario, &["--json"])
                    .env("PUSHREADY_GITHUB_API_URL", server.url())
                    .env("PUSHREADY_GITHUB_STATUS_URL", server.url())
                    .env("GH_TOKEN", TOKEN)
                    .spawn()
            })
            .collect();
        for ((what, _), child) in servers.iter().zip(looks) {
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let report: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(report["overall"], "unknown", "{what}: {text}");
            for check in report["checks"].as_array().unwrap() {
                assert!(check["status"] != "fail" && check["status"] != "warn", "{what}: {text}");
            }
        }
        // the deadline of one request, and not one after the other
        assert!(start.elapsed() < Duration::from_secs(28), "{:?}", start.elapsed());
    });
}

/// `--wait` looks again: what has not changed is confirmed with 304, which does not count against a
/// rate limit.
#[test]
fn repeated_looks_cost_nothing_where_nothing_changed() {
    sandbox(|ws| {
        let scenario = Scenario::named(CRATE, "a18-github-side");
        let sha = clone(ws, &scenario);
        let looks = Arc::new(AtomicUsize::new(0));
        let (answer, count) = (scenario.api(&sha), Arc::clone(&looks));
        let api = Server::start(move |request| {
            if request.target.contains("/jobs") && count.fetch_add(1, Ordering::Relaxed) > 0 {
                let job =
                    r#"{"jobs":[{"id":501,"status":"in_progress","runner_id":7,"steps":[]}]}"#;
                return Reply::new(200, job);
            }
            answer(request)
        });
        let status = Server::start(scenario.status_page());
        let output = doctor(ws, &scenario, &["--json", "--wait", "20"])
            .env("PUSHREADY_GITHUB_API_URL", api.url())
            .env("PUSHREADY_GITHUB_STATUS_URL", status.url())
            .env("GH_TOKEN", TOKEN)
            .run()
            .success();
        assert_eq!(output.json()["overall"], "pass", "{output}");
        assert_eq!(looks.load(Ordering::Relaxed), 2, "{output}");
        let requests = api.requests();
        let (first, again): (Vec<_>, Vec<_>) =
            requests.iter().partition(|request| !request.headers.contains_key("if-none-match"));
        // repository, runs, jobs: asked once in full, then whether they have changed
        let again: Vec<_> = again.iter().map(|request| &*request.target).collect();
        assert!(again.len() == 3 && first.len() >= 3, "{requests:#?}");
    });
}

/// While a limit lasts no request is made: further ones extend it.
#[test]
fn a_limit_is_waited_for() {
    sandbox(|ws| {
        let scenario = Scenario::named(CRATE, "healthy");
        let sha = clone(ws, &scenario);
        let opens = Instant::now() + Duration::from_secs(5);
        let answer = scenario.api(&sha);
        let api = Server::start(move |request| {
            let left = opens.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return answer(request);
            }
            let seconds = (left.as_secs() + 1).to_string();
            Reply::new(429, r#"{"message":"You have exceeded a secondary rate limit"}"#)
                .header("retry-after", seconds)
                .header("date", "Wed, 25 Nov 2026 10:00:00 GMT")
        });
        let status = Server::start(scenario.status_page());
        let look = |wait: &str| {
            doctor(ws, &scenario, &["--json", "--wait", wait])
                .env("PUSHREADY_GITHUB_API_URL", api.url())
                .env("PUSHREADY_GITHUB_STATUS_URL", status.url())
                .env("GH_TOKEN", TOKEN)
                .run()
                .success()
        };
        let output = look("30");
        assert_eq!(output.json()["overall"], "pass", "{output}");
        // requested at the same time: the repository and its runs; then both again
        assert!(api.requests().len() <= 4, "{:#?}", api.requests());
    });
}

/// Names that a repository may choose for its files and branches.
#[test]
fn hostile_names_are_shown_and_do_nothing() {
    sandbox(|ws| {
        let mut scenario = Scenario::named(CRATE, "d-filter");
        scenario.head.branch = "a\u{202e}b;$(touch pwned)".to_owned().replace(' ', "-");
        let text =
            "on: {push: {branches: [release]}}\njobs: {a: {runs-on: \"ubuntu-20.04\\e[31m\"}}\n";
        scenario.files = [
            (".github/workflows/\u{1b}]0;title\u{7}.yml".to_owned(), text.to_owned()),
            (".github/workflows/$(touch pwned).yml".to_owned(), text.to_owned()),
            (".github/workflows/-x\nok       all.yml".to_owned(), text.to_owned()),
        ]
        .into();
        let sha = clone(ws, &scenario);
        let (api, status) =
            (Server::start(scenario.api(&sha)), Server::start(scenario.status_page()));
        let output = doctor(ws, &scenario, &["-vv"])
            .env("PUSHREADY_GITHUB_API_URL", api.url())
            .env("PUSHREADY_GITHUB_STATUS_URL", status.url())
            .env("GH_TOKEN", TOKEN)
            .run();
        for text in [&output.stdout, &output.stderr] {
            let harmless =
                |c: char| c == '\n' || c.is_ascii_graphic() || c == ' ' || "·…µ".contains(c);
            assert!(text.chars().all(harmless), "{output}");
            assert!(!text.lines().any(|line| line.starts_with("ok       all")), "{output}");
        }
        assert!(output.stdout.contains("actions-no-run"), "{output}");
        assert!(!ws.home().join("src/d-filter/pwned").exists());
    });
}
