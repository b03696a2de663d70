use std::fmt::Write as _;
use std::process::Command;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::instead_of::{Covered, Direction, Route, Rules, rewrite};
use super::remote_command::Verb;
use super::*;

/// Of the right form, and in pieces: a scanner of this file must not take it for a real one.
const TOKEN: &str = concat!("gh", "p_", "0123456789abcdef", "0123456789abcdef", "0123");

fn url(text: &str) -> GitUrl {
    GitUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn declared(text: &str) -> Repository {
    Repository::parse_declared(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn declared_problem(text: &str) -> Problem {
    Repository::parse_declared(text).expect_err(text).problem()
}

#[test]
fn repositories_are_equal_where_their_canonical_urls_are() {
    let spellings = [
        "o/r",
        "O/R.git",
        "https://github.com/o/r",
        "git@github.com:o/r2.git",
        "h.corp/o/r",
        "gitea@h.corp:o/r",
        "ssh://git@h.corp:2222/o/r",
        "ssh://git@H.corp:2222/O/r.git",
        "h2.corp/o/r",
        "ssh://git@h.corp:22/o/r",
        "https://dev.azure.com/o/p/_git/r",
        "git@ssh.dev.azure.com:v3/O/p/r",
    ];
    let all = spellings.map(|text| Repository::parse_declared(text).unwrap());
    for one in &all {
        for other in &all {
            assert_eq!(one == other, one.cmp(other).is_eq(), "{one:?} {other:?}");
        }
    }
}

#[test]
fn rewrites_every_row_of_the_table() {
    let table = [
        ("https://github.com/o/r", "git@github.com:o/r.git"),
        ("https://github.com/o/r.git", "git@github.com:o/r.git"),
        ("https://github.com/o/r/", "git@github.com:o/r.git"),
        ("https://github.com/o/r.git/", "git@github.com:o/r.git"),
        ("http://github.com/o/r", "git@github.com:o/r.git"),
        ("git://github.com/o/r.git", "git@github.com:o/r.git"),
        ("https://www.github.com/o/r", "git@github.com:o/r.git"),
        ("https://user@github.com/o/r", "git@github.com:o/r.git"),
        ("https://github.com:443/o/r", "git@github.com:o/r.git"),
        ("https://GitHub.com./O/r", "git@github.com:O/r.git"),
        ("https://x-access-token:TOK@github.com/o/r", "git@github.com:o/r.git"),
        ("https://oauth2:TOK@gitlab.com/o/r", "git@gitlab.com:o/r.git"),
        ("https://gitlab.host/g/sub/sub/p.git", "git@gitlab.host:g/sub/sub/p.git"),
        ("https://bitbucket.org/ws/r.git", "git@bitbucket.org:ws/r.git"),
        ("https://h.corp/scm/PRJ/r.git", "git@h.corp:PRJ/r.git"),
        ("ssh://git@h.corp:7999/prj/r.git", "ssh://git@h.corp:7999/prj/r.git"),
        ("ssh://git@h.corp:7999/~user/r.git", "ssh://git@h.corp:7999/~user/r.git"),
        ("https://dev.azure.com/org/proj/_git/repo", "git@ssh.dev.azure.com:v3/org/proj/repo"),
        (
            "https://org@dev.azure.com/org/my%20proj/_git/repo",
            "git@ssh.dev.azure.com:v3/org/my%20proj/repo",
        ),
        ("https://dev.azure.com/org/_git/repo", "git@ssh.dev.azure.com:v3/org/repo/repo"),
        (
            "ssh://git@ssh.dev.azure.com/v3/org/my%20proj/r",
            "git@ssh.dev.azure.com:v3/org/my%20proj/r",
        ),
        ("https://org.visualstudio.com/proj/_git/r", "org@vs-ssh.visualstudio.com:v3/org/proj/r"),
        ("https://org.visualstudio.com/_git/r", "org@vs-ssh.visualstudio.com:v3/org/r/r"),
        (
            "https://org.visualstudio.com/DefaultCollection/proj/_git/r",
            "org@vs-ssh.visualstudio.com:v3/org/proj/r",
        ),
        ("https://ghe.corp/o/r", "git@ghe.corp:o/r.git"),
        ("https://codeberg.org/o/r.git", "git@codeberg.org:o/r.git"),
        ("ssh://git@gitea.corp:2222/o/r.git", "ssh://git@gitea.corp:2222/o/r.git"),
        ("https://git.sr.ht/~u/r", "git@git.sr.ht:~u/r"),
        ("https://git.sr.ht/%7Eu/r", "git@git.sr.ht:~u/r"),
        // forms of SSH
        ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ("git@github.com:/o/r", "git@github.com:o/r.git"),
        ("git@github.com:~/o/r", "git@github.com:o/r.git"),
        ("github.com:o/r", "git@github.com:o/r.git"),
        ("org-123@github.com:o/r.git", "git@github.com:o/r.git"),
        ("ssh://git@github.com:22/o/r.git", "git@github.com:o/r.git"),
        ("ssh://github.com/~/o/r.git", "git@github.com:o/r.git"),
        ("git+ssh://git@github.com/o/r.git", "git@github.com:o/r.git"),
        ("ssh+git://git@github.com/o/r.git", "git@github.com:o/r.git"),
        ("ssh://git@ssh.github.com:443/o/r.git", "git@github.com:o/r.git"),
        ("ssh://git@altssh.gitlab.com:443/g/r.git", "git@gitlab.com:g/r.git"),
        ("ssh://git@altssh.bitbucket.org:443/w/r.git", "git@bitbucket.org:w/r.git"),
        ("[git@h.corp:2222]:o/r", "ssh://git@h.corp:2222/o/r.git"),
        ("gitea@[h.corp:22]:o/r", "gitea@h.corp:o/r.git"),
        ("https://h.corp/scm/~user/r.git", "git@h.corp:~user/r.git"),
        ("git@[h.corp:22]:o/r", "git@h.corp:o/r.git"),
        ("gitea@h.corp:o/r", "gitea@h.corp:o/r.git"),
        ("git@git.corp:repo.git", "git@git.corp:repo.git"),
        ("git@gitlab:g/libstdc++.git", "git@gitlab:g/libstdc++.git"),
    ];
    for (from, to) in table {
        let url = url(from);
        let repository = url.repository().unwrap_or_else(|| panic!("{from}: {:?}", url.problem()));
        assert_eq!(repository.to_ssh(), to, "{from}");
    }
}

#[test]
fn leaves_alone_what_no_deploy_key_serves() {
    let table = [
        ("https://gist.github.com/0123456789abcdef", Problem::Gist),
        ("git@gist.github.com:0123456789abcdef.git", Problem::Gist),
        ("https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/R", Problem::CodeCommit),
        ("codecommit::eu-west-1://R", Problem::CodeCommit),
        ("https://source.developers.google.com/p/x/r/y", Problem::GoogleSource),
        ("https://chromium.googlesource.com/chromium/src", Problem::Gerrit),
        ("https://gerrit.corp/a/project", Problem::Gerrit),
        ("ssh://me@review.corp:29418/project", Problem::Gerrit),
        ("https://github.com/o/r.wiki.git", Problem::Wiki),
        ("git@gitlab.com:g/r.wiki.git", Problem::Wiki),
        ("https://raw.githubusercontent.com/o/r/main/x", Problem::NotGitHost),
        ("https://codeload.github.com/o/r", Problem::NotGitHost),
        ("https://api.github.com/repos/o", Problem::NotGitHost),
        ("file:///srv/git/r.git", Problem::LocalPath),
        ("/srv/git/r.git", Problem::LocalPath),
        ("../r.git", Problem::LocalPath),
        ("no_push", Problem::LocalPath),
        ("DISABLED", Problem::LocalPath),
        ("./a:b", Problem::LocalPath),
        ("ext::sh -c evil", Problem::Helper),
        ("transport::address", Problem::Helper),
        ("HTTPS://github.com/o/r", Problem::UnknownScheme),
        ("svn://github.com/o/r", Problem::UnknownScheme),
        // hostile or mistaken
        ("https://github.com/../o/r", Problem::DotName),
        ("https://github.com/o/..", Problem::DotName),
        ("https://github.com//o/r", Problem::EmptyName),
        ("ssh://git@github.com//o/r", Problem::EmptyName),
        ("https://github.com/o/r//", Problem::EmptyName),
        ("https://github.com/o/.git", Problem::EmptyName),
        ("https://h.corp/~/r", Problem::EmptyName),
        ("https://github.com/o/%2e%2e", Problem::PercentEscape),
        ("https://github.com/o/r%2Fx", Problem::PercentEscape),
        ("https://github.com/o/r%00", Problem::PercentEscape),
        ("https://github.com/o/%2dr", Problem::LeadingDash),
        ("https://github.com/o\\r/x", Problem::Backslash),
        ("https://evil.com\\@github.com/o/r", Problem::Backslash),
        ("git@h.corp:o\\r", Problem::Backslash),
        ("https://github.com/o/r?x=y", Problem::Query),
        ("https://github.com/o/r.git.git", Problem::SuffixTwice),
        ("https://github.com/o/r/tree/main", Problem::WrongDepth),
        ("https://github.com/o", Problem::WrongDepth),
        ("https://github.com/o.x/r", Problem::BadOwner),
        ("https://github.com/~o/r", Problem::BadOwner),
        ("https://github.com", Problem::PathMissing),
        ("https://github.com/", Problem::PathMissing),
        ("git@github.com:", Problem::PathMissing),
        ("https:///o/r", Problem::HostMissing),
        ("https://g\u{456}thub.com/o/r", Problem::LookalikeHost),
        ("https://xn--gthub-n4a.com/o/r", Problem::LookalikeHost),
        ("https://git..hub/o/r", Problem::BadHost),
        ("https://[::1]/o/r", Problem::BadHost),
        ("ssh://git@h%2fevil/o/r", Problem::BadHost),
        ("git@h_x:o/r", Problem::BadHost),
        ("https://h.corp:0/o/r", Problem::BadPort),
        ("https://h.corp:+22/o/r", Problem::BadPort),
        ("https://h.corp:99999/o/r", Problem::BadPort),
        ("-oProxyCommand=evil:o/r", Problem::LeadingDash),
        ("ssh://-oProxyCommand=evil/o/r", Problem::LeadingDash),
        ("-evil@h.corp:o/r", Problem::LeadingDash),
        ("git@h.corp:-o/r", Problem::LeadingDash),
        ("git@h.corp:o/~-r", Problem::BadCharacter),
        ("git@h.corp:~-o/r", Problem::LeadingDash),
        ("git@evil:github.com/o/r", Problem::HostInPath),
        ("https://evil.corp/GitHub.com/o/r", Problem::HostInPath),
        ("git@evil@h.corp:o/r", Problem::BadUser),
        ("ssh://git:password@h.corp/o/r", Problem::BadUser),
        ("@h.corp:o/r", Problem::BadUser),
        ("git@h.corp:o/r;x", Problem::BadCharacter),
        ("git@h.corp:o/\u{456}", Problem::BadCharacter),
        ("https://dev.azure.com/org/proj/repo", Problem::AzureForm),
        ("git@ssh.dev.azure.com:org/proj/repo", Problem::AzureForm),
        ("https://dev.azure.com/~org/proj/_git/repo", Problem::AzureForm),
        ("https://dev.azure.com/org/_git/_git/repo", Problem::AzureForm),
        ("https://dev.azure.com/o.g/proj/_git/repo", Problem::AzureForm),
        ("x@vs-ssh.visualstudio.com:v3/-org/p/r", Problem::LeadingDash),
        ("x@vs-ssh.visualstudio.com:v3/o_g/p/r", Problem::BadHost),
    ];
    for (text, problem) in table {
        let url = url(text);
        assert_eq!(url.repository(), None, "{text}");
        assert_eq!(url.problem(), Some(problem), "{text}");
    }
    assert_eq!(GitUrl::parse("").unwrap_err().problem(), Problem::Empty);
    assert_eq!(GitUrl::parse("git@h:o/\0").unwrap_err().problem(), Problem::ControlCharacter);
    assert_eq!(GitUrl::parse("git@h:o/r\n").unwrap_err().problem(), Problem::ControlCharacter);
    assert_eq!(GitUrl::parse(&"a".repeat(4097)).unwrap_err().problem(), Problem::TooLong);
    assert_eq!(
        GitUrl::parse(&format!("git@{}:o/r", "a".repeat(64))).unwrap().problem(),
        Some(Problem::BadHost)
    );
}

#[test]
fn knows_the_transport() {
    let table = [
        ("https://h/r", Transport::Https),
        ("http://h/r", Transport::Http),
        ("git://h/r", Transport::Git),
        ("ssh://h/r", Transport::Ssh),
        ("git+ssh://h/r", Transport::Ssh),
        ("h:r", Transport::Scp),
        ("a/h:r", Transport::Other),
        ("ext::h", Transport::Other),
    ];
    for (text, transport) in table {
        assert_eq!(url(text).transport(), transport, "{text}");
    }
}

#[test]
fn declared_repositories_are_read_in_every_form() {
    let table = [
        ("o/r", "git@github.com:o/r.git"),
        (" o/r.git \n", "git@github.com:o/r.git"),
        ("o/r/", "git@github.com:o/r.git"),
        ("o/r.js", "git@github.com:o/r.js.git"),
        ("github.com/o/r", "git@github.com:o/r.git"),
        ("gitlab.com/g/sub/r", "git@gitlab.com:g/sub/r.git"),
        ("git.corp/repo", "git@git.corp:repo.git"),
        ("localhost/o/r", "git@localhost:o/r.git"),
        ("git.sr.ht/~u/r", "git@git.sr.ht:~u/r"),
        ("dev.azure.com/org/my%20proj/_git/r", "git@ssh.dev.azure.com:v3/org/my%20proj/r"),
        ("ssh.dev.azure.com/v3/org/p/r", "git@ssh.dev.azure.com:v3/org/p/r"),
        ("https://h.corp/scm/PRJ/r.git", "ssh://git@h.corp:7999/PRJ/r.git"),
        ("git@h.corp:scm/prj/r", "git@h.corp:scm/prj/r.git"),
        ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ("ssh://git@h.corp:2222/o/r", "ssh://git@h.corp:2222/o/r.git"),
        ("https://x:TOK@github.com/o/r", "git@github.com:o/r.git"),
        // the user is cut as in any URL
        ("git@github.com/o/r", "git@github.com:o/r.git"),
    ];
    for (text, ssh) in table {
        assert_eq!(declared(text).to_ssh(), ssh, "{text}");
    }
    let table = [
        ("", Problem::Empty),
        ("r", Problem::PathMissing),
        ("g/sub/r", Problem::HostMissing),
        ("github.com/o", Problem::WrongDepth),
        ("/srv/r", Problem::LocalPath),
        ("../o/r", Problem::LocalPath),
        ("file:///o/r", Problem::LocalPath),
        ("o/..", Problem::DotName),
        ("o//r", Problem::HostMissing),
        ("-o/r", Problem::LeadingDash),
        ("o/-r", Problem::LeadingDash),
        ("o/%2e%2e", Problem::PercentEscape),
        ("o/r\0", Problem::ControlCharacter),
        ("g\u{456}thub.com/o/r", Problem::LookalikeHost),
        ("git@github.com:22/o/r.git", Problem::PortInPath),
        ("localhost:8443/o/r", Problem::PortInPath),
        ("https://gist.github.com/abc", Problem::Gist),
        ("ext::sh -c x", Problem::Helper),
    ];
    for (text, problem) in table {
        assert_eq!(declared_problem(text), problem, "{text}");
    }
}

#[test]
fn finds_a_port_in_the_path() {
    assert_eq!(url("git@github.com:22/o/r.git").port_in_path(), Some(22));
    assert_eq!(url("git@h.corp:7999/o/r.git").port_in_path(), Some(7999));
    for fine in [
        "git@h.corp:22/r.git",
        "ssh://git@h.corp:22/o/r",
        "git@h.corp:o/r/x",
        "[git@h.corp:22]:1/o/r",
    ] {
        assert_eq!(url(fine).port_in_path(), None, "{fine}");
    }
}

#[test]
fn a_repository_is_the_same_by_every_way_to_it() {
    let one = declared("ssh://git@h.corp:2222/o/r");
    assert!(one.same_as(&declared("https://h.corp/O/R")), "no port over HTTPS, case");
    assert!(one.same_as(&declared("gitea@h.corp:o/r")), "user");
    assert!(!one.same_as(&declared("ssh://git@h.corp:2223/o/r")), "another port");
    assert!(!one.same_as(&declared("https://h.corp/o/r2")), "another path");
    assert!(!one.same_as(&declared("https://h2.corp/o/r")), "another host");
    assert!(declared("o/r").same_as(&declared("ssh://git@ssh.github.com:443/o/r")));
    assert_eq!(declared("o/r"), declared("O/R"));
    assert_eq!(declared("o/r").id(), declared("https://www.github.com/O/r.git").id());
    assert_ne!(declared("o/r"), declared("o/r2"));
}

#[test]
fn the_id_is_the_digest_of_the_canonical_url() {
    // printf git@github.com:o/app.git | sha256sum | cut -c1-16
    assert_eq!(declared("O/app").id().to_string(), "5dbe73ab483307b6");
}

#[test]
fn other_spellings() {
    let https = |text: &str| declared(text).https_urls();
    assert_eq!(https("o/r"), ["https://github.com/o/r"]);
    assert_eq!(https("ssh://git@h.corp:7999/prj/r"), ["https://h.corp/scm/prj/r"]);
    assert_eq!(https("ssh://git@h.corp:2222/o/r"), ["https://h.corp/o/r"]);
    for from in ["dev.azure.com/org/p%20q/_git/r", "https://org.visualstudio.com/p%20q/_git/r"] {
        assert_eq!(https(from).len(), 2);
        for spelling in https(from) {
            assert_eq!(url(&spelling).repository(), Some(&declared(from)), "{spelling}");
        }
    }
    assert_eq!(declared("o/r").ssh_hosts(), ["github.com", "ssh.github.com", "www.github.com"]);
    assert_eq!(declared("h.corp/o/r").ssh_hosts(), ["h.corp"]);
    assert_eq!(declared("o/r").short(), "o/r");
    assert_eq!(declared("gitlab.com/g/r").short(), "gitlab.com/g/r");
}

#[test]
fn serde_goes_through_the_canonical_url() {
    let json = serde_json::to_string(&declared("o/r")).unwrap();
    assert_eq!(json, r#""git@github.com:o/r.git""#);
    assert_eq!(serde_json::from_str::<Repository>(&json).unwrap(), declared("o/r"));
    let error =
        serde_json::from_str::<Repository>(r#""https://x:hunter2@github.com/..""#).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn tells_credentials_from_user_names() {
    let ado_52 = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst";
    for text in [
        format!("https://{TOKEN}@github.com/o/r"),
        format!("https://x-access-token:{TOKEN}@github.com/o/r"),
        format!("https://{TOKEN}:x-oauth-basic@github.com/o/r"),
        format!("https://{TOKEN}:@github.com/o/r"),
        format!("https://{ado_52}@dev.azure.com/org/p/_git/r"),
        format!("https://{TOKEN}@gist.github.com/abc"),
        format!("https://{TOKEN}@github.com/"),
        format!("{TOKEN}@github.com:o/r"),
        format!("https://{}@h.corp/o/r", "opaque-".repeat(6)),
        "https://oauth2:TOK@gitlab.com/o/r".into(),
        "https://gitlab-ci-token:TOK@gitlab.com/o/r".into(),
        "https://x-token-auth:TOK@bitbucket.org/o/r".into(),
        "https://user:pa/ss@github.com/o/r".into(),
        "https://user:p@ss@github.com/o/r".into(),
        format!("https://{}{}@gitlab.com/o/r", "glpat-", "abcde".repeat(4)),
        format!("https://{}{}@git.corp.test/o/r", "at-", "abcd1".repeat(4)),
        format!("https://{}{}@git.corp.test/o/r", "rt_", "abcd1".repeat(4)),
        "https://0123456789abcdef0123456789abcdef@gitea.corp/o/r".into(),
        "ssh://git:password@h.corp/o/r".into(),
        "user:password@h.corp:o/r".into(),
    ] {
        let url = url(&text);
        assert!(url.has_credential(), "{text}");
        assert!(!url.without_credential().contains('@'), "{text} {}", url.without_credential());
        assert!(url.to_string().contains("***@"), "{text} {url}");
    }
    assert_eq!(url(&format!("{TOKEN}@h.corp:o/r")).problem(), Some(Problem::BadUser));
    for text in [
        "https://alice@github.com/o/r",
        "https://alice:@github.com/o/r",
        "https://org@dev.azure.com/org/p/_git/r",
        "https://alice%40corp.com@h.corp/scm/p/r",
        "https://x-access-token@github.com/o/r",
        "https://h.corp:8443/o/r@v1",
        "https://github.com/o:x/r@v1",
        "git@github.com:o/r.git",
        "h.corp:o/r@v1",
        "https://github.com/o/r",
    ] {
        assert!(!url(text).has_credential(), "{text}");
        assert_eq!(url(text).without_credential(), text);
    }
    assert_eq!(
        url("https://alice%40corp.com@h.corp/scm/p/r").to_string(),
        "https://alice%40corp.com@h.corp/scm/p/r"
    );
}

#[test]
fn what_does_not_parse_is_shown_safely() {
    let table = [
        ("https://u:hunter2@github.com/../r", "https://***@github.com/../r"),
        ("https:/u:hunter2@github.com/o/r", "***@github.com/o/r"),
        ("git clone https://u:hunter2@github.com", "***@github.com"),
        ("https://github.com/o/r?token=hunter2", "https://github.com/o/r?***"),
        ("g\u{456}thub.com/o/r", "g\\u{456}thub.com/o/r"),
        ("o/r\u{202e}", "o/r\\u{202e}"),
        ("-----BEGIN\nhunter2", "<18 bytes, not shown>"),
    ];
    for (text, shown) in table {
        assert_eq!(redact(text), shown);
    }
    assert_eq!(redact(&format!("https://github.com/{TOKEN}/x")), "https://github.com/***/x");
    assert_eq!(redact(&"key".repeat(100)), "<300 bytes, not shown>");
    let error = Repository::parse_declared("https://u:hunter2@github.com/..").unwrap_err();
    assert!(
        error.to_string().starts_with("`https://***@github.com/..` has `.` or `..`"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn reads_the_remote_command() {
    let table = [
        ("git-upload-pack 'o/r.git'", Verb::UploadPack),
        ("git-receive-pack '/o/r.git'", Verb::ReceivePack),
        ("git-upload-archive '/~/o/r.git/'", Verb::UploadArchive),
        ("git upload-pack '~/o/r'", Verb::UploadPack),
        ("git receive-pack o/r", Verb::ReceivePack),
        ("git upload-archive o/r", Verb::UploadArchive),
        ("git-lfs-authenticate o/r.git download", Verb::LfsAuthenticate),
        ("git-lfs-authenticate /o/r.git upload", Verb::LfsAuthenticate),
        ("git-lfs-authenticate o/r.git/info/lfs upload", Verb::LfsAuthenticate),
        ("git-lfs-transfer /o/r.git/info/lfs download", Verb::LfsTransfer),
        ("git-lfs-transfer o/r.git upload", Verb::LfsTransfer),
    ];
    for (command, verb) in table {
        let expected = Some((verb, "o/r".to_owned()));
        assert_eq!(remote_command_repository(&[command]), expected, "{command}");
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(remote_command_repository(&words), expected, "{command}");
    }
    let path = |command: &str| remote_command_repository(&[command]).map(|(_, path)| path);
    assert_eq!(path("git-upload-pack '~u/r'").as_deref(), Some("~u/r"));
    assert_eq!(path("git-upload-pack 'v3/org/my proj/r'").as_deref(), Some("v3/org/my%20proj/r"));
    assert_eq!(path("git-upload-pack 'v3/org/my%20proj/r'").as_deref(), Some("v3/org/my%20proj/r"));
    assert_eq!(path("git-upload-pack '22/o/r.git'").as_deref(), Some("22/o/r"));
    for command in [
        "",
        "git-upload-pack",
        "git-upload-pack ''",
        "git-upload-pack 'o/r",
        "git-upload-pack 'o/r' x",
        "git-upload-pack 'o/r'; evil",
        "git-upload-pack 'o/r'\nevil",
        "git-upload-pack 'o/r'\\''s.git'",
        "git-upload-pack 'o/it'\\''s.git'",
        "git-upload-pack 'o/r'\\!''",
        "git-upload-pack 'o/../r'",
        "git-upload-pack\n'o/r'",
        "git-upload-pack $(id)",
        "git-shell 'o/r'",
        "upload-pack 'o/r'",
        "git-lfs-authenticate o/r.git",
        "git-lfs-authenticate upload o/r.git",
        "git-lfs-transfer o/r.git delete",
    ] {
        assert_eq!(remote_command_repository(&[command]), None, "{command}");
    }
}

fn rule(base: &str, prefix: &str) -> UrlRule {
    UrlRule { base: base.into(), prefix: prefix.into() }
}

/// The user's rules, then ours, as an include at the end of the configuration gives them.
fn effective(user: &[UrlRule], ours: &Rules, url: &str) -> String {
    rewrite(&[user, &ours.to_write].concat(), url)
}

#[test]
fn of_equal_matches_git_takes_the_base_named_first() {
    let rules = [rule("A:", "x"), rule("B:", "https://"), rule("A:", "https://")];
    assert_eq!(rewrite(&rules, "https://h"), "A:h");
    assert_eq!(rewrite(&rules, "x"), "A:");
    assert_eq!(rewrite(&rules, "X"), "X");
}

#[test]
fn neighbours_keep_their_urls() {
    let app = declared("o/app");
    let ours = instead_of_rules([&app], &[], &[], Route::Canonical, Direction::Both);
    assert!(ours.covered.is_empty());
    for own in ["https://github.com/o/app", "https://github.com/o/app.git"] {
        assert_eq!(effective(&[], &ours, own), app.to_ssh());
    }
    for own in ["https://github.com/o/app/", "https://github.com/o/app.git/"] {
        assert_eq!(url(&effective(&[], &ours, own)).repository(), Some(&app), "{own}");
    }
    for name in [
        "app-two",
        "app.github.io",
        "app2",
        "apple",
        "app_x",
        "app.git2",
        "app.gitx",
        "app.wiki.git",
        "ap",
    ] {
        let neighbour = format!("https://github.com/o/{name}");
        assert_eq!(effective(&[], &ours, &neighbour), neighbour);
    }
    let azure = declared("dev.azure.com/org/p/_git/r");
    let ours = instead_of_rules([&azure], &[], &[], Route::Canonical, Direction::Both);
    assert_eq!(effective(&[], &ours, "https://org@dev.azure.com/org/p/_git/r"), azure.to_ssh());
    for neighbour in
        ["https://dev.azure.com/org/p/_git/r%20two", "https://dev.azure.com/org/p/_git/r.git"]
    {
        assert_eq!(effective(&[], &ours, neighbour), neighbour);
    }
}

#[test]
fn keyed_neighbours_work_together() {
    let names = ["app", "app-two", "app2", "app2x", "app.js", "app.gitx", "ap"];
    let repositories = names.map(|name| declared(&format!("o/{name}")));
    let ours = instead_of_rules(&repositories, &[], &[], Route::Canonical, Direction::Both);
    for repository in &repositories {
        for own in [
            repository.https_urls().remove(0),
            format!("{}.git", repository.https_urls().remove(0)),
        ] {
            assert_eq!(effective(&[], &ours, &own), repository.to_ssh());
        }
    }
    for name in ["app3", "app2y", "app-tw", "app-two3", "app.jsx", "a"] {
        let neighbour = format!("https://github.com/o/{name}");
        assert_eq!(effective(&[], &ours, &neighbour), neighbour);
    }
}

#[test]
fn the_users_own_rules_win_and_are_reported() {
    let app = declared("o/app");
    let all = [rule("git@github.com:", "https://github.com/")];
    let ours = instead_of_rules([&app], &[], &all, Route::Canonical, Direction::Both);
    assert_eq!(ours.to_write, []);
    assert_eq!(
        ours.covered,
        [
            Covered {
                prefix: "https://github.com/o/app".into(),
                effective: "git@github.com:o/app".into(),
                reversed: false
            },
            Covered {
                prefix: "https://github.com/o/app.git".into(),
                effective: "git@github.com:o/app.git".into(),
                reversed: false
            },
        ]
    );
    // a rule on what would be a guard
    let user = [rule("https://mirror/", "https://github.com/o/app.")];
    let ours = instead_of_rules([&app], &[], &user, Route::Canonical, Direction::Both);
    assert_eq!(ours.covered.len(), 1);
    assert_eq!(effective(&user, &ours, "https://github.com/o/app.js"), "https://mirror/js");
    assert_eq!(effective(&user, &ours, "https://github.com/o/app"), app.to_ssh());
    assert!(!ours.to_write.iter().any(|ours| ours.prefix == "https://github.com/o/app."));
}

#[test]
fn a_reverse_rule_is_defeated_for_keyed_repositories_alone() {
    let app = declared("o/app");
    let user = [rule("https://github.com/", "git@github.com:")];
    let ours = instead_of_rules([&app], &[], &user, Route::Canonical, Direction::Both);
    assert_eq!(ours.covered, []);
    for own in ["git@github.com:o/app", "git@github.com:o/app.git"] {
        assert_eq!(effective(&user, &ours, own), own);
    }
    for name in ["app-two.git", "app.github.io.git", "app2", "ap", "app.git2"] {
        let neighbour = format!("git@github.com:o/{name}");
        assert_eq!(effective(&user, &ours, &neighbour), format!("https://github.com/o/{name}"));
    }
    // the forms that it does not turn back need no rule
    assert!(!ours.to_write.iter().any(|rule| rule.prefix.starts_with("ssh://")));
}

#[test]
fn a_reverse_rule_that_cannot_be_defeated_is_reported_without_its_credential() {
    let app = declared("o/app");
    let token = format!("https://x-access-token:{TOKEN}@github.com/");
    let with_token = [rule(&token, "git@github.com:")];
    let same = [
        rule("https://github.com/o/app", "git@github.com:o/app"),
        rule("x", "git@github.com:o/app.git"),
    ];
    for user in [&with_token[..], &same] {
        for route in [Route::Canonical, Route::Alias] {
            let ours = instead_of_rules([&app], &[], user, route, Direction::Both);
            let reversed = ours.covered.iter().filter(|covered| covered.reversed);
            let reversed: Vec<_> = reversed.map(|covered| &*covered.prefix).collect();
            for prefix in ["git@github.com:o/app", "git@github.com:o/app.git"] {
                assert!(reversed.contains(&prefix), "{reversed:?}");
            }
            assert!(!format!("{ours:?}").contains(TOKEN));
        }
    }
    let covering = [rule(&token, "https://github.com/")];
    let ours = instead_of_rules([&app], &[], &covering, Route::Canonical, Direction::Both);
    assert!(ours.covered.len() == 2 && !format!("{ours:?}").contains(TOKEN), "{ours:?}");
}

#[test]
fn what_leads_over_ssh_to_the_same_repository_is_left_alone() {
    let user = [rule("ssh://git@ssh.github.com:443/", "git@github.com:")];
    let app = declared("o/app");
    let ours = instead_of_rules([&app], &[], &user, Route::Canonical, Direction::Both);
    assert_eq!(ours.covered, []);
    assert_eq!(
        effective(&user, &ours, "git@github.com:o/app.git"),
        "ssh://git@ssh.github.com:443/o/app.git"
    );
    let mirrored = [rule("git@mirror.corp:", "git@github.com:")];
    let ours = instead_of_rules([&app], &[], &mirrored, Route::Canonical, Direction::Both);
    assert_eq!(
        effective(&mirrored, &ours, "git@github.com:o/app.git"),
        "git@mirror.corp:o/app.git"
    );
    assert!(ours.covered.iter().all(|covered| covered.reversed) && ours.covered.len() == 2);
}

#[test]
fn an_alias_takes_every_spelling_and_no_neighbour() {
    let app = declared("o/app");
    let host = |name: &str| format!("{}.{name}.pushready.invalid", app.id());
    let user = [rule("git@github.com:", "https://github.com/")];
    for user in [&[][..], &user] {
        let ours = instead_of_rules([&app], &[], user, Route::Alias, Direction::Both);
        for (url, alias) in [
            ("https://github.com/o/app", format!("git@{}:o/app.git", host("github.com"))),
            ("git@github.com:o/app.git", format!("git@{}:o/app.git", host("github.com"))),
            ("ssh://git@github.com/o/app", format!("ssh://git@{}/o/app", host("github.com"))),
            ("git@github.com:/o/app.git", format!("git@{}:/o/app.git", host("github.com"))),
            (
                "git+ssh://git@github.com/o/app",
                format!("git+ssh://git@{}/o/app", host("github.com")),
            ),
            (
                "ssh://git@ssh.github.com:443/o/app.git",
                format!("ssh://git@{}:443/o/app.git", host("ssh.github.com")),
            ),
        ] {
            assert_eq!(effective(user, &ours, url), alias);
            let neighbour = url.replace("o/app", "o/app-two");
            assert_eq!(effective(user, &ours, &neighbour), rewrite(user, &neighbour));
        }
    }
    let gitea = declared("ssh://gitea@git.corp:2222/o/r");
    let ours = instead_of_rules([&gitea], &[], &[], Route::Alias, Direction::Both);
    let alias = format!("ssh://gitea@{}:2222/o/r.git", gitea.alias("git.corp"));
    assert_eq!(effective(&[], &ours, "ssh://gitea@git.corp:2222/o/r.git"), alias);
    assert_eq!(effective(&[], &ours, "https://git.corp/o/r"), alias);
}

#[test]
fn above_ten_keys_a_host_only_the_suffixed_form_is_written() {
    let repositories: Vec<Repository> = (0..11).map(|i| declared(&format!("o/r{i}x"))).collect();
    let other = declared("h.corp/o/r");
    let effective_of = |count: usize, url: &str| {
        let ours = instead_of_rules(
            repositories.iter().take(count).chain([&other]),
            &[],
            &[],
            Route::Canonical,
            Direction::Both,
        );
        effective(&[], &ours, url)
    };
    assert_eq!(effective_of(10, "https://github.com/o/r1x"), "git@github.com:o/r1x.git");
    assert_eq!(effective_of(11, "https://github.com/o/r1x"), "https://github.com/o/r1x");
    assert_eq!(effective_of(11, "https://github.com/o/r1x.git"), "git@github.com:o/r1x.git");
    assert_eq!(effective_of(11, "https://h.corp/o/r"), "git@h.corp:o/r.git");
}

#[test]
fn above_a_hundred_keys_a_host_the_rules_would_cost_more_than_they_save() {
    let repositories: Vec<Repository> = (0..101).map(|i| declared(&format!("o/r{i}x"))).collect();
    let other = declared("h.corp/o/r");
    let of = |count: usize, route: Route| {
        instead_of_rules(
            repositories.iter().take(count).chain([&other]),
            &[],
            &[],
            route,
            Direction::Both,
        )
    };
    let rules = of(100, Route::Canonical);
    assert_eq!(effective(&[], &rules, "https://github.com/o/r1x.git"), "git@github.com:o/r1x.git");
    assert_eq!(rules.unruled, [("github.com".to_owned(), Unruled::Bare)].into());
    let rules = of(101, Route::Canonical);
    assert_eq!(
        effective(&[], &rules, "https://github.com/o/r1x.git"),
        "https://github.com/o/r1x.git"
    );
    assert_eq!(effective(&[], &rules, "https://h.corp/o/r.git"), "git@h.corp:o/r.git");
    assert_eq!(rules.unruled, [("github.com".to_owned(), Unruled::All)].into());
    // without its rule an alias is never reached
    assert_ne!(
        effective(&[], &of(101, Route::Alias), "git@github.com:o/r1x.git"),
        "git@github.com:o/r1x.git"
    );
}

/// What git itself makes of URLs: one `git remote -v` in a bare-bones repository.
fn ask_git(rules: &[UrlRule], urls: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("refs")).unwrap();
    std::fs::create_dir_all(folder.path().join("objects")).unwrap();
    std::fs::write(folder.path().join("HEAD"), "ref: refs/heads/main\n").unwrap();
    let mut config = String::new();
    for UrlRule { base, prefix } in rules {
        writeln!(config, "[url \"{base}\"]\n\tinsteadOf = \"{prefix}\"").unwrap();
    }
    for (i, url) in urls.iter().enumerate() {
        writeln!(config, "[remote \"r{i:03}\"]\n\turl = \"{url}\"").unwrap();
    }
    std::fs::write(folder.path().join("global"), config).unwrap();
    let output = Command::new("git")
        .args(["remote", "-v"])
        .env("GIT_DIR", folder.path())
        .env("GIT_CONFIG_GLOBAL", folder.path().join("global"))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let fetch = text.lines().filter_map(|line| line.strip_suffix(" (fetch)"));
    fetch.map(|line| line.split_once('\t').unwrap().1.to_owned()).collect()
}

/// Hosts, paths and suffixes close to each other, so that prefixes meet.
fn close_url() -> impl Strategy<Value = String> {
    let head =
        select(vec!["https://github.com/", "https://h.corp/", "git@github.com:", "https://"]);
    (head, "[ab]{0,2}/?a?[ab.]{0,2}(\\.git)?/?").prop_map(|(head, tail)| format!("{head}{tail}"))
}

/// Few prefixes with many bases: ties are what git decides in a way of its own.
fn user_rules() -> impl Strategy<Value = Vec<UrlRule>> {
    let base =
        select(vec!["git@github.com:", "https://mirror/", "ssh://alias/", "https://github.com/"]);
    vec(close_url(), 1..4)
        .prop_flat_map(move |prefixes| vec((base.clone(), select(prefixes)), 0..7))
        .prop_map(|rules| rules.iter().map(|(base, prefix)| rule(base, prefix)).collect())
}

fn near_repository() -> impl Strategy<Value = Repository> {
    let host = select(vec!["github.com", "h.corp"]);
    (host, "[ab]/a[ab2.-]{0,3}").prop_filter_map("a repository", |(host, path)| {
        Repository::parse_declared(&format!("{host}/{path}")).ok()
    })
}

fn any_repository() -> impl Strategy<Value = Repository> {
    let user = select(vec!["", "git@", "gitea@", "Org@"]);
    let host = select(vec![
        "github.com",
        "ssh.github.com",
        "gitlab.com",
        "H.corp",
        "git.sr.ht",
        "dev.azure.com",
        "ssh.dev.azure.com",
        "org.visualstudio.com",
        "vs-ssh.visualstudio.com",
        "localhost",
        "a.b-c.d",
    ]);
    let port = select(vec!["", ":22", ":443", ":7999", ":2222"]);
    let scheme = select(vec!["https", "ssh", "git", "scp"]);
    let path = "(v3/)?(scm/)?~?[A-Za-z0-9._%+ -]{1,6}(/[A-Za-z0-9._+-]{1,6}){0,2}(/_git/[a-zA-Z%20]{1,4})?(\\.git)?/?";
    let text =
        (scheme, user, host, port, path).prop_map(
            |(scheme, user, host, port, path)| match scheme {
                "scp" => format!("{user}{host}:{path}"),
                _ => format!("{scheme}://{user}{host}{port}/{path}"),
            },
        );
    text.prop_filter_map("a repository", |text| GitUrl::parse(&text).ok()?.repository().cloned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, max_global_rejects: 1 << 20, ..ProptestConfig::default() })]

    #[test]
    fn parsing_never_panics(text in "\\PC{0,40}", pieces in vec(select(vec![
        "https://", "ssh://", "git@", "[", "]:", ":", "/", "//", "@", "%", "%2e", "%7", "~", ".git", "::", "\u{456}", "\0", "22",
    ]), 0..8)) {
        for text in [text, pieces.concat()] {
            let _ = GitUrl::parse(&text).map(|url| format!("{url} {url:?}"));
            let _ = Repository::parse_declared(&text);
            let _ = remote_command_repository(&[&text]);
            let _ = redact(&text);
        }
    }

    #[test]
    fn the_canonical_url_reads_back(repository in any_repository()) {
        let ssh = repository.to_ssh();
        let again = url(&ssh);
        prop_assert_eq!(again.repository(), Some(&repository), "{}", ssh);
        prop_assert_eq!(&again.repository().unwrap().to_ssh(), &ssh);
        // over HTTPS `/scm/` is taken for Bitbucket Server's
        prop_assume!(!repository.path().starts_with("scm/"));
        prop_assert!(declared(&repository.short()).same_as(&repository), "{}", repository.short());
        for https in repository.https_urls() {
            prop_assert!(url(&https).repository().is_some_and(|other| other.same_as(&repository)), "{}", https);
        }
    }

    #[test]
    fn repositories_are_ordered_as_their_canonical_urls(
        one in any_repository(), other in any_repository(), port in 1..30u16, paths in vec("[a-cA-C][a-cA-C-]{0,2}", 2),
    ) {
        let near = paths.iter().flat_map(|path| [
            declared(&format!("git.corp/o/{path}")), declared(&format!("ssh://git@git.corp:{port}/o/{path}")),
            declared(&format!("ssh://git@git.corp:{}/o/{path}", port * 10)), declared(&format!("dev.azure.com/o/p/_git/{path}")),
        ]);
        let all: Vec<_> = near.chain([one, other]).collect();
        let identity = |repository: &Repository| repository.to_ssh().to_ascii_lowercase();
        for one in &all {
            for other in &all {
                prop_assert_eq!(one.cmp(other), identity(one).cmp(&identity(other)), "{} {}", one.to_ssh(), other.to_ssh());
            }
        }
    }

    #[test]
    fn the_remote_command_names_the_path(repository in any_repository(), absolute: bool) {
        let slash = if absolute { "/" } else { "" };
        let command = format!("git-receive-pack '{slash}{}.git'", repository.path());
        let read = remote_command_repository(&[&command]);
        prop_assert_eq!(read, Some((Verb::ReceivePack, repository.path().to_owned())));
    }

    #[test]
    fn no_password_is_ever_shown(
        before in select(vec!["", "https://", "ssh://", "https:/", "x ", "ext::", "HTTPS://", "://"]),
        user in "[a-z]{0,6}",
        password in "zZ[ -~]{0,12}Zz",
        after in select(vec!["github.com/o/r", "h:o/r", "h/../r", "", "\0", "g\u{456}t/o/r", "h:x/o/r"]),
    ) {
        // no message contains `Z`: it marks the first and the last part of a password with `@` or `/`
        let text = format!("{before}{user}:{password}@{after}");
        let mut shown = vec![redact(&text)];
        match GitUrl::parse(&text) {
            Ok(url) => {
                shown.extend([url.to_string(), format!("{url:?}")]);
                shown.extend(url.repository().map(|repository| format!("{repository:?}")));
            }
            Err(error) => shown.extend([error.to_string(), format!("{error:?}")]),
        }
        shown.extend(Repository::parse_declared(&text).map_err(|error| format!("{error} {error:?}")).err());
        for shown in shown {
            prop_assert!(!shown.contains('Z'), "{}", shown);
        }
    }

    #[test]
    fn rules_never_touch_a_neighbour(
        repositories in vec(near_repository(), 1..5),
        user in user_rules(),
        others in vec(close_url(), 1..8),
        tail in "[azAZ09._%+-]{1,3}(\\.git)?/?",
        route in select(vec![Route::Canonical, Route::Alias]),
    ) {
        let ours = instead_of_rules(&repositories, &[], &user, route, Direction::Both);
        let spellings = |repository: &Repository| {
            let ssh = repository.ssh_urls().into_iter().map(|(url, _)| url);
            repository.https_urls().into_iter().chain(ssh).collect::<Vec<_>>()
        };
        let own = |asked: &str| repositories.iter().find_map(|repository| {
            let ends = ["", ".git", "/", ".git/"];
            let of = |url: &String| ends.iter().find(|end| asked.strip_prefix(url.as_str()) == Some(**end)).copied();
            spellings(repository).iter().find_map(of).map(|end| (repository, end.trim_end_matches('/')))
        });
        let near = repositories.iter().flat_map(spellings).flat_map(|url| {
            ["", ".git", "/", ".git/", &*tail].map(|end| format!("{url}{end}"))
        });
        for asked in near.chain(others) {
            let with = effective(&user, &ours, &asked);
            let without = rewrite(&user, &asked);
            prop_assert_eq!(&with, &rewrite(&[&ours.to_write[..], &user].concat(), &asked), "order does not matter");
            let Some((repository, _)) = own(&asked) else {
                prop_assert_eq!(&with, &without, "{}", asked);
                continue;
            };
            let reached = url(&with);
            let reached = reached.repository().filter(|_| reached.transport().is_ssh());
            let there = reached.is_some_and(|reached| match route {
                Route::Canonical => reached.same_as(repository),
                Route::Alias => repository.aliased_hosts().iter().any(|name| repository.alias(name) == reached.host()),
            });
            if there {
                continue;
            }
            // only a rule of the user keeps it from getting there: one that covers it, or one on what follows the name
            prop_assert_eq!(&with, &without, "{}", asked);
            let said = ours.covered.iter().any(|covered| asked.starts_with(&covered.prefix));
            let longer = user.iter().any(|rule| asked.starts_with(&rule.prefix) && asked.len() == rule.prefix.len());
            prop_assert!(said || longer, "{} {:?}", asked, ours.covered);
        }
    }

    #[test]
    fn an_alias_reads_back(repository in any_repository()) {
        let alias = url(&repository.to_alias());
        prop_assert!(alias.transport().is_ssh());
        for name in repository.aliased_hosts() {
            let host = repository.alias(name);
            let (id, rest) = host.split_once('.').unwrap();
            prop_assert_eq!(id, repository.id().to_string());
            prop_assert_eq!(rest.strip_suffix(".pushready.invalid"), Some(name));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_model_agrees_with_git(rules in user_rules(), urls in vec(close_url(), 1..30)) {
        let model: Vec<String> = urls.iter().map(|url| rewrite(&rules, url)).collect();
        prop_assert_eq!(ask_git(&rules, &urls), model);
    }
}

#[test]
fn git_follows_the_rules_that_we_write() {
    let repositories =
        ["o/app", "o/app2", "gitlab.com/g/s/r", "dev.azure.com/org/p/_git/r"].map(declared);
    let user = [
        rule("https://mirror/", "https://github.com/o/app-"),
        rule("ssh://all/", "https://gitlab.com/"),
        rule("https://github.com/", "git@github.com:"),
    ];
    let urls: Vec<String> = repositories
        .iter()
        .flat_map(|repository| {
            let ssh = repository.ssh_urls().into_iter().map(|(url, _)| url);
            repository.https_urls().into_iter().chain(ssh)
        })
        .flat_map(|url| {
            ["", ".git", "/", "-two", "2", "x.git", ".git.io", "%20x"]
                .map(|end| format!("{url}{end}"))
        })
        .collect();
    for route in [Route::Canonical, Route::Alias] {
        let ours = instead_of_rules(&repositories, &[], &user, route, Direction::Both);
        let all = [&user[..], &ours.to_write].concat();
        let model: Vec<String> = urls.iter().map(|url| rewrite(&all, url)).collect();
        assert_eq!(ask_git(&all, &urls), model);
    }
}

#[test]
fn ssh_is_handed_what_is_written_and_no_option() {
    let target = |text: &str| {
        let SshTarget { to, port, path } = GitUrl::parse(text).ok()?.ssh_target()?;
        Some((to, port, path))
    };
    let some = |to: &str, port, path: &str| Some((to.to_owned(), port, path.to_owned()));
    assert_eq!(target("GH-Work:acme/other.git"), some("GH-Work", None, "acme/other.git"));
    assert_eq!(target("git@h:/srv/Proj"), some("git@h", None, "/srv/Proj"));
    assert_eq!(target("ssh://git@h:7999/p/r.git"), some("git@h", Some(7999), "/p/r.git"));
    for odd in [
        "ssh://-oProxyCommand=touch${IFS}x;@github.com/acme/thing.git",
        "-oProxyCommand=x@github.com:acme/thing.git",
        "ssh://-Fx/acme/thing.git",
        "ssh://git@-Fx/acme/thing.git",
        "git@h:-x/r.git",
        "ssh://g it@h/o/r.git",
        "https://h/o/r.git",
    ] {
        assert_eq!(target(odd), None, "{odd}");
    }
}
