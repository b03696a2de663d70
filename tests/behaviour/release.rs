//! What scripts/release.sh made, where there is nothing else: in an empty root, in one of musl and
//! busybox as Alpine is, as a user without a name, and for the other machine. (That the binary does
//! its whole job in a Debian user land is what all other tests show, when PUSHREADY_BIN names it.)

use super::support::{PATH, skipped};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const CODEX: &str =
    r#"{"auth_mode":"apikey","OPENAI_API_KEY":"sk-proj-of-a-test-0123456789abcdef"}"#;

/// The folder with the release, or none: then the test is reported as skipped.
fn release(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("PUSHREADY_RELEASE").map(PathBuf::from);
    if folder.is_none() {
        skipped(&format!(
            "release::{test}: PUSHREADY_RELEASE names no folder that scripts/release.sh filled"
        ));
    }
    folder
}

fn tool(name: &str, test: &str) -> Option<PathBuf> {
    let found =
        PATH.split(':').map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    if found.is_none() {
        skipped(&format!("release::{test}: {name} not found"));
    }
    found
}

fn binary(release: &Path, machine: &str) -> PathBuf {
    release.join(format!("pushready-{VERSION}-{machine}-linux"))
}

/// A root with /proc, /dev, /tmp and this program; no passwd knows its user.
fn empty_root(program: &Path) -> Command {
    let mut bwrap = Command::new("bwrap");
    bwrap.args("--unshare-all --die-with-parent --clearenv --uid 1000 --gid 1000".split(' '));
    bwrap.args(
        "--proc /proc --dev /dev --perms 1777 --tmpfs /tmp --perms 0700 --dir /home".split(' '),
    );
    bwrap.args("--setenv HOME /home --setenv PATH /bin".split(' '));
    bwrap.arg("--ro-bind").arg(program).arg("/pushready");
    bwrap
}

/// The same with busybox as the whole user land, a passwd entry, and musl as the only C library,
/// where it is installed.
fn busybox_root(program: &Path, busybox: &Path) -> Command {
    let mut bwrap = empty_root(program);
    bwrap.args("--dir /etc --dir /bin --symlink bin /usr/bin --ro-bind".split(' '));
    bwrap.arg(busybox).arg("/bin/busybox");
    let applets = Command::new(busybox).arg("--list").output().unwrap();
    for applet in
        String::from_utf8(applets.stdout).unwrap().lines().filter(|name| *name != "busybox")
    {
        bwrap.args(["--symlink", "busybox", &format!("/bin/{applet}")]);
    }
    bwrap.args("--ro-bind-try /lib/ld-musl-x86_64.so.1 /lib/ld-musl-x86_64.so.1".split(' '));
    let passwd = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/behaviour/support/etc/passwd-ash");
    bwrap.args(["--ro-bind", passwd, "/etc/passwd"]);
    bwrap
}

#[track_caller]
fn says(mut command: Command, status: i32, words: &[&str]) -> Output {
    let output = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(status), "{text}");
    for word in words {
        assert!(text.contains(word), "lacks {word:?}:\n{text}");
    }
    output
}

fn with(mut command: Command, arguments: &str) -> Command {
    command.args(arguments.split(' '));
    command
}

#[test]
fn it_runs_in_an_empty_root() {
    let Some(release) = release("it_runs_in_an_empty_root") else { return };
    let root = || empty_root(&binary(&release, "x86_64"));
    says(with(root(), "/pushready --version"), 0, &[VERSION]);
    // an init container that hands itself on: the volume is the only thing that the two share
    let volume = tempfile::tempdir().unwrap();
    let shared = |mut root: Command| {
        root.arg("--bind").arg(volume.path()).arg("/volume");
        root
    };
    says(
        with(shared(root()), "/pushready install --to /volume/bin"),
        0,
        &["installed `/volume/bin/pushready`"],
    );
    assert_eq!(
        fs::read(volume.path().join("bin/pushready")).unwrap(),
        fs::read(binary(&release, "x86_64")).unwrap()
    );
    says(
        with(shared(root()), "/volume/bin/pushready install --to /volume/bin"),
        0,
        &["is this version already"],
    );

    // no git, no ssh, no shell, no passwd: what needs none of them is done, the rest is named with
    // its fix
    let mut apply = root();
    apply.args(["--setenv", "PUSHREADY_CODEX_AUTH_JSON", CODEX]);
    says(with(apply, "/pushready apply"), 0, &["codex: written", "READY"]);
    let key = volume.path().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status()
        .unwrap();
    assert!(made.success());
    let mut apply = shared(root());
    apply.args(
        "--setenv PUSHREADY_REPOSITORY acme/app --setenv PUSHREADY_DEPLOY_KEY_FILE /volume/key"
            .split(' '),
    );
    says(
        with(apply, "/pushready apply"),
        1,
        &["git is not on PATH", "ssh-missing", "fix: install it in the image"],
    );
    says(with(root(), "/pushready doctor --offline"), 1, &["git-missing"]);
    says(with(root(), "/pushready explain push-key-read-only"), 0, &["push-key-read-only"]);
}

