//! Where the prompt comes from: the command line, a file, standard input or an editor.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use crate::cli::task::Create;
use crate::env::Env;
use crate::error::{Error, Exit, Result};
use crate::process::{self, Program};
use crate::resource::file::{self, Kind};
use crate::text::shell;
use crate::variables::observed;

/// A server takes requests of 256 KiB, and the prompt is not all of one.
const LONGEST: usize = 255 * 1024;

const TEMPLATE: &str = "\n# What should the agent do? Lines that begin with `#` are ignored,\n# and an empty prompt starts nothing.\n";

/// Whether an editor opens for the prompt.
pub fn is_from_editor(arguments: &Create) -> bool {
    let Create { prompt, file, stdin, from_bead, .. } = arguments;
    let is_given = prompt.is_some() || file.is_some() || *stdin || from_bead.is_some();
    arguments.editor || (!is_given && std::io::stdin().is_terminal())
}

pub fn read(arguments: &Create, env: &Env) -> Result<String> {
    let from_stdin = arguments.stdin || arguments.prompt.as_deref() == Some("-");
    let prompt = match (&arguments.prompt, &arguments.file) {
        (_, Some(path)) if path.as_os_str() == "-" => stdin()?,
        (_, Some(path)) => from_file(path)?,
        (Some(prompt), None) if !from_stdin => prompt.clone(),
        _ if is_from_editor(arguments) => edited(env)?,
        _ => stdin()?,
    };
    checked(prompt)
}

/// A prompt or message that a server accepts.
pub fn checked(prompt: String) -> Result<String> {
    let refused = |why: &str, hint: &str| Err(Error::new(why).hint(hint).exit(Exit::Usage));
    if prompt.trim().is_empty() {
        return refused(
            "the prompt is empty",
            "give it as an argument, with -F FILE, on standard input, or with --editor",
        );
    }
    if prompt.contains('\0') {
        return refused("the prompt contains a NUL byte", "a server refuses it: remove it");
    }
    // in JSON it may be longer
    if serde_json::Value::from(&*prompt).to_string().len() > LONGEST {
        return refused(
            "the prompt is too long: a server takes 256 KiB",
            "put what is long into a file of the repository, and name it in the prompt",
        );
    }
    Ok(prompt)
}

/// All of standard input, as text.
pub fn stdin() -> Result<String> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(4 * LONGEST as u64).read_to_end(&mut bytes);
    read.map_err(|error| {
        Error::new("cannot read standard input").because(error.to_string()).exit(Exit::Usage)
    })?;
    text(bytes, "standard input")
}

fn text(bytes: Vec<u8>, source: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| {
        Error::new(format!("{source} is not UTF-8 text")).hint("save it as UTF-8").exit(Exit::Usage)
    })
}

fn from_file(path: &Path) -> Result<String> {
    let missing = |why: String| {
        Error::new(format!("cannot read `{}`", path.display())).because(why).exit(Exit::Usage)
    };
    match file::observe(path, Kind::Shared) {
        Ok(Some(content)) => text(content.bytes.to_vec(), &format!("`{}`", path.display())),
        Ok(None) => Err(missing("it does not exist".to_owned())),
        Err(obstacle) => Err(missing(obstacle.finding(path).summary)),
    }
}

/// What the user writes in an editor, as `git commit` has it.
fn edited(env: &Env) -> Result<String> {
    let failed = |why: String| Error::new("cannot edit the prompt").because(why);
    let editor = [observed::VISUAL, observed::EDITOR].into_iter().find_map(|name| env.text(name));
    // one that is named may need no terminal
    if editor.is_none() && !std::io::stdin().is_terminal() {
        return Err(Error::new("an editor needs a terminal")
            .hint("give the prompt as an argument, with -F FILE or on standard input, or name an editor in VISUAL or EDITOR")
            .exit(Exit::Usage));
    }
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let mut draft = tempfile::Builder::new()
        .prefix("pushready-task-")
        .suffix(".md")
        .tempfile()
        .map_err(|error| failed(error.to_string()))?;
    draft.write_all(TEMPLATE.as_bytes()).map_err(|error| failed(error.to_string()))?;
    let mut command = process::command_in(Program::Editor, env);
    // the variable may have arguments, and the shell divides them
    command.args(["-c", &format!("{editor} {}", shell(draft.path()))]);
    let status = process::run_on_terminal(command).map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        return Err(failed(format!("the editor `{editor}` ended with {status}")).exit(Exit::Usage));
    }
    let text = file::text(draft.path());
    Ok(without_comments(&text))
}

/// Without the lines that begin with `#`, blanks at the end of lines and empty lines around it.
/// Pure.
fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::trim_end);
    lines.collect::<Vec<_>>().join("\n").trim_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_an_edited_prompt_are_removed() {
        for (text, prompt) in [
            (TEMPLATE, ""),
            ("fix it\n# not this\n", "fix it"),
            (
                "\n\n  indented  \n\nand #this\n # and this\n\n",
                "  indented\n\nand #this\n # and this",
            ),
        ] {
            assert_eq!(without_comments(text), prompt);
        }
    }

    #[test]
    fn a_prompt_that_no_server_takes_is_refused_before_it_is_sent() {
        for (prompt, ok) in [
            ("fix it".to_owned(), true),
            (" \n\t".to_owned(), false),
            ("a\0b".to_owned(), false),
            ("x".repeat(200 * 1024), true),
            ("x".repeat(256 * 1024), false),
            ("\u{1}".repeat(50 * 1024), false),
        ] {
            assert_eq!(checked(prompt).is_ok(), ok);
        }
    }
}
