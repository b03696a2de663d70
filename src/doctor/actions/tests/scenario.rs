//! A scenario: what GitHub answers, what stands in the work tree, and the verdict that must come of it.
//!
//! `tests/actions/scenarios/NAME.json`. Lists hold what differs from GitHub's own example of the kind (`like.json`); a text
//! `@-3h` is a time of three hours ago. `answers` replaces whole replies by path. `golden: false`: a server that breaks
//! GitHub's own description, which the contract test leaves out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::doctor::actions::{CHECKS, Head, Inputs, probe, probe_offline};
use crate::doctor::outcome::{Outcome, Status};
use crate::env::Env;
use crate::git_url::Repository;
use crate::home::Home;
use crate::http::test_server::{Reply, Request, Server};

pub const TOKEN: &str = "not-a-real-token";
const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(skip)]
    pub name: String,
    #[expect(dead_code, reason = "for the reader of the file: the row of the facts, and the case")]
    about: String,
    #[serde(default = "yes")]
    pub golden: bool,
    #[serde(default = "repository")]
    repository: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default = "yes")]
    token: bool,
    #[serde(default)]
    deploy_key: bool,
    #[serde(default)]
    head: HeadOf,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    github: Map<String, Value>,
    #[serde(default)]
    answers: BTreeMap<String, Answer>,
    #[serde(default = "operational")]
    status_page: Value,
    expect: Vec<Expected>,
    /// At most; the measured number is printed.
    #[serde(default = "eight")]
    requests: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HeadOf {
    branch: String,
    message: String,
    pushed: bool,
}

