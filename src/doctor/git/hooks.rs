//! The hooks that git runs for a commit or a push: would they start, and does what they need
//! exist? Their text is read; none of them is run.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::ask;
use super::executable::{Programs, StartFault, can_run};
use super::layout::Layout;
use super::new_clone::template_hooks;
use super::script::{self, CommandFault, ScriptSurroundings, ShellMode};
use super::shell::Word;
use crate::catalogue::{Actor, Code, Fix};
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git_cli::effective_config::EffectiveConfig;
use crate::resource::file;

/// Hooks whose failure refuses a commit or a push (githooks(5)).
const NAMES: &[&str] =
    &["pre-commit", "prepare-commit-msg", "commit-msg", "pre-push", "reference-transaction"];
pub const INSTALL_LFS: &str = "install git-lfs in the image: `apt-get install -y git-lfs`";
/// No compiled program is smaller.
const LEAST_PROGRAM: u64 = 8192;

/// What the text of a hook shows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hook {
    Runnable,
    /// git takes a folder for a hook, too, and cannot run it.
    Folder,
    NotStarted(StartFault),
    /// This user can start it, and its interpreter cannot read it.
    Unreadable {
        is_script: bool,
    },
    GitLfs,
    /// pre-commit's own hook: its Python is gone.
    PreCommit(String),
    /// The same: its Python does not have pre-commit any more.
    PreCommitModule(String),
    /// The configuration of pre-commit's own hook does not exist.
    PreCommitConfig(String),
    /// GitButler refuses commits on its branch.
    GitButler,
    /// A file that the hook reads, such as husky's, does not exist.
    Helper(String),
    /// A command fails, and the hook with it.
    Fails(CommandFault),
    /// It reads from the terminal, which an agent does not have.
    NeedsTerminal,
}

/// Where the hooks of the clone are.
pub struct Hooks<'c> {
    context: &'c Context<'c>,
    layout: &'c Layout,
    folder: PathBuf,
    /// The clone itself names the folder.
    is_own: bool,
}

/// What a hook is judged by.
struct Surroundings<'a> {
    branch: &'a str,
    /// Whether a program would start.
    starts: &'a dyn Fn(&str) -> bool,
    /// Whether a Python has a module, where that is known.
    has_module: &'a dyn Fn(&str, &str) -> Option<bool>,
    /// The value of a variable.
    variable: &'a dyn Fn(&str) -> Option<String>,
    has_terminal: bool,
    /// Whether git has a command or an alias of this name.
    is_git_command: &'a dyn Fn(&str) -> bool,
    /// Whether there is a file that the hook reads: beside it, or by its path.
    has_helper: &'a dyn Fn(&str) -> bool,
    /// Whether there is a file in the work tree.
    has_file: &'a dyn Fn(&str) -> bool,
    /// pre-commit accepts that its configuration does not exist.
    needs_no_config: bool,
}

impl<'c> Hooks<'c> {
    pub fn of(context: &'c Context<'c>, layout: &'c Layout, config: &EffectiveConfig) -> Self {
        let mut configured: Vec<_> = config
            .under("core.hookspath")
            .filter_map(|it| Some((it.origin, it.value?, it.is_own)))
            .collect();
        // our own git is given one, which comes last
        configured.pop_if(|(origin, ..)| origin.starts_with("command line"));
        let programs = Programs { context, top: &layout.top };
        let own = || (layout.common.join("hooks"), true);
        let template = || context.is_new_clone.then(|| template_hooks(programs, config)).flatten();
        let (folder, is_own) = match configured.pop() {
            Some((_, path, is_own)) => (programs.path(path), is_own),
            None => template().map_or_else(own, |folder| (folder, false)),
        };
        Self { context, layout, folder, is_own }
    }

    /// What is wrong with them.
    pub fn judge(&self) -> Vec<Judgement> {
        let judged = NAMES.iter().filter_map(|name| {
            let path = self.folder.join(name);
            judge(&self.observe(name, &path), &path, self.is_own)
        });
        judged.collect()
    }

