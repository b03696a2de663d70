//! One commit object in a scratch object folder, made by the user's git as a commit would be made
//! here, signed as the user signs.

use std::process::Command;
use std::time::Instant;

use super::signing::{self, Keyring, SigningSetting, SigningWay};
use super::{Refusal, effective_config, in_clone, refusal, refused_value};
use crate::catalogue::{Code, Fix};
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git_cli::config_error::ConfigError;
use crate::git_cli::effective_config::EffectiveConfig;
use crate::git_cli::scratch::{Hash, Scratch};
use crate::git_cli::{self, Place};
use crate::process::{self, Bounds, Completed, Failure};
use crate::resource::private_folder::PrivateFolder;

/// What came of it.
#[derive(Debug)]
pub enum CommitObject {
    Made,
    /// Not made, because an agent holds the key: it was listed.
    Held,
    /// Not made, since that would run or ask what must not be.
    NotTried(&'static str),
    Refused(Box<Judgement>),
}

impl CommitObject {
    /// What became of it, for the evidence of a push.
    pub fn shown(&self) -> String {
        match self {
            Self::Made => "made, as a commit would be made here".to_owned(),
            Self::Held => {
                "not made: an agent holds the signing key, which is listed and not used".to_owned()
            }
            Self::NotTried(why) => format!("not made: {why}"),
            Self::Refused(judgement) => format!("not made: {}", judgement.summary),
        }
    }
}

/// The one of this run.
pub fn commit_object<'c>(context: &'c Context) -> &'c CommitObject {
    context.gathered.get(|| make(context, effective_config(context)))
}

fn make(context: &Context, config: &EffectiveConfig) -> CommitObject {
    let end = Instant::now() + signing::PATIENCE;
    let setting = SigningSetting::of(config);
    let way = setting.as_ref().map(|setting| signing::way(context, setting, end));
    let way = match way {
        Some(SigningWay::Broken(judgement)) => return CommitObject::Refused(judgement),
        Some(SigningWay::Held) => return CommitObject::Held,
        Some(SigningWay::NotTried(why)) => return CommitObject::NotTried(why),
        way => way,
    };
    let answer = write(context, setting.as_ref(), end);
    if answer.as_ref().is_ok_and(|output| output.status.success()) {
        return CommitObject::Made;
    }
    let signing = setting.as_ref().zip(way.as_ref());
    CommitObject::Refused(Box::new(refused(context, signing, &answer)))
}

fn refused(
    context: &Context,
    signing: Option<(&SigningSetting, &SigningWay)>,
    answer: &Completed,
) -> Judgement {
    let stderr = answer.as_ref().map_or("", |output| &output.stderr);
    if let Some(error) = ConfigError::parse(stderr) {
        let summary = "git rejects a value of its configuration, so every commit fails";
        return refused_value(context, summary, &error);
    }
    match (refusal(stderr), signing) {
        (Refusal::Clone(code), _) => Judgement::blocked(code),
        (Refusal::Identity, _) => Judgement::fail(
            Code::GitIdentityMissing,
            "git has no author or committer, so a commit will fail",
            Fix::report("`pushready doctor --only git.commit` in the clone reports why"),
        )
        .with([Evidence::foreign("git said", stderr)]),
        (_, Some((setting, way))) => signing::refused(context, setting, way, answer),
        (_, None) => {
            let reason = match answer {
                Ok(output) => output.first_error().into(),
                Err(failure) => context.reason(failure),
            };
            Judgement::unknown("git did not make a commit object", reason)
        }
    }
}

/// The object goes into a folder of ours, and no ref names it.
fn write(context: &Context, setting: Option<&SigningSetting>, end: Instant) -> Completed {
    let left = || context.deadline(end.saturating_duration_since(Instant::now()));
    let objects = PrivateFolder::new()?;
    let keyring = match setting {
        Some(setting) if setting.format != signing::Format::Ssh => Some(Keyring::of(context)?),
        _ => None,
    };
    let scratch =
        || Scratch::new(Hash::Sha1, left).map_err(|why| Failure::Io(std::io::Error::other(why)));
    let scratch = (!in_clone(context)).then(scratch).transpose()?;
    let folder = context.folder.as_deref().unwrap_or(&context.home.path);
    let git = |arguments: &[&str]| {
        let mut git: Command =
            scratch.as_ref().map_or_else(|| git_cli::command(Place::AsAgent(folder)), Scratch::git);
        git.args(arguments).env("GIT_OBJECT_DIRECTORY", objects.path());
        signing::cannot_prompt(&mut git);
        if let Some(keyring) = &keyring {
            git.env("GNUPGHOME", keyring.path());
        }
        git
    };
    let tree = git(&["hash-object", "-w", "-t", "tree", "/dev/null"]);
    let tree = process::run_within(Bounds::READING, tree, left())?;
    if !tree.status.success() {
        return Ok(tree);
    }
    let sign = if setting.is_some() { "-S" } else { "--no-gpg-sign" };
    let commit = git(&["commit-tree", sign, "-m", "probe", tree.stdout.trim()]);
    process::run_without_daemons(commit, left())
}
