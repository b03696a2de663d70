//! A scenario: what GitHub answers, the files of the clone, and the expected verdict. Played in the process of the unit tests, and through the binary by the behaviour tests.
//!
//! `tests/actions/scenarios/NAME.json`. Lists hold what differs from GitHub's own example of the
//! kind (`like.json`); a text `@-3h` is a time of three hours ago. `answers` replaces whole replies
//! by path. `golden: false`: a server that breaks GitHub's own description, which the contract test
//! leaves out. `cause`: which of `causes::CAUSES` it shows.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::server::{Reply, Request};

pub const TOKEN: &str = "not-a-real-token";
pub const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(skip)]
    pub name: String,
    /// For the reader of the file.
    pub about: String,
    #[serde(default)]
    pub cause: Option<String>,
    #[serde(default = "yes")]
    pub golden: bool,
    #[serde(default = "repository")]
    pub repository: String,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default = "yes")]
    pub token: bool,
    #[serde(default)]
    pub deploy_key: bool,
    #[serde(default)]
    pub head: HeadOf,
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Written after the commit.
    #[serde(default)]
    pub untracked: BTreeMap<String, String>,
    #[serde(default)]
    github: Map<String, Value>,
    #[serde(default)]
    answers: BTreeMap<String, Answer>,
    #[serde(default = "operational")]
    status_page: Value,
    pub expect: Vec<Expected>,
    /// At most; the measured number is printed.
    #[serde(default = "eight")]
    pub requests: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeadOf {
    pub branch: String,
    pub message: String,
    pub pushed: bool,
    /// As in `@-3h`.
    pub pushed_ago: String,
    /// That point to it.
    pub tags: Vec<String>,
    /// A workflow made the commit.
    pub by_workflow: bool,
}

impl Default for HeadOf {
    fn default() -> Self {
        Self {
            branch: "main".to_owned(),
            message: "change".to_owned(),
            pushed: true,
            pushed_ago: "1h".to_owned(),
            tags: Vec::new(),
            by_workflow: false,
        }
    }
}

impl HeadOf {
    pub fn pushed_ago(&self) -> SignedDuration {
        self.pushed_ago.parse().unwrap()
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
    pub id: String,
    pub status: String,
    pub code: Option<String>,
    pub subject: Option<String>,
    /// The outcome contains each of these texts.
    #[serde(default)]
    pub says: Vec<String>,
    /// It contains none of these.
    #[serde(default)]
    pub silent: Vec<String>,
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

impl Scenario {
    /// Those below `crate_folder`.
    pub fn all(crate_folder: &str) -> Vec<Self> {
        let folder = Path::new(crate_folder).join("tests/actions/scenarios");
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap();
            let mut scenario: Self = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            scenario.name = path.file_stem().unwrap().to_string_lossy().into_owned();
            scenario
        };
        paths.iter().map(read).collect()
    }

    pub fn named(crate_folder: &str, name: &str) -> Self {
        let mut all = Self::all(crate_folder).into_iter();
        all.find(|scenario| scenario.name == name).unwrap_or_else(|| panic!("no scenario {name}"))
    }

    pub fn codes(&self) -> Vec<String> {
        self.expect.iter().filter_map(|expected| expected.code.clone()).collect()
    }

    /// GitHub's API, where `sha` is the commit that was pushed.
    pub fn api(&self, sha: &str) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
        let (answers, asked) = (self.answers(sha), format!("head_sha={sha}"));
        move |request| {
            if request.target.contains("head_sha=") && !request.target.contains(&asked) {
                return json_reply(501, &json!({"message": "another commit was requested"}));
            }
            reply(&answers, request)
        }
    }

