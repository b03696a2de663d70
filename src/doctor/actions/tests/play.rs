//! A scenario, played in this process.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::doctor::actions::{Inputs, gather, judge, judge_files, local::Head, not_github};
use crate::doctor::outcome::{Judgement, Outcome};
use crate::env::Env;
use crate::git::url::Repository;
use crate::github::Memory;
use crate::github_rig::played::Played;
use crate::github_rig::scenario::{SHA, Scenario, TOKEN};
use crate::github_rig::server::Server;
use crate::home::Home;

/// Runs the checks; through `proxy`, where one is between the client and the server.
pub fn play(scenario: &Scenario, proxy: Option<&dyn Fn(&Server) -> String>) -> Played {
    let (api, status) = (Server::start(scenario.api(SHA)), Server::start(scenario.status_page()));
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let write = |files: &BTreeMap<String, String>| {
        for (name, text) in files {
            let path = tree.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    };
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=n", "-c", "user.email=e@example"]).args(arguments);
        let output = command.current_dir(&tree).env("HOME", folder.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    write(&scenario.files);
    git(&["init", "--quiet"]);
    git(&["add", "--all", "--force"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "change"]);
    write(&scenario.untracked);
    let base = proxy.map_or_else(|| api.url(), |proxy| proxy(&api));
    let (page, path) = (status.url(), folder.path().display().to_string());
    let mut variables = vec![
        ("PUSHREADY_GITHUB_API_URL", &*base),
        ("PUSHREADY_GITHUB_STATUS_URL", &page),
        ("PATH", &path),
    ];
    if scenario.token {
        variables.push(("PUSHREADY_GITHUB_TOKEN", TOKEN));
    }
    variables.extend(scenario.env.iter().map(|(name, value)| (&**name, &**value)));
    let env = Env::of(&variables);
    let home = Home::at(folder.path());
    let repository = Repository::parse_declared(&scenario.repository).unwrap();
    let pushed = Timestamp::now() - scenario.head.pushed_ago();
    let inputs = Inputs {
        env: &env,
        home: &home,
        repository: &repository,
        work_tree: Some(&tree),
        head: Some(Head {
            branch: Some(scenario.head.branch.clone()),
            sha: SHA.to_owned(),
            message: scenario.head.message.clone(),
            pushed: scenario.head.pushed,
            // what a workflow pushed was fetched here
            pushed_at: (!scenario.head.by_workflow).then_some(pushed),
            committed_at: scenario.head.by_workflow.then_some(pushed),
            tags: scenario.head.tags.clone(),
            by_workflow: scenario.head.by_workflow,
        }),
        deploy_key: scenario.deploy_key,
        memory: &Memory::default(),
        end: Instant::now() + Duration::from_secs(10),
    };
    let start = Instant::now();
    let facts = gather(&inputs);
    let of_facts = |judge: fn(&_) -> Vec<Judgement>| {
        facts.as_ref().map_or_else(|| vec![not_github(&repository)], judge)
    };
    let runs = of_facts(judge::runs);
    let elapsed = start.elapsed();
    let files = vec![judge_files(&inputs)];
    let value = |id, judgements: &[Judgement]| {
        let outcomes = judgements.iter().map(|judgement| Outcome::new(id, judgement.clone()));
        outcomes.map(|outcome| serde_json::to_value(outcome).unwrap()).collect::<Vec<_>>()
    };
    let offline = value("actions.workflow-files", &files);
    let status_page =
        value("actions.status-page", &of_facts(|facts| vec![judge::status_page(facts)]));
    Played {
        outcomes: [value("actions.runs", &runs), offline.clone(), status_page].concat(),
        offline,
        api: api.requests(),
        status: status.requests(),
        elapsed,
    }
}