#[test]
fn it_provisions_a_root_of_musl_and_busybox() {
    let test = "it_provisions_a_root_of_musl_and_busybox";
    let Some(release) = release(test) else { return };
    let Some(busybox) = tool("busybox", test) else { return };
    let mut root = busybox_root(&binary(&release, "x86_64"), &busybox);
    root.arg("--ro-bind").arg(&release).arg("/release");
    root.args([
        "--setenv",
        "PUSHREADY_CODEX_AUTH_JSON",
        CODEX,
        "--setenv",
        "PUSHREADY_DOWNLOAD_URL",
        "/release",
    ]);
    // the released script finds its own pins; nothing but busybox is there to run it
    let script = "set -e
        sh /release/install.sh && sh /release/install.sh
        PATH=$HOME/.local/bin:$PATH
        pushready apply
        pushready apply
        grep -q sk-proj ~/.codex/auth.json
        pushready status
        pushready remove
        ls -A ~";
    root.args(["/bin/sh", "-c", script]);
    let installed = format!("pushready {VERSION} installed in /home/.local/bin\n");
    let output = says(root, 0, &[&installed, "codex: written", "REMOVED"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout.matches("installed in").count(), 1, "{stdout}");
    assert!(stdout.ends_with("\n.local\n"), "{stdout}");
}

#[test]
fn the_other_machine_s_binary_runs_too() {
    let test = "the_other_machine_s_binary_runs_too";
    let Some(release) = release(test) else { return };
    let Some(qemu) = tool("qemu-aarch64-static", test) else { return };
    let program = binary(&release, "aarch64");
    if !program.exists() {
        return; // scripts/test.sh, which decides what is built, says so
    }
    let root = |arguments: &str| {
        let mut root = empty_root(&program);
        root.arg("--ro-bind").arg(&qemu).arg("/qemu").args([
            "--setenv",
            "PUSHREADY_CODEX_AUTH_JSON",
            CODEX,
        ]);
        root.args(["/qemu", "/pushready"]).args(arguments.split(' '));
        root
    };
    says(root("--version"), 0, &[VERSION]);
    says(root("apply"), 0, &["codex: written"]);
    says(root("doctor --offline --only codex --json"), 1, &[r#""schema_version""#]);
}

#[test]
fn the_sums_and_the_pins_are_those_of_the_files() {
    let Some(release) = release("the_sums_and_the_pins_are_those_of_the_files") else { return };
    let mut sums = Command::new("sha256sum");
    sums.args(["--check", "--strict", "--quiet", "SHA256SUMS"]).current_dir(&release);
    says(sums, 0, &[]);
    let listed = fs::read_to_string(release.join("SHA256SUMS")).unwrap();
    let script = fs::read_to_string(release.join("install.sh")).unwrap();
    assert!(script.contains(&format!("\nversion={VERSION}\n")));
    for (pin, file) in
        [("x86_64", "x86_64-linux"), ("aarch64", "aarch64-linux"), ("manual", "manual.tar.gz")]
    {
        let name = format!("pushready-{VERSION}-{file}");
        let sum =
            listed.lines().find_map(|line| line.strip_suffix(&name)).unwrap_or_default().trim();
        assert!(script.contains(&format!("\n{pin}={sum}\n")), "{pin}: {sum}");
    }
    assert!(!script.contains("\nmanual=\n"), "{script}");
    // the module pins the same, and both download from the address of the project, once it has one
    let module = fs::read_to_string(release.join("coder-module/install.sh")).unwrap();
    assert!(script == module, "install.sh and the module's differ");
    let address = env!("CARGO_PKG_REPOSITORY");
    let address =
        if address.contains("/OWNER/") { "" } else { &format!("{address}/releases/download") };
    let address = std::env::var("PUSHREADY_RELEASE_URL").unwrap_or(address.to_owned());
    assert!(script.contains(&format!("\nurl={address}\n")), "{script}");
}

#[test]
fn it_says_what_is_in_it_and_how_it_was_built() {
    let Some(release) = release("it_says_what_is_in_it_and_how_it_was_built") else { return };
    let read = |name: &str| fs::read_to_string(release.join(name)).unwrap();
    let provenance = read("PROVENANCE.txt");
    for said in [
        &*format!("pushready {VERSION}\n"),
        &format!("source: {}\n", env!("CARGO_PKG_REPOSITORY")),
        "\ncommit: ",
        "\nSOURCE_DATE_EPOCH: ",
        "\nrustc: rustc ",
        "\ncc of ",
    ] {
        assert!(provenance.contains(said), "{said}: {provenance}");
    }
    let sbom: serde_json::Value = serde_json::from_str(&read("sbom.cdx.json")).unwrap();
    let program = &sbom["metadata"]["component"];
    assert_eq!(program["purl"], format!("pkg:cargo/pushready@{VERSION}"));
    // the same crates as in the report of their licences
    let licences = read("LICENCES.txt");
    let listed = licences.split("\n====").next().unwrap().lines().skip(3);
    let listed: std::collections::BTreeSet<_> =
        listed.filter_map(|line| line.split(':').next()).filter(|line| !line.is_empty()).collect();
    let components = sbom["components"].as_array().unwrap();
    let named = components.iter().filter(|it| it["name"] != "rust-std");
    let named: Vec<_> = named
        .map(|it| format!("{} {}", it["name"].as_str().unwrap(), it["version"].as_str().unwrap()))
        .collect();
    assert_eq!(named.iter().map(|it| &**it).collect::<std::collections::BTreeSet<_>>(), listed);
}
