//! The right key for whoever calls git: submodules, git-lfs, package managers, every forge and
//! every spelling, in homes that are full of settings already, and where `Match exec` cannot work.

use crate::support::{
    Access, Coder, GitHost, KeyPair, Output, Vendors, Workspace, require, sandbox, sandbox_with,
    skip, use_openssh_10,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const HOSTS: &[&str] = &[
    "github.com",
    "[ssh.github.com]:443",
    "gitlab.com",
    "bitbucket.org",
    "git.sr.ht",
    "ssh.dev.azure.com",
    "ghe.corp.test",
    "[git.corp.test]:2222",
    "[git.corp.test]:7999",
];

/// A git host, and a deploy key for each of some repositories.
struct Lab {
    host: GitHost,
    /// By the path on the host.
    keys: BTreeMap<String, KeyPair>,
    /// What PUSHREADY_DEPLOY_KEYS is set to.
    declared: Value,
}

impl Lab {
    fn new() -> Self {
        Self { host: GitHost::start(), keys: BTreeMap::new(), declared: Value::Object(Map::new()) }
    }

    /// Three repositories on github.com, each with a key: `acme/app` and two whose names begin with
    /// its name. A fourth, `acme/third`, has none.
    fn github() -> Self {
        let mut lab = Self::new();
        for name in ["acme/app", "acme/app-lib", "acme/app.github.io"] {
            lab.host.repository(name);
            lab.key(name, name);
        }
        lab.host.repository("acme/third");
        lab
    }

    /// A key for the repository that stands at `path` on the host, under the name that the user
    /// gives it.
    fn key(&mut self, declared: &str, path: &str) {
        let key = self.host.deploy_key(path, Access::Write);
        self.declared[declared] = Value::String(key.private.clone());
        self.keys.insert(path.to_lowercase(), key);
    }

    fn apply(&self, ws: &Workspace, environment: &[(&str, &str)]) -> Output {
        self.pushready(ws, &["apply"], environment)
    }

    fn pushready(&self, ws: &Workspace, args: &[&str], environment: &[(&str, &str)]) -> Output {
        let apply = ws
            .pushready(args)
            .env("PUSHREADY_DEPLOY_KEYS", self.declared.to_string())
            .env("PUSHREADY_KNOWN_HOSTS", self.host.known_hosts(HOSTS));
        environment.iter().fold(apply, |apply, (name, value)| apply.env(name, *value)).run()
    }

    /// The user's own Coder key, which may use `acme/third`.
    fn coder(&self) -> (Coder, KeyPair) {
        let key = self.host.user_key("dev", &[("acme/third", Access::Write)]);
        (Coder::install(Some(&key)), key)
    }

    /// Runs `act`; every session that it opened must have used the key of its own repository, and
    /// all must be `paths`'.
    #[track_caller]
    fn uses(&self, paths: &[&str], act: impl FnOnce()) {
        let before = self.host.sessions().len();
        act();
        let sessions = self.host.sessions().split_off(before);
        let mut used: Vec<String> = Vec::new();
        for session in &sessions {
            let path = path_of(&session.command);
            let key = self.keys.get(&path).unwrap_or_else(|| panic!("no key for {session:?}"));
            assert_eq!(session.key, key.fingerprint, "{session:?}");
            used.push(path);
        }
        used.sort();
        used.dedup();
        let mut expected: Vec<String> = paths.iter().map(|path| path.to_lowercase()).collect();
        expected.sort();
        assert_eq!(used, expected, "{sessions:#?}");
    }

    /// The key of the only session that `act` opens, or `None` where it opens none.
    fn key_of(&self, act: impl FnOnce()) -> Option<String> {
        let before = self.host.sessions().len();
        act();
        self.host.sessions().split_off(before).pop().map(|session| session.key)
    }
}

/// The repository of an ssh command, as the host names it.
fn path_of(command: &str) -> String {
    let path = match command.split_once('\'') {
        Some((_, quoted)) => quoted.trim_end_matches('\''),
        None => command.split(' ').nth(1).unwrap_or_default(),
    };
    let path = path.trim_start_matches('/').trim_end_matches('/').trim_end_matches(".git");
    path.replace(' ', "%20").to_lowercase()
}

#[track_caller]
fn git(ws: &Workspace, args: &[&str], folder: &str) -> Output {
    ws.git(args).current_dir(folder).env("GIT_TERMINAL_PROMPT", "0").run().success()
}

fn effective(ws: &Workspace, url: &str) -> String {
    git(ws, &["ls-remote", "--get-url", url], "").stdout.trim_end().to_owned()
}

/// Its own key for each of the three by all of these, and none of them for the neighbour.
fn holds_for_all_three(ws: &Workspace, lab: &Lab) {
    for (path, url) in [
        ("acme/app", "git@github.com:acme/app.git"),
        ("acme/app", "https://github.com/acme/app"),
        ("acme/app-lib", "ssh://git@github.com/acme/app-lib"),
        ("acme/app.github.io", "https://github.com/acme/app.github.io.git"),
        ("acme/app", "ssh://git@ssh.github.com:443/acme/app.git"),
    ] {
        lab.uses(&[path], || drop(git(ws, &["ls-remote", url], "")));
    }
    ws.git(&["ls-remote", "git@github.com:acme/third.git"]).run().fails(128);
    assert_eq!(effective(ws, "https://github.com/acme/third"), "https://github.com/acme/third");
}

#[test]
fn submodules_by_absolute_and_relative_urls_each_take_their_own_key() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        for name in ["acme/app-lib", "acme/app.github.io"] {
            lab.host.repository(name);
            lab.key(name, name);
        }
        let modules = "[submodule \"lib\"]\n\tpath = lib\n\turl = https://github.com/acme/app-lib\n\
                       [submodule \"docs/site\"]\n\tpath = docs/site\n\turl = ../app.github.io.git\n";
        let links = [("lib", "acme/app-lib"), ("docs/site", "acme/app.github.io")];
        lab.host.repository_with("acme/app", &[(".gitmodules", modules)], &links);
        lab.key("acme/app", "acme/app");
        lab.apply(ws, &[]).success().stdout_has("\nREADY ");
        let (coder, _) = lab.coder();

        let all = ["acme/app", "acme/app-lib", "acme/app.github.io"];
        let forms = [
            ("https://github.com/acme/app", ""),
            ("git@github.com:acme/app.git", &*coder.git_ssh_command()),
        ];
        for (number, (url, ssh)) in forms.into_iter().enumerate() {
            let folder = format!("app-{number}");
            let clone = ws.git(&["clone", "--quiet", "--recurse-submodules", url, &folder]);
            let clone = if ssh.is_empty() { clone } else { clone.env("GIT_SSH_COMMAND", ssh) };
            lab.uses(&all, || drop(clone.run().success()));
            for submodule in ["lib", "docs/site"] {
                let submodule = format!("{folder}/{submodule}");
                git(ws, &["commit", "--quiet", "--allow-empty", "-m", "Change"], &submodule);
                git(
                    ws,
                    &["push", "--quiet", "origin", &format!("HEAD:refs/heads/from-{number}")],
                    &submodule,
                );
            }
        }
        // what stands in the clones is put on SSH too: submodules have configurations of their own
        lab.apply(ws, &[]).success().stdout_has("remotes");
        for (module, path) in [("lib", "acme/app-lib"), ("docs/site", "acme/app.github.io")] {
            let config = ws.read(&format!("app-0/.git/modules/{module}/config"));
            assert!(config.contains(&format!("url = git@github.com:{path}.git\n")), "{config}");
        }
        lab.uses(&all, || {
            git(ws, &["fetch", "--quiet"], "app-0");
            git(ws, &["submodule", "--quiet", "update", "--remote"], "app-0");
        });
    });
}

