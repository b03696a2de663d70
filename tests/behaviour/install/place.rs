//! Where the binary goes, and what is left after an interruption.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use super::{
    DOWNLOADERS, PLACE, SHELLS, binary, hex, install, install_with, installed, left, names, silent,
};
use crate::support::{Answer, Mirror, sandbox, sandbox_with};

#[test]
fn the_place_is_replaced_in_one_step_and_never_followed() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        let run = || install(ws, &mirror.url());
        // an older version, which is running: the name changes hands, the program goes on
        fs::create_dir_all(ws.home().join(".local/bin")).unwrap();
        fs::copy("/bin/sleep", ws.home().join(PLACE)).unwrap();
        let mut old = ws.cmd(ws.home().join(PLACE)).arg("1000").spawn();
        while fs::read_link(format!("/proc/{}/exe", old.id())).unwrap() != ws.home().join(PLACE) {}
        installed(ws, &run().run());
        assert!(old.try_wait().unwrap().is_none());
        old.kill().unwrap();
        old.wait().unwrap();
        // a symlink is replaced, and what it leads to stays
        ws.write("elsewhere", "mine", 0o755);
        fs::remove_file(ws.home().join(PLACE)).unwrap();
        symlink("../../elsewhere", ws.home().join(PLACE)).unwrap();
        installed(ws, &run().run());
        assert_eq!(ws.read("elsewhere"), "mine");
        // the right bytes without the permission to run are not the right binary
        ws.set_mode(PLACE, 0o644);
        installed(ws, &run().run());
        // a folder is not filled
        for place in ["folder", "link"] {
            fs::create_dir_all(ws.home().join("folder/pushready")).unwrap();
            fs::create_dir_all(ws.home().join("link")).unwrap();
            let _ = symlink("../folder", ws.home().join("link/pushready"));
            let refused = run().env("PUSHREADY_INSTALL_DIR", ws.home().join(place)).run().fails(1);
            refused.stderr_has("/pushready is a folder").stderr_has("hint: move it away");
        }
        assert_eq!(names(&ws.home().join("folder/pushready")), Vec::<String>::new());
    });
}

#[test]
fn folders_as_people_and_templates_name_them() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        fs::create_dir(ws.home().join("real")).unwrap();
        symlink("real", ws.home().join("linked")).unwrap();
        for (given, place) in [
            ("~/tilde", "tilde"),
            ("relative/to here", "relative/to here"),
            ("/home/coder/linked", "real"),
        ] {
            let bin = ws.home().join(format!("bin of {place}"));
            let run = || {
                install(ws, &mirror.url())
                    .env("PUSHREADY_INSTALL_DIR", given)
                    .env("CODER_SCRIPT_BIN_DIR", &bin)
                    .run()
            };
            run().success();
            assert_eq!(fs::read(ws.home().join(place).join("pushready")).unwrap(), binary());
            assert_eq!(fs::read(bin.join("pushready")).unwrap(), binary(), "{given}");
            silent(&run());
        }
        install(ws, &mirror.url()).env_remove("HOME").run().fails(2).stderr_has("HOME");
    });
}

#[test]
fn the_link_for_coder_follows_the_binary() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        let link = ws.home().join("scripts/bin/pushready");
        let run = || {
            install(ws, &mirror.url())
                .env("CODER_SCRIPT_BIN_DIR", ws.home().join("scripts/bin"))
                .run()
        };
        installed(ws, &run());
        assert_eq!(fs::read_link(&link).unwrap(), ws.home().join(PLACE));
        // after a restart the folder is empty, and something else may stand there
        fs::remove_file(&link).unwrap();
        silent(&run());
        fs::remove_file(&link).unwrap();
        fs::write(&link, "stale").unwrap();
        silent(&run());
        let before = ws.snapshot();
        silent(&run());
        assert_eq!(before.diff(&ws.snapshot()), Vec::<String>::new());
        assert_eq!(fs::read_link(&link).unwrap(), ws.home().join(PLACE));
        assert_eq!(names(link.parent().unwrap()), ["pushready"]);
        // one that leads to a folder is replaced, and nothing is put there
        for shell in SHELLS {
            fs::remove_file(&link).unwrap();
            fs::create_dir_all(ws.home().join("other")).unwrap();
            symlink(ws.home().join("other"), &link).unwrap();
            let run = install_with(ws, shell, "sha256sum curl", &mirror.url());
            silent(&run.env("CODER_SCRIPT_BIN_DIR", ws.home().join("scripts/bin")).run());
            assert_eq!(fs::read_link(&link).unwrap(), ws.home().join(PLACE), "{shell}");
            assert_eq!(names(&ws.home().join("other")), Vec::<String>::new(), "{shell}");
        }
        // the same folder for both needs no link
        let same = ws.home().join("same");
        let run = || {
            install(ws, &mirror.url())
                .env("PUSHREADY_INSTALL_DIR", &same)
                .env("CODER_SCRIPT_BIN_DIR", &same)
                .run()
        };
        run().success();
        silent(&run());
        assert!(fs::symlink_metadata(same.join("pushready")).unwrap().is_file());
        install(ws, &mirror.url())
            .env("CODER_SCRIPT_BIN_DIR", "/srv/read-only/bin")
            .run()
            .fails(1)
            .stderr_has(
                "error: cannot link /home/coder/.local/bin/pushready into /srv/read-only/bin",
            );
    });
}

