//! What is downloaded, from where, and what is refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{
    BASE, DOWNLOADERS, FILE, PLACE, SHELLS, binary, hex, install, install_with, installed, left,
    silent, tools,
};
use crate::support::{Answer, CRATE, Mirror, sandbox};

#[test]
fn every_shell_installs_with_every_downloader_and_a_second_time_downloads_nothing() {
    sandbox(|ws| {
        for shell in SHELLS {
            for downloader in DOWNLOADERS {
                let mirror = Mirror::start(&Answer::File(binary()));
                let run = || {
                    install_with(ws, shell, &format!("sha256sum {downloader}"), &mirror.url()).run()
                };
                installed(ws, &run());
                assert_eq!(mirror.requests(), [format!("GET /{FILE}")], "{shell}, {downloader}");
                silent(&run());
                assert_eq!(mirror.requests().len(), 1, "{shell}, {downloader}");
                fs::remove_file(ws.home().join(PLACE)).unwrap();
            }
        }
    });
}

#[test]
fn the_text_alone_is_enough() {
    sandbox(|ws| {
        let text = fs::read_to_string(format!("{CRATE}/scripts/install.sh")).unwrap();
        let mirror = Mirror::start(&Answer::File(binary()));
        for shell in ["dash", "bash"] {
            let run = |args: &[&str]| {
                let inherited = install(ws, &mirror.url());
                inherited.wrapped_in("/usr/bin/env", [&[shell], args].concat())
            };
            // the wrapped command's own words come after the text, as $0 and arguments that it does
            // not look at
            installed(ws, &run(&["-c", &text]).env("PATH", path_with(shell)).run());
            fs::remove_file(ws.home().join(PLACE)).unwrap();
            installed(ws, &run(&["-s"]).env("PATH", path_with(shell)).stdin(text.clone()).run());
            fs::remove_file(ws.home().join(PLACE)).unwrap();
        }
    });
}

fn path_with(shell: &str) -> String {
    tools(&format!("{BASE} sha256sum curl {shell}"))
}

#[test]
fn every_tool_that_sums_will_do_and_without_one_nothing_is_fetched() {
    sandbox(|ws| {
        for tool in ["sha256sum", "shasum perl", "openssl", "busybox"] {
            let mirror = Mirror::start(&Answer::File(binary()));
            installed(ws, &install_with(ws, "dash", &format!("curl {tool}"), &mirror.url()).run());
            silent(&install_with(ws, "dash", &format!("curl {tool}"), &mirror.url()).run());
            fs::remove_file(ws.home().join(PLACE)).unwrap();
        }
        let mirror = Mirror::start(&Answer::File(binary()));
        install_with(ws, "dash", "curl", &mirror.url()).run().fails(1).stderr_has(
            "error: no sha256sum, shasum, openssl or busybox: nothing is installed without verification",
        );
        assert_eq!((mirror.requests().len(), left(ws).len()), (0, 0));
    });
}

#[test]
fn without_a_downloader_a_path_still_does() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        install_with(ws, "dash", "sha256sum", &mirror.url())
            .run()
            .fails(1)
            .stderr_has("error: no curl, wget or busybox")
            .stderr_has("hint: install one, or set PUSHREADY_DOWNLOAD_URL to a path");
        ws.write(&format!("release/{FILE}"), binary(), 0o444);
        installed(ws, &install_with(ws, "dash", "sha256sum", "/home/coder/release").run());
    });
}