#[test]
fn git_lfs_asks_for_its_server_with_the_key_of_the_repository() {
    sandbox(|ws| {
        require("git-lfs");
        let lab = Lab::github();
        lab.host.serve_lfs();
        lab.apply(ws, &[]).success();
        git(ws, &["lfs", "install"], "");
        let (coder, _) = lab.coder();
        for (name, url, ssh) in [
            ("acme/app-lib", "https://github.com/acme/app-lib", String::new()),
            ("acme/app", "git@github.com:acme/app.git", coder.git_ssh_command()),
        ] {
            let git = |args: &[&str], folder: &str| {
                let git = ws.git(args).current_dir(folder).env("GIT_TERMINAL_PROMPT", "0");
                let git = if ssh.is_empty() { git } else { git.env("GIT_SSH_COMMAND", &ssh) };
                git.run().success()
            };
            // whichever of its ways to ask git-lfs tries first, the key is this repository's
            lab.uses(&[name], || {
                git(&["clone", "--quiet", url, "here"], "");
                git(&["lfs", "track", "*.bin"], "here");
                ws.write("here/large.bin", name, 0o644);
                git(&["add", "."], "here");
                git(&["commit", "--quiet", "-m", "Add"], "here");
                git(&["push", "--quiet"], "here");
                git(&["clone", "--quiet", url, "there"], "");
            });
            let pointer = git(&["cat-file", "-p", "HEAD:large.bin"], "there").stdout;
            assert!(pointer.starts_with("version https://git-lfs"), "{pointer}");
            assert_eq!(ws.read("there/large.bin"), name);
            let asked = lab.host.sessions();
            for operation in ["upload", "download"] {
                let command = format!("git-lfs-authenticate {name}.git {operation}");
                assert!(
                    asked.iter().any(|session| session.command == command),
                    "{command} {asked:#?}"
                );
            }
            ws.sh("rm -rf here there").run().success();
        }
    });
}

#[test]
fn a_bare_url_needs_no_remote_and_no_clone() {
    sandbox(|ws| {
        let lab = Lab::github();
        lab.apply(ws, &[]).success();
        git(ws, &["init", "--quiet", "--initial-branch=main", "work"], "");
        git(ws, &["commit", "--quiet", "--allow-empty", "-m", "Own"], "work");
        // every way to write a URL that git knows
        for url in [
            "git@github.com:acme/app-lib",
            "git@github.com:/acme/app-lib.git/",
            "git@GitHub.com:Acme/App-Lib.git",
            "github.com:acme/app-lib.git",
            "[git@github.com:22]:acme/app-lib.git",
            "ssh://git@github.com:22/acme/app-lib.git/",
            "git+ssh://git@github.com/acme/app-lib.git",
            "ssh+git://git@github.com/acme/app-lib.git",
            "ssh://git@ssh.github.com:443/acme/app-lib.git",
            "https://github.com/acme/app-lib/",
        ] {
            let url =
                if url.starts_with("github.com") { format!("git@{url}") } else { url.to_owned() };
            lab.uses(&["acme/app-lib"], || drop(git(ws, &["ls-remote", &url], "")));
        }
        lab.uses(&["acme/app", "acme/app.github.io", "acme/app-lib"], || {
            git(ws, &["fetch", "--quiet", "https://github.com/acme/app.github.io"], "work");
            git(
                ws,
                &["push", "--quiet", "https://github.com/acme/app.git", "main:refs/heads/own"],
                "work",
            );
            git(
                ws,
                &["archive", "--remote=git@github.com:acme/app-lib.git", "-o", "../a.tar", "main"],
                "work",
            );
        });
    });
}

