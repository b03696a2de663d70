//! A signature by GnuPG: which secret keys there are, and where each is.

use std::path::Path;
use std::time::Instant;

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::{Keyring, SigningSetting, SigningWay, committer, failed, left, program};
use crate::catalogue::Fix;
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::process::{self, Completed};
use crate::resource::file;

/// Where the private part of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyPlace {
    /// In no file of this home: the agent that runs has it, perhaps on another machine.
    Agent,
    Card,
    Protected,
    Plain,
}

/// A secret key that gpg lists, and that may sign.
#[derive(Debug, PartialEq, Eq)]
struct ListedKey {
    keygrip: String,
    is_valid: bool,
}

pub fn way(context: &Context, setting: &SigningSetting, end: Instant) -> SigningWay {
    let Some(key) = setting.key.map(str::to_owned).or_else(|| committer(context)) else {
        return SigningWay::Try;
    };
    let Ok(keyring) = Keyring::of(context) else { return SigningWay::Try };
    let mut list = program(setting.program);
    list.env("GNUPGHOME", keyring.path());
    list.args(["--batch", "--no-tty", "--with-colons", "--with-keygrip", "--list-secret-keys"]);
    list.args(["--", &key]);
    let answer = process::run_without_daemons(list, left(context, end));
    let keys = keyring.original().join("private-keys-v1.d");
    let place = |keygrip: &str| place(&keys.join(format!("{keygrip}.key")));
    let home = keyring.original();
    let has_agent = keyring.uses_running_agent();
    match judge(&answer, &place, has_agent, asks_elsewhere(home)) {
        SigningWay::Try if !has_agent => no_agent(home).map_or(SigningWay::Try, SigningWay::broken),
        way => way,
    }
}

/// Why gpg could not start its agent, which it does under a lock in its folder.
fn no_agent(home: &Path) -> Option<Judgement> {
    let is_refused = access(home, Access::WRITE_OK)
        .is_err_and(|errno| matches!(errno, Errno::ACCESS | Errno::PERM | Errno::ROFS));
    let lock = home.join("gnupg_spawn_agent_sentinel.lock");
    let host = file::text(Path::new("/proc/sys/kernel/hostname"));
    // gpg removes the lock of a process of this host that has ended
    let is_foreign = file::text(&lock).lines().nth(1).is_some_and(|it| it.trim() != host.trim());
    let (summary, fix, path) = match () {
        () if is_refused => (
            "gpg cannot write its folder, so it starts no agent and signs no commit",
            "mount or give the folder writable to the workspace user",
            home,
        ),
        () if is_foreign => (
            "a lock of another host is left in gpg's folder, so gpg waits for ever",
            "remove the lock, if no gpg of another host uses the folder",
            &*lock,
        ),
        () => return None,
    };
    let fail = failed(summary, Fix::report(fix));
    Some(fail.with([Evidence::new("path", path.display().to_string())]))
}

/// Pure.
fn judge(
    answer: &Completed,
    place: &dyn Fn(&str) -> KeyPlace,
    has_agent: bool,
    asks_elsewhere: bool,
) -> SigningWay {
    let Ok(output) = answer else { return SigningWay::Try };
    let keys = listed(&output.stdout);
    let bring = || Fix::report("import the private key into this workspace");
    if keys.is_empty() {
        // a listing that failed for another reason decides nothing
        if output.status.success() || output.stderr.contains("No secret key") {
            let summary =
                "gpg has no private key for the configured signature, so every commit fails";
            let said = Evidence::foreign("gpg said", &output.first_error());
            return SigningWay::broken(failed(summary, bring()).with([said]));
        }
        return SigningWay::Try;
    }
    if !keys.iter().any(|key| key.is_valid) {
        let summary = "the signing key has expired or was revoked, so every commit fails";
        return SigningWay::broken(failed(summary, bring()));
    }
    let places: Vec<_> =
        keys.iter().filter(|key| key.is_valid).map(|key| place(&key.keygrip)).collect();
    let is_all = |wanted: KeyPlace| places.iter().all(|place| *place == wanted);
    match () {
        () if is_all(KeyPlace::Agent) && has_agent => SigningWay::Held,
        () if places.contains(&KeyPlace::Card) => {
            SigningWay::NotTried("the signing key is on a card, which may ask for a PIN")
        }
        () if is_all(KeyPlace::Protected) && !has_agent && asks_elsewhere => {
            SigningWay::NotTried(ASKS_ELSEWHERE)
        }
        () if is_all(KeyPlace::Protected) && !has_agent => SigningWay::broken(passphrase()),
        () if is_all(KeyPlace::Protected) => SigningWay::TryProtected { asks_elsewhere },
        () => SigningWay::Try,
    }
}

/// The agent that runs does not hold the passphrase.
pub fn not_held(asks_elsewhere: bool) -> Judgement {
    if asks_elsewhere {
        let reason = "sign once where gpg-agent can ask for it, then run the doctor again";
        return Judgement::unknown(ASKS_ELSEWHERE, reason);
    }
    passphrase()
}

const ASKS_ELSEWHERE: &str =
    "the signing key has a passphrase, and gpg-agent has its own program that asks for it";

