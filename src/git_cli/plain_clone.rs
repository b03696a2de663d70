//! The remote of a clone as git lists it, read without git where the answer depends on nothing but
//! the clone's own configuration and the rules for URLs outside of it. A home may have thousands of
//! clones, and git starts a process for each.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::geteuid;

use super::effective_config::EffectiveConfig;
use super::remotes::EffectiveRemote;
use crate::git::config::{self, ConfigVariable};
use crate::git::url::{UrlRule, rewrite};
use crate::resource::file;

/// What git's configuration outside of any clone makes of the remotes of a plain one.
pub struct OutsideRules(Vec<UrlRule>);

/// Keys outside of a clone that decide about more in it than the rules for URLs.
const DECIDING: &[&str] =
    &["core.bare", "core.repositoryformatversion", "core.worktree", "safe.barerepository"];
const DECIDING_SECTIONS: &[&str] = &["extensions.", "includeif.", "remote."];
/// Where a plain push goes, of which one remote needs no choice.
const HARMLESS: &str = "remote.pushdefault";

impl OutsideRules {
    /// `None`: more is decided there than by rules that hold for fetching and pushing alike.
    pub fn of(outside: &EffectiveConfig) -> Option<Self> {
        let decides = |key: &str| {
            let is_in = |section: &&str| key.starts_with(section) && key != HARMLESS;
            DECIDING.contains(&key)
                || DECIDING_SECTIONS.iter().any(is_in)
                || key.ends_with(".pushinsteadof")
        };
        let mut values = outside.under("");
        let is_plain = !values.any(|value| value.is_own || decides(value.key));
        is_plain.then(|| Self(outside.url_rules("insteadof", None)))
    }

    /// The remote of the clone with this git folder and this configuration. `None`: it has several,
    /// or git may say something else.
    pub fn remotes(&self, git: &Path, config: &[u8]) -> Option<Vec<EffectiveRemote>> {
        if !is_plain_folder(git) {
            return None;
        }
        let listed = own_remote(config)?.map(|OwnRemote { name, url, pushurl }| {
            let fetch = rewrite(&self.0, &url);
            let push = pushurl.map_or_else(|| fetch.clone(), |url| rewrite(&self.0, &url));
            EffectiveRemote { name, fetch, push: vec![push] }
        });
        Some(listed.collect())
    }
}

/// The folder `.git` of a clone of this user's, complete as far as git looks at it here (setup.c),
/// without what older or newer ways to name remotes and configurations have there.
fn is_plain_folder(git: &Path) -> bool {
    let is_own_folder = |path: &Path| {
        let metadata = path.symlink_metadata();
        metadata.is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw())
    };
    let is_missing = |name: &str| git.join(name).symlink_metadata().is_err();
    git.file_name() == Some(OsStr::new(".git"))
        && is_own_folder(git)
        && git.parent().is_some_and(is_own_folder)
        && ["objects", "refs"].iter().all(|name| is_own_folder(&git.join(name)))
        && ["branches", "commondir", "config.worktree", "remotes"]
            .iter()
            .all(|name| is_missing(name) || is_empty_folder(&git.join(name)))
        && git.join("HEAD").symlink_metadata().is_ok_and(|it| it.is_file())
        && git.join("config").symlink_metadata().is_ok_and(|it| it.is_file())
        && file::head(&git.join("HEAD"), LONGEST_HEAD).is_ok_and(|head| is_head(&head))
}