#[test]
fn pip_installs_from_a_private_repository() {
    sandbox(|ws| {
        if !ws.cmd("/usr/bin/python3").args(["-m", "pip", "--version"]).run().status.success() {
            skip("pip not found");
        }
        let mut lab = Lab::new();
        // a build backend in the tree: nothing is needed from an index
        let project =
            "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
        let backend = "import zipfile\n\n\
            def build_wheel(folder, *_):\n    \
            name = 'tool-1.0-py3-none-any.whl'\n    \
            with zipfile.ZipFile(folder + '/' + name, 'w') as wheel:\n        \
            wheel.writestr('tool.py', 'made = True')\n        \
            wheel.writestr('tool-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tool\\nVersion: 1.0\\n')\n        \
            wheel.writestr('tool-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n        \
            wheel.writestr('tool-1.0.dist-info/RECORD', '')\n    \
            return name\n";
        let files = [("pyproject.toml", project), ("backend.py", backend)];
        lab.host.repository_with("acme/app-lib", &files, &[]);
        lab.host.repository("acme/app");
        lab.key("acme/app-lib", "acme/app-lib");
        lab.key("acme/app", "acme/app");
        lab.apply(ws, &[]).success();
        let pip = "install --quiet --no-index --no-deps --no-build-isolation --target=site";
        lab.uses(&["acme/app-lib"], || {
            let pip = ws.cmd("/usr/bin/python3").args(["-m", "pip"]).args(pip.split(' '));
            pip.arg("git+ssh://git@github.com/acme/app-lib.git@main").run().success();
        });
        assert_eq!(ws.read("site/tool.py"), "made = True");
        lab.uses(&["acme/app-lib"], || {
            let pip = ws.cmd("/usr/bin/python3").args(["-m", "pip"]).args(pip.split(' '));
            pip.args(["--upgrade", "git+https://github.com/acme/app-lib"]).run().success();
        });
    });
}

#[test]
fn npm_installs_from_private_repositories() {
    sandbox(|ws| {
        require("npm");
        // npm would rather have GitHub's tarball; to a stranger a private one is not there
        let vendors = Vendors::start();
        let mut lab = Lab::new();
        for (declared, path, name) in [
            ("acme/app", "acme/app", "app"),
            ("acme/app-lib", "acme/app-lib", "lib"),
            ("ghe.corp.test/team/app", "team/app", "ghe"),
        ] {
            let package = format!("{{\"name\":\"{name}\",\"version\":\"1.0.0\"}}");
            lab.host.repository_with(path, &[("package.json", &package)], &[]);
            lab.key(declared, path);
        }
        lab.apply(ws, &[]).success();
        ws.write("project/package.json", "{\"name\":\"project\",\"version\":\"1.0.0\"}", 0o644);
        lab.uses(&["acme/app-lib", "team/app"], || {
            let npm = ws.cmd("npm").current_dir("project").env("npm_config_cafile", vendors.ca());
            let npm = npm
                .args("install --no-audit --no-fund --loglevel=error --fetch-retries=0".split(' '));
            npm.arg("git+ssh://git@github.com/acme/app-lib.git")
                .arg("git+ssh://git@ghe.corp.test/team/app.git")
                .run()
                .success();
        });
        for name in ["lib", "ghe"] {
            assert!(ws.read(&format!("project/node_modules/{name}/package.json")).contains(name));
        }
    });
}

#[test]
fn cargo_fetches_with_the_git_command() {
    // it may be installed below /home, which the sandbox hides
    let toolchain = Path::new(env!("CARGO")).parent().and_then(Path::parent).unwrap();
    let mount = ["--ro-bind-try", toolchain.to_str().unwrap(), "/run/rig/toolchain"];
    sandbox_with(&mount, |ws| {
        let cargo = Path::new("/run/rig/toolchain/bin/cargo");
        if !cargo.exists() {
            skip("cargo not found");
        }
        let mut lab = Lab::new();
        for (path, name) in [("acme/app", "app"), ("acme/app-lib", "app-lib")] {
            let manifest =
                format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\n");
            lab.host.repository_with(path, &[("Cargo.toml", &manifest), ("src/lib.rs", "")], &[]);
            lab.key(path, path);
        }
        lab.apply(ws, &[]).success();
        let manifest = "[package]\nname = \"user\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[dependencies]\n\
                        app = { git = \"ssh://git@github.com/acme/app.git\" }\n\
                        app-lib = { git = \"https://github.com/acme/app-lib\" }\n";
        ws.write("user/Cargo.toml", manifest, 0o644);
        ws.write("user/src/lib.rs", "", 0o644);
        lab.uses(&["acme/app", "acme/app-lib"], || {
            let fetch = ws.cmd(cargo).args(["fetch", "--quiet"]).current_dir("user");
            let fetch = fetch.env("RUSTC", cargo.with_file_name("rustc"));
            fetch.env("CARGO_NET_GIT_FETCH_WITH_CLI", "true").run().success();
        });
    });
}

