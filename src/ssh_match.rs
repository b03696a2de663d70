//! Whether the parent process, an ssh, is about exactly this repository. `Match exec` in our
//! ssh_config asks it for each key in turn. Errors answer no: ssh then ignores our block.

use std::ffi::OsString;
use std::path::Path;

use crate::error::Exit;
use crate::git::url::{Repository, remote_command_repository};
use crate::resource::file;

/// ssh's options that take an argument (OpenSSH ssh.c, getopt string, 9.2 to 10).
const WITH_ARGUMENT: &[u8] = b"BbcDEeFIiJLlmOoPpQRSWw";
const ROUTES_CAP: u64 = 1 << 20;
/// git passes no command line of this length to ssh.
const COMMAND_LINE_CAP: u64 = 1 << 20;

/// The route with which apply tests whether `Match exec` works at all. A repository's are hex
/// digits.
pub const PROBE: &str = "probe";
pub const PROBE_HOST: &str = "probe.pushready.invalid";
pub const PROBE_COMMAND: &str = "git-upload-pack 'pushready/probe.git'";
const PROBE_ROUTE: &str = "probe probe.pushready.invalid - pushready/probe\n";

/// A repository that exists nowhere. The configuration has a block for it as for any other, so that
/// ssh can be asked whether it follows the configuration, without the blocks of all keys on a host.
pub fn probe() -> Option<Repository> {
    Repository::parse_declared(&format!("{PROBE_HOST}/pushready/probe")).ok()
}

/// The routes file of these repositories.
pub fn routes(routed: &[Repository]) -> String {
    let probe = probe().filter(|_| !routed.is_empty());
    routed.iter().chain(&probe).map(route).collect()
}

/// One line of the routes file for each repository: `ID HOST PORT PATH`, `-` for no port.
fn route(repository: &Repository) -> String {
    let port = repository.ssh_port().map_or("-".to_owned(), |port| port.to_string());
    format!("{} {} {port} {}\n", repository.id(), repository.host(), repository.path())
}

/// Runs it where the command line is the one that our ssh_config has. ssh starts it for each key of
/// a host, and to build the parser of all commands first takes ten times as long.
pub fn run_alone(arguments: impl Iterator<Item = OsString>) -> Option<Exit> {
    let arguments: Vec<_> = arguments.skip(1).collect();
    let [command, id] = &arguments[..] else { return None };
    let id = id.to_str().filter(|id| !id.starts_with('-'))?;
    (command == "ssh-match").then(|| run(id))
}

/// Answers for the route `id`, found beside the running binary's folder.
pub fn run(id: &str) -> Exit {
    let answer = (|| {
        let routes = if id == PROBE {
            PROBE_ROUTE.as_bytes().to_vec()
        } else {
            let folder = std::env::current_exe().ok()?.parent()?.parent()?.to_owned();
            file::head(&folder.join("routes"), ROUTES_CAP).ok()?
        };
        let routes = std::str::from_utf8(&routes).ok()?;
        let parent = rustix::process::getppid()?.as_raw_nonzero();
        let command_line = Path::new("/proc").join(parent.to_string()).join("cmdline");
        let command_line = file::head(&command_line, COMMAND_LINE_CAP).ok()?;
        // what is cut could be about another repository
        let command_line = Some(command_line).filter(|it| (it.len() as u64) < COMMAND_LINE_CAP)?;
        let words: Vec<&str> = command_line
            .strip_suffix(b"\0")
            .unwrap_or(&command_line)
            .split(|&byte| byte == 0)
            .map(|word| std::str::from_utf8(word).unwrap_or_default())
            .collect();
        Some(is_about(&words, routes, id))
    })();
    if answer == Some(true) { Exit::Ready } else { Exit::NotReady }
}

/// Whether the command line of an ssh names the repository of route `id`.
pub fn is_about(words: &[&str], routes: &str, id: &str) -> bool {
    let route = routes.lines().find_map(|line| {
        let mut fields = line.split(' ');
        (fields.next() == Some(id)).then(|| (fields.nth(1), fields.next()))
    });
    let Some((Some(port), Some(path))) = route else { return false };
    let Some(invocation) = invocation(words) else { return false };
    let Some((_, asked)) = remote_command_repository(&invocation.command) else { return false };
    let same_port = match (port.parse::<u16>().ok(), invocation.port) {
        (Some(port), Some(asked)) => port == asked,
        // without `-p` the configuration may name the port; without a declared port any is right
        _ => true,
    };
    same_port && asked.eq_ignore_ascii_case(path)
}

struct Invocation<'a> {
    port: Option<u16>,
    command: Vec<&'a str>,
}

