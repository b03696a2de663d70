//! The programs that git starts for a commit and a push in this clone: filters and hooks. Their
//! configuration and their first lines are read; none of them is run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::layout::Layout;
use super::{ask, blocked, facts, own_subject};
use crate::catalogue::{Actor, Code, Fix};
use crate::doctor::clones::InView;
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git_cli::effective_config::EffectiveConfig;
use crate::resource::file;
use crate::{env, variables};

/// Hooks whose failure refuses a commit or a push (githooks(5)).
const HOOKS: &[&str] =
    &["pre-commit", "prepare-commit-msg", "commit-msg", "pre-push", "reference-transaction"];
/// Where distributions keep git's own programs, which git itself puts first in PATH.
const GIT_CORE: &[&str] = &["/usr/lib/git-core", "/usr/libexec/git-core"];

/// A filter that an attribute of the clone names.
#[derive(Debug)]
struct Filter {
    name: String,
    program: FilterProgram,
    is_installed: bool,
    is_required: bool,
    /// A file of the clone has the attribute.
    is_used: bool,
}

/// The program of `filter.NAME.process` or `.clean`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FilterProgram {
    NotConfigured,
    /// The command does not show it.
    Unknown,
    Named(String),
}

/// What the first line of a hook and a few marks of generators show.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hook {
    Runnable,
    /// git takes a folder for a hook, too, and cannot run it.
    Folder,
    /// Windows line ends: the kernel looks for `sh\r`.
    Crlf,
    /// The interpreter, or what `env` would start.
    Interpreter(String),
    GitLfs,
    /// pre-commit's own hook: its Python is gone.
    PreCommit(String),
    /// GitButler refuses commits on its branch.
    GitButler,
    /// Husky's helper is not there.
    Husky,
    /// husky runs a script of the repository, whose first command is not installed.
    HuskyCommand(String),
    /// This user can start it, and its interpreter cannot read it.
    Unreadable,
}

pub fn programs(context: &Context) -> Vec<Judgement> {
    if let Some(blocked) = blocked(context) {
        return vec![blocked];
    }
    let Some(layout) = &facts(context).layout else {
        return vec![Judgement::skip("the current folder is in no clone")];
    };
    let current = context.clones.in_view().iter().find(|clone| clone.is_current);
    let Some(config) = current.map(InView::config).filter(|_| layout.defect.is_none()) else {
        return vec![Judgement::blocked(Code::GitCloneBroken)];
    };
    let is_installed = |program: &str| is_installed(context, &layout.top, program);
    let filters = filters(context, layout, config, &is_installed);
    let mut found: Vec<_> = filters.iter().filter_map(judge_filter).collect();
    let (folder, is_own) = hooks_folder(context, layout, config);
    for name in HOOKS {
        let path = folder.join(name);
        if path.is_dir() && access(&path, Access::EXEC_OK).is_ok() {
            found.extend(judge_hook(&Hook::Folder, &path, is_own));
        }
        if can_run(&path) {
            let branch = layout.branch().unwrap_or_default();
            let mut seen = inspect(&file::text(&path), &branch, &is_installed, &|helper| {
                folder.join(helper).exists()
            });
            if access(&path, Access::READ_OK).is_err() {
                seen = Hook::Unreadable;
            }
            if seen == Hook::Runnable && folder.ends_with(".husky/_") && folder.join("h").is_file()
            {
                let is_installed = |program: &str| {
                    is_installed(program)
                        || can_run(&layout.top.join("node_modules/.bin").join(program))
                };
                let command = husky_command(context, &folder, name);
                let missing = command.filter(|program| !is_installed(program));
                seen = missing.map_or(seen, Hook::HuskyCommand);
            }
            found.extend(judge_hook(&seen, &path, is_own));
        }
    }
    if found.is_empty() {
        found.push(Judgement::pass("the filters and hooks that git starts here can run"));
    }
    let subject = own_subject(context);
    found.into_iter().map(|judgement| Judgement { subject: subject.clone(), ..judgement }).collect()
}

