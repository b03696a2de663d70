//! A git host: a real sshd that answers as github.com does, key by key (the script `serve`).

use super::{SUPPORT, await_listening, require};
use base64ct::{Base64, Base64Unpadded, Encoding};
use sha2::{Digest, Sha256};
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The branches of `doctor --live`, in a bare repository: a folder of them, or one that is in the way.
const THROW_AWAY: &str = "refs/heads/pushready";

pub struct GitHost {
    /// Keys, logs and the bare repositories.
    root: PathBuf,
    host_key: KeyPair,
}

#[derive(Clone, Copy)]
pub enum Access {
    Read,
    Write,
}

/// One connection, as the host saw it.
#[derive(Debug, PartialEq)]
pub struct Session {
    /// Fingerprint of the key that was accepted.
    pub key: String,
    pub command: String,
    /// `ok`, or what the host answered instead.
    pub verdict: String,
}

impl GitHost {
    pub fn start() -> Self {
        for tool in ["sshd", "ssh", "ssh-keygen", "git"] {
            require(tool);
        }
        let host = Self { root: "/srv/git".into(), host_key: KeyPair::generate("host") };
        fs::create_dir_all(&host.root).unwrap();
        host.host_key.write_to(&host.root.join("host_key"));
        // sshd wants to be called by its whole path
        let sshd = |args: &[&str]| {
            let mut sshd = Command::new("/usr/sbin/sshd");
            sshd.arg("-f").arg(format!("{SUPPORT}/sshd_config")).args(args);
            sshd
        };
        // from OpenSSH 9.8 on, sshd refuses an address for a while after failed logins, and all of a
        // test come from one; an older sshd does not know the option
        let penalties = ["-o", "PerSourcePenalties=no"];
        let knows = sshd(&["-t"]).args(penalties).output().unwrap().status.success();
        let mut sshd = sshd(if knows { &penalties } else { &[] })
            .args(["-D", "-E"])
            .arg(host.root.join("sshd.log"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        await_listening(&mut sshd, ([127, 0, 0, 1], 22).into());
        host
    }

    /// A private repository: one commit on `main`, its README names the repository.
    pub fn repository(&self, name: &str) {
        self.repository_with(name, &[], &[]);
    }

    /// The same with more files, and with submodules: where they stand, and which repository's
    /// `main` they are.
    pub fn repository_with(&self, name: &str, files: &[(&str, &str)], submodules: &[(&str, &str)]) {
        let bare = self.bare(name);
        git(&["init", "--quiet", "--bare", "--initial-branch=main", bare.to_str().unwrap()], "");
        let data = |text: &str| format!("data {}\n{text}\n", text.len());
        let mut commit =
            "commit refs/heads/main\ncommitter Rig <rig@example.com> 1700000000 +0000\n".to_owned();
        commit.push_str(&data(&format!("Start {name}")));
        let readme = format!("# {name}\n");
        for (path, text) in files.iter().copied().chain([("README.md", &*readme)]) {
            commit = format!("{commit}M 100644 inline {path}\n{}", data(text));
        }
        for (path, of) in submodules {
            let head = self.head(of, "refs/heads/main").unwrap();
            commit = format!("{commit}M 160000 {head} {path}\n");
        }
        git(&["-C", bare.to_str().unwrap(), "fast-import", "--quiet"], &commit);
    }

    /// From now on, `git-lfs-authenticate` sends to a real git-lfs server.
    pub fn serve_lfs(&self) {
        require("python3");
        let mut server = Command::new("python3")
            .args([&format!("{SUPPORT}/lfs.py"), "127.0.0.1", "8080"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        await_listening(&mut server, ([127, 0, 0, 1], 8080).into());
        self.serve_lfs_at("http://127.0.0.1:8080");
    }

    /// From now on, `git-lfs-authenticate` sends there.
    pub fn serve_lfs_at(&self, url: &str) {
        fs::write(self.root.join("lfs"), url).unwrap();
    }

    /// One that any key can read.
    pub fn public_repository(&self, name: &str) {
        self.repository(name);
        fs::write(self.bare(name).join("public"), "").unwrap();
    }

    /// From now on the host answers `text` to whoever has read access to the repository: SSO, IP allow list.
    pub fn refuse(&self, repository: &str, text: &str) {
        fs::write(self.bare(repository).join("refusal"), text).unwrap();
    }

    /// The same for pushes only: archived.
    pub fn refuse_push(&self, repository: &str, text: &str) {
        fs::write(self.bare(repository).join("push-refusal"), text).unwrap();
    }

    /// From now on the host accepts whoever has read access to the repository, and never answers.
    pub fn hang(&self, repository: &str) {
        fs::write(self.bare(repository).join("hang"), "").unwrap();
    }

    /// Undoes what `refuse`, `refuse_push`, `hang` and `install_hook` did, and removes the branches
    /// that a doctor left.
    pub fn behave(&self, repository: &str) {
        let bare = self.bare(repository);
        for name in ["refusal", "push-refusal", "hang", "hooks/pre-receive", THROW_AWAY] {
            fs::remove_file(bare.join(name)).ok();
        }
        fs::remove_dir_all(bare.join(THROW_AWAY)).ok();
    }

    /// A server-side hook, as branch protection is one.
    pub fn install_hook(&self, repository: &str, hook: &str, script: &str) {
        let hook = self.bare(repository).join("hooks").join(hook);
        fs::write(&hook, script).unwrap();
        fs::set_permissions(hook, Permissions::from_mode(0o755)).unwrap();
    }

    /// The commit that a branch is at; none where there is no such branch.
    pub fn head(&self, repository: &str, branch: &str) -> Option<String> {
        let bare = self.bare(repository);
        let id = git(
            &["-C", bare.to_str().unwrap(), "for-each-ref", "--format=%(objectname)", branch],
            "",
        );
        Some(id.trim().to_owned()).filter(|id| !id.is_empty())
    }

    pub fn deploy_key(&self, repository: &str, access: Access) -> KeyPair {
        let key = KeyPair::generate(repository);
        self.authorize(&key, "deploy-key", repository, &[(repository, access)]);
        key
    }

    /// A key of a person, who may use several repositories: Coder's user key is one.
    pub fn user_key(&self, user: &str, repositories: &[(&str, Access)]) -> KeyPair {
        let key = KeyPair::generate(user);
        self.authorize(&key, "user", user, repositories);
        key
    }

    fn authorize(&self, key: &KeyPair, kind: &str, name: &str, repositories: &[(&str, Access)]) {
        let mut command = format!("{SUPPORT}/serve {} {kind} {name}", key.fingerprint);
        for (repository, access) in repositories {
            let access = if matches!(access, Access::Write) { "write" } else { "read" };
            command = format!("{command} {repository} {access}");
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.root.join("authorized_keys"))
            .unwrap();
        writeln!(file, "restrict,command=\"{command}\" {}", key.public).unwrap();
    }

    /// Names of repositories do not depend on case, as on GitHub.
    fn bare(&self, repository: &str) -> PathBuf {
        self.root.join(format!("{}.git", repository.to_lowercase()))
    }

    /// Lines for known_hosts.
    pub fn known_hosts(&self, names: &[&str]) -> String {
        let (key, _comment) = self.host_key.public.rsplit_once(' ').unwrap();
        names.iter().flat_map(|name| [name, " ", key, "\n"]).collect()
    }

    /// All sessions so far in which a key was accepted.
    pub fn sessions(&self) -> Vec<Session> {
        let sessions = fs::read_to_string(self.root.join("sessions")).unwrap_or_default();
        let session = |line: &str| {
            let fields: Vec<_> = line.split('\t').map(str::to_owned).collect();
            let [key, command, verdict] = fields.try_into().unwrap();
            Session { key, command, verdict }
        };
        sessions.lines().map(session).collect()
    }
}

impl Drop for GitHost {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- sshd.log\n{}",
                fs::read_to_string(self.root.join("sshd.log")).unwrap_or_default()
            );
            eprintln!("--- sessions\n{:#?}", self.sessions());
        }
    }
}

fn git(args: &[&str], stdin: &str) -> String {
    let mut git = Command::new("git")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    git.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = git.wait_with_output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

pub struct KeyPair {
    /// OpenSSH PEM.
    pub private: String,
    /// `ssh-ed25519 AAAA… comment`.
    pub public: String,
    /// `SHA256:…`
    pub fingerprint: String,
}

impl KeyPair {
    /// A key that no host knows yet.
    pub fn generate(comment: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"])
            .arg(&file)
            .status()
            .unwrap();
        assert!(made.success(), "ssh-keygen: {made}");
        let private = fs::read_to_string(&file).unwrap();
        let public = fs::read_to_string(file.with_extension("pub")).unwrap().trim_end().to_owned();
        let blob = Base64::decode_vec(public.split(' ').nth(1).unwrap()).unwrap();
        let fingerprint =
            format!("SHA256:{}", Base64Unpadded::encode_string(&Sha256::digest(blob)));
        Self { private, public, fingerprint }
    }

    /// The private key as a file that ssh accepts.
    pub fn write_to(&self, path: &Path) {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
        file.write_all(self.private.as_bytes()).unwrap();
    }
}
