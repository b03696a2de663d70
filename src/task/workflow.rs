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

/// A URL, in Markdown: as a link, where nothing in it ends one.
fn link(url: &str) -> String {
    let ends = |c: char| c.is_whitespace() || c.is_control() || "<>[]()`".contains(c);
    if url.contains(ends) { code(url) } else { format!("<{}>", plain(url)) }
}

fn summary(view: &View, exit: Exit, ended: Option<&Ended>) -> String {
    let mut text = format!("### pushready task {}: {}\n\n", code(&view.name), word(exit));
    let mut row = |name: &str, value: String| text.extend(["- ", name, ": ", &value, "\n"]);
    row("page", link(&view.url));
    if let Some(workspace) = &view.workspace {
        row("workspace", code(&format!("{}/{}", workspace.owner, workspace.name)));
    }
    if let Some(ended) = ended.filter(|ended| ended.exit != Exit::Ready) {
        row("reason", code(&ended.reason));
    }
    if let Some(request) = &view.pull_request {
        let size = format!("+{} -{}", request.additions, request.deletions);
        if let Some(url) = request.url.as_deref().filter(|url| url.starts_with("https://")) {
            row("pull request", format!("{} ({size})", link(url)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coder::model::ChatPullRequest;

    #[test]
    fn text_of_others_is_not_markdown_of_the_summary() {
        const EVIL: &str = "https://h.test/pull/1>) [x](https://evil.test) <b\n# head\n![i](x)`y`";
        let request = ChatPullRequest {
            url: Some(EVIL.to_owned()),
            number: None,
            state: None,
            title: None,
            draft: false,
            branch: Some(EVIL.to_owned()),
            base: None,
            additions: 1,
            deletions: 2,
            changed_files: 1,
        };
        let mut view = View {
            id: EVIL.to_owned(),
            name: EVIL.to_owned(),
            title: EVIL.to_owned(),
            backend: "chats",
            owner: EVIL.to_owned(),
            state: EVIL.to_owned(),
            status: EVIL.to_owned(),
            message: Some(EVIL.to_owned()),
            url: EVIL.to_owned(),
            created_at: None,
            updated_at: None,
            archived: false,
            workspace: None,
            pending: None,
            readiness: None,
            readiness_age_s: None,
            pull_request: Some(request),
            last_error: None,
        };
        let mut ended = Ended::new(Exit::NotReady, EVIL);
        ended.answer = Some(EVIL.to_owned());
        let lines = |view: &View| summary(view, Exit::NotReady, Some(&ended));
        for line in lines(&view).lines() {
            // as code, or indented as code is
            let outside: String = line.split('`').step_by(2).collect();
            let is_plain = line.starts_with("    ") || !outside.contains(['[', '<', '!']);
            assert!(is_plain && (!line.starts_with('#') || line.starts_with("###")), "{line}");
        }
        let url = "https://h.test/pull/1?a=b#c";
        view.url = url.to_owned();
        if let Some(request) = &mut view.pull_request {
            request.url = Some(url.to_owned());
        }
        let text = lines(&view);
        assert!(text.contains(&format!("page: <{url}>")), "{text}");
        assert!(text.contains(&format!("pull request: <{url}> (+1 -2)")), "{text}");
    }
}
