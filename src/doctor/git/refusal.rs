//! Why git refuses to make a commit, from what it prints.

use super::{cause, effective_config, setting};
use crate::catalogue::{Code, Fix};
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git_cli::config_error::ConfigError;
use crate::git_cli::effective_config::EffectiveConfig;

/// Why git has no author or committer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `GIT_AUTHOR_DATE` or `GIT_COMMITTER_DATE`.
    Date,
    Identity,
    /// Another check reports it.
    Clone(Code),
    Unknown,
}

/// Why `git var` refused, by its message. Pure.
pub fn refusal(stderr: &str) -> Refusal {
    let says = |words: &str| stderr.contains(words);
    if let Some(code) = cause(stderr) {
        return Refusal::Clone(code);
    }
    match () {
        () if says("invalid date format") => Refusal::Date,
        () if says("Please tell me who you are")
            || says("empty ident name")
            || says("disallowed characters")
            || says("auto-detection is disabled")
            || says("unable to auto-detect")
            || says("empty email") =>
        {
            Refusal::Identity
        }
        () => Refusal::Unknown,
    }
}

/// Keys with values that every git command reads, or that git takes as they are.
const USUAL: &[&str] = &[
    "branch.",
    "core.bare",
    "core.filemode",
    "core.fsmonitor",
    "core.hookspath",
    "core.logallrefupdates",
    "core.repositoryformatversion",
    "credential.",
    "http.",
    "include.",
    "includeif.",
    "init.",
    "protocol.",
    "remote.",
    "safe.",
    "url.",
    "user.email",
    "user.name",
];

/// Whether there is a value that only some git commands read. Pure.
pub fn has_unusual(config: &EffectiveConfig) -> bool {
    config.under("").any(|value| {
        let is_usual = |usual: &&str| match usual.strip_suffix('.') {
            Some(_) => value.key.starts_with(*usual),
            None => *value.key == **usual,
        };
        value.value.is_none() || !USUAL.iter().any(is_usual)
    })
}

/// git rejects a value. The fix names the place where it is set.
pub fn refused_value(context: &Context, summary: &str, error: &ConfigError) -> Judgement {
    let value = error.key().and_then(|key| effective_config(context).last(key));
    let fix = match value {
        Some(value) if error.line.is_none() && error.file.is_none() => {
            format!("correct {}, which is set in {}", value.key, setting::place(context, value))
        }
        _ => error.fix(context.home),
    };
    Judgement::fail(Code::GitConfigInvalid, summary, Fix::report(fix))
        .with([Evidence::foreign("git said", &error.message)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_some_commands_read_are_asked_about() {
        for (entry, unusual) in [
            ("user.name\nDev", false),
            ("user.name", true),
            ("user.signingkey\nx", true),
            ("remote.origin.url\nx", false),
            ("core.bare\nfalse", false),
            ("core.abbrev\n7", true),
            ("column.ui\nmaybe", true),
        ] {
            let listed = format!("global\0file:/h/.gitconfig\0{entry}\0");
            let config = EffectiveConfig::parse(listed.clone());
            assert_eq!(has_unusual(&config), unusual, "{entry}");
        }
    }
}
