//! git's configuration as it counts in a place, asked of git itself: it runs nothing for that, and
//! follows what is included.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Place;
use crate::git::config;
use crate::git::url::UrlRule;
use crate::process::{self, Bounds, Failure, Output, Running};
use crate::resource::file::is_same;

/// All values, as git printed them: decoded they would take many times their size. The last one of a
/// key counts.
#[derive(Debug, Default)]
pub struct EffectiveConfig {
    /// The rules for URLs, of which there are thousands with many keys, follow all others.
    text: String,
    /// Where they begin.
    rules: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigValue<'a> {
    /// It is in the clone's own configuration: whoever wrote that chose it.
    pub is_own: bool,
    /// As git prints it: `file:/home/u/.gitconfig`, `command line:`.
    pub origin: &'a str,
    /// Section and name in small letters, as git prints them.
    pub key: &'a str,
    /// `None`: the key is there without one.
    pub value: Option<&'a str>,
}

/// The keys that are asked for in a clone beside the current one: all but the rules for URLs, of
/// which there are many, and which git applies to the remotes that it lists.
const WITHOUT_RULES: &str = r"^([^u]|u[^r]|ur[^l]|url[^.])|\.pushinsteadof$";

/// What the keys of rules for URLs begin with.
const RULES: &str = "url.";

/// The scope of each value, its origin, and its key with what it is set to.
fn entries(text: &str) -> impl Iterator<Item = [&str; 3]> {
    let mut fields = text.split_terminator('\0');
    std::iter::from_fn(move || Some([fields.next()?, fields.next()?, fields.next()?]))
}

impl<'a> ConfigValue<'a> {
    fn of([scope, origin, entry]: [&'a str; 3]) -> Self {
        let (key, value) =
            entry.split_once('\n').map_or((entry, None), |(key, value)| (key, Some(value)));
        let is_own = matches!(scope, "local" | "worktree");
        Self { is_own, origin, key, value }
    }

    /// Whether git reads it as true.
    pub fn is_true(&self) -> bool {
        config::is_true(self.value)
    }
}

impl EffectiveConfig {
    /// Its values without the rules for URLs, of no more than `most` bytes.
    pub fn without_rules(place: Place, most: usize, deadline: Duration) -> Result<Self, Failure> {
        let git = asked(place, &["--get-regexp", WITHOUT_RULES]);
        process::run_up_to(most, git, deadline).map(|output| Self::parse(output.stdout))
    }

    /// Whether git did not print it: it always prints values that it gets with the question.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many bytes git printed.
    pub fn size(&self) -> usize {
        self.text.len()
    }

    pub const fn none() -> Self {
        Self { text: String::new(), rules: 0 }
    }

    /// What git answers, for who needs to know why it does not.
    pub fn output(place: Place, deadline: Duration) -> Result<Output, Failure> {
        Self::start(place, deadline)?.end()
    }

    /// The same, for who does something else meanwhile.
    pub fn start(place: Place, deadline: Duration) -> Result<Running, Failure> {
        process::start(Bounds::READING, asked(place, &["--list"]), deadline)
    }

    /// All values, of no more than `most` bytes.
    pub fn up_to(place: Place, most: usize, deadline: Duration) -> Result<Self, Failure> {
        let output = process::run_up_to(most, asked(place, &["--list"]), deadline)?;
        Ok(Self::parse(output.stdout))
    }

    /// Reads what `git config --null --show-scope --show-origin --list` printed. Pure.
    pub fn parse(listed: String) -> Self {
        let is_rule = |[_, _, entry]: &[&str; 3]| entry.starts_with(RULES);
        if !entries(&listed).any(|entry| is_rule(&entry)) {
            return Self { rules: listed.len(), text: listed };
        }
        let of = |rules: bool| entries(&listed).filter(move |entry| is_rule(entry) == rules);
        let joined = |text: String, entry: [&str; 3]| {
            entry.iter().fold(text, |text, field| text + field + "\0")
        };
        let others = of(false).fold(String::with_capacity(listed.len()), joined);
        let rules = others.len();
        let text = of(true).fold(others, joined);
        Self { text, rules }
    }

    fn values(&self) -> impl Iterator<Item = ConfigValue<'_>> {
        entries(&self.text).map(ConfigValue::of)
    }

