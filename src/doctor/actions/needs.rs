//! Jobs of the same run: one that waits for another of them is not in the queue for a runner, though
//! GitHub calls both `queued`.

use super::local::Local;
use super::workflow::{WorkflowFile, WorkflowJob};
use crate::github::model::{Job, Run};

/// Whether `job` waits for a job that it needs, or for its turn in its matrix (`max-parallel`), as
/// the workflow file of the commit tells. `None`: it does not tell.
pub fn waits(local: &Local, run: &Run, jobs: &[Job], job: &Job) -> Option<bool> {
    let (workflow, own) = in_file(local, run, job)?;
    let done = |key: &String| {
        let needed = workflow.jobs.iter().find(|other| other.key == *key);
        let mut of_it = needed
            .into_iter()
            .flat_map(|needed| jobs.iter().filter(|job| is(needed, job)))
            .peekable();
        // not made yet, or by a name that cannot be known
        of_it.peek().is_some() && of_it.all(|job| job.status == "completed")
    };
    Some(!own.needs.iter().all(done) || in_turn(own, jobs, job))
}

/// As many jobs of its matrix run as may run at the same time.
fn in_turn(own: &WorkflowJob, jobs: &[Job], job: &Job) -> bool {
    // one entry of the matrix of a reusable workflow is several jobs
    let Some(most) = own.max_parallel.filter(|_| !job.name.contains(" / ")) else { return false };
    let runs = |other: &&Job| {
        is(own, other)
            && (other.status == "in_progress" || other.status == "queued" && other.assigned)
    };
    jobs.iter().filter(runs).count() >= most
}

/// The job in the file of the commit, and that file.
pub fn in_file<'a>(
    local: &'a Local,
    run: &Run,
    job: &Job,
) -> Option<(&'a WorkflowFile, &'a WorkflowJob)> {
    let workflow = local.workflows.iter().find(|workflow| run.is_of(&workflow.path))?;
    Some((workflow, workflow.jobs.iter().find(|local| is(local, job))?))
}

/// A matrix adds ` (a, b)` to the name, a reusable workflow ` / inner`; an expression in it is not
/// known.
fn is(local: &WorkflowJob, job: &Job) -> bool {
    let fixed = local.name.split("${{").next().unwrap_or_default();
    if fixed.len() < local.name.len() {
        return !fixed.trim().is_empty() && job.name.starts_with(fixed);
    }
    job.name
        .strip_prefix(&*local.name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(" (") || rest.starts_with(" / "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_of(text: &str) -> (Local, Run) {
        let workflows = vec![WorkflowFile::parse("ci.yml", text)];
        let run = Run { path: "ci.yml".to_owned(), ..Run::default() };
        (Local { workflows, ..Local::default() }, run)
    }

    fn job(name: &str, status: &str) -> Job {
        Job { name: name.to_owned(), status: status.to_owned(), ..Job::default() }
    }

    #[test]
    fn what_is_needed_comes_first() {
        let text = "on: push\njobs:\n  build: {name: 'Build ${{ matrix.os }}'}\n  lint: {}\n  test: {needs: [build, lint]}\n  \
                    ship: {needs: test}\n";
        let (local, run) = run_of(text);
        let look = |jobs: &[Job], index: usize| waits(&local, &run, jobs, &jobs[index]);
        let running = [
            job("Build a", "completed"),
            job("Build b", "in_progress"),
            job("lint", "completed"),
            job("test (1)", "queued"),
        ];
        assert_eq!(look(&running, 3), Some(true));
        assert_eq!(look(&running, 2), Some(false));
        let done = [
            job("Build a", "completed"),
            job("lint", "completed"),
            job("test / inner", "queued"),
            job("ship", "queued"),
        ];
        assert_eq!(look(&done, 2), Some(false));
        assert_eq!(look(&done, 3), Some(true));
        assert_eq!(look(&[job("tester", "queued")], 0), None, "another name");
    }

    #[test]
    fn a_matrix_runs_as_many_jobs_as_it_may() {
        let text = "on: push\njobs:\n  a: {runs-on: x, strategy: {max-parallel: 2, matrix: {n: [1, 2, 3]}}}\n";
        let (local, run) = run_of(text);
        let waits = |states: [&str; 3]| {
            let jobs: Vec<_> = ["a (1)", "a (2)", "a (3)"]
                .iter()
                .zip(states)
                .map(|(name, state)| job(name, state))
                .collect();
            super::waits(&local, &run, &jobs, &jobs[2])
        };
        assert_eq!(waits(["in_progress", "in_progress", "queued"]), Some(true));
        assert_eq!(waits(["completed", "in_progress", "queued"]), Some(false));
        assert_eq!(waits(["queued", "queued", "queued"]), Some(false));
    }
}
