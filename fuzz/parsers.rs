//! Every parser of text that others write, and what must hold for whatever they write: no panic,
//! and what the comments say. The fuzzer calls them (`scripts/fuzz.sh`); `cargo test` calls them
//! with the corpora beside this file.

use secrecy::{ExposeSecret as _, SecretString};

use crate::coder::model as coder;
use crate::doctor::actions::workflow::{WorkflowFile, actionlint_labels};
use crate::doctor::git::script::{self, CommandFault, ScriptSurroundings, ShellMode};
use crate::doctor::{credentials, leaks};
use crate::git::config;
use crate::git::url::{GitUrl, Repository, redact, remote_command_repository};
use crate::git_cli::config_error::ConfigError;
use crate::git_cli::effective_config::EffectiveConfig;
use crate::git_cli::remotes;
use crate::github::{Read, json as github_json, model, page};
use crate::http::Url;
use crate::json::read;
use crate::provision::routing::pins::{Pins, contradicts_pins};
use crate::push_message::{self, Greeting, Hints};
use crate::resource::block::{self, Position};
use crate::resource::keys::{self, Key};
use crate::resource::remote::{self, Exchange};
use crate::resource::{json, toml};
use crate::secret::{ApiToken, ClaudeToken, CodexAuth, CredentialsFile, DeployKey};
use crate::settings::source::key_map;
use crate::ssh_match::is_about;
use crate::state::receipt::Receipt;

/// A parser, by the name of its target and its corpus.
pub struct Parser {
    pub name: &'static str,
    pub run: fn(&[u8]),
}

const fn parser(name: &'static str, run: fn(&[u8])) -> Parser {
    Parser { name, run }
}

pub const PARSERS: &[Parser] = &[
    parser("git_url", git_url),
    parser("git_config", git_config),
    parser("git_answer", git_answer),
    parser("ssh_argv", ssh_argv),
    parser("ssh_files", ssh_files),
    parser("server_message", server_message),
    parser("deploy_key", deploy_key),
    parser("token", token),
    parser("codex_login", codex_login),
    parser("settings_json", settings_json),
    parser("settings_toml", settings_toml),
    parser("workflow", workflow),
    parser("github_json", github_json),
    parser("coder_json", coder_json),
    parser("http_url", http_url),
    parser("log_line", log_line),
    parser("hook", hook),
];

