//! What ssh's answers depend on.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::process::geteuid;

use super::{RUNNING, SYSTEM, SeenInputs, is_named, is_program, read};
use crate::env::Env;
use crate::process::Program;
use crate::resource::digest::Digest;
use crate::resource::file::{self, Kind};

/// All that the answers of ssh depend on, as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshInputs {
    /// The home of this user in /etc/passwd.
    pub home: PathBuf,
    pub(super) digest: Digest,
}

impl SshInputs {
    /// `None`: the answers may depend on more than what is looked at.
    pub fn now(env: &Env, state: &Path) -> Option<Self> {
        Self::below(Path::new(SYSTEM), env, state)
    }

    fn below(system: &Path, env: &Env, state: &Path) -> Option<Self> {
        let (inputs, home) = SshSeen::gather(system, env, state)?;
        Some(Self { home, digest: inputs.seen.digest() })
    }

    /// The number of hosts with which an earlier run saw that ssh chooses the right key, where
    /// nothing has changed since.
    pub fn proven_hosts(&self, state: &Path) -> Option<usize> {
        let (digest, hosts) = read(state).ssh?;
        (digest == self.digest).then_some(hosts)
    }
}

/// The home that ssh uses, where nothing but /etc/passwd decides that: ssh need not be asked.
pub fn home_of_passwd(env: &Env) -> Option<PathBuf> {
    home_below(Path::new(SYSTEM), env)
}

fn home_below(system: &Path, env: &Env) -> Option<PathBuf> {
    let mut inputs = SeenInputs::default();
    inputs.environment(Program::Ssh, env)?;
    inputs.program("ssh", system, env)?;
    // what is loaded into ssh may have a passwd database of its own
    let is_alone = !system.join("etc/ld.so.preload").exists();
    passwd_home(system).filter(|_| is_alone)
}

/// Whether ssh, and the shell that it starts for `Match exec`, are what most machines have: it is
/// most likely that commands run.
pub fn runs_commands(env: &Env) -> bool {
    let (mut inputs, system) = (SshSeen::default(), Path::new(SYSTEM));
    inputs.seen.environment(Program::Ssh, env).is_some()
        && inputs.seen.program("ssh", system, env).is_some()
        && inputs.shell(system, env).is_some()
}

/// The sections of the configurations that ssh reads beside ours. Two hosts about which they say the
/// same are treated alike by ssh, but for what our configuration says.
#[derive(Debug, Default)]
pub struct OtherSections {
    criteria: Vec<Criterion>,
    sets_host_name: bool,
}

/// One list of patterns in a `Host` or `Match` line, in small letters and without `!`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Criterion {
    patterns: Vec<String>,
    /// It is compared with what HostName makes of the host.
    is_of_host_name: bool,
}

impl OtherSections {
    /// `None`: ours is not what ssh reads first, or what ssh makes of the others may depend on more
    /// than their text.
    pub fn of(env: &Env, home: &Path, state: &Path) -> Option<Self> {
        Self::below(Path::new(SYSTEM), env, home, state)
    }

    fn below(system: &Path, env: &Env, home: &Path, state: &Path) -> Option<Self> {
        let mut inputs = SshSeen::default();
        inputs.seen.program("ssh", system, env)?;
        inputs.configurations(system, home, state)?;
        Some(inputs.sections)
    }

    /// Whether each pattern matches both hosts or neither of them. Pure.
    pub fn treat_alike(&self, host: &str, other: &str) -> bool {
        let is_alike = |pattern: &String| matches(pattern, host) == matches(pattern, other);
        self.criteria.iter().all(|criterion| {
            !(criterion.is_of_host_name && self.sets_host_name)
                && criterion.patterns.iter().all(is_alike)
        })
    }
}

/// Whether a pattern of ssh_config(5) matches a host. Pure.
fn matches(pattern: &str, host: &str) -> bool {
    let (mut pattern, mut host) = (pattern.as_bytes(), host.as_bytes());
    // what follows the last `*`, and what of the host that has not taken
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        (pattern, host) = match (pattern, host) {
            ([], []) => return true,
            ([b'*', rest @ ..], host) => {
                star = Some((rest, host));
                (rest, host)
            }
            ([b'?', rest @ ..], [_, left @ ..]) => (rest, left),
            ([first, rest @ ..], [byte, left @ ..]) if first == byte => (rest, left),
            _ => match star {
                Some((rest, [_, left @ ..])) => {
                    star = Some((rest, left));
                    (rest, left)
                }
                _ => return false,
            },
        };
    }
}

