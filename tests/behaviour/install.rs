//! scripts/install.sh, in the shells and with the tools of the machines that it will meet; and
//! `pushready install`.

use super::support::{
    Answer, CRATE, Cmd, Mirror, Output, Workspace, require, sandbox, sandbox_with,
};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const SHELLS: [&str; 3] = ["dash", "bash", "busybox sh"];
const DOWNLOADERS: [&str; 3] = ["curl", "wget", "busybox"];
/// Besides the one that fetches and the one that sums.
const BASE: &str = "uname mkdir mktemp mv rm ln chmod cat timeout tr";
const PLACE: &str = ".local/bin/pushready";
const FILE: &str = "pushready-9.9.9-x86_64-linux";

/// What stands in for the released binary.
fn binary() -> Vec<u8> {
    b"#!/bin/sh\necho pushready 9.9.9\n".to_vec()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder with these programs and no other.
fn tools(names: &str) -> String {
    let folder = format!("/tmp/tools {names}").replace(' ', "-");
    fs::create_dir_all(&folder).unwrap();
    for name in names.split(' ') {
        require(name);
        let _ = symlink(format!("/usr/bin/{name}"), format!("{folder}/{name}"));
    }
    folder
}

/// `install.sh` with this release asked for, by a shell that has these tools.
fn install_with(ws: &Workspace, shell: &str, more: &str, from: &str) -> Cmd {
    let mut words = shell.split(' ');
    let program = words.next().unwrap();
    require(program);
    // busybox goes by the name under which it is called
    ws.cmd(format!("/bin/{program}"))
        .args(words)
        .arg(format!("{CRATE}/scripts/install.sh"))
        .env("PATH", tools(format!("{BASE} {more}").trim_end()))
        .env("PUSHREADY_VERSION", "9.9.9")
        .env("PUSHREADY_SHA256", hex(&binary()))
        .env("PUSHREADY_DOWNLOAD_URL", from)
}

fn install(ws: &Workspace, from: &str) -> Cmd {
    install_with(ws, "dash", "sha256sum curl", from)
}

/// What stands in the folder of programs.
fn left(ws: &Workspace) -> Vec<String> {
    names(&ws.home().join(".local/bin"))
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[track_caller]
fn silent(output: &Output) {
    assert!(
        output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(),
        "{output}"
    );
}

#[track_caller]
fn installed(ws: &Workspace, output: &Output) {
    assert_eq!(output.stdout, "pushready 9.9.9 installed in /home/coder/.local/bin\n", "{output}");
    assert_eq!(output.stderr, "", "{output}");
    assert!(output.status.success(), "{output}");
    assert_eq!(fs::read(ws.home().join(PLACE)).unwrap(), binary());
    assert_eq!(ws.mode(PLACE), 0o755);
    assert_eq!(left(ws), ["pushready"]);
}

#[test]
fn every_shell_installs_with_every_downloader_and_a_second_time_asks_nobody() {
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
fn what_cannot_be_reached_is_told_from_what_is_not_there() {
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
fn a_mirror_is_a_folder_or_the_file_itself() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        ws.write(&format!("a mirror/{FILE}"), binary(), 0o600);
        ws.write("a mirror/any name", binary(), 0o600);
        for from in [
            "/home/coder/a mirror".to_owned(),
            "/home/coder/a mirror/".into(),
            "a mirror".into(),
            "a mirror/any name".into(),
            "file:///home/coder/a mirror".into(),
            format!("file:///home/coder/a mirror/{FILE}"),
            format!("{}/deep/er/", mirror.url()),
            format!("{}/{FILE}", mirror.url().replace("127.0.0.1", "localhost")),
        ] {
            installed(ws, &install(ws, &from).run());
            fs::remove_file(ws.home().join(PLACE)).unwrap();
        }
        assert_eq!(mirror.requests(), [format!("GET /deep/er/{FILE}"), format!("GET /{FILE}")]);
        install(ws, "/nowhere")
            .run()
            .fails(1)
            .stderr_has("error: cannot copy /nowhere to /home/coder/.local/bin");
        assert_eq!(left(ws), Vec::<String>::new());
    });
}

#[test]
fn plain_http_is_for_loopback_and_no_password_stands_in_an_address() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        let proxied = |from: &str| {
            install(ws, from).env("http_proxy", mirror.url()).env("https_proxy", mirror.url())
        };
        for from in [
            "http://mirror.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com/x",
            "ftp://h/x",
        ] {
            proxied(from).run().fails(1).stderr_has("error: not HTTPS: ");
        }
        for from in
            ["https://user:hunter2@mirror.example.com/", "http://localhost:x@mirror.example.com/"]
        {
            let refused = proxied(from).run().fails(1).stderr_has("use ~/.netrc");
            assert!(!refused.stderr.contains("hunter2"), "{refused}");
        }
        assert_eq!(mirror.requests().len(), 0);
        assert_eq!(left(ws), Vec::<String>::new());
    });
}