    pub fn status_page(&self) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
        let page = self.status_page.clone();
        move |request| status_page(&page, request)
    }

    /// Replies by path. What `github` contains is written in GitHub's own forms.
    fn answers(&self, sha: &str) -> BTreeMap<String, Answer> {
        let here = format!("/repos/{}", self.repository);
        let owner = self.repository.split('/').next().unwrap();
        let like: Value = serde_json::from_str(include_str!("like.json")).unwrap();
        let mut all = BTreeMap::new();
        let mut add = |path: String, body: Value| {
            all.insert(
                path,
                Answer { status: 200, headers: BTreeMap::new(), body, delay_ms: 0, cut: false },
            );
        };
        // GitHub's example restricts what most repositories do not
        let free =
            json!({"enabled": true, "allowed_actions": "all", "sha_pinning_required": false});
        let whole = |kind: &str, differs: &Value| match kind {
            "permissions" => merged(&free, differs),
            // it has none
            "self_hosted_policy" => differs.clone(),
            _ => merged(&like[kind], differs),
        };
        let list = |kind: &str, key: &str, differs: &Value| {
            let items: Vec<_> =
                differs.as_array().unwrap().iter().map(|differs| whole(kind, differs)).collect();
            if key.is_empty() {
                Value::from(items)
            } else {
                json!({"total_count": items.len(), key: items})
            }
        };
        // the example is private, and an organisation's
        let mut repo = json!({"full_name": self.repository, "default_branch": "main", "owner": {"login": owner, "type": "Organization"}, "archived": false,
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
                    let runs: Vec<_> =
                        value.as_array().unwrap().iter().map(|run| self.run(run, sha)).collect();
                    add(
                        format!("{here}/actions/runs"),
                        list("runs", "workflow_runs", &Value::from(runs)),
                    );
                }
                "jobs" => by_id().for_each(|(id, jobs)| {
                    let jobs: Vec<_> = jobs.as_array().unwrap().iter().map(queued_job).collect();
                    add(
                        format!("{here}/actions/runs/{id}/jobs"),
                        list("jobs", "jobs", &Value::from(jobs)),
                    );
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
                    add(
                        format!("{here}/check-runs/{id}/annotations"),
                        list("annotations", "", items),
                    );
                }),
                // a list has fewer fields of each
                "pulls" => {
                    add(format!("{here}/pulls"), list("pulls", "", value));
                    for pull in value.as_array().unwrap() {
                        add(format!("{here}/pulls/{}", pull["number"]), whole("pull", pull));
                    }
                }
                kind => {
                    let (path, like, key) =
                        place(kind).unwrap_or_else(|| panic!("{}: github.{kind}?", self.name));
                    let path =
                        path.replace("HERE", &here).replace("ORG", &format!("/orgs/{owner}"));
                    let body =
                        if key.is_empty() { whole(like, value) } else { list(like, key, value) };
                    add(path, body);
                }
            }
        }
        let own = self.answers.iter().map(|(path, answer)| {
            (path.clone(), Answer { body: timed(&answer.body), ..answer.clone() })
        });
        all.extend(own);
        all
    }

    fn run(&self, differs: &Value, sha: &str) -> Value {
        let mut run = json!({"head_sha": sha, "head_branch": self.head.branch, "event": "push", "path": ".github/workflows/ci.yml",
            "status": "queued", "conclusion": null, "created_at": "@-1m", "run_started_at": "@-1m",
            "repository": {"full_name": self.repository}, "head_repository": {"full_name": self.repository}});
        merge(&mut run, differs);
        run
    }
}

/// The path of a kind of answer, its example, and the key of its list; an empty key: it is one
/// object.
fn place(kind: &str) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match kind {
        "workflows" => ("HERE/actions/workflows", "workflows", "workflows"),
        "permissions" => ("HERE/actions/permissions", "permissions", ""),
        "selected" => ("HERE/actions/permissions/selected-actions", "selected", ""),
        "fork_policy" => {
            ("HERE/actions/permissions/fork-pr-contributor-approval", "fork_policy", "")
        }
        "private_fork_policy" => {
            ("HERE/actions/permissions/fork-pr-workflows-private-repos", "private_fork_policy", "")
        }
        "repo_runners" => ("HERE/actions/runners", "runners", "runners"),
        "org_runners" => ("ORG/actions/runners", "runners", "runners"),
        "runner_groups" => ("ORG/actions/runner-groups", "runner_groups", "runner_groups"),
        "hosted_runners" => ("ORG/actions/hosted-runners", "hosted_runners", "runners"),
        "org_permissions" => ("ORG/actions/permissions", "org_permissions", ""),
        "self_hosted_policy" => {
            ("ORG/actions/permissions/self-hosted-runners", "self_hosted_policy", "")
        }
        _ => return None,
    })
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

/// Objects are merged, other values are replaced; `@-3h` becomes a time.
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
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), timed(value))).collect()
        }
        other => other.clone(),
    }
}

fn reply(answers: &BTreeMap<String, Answer>, request: &Request) -> Reply {
    let path = request.target.split('?').next().unwrap_or_default();
    let found = answers.get(&request.target).or_else(|| answers.get(path));
    let Some(answer) = found else {
        return json_reply(
            501,
            &json!({"message": format!("not in the scenario: {}", request.target)}),
        );
    };
    let mut reply = json_reply(answer.status, &answer.body);
    if answer.status == 200 {
        let mut hasher = DefaultHasher::new();
        reply.body.hash(&mut hasher);
        let etag = format!("W/\"{:x}\"", hasher.finish());
        if request.headers.get("if-none-match") == Some(&etag) {
            reply = Reply { status: 304, body: Vec::new(), ..reply };
        }
        reply = reply.header("etag", etag);
    }
    reply.headers.extend(answer.headers.clone());
    reply.delay = Duration::from_millis(answer.delay_ms);
    reply.cut = answer.cut;
    reply
}

fn json_reply(status: u16, body: &Value) -> Reply {
    let date =
        jiff::fmt::rfc2822::to_string(&Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
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

impl Expected {
    pub fn fits(&self, outcome: &Value) -> bool {
        let all = outcome.to_string();
        outcome["status"] == *self.status
            && outcome["code"].as_str() == self.code.as_deref()
            && self.says.iter().all(|says| all.contains(says))
            && !self.silent.iter().any(|silent| all.contains(silent))
    }
}