#[test]
fn every_forge_in_its_own_spelling() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        // declared as, where it stands on the host, its neighbour there, URLs
        let forges: &[(&str, &str, &str, &[&str])] = &[
            (
                "gitlab.com/group/sub/deep/app",
                "group/sub/deep/app",
                "group/sub/deep/app-two",
                &["https://gitlab.com/group/sub/deep/app", "git@gitlab.com:group/sub/deep/app.git"],
            ),
            (
                "https://bitbucket.org/space/app",
                "space/app",
                "space/app2",
                &["https://bitbucket.org/space/app.git", "git@bitbucket.org:space/app.git"],
            ),
            (
                "https://org@dev.azure.com/org/my%20project/_git/my%20app",
                "v3/org/my%20project/my%20app",
                "v3/org/my%20project/my%20app%20two",
                &[
                    "https://org@dev.azure.com/org/my%20project/_git/my%20app",
                    "https://dev.azure.com/org/my%20project/_git/my%20app",
                    "git@ssh.dev.azure.com:v3/org/my%20project/my%20app",
                    "ssh://git@ssh.dev.azure.com/v3/org/my%20project/my%20app",
                ],
            ),
            (
                "https://git.sr.ht/~user/app",
                "~user/app",
                "~user/app-two",
                &[
                    "https://git.sr.ht/~user/app",
                    "git@git.sr.ht:~user/app",
                    "ssh://git@git.sr.ht/~user/app",
                ],
            ),
            (
                "ghe.corp.test/team/app",
                "team/app",
                "team/app.js",
                &["https://ghe.corp.test/team/app", "git@ghe.corp.test:team/app.git"],
            ),
            (
                "ssh://git@git.corp.test:2222/gitea/app.git",
                "gitea/app",
                "gitea/app_two",
                &["https://git.corp.test/gitea/app", "ssh://git@git.corp.test:2222/gitea/app.git"],
            ),
            (
                "https://git.corp.test/scm/prj/app",
                "prj/app",
                "prj/app-two",
                &[
                    "https://git.corp.test/scm/prj/app.git",
                    "ssh://git@git.corp.test:7999/prj/app.git",
                ],
            ),
        ];
        for (declared, path, neighbour, _) in forges {
            lab.host.repository(path);
            lab.host.repository(neighbour);
            lab.key(declared, path);
        }
        lab.apply(ws, &[]).success().stdout_has("\nREADY ");
        for (_, path, neighbour, urls) in forges {
            let (name, other) =
                (path.rsplit('/').next().unwrap(), neighbour.rsplit('/').next().unwrap());
            for url in *urls {
                lab.uses(&[path], || drop(git(ws, &["ls-remote", url], "")));
                let near = url.replace(name, other);
                assert_eq!(effective(ws, &near), near);
            }
            // over SSH the neighbour is offered no key of ours
            let near = urls.last().unwrap().replace(name, other);
            lab.uses(&[], || drop(ws.git(&["ls-remote", &near]).run().fails(128)));
        }
    });
}

/// A home as people have it: their own keys, hosts and aliases, shared connections, rules, all
/// behind symlinks into a repository of dotfiles.
fn lived_in(ws: &Workspace, own_key: &KeyPair) {
    ws.write("dotfiles/ssh/key", &own_key.private, 0o600);
    let ssh = "# mine\nHost work\n  HostName github.com\n  User git\n  IdentityFile ~/.ssh/key\n\n\
               Host github.com\n  User git\n  IdentityFile ~/.ssh/key\n  IdentitiesOnly yes\n\n\
               Match host github.com user nobody\n  ForwardAgent no\n\n\
               Host *\n  ControlMaster auto\n  ControlPath ~/.ssh/cm-%C\n  ControlPersist 20\n  ServerAliveInterval 30\n";
    ws.write("dotfiles/ssh/config", ssh, 0o600);
    let gitconfig = "[user]\n\tname = Me\n\temail = me@example.com\n[alias]\n\tst = status\n\
                     [include]\n\tpath = ~/dotfiles/more\n[pull]\n\trebase = true\n[core]\n\tsshCommand = ssh -4\n";
    ws.write("dotfiles/gitconfig", gitconfig, 0o644);
    ws.write("dotfiles/more", "[url \"https://github.com/acme/\"]\n\tinsteadOf = acme:\n", 0o644);
    git(ws, &["init", "--quiet", "dotfiles"], "");
    symlink("dotfiles/ssh", ws.home().join(".ssh")).unwrap();
    symlink("dotfiles/gitconfig", ws.home().join(".gitconfig")).unwrap();
}