/// Splits an ssh command line as ssh's getopt loop does: options may come before and after the
/// destination, and of a port given twice, in whichever form, the first counts (ssh.c `main`,
/// readconf.c).
fn invocation<'a>(words: &[&'a str]) -> Option<Invocation<'a>> {
    let mut words = words.iter().copied().skip(1);
    let mut destination = None;
    let mut port = None;
    while let Some(word) = words.next() {
        match word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            Some("-") if destination.is_none() => destination = words.next(),
            Some("-") => return Some(Invocation { port, command: words.collect() }),
            Some(letters) => {
                let Some(at) = letters.bytes().position(|letter| WITH_ARGUMENT.contains(&letter))
                else {
                    continue;
                };
                let argument = letters.get(at + 1..).filter(|rest| !rest.is_empty());
                let argument = match argument {
                    Some(argument) => argument,
                    None => words.next()?,
                };
                match letters.as_bytes().get(at) {
                    Some(b'p') => port = port.or_else(|| argument.parse().ok()),
                    Some(b'o') => port = port.or_else(|| option_port(argument)),
                    _ => {}
                }
            }
            None if destination.is_none() => {
                destination = Some(word);
                port = port.or_else(|| url_port(word));
            }
            None => {
                let command = std::iter::once(word).chain(words).collect();
                return Some(Invocation { port, command });
            }
        }
    }
    None
}

/// The port of `-o Port=N`, which ssh reads as a line of its configuration: blanks, one `=`,
/// quotes.
fn option_port(option: &str) -> Option<u16> {
    let option = option.trim_start();
    let (name, value) = option.split_at(option.find(['=', ' ', '\t'])?);
    let value = value.trim().trim_start_matches('=').trim().trim_matches('"');
    name.eq_ignore_ascii_case("port").then(|| value.parse().ok())?
}

