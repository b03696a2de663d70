//! Would git make a commit here? Its author and its committer, the variables that lead it
//! elsewhere, and what the configuration demands of line endings.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::access as permissions;
use super::layout::Layout;
use super::new_clone::outside;
use super::setting::{self, SettingChange};
use super::signing::SigningSetting;
use super::{
    CommitObject, Programs, Refusal, blocked, broken_environment, commit_object, committer,
    effective_config, encoding, facts, git, has_unusual, in_clone, in_new_clone, line_endings,
    own_subject, refusal, refused_value, unreadable,
};
use crate::catalogue::{Code, Fix};
use crate::doctor::context::Context;
use crate::doctor::git::CONFIG;
use crate::doctor::outcome::{CheckStatus, Evidence, Judgement};
use crate::git_cli::config_error::ConfigError;
use crate::git_cli::effective_config::EffectiveConfig;
use crate::process::{Failure, Output};
use crate::resource::file;
use crate::variables;

/// Who signs a commit: one of the two that git needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Author,
    Committer,
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::Committer => "committer",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::Author => "GIT_AUTHOR_",
            Self::Committer => "GIT_COMMITTER_",
        }
    }
}

pub fn commit(context: &Context) -> Judgement {
    if let Some(blocked) = blocked(context) {
        return blocked;
    }
    let facts = facts(context);
    if let Some((error, whose)) = &facts.config_error {
        return unreadable(context, whose, error).reported_by(CONFIG);
    }
    let layout = facts.layout.as_ref();
    let judgement = judge(context, layout);
    let judgement = if in_clone(context) { judgement } else { outside(judgement) };
    Judgement { subject: own_subject(context), ..judgement }
}

fn judge(context: &Context, layout: Option<&Layout>) -> Judgement {
    let facts = facts(context);
    let config = effective_config(context);
    if let Some(judgement) = broken_environment(context, layout) {
        return judgement;
    }
    for who in [Who::Author, Who::Committer] {
        let answer = match who {
            Who::Author => &facts.author,
            Who::Committer => committer(context, config),
        };
        let is_set = |name: &str| context.env.raw(&format!("{}{name}", who.variable())).is_some();
        let judgement = match answer {
            Ok(output) => judge_identity(who, output, config, is_set),
            Err(Failure::Missing) => Some(Judgement::blocked(Code::GitMissing)),
            Err(failure) => {
                let summary = format!("git did not report the {} of a commit", who.name());
                Some(Judgement::unknown(summary, context.reason(failure)))
            }
        };
        if let Some(judgement) = judgement {
            let is_identity = judgement.code == Some(Code::GitIdentityMissing);
            let nearer = || unread_config(context).or_else(|| hidden_config(context));
            let nearer = is_identity.then(nearer).flatten();
            let is_variable = is_set("NAME") || is_set("EMAIL");
            let blank = || blank_identity(context, config, who);
            let blank = (is_identity && !is_variable).then(blank).flatten();
            let judgement = match blank {
                Some(fix) => judgement.fixed(fix),
                None => judgement,
            };
            return nearer.unwrap_or(judgement);
        }
    }
    let refused = match layout {
        Some(_) => refused_values(context, config),
        None => in_new_clone(context, |new| refused_values(new, effective_config(new))).flatten(),
    };
    if let Some(judgement) = refused {
        return judgement;
    }
    let is_tried = SigningSetting::of(config).is_some() || reads_at_writing(config);
    let object = is_tried.then(|| commit_object(context));
    if let Some(CommitObject::Refused(judgement)) = object
        && judgement.status == CheckStatus::Fail
    {
        return (**judgement).clone();
    }
    if let Some(judgement) = line_endings::judge(context, config, layout.is_some()) {
        return judgement;
    }
    if let Some(judgement) = layout.and_then(|layout| encoding::judge(context, layout, config)) {
        return judgement;
    }
    let top = layout.map_or(&*context.home.path, |layout| &layout.top);
    if let Some(judgement) = order_file_gone(top, context, config) {
        return judgement;
    }
    match object {
        None => Judgement::pass("git has an author and a committer for commits"),
        Some(CommitObject::Made) => {
            Judgement::pass("git has an author, a committer and a signature for commits")
        }
        Some(CommitObject::Held) => {
            let evidence = Evidence::new("signing key", "listed by an agent, and not used");
            Judgement::pass("git has an author and a committer, and an agent holds the signing key")
                .with([evidence])
        }
        Some(CommitObject::NotTried(why)) => {
            Judgement::unknown("whether commits can be signed was not tested", *why)
        }
        Some(CommitObject::Refused(judgement)) => (**judgement).clone(),
    }
}

/// git ignores a configuration of the user that it cannot read, with the identity in it.
fn unread_config(context: &Context) -> Option<Judgement> {
    let is_denied = |path: &&PathBuf| access(*path, Access::READ_OK) == Err(Errno::ACCESS);
    let path = context.home.git_reads.iter().find(is_denied)?;
    let summary = format!(
        "this user cannot read `{}`, so git ignores it and has no identity for commits",
        context.home.shown(path)
    );
    let what = (Code::GitConfigInvalid, &*summary);
    Some(permissions::restored(Judgement::fail, what, path, std::slice::from_ref(path)))
}