#[test]
fn a_home_full_of_settings_keeps_them_all() {
    sandbox(|ws| {
        let lab = Lab::github();
        let own = lab.host.user_key("me", &[("acme/third", Access::Write)]);
        lived_in(ws, &own);
        let before = ws.snapshot();
        lab.apply(ws, &[]).success().stdout_has("\nREADY ");
        assert!(ws.home().join(".ssh").is_symlink() && ws.home().join(".gitconfig").is_symlink());
        let third = |url: &str| lab.key_of(|| drop(git(ws, &["ls-remote", url], "")));
        // the user's own connection is open, and shared; a keyed repository must not ride on it,
        // nor lend its own
        for _ in 0..2 {
            assert_eq!(third("git@github.com:acme/third.git").as_ref(), Some(&own.fingerprint));
            lab.uses(&["acme/app"], || {
                drop(git(ws, &["ls-remote", "git@github.com:acme/app.git"], ""));
            });
            lab.uses(&["acme/app-lib"], || {
                drop(git(ws, &["ls-remote", "https://github.com/acme/app-lib"], ""));
            });
        }
        ws.cmd("ssh").args(["-O", "check", "git@github.com"]).run().success();
        assert_eq!(third("work:acme/third.git").as_ref(), Some(&own.fingerprint));
        assert_eq!(effective(ws, "acme:third"), "https://github.com/acme/third");
        let git_says =
            git(ws, &["config", "--get-regexp", "^(user|alias|pull|core)\\."], "").stdout;
        assert_eq!(git_says.lines().count(), 5, "{git_says}");
        ws.cmd("ssh").args(["-O", "exit", "git@github.com"]).run();
        ws.run(&["remove"]).success();
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn reverse_rules_in_the_image_are_defeated_for_keyed_repositories_alone() {
    sandbox(|ws| {
        let lab = Lab::github();
        ws.write("image/gitconfig", "[url \"https://github.com/\"]\n\tinsteadOf = git@github.com:\n\tinsteadOf = ssh://git@github.com/\n", 0o644);
        let image = ws.home().join("image/gitconfig").display().to_string();
        let environment = [("GIT_CONFIG_SYSTEM", &*image)];
        lab.apply(ws, &environment).success().stdout_has("\nREADY ");
        let in_image = |args: &[&str]| {
            ws.git(args).env("GIT_CONFIG_SYSTEM", &*image).env("GIT_TERMINAL_PROMPT", "0")
        };
        for form in [
            "git@github.com:acme/NAME.git",
            "git@github.com:acme/NAME",
            "ssh://git@github.com/acme/NAME.git",
            "https://github.com/acme/NAME",
        ] {
            let url = form.replace("NAME", "app-lib");
            lab.uses(&["acme/app-lib"], || drop(in_image(&["ls-remote", &url]).run().success()));
            for name in ["app-two", "app_lib", "app.js", "third", "ap"] {
                let neighbour = form.replace("NAME", name);
                let turned =
                    in_image(&["ls-remote", "--get-url", &neighbour]).run().success().stdout;
                let path = neighbour.rsplit_once("acme/").unwrap().1;
                assert_eq!(turned.trim_end(), format!("https://github.com/acme/{path}"));
            }
        }
        lab.apply(ws, &environment).success().stdout_has("nothing to write");
        // one that cannot be outdone is named, and its token is not
        let token = "canary-0123456789";
        ws.write(
            "image/gitconfig",
            format!("[url \"https://x:{token}@github.com/\"]\n\tinsteadOf = git@github.com:\n"),
            0o644,
        );
        let told = lab.apply(ws, &environment).fails(1).stdout_has("remote-reversed");
        assert!(!told.stdout.contains(token), "{told}");
        let files = ws.sh(&format!("grep -rl {token} .local .gitconfig .ssh")).run();
        assert_eq!(files.stdout, "");
    });
}

#[test]
fn reverse_rules_for_pushes_alone_are_defeated_too() {
    sandbox(|ws| {
        let lab = Lab::github();
        let rules = "[url \"https://github.com/\"]\n\tpushInsteadOf = git@github.com:\n\tpushInsteadOf = ssh://git@github.com/\n";
        ws.write(".gitconfig", rules, 0o644);
        let push = |shell: &str| {
            let git = |args: &[&str], folder: &str| {
                ws.git(args).env("SHELL", shell).current_dir(folder).run().success()
            };
            for (number, form) in [
                "git@github.com:acme/NAME.git",
                "ssh://git@github.com/acme/NAME",
                "https://github.com/acme/NAME",
            ]
            .iter()
            .enumerate()
            {
                let folder = format!("{}-{number}", shell.rsplit('/').next().unwrap());
                lab.uses(&["acme/app-lib"], || {
                    git(&["clone", "--quiet", &form.replace("NAME", "app-lib"), &folder], "");
                    git(&["commit", "--quiet", "--allow-empty", "-m", form], &folder);
                    git(&["push", "--quiet"], &folder);
                });
                let neighbour = form.replace("NAME", "app-two");
                git(&["remote", "add", "neighbour", &neighbour], &folder);
                let pushed = git(&["remote", "get-url", "--push", "neighbour"], &folder).stdout;
                let path = neighbour.rsplit_once("acme/").unwrap().1;
                assert_eq!(
                    pushed.trim_end(),
                    format!("https://github.com/acme/{path}"),
                    "the user's rule holds for it"
                );
            }
        };
        lab.apply(ws, &[]).success().stdout_has("\nREADY ");
        push("/bin/sh");
        lab.apply(ws, &[]).success().stdout_has("1 of the remotes in 3 clones put on SSH");
        lab.apply(ws, &[]).success().stdout_has("nothing to write");
        let aliases = [("SHELL", "/usr/sbin/nologin")];
        lab.apply(ws, &aliases).success().stdout_has("host aliases");
        push("/usr/sbin/nologin");
        // a rule that leads pushes to SSH is the user's own way
        ws.run(&["remove"]).success();
        ws.write(
            ".gitconfig",
            "[url \"git@github.com:\"]\n\tpushInsteadOf = https://github.com/\n",
            0o644,
        );
        lab.apply(ws, &[]).success();
        assert!(!ws.read(".local/state/pushready/gitconfig").contains("pushInsteadOf"));
    });
}

#[test]
fn a_rule_in_a_clones_own_configuration_that_leads_away_is_named() {
    sandbox(|ws| {
        let lab = Lab::github();
        for (folder, rule) in [
            ("fetch", "insteadOf = git@github.com:"),
            ("push", "pushInsteadOf = git@github.com:"),
            ("other", "insteadOf = git@gitlab.com:"),
        ] {
            let remote = "[remote \"origin\"]\n\turl = https://github.com/acme/app\n";
            ws.git(&["init", "--quiet", folder]).run().success();
            ws.write(
                &format!("{folder}/.git/config"),
                format!("{remote}[url \"https://github.com/\"]\n\t{rule}\n"),
                0o644,
            );
        }
        let told = lab.apply(ws, &[]).fails(1);
        let told = told.stdout_has(
            "FAIL  remote-reversed remotes: a rule in `~/fetch/.git/config` and in 1 more turns `git@github.com:acme/app.git` into `https://github.com/acme/app.git` for pushes",
        );
        // git agrees
        for folder in ["fetch", "push"] {
            let url = ws
                .git(&["remote", "get-url", "--push", "origin"])
                .current_dir(folder)
                .run()
                .success()
                .stdout;
            assert_eq!(url.trim_end(), "https://github.com/acme/app.git", "{told}");
        }
        // with a global rule of the same kind ours outdoes both
        ws.write("image/gitconfig", "[url \"https://github.com/\"]\n\tinsteadOf = git@github.com:\n\tpushInsteadOf = git@github.com:\n", 0o644);
        let image = ws.home().join("image/gitconfig").display().to_string();
        let told = lab.apply(ws, &[("GIT_CONFIG_SYSTEM", &image)]).success();
        assert!(!told.stdout.contains("remote-reversed"), "{told}");
    });
}

#[test]
fn rare_spellings_find_their_alias_too() {
    sandbox(|ws| {
        let lab = Lab::github();
        let shell = "/usr/sbin/nologin";
        lab.apply(ws, &[("SHELL", shell)]).success().stdout_has("host aliases");
        for form in [
            "git@github.com:/acme/NAME.git",
            "ssh://git@github.com:22/acme/NAME",
            "git+ssh://git@github.com/acme/NAME.git",
            "ssh+git://git@github.com/acme/NAME",
        ] {
            for name in ["app", "app-lib", "app.github.io"] {
                let list = ws.git(&["ls-remote", &form.replace("NAME", name)]).env("SHELL", shell);
                lab.uses(&[&format!("acme/{name}")], || drop(list.run().success()));
            }
        }
    });
}

#[test]
fn a_host_wide_rule_of_the_users_own_is_left_to_them_and_told() {
    sandbox(|ws| {
        let lab = Lab::github();
        let own = lab.host.user_key("me", &[("acme/third", Access::Read)]);
        ws.write(".ssh/id_ed25519", &own.private, 0o600);
        ws.write(
            ".gitconfig",
            "[url \"git@github.com:\"]\n\tinsteadOf = https://github.com/\n",
            0o644,
        );
        let told = lab.apply(ws, &[]).success();
        let note = "a rule of your own turns `https://github.com/acme/app` into `git@github.com:acme/app` (and 5 more)";
        let told = told.stdout_has(note).stdout_has("none of ours is written for it");
        assert_eq!(told.stdout.matches("a rule of your own").count(), 1, "{told}");
        assert!(!ws.read(".local/state/pushready/gitconfig").contains("insteadOf"));
        lab.uses(&["acme/app"], || {
            drop(git(ws, &["ls-remote", "https://github.com/acme/app"], ""));
        });
        let third =
            lab.key_of(|| drop(git(ws, &["ls-remote", "https://github.com/acme/third"], "")));
        assert_eq!(third, Some(own.fingerprint.clone()));
    });
}

#[test]
fn where_the_shell_cannot_run_commands_host_aliases_take_over_until_it_can() {
    sandbox(|ws| {
        let lab = Lab::github();
        let bash = [("SHELL", "/bin/bash")];
        lab.apply(ws, &bash).success().stdout_has("ok    routing");
        let by_exec = ws.snapshot();
        for shell in ["/usr/sbin/nologin", "/nonexistent/shell"] {
            let environment = [("SHELL", shell)];
            let dry = lab.pushready(ws, &["apply", "--dry-run"], &environment).success();
            dry.stdout_has("warn  ssh-route-broken routing: `Match exec` cannot work here")
                .stdout_has("would change");
            lab.apply(ws, &environment).success().stdout_has("host aliases").stdout_has("\nREADY ");
            let by_alias = ws.snapshot();
            lab.apply(ws, &environment).success().stdout_has("nothing to write");
            assert!(by_alias.written(&ws.snapshot()).is_empty());
            let doctor = ["doctor", "--offline", "--only", "ssh.route"];
            lab.pushready(ws, &doctor, &environment).success().stdout_has("3 ok");
            // what is stored stays canonical
            let remote = "git@github.com:acme/app.git";
            let folder = shell.rsplit('/').next().unwrap();
            let clone = ws.git(&["clone", "--quiet", remote, folder]).env("SHELL", shell);
            lab.uses(&["acme/app"], || drop(clone.run().success()));
            assert_eq!(git(ws, &["config", "remote.origin.url"], folder).stdout.trim_end(), remote);
            holds_for_all_three(ws, &lab);
            fs::remove_dir_all(ws.home().join(folder)).unwrap();
            lab.apply(ws, &bash).success().stdout_has("ok    routing");
            let diff = by_exec.diff(&ws.snapshot());
            assert!(diff.iter().all(|line| line.contains("receipt.json")), "{diff:#?}");
        }
        lab.apply(ws, &[("SHELL", "/usr/sbin/nologin")]).success();
        let (coder, key) = lab.coder();
        let under_coder = |url: &str| {
            ws.git(&["ls-remote", url])
                .env("GIT_SSH_COMMAND", coder.git_ssh_command())
                .run()
                .success();
        };
        lab.uses(&["acme/app"], || under_coder("https://github.com/acme/app"));
        let third = lab.key_of(|| under_coder("git@github.com:acme/third.git"));
        assert_eq!(third, Some(key.fingerprint.clone()));
    });
}

#[test]
fn aliases_reach_the_host_as_the_users_own_configuration_does() {
    sandbox(|ws| {
        let lab = Lab::github();
        ws.write(".ssh/config", "Host github.com\n  HostName ssh.github.com\n  Port 443\n", 0o600);
        ws.write(
            ".gitconfig",
            "[url \"git@github.com:\"]\n\tinsteadOf = https://github.com/\n",
            0o644,
        );
        let environment = [("SHELL", "/usr/sbin/nologin")];
        lab.apply(ws, &environment).success().stdout_has("host aliases");
        let log = || {
            fs::read_to_string("/srv/git/sshd.log")
                .unwrap()
                .matches("on 127.0.0.2 port 443")
                .count()
        };
        let before = log();
        lab.uses(&["acme/app"], || {
            drop(git(ws, &["ls-remote", "https://github.com/acme/app"], ""));
        });
        assert_eq!(log() - before, 1);
        lab.apply(ws, &environment).success().stdout_has("nothing to write");
    });
}

#[test]
fn fish_runs_the_match_as_other_shells_do() {
    sandbox(|ws| {
        require("fish");
        let lab = Lab::github();
        lab.apply(ws, &[("SHELL", "/usr/bin/fish")]).success().stdout_has("ok    routing");
        let list =
            ws.git(&["ls-remote", "git@github.com:acme/app-lib.git"]).env("SHELL", "/usr/bin/fish");
        lab.uses(&["acme/app-lib"], || drop(list.run().success()));
    });
}

#[test]
fn openssh_10_routes_as_its_elders_do() {
    sandbox(|ws| {
        use_openssh_10();
        assert!(ws.cmd("ssh").arg("-V").run().stderr.starts_with("OpenSSH_10."));
        let lab = Lab::github();
        lab.apply(ws, &[]).success().stdout_has("ok    routing");
        holds_for_all_three(ws, &lab);
        lab.apply(ws, &[("SHELL", "/usr/sbin/nologin")]).success().stdout_has("host aliases");
        holds_for_all_three(ws, &lab);
    });
}

/// Mounts something where only the script sees it. The kernel lets everybody do so in a user
/// namespace; there a process has no uid of its own before somebody gives it one, which takes a
/// /proc that can be written: it is `nobody`, with a passwd entry that says otherwise.
const MOUNTED: &str = r#"
import ctypes, os, sys
mount = lambda source, target, flags: ctypes.CDLL(None, use_errno=True).mount(
    source and source.encode(), target.encode(), None, flags, None) == 0 or sys.exit("SKIP")
BIND, REMOUNT, NOEXEC, NODEV, NOSUID = 4096, 32, 8, 4, 2
mount("/home/coder/passwd", "/etc/passwd", BIND)
if sys.argv[1] == "noexec":
    mount("/home/coder/.local", "/home/coder/.local", BIND)
    mount(None, "/home/coder/.local", BIND | REMOUNT | NOEXEC | NODEV | NOSUID)
else:
    mount("/home/coder/nothing", "/proc", BIND)
os.execv("/bin/sh", ["sh", "-c", sys.argv[2]])
"#;

#[test]
fn a_home_mounted_noexec_and_a_missing_proc_are_met_by_aliases() {
    sandbox(|ws| {
        require("python3");
        let lab = Lab::github();
        ws.write("keys.json", lab.declared.to_string(), 0o600);
        ws.write("passwd", "coder:x:65534:65534::/home/coder:/bin/bash\n", 0o644);
        ws.sh("mkdir .local nothing").run().success();
        let script = "export PUSHREADY_DEPLOY_KEYS_FILE=~/keys.json
            pushready apply && pushready apply && git ls-remote git@github.com:acme/app-lib.git";
        for (mount, why) in [
            ("noexec", "`/home/coder/.local/state/pushready` is mounted noexec"),
            ("no proc", "/proc is not mounted"),
        ] {
            lab.uses(&["acme/app-lib"], || {
                let unshare = ws.cmd("unshare").args(["--user", "--mount", "--keep-caps"]);
                let unshare = unshare.env("PUSHREADY_KNOWN_HOSTS", lab.host.known_hosts(HOSTS));
                let ran = unshare.args(["/usr/bin/python3", "-c", MOUNTED, mount, script]).run();
                if ran.stderr.contains("SKIP") || ran.stderr.contains("unshare failed") {
                    skip("user namespaces in user namespaces are not allowed here");
                }
                ran.success()
                    .stdout_has(why)
                    .stdout_has("host aliases")
                    .stdout_has("nothing to write");
            });
            ws.sh("rm -rf .local/* .ssh .gitconfig").run().success();
        }
    });
}

#[test]
fn fifty_keys_on_one_host_still_route_exactly() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        let names: Vec<String> = (0..50).map(|number| format!("acme/r{number}")).collect();
        for name in &names {
            let key = KeyPair::generate(name);
            lab.declared[name] = Value::String(key.private.clone());
            lab.keys.insert(name.clone(), key);
        }
        lab.host.repository("acme/r4");
        let key = lab.host.deploy_key("acme/r4", Access::Write);
        lab.declared["acme/r4"] = Value::String(key.private.clone());
        lab.keys.insert("acme/r4".into(), key);
        let applied = lab.apply(ws, &[]).success();
        applied
            .stdout_has("routing: 50 repositories")
            .stdout_has("`https://github.com/OWNER/REPO.git` goes over SSH, without `.git` it stays on HTTPS")
            .stdout_has("\nREADY ");
        // `r4` is the beginning of ten others
        for number in [0, 4, 40, 49] {
            let command = format!("git-receive-pack 'acme/r{number}.git'");
            let said =
                ws.cmd("ssh").args(["-G", "git@github.com", &command]).run().success().stdout;
            let file = said.lines().find_map(|line| line.strip_prefix("identityfile ")).unwrap();
            assert_eq!(
                fs::read_to_string(file).unwrap(),
                lab.keys[&format!("acme/r{number}")].private
            );
        }
        let none =
            ws.cmd("ssh").args(["-G", "git@github.com", "git-receive-pack 'acme/r50.git'"]).run();
        assert!(!none.stdout.contains("pushready/keys"), "{none}");
        lab.uses(&["acme/r4"], || {
            drop(git(ws, &["ls-remote", "https://github.com/acme/r4.git"], ""));
        });
        assert_eq!(
            effective(ws, "https://github.com/acme/r50.git"),
            "https://github.com/acme/r50.git"
        );
    });
}

