//! git's configuration as it counts in a place, asked of git itself: it runs nothing for that, and
//! follows what is included.

use std::time::Duration;

use super::Place;
use crate::git::url::UrlRule;
use crate::process::{self, Failure, Output, Running};

/// All values. The last one of a key counts.
#[derive(Debug, Default)]
pub struct EffectiveConfig(Vec<ConfigValue>);

#[derive(Debug, PartialEq, Eq)]
pub struct ConfigValue {
    /// It is in the clone's own configuration: whoever wrote that chose it.
    pub is_own: bool,
    /// As git prints it: `file:/home/u/.gitconfig`, `command line:`.
    pub origin: String,
    /// Section and name in small letters, as git prints them.
    pub key: String,
    /// `None`: the key is there without one.
    pub value: Option<String>,
}

impl EffectiveConfig {
    /// Empty where git does not print it.
    pub fn ask(place: Place, deadline: Duration) -> Self {
        let output = Self::output(place, deadline);
        output.map(|output| Self::parse(&output.stdout)).unwrap_or_default()
    }

    /// What git answers, for who needs to know why it does not.
    pub fn output(place: Place, deadline: Duration) -> Result<Output, Failure> {
        Self::start(place, deadline)?.end()
    }

    /// The same, for who does something else meanwhile.
    pub fn start(place: Place, deadline: Duration) -> Result<Running, Failure> {
        let mut git = super::command(place);
        // it would narrow the answer to one file
        git.env_remove("GIT_CONFIG").args([
            "config",
            "--null",
            "--show-scope",
            "--show-origin",
            "--list",
        ]);
        process::start(git, deadline)
    }

    /// Reads what `git config --null --show-scope --show-origin --list` printed. Pure.
    pub fn parse(listed: &str) -> Self {
        let mut values = Vec::new();
        let mut fields = listed.split_terminator('\0');
        while let (Some(scope), Some(origin), Some(entry)) =
            (fields.next(), fields.next(), fields.next())
        {
            let (key, value) = entry
                .split_once('\n')
                .map_or((entry, None), |(key, value)| (key, Some(value.to_owned())));
            values.push(ConfigValue {
                is_own: matches!(scope, "local" | "worktree"),
                origin: origin.to_owned(),
                key: key.to_owned(),
                value,
            });
        }
        Self(values)
    }

    /// Whether a value counts here that does not count in `other`, less the URLs of remotes.
    pub fn has_more_than(&self, other: &Self) -> bool {
        let is_url = |value: &ConfigValue| {
            let name = value.key.strip_prefix("remote.").and_then(|key| key.rsplit_once('.'));
            name.is_some_and(|(_, name)| matches!(name, "url" | "pushurl"))
        };
        let mut others: Vec<&ConfigValue> = other.0.iter().collect();
        self.0.iter().filter(|value| !is_url(value)).any(|value| {
            let same = others.iter().position(|other| *other == value);
            same.map(|at| others.swap_remove(at)).is_none()
        })
    }

    pub fn last(&self, key: &str) -> Option<&ConfigValue> {
        self.0.iter().rev().find(|value| value.key == key)
    }

    /// Whether a file other than `own` has a value of the key.
    pub fn has_from_elsewhere(&self, key: &str, own: &str) -> bool {
        let is_own = |value: &ConfigValue| value.origin.strip_prefix("file:") == Some(own);
        self.0.iter().any(|value| value.key == key && !is_own(value))
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.last(key)?.value.as_deref()
    }

    /// Whether git reads the last value of the key as true; a key without a value is.
    pub fn is_true(&self, key: &str) -> bool {
        let is_true = |text: &str| {
            let is_word = |word: &&str| text.eq_ignore_ascii_case(word);
            ["true", "yes", "on"].iter().any(is_word)
                || text.trim().parse::<i64>().is_ok_and(|number| number != 0)
        };
        self.last(key).is_some_and(|value| value.value.as_deref().is_none_or(is_true))
    }

    /// Whether git reads the last value of the key as false.
    pub fn is_false(&self, key: &str) -> bool {
        let words = ["false", "no", "off", "0", ""];
        let is_word = |text: &str| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        self.text(key).is_some_and(is_word)
    }

    /// Those whose keys begin so.
    pub fn under<'a>(&'a self, section: &'a str) -> impl Iterator<Item = &'a ConfigValue> {
        self.0.iter().filter(move |value| value.key.starts_with(section))
    }