/// Whether git finds the program: by its path, from the top of the work tree, or on PATH.
fn is_installed(context: &Context, top: &Path, program: &str) -> bool {
    if program.contains('/') {
        return can_run(&from_top(context, top, program));
    }
    is_on_path(context, program)
        || GIT_CORE.iter().any(|folder| can_run(&Path::new(folder).join(program)))
}

/// A path of the configuration or of a command, which git resolves from the top of the work tree.
fn from_top(context: &Context, top: &Path, path: &str) -> PathBuf {
    if path.starts_with('~') {
        return env::expand(path.as_ref(), &context.home.path);
    }
    top.join(path)
}

/// The first command of the script that husky's own hook runs with `sh -e`: `.husky/pre-commit`.
/// A file of the user may change its PATH.
fn husky_command(context: &Context, folder: &Path, hook: &str) -> Option<String> {
    if context.home.path.join(".config/husky/init.sh").exists() {
        return None;
    }
    first_command(&file::text(&folder.parent()?.join(hook)))
}

/// A plain first command. Pure.
fn first_command(script: &str) -> Option<String> {
    const OF_SHELL: &[&str] = &[
        "[", "alias", "break", "case", "cd", "command", "echo", "eval", "exec", "exit", "export",
        "false", "for", "function", "if", "local", "printf", "read", "readonly", "return", "set",
        "shift", "source", "test", "trap", "true", "type", "ulimit", "umask", "unset", "until",
        "while",
    ];
    let mut lines = script.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
    // what follows such a word may hide that the command is missing
    if line.contains(['|', '&', ';', '`', '$', '(']) {
        return None;
    }
    let word = line.split_whitespace().next()?;
    let is_plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    (is_plain && word != "." && !OF_SHELL.contains(&word)).then(|| word.to_owned())
}

/// Whether it is on the PATH of the caller, less the entries that mean the current folder.
pub fn is_on_path(context: &Context, program: &str) -> bool {
    let path = context.env.raw(variables::PATH).unwrap_or_default();
    let mut folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.any(|folder| can_run(&folder.join(program)))
}

pub fn can_run(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// The filters that the attributes of the clone and of the user name.
fn filters(
    context: &Context,
    layout: &Layout,
    config: &EffectiveConfig,
    is_installed: &dyn Fn(&str) -> bool,
) -> Vec<Filter> {
    let mut texts = vec![file::text(&layout.common.join("info/attributes"))];
    let of_user = match (config.text("core.attributesfile"), context.env.get("XDG_CONFIG_HOME")) {
        (Some(path), _) => from_top(context, &layout.top, path),
        (None, Some(folder)) => PathBuf::from(folder).join("git/attributes"),
        (None, None) => context.home.path.join(".config/git/attributes"),
    };
    texts.push(file::text(&of_user));
    texts.push(file::text(Path::new("/etc/gitattributes")));
    let files =
        "ls-files -z --cached --others --exclude-standard -- :/.gitattributes :/**/.gitattributes";
    if let Ok(listed) = ask(context, &files.split(' ').collect::<Vec<_>>()) {
        let folder = context.folder.as_deref().unwrap_or(&layout.top);
        texts.extend(
            listed.stdout.split_terminator('\0').map(|path| file::text(&folder.join(path))),
        );
    }
    let names: BTreeSet<_> = texts.iter().flat_map(|text| filter_names(text)).collect();
    let filter = |name: &str| {
        let of =
            |key: &str| config.text(&format!("filter.{name}.{key}")).filter(|it| !it.is_empty());
        let program = match of("process").or_else(|| of("clean")) {
            None => FilterProgram::NotConfigured,
            Some(command) => {
                let script = script(command);
                let gone = script.filter(|it| !from_top(context, &layout.top, it).exists());
                let named = gone.or_else(|| program(command));
                named.map_or(FilterProgram::Unknown, FilterProgram::Named)
            }
        };
        let is_installed = match &program {
            FilterProgram::Named(program) => is_installed(program),
            _ => true,
        };
        let pathspec = format!(":(top,attr:filter={name})");
        let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "--", &pathspec];
        let is_needed = program == FilterProgram::NotConfigured || !is_installed;
        let is_used = is_needed && ask(context, &arguments).is_ok_and(|it| !it.stdout.is_empty());
        let is_required = config.is_true(&format!("filter.{name}.required"));
        Filter { name: name.to_owned(), program, is_installed, is_required, is_used }
    };
    let mut filters: Vec<_> = names.into_iter().map(filter).collect();
    for filter in filters
        .iter_mut()
        .filter(|filter| filter.name == "lfs" && filter.program == FilterProgram::NotConfigured)
    {
        filter.is_installed = is_installed("git-lfs");
    }
    filters
}