/// A blank value takes precedence over the others, so that another one in another file is not used.
fn blank_identity(context: &Context, config: &EffectiveConfig, who: Who) -> Option<Fix> {
    let keys = ["name", "email"].map(|part| [who.name(), "user"].map(|of| format!("{of}.{part}")));
    let counts = keys.iter().filter_map(|keys| keys.iter().find_map(|key| config.last(key)));
    let blank = { counts }.find(|value| {
        let text = value.value.unwrap_or_default();
        !text.chars().any(char::is_alphanumeric)
    })?;
    let say = "remove the blank value; where no other is left, set one with `git config --global \
               user.name NAME` and `git config --global user.email ADDRESS`";
    Some(setting::change(context, config, blank.key, SettingChange::Remove, say))
}

/// GIT_CONFIG_GLOBAL names another file than the user's, which has the identity.
fn hidden_config(context: &Context) -> Option<Judgement> {
    const NAME: &str = variables::GIT_CONFIG_GLOBAL;
    let named = context.env.raw(NAME).map(PathBuf::from)?;
    let own = context.home.path.join(".gitconfig");
    let has_identity = |(line, _): &(&str, &str)| line.trim().eq_ignore_ascii_case("[user");
    let text = file::text(&own);
    let mut lines = text.lines().filter_map(|line| line.split_once(']'));
    lines.find(has_identity).filter(|_| !file::is_same(&named, &own)).map(|_| {
        let summary = format!(
            "{NAME} hides `{}` from git, and with it the identity for commits",
            context.home.shown(&own)
        );
        let fix = Fix::report(format!("unset {NAME} in the shell that runs git: `unset {NAME}`"));
        Judgement::fail(Code::GitEnvironmentBroken, summary, fix)
            .with([Evidence::foreign(NAME, &named.display().to_string())])
    })
}

/// What git's answer to `git var` shows. Pure.
fn judge_identity(
    who: Who,
    output: &Output,
    config: &EffectiveConfig,
    is_set: impl Fn(&str) -> bool,
) -> Option<Judgement> {
    if output.status.success() {
        return None;
    }
    let last = output.stderr.lines().rfind(|line| line.starts_with("fatal: "));
    let said = Evidence::foreign("git said", last.unwrap_or_default());
    let name = who.name();
    let judgement = match refusal(&output.stderr) {
        Refusal::Date => {
            let variable = format!("{}DATE", who.variable());
            Judgement::fail(
                Code::GitEnvironmentBroken,
                format!("git cannot read the date in {variable}, so every commit fails"),
                Fix::report(format!("unset {variable}: `unset {variable}`")),
            )
        }
        Refusal::Identity if is_set("NAME") || is_set("EMAIL") => Judgement::fail(
            Code::GitIdentityMissing,
            format!("git cannot use the {name} that variables name, so every commit fails"),
            Fix::report(format!(
                "unset {0}NAME and {0}EMAIL, or set both to a name and an address",
                who.variable()
            )),
        ),
        Refusal::Identity => Judgement::fail(
            Code::GitIdentityMissing,
            format!(
                "no git user.name / user.email configured for the {name}, so a commit will fail"
            ),
            // whose it is to be, no argv of ours can know
            Fix::report(
                "ask which name the commits should have, then `git config --global user.name NAME` \
                 and `git config --global user.email ADDRESS`",
            ),
        )
        .with(unmatched_conditions(config)),
        Refusal::Clone(code) => return Some(Judgement::blocked(code)),
        Refusal::Unknown => Judgement::unknown(
            format!("git does not report the {name} of commits"),
            "fix what git reports there, then run the doctor again",
        ),
    };
    Some(judgement.with([said]))
}

/// The included files that git did not read, because their condition does not hold here: one may
/// have the identity. Pure.
fn unmatched_conditions(config: &EffectiveConfig) -> Vec<Evidence> {
    let has_values_from = |path: &str| {
        let name = path.trim_start_matches("~/").trim_start_matches("./");
        config.under("").any(|value| value.origin.ends_with(name))
    };
    let condition =
        |key: &str| Some(key.strip_prefix("includeif.")?.strip_suffix(".path")?.to_owned());
    let unmatched = config.under("includeif.").filter_map(|value| {
        let path = value.value?;
        let condition = condition(value.key).filter(|_| !has_values_from(path))?;
        let text = format!("{condition} (includes {path})");
        Some(Evidence::foreign("condition that does not match", &text))
    });
    unmatched.collect()
}

/// Whether there is a value that git reads only when it writes an object. Pure.
fn reads_at_writing(config: &EffectiveConfig) -> bool {
    ["core.sharedrepository", "core.createobject"].iter().any(|key| config.last(key).is_some())
}

