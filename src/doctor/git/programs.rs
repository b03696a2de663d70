//! The programs that git starts for a commit and a push in this clone: filters, and the hooks of
//! `hooks.rs`. Their configuration is read; none of them is run.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::attributes::{MOST_NAMES, named_by_attributes};
use super::executable::Programs;
use super::hooks::{Hooks, INSTALL_LFS, module_of};
use super::layout::Layout;
use super::setting;
use super::shell::{self, ShellNode};
use super::{ask, blocked, facts, of_new_clone, own_subject};
use crate::catalogue::{Code, Fix};
use crate::doctor::clones::InView;
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement, Reason};
use crate::git_cli::effective_config::EffectiveConfig;
use crate::process::Failure;

/// A filter that an attribute of the clone names.
#[derive(Debug)]
struct Filter {
    name: String,
    program: FilterProgram,
    is_installed: bool,
    /// Whether the module that Python is to run is installed, where there is one. `None`: that is
    /// not known.
    has_module: Option<bool>,
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

pub fn programs(context: &Context) -> Vec<Judgement> {
    if let Some(blocked) = blocked(context) {
        return vec![blocked];
    }
    let Some(layout) = &facts(context).layout else {
        let found = of_new_clone(context, programs);
        let none = || vec![Judgement::skip("the current folder is in no clone")];
        return if found.is_empty() { none() } else { found };
    };
    let current = context.clones.in_view().iter().find(|clone| clone.is_current);
    let Some(config) = current.map(InView::config).filter(|_| layout.defect.is_none()) else {
        return vec![Judgement::blocked(Code::GitCloneBroken)];
    };
    let programs = Programs { context, top: &layout.top };
    let (filters, left_out) = filters(context, layout, config, programs);
    let mut found: Vec<_> = filters.iter().filter_map(judge_filter).collect();
    if let Some(why) = left_out {
        let summary = "not all filters that the attributes of the clone name were looked at";
        found.push(Judgement::unknown(summary, why));
    }
    let hooks = Hooks::of(context, layout, config);
    found.extend(hooks.judge());
    found.extend(lfs_objects_stay(context, &filters, &hooks));
    found.extend(lfs_unwritable(context, layout, config, &filters));
    if found.is_empty() {
        found.push(Judgement::pass("the filters and hooks that git starts here can run"));
    }
    let subject = own_subject(context);
    found.into_iter().map(|judgement| Judgement { subject: subject.clone(), ..judgement }).collect()
}

/// The filters that the attributes of the clone and of the user name, and why that is not all of
/// them.
fn filters(
    context: &Context,
    layout: &Layout,
    config: &EffectiveConfig,
    programs: Programs,
) -> (Vec<Filter>, Option<Reason>) {
    let named = named_by_attributes(context, layout, config);
    let many =
        || format!("at most {MOST_NAMES} filters in `.gitattributes` of ordinary sizes").into();
    let unlisted = named.unlisted.as_ref().map(|failure| context.reason(failure));
    let mut left_out = unlisted.or_else(|| (!named.are_all).then(many));
    let mut filter = |name: &String| {
        let of =
            |key: &str| config.text(&format!("filter.{name}.{key}")).filter(|it| !it.is_empty());
        let program = match of("process").or_else(|| of("clean")) {
            None => FilterProgram::NotConfigured,
            Some(command) => {
                let script = script(command);
                let gone = script.filter(|it| !programs.exists(it));
                let named = gone.or_else(|| program(command));
                named.map_or(FilterProgram::Unknown, FilterProgram::Named)
            }
        };
        let is_installed = match &program {
            FilterProgram::Named(program) => programs.start(program),
            _ => true,
        };
        let module = of("process").or_else(|| of("clean")).and_then(module);
        let module = module.filter(|_| is_installed);
        let has_module =
            module.map_or(Some(true), |(python, module)| programs.has_module(&python, &module));
        let is_installed = is_installed && has_module != Some(false);
        let is_needed =
            program == FilterProgram::NotConfigured || !is_installed || has_module.is_none();
        let is_used = is_needed && {
            let has_files = has_files(context, name);
            has_files.unwrap_or_else(|failure| {
                left_out = Some(context.reason(&failure));
                false
            })
        };
        let is_required = config.is_true(&format!("filter.{name}.required"));
        Filter { name: name.to_owned(), program, is_installed, has_module, is_required, is_used }
    };
    let mut filters: Vec<_> = named.filters.iter().map(&mut filter).collect();
    filters.retain(|filter| filter.is_used || !named.by_link.contains(&filter.name));
    for filter in filters
        .iter_mut()
        .filter(|filter| filter.name == "lfs" && filter.program == FilterProgram::NotConfigured)
    {
        filter.is_installed = programs.start("git-lfs");
    }
    (filters, left_out)
}

/// Whether a file of the clone has the attribute.
fn has_files(context: &Context, filter: &str) -> Result<bool, Failure> {
    let pathspec = format!(":(top,attr:filter={filter})");
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "--", &pathspec];
    ask(context, &arguments).map(|output| !output.stdout.is_empty())
}