/// The names in `*.bin filter=lfs diff=lfs`. Pure.
fn filter_names(attributes: &str) -> Vec<&str> {
    let lines = attributes.lines().filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(str::split_whitespace);
    let is_plain = |name: &&str| {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !name.is_empty() && name.len() <= 64 && name.bytes().all(is_word)
    };
    words.filter_map(|word| word.strip_prefix("filter=")).filter(is_plain).collect()
}

/// The program that a shell would start for a filter; `None` where that cannot be known. The last
/// one of a pipeline decides whether it fails. Pure.
fn program(command: &str) -> Option<String> {
    if command.contains(['$', '`', '(', ';', '&', '\\']) || command.contains("||") {
        return None;
    }
    let last = command.rsplit('|').next()?.trim();
    let mut words = last;
    while let Some((word, rest)) = words.split_once(char::is_whitespace)
        && word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
    {
        words = rest.trim_start();
    }
    let (first, rest) = match words.strip_prefix(['"', '\'']) {
        Some(quoted) => quoted.split_once(['"', '\''])?,
        None => words.split_once(char::is_whitespace).unwrap_or((words, "")),
    };
    if first.is_empty() || first.contains('=') {
        return None;
    }
    match rest.split_whitespace().next() {
        Some("lfs") if first == "git" => Some("git-lfs".to_owned()),
        _ => Some(first.to_owned()),
    }
}

/// The script that an interpreter is given by a path: `python3 tools/clean.py`. Pure.
fn script(command: &str) -> Option<String> {
    const INTERPRETERS: &[&str] = &["bash", "node", "perl", "python", "python3", "ruby", "sh"];
    let mut words = command.split_whitespace();
    let interpreter = words.next()?.rsplit('/').next()?;
    let script = words.next().filter(|word| word.contains('/') && !word.starts_with('-'))?;
    let is_plain = !script.contains(['$', '`', '"', '\'', '\\', '%', '*', '(', ';', '|', '&']);
    (INTERPRETERS.contains(&interpreter) && is_plain).then(|| script.to_owned())
}

/// Pure.
fn judge_filter(filter: &Filter) -> Option<Judgement> {
    let Filter { name, program, is_installed, is_required, is_used } = filter;
    let is_lfs = name == "lfs";
    let evidence = [Evidence::foreign("filter", name)];
    let judgement = match program {
        FilterProgram::NotConfigured if *is_required && *is_used && (!is_lfs || *is_installed) => {
            let code = if is_lfs { Code::GitLfsNotSetUp } else { Code::GitFilterMissing };
            let summary = "a filter is required and has no program, so git refuses to add the files that need it";
            let fix = if is_lfs {
                Fix::run(["git", "lfs", "install"], "set git-lfs up for this user")
            } else {
                Fix::report("set `filter.NAME.clean`, or run the set-up step of the project")
            };
            Judgement::fail(code, summary, fix)
        }
        FilterProgram::Unknown => return None,
        FilterProgram::NotConfigured if !is_lfs || !is_used => return None,
        FilterProgram::NotConfigured if *is_installed => Judgement::warn(
            Code::GitLfsNotSetUp,
            "files of this clone belong in git-lfs, which is not configured: git commits them whole",
            Fix::run(["git", "lfs", "install"], "set git-lfs up for this user"),
        ),
        FilterProgram::NotConfigured => {
            let summary = "files of this clone belong in git-lfs, which is not installed";
            Judgement::warn(Code::GitLfsMissing, summary, Fix::report(INSTALL_LFS))
        }
        FilterProgram::Named(_) if *is_installed => return None,
        FilterProgram::Named(program) => {
            let (code, fix) = if is_lfs {
                (Code::GitLfsMissing, Fix::report(INSTALL_LFS))
            } else {
                let fix = "install the filter's program in the image";
                (Code::GitFilterMissing, Fix::report(fix))
            };
            let make = if *is_required && *is_used { Judgement::fail } else { Judgement::warn };
            let summary = "the program of a filter is not installed";
            let summary = if *is_required {
                format!("{summary}, so git refuses to add the files that need it")
            } else {
                format!("{summary}, so git adds files without it")
            };
            make(code, summary, fix).with([Evidence::foreign("program", program)])
        }
    };
    Some(judgement.with(evidence))
}