/// The least that git and the search take for a clone.
fn clone_at(ws: &Workspace, folder: &str, url: &str) {
    ws.write(&format!("{folder}/HEAD"), "ref: refs/heads/main\n", 0o644);
    ws.write(&format!("{folder}/objects/info/alternates"), "", 0o644);
    ws.write(
        &format!("{folder}/config"),
        format!("[core]\n\tbare = false\n[remote \"origin\"]\n\turl = {url}\n"),
        0o644,
    );
}

#[test]
fn two_thousand_clones_are_judged_in_a_second() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        lab.key("acme/app", "acme/app");
        for number in 0..2000 {
            let folder = format!("src/{}/{number}", number % 40);
            clone_at(ws, &format!("{folder}/.git"), "https://github.com/acme/third");
            for inner in ["src/a", "src/b", "docs"] {
                ws.write(&format!("{folder}/{inner}/file"), "", 0o644);
            }
        }
        clone_at(ws, "src/last/.git", "https://github.com/acme/app");
        lab.apply(ws, &[]).success().stdout_has("1 of the remotes in 2001 clones put on SSH");
        // more than apply takes without clones; in time of the processor, because other tests run
        // beside this one
        let took = |roots: &str| {
            let apply =
                |script: &str| ws.sh(script).env("PUSHREADY_REMOTES_ROOTS", roots).run().success();
            apply("pushready apply");
            let took = apply("pushready apply && times").stdout_has("nothing to write").stdout;
            // `0m0.120s 0m0.030s`: the children's, as user and in the kernel
            let seconds = |time: &str| {
                let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
                60.0 * minutes.parse::<f64>().unwrap() + seconds.parse::<f64>().unwrap()
            };
            took.lines().last().unwrap().split(' ').map(seconds).sum::<f64>()
        };
        let (all, none) = (took("/home/coder"), took("/home/coder/src/a"));
        assert!(all < none + 1.0, "{all:?} s, {none:?} s without clones");
    });
}

