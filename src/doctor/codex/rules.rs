//! The rules for commands: without one of these files Codex does not start (0.169, measured). They
//! are a program in Starlark, which Codex itself parses.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use crate::catalogue::{Code, Fix};
use crate::client::Client;
use crate::doctor::context::{Context, LOCAL};
use crate::doctor::outcome::{Evidence, Judgement};
use crate::process::{self, Program};
use crate::resource::file::{self, Kind};
use crate::resource::place::Obstacle;
use crate::variables;

/// More files than anybody has.
const MOST_FILES: usize = 100;

/// Where no folder can be: Codex would make files in its own.
const NO_FOLDER: &str = "/dev/null/none";

/// Of the folders that have rules.
pub fn check(context: &Context, folders: &BTreeSet<PathBuf>) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    let mut left = Vec::new();
    for folder in folders {
        match files(folder) {
            Ok(files) => {
                let (fifos, others): (Vec<_>, Vec<_>) =
                    files.into_iter().partition(|path| is_fifo(path));
                // Codex waits for its end, as would the look at its rules
                let waits =
                    |path: &PathBuf| Judgement::obstructed(&Obstacle::NotRegular("a FIFO"), path);
                judgements.extend(fifos.iter().map(waits));
                left.extend(others.into_iter().filter(|path| !is_plain_file(path)));
            }
            Err(error) => {
                let summary = format!("Codex cannot read its rules ({error}), and does not start");
                let fix = format!(
                    "make `{}` a folder that the workspace user can read, or remove it",
                    folder.display()
                );
                let fail = Judgement::fail(Code::CodexConfigMalformed, summary, Fix::report(fix));
                judgements.push(fail.about(context.home.shown(folder)));
            }
        }
    }
    if !left.is_empty() {
        judgements.extend(parsed(context, &left));
    }
    judgements
}

/// The files of a folder that Codex reads.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        // a file has the name of the folder above
        Err(_) if !folder.parent().is_some_and(Path::is_dir) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let is_rules = |path: &PathBuf| path.extension() == Some(OsStr::new("rules")) && !path.is_dir();
    let mut paths: Vec<_> = paths.filter(is_rules).take(MOST_FILES).collect();
    paths.sort();
    Ok(paths)
}

fn is_fifo(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

fn is_plain_file(path: &Path) -> bool {
    let content = file::observe(path, Kind::Shared).ok().flatten();
    content.is_some_and(|content| std::str::from_utf8(&content.bytes).is_ok_and(is_plain))
}

/// Whether the text has nothing but comments, and rules as Codex itself writes them: one in a line.
/// Pure.
fn is_plain(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#') || is_plain_rule(line))
}

fn is_plain_rule(line: &str) -> bool {
    let rule = line.strip_prefix("prefix_rule(pattern=").and_then(|rest| rest.strip_suffix("\")"));
    let Some((pattern, decision)) = rule.and_then(|rule| rule.split_once(", decision=\"")) else {
        return false;
    };
    let words: Result<Vec<String>, _> = serde_json::from_str(pattern);
    // escapes differ between JSON and Starlark
    !pattern.contains('\\')
        && words.is_ok_and(|words| !words.is_empty())
        && ["allow", "prompt", "forbidden"].contains(&decision)
}

/// What Codex itself says of the files.
fn parsed(context: &Context, files: &[PathBuf]) -> Option<Judgement> {
    let mut codex = process::command_in(Program::Client(Client::Codex), context.env);
    codex.env(variables::CODEX_HOME, NO_FOLDER).args(["execpolicy", "check"]);
    for path in files {
        codex.arg("--rules").arg(path);
    }
    codex.args(["--", "true"]);
    let output = process::run(codex, context.deadline(LOCAL));
    let stderr = output.as_ref().map_or("", |output| &output.stderr);
    if output.as_ref().is_ok_and(|output| output.status.success()) {
        return None;
    }
    let named = files.iter().find(|path| {
        ["parse", "read"].iter().any(|what| {
            let says = format!("failed to {what} policy at {}", path.display());
            stderr.lines().any(|line| line.ends_with(&says))
        })
    });
    let Some(path) = named else {
        let needs = "the Codex that is installed: `codex execpolicy check --rules FILE -- true`";
        let unknown = Judgement::unknown("there are rules that Codex alone can parse", needs);
        let shown: Vec<_> = files.iter().map(|path| context.home.shown(path)).collect();
        return Some(
            unknown.about(shown.first()?).with([Evidence::new("files", shown.join(", "))]),
        );
    };
    let fix = Fix::edit(path, "correct the rule, or move the file away");
    let fail = Judgement::fail(
        Code::CodexConfigMalformed,
        "Codex cannot parse this file of rules, and does not start",
        fix,
    );
    let says = stderr.lines().map(str::trim).find(|line| line.starts_with("error: "));
    let says = says.map(|line| Evidence::foreign("codex", line.trim_start_matches("error: ")));
    Some(fail.about(context.home.shown(path)).with(says))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_as_codex_writes_them_need_no_codex() {
        for (text, plain) in [
            ("", true),
            ("# a comment\n\nprefix_rule(pattern=[\"git\", \"add\"], decision=\"allow\")\n", true),
            ("prefix_rule(pattern=[\"git\"], decision=\"bogus\")\n", false),
            ("prefix_rule(pattern=\"git\", decision=\"allow\")\n", false),
            ("prefix_rule(pattern=[], decision=\"allow\")\n", false),
            ("prefix_rule(pattern=[\"a\\/b\"], decision=\"allow\")\n", false),
            ("prefix_rule(pattern=[\"a\"], decision=\"allow\", match=[\"b\"])\n", false),
            ("prefix_rule(\n  pattern=[\"a\"],\n)\n", false),
            ("this is not starlark((\n", false),
        ] {
            assert_eq!(is_plain(text), plain, "{text}");
        }
    }
}
