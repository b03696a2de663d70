//! What git's answers about its configuration depend on, outside of any clone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::{RUNNING, SYSTEM, SeenInputs, read};
use crate::env::Env;
use crate::git::config;
use crate::process::Program;
use crate::resource::digest::Digest;
use crate::resource::file::{self, Kind};
use crate::variables;

/// All that git's configuration depends on, as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitInputs {
    digest: Digest,
    /// The files that git reads.
    files: BTreeSet<PathBuf>,
}

/// That the rules which are there were made from these inputs, and for this question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitProof(pub(super) Digest);

impl GitInputs {
    /// `reads`: the global configurations, those that are missing included. `None`: the answers may
    /// depend on more than what is looked at.
    pub fn now(env: &Env, reads: &[PathBuf]) -> Option<Self> {
        Self::below(Path::new(SYSTEM), env, reads)
    }

    fn below(system: &Path, env: &Env, reads: &[PathBuf]) -> Option<Self> {
        let mut inputs = GitSeen::default();
        // the rules depend on who makes them
        inputs.seen.stat(Path::new(RUNNING))?;
        inputs.seen.put(&[geteuid().as_raw().to_string().as_bytes()]);
        inputs.environment(env)?;
        inputs.seen.program("git", system, env)?;
        inputs.configurations(system, env, reads)?;
        Some(Self { digest: inputs.seen.digest(), files: inputs.files })
    }

    /// Whether a list of git's values has them from these files alone. `origins`: as git prints them.
    pub fn have_all<'a>(&self, mut origins: impl Iterator<Item = &'a str>) -> bool {
        origins.all(|origin| match origin.strip_prefix("file:") {
            Some(path) => self.files.contains(Path::new(path)),
            None => origin == "command line:",
        })
    }

    /// `question`: all else that the rules are made from.
    pub fn proof(&self, question: &[u8]) -> GitProof {
        let mut inputs = SeenInputs::default();
        inputs.put(&[self.digest.file_name().as_bytes(), question]);
        GitProof(inputs.digest())
    }
}

impl GitProof {
    /// Whether an earlier run has it.
    pub fn is_known(&self, state: &Path) -> bool {
        read(state).git.as_ref() == Some(&self.0)
    }
}

/// Files that are included one within another.
const MOST_FILES: usize = 64;
/// git itself gives up below that (config.c, MAX_INCLUDE_DEPTH).
const DEEPEST_INCLUDE: usize = 10;

#[derive(Default)]
struct GitSeen {
    seen: SeenInputs,
    files: BTreeSet<PathBuf>,
}

impl GitSeen {
    /// `None`: it names other files, or has values of its own, which may include files.
    fn environment(&mut self, env: &Env) -> Option<()> {
        self.seen.environment(Program::Git, env)?;
        let given = crate::process::environment(Program::Git, env);
        let is_other = |name: &str| name.starts_with("GIT_CONFIG");
        given.iter().all(|(name, _)| !name.to_str().is_none_or(is_other)).then_some(())
    }

    fn configurations(&mut self, system: &Path, env: &Env, reads: &[PathBuf]) -> Option<()> {
        // where another build of git would have what others have in /etc
        if ["usr/etc/gitconfig", "usr/local/etc/gitconfig"]
            .iter()
            .any(|it| system.join(it).exists())
        {
            return None;
        }
        // git is asked in `/`, which may be a clone
        for name in [".git", "HEAD"] {
            if system.join(name).symlink_metadata().is_ok() {
                return None;
            }
        }
        let named = |name| env.raw(name).map(PathBuf::from);
        // an absolute path, without which git would read other files than `reads`
        let home = named(variables::HOME).filter(|home| home.is_absolute())?;
        if named(variables::XDG_CONFIG_HOME).is_some_and(|folder| !folder.is_absolute()) {
            return None;
        }
        self.configuration(&system.join("etc/gitconfig"), &home, 0)?;
        reads.iter().try_for_each(|path| self.configuration(path, &home, 0))
    }

    /// A file that git reads, and what it includes.
    fn configuration(&mut self, path: &Path, home: &Path, depth: usize) -> Option<()> {
        if depth > DEEPEST_INCLUDE || self.files.len() >= MOST_FILES {
            return None;
        }
        self.files.insert(path.to_owned());
        self.seen.stat_if_there(path);
        let Some(content) = file::observe(path, Kind::Shared).ok()? else { return Some(()) };
        self.seen.put(&[&content.bytes]);
        if !may_include(&content.bytes) {
            return Some(());
        }
        for variable in config::variables(&content.bytes).ok()? {
            match (&*variable.section, &*variable.key) {
                // what is included depends on where git runs, and on remotes
                ("includeif", _) => return None,
                ("include", "path") => {
                    let named = variable.value?;
                    self.configuration(&resolved(&named, path, home)?, home, depth + 1)?;
                }
                _ => {}
            }
        }
        Some(())
    }
}