    /// The values among which the keys are that begin so: the rules for URLs, or all others.
    fn values_near<'a>(&'a self, key: &str) -> impl Iterator<Item = ConfigValue<'a>> + use<'a> {
        let part = match self.text.split_at_checked(self.rules) {
            // the first letters of a rule's key, which may be those of another
            _ if RULES.starts_with(key) => &*self.text,
            Some((_, rules)) if key.starts_with(RULES) => rules,
            Some((others, _)) => others,
            None => &*self.text,
        };
        entries(part).map(ConfigValue::of)
    }

    /// Whether a value counts here that does not count in `other`, less the URLs of remotes.
    pub fn has_more_than(&self, other: &Self) -> bool {
        let is_url = |value: &ConfigValue| {
            let name = value.key.strip_prefix("remote.").and_then(|key| key.rsplit_once('.'));
            name.is_some_and(|(_, name)| matches!(name, "url" | "pushurl"))
        };
        let mut others: BTreeMap<ConfigValue, usize> = BTreeMap::new();
        for value in other.values() {
            *others.entry(value).or_default() += 1;
        }
        self.values().filter(|value| !is_url(value)).any(|value| match others.get_mut(&value) {
            Some(left @ 1..) => {
                *left -= 1;
                false
            }
            _ => true,
        })
    }

    pub fn last(&self, key: &str) -> Option<ConfigValue<'_>> {
        self.values_near(key).filter(|value| value.key == key).last()
    }

    /// Whether a value is from the file `own`.
    pub fn has_from(&self, own: &str) -> bool {
        self.values().any(|value| is_from(value.origin, own))
    }

    /// Where the values are from.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        self.values().map(|value| value.origin)
    }

    /// All values but those of the file `own`, and but the line that includes it.
    pub fn without(&self, own: &str) -> String {
        let is_own = |value: &ConfigValue| {
            is_from(value.origin, own) || value.key == "include.path" && value.value == Some(own)
        };
        let mut others = String::new();
        for value in self.values().filter(|value| !is_own(value)) {
            for part in [value.origin, "\0", value.key, "\0"] {
                others.push_str(part);
            }
            // one without a value is not one with an empty value
            if let Some(value) = value.value {
                others.push('=');
                others.push_str(value);
            }
            others.push('\0');
        }
        others
    }

    /// Whether a file other than `own` has a value of the key.
    pub fn has_from_elsewhere(&self, key: &str, own: &str) -> bool {
        self.values_near(key).any(|value| value.key == key && !is_from(value.origin, own))
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.last(key)?.value
    }

    /// The value in the clone's own configuration: git ignores these keys elsewhere.
    pub fn own_text(&self, key: &str) -> Option<&str> {
        self.values_near(key).filter(|value| value.is_own && value.key == key).last()?.value
    }

    /// Whether git reads the last value of the key as true.
    pub fn is_true(&self, key: &str) -> bool {
        self.last(key).is_some_and(|value| value.is_true())
    }

    /// Whether git reads the last value of the key as false.
    pub fn is_false(&self, key: &str) -> bool {
        let words = ["false", "no", "off", "0", ""];
        let is_word = |text: &str| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        self.text(key).is_some_and(is_word)
    }

    /// Those whose keys begin so.
    pub fn under<'a>(&'a self, section: &'a str) -> impl Iterator<Item = ConfigValue<'a>> {
        self.values_near(section).filter(move |value| value.key.starts_with(section))
    }

    /// `core.sshCommand`: whether it is the clone's own, and the text, if there is one.
    pub fn ssh_command(&self) -> Option<(bool, Option<&str>)> {
        self.last("core.sshcommand").map(|value| (value.is_own, value.value.map(str::trim)))
    }

    /// Whether git is configured not to use ssh (git-config(1), protocol.allow).
    pub fn forbids_ssh(&self) -> bool {
        self.text("protocol.ssh.allow").or_else(|| self.text("protocol.allow")) == Some("never")
    }

    /// The rules of one kind, `insteadof` or `pushinsteadof`, less those of the file `except`.
    pub fn url_rules(&self, kind: &str, except: Option<&str>) -> Vec<UrlRule> {
        let is_kept = |value: &ConfigValue| !except.is_some_and(|own| is_from(value.origin, own));
        let rule = |value: ConfigValue| {
            let (base, found) = value.key.strip_prefix("url.")?.rsplit_once('.')?;
            let prefix = value.value.filter(|_| found == kind)?;
            Some(UrlRule { base: base.to_owned(), prefix: prefix.to_owned() })
        };
        self.under(RULES).filter(is_kept).filter_map(rule).collect()
    }

    /// Whether git needs more of a server at a push than the server offers in its first line.
    pub fn wants_more_than(&self, offered: &str) -> bool {
        let signs = self.is_true("push.gpgsign");
        let sends = self.text("push.pushoption").is_some_and(|option| !option.is_empty());
        signs && !offered.contains("push-cert") || sends && !offered.contains("push-options")
    }
}

/// Whether it is the file `own`, by this path or by another, where a folder above it is a link.
fn is_from(origin: &str, own: &str) -> bool {
    origin.strip_prefix("file:").is_some_and(|file| {
        let (file, own) = (Path::new(file), Path::new(own));
        file == own || file.file_name() == own.file_name() && is_same(file, own)
    })
}

