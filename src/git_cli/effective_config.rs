//! git's configuration as it counts in a folder, asked of git itself: it runs nothing for that, and
//! follows what is included.

use std::path::Path;
use std::time::Duration;

use crate::git::url::Rule;
use crate::process::{self, Program};

/// All values, the last of a key being the one that counts.
#[derive(Debug, Default)]
pub struct GitSettings(Vec<Setting>);

#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// It is of the clone's own configuration: whoever wrote that chose it.
    pub is_own: bool,
    /// Section and name in small letters, as git prints them.
    pub key: String,
    /// `None`: the key stands there without one.
    pub value: Option<String>,
}

impl GitSettings {
    pub fn ask(folder: &Path, deadline: Duration) -> Self {
        let mut git = process::command(Program::Git);
        git.args(["config", "--null", "--show-scope", "--list"]);
        git.current_dir(folder).env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
        process::run(git, deadline).map(|output| Self::read(&output.stdout)).unwrap_or_default()
    }

    /// Reads what `git config --null --show-scope --list` printed. Pure.
    fn read(listed: &str) -> Self {
        let mut settings = Vec::new();
        let mut fields = listed.split_terminator('\0');
        while let (Some(scope), Some(entry)) = (fields.next(), fields.next()) {
            let (key, value) = entry
                .split_once('\n')
                .map_or((entry, None), |(key, value)| (key, Some(value.to_owned())));
            let is_own = matches!(scope, "local" | "worktree");
            settings.push(Setting { is_own, key: key.to_owned(), value });
        }
        Self(settings)
    }

    pub fn last(&self, key: &str) -> Option<&Setting> {
        self.0.iter().rev().find(|setting| setting.key == key)
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.last(key)?.value.as_deref()
    }

    /// Those whose keys begin so.
    pub fn under<'a>(&'a self, section: &'a str) -> impl Iterator<Item = &'a Setting> {
        self.0.iter().filter(move |setting| setting.key.starts_with(section))
    }

    /// The command in the place of ssh: whether it is the clone's own, and the text, if there is
    /// one.
    pub fn ssh_command(&self) -> Option<(bool, Option<&str>)> {
        self.last("core.sshcommand")
            .map(|setting| (setting.is_own, setting.value.as_deref().map(str::trim)))
    }

    /// Whether git is told not to use ssh (git-config(1), protocol.allow).
    pub fn forbids_ssh(&self) -> bool {
        self.text("protocol.ssh.allow").or_else(|| self.text("protocol.allow")) == Some("never")
    }

    /// The rules for pushes alone.
    pub fn push_rules(&self) -> Vec<Rule> {
        let rule = |setting: &Setting| {
            let base = setting.key.strip_prefix("url.")?.strip_suffix(".pushinsteadof")?.to_owned();
            Some(Rule { base, prefix: setting.value.clone()? })
        };
        self.under("url.").filter_map(rule).collect()
    }

    /// Whether git wants more of a server at a push than the server offers in its first line.
    pub fn wants_more_than(&self, offered: &str) -> bool {
        let is_true = |text: &str| {
            ["true", "yes", "on", "1"].iter().any(|word| text.eq_ignore_ascii_case(word))
        };
        let signs = self
            .last("push.gpgsign")
            .is_some_and(|setting| setting.value.as_deref().is_none_or(is_true));
        let sends = self.text("push.pushoption").is_some_and(|option| !option.is_empty());
        signs && !offered.contains("push-cert") || sends && !offered.contains("push-options")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_git_lists_them() {
        let settings = GitSettings::read(
            "system\0core.sshcommand\nssh -4\0global\0ssh.variant\nsimple\0local\0core.sshcommand\n a\nb\0global\0push.gpgsign\0\
             global\0url.https://h/.pushinsteadof\ngit@h:\0global\0protocol.allow\nnever\0",
        );
        assert_eq!(settings.ssh_command(), Some((true, Some("a\nb"))));
        assert_eq!(settings.text("ssh.variant"), Some("simple"));
        assert!(settings.forbids_ssh());
        assert!(
            settings.wants_more_than("report-status") && !settings.wants_more_than("push-cert=x")
        );
        let rule = Rule { base: "https://h/".to_owned(), prefix: "git@h:".to_owned() };
        assert_eq!(settings.push_rules(), [rule]);
        assert_eq!(
            GitSettings::read("global\0core.sshcommand\0").ssh_command(),
            Some((false, None))
        );
        assert_eq!(GitSettings::read("").ssh_command(), None);
    }
}
