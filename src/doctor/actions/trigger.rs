//! Whether a push to a branch makes a run (docs, "Workflow syntax": `on.push`, and the filter
//! pattern cheat sheet).

use super::workflow::{Trigger, WorkflowFile, WorkflowProblem};

/// In a commit message they stop `push` and `pull_request` runs (docs, "Skipping workflow runs").
const SKIPS: [&str; 5] = ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"];

/// What in the message skips the runs.
pub fn skip_string(message: &str) -> Option<&'static str> {
    let trailer = || {
        message.lines().any(|line| line.replace(' ', "").eq_ignore_ascii_case("skip-checks:true"))
    };
    SKIPS
        .into_iter()
        .find(|skip| message.contains(skip))
        .or_else(|| trailer().then_some("skip-checks: true"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    Yes,
    /// It depends on the changed files, or on a pull request.
    Perhaps(&'static str),
    No(&'static str),
}

/// Whether a push to `branch` makes a run of `workflow`. `changed`: the files that the pushed commit
/// changes, where they are known.
pub fn on_push(workflow: &WorkflowFile, branch: &str, changed: Option<&[String]>) -> Match {
    let rank = |found: &Match| match found {
        Match::Yes => 2,
        Match::Perhaps(_) => 1,
        Match::No(_) => 0,
    };
    match &workflow.problem {
        Some(WorkflowProblem::NotRead) => return Match::Perhaps("it is too large to be read"),
        Some(WorkflowProblem::Invalid(_)) => return Match::Perhaps("it is invalid"),
        None => {}
    }
    let found = workflow.triggers.iter().map(|trigger| one(trigger, branch, changed));
    found.max_by_key(rank).unwrap_or(Match::No("it has no trigger"))
}

fn one(trigger: &Trigger, branch: &str, changed: Option<&[String]>) -> Match {
    match &*trigger.event {
        "push" => {
            let by_branch = !trigger.branches.is_empty() || !trigger.branches_ignore.is_empty();
            let excluded = !trigger.branches.is_empty() && !selects(&trigger.branches, branch)
                || trigger.branches_ignore.iter().any(|pattern| matches(pattern, branch));
            match () {
                () if excluded => Match::No("its `branches` filter excludes the branch"),
                () if trigger.by_tag && !by_branch => Match::No("it runs for tags alone"),
                () if !trigger.by_path => Match::Yes,
                () => by_path(trigger, changed),
            }
        }
        "pull_request" | "pull_request_target" => Match::Perhaps("it runs for pull requests"),
        _ => Match::No("it does not run on a push"),
    }
}

/// One commit of the push is known, and the filter is for all of them: it can only be proved to
/// match.
fn by_path(trigger: &Trigger, changed: Option<&[String]>) -> Match {
    let Some(changed) = changed.filter(|changed| !changed.is_empty()) else {
        return Match::Perhaps("it has a `paths` filter");
    };
    let counts = |file: &String| {
        let ignored = trigger.paths_ignore.iter().any(|pattern| matches(pattern, file));
        (trigger.paths.is_empty() || selects(&trigger.paths, file)) && !ignored
    };
    if changed.iter().any(counts) {
        Match::Yes
    } else {
        Match::Perhaps("its `paths` filter excludes every file that the commit changes")
    }
}

/// Whether a push of the tag makes a run of `workflow`.
pub fn on_tag(workflow: &WorkflowFile, tag: &str) -> bool {
    let push = workflow.triggers.iter().filter(|trigger| trigger.event == "push");
    push.into_iter().any(|trigger| selects(&trigger.tags, tag))
}

/// Patterns apply in their order; `!` excludes again what an earlier one selected.
fn selects(patterns: &[String], name: &str) -> bool {
    patterns.iter().fold(false, |selected, pattern| match pattern.strip_prefix('!') {
        Some(pattern) => selected && !matches(pattern, name),
        None => selected || matches(pattern, name),
    })
}

enum Atom {
    Char(char),
    Class(Vec<(char, char)>),
    NotSlash,
    Any,
}

struct Piece {
    atom: Atom,
    optional: bool,
    repeats: bool,
}

/// `*` is all but `/`, `**` all, `?` none or one and `+` one or more of the piece before it, `[]` a
/// class, `\` quotes.
pub fn matches(pattern: &str, name: &str) -> bool {
    let pieces = pieces(pattern);
    // the pieces that may come next, all at once: no pattern is slow
    let mut at = vec![false; pieces.len() + 1];
    if let Some(first) = at.first_mut() {
        *first = true;
    }
    skip_optional(&pieces, &mut at);
    for character in name.chars() {
        let mut next = vec![false; pieces.len() + 1];
        for (index, piece) in pieces.iter().enumerate() {
            if at.get(index) == Some(&true) && piece.atom.takes(character) {
                for target in
                    [Some(index + 1), piece.repeats.then_some(index)].into_iter().flatten()
                {
                    if let Some(slot) = next.get_mut(target) {
                        *slot = true;
                    }
                }
            }
        }
        skip_optional(&pieces, &mut next);
        at = next;
    }
    at.last() == Some(&true)
}

fn skip_optional(pieces: &[Piece], at: &mut [bool]) {
    for (index, piece) in pieces.iter().enumerate() {
        if piece.optional
            && at.get(index) == Some(&true)
            && let Some(slot) = at.get_mut(index + 1)
        {
            *slot = true;
        }
    }
}

impl Atom {
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Char(own) => *own == character,
            Self::Class(ranges) => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&character))
            }
            Self::NotSlash => character != '/',
            Self::Any => true,
        }
    }
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        let mut many = false;
        let atom = match character {
            '*' => {
                many = true;
                if rest.next_if_eq(&'*').is_some() { Atom::Any } else { Atom::NotSlash }
            }
            '?' | '+' if !pieces.is_empty() => {
                if let Some(last) = pieces.last_mut() {
                    last.optional |= character == '?';
                    last.repeats |= character == '+';
                }
                continue;
            }
            '[' => {
                let class: String =
                    rest.by_ref().take_while(|character| *character != ']').collect();
                Atom::Class(ranges(&class))
            }
            '\\' => Atom::Char(rest.next().unwrap_or('\\')),
            other => Atom::Char(other),
        };
        pieces.push(Piece { atom, optional: many, repeats: many });
    }
    pieces
}

