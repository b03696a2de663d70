//! Where a value of git's configuration is set: a fix that changes another place changes nothing.

use std::path::{Path, PathBuf};

use super::layout;
use crate::catalogue::Fix;
use crate::doctor::context::Context;
use crate::env::Env;
use crate::git_cli::effective_config::{ConfigValue, EffectiveConfig};
use crate::home::Home;
use crate::text::word;

/// What is to become of a value.
#[derive(Clone, Copy, Debug)]
pub enum SettingChange<'a> {
    Remove,
    To(&'a str),
}

/// Where the places of a configuration are, as git names them.
#[derive(Clone, Copy)]
struct Places<'a> {
    env: &'a Env,
    home: &'a Home,
    /// git names a clone's own file by its path from here.
    top: &'a Path,
}

/// How a value is changed.
#[derive(Debug, PartialEq, Eq)]
enum ChangeFix {
    Command(Vec<String>),
    Words(String),
}

/// Changes the value of the key that counts, where it is set.
pub fn change(
    context: &Context,
    config: &EffectiveConfig,
    key: &str,
    change: SettingChange,
    say: &str,
) -> Fix {
    match places(context).fix(config, key, change) {
        ChangeFix::Command(argv) => Fix::run(argv, say),
        ChangeFix::Words(words) => Fix::report(format!("{say}: {words}")),
    }
}

/// The same within a sentence.
pub fn change_words(
    context: &Context,
    config: &EffectiveConfig,
    key: &str,
    change: SettingChange,
) -> String {
    match places(context).fix(config, key, change) {
        ChangeFix::Command(argv) => {
            let words: Vec<_> = argv.iter().map(|it| word(it.as_bytes())).collect();
            format!("`{}`", words.join(" "))
        }
        ChangeFix::Words(words) => words,
    }
}

/// The place of a value, in words.
pub fn place(context: &Context, value: ConfigValue) -> String {
    let Places { home, top, .. } = places(context);
    match file(value, top) {
        Some(file) => format!("`{}`", home.shown(&file)),
        None => "a variable: GIT_CONFIG_COUNT or GIT_CONFIG_PARAMETERS".to_owned(),
    }
}

/// The file that a value is in; `top` is that of the clone. Pure.
pub fn file(value: ConfigValue, top: &Path) -> Option<PathBuf> {
    value.origin.strip_prefix("file:").map(|path| top.join(path))
}

fn places<'c>(context: &'c Context) -> Places<'c> {
    let top = layout(context).map_or(&*context.home.path, |layout| &layout.top);
    Places { env: context.env, home: context.home, top }
}

impl Places<'_> {
    fn fix(self, config: &EffectiveConfig, key: &str, change: SettingChange) -> ChangeFix {
        let name = canonical(key);
        let value = config.last(&name);
        if value.is_some_and(|value| value.origin.starts_with("command line")) {
            return ChangeFix::Words(self.of_variable(&name, change));
        }
        let file = match value.map(|value| file(value, self.top)) {
            None => self.home.git_config.clone(),
            Some(Some(file)) => file,
            Some(None) => {
                return ChangeFix::Words(
                    "`git config --show-origin --show-scope --list` names its place".to_owned(),
                );
            }
        };
        let is_plain = |text: &str| {
            !text.starts_with('-')
                && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-/".contains(&it))
        };
        let path = file.to_str().filter(|path| !path.contains(char::is_control));
        let (true, Some(path)) = (is_plain(key), path) else {
            return ChangeFix::Words(format!("`{}` sets it", self.home.shown(&file)));
        };
        let origin = value.map(|value| value.origin);
        let same = config.under(&name).filter(|it| it.key == name && Some(it.origin) == origin);
        let is_one = same.count() <= 1;
        let mut argv = vec!["git", "config"];
        if file == self.home.git_config {
            argv.push("--global");
        } else {
            argv.extend(["--file", path]);
        }
        match change {
            SettingChange::Remove if is_one => argv.extend(["--unset", key]),
            SettingChange::Remove => argv.extend(["--unset-all", key]),
            SettingChange::To(text) if is_one => argv.extend([key, text]),
            SettingChange::To(text) => argv.extend(["--replace-all", key, text]),
        }
        ChangeFix::Command(argv.into_iter().map(str::to_owned).collect())
    }

    /// git takes the last of several.
    fn of_variable(self, name: &str, change: SettingChange) -> String {
        let text = |name: String| self.env.raw(&name)?.to_str().map(str::to_owned);
        let count: usize = text("GIT_CONFIG_COUNT".to_owned())
            .and_then(|count| count.trim().parse().ok())
            .unwrap_or_default();
        let is_it = |nth: &usize| {
            text(format!("GIT_CONFIG_KEY_{nth}")).is_some_and(|key| canonical(&key) == name)
        };
        let nth = (0..count.min(1000)).rev().find(is_it);
        match (nth, change) {
            (Some(nth), SettingChange::To(text)) => format!(
                "GIT_CONFIG_KEY_{nth} sets it: `export GIT_CONFIG_VALUE_{nth}={text}` in the shell \
                 that runs git"
            ),
            (Some(nth), SettingChange::Remove) if count == 1 => format!(
                "GIT_CONFIG_KEY_{nth} sets it: `unset GIT_CONFIG_COUNT` in the shell that runs git"
            ),
            (Some(nth), SettingChange::Remove) => format!(
                "leave out GIT_CONFIG_KEY_{nth} and GIT_CONFIG_VALUE_{nth} where GIT_CONFIG_COUNT is \
                 set"
            ),
            (None, _) => {
                "GIT_CONFIG_PARAMETERS sets it: `unset GIT_CONFIG_PARAMETERS` in the shell \
                          that runs git"
                    .to_owned()
            }
        }
    }
}