#[test]
fn clones_are_searched_where_they_are_the_users_own_work() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        lab.key("acme/app", "acme/app");
        let url = "https://github.com/acme/app";
        let found = [
            "a/.git",
            "1/2/3/4/5/six/.git",
            "bare.git",
            "a/.git/modules/lib",
            "a/.git/modules/lib/modules/deps/inner",
            "worktrees/.bare",
        ];
        let passed_over = [
            "1/2/3/4/5/6/seven/.git",
            "a/nested/.git",
            "worktrees/main/nested/.git",
            "x/node_modules/p/.git",
            ".cache/p/.git",
            ".cargo/git/p/.git",
            ".rustup/p/.git",
            "go/pkg/mod/p/.git",
            "y/target/p/.git",
        ];
        for folder in found.iter().chain(&passed_over) {
            clone_at(ws, folder, url);
        }
        // a folder of worktrees, which share the configuration of the bare repository beside them
        ws.write("worktrees/.git", "gitdir: ./.bare\n", 0o644);
        ws.write("worktrees/.bare/worktrees/main/commondir", "../..\n", 0o644);
        ws.write("worktrees/.bare/worktrees/main/HEAD", "ref: refs/heads/main\n", 0o644);
        let gitdir = ws.home().join("worktrees/.bare/worktrees/main").display().to_string();
        ws.write("worktrees/main/.git", format!("gitdir: {gitdir}\n"), 0o644);
        // outside the home, and on another filesystem
        fs::create_dir_all("/dev/shm/elsewhere").unwrap();
        clone_at(ws, "/dev/shm/elsewhere/.git", url);
        clone_at(ws, "/dev/here/.git", url);
        symlink("/dev/shm/elsewhere", ws.home().join("link")).unwrap();

        let said = format!("{} of the remotes in {} clones put on SSH", found.len(), found.len());
        lab.apply(ws, &[]).success().stdout_has(&said);
        let on_ssh = |folder: &str| {
            ws.read(&format!("{folder}/config")).contains("git@github.com:acme/app.git")
        };
        assert!(found.iter().all(|folder| on_ssh(folder)));
        assert!(!passed_over.iter().any(|folder| on_ssh(folder)));
        assert!(!on_ssh("/dev/shm/elsewhere/.git"));
        lab.apply(ws, &[("PUSHREADY_REMOTES_ROOTS", "/dev")]).success();
        assert!(on_ssh("/dev/here/.git") && !on_ssh("/dev/shm/elsewhere/.git"));
    });
}

#[test]
fn a_search_root_is_searched_whatever_its_name_and_one_that_is_gone_is_named() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        lab.key("acme/app", "acme/app");
        clone_at(ws, "target/app/.git", "https://github.com/acme/app");
        let roots = [("PUSHREADY_REMOTES_ROOTS", "~/target:~/gone:/etc/passwd")];
        lab.apply(ws, &roots).success().stdout_has("1 of the remotes in 1 clones put on SSH").stdout_has(
            "note     PUSHREADY_REMOTES_ROOTS names `~/gone` and `/etc/passwd`, where no folder is",
        );
    });
}
