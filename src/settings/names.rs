//! Names that were meant for us and that nobody reads: misspelt, in the wrong form, in the wrong
//! place.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use secrecy::SecretString;

use super::Reader;
use super::source::redacted;
use crate::error::{Error, Exit, Result};
use crate::text::nearest_name;
use crate::variables::{self, PREFIX, Variable};

const LONGEST: usize = 48;
/// So many names that are not read are printed one by one.
const MOST_PRINTED: usize = 10;

impl Reader<'_> {
    /// Warns of variables with our prefix, and of names on standard input, that are not read.
    pub(super) fn misnamed(&mut self) {
        let read = |name: &str| variables::INSTALLER.contains(&name) || is_read(name);
        let in_environment = self.env.names().filter(|name| name.starts_with(PREFIX));
        let unread: Vec<_> = in_environment.filter(|name| !read(name)).collect();
        for name in unread.iter().take(MOST_PRINTED) {
            let fix = suggestion_for(name);
            self.warn(format!("{} is ignored: {fix}", shown_name(name)));
        }
        self.warn_of_more(&unread, "variables that start with PUSHREADY_");
        let on_stdin = self.stdin.keys().filter(|name| !serves_on_stdin(name));
        let unread: Vec<_> = on_stdin.cloned().collect();
        for name in unread.iter().take(MOST_PRINTED) {
            let fix = suggestion_on_stdin(name);
            let shown = shown_name(name);
            self.warn(format!("standard input names {shown}, which is ignored: {fix}"));
        }
        self.warn_of_more(&unread, "names on standard input");
    }

    fn warn_of_more(&mut self, names: &[String], what: &str) {
        if let Some(more) = names.len().checked_sub(MOST_PRINTED).filter(|more| *more > 0) {
            self.warn(format!("{more} more {what} are ignored"));
        }
    }
}

/// A name as it is shown: what is longer than any variable, or has other characters, may be a
/// secret.
fn shown_name(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain && name.len() <= LONGEST { format!("`{name}`") } else { redacted(OsStr::new(name)) }
}

/// Whoever pipes something in wants it used: an object of which nothing can be is a usage error.
pub(super) fn check_stdin(stdin: &BTreeMap<String, SecretString>) -> Result<()> {
    let Some(first) = stdin.keys().next() else { return Ok(()) };
    if stdin.keys().any(|name| serves_on_stdin(name)) {
        return Ok(());
    }
    let names: Vec<_> = stdin.keys().map(|name| shown_name(name)).take(3).collect();
    let more = if stdin.len() > names.len() { " ..." } else { "" };
    Err(Error::new("cannot use standard input")
        .because(format!("it contains no secret of pushready, only {}{more}", names.join(", ")))
        .hint(format!("{}: {}", shown_name(first), suggestion_on_stdin(first)))
        .exit(Exit::Usage))
}

fn serves_on_stdin(name: &str) -> bool {
    secrets().any(|variable| variable.name == name)
}

fn secrets() -> impl Iterator<Item = &'static Variable> {
    variables::ALL.iter().filter(|variable| variable.secret && !variable.shared)
}

/// Whether a variable of the environment is read, in whichever form.
fn is_read(name: &str) -> bool {
    variables::ALL.iter().any(|variable| variable.name == name)
        || secrets().any(|variable| variable.name == without_form(name))
}

/// `NAME` of `NAME_FILE` and `NAME_BASE64`.
fn without_form(name: &str) -> &str {
    name.strip_suffix("_BASE64").or_else(|| name.strip_suffix("_FILE")).unwrap_or(name)
}

fn suggestion_on_stdin(name: &str) -> String {
    match () {
        () if serves_on_stdin(without_form(name)) => format!("give `{}` there", without_form(name)),
        () if is_read(name) => "set it in the environment".to_owned(),
        () => suggestion_for(name),
    }
}

/// What to write instead of a name that nobody reads.
fn suggestion_for(name: &str) -> String {
    let plain = without_form(name);
    if variables::ALL.iter().any(|variable| variable.name == plain) {
        return format!("give the value itself in `{plain}`");
    }
    let meant = nearest(plain).map_or(String::new(), |name| format!("; did you mean `{name}`?"));
    format!("it is not a variable of pushready{meant}")
}

/// The variable that was probably meant: one of the same words with some left out or added, else
/// the one that takes the fewest edits, if those are few.
fn nearest(name: &str) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    let name = upper.strip_prefix(PREFIX).unwrap_or(&upper);
    let known = || variables::ALL.iter().filter_map(|variable| variable.name.strip_prefix(PREFIX));
    let words = |name: &'_ str| name.split('_').map(str::to_owned).collect::<BTreeSet<_>>();
    let of_words = words(name);
    let same_words =
        |known: &&str| words(known).is_superset(&of_words) || words(known).is_subset(&of_words);
    let meant = known().find(same_words).or_else(|| nearest_name(name, known()))?;
    variables::ALL
        .iter()
        .map(|variable| variable.name)
        .find(|name| name.strip_prefix(PREFIX) == Some(meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_has_a_nearest() {
        for (name, meant) in [
            ("PUSHREADY_CODEX_AUTH", Some(variables::CODEX_AUTH_JSON)),
            ("CODEX_AUTH", Some(variables::CODEX_AUTH_JSON)),
            ("pushready_claude_oauth_token", Some(variables::CLAUDE_OAUTH_TOKEN)),
            ("PUSHREADY_CLAUDE_TOKEN", Some(variables::CLAUDE_OAUTH_TOKEN)),
            ("PUSHREADY_DEPLOYKEYS", Some(variables::DEPLOY_KEYS)),
            ("PUSHREADY_DEPLOY_KEI", Some(variables::DEPLOY_KEY)),
            ("PUSHREADY_DEPLOY_KEYS_JSON", Some(variables::DEPLOY_KEYS)),
            ("PUSHREADY_TRUSTED_FOLDER", Some(variables::TRUSTED_FOLDERS)),
            ("PUSHREADY_REQUIRED", Some(variables::REQUIRE)),
            ("PUSHREADY_COLOUR", None),
            ("password", None),
        ] {
            assert_eq!(nearest(name), meant, "{name}");
        }
    }

    #[test]
    fn what_the_installer_reads_is_known() {
        let script = include_str!("../../scripts/install.sh");
        let mut names = script.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let unknown = names.find(|name| {
            name.starts_with(PREFIX) && !is_read(name) && !variables::INSTALLER.contains(name)
        });
        assert_eq!(unknown, None);
    }
}