fn url_port(destination: &str) -> Option<u16> {
    let authority = destination.strip_prefix("ssh://")?.split('/').next()?;
    authority.rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_command_line_of_our_configuration_is_run_without_a_parser() {
        for (words, is_run) in [
            (&["pushready", "ssh-match", "aa"][..], true),
            (&["pushready", "ssh-match", "--help"], false),
            (&["pushready", "ssh-match"], false),
            (&["pushready", "ssh-match", "aa", "bb"], false),
            (&["pushready", "status", "aa"], false),
        ] {
            let run = run_alone(words.iter().map(OsString::from));
            // no ssh is the parent of a test
            assert_eq!(run, is_run.then_some(Exit::NotReady), "{words:?}");
        }
    }

    const ROUTES: &str =
        "aa github.com - acme/app\nbb github.com - acme/app-two\ncc ghe.corp 7999 prj/r\n";

    fn asks(id: &str, command_line: &[&str]) -> bool {
        is_about(command_line, ROUTES, id)
    }

    #[test]
    fn answers_for_exactly_the_repository() {
        let push = |path: &str| format!("git-receive-pack '{path}'");
        let cases = [
            ("aa", "acme/app.git", true),
            ("aa", "acme/app", true),
            ("aa", "/acme/app.git", true),
            ("aa", "Acme/App.git", true),
            ("aa", "acme/app-two.git", false),
            ("bb", "acme/app-two.git", true),
            ("bb", "acme/app.git", false),
            ("aa", "acme/app.github.io", false),
            ("aa", "x/acme/app.git", false),
            ("zz", "acme/app.git", false),
        ];
        for (id, path, expected) in cases {
            let command = push(path);
            assert_eq!(asks(id, &["ssh", "git@github.com", &command]), expected, "{id} {path}");
        }
    }

    #[test]
    fn finds_the_command_behind_every_form_of_option() {
        let forms: &[&[&str]] = &[
            &[
                "ssh",
                "-o",
                "SendEnv=GIT_PROTOCOL",
                "git@github.com",
                "git-upload-pack 'acme/app.git'",
            ],
            &[
                "ssh",
                "-oBatchMode=yes",
                "-p",
                "22",
                "git@github.com",
                "git-upload-pack 'acme/app.git'",
            ],
            &[
                "ssh",
                "-4",
                "-G",
                "-i",
                "k",
                "-i",
                "l",
                "github.com",
                "git-upload-pack 'acme/app.git'",
            ],
            &["ssh", "-vvi", "k", "github.com", "git-upload-pack 'acme/app.git'"],
            &["ssh", "github.com", "-p", "22", "-l", "git", "git-upload-pack 'acme/app.git'"],
            &["ssh", "--", "github.com", "git-upload-pack 'acme/app.git'"],
            &["/usr/bin/ssh", "github.com", "--", "git-upload-pack", "'acme/app.git'"],
            &["ssh", "git@github.com", "git-lfs-authenticate acme/app.git upload"],
            &["ssh", "git@github.com", "git-lfs-authenticate acme/app.git/info/lfs upload"],
        ];
        for form in forms {
            assert!(asks("aa", form), "{form:?}");
        }
    }

    #[test]
    fn without_a_git_command_it_does_not_match() {
        for form in [
            &["ssh", "-T", "git@github.com"][..],
            &["ssh", "git@github.com", "echo acme/app.git"],
            // a repository of that name may be there
            &["ssh", "git@github.com", "git-lfs-authenticate acme/app/info/lfs upload"],
            &["ssh", "git@github.com", "git-receive-pack 'acme/app.git/info/lfs'"],
            &["ssh"],
            &[],
            &["ssh", "-p"],
            &["bash", "-c", "git-upload-pack 'acme/app.git'"],
        ] {
            assert!(!asks("aa", form), "{form:?}");
        }
    }

    #[test]
    fn the_repository_that_exists_nowhere_has_a_route_of_its_own() {
        let probe = probe().unwrap();
        let app = Repository::parse_declared("acme/app").unwrap();
        let routes = routes(std::slice::from_ref(&app));
        let words = [vec!["ssh".to_owned(), "-G".to_owned()], crate::ssh_cli::push(&probe, &probe)]
            .concat();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        assert!(is_about(&words, &routes, &probe.id().to_string()));
        assert!(!is_about(&words, &routes, &app.id().to_string()));
        assert_eq!(super::routes(&[]), "");
    }

    #[test]
    fn the_probe_of_apply_is_answered() {
        let probe = ["ssh", "-F", "c", "-G", &format!("git@{PROBE_HOST}"), PROBE_COMMAND];
        assert!(is_about(&probe, PROBE_ROUTE, PROBE));
    }

    #[test]
    fn a_declared_port_distinguishes_servers_on_one_host() {
        let command = "git-upload-pack '/prj/r.git'";
        assert!(asks("cc", &["ssh", "-p", "7999", "git@ghe.corp", command]));
        assert!(asks("cc", &["ssh", "-oPort=7999", "git@ghe.corp", command]));
        assert!(asks("cc", &["ssh", "git@ghe.corp", command]));
        assert!(!asks("cc", &["ssh", "-p7998", "git@ghe.corp", command]));
        assert!(!asks("cc", &["ssh", "ssh://git@ghe.corp:22", command]));
    }

    /// Each command line, and the port that ssh takes of it.
    const PORTS: &[(&[&str], Option<u16>)] = &[
        (&["h"], None),
        (&["-p", "1", "h"], Some(1)),
        (&["-p", "1", "-p", "2", "h"], Some(1)),
        (&["-p1", "h", "-p2"], Some(1)),
        (&["-o", "Port=2", "-p", "1", "h"], Some(2)),
        (&["-p", "1", "-o", "Port=2", "h"], Some(1)),
        (&["-oPort=2", "-oPort=3", "h"], Some(2)),
        (&["-o", "port 5", "h"], Some(5)),
        (&["-o", " Port = 5", "h"], Some(5)),
        (&["-o", "Port=\"5\"", "h"], Some(5)),
        (&["-p", "3", "ssh://h:4"], Some(3)),
        (&["ssh://h:4", "-p", "3"], Some(4)),
        (&["ssh://git@h:4", "-o", "Port=3"], Some(4)),
    ];

    #[test]
    fn the_first_port_counts() {
        for (arguments, port) in PORTS {
            let words = [&["ssh"], *arguments, &["git-upload-pack 'o/r'"]].concat();
            let invocation = invocation(&words).unwrap_or_else(|| panic!("{words:?}"));
            assert_eq!(invocation.port, *port, "{words:?}");
        }
    }

    #[test]
    fn the_installed_ssh_takes_the_same_port() {
        for (arguments, port) in PORTS {
            let mut ssh = std::process::Command::new("ssh");
            ssh.args(["-F", "none", "-G"]).args(*arguments);
            let output = ssh.output().unwrap();
            let config = String::from_utf8(output.stdout).unwrap();
            let found = config.lines().find_map(|line| line.strip_prefix("port ")?.parse().ok());
            assert_eq!(found, Some(port.unwrap_or(22)), "{arguments:?}");
        }
    }

    proptest! {
        #[test]
        fn a_neighbour_never_gets_the_key(
            mine in "[a-c]{1,2}/[a-cA-C.-]{1,3}",
            other in "~?/?[a-c]{1,2}/[a-cA-C.-]{1,3}[/0-9]?",
            suffix in prop::sample::select(vec!["", ".git", "/", ".git/", ".github.io", "-two", "2", " x", "%20x"]),
            verb in prop::sample::select(vec!["git-upload-pack", "git-receive-pack", "git upload-archive"]),
            near: bool,
        ) {
            let Ok(repository) = Repository::parse_declared(&format!("h.corp/{mine}")) else { return Ok(()) };
            let path = if near { format!("{mine}{suffix}") } else { format!("{other}{suffix}") };
            let asked = path.strip_prefix("~/").unwrap_or(&path).trim_start_matches('/');
            let asked = asked.strip_suffix('/').unwrap_or(asked);
            let asked = asked.strip_suffix(".git").unwrap_or(asked);
            let command = format!("{verb} '{path}'");
            let id = repository.id().to_string();
            let answer = is_about(&["ssh", "git@h.corp", &command], &route(&repository), &id);
            prop_assert_eq!(answer, asked.eq_ignore_ascii_case(repository.path()), "{} {}", mine, path);
        }
    }
}