/// As git prints a key: section and name in small letters. Pure.
fn canonical(key: &str) -> String {
    let lower = str::to_ascii_lowercase;
    match (key.split_once('.'), key.rsplit_once('.')) {
        (Some((section, _)), Some((rest, name))) if rest.len() > section.len() => {
            let subsection = rest.get(section.len()..).unwrap_or_default();
            format!("{}{subsection}.{}", lower(section), lower(name))
        }
        _ => lower(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_changed_where_it_is_set() {
        use SettingChange::{Remove, To};
        const SIGN: &str = "commit.gpgSign";
        let home = Home::at(Path::new("/h"));
        let top = Path::new("/h/app");
        let entries = |entries: &[[&str; 2]]| {
            let listed = entries.iter().map(|[origin, entry]| format!("x\0{origin}\0{entry}\0"));
            EffectiveConfig::parse(listed.collect::<String>())
        };
        let own = ["file:.git/config", "commit.gpgsign\ntrue"];
        let user = ["file:/h/.gitconfig", "commit.gpgsign\ntrue"];
        let variable = ["command line:", "commit.gpgsign\ntrue"];
        let refspec = ["file:.git/config.worktree", "remote.Origin.push\nx"];
        let odd = ["file:.git/config", "remote.$(id).vcs\nx"];
        for (config, key, change, expected) in [
            (&[][..], SIGN, To("false"), "git config --global commit.gpgSign false"),
            (&[user], SIGN, To("false"), "git config --global commit.gpgSign false"),
            (&[user], SIGN, Remove, "git config --global --unset commit.gpgSign"),
            (
                &[user, own],
                SIGN,
                To("false"),
                "git config --file /h/app/.git/config commit.gpgSign false",
            ),
            (
                &[own, own],
                SIGN,
                To("false"),
                "git config --file /h/app/.git/config --replace-all commit.gpgSign false",
            ),
            (
                &[own, own],
                SIGN,
                Remove,
                "git config --file /h/app/.git/config --unset-all commit.gpgSign",
            ),
            (
                &[refspec],
                "remote.Origin.push",
                Remove,
                "git config --file /h/app/.git/config.worktree --unset remote.Origin.push",
            ),
            (&[own, variable], SIGN, To("false"), "GIT_CONFIG_VALUE_1=false"),
            (&[own, variable], SIGN, Remove, "leave out GIT_CONFIG_KEY_1"),
            (&[odd], "remote.$(id).vcs", Remove, "`~/app/.git/config` sets it"),
        ] {
            let env = Env::of(&[
                ("GIT_CONFIG_COUNT", "2"),
                ("GIT_CONFIG_KEY_0", "user.name"),
                ("GIT_CONFIG_KEY_1", SIGN),
            ]);
            let surroundings = Places { env: &env, home: &home, top };
            let found = match surroundings.fix(&entries(config), key, change) {
                ChangeFix::Command(argv) => argv.join(" "),
                ChangeFix::Words(words) => words,
            };
            assert!(found.contains(expected), "{config:?} {key} {change:?}: {found}");
        }
    }
}
