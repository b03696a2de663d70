//! Credentials that stand in a git configuration: in URLs, in headers, in helpers that are written
//! out. Pure.

use crate::git::config::{self, ConfigVariable};
use crate::git::url::{GitUrl, redact};

/// No report lists more of one file.
const MOST: usize = 100;

/// The variables that hold one, each as it may be printed: the first of them.
pub fn of(config: &[u8]) -> Vec<String> {
    match config::variables(config) {
        Ok(variables) => variables.filter_map(|it| shown_if_leaky(&it)).take(MOST).collect(),
        // git stops at the line that it does not take; a token below it can be read all the same
        Err(_) => of_text(&String::from_utf8_lossy(config)),
    }
}

fn of_text(text: &str) -> Vec<String> {
    words(text).filter(|word| is_leaky(word)).map(redact).take(MOST).collect()
}

fn shown_if_leaky(variable: &ConfigVariable) -> Option<String> {
    let ConfigVariable { section, subsection, key, value, .. } = variable;
    let value = value.as_deref().unwrap_or_default();
    let subsection = subsection.as_deref().unwrap_or_default();
    let shown = match (&**section, &**key) {
        // scp-like ones have no `://` to be known by
        (_, "url" | "pushurl") if GitUrl::parse(value).is_ok_and(|url| url.has_credential()) => {
            redact(value)
        }
        // https://git-scm.com/docs/git-config#Documentation/git-config.txt-httpextraHeader
        ("http", "extraheader")
            if value.to_lowercase().trim_start().starts_with("authorization:") =>
        {
            "authorization: ***".to_owned()
        }
        ("credential", "helper") if holds_password(value) => "***".to_owned(),
        _ if words(subsection).chain(words(value)).any(is_leaky) => "***".to_owned(),
        _ => return None,
    };
    let subsection =
        if subsection.is_empty() { String::new() } else { format!("{}.", redact(subsection)) };
    Some(format!("{section}.{subsection}{key} = {shown}"))
}

/// A helper may be a script in the configuration itself; what it takes from a variable or a file
/// does not stand there.
fn holds_password(helper: &str) -> bool {
    helper.starts_with('!')
        && helper
            .split("password=")
            .skip(1)
            .any(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "\"'=".contains(c))
}

fn is_leaky(word: &str) -> bool {
    word.contains("://") && GitUrl::parse(word).is_ok_and(|url| url.has_credential())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wherever_git_would_take_it_from_and_nowhere_else() {
        for (config, shown) in [
            (
                "[remote \"a\"]\n url = https://u:SECRET@h.test/o/r",
                "remote.a.url = https://***@h.test/o/r",
            ),
            ("[remote \"a\"]\n pushurl = u:SECRET@h.test:o/r", "remote.a.pushurl = ***@h.test:o/r"),
            (
                "[url \"https://u:SECRET@h.test/\"]\n insteadOf = https://h.test/",
                "url.https://***@h.test/.insteadof = ***",
            ),
            (
                "[url \"ssh://g@h/\"]\n insteadOf = https://u:SECRET@h.test/",
                "url.ssh://g@h/.insteadof = ***",
            ),
            (
                "[submodule \"s\"]\n url = https://u:SECRET@h.test/o/s",
                "submodule.s.url = https://***@h.test/o/s",
            ),
            ("[branch \"b\"]\n remote = https://u:SECRET@h.test/o/r", "branch.b.remote = ***"),
            (
                "[http \"https://h.test/\"]\n extraHeader = AUTHORIZATION: basic SECRET",
                "http.https://h.test/.extraheader = authorization: ***",
            ),
            (
                "[credential]\n helper = \"!f() { echo password=SECRET; }; f\"",
                "credential.helper = ***",
            ),
            ("[alias]\n up = !git push https://u:SECRET@h.test/o/r", "alias.up = ***"),
            ("[broken\n\turl=https://u:SECRET@h.test/o/r\n", "https://***@h.test/o/r"),
        ] {
            assert_eq!(of(config.as_bytes()), [shown], "{config}");
        }
        for config in [
            "[remote \"a\"]\n url = https://alice@h.test/o/r",
            "[remote \"a\"]\n url = git@h.test:o/r",
            "[http]\n extraHeader = X-Trace: 1\n proxy = http://proxy.test:8080",
            "[credential]\n helper = \"!f() { echo password=$TOKEN; }; f\"\n helper = store",
            "[user]\n email = a.name.of.more.than.thirty.nine.characters@h.test\n signingkey = ssh-ed25519 AAAA",
            "[alias]\n who = log --format='%an:%ae@x'",
        ] {
            assert_eq!(of(config.as_bytes()), [""; 0], "{config}");
        }
    }
}