#[test]
fn whatever_else_comes_is_not_installed() {
    sandbox(|ws| {
        let (file, other) = (binary(), b"#!/bin/sh\ntouch /tmp/hijacked\n".to_vec());
        let cases = [
            (Answer::File(other), "has SHA-256"),
            (Answer::CutShort(file), ""),
            (
                Answer::Page,
                "hint: nothing was installed: the download is a web page (from a proxy or a login page?)",
            ),
            (Answer::NotFound, ""),
            (Answer::Hang, "not done in 1 s (PUSHREADY_DOWNLOAD_TIMEOUT)"),
        ];
        ws.write(PLACE, "an older version", 0o755);
        for downloader in DOWNLOADERS {
            for (answer, words) in &cases {
                let mirror = Mirror::start(answer);
                let tools = format!("sha256sum {downloader}");
                let run = install_with(ws, "dash", &tools, &mirror.url())
                    .env("PUSHREADY_DOWNLOAD_TIMEOUT", "1");
                let started = Instant::now();
                run.run()
                    .fails(1)
                    .stderr_has("error: ")
                    .stderr_has(FILE)
                    .stderr_has("\nhint: ")
                    .stderr_has(words);
                assert!(started.elapsed() < Duration::from_secs(20), "{downloader}");
                assert!(!mirror.requests().is_empty());
                assert_eq!(
                    (ws.read(PLACE), left(ws)),
                    ("an older version".into(), vec!["pushready".to_owned()])
                );
            }
        }
        assert!(!Path::new("/tmp/hijacked").exists());
        // curl keeps the time itself where there is no timeout
        let alone = tools(&format!("{} sha256sum curl", BASE.replace(" timeout", "")));
        let run = install(ws, &Mirror::start(&Answer::Hang).url()).env("PATH", alone);
        run.env("PUSHREADY_DOWNLOAD_TIMEOUT", "1").run().fails(1).stderr_has("not done in 1 s");
        for (downloader, words) in
            [("curl", "The requested URL returned error: 404"), ("wget", "has no such file")]
        {
            let mirror = Mirror::start(&Answer::NotFound);
            let tools = format!("sha256sum {downloader}");
            install_with(ws, "dash", &tools, &mirror.url()).run().fails(1).stderr_has(words);
        }
    });
}

/// The disk is not filled.
#[test]
fn a_download_without_an_end_is_given_up() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::Endless);
        for shell in SHELLS {
            for downloader in DOWNLOADERS {
                let tools = format!("sha256sum {downloader}");
                let run = install_with(ws, shell, &tools, &mirror.url());
                let output = run.env("PUSHREADY_DOWNLOAD_TIMEOUT", "100").run().fails(1);
                output.stderr_has("error: cannot fetch ").stderr_has(" ended with status ");
                assert_eq!(left(ws), Vec::<String>::new(), "{shell} {downloader}");
            }
        }
    });
}

#[test]
fn nothing_is_installed_unpinned() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        let unpinned = || install(ws, &mirror.url()).env_remove("PUSHREADY_SHA256");
        let words = "error: no SHA-256 is pinned for pushready 9.9.9 on x86_64";
        unpinned()
            .run()
            .fails(1)
            .stderr_has(words)
            .stderr_has("set PUSHREADY_VERSION and PUSHREADY_SHA256");
        unpinned().env("PUSHREADY_SHA256_AARCH64", hex(&binary())).run().fails(1).stderr_has(words);
        unpinned()
            .env_remove("PUSHREADY_VERSION")
            .run()
            .fails(1)
            .stderr_has("for pushready (no version)");
        install(ws, "").run().fails(1).stderr_has("error: nowhere to fetch from");
        assert_eq!(mirror.requests().len(), 0);
        let in_capitals = hex(&binary()).to_uppercase();
        installed(ws, &unpinned().env("PUSHREADY_SHA256_X86_64", in_capitals).run());
    });
}

#[test]
fn a_signed_address_is_taken_as_it_is() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        installed(ws, &install(ws, &format!("{}/{FILE}?sig=a/b", mirror.url())).run());
        assert_eq!(mirror.requests(), [format!("GET /{FILE}?sig=a/b")]);
    });
}

#[test]
fn what_cannot_be_reached_is_not_reported_as_missing() {
    sandbox(|ws| {
        for downloader in ["curl", "wget"] {
            let tools = format!("sha256sum {downloader}");
            let run = install_with(ws, "dash", &tools, "http://127.0.0.1:9").run().fails(1);
            assert!(run.stderr.contains("it cannot be reached"), "{run}");
        }
    });
}