/// `git clone` of some versions makes the folder of old ways to name remotes.
fn is_empty_folder(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

const LONGEST_HEAD: u64 = 256;

/// Whether it names a branch in plain letters, or a commit.
fn is_head(content: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_".contains(byte);
    let Some(line) = content.strip_suffix(b"\n") else { return false };
    match line.strip_prefix(b"ref: refs/heads/") {
        Some(branch) => !branch.is_empty() && branch.iter().all(is_plain),
        None => line.len() == 40 && line.iter().all(u8::is_ascii_hexdigit),
    }
}

/// Sections of which git reads nothing when it lists remotes, whatever the value (builtin/remote.c,
/// `handle_config`; config.c, `git_default_config`).
const UNREAD: &[&str] = &[
    "alias",
    "commit",
    "credential",
    "diff",
    "fetch",
    "gc",
    "gui",
    "http",
    "lfs",
    "maintenance",
    "merge",
    "pull",
    "rebase",
    "rerere",
    "status",
    "submodule",
    "tag",
];

/// Keys of `branch.<name>` that git or an editor writes, and that decide about no remote.
const OF_BRANCH: &[&str] =
    &["description", "github-pr-owner-number", "mergeoptions", "rebase", "vscode-merge-base"];

struct OwnRemote {
    name: String,
    url: String,
    pushurl: Option<String>,
}

/// The only remote, if there is one, of a configuration in which nothing else could change what git
/// makes of it. Pure.
fn own_remote(config: &[u8]) -> Option<impl Iterator<Item = OwnRemote> + use<>> {
    let mut found: Option<(String, [Option<String>; 2])> = None;
    for variable in config::variables(config).ok()? {
        let ConfigVariable { section, subsection, key, value, .. } = variable;
        let value = value?;
        let is_word = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
        };
        match (&*section, subsection, &*key) {
            ("core", None, "repositoryformatversion") if value == "0" => {}
            ("core", None, "bare") if value == "false" => {}
            (
                "core",
                None,
                "filemode" | "ignorecase" | "logallrefupdates" | "precomposeunicode" | "symlinks",
            ) if matches!(&*value, "true" | "false") => {}
            ("core", None, "sshcommand") | ("user", None, "name" | "email" | "signingkey") => {}
            ("core", None, "hookspath") if !value.starts_with(['~', '%']) => {}
            (section, _, _) if UNREAD.contains(&section) => {}
            ("branch", Some(branch), key) if OF_BRANCH.contains(&key) && is_word(&branch) => {}
            ("branch", Some(branch), "remote" | "merge") if is_word(&branch) && is_word(&value) => {
            }
            ("remote", Some(name), key @ ("url" | "pushurl" | "fetch")) => {
                let is_plain = is_word(&name)
                    && name.starts_with(|first: char| first.is_ascii_alphanumeric())
                    && value.bytes().all(|byte| byte.is_ascii_graphic())
                    && !value.is_empty();
                let (known, urls) = found.get_or_insert_with(|| (name.clone(), [None, None]));
                if !is_plain || *known != name {
                    return None;
                }
                let [url, pushurl] = urls;
                let taken = match key {
                    "url" => url.replace(value),
                    "pushurl" => pushurl.replace(value),
                    _ if value.starts_with("+refs/heads/") => None,
                    _ => return None,
                };
                // of several, each counts
                if taken.is_some() {
                    return None;
                }
            }
            _ => return None,
        }
    }
    let remote = match found {
        Some((name, [Some(url), pushurl])) => Some(OwnRemote { name, url, pushurl }),
        Some((_, [None, _])) => return None,
        None => None,
    };
    Some(remote.into_iter())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::super::remotes;
    use super::*;

    type Change = fn(&Path);

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The installed git, with a global configuration of the test's own.
    fn git(home: &Path) -> Command {
        let mut git = Command::new("git");
        git.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home);
        git.env("GIT_CONFIG_NOSYSTEM", "1");
        git
    }

    const GLOBAL: &str = "[url \"git@h.corp:o/r.git\"]\n\tinsteadOf = https://h.corp/o/r.git\n\
        [url \"https://h.corp/o/r.gitx\"]\n\tinsteadOf = https://h.corp/o/r.gitx\n\
        [user]\n\tname = A\n";

    /// What is read here, and what git lists: as it does, or not at all.
    fn compare(home: &Path, clone: &Path) -> Option<Vec<EffectiveRemote>> {
        let folder = clone.join(".git");
        let list = ["config", "--null", "--show-scope", "--show-origin", "--list"];
        let listed = git(home).args(list).current_dir("/").output().unwrap();
        let outside = EffectiveConfig::parse(String::from_utf8(listed.stdout).unwrap());
        let config = fs::read(folder.join("config")).unwrap_or_default();
        let read = OutsideRules::of(&outside).and_then(|rules| rules.remotes(&folder, &config));
        if let Some(read) = &read {
            let listed = git(home).args(["remote", "-v"]).current_dir(&folder).output().unwrap();
            assert!(listed.status.success() && listed.stderr.is_empty(), "{listed:?}");
            let listed = remotes::parse(&String::from_utf8(listed.stdout).unwrap());
            assert_eq!(read, &listed);
        }
        read
    }

    #[test]
    fn what_is_read_is_what_git_lists() {
        let add = |clone: &Path, text: &str| {
            let path = clone.join(".git/config");
            let was = fs::read_to_string(&path).unwrap();
            fs::write(path, was + text).unwrap();
        };
        let rows: &[(&str, bool, Change)] = &[
            ("as git clone leaves it", true, |_| ()),
            ("without a remote", true, |top| {
                git(top)
                    .args(["remote", "remove", "origin"])
                    .current_dir(top.join("c"))
                    .status()
                    .unwrap();
            }),
            ("with a URL for pushes", true, |top| {
                write(&top.join("more"), "\tpushurl = https://h.corp/o/r.gitx\n");
            }),
            ("at a commit", true, |top| write(&top.join("c/.git/HEAD"), &format!("{:040}\n", 7))),
            ("two URLs", false, |top| write(&top.join("more"), "\turl = https://h.corp/o/q\n")),
            ("another remote", false, |top| {
                write(&top.join("more"), "[remote \"up\"]\n\turl = https://h.corp/o/q\n");
            }),
            ("an include", false, |top| write(&top.join("more"), "[include]\n\tpath = x\n")),
            ("a rule of its own", false, |top| {
                write(&top.join("more"), "[url \"a\"]\n\tinsteadOf = https://h.corp/\n");
            }),
            ("a filter", false, |top| write(&top.join("more"), "\tpartialclonefilter = x\n")),
            ("an extension", false, |top| {
                write(&top.join("more"), "[extensions]\n\tworktreeConfig = true\n");
            }),
            ("another version", false, |top| {
                write(&top.join("more"), "[core]\n\trepositoryformatversion = 1\n");
            }),
            ("what git does not accept", false, |top| {
                write(&top.join("more"), "[core]\n\tfilemode = perhaps\n");
            }),
            ("no grammar", false, |top| write(&top.join("more"), "[core\n")),
            ("a value that is missing", false, |top| write(&top.join("more"), "\tpushurl\n")),
            ("a remote of the old kind", false, |top| {
                write(&top.join("c/.git/remotes/old"), "URL: a:b\n");
            }),
            ("no HEAD", false, |top| fs::remove_file(top.join("c/.git/HEAD")).unwrap()),
            ("a HEAD of something else", false, |top| write(&top.join("c/.git/HEAD"), "ref: x\n")),
            ("no objects", false, |top| fs::remove_dir_all(top.join("c/.git/objects")).unwrap()),
            ("no refs", false, |top| fs::remove_dir_all(top.join("c/.git/refs")).unwrap()),
            ("another git folder", false, |top| write(&top.join("c/.git/commondir"), "..\n")),
            ("a condition outside", false, |top| {
                write(&top.join("global"), "[includeIf \"gitdir:/\"]\n\tpath = x\n");
            }),
            ("a remote outside", false, |top| {
                write(&top.join("global"), "[remote \"up\"]\n\turl = a:b\n");
            }),
            ("rules for pushes outside", false, |top| {
                write(&top.join("global"), "[url \"a\"]\n\tpushInsteadOf = https://h.corp/\n");
            }),
            ("bare folders forbidden outside", false, |top| {
                write(&top.join("global"), "[safe]\n\tbareRepository = explicit\n");
            }),
            ("what is harmless outside", true, |top| {
                let text = "[safe]\n\tdirectory = *\n[remote]\n\tpushDefault = x\n[branch]\n\tautoSetupRebase = always\n";
                write(&top.join("global"), text);
            }),
            ("rules outside that rewrite it", true, |top| {
                write(
                    &top.join("global"),
                    "[url \"https://g.corp/\"]\n\tinsteadOf = https://h.corp/\n",
                );
            }),
        ];
        for (what, is_read, change) in rows {
            let top = tempfile::tempdir().unwrap();
            let top = top.path();
            let clone = top.join("c");
            assert!(git(top).args(["init", "-q"]).arg(&clone).status().unwrap().success());
            let remote = ["remote", "add", "origin", "https://h.corp/o/r.git"];
            assert!(git(top).args(remote).current_dir(&clone).status().unwrap().success());
            change(top);
            add(&clone, &fs::read_to_string(top.join("more")).unwrap_or_default());
            let global = fs::read_to_string(top.join("global")).unwrap_or_default();
            fs::write(top.join(".gitconfig"), format!("{GLOBAL}{global}")).unwrap();
            assert_eq!(compare(top, &clone).is_some(), *is_read, "{what}");
        }
    }

    #[test]
    fn git_reads_nothing_of_these_when_it_lists_remotes() {
        let top = tempfile::tempdir().unwrap();
        let (top, clone) = (top.path(), top.path().join("c"));
        assert!(git(top).args(["init", "-q"]).arg(&clone).status().unwrap().success());
        let remote = ["remote", "add", "origin", "https://h.corp/o/r.git"];
        assert!(git(top).args(remote).current_dir(&clone).status().unwrap().success());
        let config = fs::read_to_string(clone.join(".git/config")).unwrap();
        let of_section = |section: &&str| [format!("[{section}]"), format!("[{section} \"x\"]")];
        let keys =
            ["active", "default", "ff", "gpgSign", "helper", "path", "remote", "tool", "url"];
        let of_branch = OF_BRANCH.iter().map(|key| format!("[branch \"main\"]\n\t{key}"));
        let own = ["[core]\n\tsshCommand", "[core]\n\thooksPath", "[user]\n\tsigningKey"];
        let settings = UNREAD
            .iter()
            .flat_map(of_section)
            .flat_map(|section| keys.map(|key| format!("{section}\n\t{key}")))
            .chain(of_branch)
            .chain(own.map(str::to_owned));
        for setting in settings {
            for value in ["perhaps", "", "~nobody/x"] {
                let path = clone.join(".git/config");
                fs::write(path, format!("{config}{setting} = {value}\n")).unwrap();
                let is_path = setting.ends_with("hooksPath") && value.starts_with('~');
                assert_eq!(compare(top, &clone).is_some(), !is_path, "{setting} = {value}");
            }
        }
    }

    #[test]
    fn a_folder_of_another_user_is_gits_to_judge() {
        let top = tempfile::tempdir().unwrap();
        let clone = top.path().join("c");
        assert!(git(top.path()).args(["init", "-q"]).arg(&clone).status().unwrap().success());
        assert!(is_plain_folder(&clone.join(".git")));
        fs::rename(clone.join(".git"), clone.join("git")).unwrap();
        std::os::unix::fs::symlink("git", clone.join(".git")).unwrap();
        assert!(!is_plain_folder(&clone.join(".git")) && !is_plain_folder(&clone.join("git")));
        if geteuid().is_root() {
            fs::remove_file(clone.join(".git")).unwrap();
            fs::rename(clone.join("git"), clone.join(".git")).unwrap();
            assert!(is_plain_folder(&clone.join(".git")));
            std::os::unix::fs::chown(&clone, Some(4242), None).unwrap();
            assert!(!is_plain_folder(&clone.join(".git")));
        }
    }
}
