//! Workflow files, as far as they tell whether and where a run would start. Read leniently: GitHub
//! judges their syntax.

use super::yaml::{Yaml, YamlError};

/// GitHub runs no more jobs of one matrix than 256.
const MOST_JOBS: usize = 500;
/// Of strings that are kept of one file.
const MOST_KEPT: usize = 64 * 1024;

/// One file.
#[derive(Clone, Debug, Default)]
pub struct WorkflowFile {
    /// `.github/workflows/ci.yml`
    pub path: String,
    pub triggers: Vec<Trigger>,
    pub jobs: Vec<WorkflowJob>,
    pub problem: Option<WorkflowProblem>,
}

/// Why a file says nothing about its runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkflowProblem {
    /// GitHub refuses it too.
    Invalid(String),
    /// It is larger or deeper than what is read here.
    NotRead,
}

/// One event of `on:`, with its filters as they are written.
#[derive(Clone, Debug, Default)]
pub struct Trigger {
    pub event: String,
    pub branches: Vec<String>,
    pub branches_ignore: Vec<String>,
    /// It has a filter for tags.
    pub by_tag: bool,
    pub tags: Vec<String>,
    /// It has a filter for files.
    pub by_path: bool,
    pub paths: Vec<String>,
    pub paths_ignore: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct WorkflowJob {
    /// Its key below `jobs:`, which `needs` of other jobs names.
    pub key: String,
    /// As runs show it, without what a matrix adds; the key where it has no name.
    pub name: String,
    pub needs: Vec<String>,
    /// Each set of labels that it may request: one, or one for each value of a matrix.
    pub label_sets: Vec<Vec<String>>,
    /// The runner group that `runs-on` names.
    pub group: Option<String>,
    /// `runs-on` is an expression, whose value is not known before the run.
    pub computed: bool,
    /// How many jobs of its matrix run at the same time.
    pub max_parallel: Option<usize>,
    /// Actions and reusable workflows, without the local ones.
    pub uses: Vec<String>,
    /// The workflow of the same commit that it calls: `.github/workflows/build.yml`.
    pub calls: Option<String>,
}

impl WorkflowFile {
    pub fn parse(path: &str, text: &str) -> Self {
        let workflow = Self { path: path.to_owned(), ..Self::default() };
        let root = match Yaml::parse(text) {
            Ok(root) => root,
            Err(error) => return Self { problem: Some(error.into()), ..workflow },
        };
        let (on, jobs) = (root.get("on"), root.get("jobs").map(Yaml::entries));
        let invalid = |what: &str| Some(WorkflowProblem::Invalid(what.to_owned()));
        let problem = match (on, jobs) {
            (None, _) => invalid("it has no `on:`"),
            (_, None) => invalid("it has no `jobs:`"),
            (_, Some(jobs)) if jobs.len() > MOST_JOBS => Some(WorkflowProblem::NotRead),
            (_, Some(jobs)) => refused_job(jobs).map(WorkflowProblem::Invalid),
        };
        let jobs = jobs.unwrap_or_default().iter().take(MOST_JOBS);
        let read = Self {
            triggers: on.map(triggers).unwrap_or_default(),
            jobs: jobs.map(|(key, job)| read_job(key, job)).collect(),
            problem,
            ..workflow
        };
        if read.kept() > MOST_KEPT {
            return Self {
                path: read.path,
                problem: Some(WorkflowProblem::NotRead),
                ..Self::default()
            };
        }
        read
    }

    /// Other workflows can call it.
    pub fn is_reusable(&self) -> bool {
        self.triggers.iter().any(|trigger| trigger.event == "workflow_call")
    }