    /// `core.sshCommand`: whether it is the clone's own, and the text, if there is one.
    pub fn ssh_command(&self) -> Option<(bool, Option<&str>)> {
        self.last("core.sshcommand")
            .map(|value| (value.is_own, value.value.as_deref().map(str::trim)))
    }

    /// Whether git is configured not to use ssh (git-config(1), protocol.allow).
    pub fn forbids_ssh(&self) -> bool {
        self.text("protocol.ssh.allow").or_else(|| self.text("protocol.allow")) == Some("never")
    }

    /// The rules of one kind, `insteadof` or `pushinsteadof`, less those of the file `except`.
    pub fn url_rules(&self, kind: &str, except: Option<&str>) -> Vec<UrlRule> {
        let is_kept =
            |value: &&ConfigValue| except.is_none() || value.origin.strip_prefix("file:") != except;
        let rule = |value: &ConfigValue| {
            let (base, found) = value.key.strip_prefix("url.")?.rsplit_once('.')?;
            let prefix = value.value.clone().filter(|_| found == kind)?;
            Some(UrlRule { base: base.to_owned(), prefix })
        };
        self.under("url.").filter(is_kept).filter_map(rule).collect()
    }

    /// Whether git needs more of a server at a push than the server offers in its first line.
    pub fn wants_more_than(&self, offered: &str) -> bool {
        let signs = self.is_true("push.gpgsign");
        let sends = self.text("push.pushoption").is_some_and(|option| !option.is_empty());
        signs && !offered.contains("push-cert") || sends && !offered.contains("push-options")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(entries: &[[&str; 3]]) -> EffectiveConfig {
        let listed: String = entries.iter().flatten().flat_map(|field| [*field, "\0"]).collect();
        EffectiveConfig::parse(&listed)
    }

    #[test]
    fn values_are_read_as_git_lists_them() {
        let config = parse(&[
            ["system", "file:/etc/gitconfig", "core.sshcommand\nssh -4"],
            ["global", "file:/h/.gitconfig", "ssh.variant\nsimple"],
            ["local", "file:.git/config", "core.sshcommand\n a\nb"],
            ["global", "file:/h/.gitconfig", "push.gpgsign"],
            ["global", "file:/h/.gitconfig", "protocol.allow\nnever"],
        ]);
        assert_eq!(config.ssh_command(), Some((true, Some("a\nb"))));
        assert_eq!(config.text("ssh.variant"), Some("simple"));
        assert!(config.forbids_ssh());
        assert!(config.wants_more_than("report-status") && !config.wants_more_than("push-cert=x"));
        let without_value = parse(&[["global", "file:/h/.gitconfig", "core.sshcommand"]]);
        assert_eq!(without_value.ssh_command(), Some((false, None)));
        assert_eq!(parse(&[]).ssh_command(), None);
    }

    #[test]
    fn a_value_that_counts_in_one_alone_is_found() {
        let own = |url| ["local", "file:/c", url];
        let name = ["global", "file:/h/a", "user.name\nA"];
        let included = [own("remote.o.url\nhttps://h/o/r"), name];
        let not_included = [own("remote.o.url\ngit@h:o/r.git")];
        for (one, other, expected) in [
            (&included[..], &not_included[..], true),
            (&not_included, &included, false),
            (&included, &[name], false),
            (&[name, name], &[name], true),
            (&[name], &[["global", "file:/h/b", "user.name\nA"]], true),
        ] {
            assert_eq!(parse(one).has_more_than(&parse(other)), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn url_rules_differ_by_kind_and_file() {
        let config = parse(&[
            ["global", "file:/h/.gitconfig", "url.https://h/.pushinsteadof\ngit@h:"],
            ["global", "file:/h/.gitconfig", "url.git@h.corp:.insteadof\nhttps://h.corp/"],
            ["global", "file:/s/gitconfig", "url.git@h:o/r.insteadof\nhttps://h/o/r"],
            ["command", "command line:", "url.x.insteadof"],
            ["global", "file:/h/.gitconfig", "url.x.other\ny"],
        ]);
        let rule =
            |base: &str, prefix: &str| UrlRule { base: base.to_owned(), prefix: prefix.to_owned() };
        assert_eq!(config.url_rules("pushinsteadof", None), [rule("https://h/", "git@h:")]);
        let own = rule("git@h:o/r", "https://h/o/r");
        let others = rule("git@h.corp:", "https://h.corp/");
        assert_eq!(config.url_rules("insteadof", None), [others.clone(), own]);
        assert_eq!(config.url_rules("insteadof", Some("/s/gitconfig")), [others]);
    }
}
