//! Workflow files, as far as they tell whether and where a run would start. Read leniently: GitHub
//! judges their syntax.

use yaml_serde::Value;

/// The parser's own limit is 128; scripts leave some brackets open.
const DEEPEST: usize = 1000;

/// One file.
#[derive(Clone, Debug, Default)]
pub struct Workflow {
    /// `.github/workflows/ci.yml`
    pub path: String,
    pub triggers: Vec<Trigger>,
    pub jobs: Vec<Job>,
    /// Why it could not be read.
    pub problem: Option<String>,
}

/// One event of `on:`, with its filters as they are written.
#[derive(Clone, Debug, Default)]
pub struct Trigger {
    pub event: String,
    pub branches: Vec<String>,
    pub branches_ignore: Vec<String>,
    pub tags: bool,
    pub paths: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Under which it stands in the file, and which `needs` of others name.
    pub key: String,
    /// As runs show it, less what a matrix adds; the key where it has no name.
    pub name: String,
    pub needs: Vec<String>,
    /// Each set of labels that it may ask for: one, or one for each value of a matrix.
    pub label_sets: Vec<Vec<String>>,
    /// Actions and reusable workflows, less the local ones.
    pub uses: Vec<String>,
}

impl Workflow {
    pub fn parse(path: &str, text: &str) -> Self {
        let workflow = Self { path: path.to_owned(), ..Self::default() };
        if is_nested_too_deeply(text) {
            return Self { problem: Some("it is nested too deeply".to_owned()), ..workflow };
        }
        let root: Value = match yaml_serde::from_str(text) {
            Ok(root) => root,
            Err(error) => {
                let place =
                    error.location().map_or(String::new(), |at| format!(" at line {}", at.line()));
                return Self { problem: Some(format!("it is no valid YAML{place}")), ..workflow };
            }
        };
        // YAML 1.1 reads the key `on` as true
        let on = root.get("on").or_else(|| root.as_mapping()?.get(Value::Bool(true)));
        let jobs = root.get("jobs").and_then(Value::as_mapping);
        let problem = match (on, jobs) {
            (None, _) => Some("it has no `on:`".to_owned()),
            (_, None) => Some("it has no `jobs:`".to_owned()),
            _ => None,
        };
        Self {
            triggers: on.map(triggers).unwrap_or_default(),
            jobs: jobs.map_or_else(Vec::new, |jobs| {
                jobs.iter().map(|(key, job)| read_job(key, job)).collect()
            }),
            problem,
            ..workflow
        }
    }
}

/// libyaml takes the square of the depth of brackets in time: a hostile file would hold the doctor
/// up for minutes. Counted without regard to quotes and scripts, where brackets close again.
fn is_nested_too_deeply(text: &str) -> bool {
    let mut depth: usize = 0;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEEPEST
    })
}

fn triggers(on: &Value) -> Vec<Trigger> {
    let bare =
        |event: &Value| Some(Trigger { event: event.as_str()?.to_owned(), ..Trigger::default() });
    match on {
        Value::Sequence(events) => events.iter().filter_map(bare).collect(),
        Value::Mapping(events) => events
            .iter()
            .filter_map(|(event, filter)| {
                let has = |names: [&str; 2]| names.iter().any(|name| filter.get(name).is_some());
                Some(Trigger {
                    branches: strings(filter.get("branches")),
                    branches_ignore: strings(filter.get("branches-ignore")),
                    tags: has(["tags", "tags-ignore"]),
                    paths: has(["paths", "paths-ignore"]),
                    ..bare(event)?
                })
            })
            .collect(),
        event => bare(event).into_iter().collect(),
    }
}

fn read_job(key: &Value, job: &Value) -> Job {
    let key = key.as_str().unwrap_or_default().to_owned();
    let steps = job.get("steps").and_then(Value::as_sequence);
    let step_uses = steps.into_iter().flatten().filter_map(|step| step.get("uses"));
    let uses = step_uses.chain(job.get("uses")).filter_map(Value::as_str);
    Job {
        name: job.get("name").and_then(Value::as_str).map_or_else(|| key.clone(), str::to_owned),
        needs: strings(job.get("needs")),
        key,
        label_sets: job.get("runs-on").map_or_else(Vec::new, |on| label_sets(on, job)),
        uses: uses.filter(|uses| !uses.starts_with("./")).map(str::to_owned).collect(),
    }
}

/// The labels of `runs-on`: a word, a list, or `{group, labels}`; `${{ matrix.x }}` stands for each
/// literal value of x.
fn label_sets(on: &Value, job: &Value) -> Vec<Vec<String>> {
    let on = on.get("labels").unwrap_or(on);
    let sets = match on.as_str().and_then(matrix_name) {
        Some(name) => matrix_values(job, name).into_iter().map(strings_of).collect(),
        None => vec![strings_of(on)],
    };
    // an expression is not known before it runs
    sets.into_iter()
        .filter(|set| !set.is_empty() && !set.iter().any(|label| label.contains("${{")))
        .collect()
}

