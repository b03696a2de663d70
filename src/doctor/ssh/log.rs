//! What ssh logs of a connection: which key the server accepted.

/// As `ssh -v`. Unlike that, it does not ask the ssh of a `ProxyJump` for a log of its own.
pub const LOG_LEVEL: &str = "LogLevel=DEBUG1";

/// How a line begins that ssh logs at this level alone (OpenSSH log.c).
const DEBUG: &str = "debug1: ";
/// Of the level VERBOSE, which has no mark.
const VERBOSE: [&str; 3] = [AUTHENTICATED, "Transferred: sent ", "Bytes per second: sent "];
const AUTHENTICATED: &str = "Authenticated to ";

/// What the server said, and what the log says of the key.
#[derive(Debug, PartialEq, Eq)]
pub struct Logged {
    /// Standard error as without the log.
    pub stderr: String,
    /// The fingerprint of the key with which ssh logged in. `None`: the log does not name it.
    pub accepted: Option<String>,
}

impl Logged {
    /// Separates the log from the rest of standard error. Pure.
    pub fn parse(text: &str) -> Self {
        let mut stderr = String::with_capacity(text.len());
        let (mut key, mut logins) = (None, 0);
        let mut accepted = None;
        for line in text.split_inclusive('\n') {
            // what the server prints may have no end of line
            let (said, logged) = match line.split_once(DEBUG) {
                Some((said, logged)) => (said, Some(logged)),
                None => (line, None),
            };
            if let Some(logged) = logged {
                if let Some(offered) = logged.strip_prefix("Server accepts key: ") {
                    key = fingerprint(offered);
                } else if NEXT.iter().any(|next| logged.starts_with(next)) {
                    key = None;
                }
            }
            if said.starts_with(AUTHENTICATED) {
                logins += 1;
                accepted = key.take();
            }
            if !VERBOSE.iter().any(|start| said.starts_with(start)) {
                stderr.push_str(said);
                if logged.is_some() && !said.is_empty() {
                    stderr.push('\n');
                }
            }
        }
        // where two log in, one is the ssh that reaches a host on the way
        Self { stderr, accepted: accepted.filter(|_| logins == 1) }
    }
}

/// What ssh logs where the key before has not sufficed, or where it tries one without asking first
/// (OpenSSH sshconnect2.c).
const NEXT: [&str; 4] = [
    "Offering public key: ",
    "Trying private key: ",
    "Authentications that can continue: ",
    "Next authentication method: ",
];

/// The fingerprint in `/home/a b/key ED25519 SHA256:… explicit`. A certificate is not one of our keys: with
/// it the server trusts an authority. `None`: an ssh that logs none. Pure.
fn fingerprint(offered: &str) -> Option<String> {
    let (before, fingerprint) = offered.rsplit_once(" SHA256:")?;
    let fingerprint = fingerprint.split_whitespace().next()?;
    (!before.ends_with("-CERT")).then(|| format!("SHA256:{fingerprint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "debug1: Server accepts key: /h/a b/k ED25519 SHA256:ours explicit\r\n";
    const LOGIN: &str = "Authenticated to h ([1.2.3.4]:22) using \"publickey\".\r\n";

    #[test]
    fn the_accepted_key_is_the_one_with_which_ssh_logged_in() {
        let other = "debug1: Server accepts key: agent ED25519 SHA256:other agent\r\n";
        let certificate = "debug1: Server accepts key: /k ED25519-CERT SHA256:ours explicit\r\n";
        let old = "debug1: Server accepts key: pkalg ssh-ed25519 blen 51\r\n";
        let next = |text: &str| format!("debug1: {text}\r\n");
        for (log, accepted) in [
            (format!("{OURS}{LOGIN}"), Some("SHA256:ours")),
            (format!("{other}{LOGIN}"), Some("SHA256:other")),
            // the agent refused to sign
            (
                format!("{other}{}{OURS}{LOGIN}", next("Offering public key: /k")),
                Some("SHA256:ours"),
            ),
            (
                format!("{OURS}{}{other}{LOGIN}", next("Offering public key: a")),
                Some("SHA256:other"),
            ),
            // a key that is tried without a question
            (format!("{OURS}{}{LOGIN}", next("Trying private key: /k.pem")), None),
            // a second method
            (format!("{OURS}{}{LOGIN}", next("Next authentication method: password")), None),
            (format!("{OURS}{}{LOGIN}", next("Authentications that can continue: a")), None),
            // a host on the way
            (format!("{OURS}{LOGIN}{other}{LOGIN}"), None),
            (format!("{other}{LOGIN}{OURS}{LOGIN}"), None),
            (format!("{certificate}{LOGIN}"), None),
            (format!("{old}{LOGIN}"), None),
            // nothing of it after the login, when it is the server's
            (format!("{LOGIN}{OURS}"), None),
            (OURS.to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(Logged::parse(&log).accepted.as_deref(), accepted, "{log}");
        }
    }

    #[test]
    fn nothing_of_the_log_is_left_in_what_was_said() {
        for (printed, said) in [
            ("", ""),
            ("ERROR: no\n", "ERROR: no\n"),
            ("debug1: a\r\nERROR: no\r\ndebug1: b\r\n", "ERROR: no\r\n"),
            ("debug1: a\r\nno end of linedebug1: b\r\nnext", "no end of line\nnext"),
            (LOGIN, ""),
            ("Transferred: sent 1, received 2 bytes\r\nBytes per second: sent 1\r\n", ""),
            ("debug1: channel 0: setting env NAME = \"value\"\r\n", ""),
        ] {
            assert_eq!(Logged::parse(printed).stderr, said, "{printed}");
        }
    }
}