fn passphrase() -> Judgement {
    failed(
        "the signing key has a passphrase that no gpg-agent holds, so every commit fails without a \
         terminal",
        Fix::report("sign once in a terminal, so that gpg-agent holds it"),
    )
}

/// The secret keys that may sign (GnuPG's doc/DETAILS, "Format of the colon listings"). Pure.
fn listed(stdout: &str) -> Vec<ListedKey> {
    let mut keys = Vec::new();
    let mut validity = None;
    for line in stdout.lines() {
        let fields: Vec<_> = line.split(':').collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        match field(0) {
            "sec" | "ssb" => {
                let signs = field(11).contains('s');
                validity = signs.then(|| !matches!(field(1), "e" | "r" | "d" | "i"));
            }
            "grp" => {
                let keygrip = field(9).to_owned();
                let is_hex = keygrip.bytes().all(|byte| byte.is_ascii_hexdigit());
                if let Some(is_valid) = validity.take().filter(|_| is_hex) {
                    keys.push(ListedKey { keygrip, is_valid });
                }
            }
            _ => {}
        }
    }
    keys
}

fn place(path: &Path) -> KeyPlace {
    // the kind is named before the key; what is read is dropped here
    let Ok(start) = file::head(path, 4096) else { return KeyPlace::Agent };
    let has = |words: &[u8]| start.windows(words.len()).any(|window| window == words);
    match () {
        () if has(b"shadowed-private-key") => KeyPlace::Card,
        () if has(b"protected-private-key") => KeyPlace::Protected,
        () => KeyPlace::Plain,
    }
}

/// What follows `pinentry` in the names of those that ask a person.
const PINENTRIES: &[&str] = &[
    "", "-curses", "-emacs", "-fltk", "-gnome3", "-gtk-2", "-mac", "-qt", "-qt4", "-qt5", "-qt6",
    "-tty", "-x11",
];

/// Whether gpg-agent is configured with another program than a pinentry, which may know the
/// passphrase.
fn asks_elsewhere(home: &Path) -> bool {
    let text = file::text(&home.join("gpg-agent.conf"));
    text.lines().filter_map(|line| line.trim().strip_prefix("pinentry-program")).any(|path| {
        let name = Path::new(path.trim()).file_name().unwrap_or_default().to_string_lossy();
        !PINENTRIES.contains(&name.strip_prefix("pinentry").unwrap_or("none"))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;
    use crate::process::Output;

    const KEY: &str = "sec:u:255:22:D769720BFEE45FB2:1795956497:::u:::scSC:::+::ed25519:::0:\n\
                       fpr:::::::::C362E8FA426F432604BF1B94D769720BFEE45FB2:\n\
                       grp:::::::::A51F02FF17AF2C50E2DB62FAF95AE4906A6C903E:\n\
                       uid:u::::1795956497::5F::Dev <dev@example.com>::::::::::0:\n\
                       ssb:u:255:18:AAAA:1795956497::::::e:::+::cv25519::\n\
                       grp:::::::::BBBB:\n";

    #[test]
    fn only_keys_that_may_sign_are_listed() {
        let grips: Vec<_> = listed(KEY).into_iter().map(|key| key.keygrip).collect();
        assert_eq!(grips, ["A51F02FF17AF2C50E2DB62FAF95AE4906A6C903E"]);
        assert!(!listed(&KEY.replace("sec:u", "sec:e"))[0].is_valid);
        assert_eq!(listed("grp:::::::::AA:\n"), []);
    }

    #[test]
    fn where_the_key_is_decides_how_it_is_tested() {
        let judged = |stdout: &str, stderr: &str, status: i32, place, has_agent, elsewhere| {
            let output = Output {
                status: ExitStatus::from_raw(status << 8),
                stdout: stdout.to_owned(),
                stderr: stderr.to_owned(),
            };
            match judge(&Ok(output), &|_| place, has_agent, elsewhere) {
                SigningWay::Broken(_) => "broken",
                SigningWay::Held => "held",
                SigningWay::NotTried(_) => "not tried",
                SigningWay::Try => "try",
                SigningWay::TryProtected { .. } => "try, protected",
            }
        };
        let expired = KEY.replace("sec:u", "sec:e");
        let none = "gpg: error reading key: No secret key";
        for (stdout, stderr, status, place, has_agent, elsewhere, expected) in [
            (KEY, "", 0, KeyPlace::Plain, false, false, "try"),
            (KEY, "", 0, KeyPlace::Protected, false, false, "broken"),
            (KEY, "", 0, KeyPlace::Protected, false, true, "not tried"),
            (KEY, "", 0, KeyPlace::Protected, true, false, "try, protected"),
            (KEY, "", 0, KeyPlace::Agent, true, false, "held"),
            (KEY, "", 0, KeyPlace::Card, true, false, "not tried"),
            (&expired, "", 0, KeyPlace::Plain, false, false, "broken"),
            ("", none, 2, KeyPlace::Plain, false, false, "broken"),
            ("", "gpg: invalid option", 2, KeyPlace::Plain, false, false, "try"),
        ] {
            let found = judged(stdout, stderr, status, place, has_agent, elsewhere);
            assert_eq!(found, expected, "{stderr} {place:?} {has_agent} {elsewhere}");
        }
    }
}