/// The file that a configuration includes. `None`: it is in the home of another user, or beside git.
fn resolved(named: &str, by: &Path, home: &Path) -> Option<PathBuf> {
    match named.strip_prefix('~') {
        Some(rest) => Some(home.join(rest.strip_prefix('/')?)),
        None if named.starts_with('%') => None,
        None => Some(by.parent()?.join(named)),
    }
}

/// Whether a section of a configuration may include files: of our rules there are thousands of lines,
/// which need not be parsed to see that none does. Pure.
fn may_include(config: &[u8]) -> bool {
    const SECTION: &[u8] = b"[include";
    let mut lines = config.split(|&byte| byte == b'\n');
    lines.any(|line| {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii_start();
        line.get(..SECTION.len()).is_some_and(|head| head.eq_ignore_ascii_case(SECTION))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::proof::Proven;

    struct Rig {
        root: tempfile::TempDir,
        variables: Vec<(&'static str, String)>,
    }

    const ELF: &[u8] = b"\x7fELF\x02";

    impl Rig {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let at = |name: &str| root.path().join(name).display().to_string();
            let variables = vec![
                ("PATH", format!("{}:{}", at("usr/local/bin"), at("usr/bin"))),
                ("HOME", at("home")),
                ("TERM", "xterm".to_owned()),
                ("VISIBLE", "1".to_owned()),
            ];
            let rig = Self { root, variables };
            let ours = rig.at("state/gitconfig").display().to_string();
            rig.write("usr/bin/git", ELF);
            rig.write("etc/gitconfig", "[user]\n\tname = x\n");
            rig.write(
                "home/.gitconfig",
                format!("[include]\n\tpath = {ours}\n [INCLUDE]\n\tpath = more\n\tpath = ~/gone\n"),
            );
            rig.write("home/more", "[a]\n\tb = c\n");
            rig.write("state/gitconfig", "[url \"b\"]\n\tinsteadOf = a\n");
            rig
        }

        fn at(&self, name: &str) -> PathBuf {
            self.root.path().join(name)
        }

        fn write(&self, name: &str, text: impl AsRef<[u8]>) {
            let path = self.at(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn append(&self, name: &str, text: &str) {
            let was = fs::read_to_string(self.at(name)).unwrap();
            self.write(name, was + text);
        }

        fn set(&mut self, name: &'static str, value: impl Into<String>) {
            self.variables.retain(|(known, _)| *known != name);
            self.variables.push((name, value.into()));
        }

        fn inputs(&self) -> Option<GitInputs> {
            let pairs: Vec<_> =
                self.variables.iter().map(|(name, value)| (*name, &**value)).collect();
            let reads = [self.at("home/.gitconfig"), self.at("home/.config/git/config")];
            GitInputs::below(self.root.path(), &Env::of(&pairs), &reads)
        }
    }

    type Change = fn(&mut Rig);

    /// Each of them can make git lead elsewhere, or fail.
    #[test]
    fn a_change_of_each_input_is_noticed() {
        let changes: &[(&str, Change)] = &[
            ("git", |rig| rig.write("usr/bin/git", b"\x7fELF another")),
            ("the mode of git", |rig| {
                fs::set_permissions(rig.at("usr/bin/git"), fs::Permissions::from_mode(0o600))
                    .unwrap();
            }),
            ("a library", |rig| rig.write("etc/ld.so.preload", "/evil.so\n")),
            ("a variable", |rig| rig.set("VISIBLE", "2")),
            ("a new variable", |rig| rig.set("GIT_AUTHOR_NAME", "x")),
            ("another home", |rig| rig.set("HOME", rig.at("other").display().to_string())),
            ("the system's configuration", |rig| rig.append("etc/gitconfig", "[a]\n\tb = c\n")),
            ("no system's configuration", |rig| fs::remove_file(rig.at("etc/gitconfig")).unwrap()),
            ("the user's configuration", |rig| rig.append("home/.gitconfig", "[a]\n\tb = c\n")),
            ("the user's other configuration", |rig| rig.write("home/.config/git/config", "")),
            ("an included file", |rig| rig.append("home/more", "[a]\n\tb = d\n")),
            ("an included file that was missing", |rig| rig.write("home/gone", "")),
            ("an included file that is missing", |rig| {
                fs::remove_file(rig.at("home/more")).unwrap();
            }),
            ("a file that an included one includes", |rig| {
                rig.append("home/more", "[Include]\n\tpath = deeper\n");
            }),
            ("the mode of a configuration", |rig| {
                fs::set_permissions(rig.at("home/.gitconfig"), fs::Permissions::from_mode(0o604))
                    .unwrap();
            }),
            ("our rules", |rig| rig.append("state/gitconfig", "# x\n")),
            ("no rules of ours", |rig| fs::remove_file(rig.at("state/gitconfig")).unwrap()),
        ];
        for (what, change) in changes {
            let mut rig = Rig::new();
            let before = rig.inputs();
            assert!(before.is_some() && before == rig.inputs(), "{what}");
            change(&mut rig);
            assert_ne!(rig.inputs(), before, "{what}");
        }
        // what a file includes is seen, not its name alone
        let rig = Rig::new();
        rig.append("home/more", "[include]\n\tpath = deeper\n");
        let before = rig.inputs();
        rig.write("home/deeper", "[a]\n\tb = c\n");
        assert_ne!(rig.inputs(), before);
    }

    #[test]
    fn nothing_is_remembered_where_the_answer_may_depend_on_more() {
        let changes: &[(&str, Change)] = &[
            ("a wrapper before git", |rig| rig.write("usr/local/bin/git", ELF)),
            ("a script as git", |rig| rig.write("usr/bin/git", "#!/bin/sh\n")),
            ("no git", |rig| fs::remove_file(rig.at("usr/bin/git")).unwrap()),
            ("a library that is loaded", |rig| rig.set("LD_PRELOAD", "/x.so")),
            ("another global configuration", |rig| rig.set("GIT_CONFIG_GLOBAL", "/x")),
            ("another system's configuration", |rig| rig.set("GIT_CONFIG_SYSTEM", "/x")),
            ("values in the environment", |rig| rig.set("GIT_CONFIG_COUNT", "1")),
            ("parameters in the environment", |rig| rig.set("GIT_CONFIG_PARAMETERS", "'a.b=c'")),
            ("a home that is not absolute", |rig| rig.set("HOME", "home")),
            ("an XDG folder that is not absolute", |rig| rig.set("XDG_CONFIG_HOME", ".config")),
            ("another place of the system's configuration", |rig| {
                rig.write("usr/local/etc/gitconfig", "");
            }),
            ("a clone at the top", |rig| rig.write(".git/HEAD", "")),
            ("a bare clone at the top", |rig| rig.write("HEAD", "")),
            ("a condition", |rig| {
                rig.append("home/more", "[includeIf \"gitdir:/x\"]\n\tpath = y\n");
            }),
            ("a file of another user", |rig| rig.append("home/more", "[include]\n\tpath = ~x/y\n")),
            ("a file beside git", |rig| {
                rig.append("home/more", "[include]\n\tpath = %(prefix)/y\n");
            }),
            ("an include without a value", |rig| rig.append("home/more", "[include]\n\tpath\n")),
            ("includes without end", |rig| rig.append("home/more", "[include]\n\tpath = more\n")),
            ("a broken configuration", |rig| rig.append("home/more", "[include]\n[x\n")),
            ("a folder in its place", |rig| fs::create_dir(rig.at("home/gone")).unwrap()),
        ];
        for (what, change) in changes {
            let mut rig = Rig::new();
            assert!(rig.inputs().is_some(), "{what}");
            change(&mut rig);
            assert_eq!(rig.inputs(), None, "{what}");
        }
    }

    #[test]
    fn values_from_elsewhere_are_not_covered() {
        let rig = Rig::new();
        let inputs = rig.inputs().unwrap();
        let file = |name: &str| format!("file:{}", rig.at(name).display());
        for (origin, expected) in [
            (file("home/.gitconfig"), true),
            (file("state/gitconfig"), true),
            (file("home/more"), true),
            ("command line:".to_owned(), true),
            (file("home/other"), false),
            ("blob:x".to_owned(), false),
        ] {
            assert_eq!(inputs.have_all([&*origin].into_iter()), expected, "{origin}");
        }
    }

    #[test]
    fn each_question_has_a_proof_of_its_own() {
        let rig = Rig::new();
        let inputs = rig.inputs().unwrap();
        assert_eq!(inputs.proof(b"a"), rig.inputs().unwrap().proof(b"a"));
        assert_ne!(inputs.proof(b"a"), inputs.proof(b"b"));
        rig.append("state/gitconfig", "# x\n");
        assert_ne!(inputs.proof(b"a"), rig.inputs().unwrap().proof(b"a"));
        let proof = inputs.proof(b"a");
        let state = rig.at("state");
        assert!(!proof.is_known(&state));
        Proven { git: Some(proof.clone()), ..Proven::default() }.save(&state);
        assert!(proof.is_known(&state) && !inputs.proof(b"b").is_known(&state));
        Proven::default().save(&state);
        assert!(!proof.is_known(&state));
    }

    /// The same as the whole parser, of which it is a short form.
    #[test]
    fn sections_that_include_are_found() {
        for config in [
            "[include]\n\tpath = a\n",
            " [InClude] path = a\n",
            "[a]\n\tb = c\n\t[includeIf \"x\"]\n\tpath = a\n",
            "\u{feff}[include]\n\tpath = a\n",
            "[include \"x\"]\n\tpath = a\n",
            "[url \"[include\"]\n\tinsteadOf = [include]\n",
            "[a]\n\tinclude = b\n",
        ] {
            let mut variables = config::variables(config.as_bytes()).unwrap();
            let includes = variables.any(|variable| variable.section.starts_with("include"));
            assert_eq!(may_include(config.as_bytes()), includes, "{config}");
        }
    }
}
