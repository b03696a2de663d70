//! In a GitHub workflow the result goes to the outputs of the step and to its summary.
#![expect(clippy::disallowed_methods, reason = "appends to the two files that the runner names")]

use std::fs::OpenOptions;
use std::io::Write as _;

use super::judge::Ended;
use super::output::{warn, word};
use super::work::View;
use crate::env::Env;
use crate::error::{Error, Exit};
use crate::text::plain;

/// Appends to the files that the variables name, if this is a workflow.
pub fn write(env: &Env, view: &View, exit: Exit, ended: Option<&Ended>) {
    append(env, &outputs(view, exit, ended), &summary(view, exit, ended));
}

/// The same where there is no task.
pub fn write_unmade(env: &Env, ended: &Ended) {
    let (result, reason) = (word(ended.exit), plain(&ended.reason));
    append(
        env,
        &format!("result={result}\nreason={reason}\n"),
        &format!("### pushready task: {result}\n\n- reason: {}\n\n", code(&ended.reason)),
    );
}

/// The same of an error that ended the command.
pub fn write_error(env: &Env, error: &Error) {
    write_unmade(env, &Ended::new(error.status(), error.line()));
}

fn append(env: &Env, outputs: &str, summary: &str) {
    for (name, text) in [("GITHUB_OUTPUT", outputs), ("GITHUB_STEP_SUMMARY", summary)] {
        let Some(path) = env.get(name) else { continue };
        let written = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        if let Err(error) = written {
            warn(&format!("cannot write to {name}: {error}"));
        }
    }
}

/// `name=value` lines: a value is one line, so that none can begin another output.
fn outputs(view: &View, exit: Exit, ended: Option<&Ended>) -> String {
    let request = view.pull_request.as_ref();
    let workspace = view.workspace.as_ref();
    let reason = ended.map(|ended| ended.reason.as_str());
    [
        ("id", Some(&*view.id)),
        ("name", Some(&*view.name)),
        ("backend", Some(view.backend)),
        ("url", Some(&*view.url)),
        ("state", Some(&*view.state)),
        ("result", Some(word(exit))),
        ("reason", reason),
        ("workspace", workspace.map(|workspace| &*workspace.name)),
        ("pull_request", request.and_then(|request| request.url.as_deref())),
        ("branch", request.and_then(|request| request.branch.as_deref())),
    ]
    .into_iter()
    .map(|(name, value)| format!("{name}={}\n", plain(value.unwrap_or_default())))
    .collect()
}

/// Text of others, in Markdown: as code, in which nothing is interpreted.
fn code(text: &str) -> String {
    format!("`{}`", plain(text).replace('`', "'"))
}

fn summary(view: &View, exit: Exit, ended: Option<&Ended>) -> String {
    let mut text = format!("### pushready task {}: {}\n\n", code(&view.name), word(exit));
    let mut row = |name: &str, value: String| text.extend(["- ", name, ": ", &value, "\n"]);
    row("page", format!("<{}>", view.url));
    if let Some(workspace) = &view.workspace {
        row("workspace", code(&format!("{}/{}", workspace.owner, workspace.name)));
    }
    if let Some(ended) = ended.filter(|ended| ended.exit != Exit::Ready) {
        row("reason", code(&ended.reason));
    }
    if let Some(request) = &view.pull_request {
        let size = format!("+{} -{}", request.additions, request.deletions);
        if let Some(url) = request.url.as_deref().filter(|url| url.starts_with("https://")) {
            let ends_link = |c: char| c.is_whitespace() || c.is_control() || "<>[]()`".contains(c);
            let link =
                if url.contains(ends_link) { code(url) } else { format!("<{}>", plain(url)) };
            row("pull request", format!("{link} ({size})"));
        }
        if let Some(branch) = &request.branch {
            row("branch", code(branch));
        }
    }
    if let Some(answer) = ended.and_then(|ended| ended.answer.as_deref()) {
        let lines = answer.lines().take(40).map(|line| format!("    {}\n", plain(line)));
        text.extend(["\n", &lines.collect::<String>()]);
    }
    text.push('\n');
    text
}