    fn observe(&self, name: &str, path: &Path) -> Hook {
        if path.is_dir() && access(path, Access::EXEC_OK).is_ok() {
            return Hook::Folder;
        }
        if !can_run(path) {
            // git ignores it
            return Hook::Runnable;
        }
        if access(path, Access::READ_OK).is_err() {
            let is_script = path.metadata().is_ok_and(|it| it.len() < LEAST_PROGRAM);
            return Hook::Unreadable { is_script };
        }
        let programs = Programs { context: self.context, top: &self.layout.top };
        if let Some(fault) = programs.fault(path) {
            return Hook::NotStarted(fault);
        }
        let surroundings = Surroundings {
            branch: &self.layout.branch().unwrap_or_default(),
            starts: &|program| programs.start(program),
            has_module: &|python, module| programs.has_module(python, module),
            variable: &|name| self.context.env.text(name),
            has_terminal: has_terminal(),
            is_git_command: &|command| is_git_command(self.context, command),
            has_helper: &|helper| {
                let is_named = helper.starts_with(['~', '/']);
                if is_named { programs.path(helper) } else { self.folder.join(helper) }.exists()
            },
            has_file: &|file| programs.exists(file),
            needs_no_config: self.context.env.raw("PRE_COMMIT_ALLOW_NO_CONFIG").is_some(),
        };
        let text = file::text(path);
        let variable = |name: &str| self.context.env.raw(name).is_some();
        let text = match after_guards(&text) {
            // which may name a file that changes PATH
            Some(_)
                if ["SKIP_SIMPLE_GIT_HOOKS", "SIMPLE_GIT_HOOKS_RC"].into_iter().any(variable) =>
            {
                return Hook::Runnable;
            }
            Some(rest) => rest,
            None => &text,
        };
        match inspect(text, &surroundings) {
            Hook::Runnable => self.husky_command(name, &surroundings),
            seen => seen,
        }
    }

    /// husky's own hook runs a script of the repository with `sh -e`, `.husky/pre-commit`, and with
    /// the programs of the project in PATH, which a file of the user may change.
    fn husky_command(&self, name: &str, surroundings: &Surroundings) -> Hook {
        let has_init = || self.context.home.path.join(".config/husky/init.sh").exists();
        let is_off = self.context.env.raw("HUSKY").is_some_and(|value| value == "0");
        let Some(script) = self.husky_script(name).filter(|_| !is_off && !has_init()) else {
            return Hook::Runnable;
        };
        let starts = |program: &str| {
            (surroundings.starts)(program)
                || can_run(&self.layout.top.join("node_modules/.bin").join(program))
        };
        let surroundings = Surroundings { starts: &starts, ..*surroundings };
        by_script(&script, ShellMode { is_bash: false, exits: true }, &surroundings)
    }

    fn husky_script(&self, name: &str) -> Option<String> {
        let is_husky = self.folder.ends_with(".husky/_") && self.folder.join("h").is_file();
        is_husky.then(|| file::text(&self.folder.with_file_name(name)))
    }

    /// Whether the `pre-push` hook certainly calls git-lfs.
    pub fn call_lfs(&self) -> bool {
        let path = self.folder.join("pre-push");
        can_run(&path) && file::text(&path).contains("git lfs pre-push")
    }

    /// A `pre-push` that does not call git-lfs, which then sends no objects. Where there is none,
    /// git-lfs makes its own with the next file.
    pub fn without_lfs(&self) -> Option<PathBuf> {
        const CALLERS: &[&str] = &["lfs", "pre-commit", "lefthook"];
        let path = self.folder.join("pre-push");
        let text = can_run(&path).then(|| file::text(&path))?;
        let text = self.husky_script("pre-push").unwrap_or(text);
        let is_known = access(&path, Access::READ_OK).is_ok() && !text.contains('\0');
        (is_known && !CALLERS.iter().any(|caller| text.contains(caller))).then_some(path)
    }
}

/// Whether git itself lists the command, or an alias of this name.
pub fn is_git_command(context: &Context, command: &str) -> bool {
    match ask(context, &["--list-cmds=builtins,main,others,alias"]) {
        Ok(output) if output.status.success() => output.stdout.lines().any(|it| it == command),
        _ => true,
    }
}

/// What follows the two conditions with which the hooks of simple-git-hooks begin. Pure.
fn after_guards(text: &str) -> Option<&str> {
    let rest = text.split_once("SIMPLE_GIT_HOOKS_RC\" ]; then")?.1;
    rest.split_once("\nfi\n").map(|(_, rest)| rest)
}