#[test]
fn a_proxy_is_asked_where_curl_and_wget_would() {
    sandbox(|ws| {
        for downloader in ["curl", "wget"] {
            let proxy = Mirror::start(&Answer::NotFound);
            install_with(
                ws,
                "dash",
                &format!("sha256sum {downloader}"),
                "https://mirror.example.com",
            )
            .env("https_proxy", proxy.url())
            .run()
            .fails(1)
            .stderr_has("check the address and https_proxy");
            assert_eq!(proxy.requests()[0], "CONNECT mirror.example.com:443", "{downloader}");
        }
    });
}

/// A server with a certificate of our own; its files are whole answers. Ends with the sandbox.
fn serve_tls(folder: &Path) -> String {
    let run = |args: &str| {
        Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap()
    };
    let made = run(
        "req -x509 -newkey ed25519 -nodes -keyout key -out cert -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost",
    );
    assert!(made.status.success(), "{made:?}");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = [
        "s_server",
        "-quiet",
        "-HTTP",
        "-cert",
        "cert",
        "-key",
        "key",
        "-accept",
        &format!("127.0.0.1:{port}"),
    ]
    .map(String::from);
    let mut server = Command::new("openssl").args(server).current_dir(folder).spawn().unwrap();
    super::support::await_listening(&mut server, ([127, 0, 0, 1], port).into());
    format!("https://localhost:{port}")
}

#[test]
fn https_is_checked_and_never_left() {
    sandbox(|ws| {
        let plain = Mirror::start(&Answer::File(binary()));
        let body = String::from_utf8(binary()).unwrap();
        let length = body.len();
        ws.write(
            &format!("www/{FILE}"),
            format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"),
            0o600,
        );
        let away = format!(
            "HTTP/1.0 302 Found\r\nContent-Length: 0\r\nLocation: {}/{FILE}\r\n\r\n",
            plain.url()
        );
        ws.write(&format!("www/down/{FILE}"), away, 0o600);
        let url = serve_tls(&ws.home().join("www"));
        for downloader in ["curl", "wget"] {
            let run = || install_with(ws, "dash", &format!("sha256sum {downloader}"), &url);
            run()
                .run()
                .fails(1)
                .stderr_has("error: cannot fetch")
                .stderr_has("is the CA installed?");
            ws.write(".wgetrc", "ca_certificate = /home/coder/www/cert\n", 0o600);
            installed(ws, &run().env("CURL_CA_BUNDLE", "/home/coder/www/cert").run());
            fs::remove_file(ws.home().join(PLACE)).unwrap();
            fs::remove_file(ws.home().join(".wgetrc")).unwrap();
        }
        install(ws, &format!("{url}/down"))
            .env("CURL_CA_BUNDLE", "/home/coder/www/cert")
            .run()
            .fails(1);
        assert_eq!(plain.requests().len(), 0);
    });
}

#[test]
fn a_redirect_is_followed() {
    sandbox(|ws| {
        let store = Mirror::start(&Answer::File(binary()));
        for downloader in DOWNLOADERS {
            let front = Mirror::start(&Answer::Redirect(format!("{}/store", store.url())));
            installed(
                ws,
                &install_with(ws, "dash", &format!("sha256sum {downloader}"), &front.url()).run(),
            );
            fs::remove_file(ws.home().join(PLACE)).unwrap();
        }
    });
}

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
fn what_a_killed_run_leaves_behind_hinders_nobody() {
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
        // the right bytes that cannot be run are mended
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