#[test]
fn the_umask_does_not_open_or_close_it() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        for umask in ["000", "077"] {
            let set = format!("umask {umask}; exec \"$@\"");
            installed(
                ws,
                &install(ws, &mirror.url()).wrapped_in("/bin/sh", ["-c", &set, "sh"]).run(),
            );
            assert_eq!((ws.mode(".local"), ws.mode(".local/bin")), (0o755, 0o755), "{umask}");
            fs::remove_dir_all(ws.home().join(".local")).unwrap();
        }
    });
}

#[test]
fn a_full_a_read_only_and_a_noexec_place_say_what_to_do() {
    sandbox(|ws| {
        let big = vec![b'#'; 200_000];
        let mirror = Mirror::start(&Answer::File(big.clone()));
        ws.write("big", &big, 0o600);
        let full = |tools: &str, from: &str| {
            let sum = hex(&big);
            let run = install_with(ws, "dash", tools, from)
                .env("PUSHREADY_INSTALL_DIR", "/srv/small")
                .env("PUSHREADY_SHA256", sum);
            let output = run.run().fails(1).stderr_has("\nhint: ");
            assert_eq!(names(Path::new("/srv/small")), Vec::<String>::new(), "{output}");
            output
        };
        full("sha256sum curl", &mirror.url())
            .stderr_has("cannot write to /srv/small, is the disk full?");
        full("sha256sum wget", &mirror.url())
            .stderr_has("cannot write to /srv/small, is the disk full?");
        full("sha256sum busybox", &mirror.url()).stderr_has("No space left on device");
        full("sha256sum curl", "/home/coder/big").stderr_has("No space left on device");

        install(ws, &mirror.url())
            .env("PUSHREADY_INSTALL_DIR", "/srv/read-only/bin")
            .run()
            .fails(1)
            .stderr_has("error: cannot write to /srv/read-only/bin")
            .stderr_has("hint: set PUSHREADY_INSTALL_DIR to a folder that you can write to");

        let cannot_run = b"#!/nonexistent\n".to_vec();
        let mirror = Mirror::start(&Answer::File(cannot_run.clone()));
        ws.write(PLACE, "an older version", 0o755);
        let run =
            install(ws, &mirror.url()).env("PUSHREADY_SHA256", hex(&cannot_run)).run().fails(1);
        run.stderr_has("error: cannot run programs in /home/coder/.local/bin").stderr_has("noexec");
        assert_eq!(ws.read(PLACE), "an older version");
    });
}

#[test]
fn an_interrupted_run_ends_at_once_and_leaves_nothing() {
    sandbox(|ws| {
        for downloader in DOWNLOADERS {
            for (signal, status) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
                let mirror = Mirror::start(&Answer::Hang);
                let mut run =
                    install_with(ws, "dash", &format!("sha256sum {downloader}"), &mirror.url())
                        .spawn();
                while mirror.requests().is_empty() {
                    assert!(run.try_wait().unwrap().is_none(), "{downloader} does not hang");
                }
                let kill = format!("kill -{signal} {}", run.id());
                ws.sh(&kill).run().success();
                let started = Instant::now();
                assert_eq!(run.wait().unwrap().code(), Some(status), "{downloader}, {signal}");
                assert!(started.elapsed() < Duration::from_secs(5));
                assert_eq!(left(ws), Vec::<String>::new(), "{downloader}, {signal}");
            }
        }
        // and no downloader outlives it
        let running = || ws.sh("cat /proc/[0-9]*/comm").run().stdout;
        let deadline = Instant::now() + Duration::from_secs(5);
        while ["curl", "wget", "busybox", "timeout"].iter().any(|name| {
            // this very test is run by `timeout`
            running().lines().filter(|line| line == name).count() > usize::from(*name == "timeout")
        }) {
            assert!(Instant::now() < deadline, "{}", running());
        }
    });
}

#[test]
fn what_a_killed_run_leaves_behind_hinders_no_other_run() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::Hang);
        let mut run = install(ws, &mirror.url()).spawn();
        while mirror.requests().is_empty() {}
        run.kill().unwrap();
        run.wait().unwrap();
        assert_eq!(left(ws).len(), 1);
        let mirror = Mirror::start(&Answer::File(binary()));
        install(ws, &mirror.url()).run().success();
        assert_eq!(fs::read(ws.home().join(PLACE)).unwrap(), binary());
    });
}

