//! `needs`: a job that waits for another one is not in the queue for a runner, though GitHub calls
//! both `queued`.

use super::local::Local;
use super::workflow::{WorkflowFile, WorkflowJob};
use crate::github::model::{Job, Run};

/// Whether `job` waits for a job that it needs, as the workflow file in the work tree tells.
/// `None`: it does not tell.
pub fn waits(local: &Local, run: &Run, jobs: &[Job], job: &Job) -> Option<bool> {
    let path = run.path.split('@').next()?;
    let workflow = local.workflows.iter().find(|workflow| workflow.path == path)?;
    let own = known(workflow, job)?;
    let done = |key: &String| {
        let needed = workflow.jobs.iter().find(|other| other.key == *key);
        let mut of_it = needed
            .into_iter()
            .flat_map(|needed| jobs.iter().filter(|job| is(needed, job)))
            .peekable();
        // not made yet, or by a name that cannot be known
        of_it.peek().is_some() && of_it.all(|job| job.status == "completed")
    };
    Some(!own.needs.iter().all(done))
}

fn known<'a>(workflow: &'a WorkflowFile, job: &Job) -> Option<&'a WorkflowJob> {
    workflow.jobs.iter().find(|local| is(local, job))
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

    #[test]
    fn what_is_needed_comes_first() {
        let text = "on: push\njobs:\n  build: {name: 'Build ${{ matrix.os }}'}\n  lint: {}\n  test: {needs: [build, lint]}\n  \
                    ship: {needs: test}\n";
        let local =
            Local { workflows: vec![WorkflowFile::parse("ci.yml", text)], ..Local::default() };
        let run = Run { path: "ci.yml".to_owned(), ..Run::default() };
        let job = |name: &str, status: &str| Job {
            name: name.to_owned(),
            status: status.to_owned(),
            ..Job::default()
        };
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
}