impl Default for HeadOf {
    fn default() -> Self {
        Self { branch: "main".to_owned(), message: "change".to_owned(), pushed: true }
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    delay_ms: u64,
    #[serde(default)]
    cut: bool,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    #[serde(default = "runs")]
    id: String,
    status: String,
    code: Option<String>,
    subject: Option<String>,
    /// Each of these texts stands somewhere in the outcome.
    #[serde(default)]
    says: Vec<String>,
}

fn yes() -> bool {
    true
}
fn repository() -> String {
    "octo/app".to_owned()
}
fn runs() -> String {
    "actions.runs".to_owned()
}
fn operational() -> Value {
    json!({"status": "operational"})
}
fn eight() -> usize {
    8
}

pub struct Play {
    pub outcomes: Vec<Outcome>,
    offline: Vec<Outcome>,
    api: Vec<Request>,
    status: Vec<Request>,
}

impl Scenario {
    pub fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/actions/scenarios");
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap();
            let mut scenario: Self =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            scenario.name = path.file_stem().unwrap().to_string_lossy().into_owned();
            scenario
        };
        paths.iter().map(read).collect()
    }

    pub fn codes(&self) -> Vec<String> {
        self.expect.iter().filter_map(|expected| expected.code.clone()).collect()
    }

    /// Runs the checks; through `proxy`, where that stands before our server.
    pub fn play(&self, proxy: Option<&dyn Fn(&Server) -> String>) -> Play {
        let answers = Arc::new(self.answers());
        let api = Server::start({
            let answers = Arc::clone(&answers);
            move |request| reply(&answers, request)
        });
        let page = self.status_page.clone();
        let status = Server::start(move |request| status_page(&page, request));
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        for (name, text) in &self.files {
            let path = tree.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let base = proxy.map_or_else(|| api.url(), |proxy| proxy(&api));
        let (page, path) = (status.url(), folder.path().display().to_string());
        let mut variables = vec![
            ("PUSHREADY_GITHUB_API_URL", &*base),
            ("PUSHREADY_GITHUB_STATUS_URL", &page),
            ("PATH", &path),
        ];
        if self.token {
            variables.push(("PUSHREADY_GITHUB_TOKEN", TOKEN));
        }
        variables.extend(self.env.iter().map(|(name, value)| (&**name, &**value)));
        let env = Env::of(&variables);
        let home = Home::at(folder.path());
        let repository = Repository::parse_declared(&self.repository).unwrap();
        let inputs = Inputs {
            env: &env,
            home: &home,
            repository: &repository,
            work_tree: Some(&tree),
            head: Some(Head {
                branch: Some(self.head.branch.clone()),
                sha: SHA.to_owned(),
                message: self.head.message.clone(),
                pushed: self.head.pushed,
            }),
            deploy_key: self.deploy_key,
            end: Instant::now() + Duration::from_secs(10),
        };
        let outcomes = probe(&inputs);
        let offline = probe_offline(&inputs);
        Play { outcomes, offline, api: api.requests(), status: status.requests() }
    }

    /// Path to reply. What stands in `github` is written out in GitHub's own forms.
    fn answers(&self) -> BTreeMap<String, Answer> {
        let here = format!("/repos/{}", self.repository);
        let owner = self.repository.split('/').next().unwrap();
        let like: Value = serde_json::from_str(include_str!("../../../../tests/actions/like.json")).unwrap();
        let mut all = BTreeMap::new();
        let mut add = |path: String, body: Value| {
            all.insert(path, Answer { status: 200, headers: BTreeMap::new(), body, delay_ms: 0, cut: false });
        };
        let whole = |kind: &str, differs: &Value| merged(&like[kind], differs);
        let list = |kind: &str, key: &str, differs: &Value| {
            let items: Vec<_> =
                differs.as_array().unwrap().iter().map(|differs| whole(kind, differs)).collect();
            if key.is_empty() { Value::from(items) } else { json!({"total_count": items.len(), key: items}) }
        };
        // the example is private, and an organisation's
        let mut repo = json!({"full_name": self.repository, "owner": {"login": owner, "type": "Organization"}, "archived": false,
            "disabled": false, "fork": false, "private": true});
        if let Some(differs) = self.github.get("repo") {
            merge(&mut repo, differs);
        }
        add(here.clone(), whole("repo", &repo));
        add(format!("{here}/actions/runs"), list("runs", "workflow_runs", &json!([])));
        for (kind, value) in &self.github {
            let by_id = || value.as_object().unwrap().iter();
            match kind.as_str() {
                "repo" => {}
                "runs" => {
                    let runs: Vec<_> = value.as_array().unwrap().iter().map(|run| self.run(run)).collect();
                    add(format!("{here}/actions/runs"), list("runs", "workflow_runs", &Value::from(runs)));
                }
                "jobs" => by_id().for_each(|(id, jobs)| {
                    let jobs: Vec<_> = jobs.as_array().unwrap().iter().map(queued_job).collect();
                    add(format!("{here}/actions/runs/{id}/jobs"), list("jobs", "jobs", &Value::from(jobs)));
                }),
                "deployments" => by_id().for_each(|(id, items)| {
                    add(
                        format!("{here}/actions/runs/{id}/pending_deployments"),
                        list("deployments", "", items),
                    );
                }),
                "groups" => by_id().for_each(|(id, items)| {
                    add(
                        format!("{here}/actions/runs/{id}/concurrency_groups"),
                        list("groups", "concurrency_groups", items),
                    );
                }),
                "ahead" => by_id().for_each(|(name, ahead)| {
                    add(format!("{here}/actions/concurrency_groups/{name}"), whole("ahead", ahead));
                }),
                "annotations" => by_id().for_each(|(id, items)| {
                    add(format!("{here}/check-runs/{id}/annotations"), list("annotations", "", items));
                }),
                "workflows" => {
                    add(format!("{here}/actions/workflows"), list("workflows", "workflows", value));
                }
                "permissions" => {
                    let default =
                        json!({"enabled": true, "allowed_actions": "all", "sha_pinning_required": false});
                    add(format!("{here}/actions/permissions"), merged(&default, value));
                }
                "selected" => {
                    add(format!("{here}/actions/permissions/selected-actions"), whole("selected", value));
                }
                "fork_policy" => {
                    add(
                        format!("{here}/actions/permissions/fork-pr-contributor-approval"),
                        whole("fork_policy", value),
                    );
                }
                "repo_runners" => {
                    add(format!("{here}/actions/runners"), list("runners", "runners", value));
                }
                "org_runners" => {
                    add(format!("/orgs/{owner}/actions/runners"), list("runners", "runners", value));
                }
                "runner_groups" => {
                    add(
                        format!("/orgs/{owner}/actions/runner-groups"),
                        list("runner_groups", "runner_groups", value),
                    );
                }
                "hosted_runners" => {
                    add(
                        format!("/orgs/{owner}/actions/hosted-runners"),
                        list("hosted_runners", "runners", value),
                    );
                }
                "org_permissions" => {
                    add(format!("/orgs/{owner}/actions/permissions"), whole("org_permissions", value));
                }
                "self_hosted_policy" => {
                    add(format!("/orgs/{owner}/actions/permissions/self-hosted-runners"), value.clone());
                }
                other => panic!("{}: github.{other}?", self.name),
            }
        }
        all.extend(self.answers.clone());
        all
    }

    fn run(&self, differs: &Value) -> Value {
        let mut run = json!({"head_sha": SHA, "head_branch": self.head.branch, "event": "push", "path": ".github/workflows/ci.yml",
            "status": "queued", "conclusion": null, "created_at": "@-1m", "run_started_at": "@-1m",
            "repository": {"full_name": self.repository}, "head_repository": {"full_name": self.repository}});
        merge(&mut run, differs);
        run
    }
}

