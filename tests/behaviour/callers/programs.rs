//! Programs that start git or ssh themselves: submodules, LFS, pip, npm, cargo.

use std::path::Path;

use super::{Lab, git};
use crate::support::{Vendors, require, sandbox, sandbox_with, skip};

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
        // the remotes of the clones are switched to SSH too: submodules have configurations of their own
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
fn an_lfs_endpoint_that_is_configured_is_reached_by_the_key_of_its_repository() {
    sandbox(|ws| {
        require("git-lfs");
        let lab = Lab::github();
        lab.host.serve_lfs();
        lab.apply(ws, &[]).success();
        git(ws, &["lfs", "install"], "");
        for (number, (key, url)) in [
            ("lfs.url", "https://github.com/acme/app.git/info/lfs"),
            ("lfs.url", "https://github.com/acme/app/info/lfs"),
            ("remote.origin.lfsurl", "https://github.com/acme/app.git/info/lfs"),
            (".lfsconfig", "https://github.com/acme/app.git/info/lfs"),
        ]
        .into_iter()
        .enumerate()
        {
            let before = lab.host.sessions().len();
            lab.uses(&["acme/app"], || {
                git(ws, &["clone", "--quiet", "git@github.com:acme/app.git", "here"], "");
                match key {
                    ".lfsconfig" => git(ws, &["config", "-f", key, "lfs.url", url], "here"),
                    key => git(ws, &["config", key, url], "here"),
                };
                git(ws, &["lfs", "track", "*.bin"], "here");
                ws.write("here/large.bin", format!("{number}"), 0o644);
                git(ws, &["add", "."], "here");
                git(ws, &["commit", "--quiet", "-m", "Add"], "here");
                git(ws, &["push", "--quiet"], "here");
            });
            let asked = lab.host.sessions().split_off(before);
            let command = "git-lfs-authenticate acme/app.git upload";
            let answer = asked.iter().find(|session| session.command == command);
            assert_eq!(answer.map(|it| &*it.verdict), Some("ok"), "{key} {url} {asked:#?}");
            ws.sh("rm -rf here").run().success();
        }
    });
}

#[test]
fn an_lfs_endpoint_with_a_credential_of_its_own_stays_on_https() {
    sandbox(|ws| {
        require("git-lfs");
        let lab = Lab::github();
        let endpoint = "https://github.com/acme/app.git/info/lfs";
        git(ws, &["init", "--quiet", "here"], "");
        git(ws, &["remote", "add", "origin", "git@github.com:acme/app.git"], "here");
        let key = format!("credential.{endpoint}.helper");
        for (key, url, is_ssh) in [
            (None, endpoint, true),
            (None, "https://me:word@github.com/acme/app.git/info/lfs", false),
            (None, "https://ghe.corp.test/acme/app.git/info/lfs", false),
            (Some(&*key), endpoint, false),
            (Some("credential.https://github.com.helper"), endpoint, true),
            (Some("credential.https://github.com/acme/app-lib.helper"), endpoint, true),
        ] {
            ws.sh("rm -f .gitconfig").run().success();
            if let Some(key) = key {
                git(ws, &["config", "--global", key, "store"], "");
            }
            lab.apply(ws, &[]).success();
            git(ws, &["config", "lfs.url", url], "here");
            let shown = git(ws, &["lfs", "env"], "here").stdout;
            assert_eq!(shown.contains("SSH=git@github.com:acme/app.git\n"), is_ssh, "{shown}");
            assert_eq!(shown.contains("SSH="), is_ssh, "{key:?} {url} {shown}");
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