fn ranges(class: &str) -> Vec<(char, char)> {
    let mut ranges = Vec::new();
    let mut rest = class.chars().peekable();
    while let Some(from) = rest.next() {
        let to = match rest.next_if_eq(&'-') {
            Some(_) => rest.next().unwrap_or('-'),
            None => from,
        };
        ranges.push((from, to));
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_the_cheat_sheet() {
        for (pattern, yes, no) in [
            ("feature/*", &["feature/my-branch"][..], &["feature/a/b", "feature"][..]),
            ("feature/**", &["feature/a/b", "feature/x"], &["features/x"]),
            ("main", &["main"], &["mainly", "Main"]),
            ("releases/mona-the-octocat", &["releases/mona-the-octocat"], &[]),
            ("*", &["main", "releases"], &["all/the"]),
            ("**", &["all/the/branches", "every"], &[]),
            ("*feature", &["mona-feature", "feature"], &["ver-10-feature-x"]),
            ("v2*", &["v2", "v2.0", "v2.9"], &["v1"]),
            ("v[12].[0-9]+.[0-9]+", &["v1.10.1", "v2.0.0"], &["v3.0.0", "v1..1"]),
            ("ab?c", &["abc", "ac"], &["abbc"]),
            (r"a\*b", &["a*b"], &["axb"]),
            ("[", &[], &["["]),
            ("?x", &["?x"], &["x"]),
        ] {
            for name in yes {
                assert!(matches(pattern, name), "{pattern} should match {name}");
            }
            for name in no {
                assert!(!matches(pattern, name), "{pattern} should not match {name}");
            }
        }
    }

    #[test]
    fn triggers() {
        let found = |on: &str, branch: &str| {
            let workflow = WorkflowFile::parse("w.yml", &format!("on: {on}\njobs: {{}}"));
            on_push(&workflow, branch, None)
        };
        assert_eq!(found("push", "x"), Match::Yes);
        assert_eq!(
            found("{push: {branches: [main, 'rel/**', '!rel/old']}}", "rel/new"),
            Match::Yes
        );
        assert!(matches!(
            found("{push: {branches: [main, 'rel/**', '!rel/old']}}", "rel/old"),
            Match::No(_)
        ));
        assert!(matches!(found("{push: {branches-ignore: ['wip/*']}}", "wip/a"), Match::No(_)));
        assert!(matches!(found("{push: {tags: [v1]}}", "main"), Match::No(_)));
        assert!(matches!(found("{push: {paths: [src/**]}}", "main"), Match::Perhaps(_)));
        assert!(matches!(found("[workflow_dispatch, schedule]", "main"), Match::No(_)));
        assert!(matches!(found("[workflow_dispatch, pull_request]", "main"), Match::Perhaps(_)));
    }

    #[test]
    fn a_filter_for_files_is_compared_with_the_commit() {
        let found = |filter: &str, changed: &[&str]| {
            let text = format!("on: {{push: {{{filter}}}}}\njobs: {{}}");
            let changed: Vec<_> = changed.iter().map(|file| (*file).to_owned()).collect();
            on_push(&WorkflowFile::parse("w.yml", &text), "main", Some(&changed))
        };
        for (filter, changed, matches) in [
            ("paths: ['src/**']", &["src/a/b.rs"][..], true),
            ("paths: ['src/**']", &["README.md"], false),
            ("paths: ['src/**', '!src/gen/**']", &["src/gen/x"], false),
            ("paths-ignore: ['**.md', 'docs/**']", &["README.md", "docs/x"], false),
            ("paths-ignore: ['**.md']", &["README.md", "src/x"], true),
            ("paths: ['src/**']", &[], false),
        ] {
            assert_eq!(found(filter, changed) == Match::Yes, matches, "{filter} {changed:?}");
        }
    }

    #[test]
    fn tags_are_pushed_for_their_own_filter() {
        let workflow = WorkflowFile::parse("w.yml", "on: {push: {tags: ['v*', '!v0*']}}\njobs: {}");
        assert!(on_tag(&workflow, "v1.2") && !on_tag(&workflow, "v0.1") && !on_tag(&workflow, "x"));
    }

    #[test]
    fn skip_strings() {
        assert_eq!(skip_string("fix\n\nlonger [skip ci] text"), Some("[skip ci]"));
        assert_eq!(skip_string("fix\n\n\nskip-checks: true\n"), Some("skip-checks: true"));
        assert_eq!(skip_string("document the skip ci string"), None);
    }
}