/// Shells that read no file of their own for a command that is given with `-c`.
const PLAIN_SHELLS: &[&str] = &["bash", "busybox", "dash"];

/// Files that are included one within another.
const MOST_INCLUDES: usize = 64;
/// ssh itself gives up below that (readconf.c, READCONF_MAX_DEPTH).
const DEEPEST_INCLUDE: usize = 16;

/// Everything that was looked at, and what was found out of it.
#[derive(Default)]
struct SshSeen {
    seen: SeenInputs,
    configurations: usize,
    sections: OtherSections,
}

impl SshSeen {
    /// They, and the home that ssh uses.
    fn gather(system: &Path, env: &Env, state: &Path) -> Option<(Self, PathBuf)> {
        let mut inputs = Self::default();
        inputs.seen.put(&[env!("CARGO_PKG_VERSION").as_bytes()]);
        inputs.seen.put(&[geteuid().as_raw().to_string().as_bytes()]);
        inputs.seen.environment(Program::Ssh, env)?;
        inputs.seen.program("ssh", system, env)?;
        inputs.shell(system, env)?;
        let home = inputs.home(system)?;
        inputs.configurations(system, &home, state)?;
        inputs.own_files(state)?;
        Some((inputs, home))
    }

    /// The configurations, of which ours is to be the first.
    fn configurations(&mut self, system: &Path, home: &Path, state: &Path) -> Option<()> {
        let own = state.join("ssh_config");
        let user = home.join(".ssh/config");
        // a key that an earlier line names would be offered first, once its file exists
        if !begins_with_include(&file::text(&user), &own) {
            return None;
        }
        // where openSUSE has what others have in /etc
        if system.join("usr/etc/ssh/ssh_config").exists() {
            return None;
        }
        let within = |folder: PathBuf| Reading { folder, own: own.clone(), home: home.to_owned() };
        self.configuration(&user, &within(home.join(".ssh")), 0)?;
        let of_system = within(system.join("etc/ssh"));
        self.configuration(&system.join("etc/ssh/ssh_config"), &of_system, 0)
    }

    /// The shell that ssh starts.
    fn shell(&mut self, system: &Path, env: &Env) -> Option<()> {
        let shell = env.raw("SHELL").map_or_else(|| system.join("bin/sh"), PathBuf::from);
        let shell = shell.canonicalize().ok()?;
        if !is_named(&shell, PLAIN_SHELLS) || !is_program(&shell) {
            return None;
        }
        self.seen.stat(&shell)
    }

    fn home(&mut self, system: &Path) -> Option<PathBuf> {
        for name in ["etc/passwd", "etc/nsswitch.conf"] {
            self.seen.stat_if_there(&system.join(name));
        }
        let home = passwd_home(system)?;
        self.seen.put(&[home.as_os_str().as_encoded_bytes()]);
        Some(home)
    }

    /// A file that ssh reads, and what it includes.
    fn configuration(&mut self, path: &Path, reading: &Reading, depth: usize) -> Option<()> {
        self.configurations += 1;
        if depth > DEEPEST_INCLUDE || self.configurations > MOST_INCLUDES {
            return None;
        }
        self.seen.stat_if_there(path);
        let Some(content) = file::observe(path, Kind::Shared).ok()? else { return Some(()) };
        self.seen.put(&[&content.bytes]);
        let text = std::str::from_utf8(&content.bytes).ok()?;
        for line in text.lines() {
            match judge(line, path == reading.own)? {
                ConfigLine::Plain => {}
                ConfigLine::Section(criteria) => self.sections.criteria.extend(criteria),
                ConfigLine::HostName => self.sections.sets_host_name = true,
                ConfigLine::Include(names) => {
                    for name in names {
                        self.include(&reading.resolve(&name)?, reading, depth)?;
                    }
                }
            }
        }
        Some(())
    }