/// What the text of a hook that starts shows. Pure.
fn inspect(text: &str, surroundings: &Surroundings) -> Hook {
    let Surroundings { branch, starts, has_helper, has_file, has_module, needs_no_config, .. } =
        *surroundings;
    if text.contains("GITBUTLER_MANAGED_HOOK_V1") && branch == "refs/heads/gitbutler/workspace" {
        return Hook::GitButler;
    }
    if text.contains("generated by pre-commit") {
        let value = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name));
        let python = value("INSTALL_PYTHON=").map(|value| value.trim_matches(['\'', '"']));
        match python {
            Some(python) if !starts(python) && !starts("pre-commit") => {
                return Hook::PreCommit(python.to_owned());
            }
            Some(python) if starts(python) && has_module(python, "pre_commit") == Some(false) => {
                return Hook::PreCommitModule(python.to_owned());
            }
            _ => {}
        }
        let arguments = value("ARGS=(").unwrap_or_default();
        let is_skipped = needs_no_config || arguments.contains("--skip-on-missing-config");
        let config = arguments.split([' ', ')']).find_map(|it| it.strip_prefix("--config="));
        return match config.filter(|it| !is_skipped && !has_file(it)) {
            Some(config) => Hook::PreCommitConfig(config.to_owned()),
            None => Hook::Runnable,
        };
    }
    if text.contains("generated by prek") {
        let prek = text.lines().find_map(|line| line.trim().strip_prefix("PREK="));
        let prek = prek.map(|value| value.trim_matches(['\'', '"']));
        let is_gone = prek.is_some_and(|it| !starts(it) && !starts("prek"));
        return if is_gone { missing("prek") } else { Hook::Runnable };
    }
    if text.contains("call_lefthook") {
        return lefthook(text, surroundings);
    }
    if calls_lfs(text) && !starts("git-lfs") {
        return Hook::GitLfs;
    }
    let Some((shell, exits)) = shell(text) else { return Hook::Runnable };
    // those before any condition
    let is_plain = |line: &&str| line.starts_with("set -") || helper(line).is_some();
    let mut helpers = commands(text).take_while(is_plain).filter_map(helper);
    // sh ends where a file to be read does not exist, and bash goes on
    let ends = shell == Shell::Sh || exits;
    if let Some(helper) = helpers.find(|helper| ends && !has_helper(helper)) {
        return Hook::Helper(helper);
    }
    by_script(text, ShellMode { is_bash: shell == Shell::Bash, exits }, surroundings)
}

fn missing(program: &str) -> Hook {
    Hook::Fails(CommandFault::Command(program.to_owned()))
}

/// The hook that lefthook writes: it looks for lefthook in many places, and fails without it where
/// `assert_lefthook_installed` is set. Pure.
fn lefthook(text: &str, surroundings: &Surroundings) -> Hook {
    let Surroundings { starts, has_file, variable, .. } = *surroundings;
    if variable("LEFTHOOK").is_some_and(|value| value == "0" || value == "false") {
        return Hook::Runnable;
    }
    if let Some(program) = variable("LEFTHOOK_BIN").filter(|_| text.contains("LEFTHOOK_BIN")) {
        return if starts(&program) { Hook::Runnable } else { missing(&program) };
    }
    let is_required = commands(text).any(|line| line == "exit 1");
    // `elif bundle exec lefthook -h`
    let mut asked = commands(text).filter_map(|line| {
        let condition = line.strip_prefix("elif ")?;
        let condition = condition.strip_prefix("command -v ").unwrap_or(condition);
        condition.split_whitespace().next().filter(|word| *word != "test")
    });
    let is_installed = starts("lefthook")
        || asked.any(starts)
        || ["node_modules/lefthook", "node_modules/@evilmartians"].into_iter().any(has_file)
        || ["linux-x64", "linux-arm64", "linux-x86_64"]
            .iter()
            .any(|machine| has_file(&format!("node_modules/lefthook-{machine}")));
    if is_required && !is_installed { missing("lefthook") } else { Hook::Runnable }
}