const INSTALL_LFS: &str = "install git-lfs in the image: `apt-get install -y git-lfs`";

/// Where git looks for hooks, and whether that is the clone's own choice.
fn hooks_folder(context: &Context, layout: &Layout, config: &EffectiveConfig) -> (PathBuf, bool) {
    // not the one that our own git is given
    let configured =
        config.under("core.hookspath").filter(|value| !value.origin.starts_with("command line"));
    let configured = configured.filter_map(|value| Some((value.value?, value.is_own))).last();
    match configured {
        Some((path, is_own)) => (from_top(context, &layout.top, path), is_own),
        None => (layout.common.join("hooks"), true),
    }
}

/// What the text of a hook shows. Pure.
fn inspect(
    text: &str,
    branch: &str,
    is_installed: &dyn Fn(&str) -> bool,
    has_helper: &dyn Fn(&str) -> bool,
) -> Hook {
    let first = text.split('\n').next().unwrap_or_default();
    if let Some(line) = first.strip_prefix("#!") {
        if line.ends_with('\r') {
            return Hook::Crlf;
        }
        let mut words = line.split_whitespace();
        // without one, git runs the hook by sh
        let interpreter = words.next().unwrap_or("/bin/sh");
        if !is_installed(interpreter) {
            return Hook::Interpreter(interpreter.to_owned());
        }
        let started = started_by_env(words);
        if let Some(program) =
            started.filter(|program| interpreter.ends_with("/env") && !is_installed(program))
        {
            return Hook::Interpreter(program.to_owned());
        }
    }
    if text.contains("GITBUTLER_MANAGED_HOOK_V1") && branch == "refs/heads/gitbutler/workspace" {
        return Hook::GitButler;
    }
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    if text.contains("generated by pre-commit")
        && let Some(python) = value("INSTALL_PYTHON=").map(|value| value.trim_matches(['\'', '"']))
        && !is_installed(python)
        && !is_installed("pre-commit")
    {
        return Hook::PreCommit(python.to_owned());
    }
    let mut commands = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    if commands.any(|line| line.contains("_/husky.sh")) && !has_helper("_/husky.sh") {
        return Hook::Husky;
    }
    if text.contains("git lfs pre-push") && !is_installed("git-lfs") {
        return Hook::GitLfs;
    }
    Hook::Runnable
}

/// The program that env(1) would start. `None`: an option decides that is not known here. Pure.
fn started_by_env<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    while let Some(word) = words.next() {
        match word {
            "-u" | "--unset" | "-C" | "--chdir" => drop(words.next()),
            "-S" | "-i" | "-" | "-v" | "-vS" | "--ignore-environment" => {}
            word if word.contains('=') => {}
            word if word.starts_with('-') => return None,
            word => return Some(word),
        }
    }
    None
}