/// Calls the parser of a target.
pub fn run(name: &str, bytes: &[u8]) {
    let parser = PARSERS.iter().find(|parser| parser.name == name).expect("a row for each target");
    (parser.run)(bytes);
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn secret(bytes: &[u8]) -> SecretString {
    SecretString::from(text(bytes))
}

/// The canonical URL of a repository is a URL of the same repository, and what is printed has no
/// password.
fn git_url(bytes: &[u8]) {
    let text = text(bytes);
    let _ = redact(&text);
    let urls = [GitUrl::parse(&text).ok().and_then(|url| {
        let without = url.without_credential().to_owned();
        // a credential alone leaves nothing
        assert!(!GitUrl::parse(&without).is_ok_and(|url| url.has_credential()), "{without}");
        url.repository().cloned()
    })];
    for repository in urls.into_iter().flatten().chain(Repository::parse_declared(&text).ok()) {
        let again = GitUrl::parse(&repository.to_ssh()).unwrap();
        assert!(again.repository().is_some_and(|other| other.same_as(&repository)));
        assert!(!again.has_credential() && again.transport().is_ssh());
    }
}

/// The places of values are in order and in bounds; an exchange of URLs is undone to the byte.
fn git_config(bytes: &[u8]) {
    let _ = credentials::of(bytes);
    let Ok(variables) = config::variables(bytes) else { return };
    let mut end = 0;
    for variable in variables {
        assert!(variable.place.start >= end && variable.place.end <= bytes.len(), "{variable:?}");
        end = variable.place.end;
    }
    let urls = remote::urls(bytes).unwrap().filter_map(|url| {
        Some(Exchange {
            remote: url.subsection?,
            key: url.key,
            from: url.value?,
            to: "git@h.test:o/r.git".to_owned(),
            without_credential: None,
        })
    });
    let exchanges: Vec<_> = urls.filter(|exchange| exchange.from != exchange.to).collect();
    let (new, written) = remote::set(bytes, &exchanges).unwrap();
    assert_eq!(written.len(), exchanges.len());
    if std::str::from_utf8(bytes).is_ok() {
        assert_eq!(remote::unset(&new, &written).unwrap(), (bytes.to_vec(), vec![]));
    }
}

/// What git prints.
fn git_answer(bytes: &[u8]) {
    let text = text(bytes);
    let config = EffectiveConfig::parse(text.clone());
    let _ = (config.forbids_ssh(), config.ssh_command(), config.url_rules("insteadof", None));
    assert!(!config.has_more_than(&config));
    let _ = remotes::parse(&text);
    let _ = ConfigError::parse(&text);
}

/// The command line of an ssh, in which words end with a NUL. None is about a repository of another
/// path.
fn ssh_argv(bytes: &[u8]) {
    let text = text(bytes);
    let words: Vec<_> = text.split('\0').collect();
    let routes = "1 h.test - o/app\n2 h.test 22 o/app-two\n";
    let about: Vec<_> = ["1", "2", "3"].map(|id| is_about(&words, routes, id)).into();
    assert!(!about[2] && (!about[0] || !about[1]), "{words:?}");
    let _ = remote_command_repository(&words);
}

/// `known_hosts`, and `~/.ssh/config`, from which our line is removed to the byte. (A copy of it that
/// is there already is ours, and does not come back.)
fn ssh_files(bytes: &[u8]) {
    let text = text(bytes);
    let repository = Repository::parse_declared("h.test/o/r").unwrap();
    let _ = Pins::of(&text, &[repository]).note();
    let _ = text.lines().filter(|line| contradicts_pins(line)).count();
    let ours = "Include /s\n";
    if let Some((new, written)) = block::insert(bytes, ours, Position::Head, None)
        && !text.contains(ours)
    {
        assert_eq!(block::remove(&new, &written).unwrap(), bytes);
    }
}

/// The text of a hook: where everything is installed, nothing makes it fail.
fn hook(bytes: &[u8]) {
    let text = text(bytes);
    let failure = |is_installed: bool, shell| {
        let surroundings = ScriptSurroundings {
            fault: &|_| (!is_installed).then(|| CommandFault::Command(String::new())),
            starts: &|_| is_installed,
            is_harmless_file: &|_| false,
            missing_file: &|_| (!is_installed).then(String::new),
            is_set: &|_| false,
            has_terminal: is_installed,
        };
        script::failure(&text, shell, &surroundings)
    };
    for (is_bash, exits) in [(false, false), (false, true), (true, false), (true, true)] {
        let _ = failure(false, ShellMode { is_bash, exits });
        assert_eq!(failure(true, ShellMode { is_bash, exits }), None);
    }
}

/// What a failed push printed: no more is quoted than fits into a report.
fn server_message(bytes: &[u8]) {
    let text = text(bytes);
    let _ = Greeting::parse(&text);
    for failed in [false, true] {
        let hints = Hints { failed, ..Hints::default() };
        let diagnosis = push_message::classify(&text, &hints);
        let quoted: usize = diagnosis.quotes.iter().map(|quote| quote.text.len()).sum();
        assert!(quoted < 16 * 1024, "{quoted} bytes are quoted");
    }
}

/// A key that is accepted is accepted as it is written, without a repair.
fn deploy_key(bytes: &[u8]) {
    if let Ok(checked) = DeployKey::parse(&secret(bytes)) {
        let again = DeployKey::parse(checked.value.openssh()).unwrap();
        assert!(again.repairs.is_empty(), "{:?}", again.repairs);
        assert_eq!(again.value.fingerprint(), checked.value.fingerprint());
    }
    let _ = key_map(&text(bytes));
}

/// Claude's tokens and those of APIs.
fn token(bytes: &[u8]) {
    if let Ok(checked) = ClaudeToken::parse(&secret(bytes)) {
        let oauth = checked.value.oauth_json();
        let file = format!("{{\"claudeAiOauth\": {}}}", oauth.expose_secret());
        let file = CredentialsFile::parse(file.as_bytes());
        assert!(matches!(file, CredentialsFile::SetupToken { .. }), "{file:?}");
    }
    let _ = ApiToken::parse(&secret(bytes)).map(|checked| checked.value.bearer());
    let _ = CredentialsFile::parse(bytes);
}

/// A seed that is accepted is written in a form that is accepted, for the same account.
fn codex_login(bytes: &[u8]) {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let _ = CodexAuth::is_stub(bytes);
    if let Ok(auth) = CodexAuth::parse(bytes) {
        let _ = (auth.state(now), auth.email_masked(), auth.plan(), auth.account_digest());
        let again = CodexAuth::parse(auth.to_json().expose_secret().as_bytes());
        assert!(again.is_ok_and(|again| again.account() == auth.account()));
    }
    let _ = CodexAuth::parse_seed(&secret(bytes), now);
}

/// `.claude.json`, the receipt: keys that are set are removed to the byte.
fn settings_json(bytes: &[u8]) {
    let text = text(bytes);
    let _ = serde_json::from_str::<Receipt>(&text);
    let _ = json::object(&text);
    let path = ["projects", "/h/app", "hasTrustDialogAccepted"].map(str::to_owned).to_vec();
    let keys = [Key { path, value: true.into() }];
    if let Ok((new, written)) = keys::set(Some(&text), &keys)
        && !text.trim().is_empty()
    {
        assert_eq!(keys::set(Some(&new), &keys).unwrap().1, [], "{new}");
        assert_eq!(keys::unset(&new, &written).unwrap(), (text, vec![]), "{new}");
    }
}

/// Codex's settings: no more parts than are counted.
fn settings_toml(bytes: &[u8]) {
    let text = text(bytes);
    let mut left = toml::PARTS;
    if let Ok(document) = toml::parse(&text, &mut left) {
        assert!(document.iter().count() <= toml::PARTS - left);
    }
}

/// Workflow files and actionlint's settings: no more is kept than fits.
fn workflow(bytes: &[u8]) {
    let text = text(bytes);
    let file = WorkflowFile::parse("a.yml", &text);
    let kept = file.jobs.iter().flat_map(|job| job.label_sets.iter().flatten());
    assert!(kept.map(String::len).sum::<usize>() < 1 << 20);
    let _ = actionlint_labels(&text);
}

/// GitHub's answers, and its status page's.
fn github_json(bytes: &[u8]) {
    const MOST: usize = 1 << 16;
    let text = text(bytes);
    let _ = page::next_link(&text);
    let Some(reduced) = github_json::reduce(bytes, MOST) else { return };
    assert!(reduced.size <= MOST, "{}", reduced.size);
    let value = &reduced.value;
    let _ = (model::Repo::read(value), model::Run::read(value), model::Job::read(value));
    let _ = (model::Workflow::read(value), model::PullRequest::read(value));
    let _ = (model::PendingDeployment::read(value), model::ConcurrencyGroup::read(value));
    let _ = (model::Runner::read(value), model::RunnerGroup::read(value));
    let _ = (model::Permissions::read(value), model::SelectedActions::read(value));
}

/// Answers and events of a Coder server.
fn coder_json(bytes: &[u8]) {
    let Ok(value) = read(bytes, &mut (1 << 20)) else { return };
    let _ = (coder::Chat::of(&value), coder::ChatError::of(&value), coder::Message::of(&value));
    let _ = (coder::CoderTask::of(&value), coder::Build::of(&value), coder::Workspace::of(&value));
    let _ = (coder::Template::of(&value), coder::Metadata::of(&value));
}

/// A redirect is followed within its origin alone.
fn http_url(bytes: &[u8]) {
    let text = text(bytes);
    let _ = Url::parse(&text);
    let base = Url::parse("https://api.github.com/repos/o/r").unwrap();
    if let Some(target) = base.follow(&text) {
        assert!(target.origin() == base.origin(), "{target}");
    }
}

/// A line of a log, or an argument of a process.
fn log_line(bytes: &[u8]) {
    for in_log in [false, true] {
        let _ = leaks::holds_mark(bytes, in_log);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::*;

    /// What each input is repeated to. In a debug build, on a machine with other work, linear work
    /// on it takes less than a second.
    const LARGE: usize = 64 * 1024;
    const LINEAR: Duration = Duration::from_secs(10);

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
    }

    fn names(folder: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn the_corpora_hold() {
        for Parser { name, run } in PARSERS {
            let corpus = root().join("corpus").join(name);
            let inputs = names(&format!("corpus/{name}"));
            assert!(inputs.len() >= 4, "{name} has {} inputs", inputs.len());
            for input in inputs {
                let bytes = fs::read(corpus.join(&input)).unwrap();
                assert!(bytes.len() <= 16 * 1024, "{name}/{input} is large");
                let start = Instant::now();
                run(&bytes);
                if !bytes.is_empty() {
                    run(&bytes.repeat(LARGE / bytes.len()));
                }
                let elapsed = start.elapsed();
                assert!(elapsed < LINEAR, "{name}/{input} takes {elapsed:?}");
            }
        }
    }

    #[test]
    fn each_parser_has_a_target_and_a_corpus() {
        let parsers: BTreeSet<_> = PARSERS.iter().map(|it| it.name.to_owned()).collect();
        assert_eq!(names("corpus"), parsers);
        assert_eq!(names("targets"), parsers.iter().map(|name| format!("{name}.rs")).collect());
        let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
        for name in &parsers {
            let target = format!("name = \"{name}\"\npath = \"targets/{name}.rs\"");
            assert!(manifest.contains(&target), "{target}");
        }
    }

    /// The fuzzer compiles the program's own source with the program's own dependencies.
    #[test]
    fn the_fuzzers_dependencies_are_those_of_the_program() {
        let dependencies = |path: &Path| -> BTreeSet<String> {
            let text = fs::read_to_string(path).unwrap();
            let section = text.split_once("\n[dependencies]\n").unwrap().1;
            let section = section.split("\n\n").next().unwrap();
            let lines = section.lines().filter(|line| !line.starts_with('#'));
            lines.filter(|line| !line.starts_with("libfuzzer-sys")).map(str::to_owned).collect()
        };
        let program = dependencies(&root().join("../Cargo.toml"));
        assert_eq!(dependencies(&root().join("Cargo.toml")), program);
    }
}