/// Whether this process, and git with it, could read from a terminal.
fn has_terminal() -> bool {
    use rustix::fs::{Mode, OFlags};
    rustix::fs::open("/dev/tty", OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
        .is_ok()
}

/// Pure.
fn by_script(text: &str, shell: ShellMode, surroundings: &Surroundings) -> Hook {
    // bash reads that file first, which may change PATH
    if shell.is_bash && (surroundings.variable)("BASH_ENV").is_some() {
        return Hook::Runnable;
    }
    let failure = |has_terminal| {
        let surroundings = ScriptSurroundings {
            fault: &|words| fault(words, surroundings),
            starts: surroundings.starts,
            // husky 8 runs the script once more, with `sh -e`
            is_harmless_file: &|word: &Word| {
                helper(&format!(". {}", word.raw)).as_deref() == Some("_/husky.sh")
            },
            missing_file: &|word: &Word| {
                helper(&format!(". {}", word.raw)).filter(|file| !(surroundings.has_helper)(file))
            },
            is_set: &|name| (surroundings.variable)(name).is_some(),
            has_terminal,
        };
        script::failure(text, shell, &surroundings)
    };
    match failure(surroundings.has_terminal) {
        Some(cause) => Hook::Fails(cause),
        None if failure(false) == Some(CommandFault::Terminal) => Hook::NeedsTerminal,
        None => Hook::Runnable,
    }
}

/// Why a command fails, by its words. Pure.
fn fault(words: &[Option<&str>], surroundings: &Surroundings) -> Option<CommandFault> {
    let Surroundings { starts, has_file, has_module, .. } = *surroundings;
    let (program, arguments) = words.split_first()?;
    let program = (*program)?;
    let is_plain =
        program.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./+".contains(&byte));
    if !is_plain {
        return None;
    }
    if program == "git" {
        let command = arguments.first().copied().flatten().filter(|it| !it.starts_with('-'))?;
        let is_known = (surroundings.is_git_command)(command);
        return (!is_known).then(|| CommandFault::Command(format!("git {command}")));
    }
    if !starts(program) {
        return Some(CommandFault::Command(program.to_owned()));
    }
    if let Some(module) = module_of(program, arguments) {
        let is_gone = has_module(program, module) == Some(false);
        return is_gone.then(|| CommandFault::Module(module.to_owned()));
    }
    let script = script_of(program, arguments)?;
    (!has_file(script)).then(|| CommandFault::Script(script.to_owned()))
}

/// The module that Python is to run: `python3 -m black`. Pure.
pub fn module_of<'w>(program: &str, arguments: &[Option<&'w str>]) -> Option<&'w str> {
    let name = program.rsplit('/').next()?.strip_prefix("python")?;
    let is_python = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let mut arguments = arguments.iter().copied().flatten();
    let first = arguments.next().filter(|_| is_python)?;
    match first.strip_prefix("-m")? {
        "" => arguments.next(),
        module => Some(module),
    }
    .filter(|module| !module.starts_with('-'))
}

/// The file with the script that an interpreter is to run, by a path whose name says that it is
/// one: `sh scripts/check.sh`. Pure.
fn script_of<'w>(program: &str, arguments: &[Option<&'w str>]) -> Option<&'w str> {
    const INTERPRETERS: &[(&str, &[&str])] = &[
        ("sh", &[]),
        ("bash", &[]),
        ("dash", &[]),
        ("zsh", &[]),
        ("node", &[".js", ".mjs", ".cjs"]),
        ("perl", &[".pl"]),
        ("python", &[".py"]),
        ("python3", &[".py"]),
        ("ruby", &[".rb"]),
    ];
    let name = program.rsplit('/').next()?;
    let (_, ends) = INTERPRETERS.iter().find(|(it, _)| *it == name)?;
    let is_shell = ends.is_empty();
    let mut arguments = arguments.iter();
    let mut first = (*arguments.next()?)?;
    // options of a shell without a value, of which none is a command
    while is_shell
        && first.strip_prefix('-').is_some_and(|it| it.bytes().all(|b| b"eux".contains(&b)))
    {
        first = (*arguments.next()?)?;
    }
    // a shell looks for one without a path in PATH, too
    let is_script =
        if is_shell { first.contains('/') } else { ends.iter().any(|end| first.ends_with(end)) };
    (is_script && !first.starts_with('-')).then_some(first)
}