    /// The bytes of its strings.
    fn kept(&self) -> usize {
        let triggers = self.triggers.iter().flat_map(|trigger| {
            let paths = trigger.paths.iter().chain(&trigger.paths_ignore).chain(&trigger.tags);
            let branches = trigger.branches.iter().chain(&trigger.branches_ignore);
            [&trigger.event].into_iter().chain(branches).chain(paths)
        });
        let jobs = self.jobs.iter().flat_map(|job| {
            let texts = [&job.key, &job.name].into_iter();
            let named = job.group.iter().chain(&job.calls);
            let lists = job.needs.iter().chain(&job.uses).chain(job.label_sets.iter().flatten());
            texts.chain(named).chain(lists)
        });
        triggers.chain(jobs).map(|text| text.len() + size_of::<String>()).sum()
    }
}

impl From<YamlError> for WorkflowProblem {
    fn from(error: YamlError) -> Self {
        match error {
            YamlError::Invalid(line) => {
                Self::Invalid(format!("it is not valid YAML at line {line}"))
            }
            YamlError::TooLarge => Self::NotRead,
        }
    }
}

fn triggers(on: &Yaml) -> Vec<Trigger> {
    let bare =
        |event: &Yaml| Some(Trigger { event: event.text()?.to_owned(), ..Trigger::default() });
    let filtered = |(event, filter): &(Yaml, Yaml)| {
        let has = |names: [&str; 2]| names.iter().any(|name| filter.get(name).is_some());
        Some(Trigger {
            branches: strings(filter.get("branches")),
            branches_ignore: strings(filter.get("branches-ignore")),
            by_tag: has(["tags", "tags-ignore"]),
            tags: strings(filter.get("tags")),
            by_path: has(["paths", "paths-ignore"]),
            paths: strings(filter.get("paths")),
            paths_ignore: strings(filter.get("paths-ignore")),
            ..bare(event)?
        })
    };
    match on {
        Yaml::List(events) => events.iter().filter_map(bare).collect(),
        Yaml::Map(events) => events.iter().filter_map(filtered).collect(),
        event => bare(event).into_iter().collect(),
    }
}

fn read_job(key: &Yaml, job: &Yaml) -> WorkflowJob {
    let key = key.text().unwrap_or_default().to_owned();
    let steps = job.get("steps").map_or(&[][..], Yaml::items);
    let step_uses = steps.iter().filter_map(|step| step.get("uses"));
    let uses = step_uses.chain(job.get("uses")).filter_map(Yaml::text);
    let on = job.get("runs-on");
    let group = on.and_then(|on| on.get("group")).and_then(Yaml::text);
    let labels = on.map(|on| on.get("labels").unwrap_or(on));
    let computed = labels.is_some_and(|labels| strings_of(labels).iter().any(|it| is_computed(it)));
    let strategy = job.get("strategy");
    let max_parallel = strategy.and_then(|strategy| strategy.get("max-parallel")?.text());
    let called = job.get("uses").and_then(Yaml::text);
    WorkflowJob {
        name: job.get("name").and_then(Yaml::text).map_or_else(|| key.clone(), str::to_owned),
        needs: strings(job.get("needs")),
        key,
        label_sets: on.map_or_else(Vec::new, |on| label_sets(on, job)),
        group: group.filter(|group| !is_computed(group)).map(str::to_owned),
        computed: computed || group.is_some_and(is_computed),
        max_parallel: max_parallel.and_then(|most| most.parse().ok()),
        calls: called.and_then(|called| called.strip_prefix("./")).map(str::to_owned),
        uses: uses.filter(|uses| !uses.starts_with("./")).map(str::to_owned).collect(),
    }
}

fn is_computed(text: &str) -> bool {
    text.contains("${{")
}

/// What GitHub refuses of a job: it cannot know where to run it, or what it waits for.
fn refused_job(jobs: &[(Yaml, Yaml)]) -> Option<String> {
    jobs.iter().find_map(|(key, job)| {
        let named = quoted(key.text()?);
        // what is merged in may complete the job
        let keys = matches!(job, Yaml::Map(_)) && job.get("<<").is_none();
        if keys && job.get("runs-on").or_else(|| job.get("uses")).is_none() {
            return Some(format!("the job{named} has neither `runs-on` nor `uses`"));
        }
        let absent = strings(job.get("needs"))
            .into_iter()
            .find(|needed| jobs.iter().all(|(other, _)| other.text() != Some(needed)))?;
        let needed = quoted(&absent);
        Some(format!("the job{named} needs the job{needed}, which does not exist"))
    })
}

/// ` \`name\``, where the repository chose a plain name; else nothing: it becomes part of a message.
pub fn quoted(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    if name.len() <= 60 && name.bytes().all(plain) { format!(" `{name}`") } else { String::new() }
}

/// The labels of `runs-on`: a word, a list, or `{group, labels}`; `${{ matrix.x }}` is each literal
/// value of x.
fn label_sets(on: &Yaml, job: &Yaml) -> Vec<Vec<String>> {
    let on = on.get("labels").unwrap_or(on);
    let sets = match on.text().and_then(matrix_name) {
        Some(name) => matrix_values(job, name).into_iter().map(strings_of).collect(),
        None => vec![strings_of(on)],
    };
    // the value of an expression is not known before it runs
    sets.into_iter()
        .filter(|set| !set.is_empty() && !set.iter().any(|label| is_computed(label)))
        .collect()
}

/// `x` of `${{ matrix.x }}`.
fn matrix_name(text: &str) -> Option<&str> {
    let name =
        text.trim().strip_prefix("${{")?.strip_suffix("}}")?.trim().strip_prefix("matrix.")?;
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)).then_some(name)
}