/// `x` of `${{ matrix.x }}`.
fn matrix_name(text: &str) -> Option<&str> {
    let name =
        text.trim().strip_prefix("${{")?.strip_suffix("}}")?.trim().strip_prefix("matrix.")?;
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)).then_some(name)
}

fn matrix_values<'a>(job: &'a Value, name: &str) -> Vec<&'a Value> {
    let Some(matrix) = job.get("strategy").and_then(|strategy| strategy.get("matrix")) else {
        return Vec::new();
    };
    let direct = matrix.get(name).and_then(Value::as_sequence).into_iter().flatten();
    let included = matrix.get("include").and_then(Value::as_sequence).into_iter().flatten();
    direct.chain(included.filter_map(|entry| entry.get(name))).collect()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value.map(strings_of).unwrap_or_default()
}

fn strings_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Sequence(items) => {
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// The labels that actionlint is told to accept: its users' own runners (actionlint,
/// docs/config.md).
pub fn actionlint_labels(text: &str) -> Vec<String> {
    let config: Value = yaml_serde::from_str(text).unwrap_or_default();
    strings(config.get("self-hosted-runner").and_then(|runner| runner.get("labels")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(runs_on: &str) -> Vec<Vec<String>> {
        let text = format!("on: push\njobs:\n  a:\n{runs_on}");
        Workflow::parse("w.yml", &text).jobs.remove(0).label_sets
    }

    #[test]
    fn runs_on_in_every_form() {
        assert_eq!(labels("    runs-on: ubuntu-latest"), [["ubuntu-latest"]]);
        assert_eq!(labels("    runs-on: [self-hosted, gpu]"), [["self-hosted", "gpu"]]);
        assert_eq!(labels("    runs-on: {group: big, labels: [gpu]}"), [["gpu"]]);
        assert_eq!(labels("    runs-on: {group: big}"), Vec::<Vec<String>>::new());
        assert_eq!(
            labels(
                "    runs-on: ${{ matrix.os }}\n    strategy: {matrix: {os: [a, [b, c]], include: [{os: d}, {x: 1}]}}"
            ),
            [vec!["a"], vec!["b", "c"], vec!["d"]]
        );
        for unresolved in [
            "${{ inputs.os }}",
            "${{ fromJSON(x) }}",
            "${{ matrix.os }}",
            "${{ matrix[0] }}",
            "[a, '${{ b }}']",
        ] {
            assert_eq!(
                labels(&format!("    runs-on: {unresolved}")),
                Vec::<Vec<String>>::new(),
                "{unresolved}"
            );
        }
        assert_eq!(labels("    uses: o/r/.github/workflows/x.yml@v1"), Vec::<Vec<String>>::new());
    }

    #[test]
    fn on_in_every_form() {
        let events = |text: &str| -> Vec<String> {
            let workflow = Workflow::parse("w.yml", &format!("{text}\njobs: {{}}"));
            workflow.triggers.into_iter().map(|trigger| trigger.event).collect()
        };
        assert_eq!(events("on: push"), ["push"]);
        assert_eq!(events("'on': [push, pull_request]"), ["push", "pull_request"]);
        assert_eq!(events("on:\n  push:\n  schedule: [{cron: '0 0 * * *'}]"), ["push", "schedule"]);
        let filter = Workflow::parse(
            "w.yml",
            "on: {push: {branches: main, paths: ['a/**'], tags: [v1]}}\njobs: {}",
        );
        let push = &filter.triggers[0];
        assert_eq!(
            (&*push.branches, push.paths, push.tags),
            (&["main".to_owned()][..], true, true)
        );
    }

    #[test]
    fn anything_may_stand_in_a_file() {
        for text in [
            "",
            "- a",
            "on: 1",
            "jobs: {a: 1}",
            "on: {1: 2}\njobs: {1: {runs-on: {}}}",
            "on: push\njobs: {a: {steps: 3}}",
            "!x y",
            "\u{0}",
        ] {
            let _ = Workflow::parse("w.yml", text);
        }
        assert_eq!(
            Workflow::parse("w.yml", "on: push\na: [").problem.as_deref(),
            Some("it is no valid YAML at line 3")
        );
        assert!(Workflow::parse("w.yml", "on: push").problem.is_some());
        // aliases that grow without end
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let aliases = vec![format!("*a{}", n - 1); 9].join(", ");
            bomb = format!("{bomb}a{n}: &a{n} [{aliases}]\n");
        }
        let start = std::time::Instant::now();
        assert!(Workflow::parse("w.yml", &bomb).problem.is_some());
        for deep in ["[", "{", "- ", "? ", "a: [", "&a ", "!a ", "{a: "] {
            let text = format!("on: push\njobs: {}", deep.repeat(100_000));
            assert!(Workflow::parse("w.yml", &text).problem.is_some(), "{deep}");
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    }

    #[test]
    fn labels_that_actionlint_knows() {
        assert_eq!(
            actionlint_labels("self-hosted-runner:\n  labels: [gpu, linux.*]\n"),
            ["gpu", "linux.*"]
        );
        assert!(actionlint_labels(": :").is_empty());
    }
}