/// The script as scripts/release.sh pins it.
#[test]
fn pins_hold_for_their_version_only() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        let script = fs::read_to_string(format!("{CRATE}/scripts/install.sh")).unwrap();
        let pins = [("version", "9.9.9".into()), ("url", mirror.url()), ("x86_64", hex(&binary()))];
        let pinned = pins.iter().fold(script, |script, (name, value)| {
            script.replacen(&format!("\n{name}=\n"), &format!("\n{name}={value}\n"), 1)
        });
        ws.write("install.sh", pinned, 0o644);
        let run = || {
            ws.cmd("/bin/dash")
                .arg("install.sh")
                .env("PATH", tools(&format!("{BASE} sha256sum curl")))
        };
        installed(ws, &run().run());
        assert_eq!(mirror.requests(), [format!("GET /v9.9.9/{FILE}")]);
        silent(&run().env("PUSHREADY_VERSION", "9.9.9").run());
        run()
            .env("PUSHREADY_VERSION", "9.9.8")
            .run()
            .fails(1)
            .stderr_has("no SHA-256 is pinned for pushready 9.9.8");
        fs::write(ws.home().join(PLACE), "").unwrap();
        run()
            .env("PUSHREADY_VERSION", "9.9.8")
            .env("PUSHREADY_SHA256", hex(&binary()))
            .run()
            .success();
        assert_eq!(mirror.requests()[1], "GET /v9.9.8/pushready-9.9.8-x86_64-linux");
    });
}

#[test]
fn the_machine_decides_which_file() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        let on = |system: &str, machine: &str| {
            let path =
                tools(&format!("{BASE} sha256sum curl")).replace("/tmp/tools-uname", "/tmp/tools");
            let path = tools(path.trim_start_matches("/tmp/tools-").replace('-', " ").as_str());
            ws.write(
                "bin/uname",
                format!("#!/bin/sh\n[ $1 = -m ] && echo {machine} || echo {system}\n"),
                0o755,
            );
            install(ws, &mirror.url()).env("PATH", format!("/home/coder/bin:{path}:/tmp/sh")).run()
        };
        fs::create_dir_all("/tmp/sh").unwrap();
        on("Linux", "aarch64").success();
        fs::remove_file(ws.home().join(PLACE)).unwrap();
        on("Linux", "arm64").success();
        assert_eq!(mirror.requests(), ["GET /pushready-9.9.9-aarch64-linux"; 2]);
        on("Linux", "riscv64").fails(1).stderr_has("releases are for Linux on x86_64 and aarch64");
        on("Darwin", "arm64").fails(1).stderr_has("error: no release for Darwin");
    });
}

#[test]
fn the_manual_is_installed_where_man_finds_it_and_never_fails_the_installation() {
    sandbox(|ws| {
        fs::create_dir_all("/tmp/release").unwrap();
        fs::write("/tmp/page.1", "the page").unwrap();
        fs::write(format!("/tmp/release/{FILE}"), binary()).unwrap();
        let manual = "/tmp/release/pushready-9.9.9-manual.tar.gz";
        ws.sh(&format!("tar -czf {manual} -C /tmp page.1")).run().success();
        let sum = hex(&fs::read(manual).unwrap());
        let script = fs::read_to_string(format!("{CRATE}/scripts/install.sh")).unwrap();
        let pinned = script.replacen("\nversion=\n", "\nversion=9.9.9\n", 1).replacen(
            "\nmanual=\n",
            &format!("\nmanual={sum}\n"),
            1,
        );
        assert!(pinned.contains(&sum), "{pinned}");
        let with_man = tools(&format!("{BASE} sha256sum dash tar gzip"));
        fs::write(format!("{with_man}/man"), "").unwrap();
        fs::set_permissions(format!("{with_man}/man"), Permissions::from_mode(0o755)).unwrap();
        let run = |tools: &str| {
            let inherited = install(ws, "/tmp/release").env_remove("PUSHREADY_VERSION");
            let run = inherited.wrapped_in("/usr/bin/env", ["dash", "-s"]).env("PATH", tools);
            let output = run.stdin(pinned.clone()).run().success();
            fs::remove_file(ws.home().join(PLACE)).unwrap();
            output
        };
        let page = ws.home().join(".local/share/man/man1/page.1");
        // where nobody reads manuals, there is none
        assert_eq!(run(&path_with("dash")).stderr, "");
        assert!(!page.exists());
        assert_eq!(run(&with_man).stderr, "");
        assert_eq!(fs::read_to_string(&page).unwrap(), "the page");
        fs::remove_file(&page).unwrap();
        fs::write(manual, "of somebody else").unwrap();
        run(&with_man).stderr_has("warning: no manual: ");
        assert!(!page.exists());
    });
}