fn matrix_values<'a>(job: &'a Yaml, name: &str) -> Vec<&'a Yaml> {
    let Some(matrix) = job.get("strategy").and_then(|strategy| strategy.get("matrix")) else {
        return Vec::new();
    };
    let direct = matrix.get(name).map_or(&[][..], Yaml::items);
    let included = matrix.get("include").map_or(&[][..], Yaml::items);
    direct.iter().chain(included.iter().filter_map(|entry| entry.get(name))).collect()
}

fn strings(value: Option<&Yaml>) -> Vec<String> {
    value.map(strings_of).unwrap_or_default()
}

fn strings_of(value: &Yaml) -> Vec<String> {
    match value {
        Yaml::Text(text) => vec![text.to_string()],
        list => list.items().iter().filter_map(Yaml::text).map(str::to_owned).collect(),
    }
}

/// The labels that actionlint is configured to accept: its users' own runners (actionlint,
/// docs/config.md).
pub fn actionlint_labels(text: &str) -> Vec<String> {
    let config = Yaml::parse(text).unwrap_or_default();
    strings(config.get("self-hosted-runner").and_then(|runner| runner.get("labels")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(runs_on: &str) -> Vec<Vec<String>> {
        let text = format!("on: push\njobs:\n  a:\n{runs_on}");
        WorkflowFile::parse("w.yml", &text).jobs.remove(0).label_sets
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
    fn where_a_job_runs_beside_its_labels() {
        let job = |text: &str| {
            WorkflowFile::parse("w.yml", &format!("on: push\njobs:\n  a: {text}")).jobs.remove(0)
        };
        let on = |text: &str| {
            let job = job(&format!("{{runs-on: {text}}}"));
            (job.group, job.computed)
        };
        assert_eq!(on("{group: big, labels: [gpu]}"), (Some("big".to_owned()), false));
        assert_eq!(on("{group: big}"), (Some("big".to_owned()), false));
        assert_eq!(on("\"${{ vars.RUNNER }}\""), (None, true));
        assert_eq!(on("{group: \"${{ vars.GROUP }}\"}"), (None, true));
        assert_eq!(on("ubuntu-latest"), (None, false));
        let most = |text: &str| job(&format!("{{runs-on: x, strategy: {text}}}")).max_parallel;
        assert_eq!(most("{max-parallel: 2, matrix: {n: [1]}}"), Some(2));
        assert_eq!(most("{max-parallel: \"${{ inputs.n }}\"}"), None);
        let called = |text: &str| job(&format!("{{uses: {text}}}")).calls;
        assert_eq!(called("./.github/workflows/b.yml").unwrap(), ".github/workflows/b.yml");
        assert_eq!(called("o/r/.github/workflows/b.yml@v1"), None);
    }

    #[test]
    fn jobs_that_github_refuses_are_named() {
        let problem = |jobs: &str| {
            let file = WorkflowFile::parse("w.yml", &format!("on: push\njobs: {{{jobs}}}"));
            match file.problem? {
                WorkflowProblem::Invalid(why) => Some(why),
                WorkflowProblem::NotRead => None,
            }
        };
        let missing = "the job `a` has neither `runs-on` nor `uses`";
        assert_eq!(problem("a: {steps: [{run: x}]}").unwrap(), missing);
        assert_eq!(problem("a: {'<<': x, steps: []}"), None);
        assert_eq!(problem("a: {uses: o/r/.github/workflows/b.yml@v1}"), None);
        assert_eq!(
            problem("a: {needs: [b, biuld], runs-on: x}, b: {runs-on: x}").unwrap(),
            "the job `a` needs the job `biuld`, which does not exist"
        );
        assert_eq!(problem("a: {needs: b, runs-on: x}, b: {runs-on: x}"), None);
        assert!(problem("\"a\\e[31m\": {}").unwrap().starts_with("the job has neither"));
    }

    #[test]
    fn on_in_every_form() {
        let events = |text: &str| -> Vec<String> {
            let workflow = WorkflowFile::parse("w.yml", &format!("{text}\njobs: {{}}"));
            workflow.triggers.into_iter().map(|trigger| trigger.event).collect()
        };
        assert_eq!(events("on: push"), ["push"]);
        assert_eq!(events("'on': [push, pull_request]"), ["push", "pull_request"]);
        assert_eq!(events("on:\n  push:\n  schedule: [{cron: '0 0 * * *'}]"), ["push", "schedule"]);
        let filter = WorkflowFile::parse(
            "w.yml",
            "on: {push: {branches: main, paths: ['a/**'], tags: [v1]}}\njobs: {}",
        );
        let push = &filter.triggers[0];
        assert_eq!(
            (&*push.branches, &*push.paths, &*push.tags),
            (&["main".to_owned()][..], &["a/**".to_owned()][..], &["v1".to_owned()][..])
        );
    }

    #[test]
    fn a_file_may_contain_anything() {
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
            let _ = WorkflowFile::parse("w.yml", text);
        }
        let problem = |text: &str| WorkflowFile::parse("w.yml", text).problem;
        let invalid = |what: &str| Some(WorkflowProblem::Invalid(what.to_owned()));
        assert_eq!(problem("on: push\na: ["), invalid("it is not valid YAML at line 3"));
        assert_eq!(problem("on: push"), invalid("it has no `jobs:`"));
        assert_eq!(problem("jobs: {}"), invalid("it has no `on:`"));
        assert_eq!(problem("on:\njobs: {}"), None);
    }

    /// What is kept of a file is bounded too: 200 files are kept at once.
    #[test]
    fn a_file_with_too_much_in_it_is_not_read() {
        let jobs = |count: usize| -> String {
            let jobs: String = (0..count).map(|n| format!("  j{n}: {{runs-on: a}}\n")).collect();
            format!("on: push\njobs:\n{jobs}")
        };
        assert_eq!(WorkflowFile::parse("w.yml", &jobs(MOST_JOBS)).problem, None);
        assert_eq!(
            WorkflowFile::parse("w.yml", &jobs(MOST_JOBS + 1)).problem,
            Some(WorkflowProblem::NotRead)
        );
        let labels = |count: usize| {
            let labels = vec!["*a"; count].join(", ");
            format!("on: push\nx: &a {}\njobs: {{a: {{runs-on: [{labels}]}}}}", "a".repeat(1000))
        };
        assert_eq!(WorkflowFile::parse("w.yml", &labels(60)).problem, None);
        let large = WorkflowFile::parse("w.yml", &labels(70));
        assert_eq!((large.problem, large.jobs.len()), (Some(WorkflowProblem::NotRead), 0));
        let nested = format!("on: push\njobs:\n{}x", "- ".repeat(100_000));
        assert_eq!(WorkflowFile::parse("w.yml", &nested).problem, Some(WorkflowProblem::NotRead));
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