/// The example has run; most jobs of ours have not.
fn queued_job(differs: &Value) -> Value {
    let base = json!({"status": "queued", "conclusion": null, "steps": [], "labels": ["ubuntu-latest"], "created_at": "@-1m",
        "started_at": "@-1m", "completed_at": null, "runner_id": 0, "runner_name": "", "runner_group_id": 0, "runner_group_name": ""});
    merged(&base, differs)
}

fn merged(base: &Value, differs: &Value) -> Value {
    let mut base = base.clone();
    merge(&mut base, differs);
    base
}

/// Objects are merged, all else is replaced; `@-3h` becomes a time.
fn merge(base: &mut Value, differs: &Value) {
    match (base, differs) {
        (Value::Object(base), Value::Object(differs)) => {
            for (name, value) in differs {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, differs) => *base = timed(differs),
    }
}

fn timed(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with("@-") => {
            let past: SignedDuration = text[2..].parse().unwrap();
            json!((Timestamp::now() - past).strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        }
        Value::Array(items) => items.iter().map(timed).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), timed(value))).collect(),
        other => other.clone(),
    }
}

fn reply(answers: &BTreeMap<String, Answer>, request: &Request) -> Reply {
    let path = request.target.split('?').next().unwrap_or_default();
    let found = answers.get(&request.target).or_else(|| answers.get(path));
    let Some(answer) = found else {
        return json_reply(501, &json!({"message": format!("not in the scenario: {}", request.target)}));
    };
    let mut reply = json_reply(answer.status, &timed(&answer.body));
    reply.headers.extend(answer.headers.clone());
    reply.delay = Duration::from_millis(answer.delay_ms);
    reply.cut = answer.cut;
    reply
}