#[test]
fn several_at_once_all_end_well() {
    sandbox(|ws| {
        // the file is given out when all have asked
        let mirror = Mirror::start(&Answer::Together(binary(), Arc::new(Barrier::new(6))));
        let run = |number: usize| {
            let tools = format!("sha256sum {}", DOWNLOADERS[number % 3]);
            install_with(ws, SHELLS[number % 3], &tools, &mirror.url())
                .env("CODER_SCRIPT_BIN_DIR", "/tmp/bin")
        };
        let runs: Vec<_> = (0..6).map(|number| run(number).spawn()).collect();
        for run in runs {
            let output = run.wait_with_output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        }
        assert_eq!(fs::read("/tmp/bin/pushready").unwrap(), binary());
        assert_eq!(left(ws), ["pushready"]);
        assert_eq!(names(Path::new("/tmp/bin")), ["pushready"]);
    });
}

#[test]
fn nothing_keeps_the_output_open() {
    sandbox(|ws| {
        for downloader in DOWNLOADERS {
            let mirror = Mirror::start(&Answer::File(binary()));
            let mut run =
                install_with(ws, "dash", &format!("sha256sum {downloader}"), &mirror.url()).spawn();
            assert!(run.wait().unwrap().success());
            let ended = Instant::now();
            // to the end of the pipes, which Coder waits for as well
            run.wait_with_output().unwrap();
            assert!(
                ended.elapsed() < Duration::from_millis(1500),
                "{downloader}: {:?}",
                ended.elapsed()
            );
            fs::remove_file(ws.home().join(PLACE)).unwrap();
        }
    });
}

#[test]
fn the_real_binary_is_installed_and_runs() {
    sandbox(|ws| {
        let real = fs::read("/run/rig/bin/pushready").unwrap();
        let mirror = Mirror::start(&Answer::File(real.clone()));
        install(ws, &mirror.url()).env("PUSHREADY_SHA256", hex(&real)).run().success();
        let version = ws.cmd(ws.home().join(PLACE)).arg("--version").run().success();
        assert_eq!(version.stdout, concat!("pushready ", env!("CARGO_PKG_VERSION"), "\n"));
    });
}

#[test]
fn the_binary_copies_itself_where_others_can_use_it() {
    sandbox_with(&["--tmpfs", "/opt"], |ws| {
        // an init container may run as root, and the agent as somebody else
        let copied =
            ws.sh("umask 077; pushready install --to /opt/tools/pushready").run().success();
        assert_eq!(copied.stdout, "installed `/opt/tools/pushready/pushready`\n");
        for path in ["/opt/tools", "/opt/tools/pushready", "/opt/tools/pushready/pushready"] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o755, "{path}");
        }
        let before = fs::metadata("/opt/tools/pushready/pushready").unwrap().ino();
        ws.run(&["install", "--to", "/opt/tools/pushready"])
            .success()
            .stdout_has("is this version already");
        assert_eq!(fs::metadata("/opt/tools/pushready/pushready").unwrap().ino(), before);
        // the right bytes that cannot be run are replaced
        fs::set_permissions("/opt/tools/pushready/pushready", PermissionsExt::from_mode(0o600))
            .unwrap();
        ws.run(&["install", "--to", "/opt/tools/pushready"]).success().stdout_has("installed");
        assert_eq!(
            fs::metadata("/opt/tools/pushready/pushready").unwrap().permissions().mode() & 0o777,
            0o755
        );
        ws.run(&["install", "--to", "/srv/read-only"])
            .fails(1)
            .stderr_has("hint: choose another folder with --to DIR");
        let relative = ws.pushready(&["install", "--to", "new/folder"]).run().success();
        assert_eq!(relative.stdout, "installed `/home/coder/new/folder/pushready`\n");
        ws.run(&["install"]).success().stdout_has("installed `/home/coder/.local/bin/pushready`");
    });
}

/// The registry publishes the module's folder alone, so the folder has a copy of its own.
#[test]
fn the_module_has_the_same_install_script() {
    let read =
        |path: &str| fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert!(
        read("scripts/coder/install.sh") == read("scripts/install.sh"),
        "cp scripts/install.sh scripts/coder/"
    );
}

#[test]
fn a_folder_that_others_can_replace_is_refused() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        for shell in SHELLS {
            let run = |place: &str| {
                install_with(ws, shell, "sha256sum curl", &mirror.url())
                    .env("PUSHREADY_INSTALL_DIR", ws.home().join(place))
                    .run()
            };
            for (mode, is_open) in [(0o777, true), (0o707, true), (0o1777, false), (0o775, false)] {
                ws.sh("rm -rf open; mkdir -p open/inner").run().success();
                ws.set_mode("open", mode);
                for place in ["open", "open/inner", "open/new/bin"] {
                    let output = run(place);
                    if is_open {
                        output.fails(1).stderr_has("other users can write to ");
                        assert!(!ws.home().join(place).join("pushready").exists(), "{place}");
                    } else {
                        output.success();
                    }
                }
            }
            // what is there is not opened
            ws.sh("mkdir -p safe; mkfifo safe/pushready; chmod 755 safe/pushready").run().success();
            run("safe").success();
        }
    });
}