    fn include(&mut self, named: &Path, reading: &Reading, depth: usize) -> Option<()> {
        let is_pattern =
            |text: &OsStr| text.as_encoded_bytes().iter().any(|it| b"*?[\\".contains(it));
        if !is_pattern(named.as_os_str()) {
            return self.configuration(named, reading, depth + 1);
        }
        let folder = named.parent().filter(|folder| !is_pattern(folder.as_os_str()))?;
        // every file in it, be it one that the pattern matches or not
        let Ok(entries) = std::fs::read_dir(folder) else {
            self.seen.stat_if_there(folder);
            return Some(());
        };
        let files: BTreeSet<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        for file in files {
            self.configuration(&file, reading, depth + 1)?;
        }
        Some(())
    }

    /// What ssh and the program that it asks read of ours.
    fn own_files(&mut self, state: &Path) -> Option<()> {
        let routes = file::observe(&state.join("routes"), Kind::Own).ok()??;
        self.seen.put(&[&routes.bytes]);
        self.seen.stat(&state.join("bin/pushready"))?;
        let keys = std::fs::read_dir(state.join("keys")).ok()?.filter_map(Result::ok);
        let keys: BTreeSet<_> = keys.map(|entry| entry.path()).collect();
        keys.iter().try_for_each(|key| self.seen.stat(key))?;
        let mount = statvfs(state).ok()?;
        let is_mounted = Path::new(RUNNING).exists();
        self.seen.put(&[&[
            u8::from(mount.f_flag.contains(StatVfsMountFlags::NOEXEC)),
            u8::from(is_mounted),
        ]]);
        Some(())
    }
}

/// How the names of included files are read.
struct Reading {
    /// To which they are relative.
    folder: PathBuf,
    /// The only configuration in which a program may be asked: ours.
    own: PathBuf,
    home: PathBuf,
}

impl Reading {
    fn resolve(&self, name: &str) -> Option<PathBuf> {
        match name.strip_prefix('~') {
            Some(rest) => Some(self.home.join(rest.strip_prefix('/')?)),
            None => Some(self.folder.join(name)),
        }
    }
}

/// What a line of ssh_config(5) is here.
#[derive(Debug, PartialEq, Eq)]
enum ConfigLine {
    /// The answer depends on its text alone.
    Plain,
    /// The same; it begins a section.
    Section(Vec<Criterion>),
    /// The same; it may replace the name of the host.
    HostName,
    /// The names of files.
    Include(Vec<String>),
}

/// `None`: what ssh makes of it may depend on something that is not looked at. Pure.
fn judge(line: &str, is_own: bool) -> Option<ConfigLine> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Some(ConfigLine::Plain);
    }
    if line.contains("${") {
        return None;
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    // ssh accepts it in quotes too
    if !keyword.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let rest = rest.trim_start().trim_start_matches('=').trim_start();
    match &*keyword.to_ascii_lowercase() {
        "include" => {
            let names = shlex::split(rest)?;
            let is_literal = !rest.contains('%') && !rest.contains('\\');
            (is_literal && !names.is_empty()).then_some(ConfigLine::Include(names))
        }
        "host" | "match" | "hostname" if is_own => Some(ConfigLine::Plain),
        "host" => {
            let patterns = shlex::split(rest).filter(|_| !rest.contains('\\'))?;
            Some(ConfigLine::Section(vec![Criterion::new(patterns.iter(), false)]))
        }
        "match" => plain_criteria(rest).map(ConfigLine::Section),
        "hostname" => Some(ConfigLine::HostName),
        // a name server decides
        "canonicalizehostname" if !rest.eq_ignore_ascii_case("no") => None,
        _ => Some(ConfigLine::Plain),
    }
}

impl Criterion {
    fn new(patterns: impl Iterator<Item = impl AsRef<str>>, is_of_host_name: bool) -> Self {
        let plain = |pattern: &str| pattern.trim_start_matches('!').to_ascii_lowercase();
        let patterns = patterns.map(|pattern| plain(pattern.as_ref())).collect();
        Self { patterns, is_of_host_name }
    }
}

