//! Our git configuration: the URL rules of keyed repositories, held against those that are in force without ours.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::HEADER;
use super::probe::Method;
use crate::catalogue::Code;
use crate::error::Finding;
use crate::git_config;
use crate::git_url::{Covered, Repository, Route, Rule, instead_of_rules};
use crate::process::{self, Failure};
use crate::provision::Item;

pub struct GitRules {
    /// The whole file.
    pub config: String,
    pub notes: Vec<String>,
    /// Remotes that a rule of the user keeps from SSH.
    pub reversed: Option<Item>,
}

/// The rules for these repositories. `own` is the file that they go into.
pub fn rules(own: &Path, routed: &[Repository], method: &Method) -> GitRules {
    let mut notes = Vec::new();
    let user = match user_rules(own) {
        Ok(Ok(rules)) => rules,
        Ok(Err(message)) => {
            notes.push(format!("git cannot read its configuration here, so no git command works: {message}"));
            Vec::new()
        }
        Err(Failure::Missing) => {
            notes.push(
                "git is not on PATH: URL rules are written, but could not be held against its own".to_owned(),
            );
            Vec::new()
        }
        Err(failure) => {
            notes.push(format!("git did not say which insteadOf rules are in force: {failure:?}"));
            Vec::new()
        }
    };
    let route = if matches!(method, Method::MatchExec) { Route::Canonical } else { Route::Alias };
    let rules = instead_of_rules(routed, &user, route);
    let (reversed, covered): (Vec<_>, Vec<_>) = rules.covered.iter().partition(|covered| covered.reversed);
    if let Some(say) = told(&covered) {
        notes.push(format!("{say}: none of ours is written for it"));
    }
    let reversed = told(&reversed).map(|say| {
        let finding = Finding::new(
            Code::RemoteReversed,
            format!("{say}, and no rule of ours can outdo it"),
            "take it out; `git config --show-origin --get-regexp '^url'` names its file",
        );
        Item::warn("routing", finding, Vec::new())
    });
    let mut config = HEADER.to_owned();
    let mut base = None;
    for Rule { base: to, prefix } in &rules.rules {
        if base != Some(to) {
            let _ = writeln!(config, "[url \"{}\"]", to.replace('\\', "\\\\").replace('"', "\\\""));
            base = Some(to);
        }
        let _ = writeln!(config, "\tinsteadOf = {}", git_config::quoted(prefix));
    }
    GitRules { config, notes, reversed }
}

/// One line for all of them: a host-wide rule covers every key on the host.
fn told(covered: &[&Covered]) -> Option<String> {
    let Covered { prefix, effective, .. } = covered.first()?;
    let more = match covered.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    Some(format!("a rule of your own turns `{prefix}` into `{effective}`{more}"))
}

/// The insteadOf rules that are in force without ours, as the agent's git sees them outside any repository; or what git
/// has against its configuration.
fn user_rules(own: &Path) -> Result<Result<Vec<Rule>, String>, Failure> {
    let mut git = process::caller("git");
    git.args(["config", "--null", "--show-origin", "--get-regexp", r"^url\..*\.insteadof$"]).current_dir("/");
    // GIT_CONFIG would narrow `git config` to one file
    git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_CONFIG");
    let output = process::run(git, Duration::from_secs(5))?;
    // 1: nothing matches
    if output.status.code().is_none_or(|code| code > 1) {
        let said = output.stderr.lines().next().unwrap_or("no message");
        return Ok(Err(said.escape_debug().take(200).collect()));
    }
    let own = format!("file:{}", own.display());
    let mut fields = output.stdout.split('\0');
    let mut rules = Vec::new();
    while let (Some(origin), Some(entry)) = (fields.next(), fields.next()) {
        let Some((key, prefix)) = entry.split_once('\n') else { continue };
        let base = key.strip_prefix("url.").and_then(|key| key.strip_suffix(".insteadof"));
        if let Some(base) = base.filter(|_| origin != own) {
            rules.push(Rule { base: base.to_owned(), prefix: prefix.to_owned() });
        }
    }
    Ok(Ok(rules))
}