/// A question about the configuration; GIT_CONFIG would narrow the answer to one file.
fn asked(place: Place, what: &[&str]) -> Command {
    let mut git = super::command(place);
    git.env_remove("GIT_CONFIG").args(["config", "--null", "--show-scope", "--show-origin"]);
    git.args(what);
    git
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(entries: &[[&str; 3]]) -> EffectiveConfig {
        let listed: String = entries.iter().flatten().flat_map(|field| [*field, "\0"]).collect();
        EffectiveConfig::parse(listed)
    }

    /// The installed git with this as the configuration of a clone.
    #[test]
    fn the_rules_for_urls_are_left_out_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["objects", "refs"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("HEAD"), "ref: refs/heads/main\n").unwrap();
        let config = "[core]\n\tbare = true\n[url \"https://h/\"]\n\tinsteadOf = a:\n\tpushInsteadOf = b:\n\
                      [u]\n\ta = 1\n[ur]\n\ta = 2\n[urls]\n\ta = 3\n[user]\n\tname = x\n";
        std::fs::write(folder.path().join("config"), config).unwrap();
        let place = Place::GitDir(folder.path());
        let seconds = Duration::from_secs(60);
        let keys = |config: &EffectiveConfig| -> Vec<String> {
            config.values().filter(|it| it.is_own).map(|it| it.key.to_owned()).collect()
        };
        let whole = keys(&EffectiveConfig::up_to(place, 1 << 20, seconds).unwrap());
        let mut expected = whole.clone();
        expected.retain(|key| key != "url.https://h/.insteadof");
        assert_eq!(whole.len(), expected.len() + 1);
        let filtered = EffectiveConfig::without_rules(place, 1 << 20, seconds).unwrap();
        assert_eq!(keys(&filtered), expected);
        assert!(EffectiveConfig::without_rules(place, 10, seconds).is_err());
    }

    #[test]
    fn more_of_the_same_value_is_more() {
        let one = ["local", "file:c", "a.b\nc"];
        let (once, twice) = (parse(&[one]), parse(&[one, one]));
        assert!(twice.has_more_than(&once) && !once.has_more_than(&twice));
        assert!(!once.has_more_than(&once));
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
    fn the_last_value_counts_wherever_the_rules_for_urls_are() {
        let own = |entry| ["local", "file:/c", entry];
        let listed = [
            own("url.a.insteadof\nx"),
            own("user.name\nA"),
            own("url.b.insteadof\ny"),
            own("url.short\n1"),
            own("user.name\nB"),
            own("urls.a\n2"),
            own("url.a.insteadof\nz"),
            own("upload.a\n3"),
        ];
        let config = parse(&listed);
        for (key, value) in [
            ("user.name", Some("B")),
            ("url.a.insteadof", Some("z")),
            ("url.short", Some("1")),
            ("urls.a", Some("2")),
            ("url", None),
        ] {
            assert_eq!((config.text(key), config.own_text(key)), (value, value), "{key}");
        }
        for (section, count) in [("", 8), ("u", 8), ("ur", 5), ("url", 5), ("url.", 4), ("urls", 1)]
        {
            assert_eq!(config.under(section).count(), count, "{section}");
        }
        let rules = config.url_rules("insteadof", None);
        let rules: Vec<_> = rules.iter().map(|rule| (&*rule.base, &*rule.prefix)).collect();
        assert_eq!(rules, [("a", "x"), ("b", "y"), ("a", "z")]);
        let lengths = listed.iter().flatten().map(|field| field.len() + 1);
        assert_eq!(config.size(), lengths.sum::<usize>());
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

    #[test]
    fn what_is_not_ours_is_the_same_before_and_after() {
        let user = ["global", "file:/h/.gitconfig", "user.name\nA"];
        let include = ["global", "file:/h/.gitconfig", "include.path\n/s/gitconfig"];
        let ours = ["global", "file:/s/gitconfig", "url.git@h:o/r.insteadof\nhttps://h/o/r"];
        let without = |entries: &[[&str; 3]]| parse(entries).without("/s/gitconfig");
        let before = without(&[user]);
        assert_eq!(without(&[user, include, ours]), before);
        for others in [
            &[ours, include][..],
            &[user, user, include, ours],
            &[["global", "file:/h/other", "user.name\nA"], include, ours],
            &[["global", "file:/h/.gitconfig", "user.name"], include, ours],
            &[["global", "file:/h/.gitconfig", "user.name\nB"], include, ours],
            &[user, ["global", "file:/h/.gitconfig", "include.path\n/s/other"], ours],
            &[user, ["global", "file:/h/.gitconfig", "url.x.insteadof\n/s/gitconfig"], ours],
        ] {
            assert_ne!(without(others), before, "{others:?}");
        }
    }
}