/// Values that git reads late: when it writes the index or a ref, or after a commit.
const READ_LATE: &[(&str, &str)] = &[
    ("core.filesreflocktimeout", "--type=int"),
    ("index.recordendofindexentries", "--type=bool"),
    ("index.recordoffsettable", "--type=bool"),
    ("index.threads", "--type=bool-or-int"),
    ("maintenance.auto", "--type=bool"),
    ("rerere.enabled", "--type=bool"),
];

/// Values that only `git add` and `git commit` read. Both end before they lock the index, since
/// their arguments contradict each other. The values that are read later are asked for by name.
fn refused_values(context: &Context, config: &EffectiveConfig) -> Option<Judgement> {
    if !has_unusual(config) {
        return None;
    }
    let questions: [&[&str]; 2] = [
        &["add", "-A", "-u"],
        &["commit", "--dry-run", "--no-verify", "-a", "-m", "probe", "--", "none"],
    ];
    let error = questions.iter().find_map(|arguments| {
        let output = git(context, context.folder.as_deref(), arguments).ok()?;
        ConfigError::parse(&output.stderr)
    });
    let error =
        error.or_else(|| READ_LATE.iter().find_map(|typed| untyped(context, config, *typed)));
    error.map(|error| {
        let summary = "git rejects a value of its configuration, so every commit fails";
        refused_value(context, summary, &error)
    })
}

/// Why git does not read a value as one of this type.
pub fn untyped(
    context: &Context,
    config: &EffectiveConfig,
    (key, option): (&str, &str),
) -> Option<ConfigError> {
    config.last(key)?;
    let output = git(context, context.folder.as_deref(), &["config", option, key]).ok()?;
    ConfigError::parse(&output.stderr)
}

/// `git commit` prints what it changed in an order that a file gives, and fails where there is
/// none: after it has made the commit.
fn order_file_gone(top: &Path, context: &Context, config: &EffectiveConfig) -> Option<Judgement> {
    let path = config.text("diff.orderfile").filter(|path| !path.is_empty())?;
    let path = Programs { context, top }.path(path);
    (!path.is_file()).then(|| {
        let summary = "diff.orderFile names a file that does not exist, so `git commit` ends with \
                       an error after it has made the commit";
        let fix = setting::change(
            context,
            config,
            "diff.orderFile",
            SettingChange::Remove,
            "remove the setting",
        );
        Judgement::warn(Code::GitConfigInvalid, summary, fix)
            .with([Evidence::new("path", path.display().to_string())])
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    fn config(entries: &[[&str; 3]]) -> EffectiveConfig {
        let listed: String = entries.iter().flatten().flat_map(|field| [*field, "\0"]).collect();
        EffectiveConfig::parse(listed)
    }

    #[test]
    fn why_git_refuses_is_read_before_the_identity_is_called_missing() {
        let judged = |stderr: &str, set: &str| {
            let status = ExitStatus::from_raw(128 << 8);
            let output = Output { status, stdout: String::new(), stderr: stderr.to_owned() };
            let judgement =
                judge_identity(Who::Committer, &output, &config(&[]), |name| name == set).unwrap();
            (judgement.status, judgement.code)
        };
        for (stderr, set, status, code) in [
            (
                "fatal: invalid date format: x",
                "DATE",
                CheckStatus::Fail,
                Some(Code::GitEnvironmentBroken),
            ),
            (
                "Author identity unknown\n\n*** Please tell me who you are.\n\nfatal: no email was given",
                "",
                CheckStatus::Fail,
                Some(Code::GitIdentityMissing),
            ),
            (
                "fatal: empty ident name (for <a@b>) not allowed",
                "",
                CheckStatus::Fail,
                Some(Code::GitIdentityMissing),
            ),
            (
                "fatal: name consists only of disallowed characters:  ",
                "NAME",
                CheckStatus::Fail,
                Some(Code::GitIdentityMissing),
            ),
            ("fatal: not a git repository: /gone", "", CheckStatus::Skip, None),
            ("fatal: detected dubious ownership in repository", "", CheckStatus::Skip, None),
            ("fatal: something new", "", CheckStatus::Unknown, None),
        ] {
            assert_eq!(judged(stderr, set), (status, code), "{stderr}");
        }
    }

    #[test]
    fn only_conditions_that_do_not_match_are_evidence() {
        let config = config(&[
            ["global", "file:/h/.gitconfig", "includeif.gitdir:~/work/.path\n~/.gitconfig-work"],
            ["global", "file:/h/.gitconfig", "includeif.gitdir:~/app/.path\n~/.gitconfig-app"],
            ["global", "file:/h/.gitconfig-app", "user.name\nDev"],
        ]);
        let evidence = unmatched_conditions(&config);
        assert_eq!(evidence.len(), 1, "{evidence:?}");
        assert!(evidence[0].value.starts_with("gitdir:~/work/ (includes"), "{evidence:?}");
    }
}