/// Those that name hosts. `None`: there are others than these and those that name users, of which
/// ssh was asked with the same.
fn plain_criteria(line: &str) -> Option<Vec<Criterion>> {
    let mut criteria = Vec::new();
    let mut words = line.split_whitespace();
    while let Some(word) = words.next() {
        let word = word.trim_start_matches('!').to_ascii_lowercase();
        let (name, value) =
            word.split_once('=').map_or((&*word, None), |(name, value)| (name, Some(value)));
        match name {
            "all" | "canonical" | "final" => {}
            "host" | "originalhost" | "user" | "localuser" => {
                let value = match value {
                    Some(value) => value,
                    None => words.next()?,
                };
                if value.contains(['"', '\'']) {
                    return None;
                }
                if name.ends_with("host") {
                    criteria.push(Criterion::new(value.split(','), name == "host"));
                }
            }
            _ => return None,
        }
    }
    Some(criteria)
}

/// Whether the first line that counts includes this file.
fn begins_with_include(text: &str, own: &Path) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
    match first.and_then(|line| judge(line, false)) {
        Some(ConfigLine::Include(names)) => {
            names.first().is_some_and(|name| Path::new(name) == own)
        }
        _ => false,
    }
}

/// The home of this user in /etc/passwd, where that file alone decides (nsswitch.conf(5)).
fn passwd_home(system: &Path) -> Option<PathBuf> {
    let switch = file::text(&system.join("etc/nsswitch.conf"));
    let sources = switch.lines().find_map(|line| line.trim().strip_prefix("passwd:"));
    if sources.is_some_and(|sources| sources.split_whitespace().next() != Some("files")) {
        return None;
    }
    let user = geteuid().as_raw().to_string();
    let passwd = file::text(&system.join("etc/passwd"));
    let home = passwd.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        (fields.get(2) == Some(&&*user)).then(|| fields.get(5).map(PathBuf::from))
    });
    home.flatten().filter(|home| home.is_absolute())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::proof::{BinaryPair, Proven};

    /// A system and a home in which ssh and the shell are what most machines have.
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
                ("SHELL", at("bin/bash")),
                ("TERM", "xterm".to_owned()),
                ("VISIBLE", "1".to_owned()),
            ];
            let rig = Self { root, variables };
            let home = rig.at("home").display().to_string();
            rig.write("usr/bin/ssh", ELF);
            rig.write("bin/bash", ELF);
            rig.write("bin/dash", ELF);
            rig.write("bin/zsh", ELF);
            rig.write("etc/passwd", format!("u:x:{}:1::{home}:/bin/bash\n", geteuid().as_raw()));
            rig.write("etc/nsswitch.conf", "passwd: files sss\n");
            rig.write(
                "etc/ssh/ssh_config",
                "Include ssh_config.d/*.conf\nHost *\n  SendEnv LANG\n",
            );
            rig.write("etc/ssh/ssh_config.d/a.conf", "ForwardAgent no\n");
            let own = rig.at("state/ssh_config").display().to_string();
            rig.write("home/.ssh/config", format!("# mine\nInclude {own}\nInclude more ~/gone\n"));
            rig.write("home/.ssh/more", "Match host x user git\n  Port 2222\n");
            rig.write("state/ssh_config", "Match originalhost h exec \"exec x ssh-match aa\"\n");
            rig.write("state/routes", "aa h - o/r\n");
            rig.write("state/bin/pushready", ELF);
            rig.write("state/keys/aa", "a key");
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

        fn inputs(&self) -> Option<SshInputs> {
            let pairs: Vec<_> =
                self.variables.iter().map(|(name, value)| (*name, &**value)).collect();
            SshInputs::below(self.root.path(), &Env::of(&pairs), &self.at("state"))
        }
    }

    type Change = fn(&mut Rig);

    /// Each of them can make ssh choose another key, or fail.
    #[test]
    fn a_change_of_each_input_is_noticed() {
        let changes: &[(&str, Change)] = &[
            ("ssh", |rig| rig.write("usr/bin/ssh", b"\x7fELF another")),
            ("the mode of ssh", |rig| {
                fs::set_permissions(rig.at("usr/bin/ssh"), fs::Permissions::from_mode(0o600))
                    .unwrap();
            }),
            ("the shell", |rig| rig.write("bin/bash", b"\x7fELF another")),
            ("another shell", |rig| rig.set("SHELL", rig.at("bin/dash").display().to_string())),
            ("a library", |rig| rig.write("etc/ld.so.preload", "/evil.so\n")),
            ("a variable", |rig| rig.set("VISIBLE", "2")),
            ("a new variable", |rig| rig.set("SSH_AUTH_SOCK", "/tmp/agent")),
            ("passwd", |rig| rig.append("etc/passwd", "v:x:4242:1::/v:/bin/sh\n")),
            ("nsswitch", |rig| rig.append("etc/nsswitch.conf", "hosts: files\n")),
            ("the system's configuration", |rig| rig.append("etc/ssh/ssh_config", "  Port 23\n")),
            ("a file in its folder", |rig| rig.write("etc/ssh/ssh_config.d/b.conf", "Port 23\n")),
            ("one of its files", |rig| {
                rig.write("etc/ssh/ssh_config.d/a.conf", "ForwardAgent on\n");
            }),
            ("the user's configuration", |rig| rig.append("home/.ssh/config", "Host *\n")),
            ("an included file", |rig| rig.append("home/.ssh/more", "Port 23\n")),
            ("an included file that was missing", |rig| rig.write("home/gone", "Port 23\n")),
            ("an included file that is missing", |rig| {
                fs::remove_file(rig.at("home/.ssh/more")).unwrap();
            }),
            ("the mode of a configuration", |rig| {
                fs::set_permissions(rig.at("home/.ssh/config"), fs::Permissions::from_mode(0o666))
                    .unwrap();
            }),
            ("our configuration", |rig| rig.append("state/ssh_config", "# x\n")),
            ("the routes", |rig| rig.append("state/routes", "bb h - o/q\n")),
            ("our program", |rig| rig.write("state/bin/pushready", b"\x7fELF another")),
            ("our program is missing", |rig| {
                fs::remove_file(rig.at("state/bin/pushready")).unwrap();
            }),
            ("a key", |rig| rig.write("state/keys/aa", "another")),
            ("a key is missing", |rig| fs::remove_file(rig.at("state/keys/aa")).unwrap()),
            ("a key more", |rig| rig.write("state/keys/bb", "another")),
        ];
        for (what, change) in changes {
            let mut rig = Rig::new();
            let before = rig.inputs();
            assert!(before.is_some() && before == rig.inputs(), "{what}");
            change(&mut rig);
            assert_ne!(rig.inputs(), before, "{what}");
        }
    }

    #[test]
    fn nothing_is_remembered_where_the_answer_may_depend_on_more() {
        let changes: &[(&str, Change)] = &[
            ("a wrapper before ssh", |rig| rig.write("usr/local/bin/ssh", ELF)),
            ("a script as ssh", |rig| rig.write("usr/bin/ssh", "#!/bin/sh\n")),
            ("a shell with files of its own", |rig| {
                rig.set("SHELL", rig.at("bin/zsh").display().to_string());
            }),
            ("a shell that is a script", |rig| rig.write("bin/bash", "#!/bin/sh\n")),
            ("no shell", |rig| rig.set("SHELL", "/nonexistent")),
            ("a library that is loaded", |rig| rig.set("LD_PRELOAD", "/x.so")),
            ("a file that bash reads", |rig| rig.set("BASH_ENV", "/x")),
            ("a name service", |rig| rig.write("etc/nsswitch.conf", "passwd: sss files\n")),
            ("no entry in passwd", |rig| rig.write("etc/passwd", "v:x:4242:1::/v:/bin/sh\n")),
            ("another place of the system's configuration", |rig| {
                rig.write("usr/etc/ssh/ssh_config", "");
            }),
            ("a key of the user before ours", |rig| {
                let config = fs::read_to_string(rig.at("home/.ssh/config")).unwrap();
                rig.write("home/.ssh/config", format!("IdentityFile ~/.ssh/mine\n{config}"));
            }),
            ("a program that decides", |rig| rig.append("home/.ssh/more", "Match exec true\n")),
            ("includes without end", |rig| rig.append("home/.ssh/more", "Include more\n")),
        ];
        for (what, change) in changes {
            let mut rig = Rig::new();
            assert!(rig.inputs().is_some(), "{what}");
            change(&mut rig);
            assert_eq!(rig.inputs(), None, "{what}");
        }
    }

    #[test]
    fn what_differs_between_sessions_is_ignored() {
        let mut rig = Rig::new();
        let before = rig.inputs();
        for (name, value) in
            [("TERM", "dumb"), ("PWD", "/x"), ("CODER_AGENT_TOKEN", "x"), ("PUSHREADY_ACCEPT", "x")]
        {
            rig.set(name, value);
        }
        assert_eq!(rig.inputs(), before);
    }

    #[test]
    fn lines_whose_effect_depends_on_more_than_their_text_are_found() {
        let plain = || Some(ConfigLine::Plain);
        let include = |names: &[&str]| {
            Some(ConfigLine::Include(names.iter().map(|name| (*name).to_owned()).collect()))
        };
        let section = |criteria: &[(bool, &[&str])]| {
            let criterion = |(is_of_host_name, patterns): &(bool, &[&str])| {
                Criterion::new(patterns.iter(), *is_of_host_name)
            };
            Some(ConfigLine::Section(criteria.iter().map(criterion).collect()))
        };
        for (line, expected) in [
            ("", plain()),
            ("  # Match exec x", plain()),
            ("Host a !B*", section(&[(false, &["a", "b*"])])),
            ("Host \"a b\" # c", section(&[(false, &["a b"])])),
            ("Host a\\b", None),
            ("HostName x", Some(ConfigLine::HostName)),
            ("Port=22", plain()),
            ("Match all", section(&[])),
            ("match !host x,!y* user z", section(&[(true, &["x", "y*"])])),
            ("Match originalhost=X final", section(&[(false, &["x"])])),
            ("Match host \"x\"", None),
            ("CanonicalizeHostname no", plain()),
            ("Include a \"b c\"", include(&["a", "b c"])),
            ("include=~/x", include(&["~/x"])),
            ("Include %d/x", None),
            ("Include a\\ b", None),
            ("Include", None),
            ("Match host x exec true", None),
            ("Match host", None),
            ("Match localnetwork 10.0.0.0/8", None),
            ("Match exec=true", None),
            ("\"Match\" exec true", None),
            ("CanonicalizeHostname yes", None),
            ("IdentityFile ${HOME}/x", None),
        ] {
            assert_eq!(judge(line, false), expected, "{line}");
        }
        assert_eq!(judge("Match originalhost h exec x", true), plain());
    }

    #[test]
    fn patterns_match_as_those_of_ssh() {
        let hosts = ["github.com", "ssh.github.com", "h", "a*b", ""];
        for pattern in ["*", "?", "git*", "*.com", "*hub*com", "?*?", "github.com", "h*h", "", "**"]
        {
            for host in hosts.iter().filter(|host| !host.is_empty() && !host.contains('*')) {
                let config = format!("Host {pattern}\n  Port 7\n");
                let mut ssh = std::process::Command::new("ssh");
                let file = tempfile::NamedTempFile::new().unwrap();
                fs::write(file.path(), config).unwrap();
                let output = ssh.arg("-F").arg(file.path()).args(["-G", host]).output().unwrap();
                let is_seven = String::from_utf8(output.stdout).unwrap().contains("port 7\n");
                let accepted = output.status.success();
                assert_eq!(matches(pattern, host) && accepted, is_seven, "{pattern} {host}");
            }
        }
        assert!(matches("", "") && matches("*", "") && !matches("?", ""));
        // no pattern takes longer than its length times that of the host
        assert!(!matches(&"*a".repeat(2000), &"a".repeat(1999)));
    }

    #[test]
    fn hosts_are_alike_where_no_other_section_tells_them_apart() {
        let probe = "probe.pushready.invalid";
        for (more, is_alike) in [
            ("", Some(true)),
            ("Host *\n  StdinNull yes\n", Some(true)),
            ("Host gitlab.com other\n", Some(true)),
            ("Host github.com\n", Some(false)),
            ("Host other GitHub.com\n", Some(false)),
            ("Host * !github.com\n", Some(false)),
            ("Host *.com\n", Some(false)),
            ("Host *.invalid\n", Some(false)),
            ("Match originalhost gitlab.com,*hub.com\n", Some(false)),
            ("Match user git\n", Some(true)),
            ("Match host x\n", Some(true)),
            ("Match host x\n  HostName y\n", Some(false)),
            ("Host x\n  HostName y\n", Some(true)),
            ("Include other\n", Some(false)),
            ("Match exec true\n", None),
            ("Match localnetwork 10.0.0.0/8\n", None),
            ("CanonicalizeHostname yes\n", None),
        ] {
            let rig = Rig::new();
            rig.write("home/.ssh/other", "Host github.com\n");
            // without the sections that it has
            rig.write("home/.ssh/more", more);
            let pairs: Vec<_> =
                rig.variables.iter().map(|(name, value)| (*name, &**value)).collect();
            let (home, state) = (rig.at("home"), rig.at("state"));
            let sections =
                || OtherSections::below(rig.root.path(), &Env::of(&pairs), &home, &state);
            let found = sections().map(|it| it.treat_alike("github.com", probe));
            assert_eq!(found, is_alike, "{more}");
            // ours is not the first
            rig.write("home/.ssh/config", "IdentityFile x\n");
            assert!(sections().is_none(), "{more}");
        }
    }

    /// Where more than /etc/passwd may decide which home ssh uses, ssh is asked.
    #[test]
    fn the_home_is_read_from_passwd_where_that_alone_decides() {
        let changes: &[(&str, Change)] = &[
            ("a wrapper before ssh", |rig| rig.write("usr/local/bin/ssh", ELF)),
            ("a script as ssh", |rig| rig.write("usr/bin/ssh", "#!/bin/sh\n")),
            ("no ssh", |rig| fs::remove_file(rig.at("usr/bin/ssh")).unwrap()),
            ("a library that is loaded", |rig| rig.set("LD_PRELOAD", "/x.so")),
            ("a passwd file of a library", |rig| rig.set("NSS_WRAPPER_PASSWD", "/x")),
            ("a library for all programs", |rig| rig.write("etc/ld.so.preload", "/x.so\n")),
            ("a name service", |rig| rig.write("etc/nsswitch.conf", "passwd: sss files\n")),
            ("no entry", |rig| rig.write("etc/passwd", "v:x:4242:1::/v:/bin/sh\n")),
            ("a home that is not absolute", |rig| {
                rig.write("etc/passwd", format!("u:x:{}:1::home:/bin/sh\n", geteuid().as_raw()));
            }),
        ];
        let home = |rig: &Rig| {
            let pairs: Vec<_> =
                rig.variables.iter().map(|(name, value)| (*name, &**value)).collect();
            home_below(rig.root.path(), &Env::of(&pairs))
        };
        for (what, change) in changes {
            let mut rig = Rig::new();
            assert_eq!(home(&rig), Some(rig.at("home")), "{what}");
            change(&mut rig);
            assert_eq!(home(&rig), None, "{what}");
        }
    }

    #[test]
    fn what_was_proven_is_kept_and_a_damaged_file_proves_nothing() {
        let rig = Rig::new();
        let state = rig.at("state");
        let (inputs, pair) = (rig.inputs().unwrap(), BinaryPair::now(&state).unwrap());
        let save = |hosts: Option<usize>| {
            let ssh = hosts.map(|hosts| (inputs.clone(), hosts));
            Proven { ssh, git: None, copy: hosts.map(|_| pair.clone()) }.save(&state);
        };
        assert_eq!((inputs.proven_hosts(&state), pair.is_known(&state)), (None, false));
        save(Some(3));
        assert_eq!((inputs.proven_hosts(&state), pair.is_known(&state)), (Some(3), true));
        rig.write("state/bin/pushready", b"\x7fELF another");
        assert!(!BinaryPair::now(&state).unwrap().is_known(&state));
        for damaged in ["", "ssh", "ssh x y\n", "binary\n", "\u{0}\u{ff}"] {
            rig.write("state/proof", damaged);
            assert_eq!((inputs.proven_hosts(&state), pair.is_known(&state)), (None, false));
        }
        // a run that has proven nothing leaves no older proof
        save(Some(3));
        save(None);
        assert_eq!((inputs.proven_hosts(&state), pair.is_known(&state)), (None, false));
    }
}