/// Pure.
fn judge_hook(hook: &Hook, path: &Path, is_own: bool) -> Option<Judgement> {
    let fail = |summary: &str, actor, may_fix, fix: &str| {
        let judgement = Judgement::fail(Code::GitHookUnrunnable, summary, Fix::report(fix));
        Judgement { actor: Some(actor), agent_may_fix: may_fix, ..judgement }
    };
    let whose = if is_own { Actor::TemplateAdmin } else { Actor::WorkspaceUser };
    let judgement = match hook {
        Hook::Runnable => return None,
        Hook::Folder => fail(
            "a folder has the name of a hook, so git cannot run it",
            Actor::Agent,
            true,
            "rename the folder, or put the hook itself in its place",
        ),
        Hook::Crlf => fail(
            "the first line of a hook ends with CRLF, so git cannot run it",
            Actor::RepoAdmin,
            true,
            "write the hook with LF line endings",
        ),
        Hook::Interpreter(program) => fail(
            "the interpreter of a hook is not installed, so git refuses the commit or the push",
            whose,
            false,
            "install the interpreter that the hook's first line names, or correct that line",
        )
        .with([Evidence::foreign("interpreter", program)]),
        Hook::PreCommit(python) => fail(
            "pre-commit's hook names a Python that is gone, and pre-commit is not on PATH",
            Actor::Agent,
            true,
            "run `pre-commit install` in the environment that has pre-commit",
        )
        .with([Evidence::foreign("python", python)]),
        Hook::GitButler => fail(
            "GitButler's hook refuses commits on its workspace branch",
            Actor::Agent,
            true,
            "commit with `but`, or switch to another branch",
        ),
        Hook::Husky => fail(
            "the hook reads husky's `_/husky.sh`, which is not in this work tree",
            Actor::Agent,
            true,
            "run the project's install step in this work tree: it makes that file",
        ),
        Hook::HuskyCommand(program) => fail(
            "the first command of husky's hook is not installed, so git refuses the commit or the push",
            whose,
            false,
            "install the program, or run the project's install step in this work tree",
        )
        .with([Evidence::foreign("command", program)]),
        Hook::Unreadable => Judgement::warn(
            Code::GitHookUnrunnable,
            "this user can start a hook and cannot read it: a script cannot run then",
            Fix::report("make the hook readable: `chmod a+r` by its owner"),
        ),
        Hook::GitLfs => Judgement::fail(
            Code::GitLfsMissing,
            "the pre-push hook needs git-lfs, which is not installed, so every push is refused",
            Fix::report(INSTALL_LFS),
        ),
    };
    Some(judgement.with([Evidence::new("hook", path.display().to_string())]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::CheckStatus;

    #[test]
    fn a_hook_is_judged_by_its_text() {
        let interpreter = |name: &str| Hook::Interpreter(name.to_owned());
        let pre_commit = "#!/bin/sh\n# File generated by pre-commit: https://pre-commit.com\nINSTALL_PYTHON=/gone/python\n";
        for (text, branch, helper, expected) in [
            ("#!/bin/sh\nexit 1\n", "", false, Hook::Runnable),
            ("echo no first line\n", "", false, Hook::Runnable),
            ("\u{7f}ELF", "", false, Hook::Runnable),
            ("#!/bin/sh\r\n", "", false, Hook::Crlf),
            ("#!/usr/bin/env node\n", "", false, interpreter("node")),
            ("#!/usr/bin/env -S node --x\n", "", false, interpreter("node")),
            ("#!/usr/bin/env A=1 sh\n", "", false, Hook::Runnable),
            ("#!/usr/bin/env -S -u FOO sh\n", "", false, Hook::Runnable),
            ("#!/usr/bin/env -S -u FOO node\n", "", false, interpreter("node")),
            ("#!\nexit 0\n", "", false, Hook::Runnable),
            ("#!/opt/homebrew/bin/bash\n", "", false, interpreter("/opt/homebrew/bin/bash")),
            (pre_commit, "", false, Hook::PreCommit("/gone/python".to_owned())),
            (
                "#!/bin/sh\n# GITBUTLER_MANAGED_HOOK_V1\n",
                "refs/heads/gitbutler/workspace",
                false,
                Hook::GitButler,
            ),
            ("#!/bin/sh\n# GITBUTLER_MANAGED_HOOK_V1\n", "refs/heads/main", false, Hook::Runnable),
            ("#!/bin/sh\n. \"$(dirname -- \"$0\")/_/husky.sh\"\n", "", false, Hook::Husky),
            ("#!/bin/sh\n. \"$(dirname -- \"$0\")/_/husky.sh\"\n", "", true, Hook::Runnable),
            ("#!/bin/sh\ngit lfs pre-push \"$@\"\n", "", false, Hook::GitLfs),
        ] {
            let is_installed = |program: &str| matches!(program, "/bin/sh" | "/usr/bin/env" | "sh");
            assert_eq!(inspect(text, branch, &is_installed, &|_| helper), expected, "{text}");
        }
    }

    #[test]
    fn the_first_command_of_a_script_is_known_where_it_is_plain() {
        for (script, expected) in [
            ("pnpm test\n", Some("pnpm")),
            ("#!/bin/sh\n\nnpx lint-staged", Some("npx")),
            ("npm test || true", None),
            ("if [ -t 1 ]; then", None),
            ("echo x", None),
            (". ./env", None),
            ("./tools/check", None),
            ("", None),
        ] {
            assert_eq!(first_command(script).as_deref(), expected, "{script}");
        }
    }

    #[test]
    fn the_program_of_a_filter_is_its_first_word() {
        for (command, expected) in [
            ("git-lfs clean -- %f", Some("git-lfs")),
            ("git lfs clean", Some("git-lfs")),
            ("\"git-crypt\" clean", Some("git-crypt")),
            ("nbstripout", Some("nbstripout")),
            ("A=1 clean", Some("clean")),
            ("A=1", None),
            ("$HOME/bin/clean", None),
            ("gone | cat", Some("cat")),
            ("cat | gone", Some("gone")),
            ("gone || cat", None),
            ("cd x && gone", None),
        ] {
            assert_eq!(program(command).as_deref(), expected, "{command}");
        }
        for (command, expected) in [
            ("python3 /gone/clean.py", Some("/gone/clean.py")),
            ("/usr/bin/node ./tools/clean.js", Some("./tools/clean.js")),
            ("python3 -m clean", None),
            ("sh -c 'cat /x'", None),
            ("clean /gone", None),
        ] {
            assert_eq!(script(command).as_deref(), expected, "{command}");
        }
        assert_eq!(filter_names("# filter=x\n*.bin filter=lfs diff=lfs -text\n"), ["lfs"]);
    }

    #[test]
    fn only_a_required_filter_of_a_file_fails() {
        let judged = |name: &str, program: Option<&str>, is_installed, is_required, is_used| {
            let filter = Filter {
                name: name.to_owned(),
                program: program
                    .map_or(FilterProgram::NotConfigured, |it| FilterProgram::Named(it.to_owned())),
                is_installed,
                is_required,
                is_used,
            };
            judge_filter(&filter).map(|judgement| (judgement.status, judgement.code))
        };
        let (fail, warn) = (CheckStatus::Fail, CheckStatus::Warn);
        for (name, program, is_installed, is_required, is_used, expected) in [
            ("lfs", Some("git-lfs"), false, true, true, Some((fail, Some(Code::GitLfsMissing)))),
            ("lfs", Some("git-lfs"), true, true, true, None),
            ("lfs", None, true, false, true, Some((warn, Some(Code::GitLfsNotSetUp)))),
            ("lfs", None, true, false, false, None),
            ("x", Some("x"), false, true, true, Some((fail, Some(Code::GitFilterMissing)))),
            ("x", Some("x"), false, false, true, Some((warn, Some(Code::GitFilterMissing)))),
            ("x", None, true, false, true, None),
            ("x", None, true, true, true, Some((fail, Some(Code::GitFilterMissing)))),
            ("lfs", None, true, true, true, Some((fail, Some(Code::GitLfsNotSetUp)))),
        ] {
            let found = judged(name, program, is_installed, is_required, is_used);
            assert_eq!(
                found, expected,
                "{name} {program:?} {is_installed} {is_required} {is_used}"
            );
        }
    }
}