/// Files are in git-lfs, which cannot write where it keeps their content.
fn lfs_unwritable(
    context: &Context,
    layout: &Layout,
    config: &EffectiveConfig,
    filters: &[Filter],
) -> Option<Judgement> {
    let filter = filters.iter().find(|filter| is_set_up_lfs(filter))?;
    let named = config.text("lfs.storage").unwrap_or("lfs");
    let store = layout.common.join(named);
    let places = ["tmp", "objects"].map(|name| store.join(name));
    let nearest = |path: &PathBuf| {
        path.ancestors().find(|path| path.symlink_metadata().is_ok()).map(Path::to_owned)
    };
    let is_refused = |path: &PathBuf| {
        access(path, Access::WRITE_OK)
            .is_err_and(|errno| matches!(errno, Errno::ACCESS | Errno::PERM | Errno::ROFS))
    };
    let path = places.iter().filter_map(nearest).find(is_refused)?;
    has_files(context, "lfs").unwrap_or(false).then(|| {
        let make = if filter.is_required { Judgement::fail } else { Judgement::warn };
        let summary =
            "git-lfs cannot write where it keeps the content of files, so they are not added";
        let place = config.last("lfs.storage").map(|value| setting::place(context, value));
        let or = place.map(|place| format!(", or correct `lfs.storage` in {place}"));
        let fix = format!("give the folder to this user{}", or.unwrap_or_default());
        make(Code::GitCloneUnwritable, summary.to_owned(), Fix::report(fix))
            .with([Evidence::new("path", path.display().to_string())])
    })
}

fn is_set_up_lfs(filter: &Filter) -> bool {
    filter.name == "lfs" && filter.is_installed && matches!(filter.program, FilterProgram::Named(_))
}

/// Files are in git-lfs, and the hook that sends its objects is another program's.
fn lfs_objects_stay(context: &Context, filters: &[Filter], hooks: &Hooks) -> Option<Judgement> {
    filters.iter().find(|filter| is_set_up_lfs(filter))?;
    let hook = hooks.without_lfs()?;
    has_files(context, "lfs").unwrap_or(false).then(|| {
        let summary = "files of this clone are in git-lfs, and the pre-push hook does not call it: \
                       a push leaves their content behind";
        let fix =
            "let the hook call `git lfs pre-push \"$@\"`: `git lfs update --manual` shows how";
        Judgement::warn(Code::GitLfsNotSetUp, summary, Fix::report(fix))
            .with([Evidence::new("hook", hook.display().to_string())])
    })
}

/// Whether the attributes give files to git-lfs, or may do so.
pub fn has_lfs_files(context: &Context, layout: &Layout, config: &EffectiveConfig) -> bool {
    let named = named_by_attributes(context, layout, config);
    named.filters.contains("lfs") || !named.are_all
}

/// The program that a shell would start for a filter; `None` where that cannot be known. The last
/// one of a pipeline decides whether it fails. Pure.
pub fn program(command: &str) -> Option<String> {
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

/// The Python and the module that it is given: `"/usr/bin/python3" -m nbstripout`. Pure.
fn module(command: &str) -> Option<(String, String)> {
    let nodes = shell::parse(command)?;
    let [ShellNode::Simple(simple)] = &nodes[..] else { return None };
    let words: Vec<_> = simple.words.iter().map(|word| word.literal.as_deref()).collect();
    let (program, arguments) = words.split_first()?;
    let module = module_of((*program)?, arguments)?;
    Some(((*program)?.to_owned(), module.to_owned()))
}

/// Pure.
fn judge_filter(filter: &Filter) -> Option<Judgement> {
    let Filter { name, program, is_installed, has_module, is_required, is_used } = filter;
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
        FilterProgram::Named(_) if *is_required && *is_used && has_module.is_none() => {
            let summary = "a filter is required, and whether Python has its module is not known";
            let needs = "`git add` of a file that needs the filter";
            Judgement::unknown(summary, needs)
        }
        FilterProgram::Named(_) if *is_installed || !is_required && !is_used => return None,
        FilterProgram::Named(program) => {
            let (code, fix) = if is_lfs {
                (Code::GitLfsMissing, Fix::report(INSTALL_LFS))
            } else {
                let fix = "install the filter's program in the image";
                (Code::GitFilterMissing, Fix::report(fix))
            };
            let make = if *is_required && *is_used { Judgement::fail } else { Judgement::warn };
            let summary = "the program of a filter is not installed, or cannot be started";
            let summary = if *is_required {
                format!("{summary}: git refuses to add the files that need it")
            } else {
                format!("{summary}: git adds files without it")
            };
            make(code, summary, fix).with([Evidence::foreign("program", program)])
        }
    };
    Some(judgement.with(evidence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::CheckStatus;

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
    }

    #[test]
    fn the_module_of_a_filter_is_what_python_is_given() {
        for (command, expected) in [
            ("python3 -m nbstripout", Some(("python3", "nbstripout"))),
            (
                "\"/usr/bin/python3.11\" -m nbstripout %f",
                Some(("/usr/bin/python3.11", "nbstripout")),
            ),
            ("A=1 python -mx.y", Some(("python", "x.y"))),
            ("python3 -c x", None),
            ("pythonic -m x", None),
            ("nbstripout -m x", None),
            ("$X -m x", None),
        ] {
            let found = module(command);
            let found = found.as_ref().map(|(python, module)| (&**python, &**module));
            assert_eq!(found, expected, "{command}");
        }
    }

    #[test]
    fn only_a_required_filter_of_a_file_fails() {
        let judged = |name: &str, program: Option<&str>, is_installed, is_required, is_used| {
            let filter = Filter {
                name: name.to_owned(),
                program: program
                    .map_or(FilterProgram::NotConfigured, |it| FilterProgram::Named(it.to_owned())),
                is_installed,
                has_module: Some(true),
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
            ("x", Some("x"), false, true, false, Some((warn, Some(Code::GitFilterMissing)))),
            ("x", Some("x"), false, false, false, None),
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