fn json_reply(status: u16, body: &Value) -> Reply {
    let date = jiff::fmt::rfc2822::to_string(&Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
    Reply::new(status, body.to_string())
        .header("content-type", "application/json; charset=utf-8")
        .header("date", date)
}

fn status_page(page: &Value, request: &Request) -> Reply {
    let body = match &*request.target {
        "/api/v2/components.json" => json!({"components": [
            {"id": "8l4ygp009s5s", "name": "Git Operations", "status": "operational"},
            {"id": "br0l2tvcx85d", "name": "Actions", "status": page["status"]},
        ]}),
        "/api/v2/incidents/unresolved.json" => json!({"incidents": [{"name": page["incident"]}]}),
        _ => return json_reply(404, &Value::Null),
    };
    json_reply(if page["status"].is_null() { 503 } else { 200 }, &body)
}

impl Play {
    pub fn requests(&self) -> usize {
        self.api.len() + self.status.len()
    }

    /// The codes of this play, or its best status.
    pub fn verdict(&self) -> String {
        let runs = self.outcomes.iter().filter(|outcome| outcome.id == "actions.runs");
        let names: Vec<_> = runs
            .map(|outcome| outcome.code.map_or(format!("{:?}", outcome.status), |code| code.to_string()))
            .collect();
        names.join(" ").to_lowercase()
    }

    /// What is not as it should be.
    pub fn check(&self, scenario: &Scenario) -> Vec<String> {
        let mut failures = Vec::new();
        let mut fail = |text: String| failures.push(format!("{}: {text}", scenario.name));
        for expected in &scenario.expect {
            let found = self.outcomes.iter().filter(|outcome| {
                outcome.id == expected.id
                    && expected
                        .subject
                        .as_ref()
                        .is_none_or(|subject| outcome.subject.as_ref() == Some(subject))
            });
            if !found.clone().any(|outcome| expected.fits(outcome)) {
                let found: Vec<_> = found.map(|outcome| serde_json::to_string(outcome).unwrap()).collect();
                fail(format!(
                    "expected {} {:?} {:?}, found\n{}",
                    expected.status,
                    expected.code,
                    expected.says,
                    found.join("\n")
                ));
            }
        }
        for outcome in &self.offline {
            let same = |other: &&Outcome| other.id == outcome.id && other.summary == outcome.summary;
            if self.outcomes.iter().find(same).is_none() {
                fail(format!("told offline alone: {}", outcome.summary));
            }
        }
        for outcome in &self.outcomes {
            if CHECKS.iter().all(|check| check.id != outcome.id) {
                fail(format!("{} is no check", outcome.id));
            }
            let named =
                scenario.expect.iter().any(|expected| expected.id == outcome.id && expected.fits(outcome));
            if !matches!(outcome.status, Status::Pass | Status::Skip) && !named {
                fail(format!("not expected: {}", serde_json::to_string(outcome).unwrap()));
            }
            let twins = self
                .outcomes
                .iter()
                .filter(|other| (other.id, &other.subject) == (outcome.id, &outcome.subject));
            if twins.count() > 1 {
                fail(format!("two outcomes for {} {:?}", outcome.id, outcome.subject));
            }
        }
        if serde_json::to_string(&self.outcomes).unwrap().contains(TOKEN) {
            fail("the token stands in an outcome".to_owned());
        }
        if self.requests() > scenario.requests {
            fail(format!(
                "{} requests, {} allowed: {:#?}",
                self.requests(),
                scenario.requests,
                self.targets()
            ));
        }
        for request in &self.api {
            if request.method != "GET" {
                fail(format!("{} is no read", request.method));
            }
            if scenario.token
                && request
                    .headers
                    .get("authorization")
                    .is_none_or(|value| value != &format!("Bearer {TOKEN}"))
            {
                fail(format!("asked without the token: {}", request.target));
            }
        }
        if self.status.iter().any(|request| request.headers.contains_key("authorization")) {
            fail("the status page was sent a token".to_owned());
        }
        failures
    }

    fn targets(&self) -> Vec<&str> {
        self.api.iter().chain(&self.status).map(|request| &*request.target).collect()
    }
}

impl Expected {
    fn fits(&self, outcome: &Outcome) -> bool {
        let text = serde_json::to_value(outcome).unwrap();
        let all = text.to_string();
        text["status"] == *self.status
            && text["code"].as_str() == self.code.as_deref()
            && self.says.iter().all(|says| all.contains(says))
    }
}