/// Whether the hook calls git-lfs where that is not installed: not after a condition. Pure.
fn calls_lfs(text: &str) -> bool {
    let is_condition = |line: &str| line.starts_with("if ") && line.contains("git-lfs");
    text.contains("git lfs pre-push") && !commands(text).any(is_condition)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shell {
    /// Any that is like it.
    Sh,
    Bash,
}

/// The shell that reads the hook, and whether it ends at the first error. Pure.
fn shell(text: &str) -> Option<(Shell, bool)> {
    let Some(line) = text.lines().next().and_then(|line| line.strip_prefix("#!")) else {
        return Some((Shell::Sh, false));
    };
    let mut words = line.split_whitespace();
    let mut name = words.next()?.rsplit('/').next()?;
    if name == "env" {
        name = words.find(|word| !word.starts_with('-'))?.rsplit('/').next()?;
    }
    let exits = words.next().is_some_and(|it| it.starts_with('-') && it.contains('e'));
    match name {
        "sh" | "dash" | "ash" => Some((Shell::Sh, exits)),
        "bash" => Some((Shell::Bash, exits)),
        _ => None,
    }
}

/// The lines of a script without its comments. Pure.
fn commands(script: &str) -> impl Iterator<Item = &str> {
    script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The file that a line reads: `. "$(dirname -- "$0")/_/husky.sh"`, which is beside the hook, or
/// `. ~/.nvm/nvm.sh`. Pure.
fn helper(line: &str) -> Option<String> {
    const FOLDERS: &[(&str, &str)] = &[
        ("$(dirname -- \"$0\")/", ""),
        ("$(dirname \"$0\")/", ""),
        ("$(dirname $0)/", ""),
        ("${0%/*}/", ""),
        ("$HOME/", "~/"),
        ("${HOME}/", "~/"),
        ("~/", "~/"),
        ("/", "/"),
    ];
    let path = line.strip_prefix(". ").or_else(|| line.strip_prefix("source "))?;
    let path = path.trim().trim_start_matches('"');
    let found = FOLDERS.iter().find_map(|(folder, named)| {
        let rest = path.strip_prefix(folder)?;
        Some((*named, rest.trim_end_matches('"')))
    });
    let (folder, rest) = found?;
    let is_plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    is_plain.then(|| format!("{folder}{rest}"))
}

fn readable(path: &Path) -> String {
    format!("make the hook readable: `chmod a+r {}` by its owner", crate::text::shell(path))
}

/// Pure.
fn judge(hook: &Hook, path: &Path, is_own: bool) -> Option<Judgement> {
    let fail = |summary: &str, actor, fix: &str| {
        let judgement = Judgement::fail(Code::GitHookUnrunnable, summary, Fix::report(fix));
        let agent_may_fix = matches!(actor, Actor::Agent | Actor::RepoAdmin);
        Judgement { actor: Some(actor), agent_may_fix, ..judgement }
    };
    let whose = if is_own { Actor::TemplateAdmin } else { Actor::WorkspaceUser };
    let judgement = match hook {
        Hook::Runnable => return None,
        Hook::Folder => fail(
            "a folder has the name of a hook, so git cannot run it",
            Actor::Agent,
            "rename the folder, or put the hook itself in its place",
        ),
        Hook::NotStarted(fault) => return Some(not_started(fault, whose, fail).with(at(path))),
        Hook::PreCommit(python) => fail(
            "pre-commit's hook names a Python that is gone, and pre-commit is not on PATH",
            Actor::Agent,
            "run `pre-commit install` in the environment that has pre-commit",
        )
        .with([Evidence::foreign("python", python)]),
        Hook::PreCommitConfig(config) => fail(
            "pre-commit's hook needs a configuration that does not exist in this work tree",
            Actor::Agent,
            "switch to a branch that has the file, or run `pre-commit uninstall` if the project \
             does not use pre-commit any more",
        )
        .with([Evidence::foreign("configuration", config)]),
        Hook::GitButler => fail(
            "GitButler's hook refuses commits on its workspace branch",
            Actor::Agent,
            "commit with `but`, or switch to another branch",
        ),
        Hook::Helper(helper) => fail(
            "the hook reads a file that does not exist, so git refuses the commit or the push",
            Actor::Agent,
            "run the project's install step in this work tree, if it makes that file",
        )
        .with([Evidence::foreign("file", helper)]),
        Hook::PreCommitModule(python) => fail(
            "pre-commit's hook names a Python in which pre-commit is not installed any more",
            Actor::Agent,
            "run `pre-commit install` in the environment that has pre-commit",
        )
        .with([Evidence::foreign("python", python)]),
        Hook::Fails(cause) => by_cause(cause, whose, fail),
        Hook::NeedsTerminal => Judgement::warn(
            Code::GitHookUnrunnable,
            "a hook reads from the terminal, so git refuses the commit where there is none, as for \
             an agent",
            Fix::report(WITHOUT_TERMINAL),
        ),
        Hook::Unreadable { is_script: true } => fail(
            "this user can start a hook and cannot read it, so git refuses the commit or the push",
            Actor::WorkspaceUser,
            &readable(path),
        ),
        Hook::Unreadable { is_script: false } => Judgement::warn(
            Code::GitHookUnrunnable,
            "this user can start a hook and cannot read it: only a compiled program works then",
            Fix::report(readable(path)),
        ),
        Hook::GitLfs => Judgement::fail(
            Code::GitLfsMissing,
            "the pre-push hook needs git-lfs, which is not installed, so every push is refused",
            Fix::report(INSTALL_LFS),
        ),
    };
    Some(judgement.with(at(path)))
}

const WITHOUT_TERMINAL: &str = "let the hook go on without a terminal: \
    `if [ -t 1 ]; then exec < /dev/tty; fi`";

/// Pure.
fn by_cause(
    cause: &CommandFault,
    whose: Actor,
    fail: impl Fn(&str, Actor, &str) -> Judgement,
) -> Judgement {
    match cause {
        CommandFault::Command(program) => fail(
            "the command that decides about a hook is not installed, so git refuses the commit or \
             the push",
            whose,
            "install the program, or run the project's install step in this work tree",
        )
        .with([Evidence::foreign("command", program)]),
        CommandFault::Module(module) => fail(
            "a hook runs a module that this Python does not have, so git refuses the commit or the \
             push",
            whose,
            "install the module for that Python, or run the project's install step",
        )
        .with([Evidence::foreign("module", module)]),
        CommandFault::Script(script) => fail(
            "a hook runs a script that does not exist in this work tree, so git refuses the commit \
             or the push",
            Actor::Agent,
            "switch to a branch that has the script, or correct the hook",
        )
        .with([Evidence::foreign("script", script)]),
        CommandFault::Terminal => fail(
            "a hook reads from the terminal, and there is none, so git refuses the commit or the \
             push",
            Actor::RepoAdmin,
            WITHOUT_TERMINAL,
        ),
    }
}

fn at(path: &Path) -> [Evidence; 1] {
    [Evidence::new("hook", path.display().to_string())]
}

/// Pure.
fn not_started(
    fault: &StartFault,
    whose: Actor,
    fail: impl Fn(&str, Actor, &str) -> Judgement,
) -> Judgement {
    match fault {
        StartFault::Crlf => fail(
            "the first line of a hook ends with CRLF, so git cannot run it",
            Actor::RepoAdmin,
            "write the hook with LF line endings",
        ),
        StartFault::Interpreter(program) => fail(
            "the interpreter of a hook is not installed, so git refuses the commit or the push",
            whose,
            "install the interpreter that the hook's first line names, or correct that line",
        )
        .with([Evidence::foreign("interpreter", program)]),
        StartFault::Arguments(text) => fail(
            "the first line of a hook has several arguments, which the kernel passes as one",
            Actor::RepoAdmin,
            "write `#!/usr/bin/env -S PROGRAM OPTION`, or set the options in the script",
        )
        .with([Evidence::foreign("argument", text)]),
        StartFault::Machine => fail(
            "a hook is a program for another kind of machine, or cut, so git cannot run it",
            whose,
            "install the program for this machine: `uname -m` names it",
        ),
        StartFault::Loader(loader) => fail(
            "a hook is a program for another C library, whose loader is not installed",
            whose,
            "install the program for this distribution",
        )
        .with([Evidence::foreign("loader", loader)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, branch: &str, helper: bool) -> Hook {
        let surroundings = Surroundings {
            branch,
            starts: &|program| {
                matches!(program, "ls" | "sh" | "bash" | "node" | "python3" | "/usr/bin/python3")
            },
            has_module: &|_, module| Some(module == "pre_commit"),
            variable: &|_| None,
            has_terminal: false,
            is_git_command: &|command| command == "diff",
            has_helper: &|_| helper,
            has_file: &|file| matches!(file, ".pre-commit-config.yaml" | "scripts/is.sh"),
            needs_no_config: false,
        };
        inspect(text, &surroundings)
    }

    #[test]
    fn a_hook_is_judged_by_its_text() {
        let pre_commit = |python: &str, arguments: &str| {
            format!(
                "#!/bin/sh\n# File generated by pre-commit: https://pre-commit.com\n\
                 INSTALL_PYTHON={python}\nARGS=(hook-impl {arguments} --hook-type=pre-commit)\n"
            )
        };
        let python = "/usr/bin/python3";
        let gone = pre_commit("/gone/python", "--config=.pre-commit-config.yaml");
        let config = "--config=.pre-commit-config.yaml";
        let husky = "#!/bin/sh\n. \"$(dirname -- \"$0\")/_/husky.sh\"\n";
        let lfs = "#!/bin/sh\ngit lfs pre-push \"$@\"\n";
        let lfs_if = "#!/bin/sh\nif command -v git-lfs; then\n  git lfs pre-push \"$@\"\nfi\n";
        let butler = "#!/bin/sh\n# GITBUTLER_MANAGED_HOOK_V1\n";
        let helper = |name: &str| Hook::Helper(name.to_owned());
        for (text, branch, has_helper, expected) in [
            ("#!/bin/sh\nexit 1\n", "", false, Hook::Runnable),
            ("echo no first line\n", "", false, Hook::Runnable),
            ("#!/usr/bin/env node\nnode\n", "", false, Hook::Runnable),
            (&gone, "", false, Hook::PreCommit("/gone/python".to_owned())),
            (&pre_commit(python, config), "", false, Hook::Runnable),
            (
                &pre_commit(python, "--config=gone.yaml"),
                "",
                false,
                Hook::PreCommitConfig("gone.yaml".to_owned()),
            ),
            (
                &pre_commit(python, "--config=gone.yaml --skip-on-missing-config"),
                "",
                false,
                Hook::Runnable,
            ),
            (butler, "refs/heads/gitbutler/workspace", false, Hook::GitButler),
            (butler, "refs/heads/main", false, Hook::Runnable),
            (husky, "", false, helper("_/husky.sh")),
            (husky, "", true, Hook::Runnable),
            ("#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"", "", false, helper("h")),
            ("#!/bin/bash\n. \"$(dirname \"$0\")/h\"\ntrue\n", "", false, Hook::Runnable),
            ("#!/bin/sh\n. ~/.nvm/nvm.sh\nnode x\n", "", false, helper("~/.nvm/nvm.sh")),
            ("if [ -f /x ]; then\n  . /x\nfi\n", "", false, Hook::Runnable),
            (". ./env\n", "", false, Hook::Runnable),
            (lfs, "", false, Hook::GitLfs),
            (lfs_if, "", false, Hook::Runnable),
        ] {
            assert_eq!(seen(text, branch, has_helper), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_command_counts_where_its_failure_is_the_hooks() {
        for (script, expected) in [
            ("gone run \"$@\"\n", Some("gone")),
            ("# comment\n\nls\n", None),
            ("gone\necho done\n", None),
            ("exec gone \"$1\"\n", Some("gone")),
            ("gone --edit ${1}\n", Some("gone")),
            ("set -e\ngone\necho done\n", Some("gone")),
            ("set -euo pipefail\ngone\necho done\n", Some("gone")),
            ("set -x\ngone\necho done\n", None),
            ("#!/bin/sh -e\ngone\necho done\n", Some("gone")),
            ("#!/bin/bash\ngone\n", Some("gone")),
            ("#!/bin/bash\nset -e\nshopt -s nullglob\n", None),
            ("#!/bin/zsh\nset -e\nsetopt x\n", None),
            ("gone || true\n", None),
            ("gone >/dev/null\n", Some("gone")),
            ("if gone; then\n", None),
            ("A=1 gone\n", Some("gone")),
            ("PATH=/opt:$PATH gone\n", None),
            ("$TOOL run\n", None),
            (". ./env\n", None),
            ("./tools/gone\n", Some("./tools/gone")),
            ("git secrets --scan -- \"$@\"\n", Some("git secrets")),
            ("git diff --check\n", None),
            ("git -C x gone\n", None),
            (". \"$(dirname -- \"$0\")/_/husky.sh\"\ngone\necho done\n", Some("gone")),
            ("", None),
        ] {
            let expected = expected.map_or(Hook::Runnable, missing);
            assert_eq!(seen(script, "", true), expected, "{script}");
        }
    }

    #[test]
    fn what_an_interpreter_is_given_must_exist() {
        let script = |name: &str| Hook::Fails(CommandFault::Script(name.to_owned()));
        let module = |name: &str| Hook::Fails(CommandFault::Module(name.to_owned()));
        for (text, expected) in [
            ("sh scripts/check.sh\n", script("scripts/check.sh")),
            ("sh -e scripts/check.sh\n", script("scripts/check.sh")),
            ("exec bash ./check.sh \"$@\"\n", script("./check.sh")),
            ("node check.js --all\n", script("check.js")),
            ("python3 scripts/check.py\n", script("scripts/check.py")),
            ("cd d\npython3 scripts/check.py\n", Hook::Runnable),
            ("sh scripts/is.sh\n", Hook::Runnable),
            ("sh check\n", Hook::Runnable),
            ("sh -c scripts/check.sh\n", Hook::Runnable),
            ("node scripts/check\n", Hook::Runnable),
            ("python3 -m black --check .\n", module("black")),
            ("python3 -mblack\n", module("black")),
            ("python3 -m pre_commit run\n", Hook::Runnable),
            ("exec < /dev/tty\nls\n", Hook::Fails(CommandFault::Terminal)),
        ] {
            assert_eq!(seen(text, "", true), expected, "{text}");
        }
        let text = "# File generated by pre-commit\nINSTALL_PYTHON=/usr/bin/python3\n";
        let surroundings = |found| Surroundings {
            branch: "",
            starts: &|_| true,
            has_module: if found { &|_, _| Some(true) } else { &|_, _| Some(false) },
            variable: &|_| None,
            has_terminal: true,
            is_git_command: &|_| true,
            has_helper: &|_| true,
            has_file: &|_| true,
            needs_no_config: false,
        };
        let gone = Hook::PreCommitModule("/usr/bin/python3".to_owned());
        assert_eq!(inspect(text, &surroundings(false)), gone);
        assert_eq!(inspect(text, &surroundings(true)), Hook::Runnable);
        let text = "#!/bin/sh\nexec < /dev/tty\nread x\n";
        assert_eq!(inspect(text, &surroundings(true)), Hook::NeedsTerminal);
    }

    #[test]
    fn lefthook_is_looked_for_as_its_hook_does() {
        let asserting = "call_lefthook()\n{\n elif bundle exec lefthook -h\n then\n exit 1\n}\n";
        let seen = |text: &str, variable: (&str, &str), installed: &str| {
            let surroundings = Surroundings {
                branch: "",
                starts: &|program| program == installed,
                has_module: &|_, _| None,
                variable: &|name| (name == variable.0).then(|| variable.1.to_owned()),
                has_terminal: false,
                is_git_command: &|_| true,
                has_helper: &|_| true,
                has_file: &|file| file == installed,
                needs_no_config: false,
            };
            inspect(text, &surroundings)
        };
        let with_bin = "call_lefthook \"$LEFTHOOK_BIN\"\n";
        for (text, variable, installed, expected) in [
            (asserting, ("", ""), "", missing("lefthook")),
            (asserting, ("", ""), "lefthook", Hook::Runnable),
            (asserting, ("", ""), "bundle", Hook::Runnable),
            (asserting, ("", ""), "node_modules/lefthook", Hook::Runnable),
            (asserting, ("LEFTHOOK", "0"), "", Hook::Runnable),
            (with_bin, ("LEFTHOOK_BIN", "/gone"), "", missing("/gone")),
            (with_bin, ("LEFTHOOK_BIN", "/x"), "/x", Hook::Runnable),
            (with_bin, ("", ""), "", Hook::Runnable),
        ] {
            assert_eq!(seen(text, variable, installed), expected, "{text} {variable:?}");
        }
    }
}
