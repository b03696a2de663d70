//! The report as people read it, and in one line.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::iter;

use super::{Overall, Report, saw_nothing};
use crate::catalogue::{Fix, FixKind};
use crate::doctor::check::{CHECKS, area, asks_a_server};
use crate::doctor::context::Depth;
use crate::doctor::outcome::{CheckStatus, Evidence, Outcome};
use crate::text::{add_line, plain, word};

const OFFLINE: &str = "OFFLINE CHECKS PASSED (push not tested)";

impl Report {
    /// What passed in a line, unless `verbose`, then the rest by its weight: the worst is directly
    /// above the verdict. `asked`: a few checks were requested, and each is printed, passed or
    /// skipped.
    pub fn text(&self, verbose: bool, asked: bool) -> String {
        let mut text = String::new();
        if !verbose {
            let named = |outcome: &Outcome| if asked { outcome.id } else { area(outcome.id) };
            let judged = self.checks.iter().filter(|outcome| outcome.status != CheckStatus::Skip);
            let mut names: Vec<(&str, usize, usize)> = Vec::new();
            for outcome in judged {
                let passed = usize::from(outcome.status == CheckStatus::Pass);
                match names.iter_mut().find(|(name, ..)| *name == named(outcome)) {
                    Some((_, good, all)) => (*good, *all) = (*good + passed, *all + 1),
                    None => names.push((named(outcome), passed, 1)),
                }
            }
            list(&mut text, names.into_iter().filter(|(_, good, _)| *good > 0));
        }
        if self.depth == Depth::Offline && !asked {
            let left_out = CHECKS.iter().filter(|check| check.is_left_out_offline());
            let ids: Vec<_> = left_out.map(|check| check.id).collect();
            add_line(&mut text, format_args!("skip     without the network: {}", ids.join(" · ")));
        }
        let is_quiet = |outcome: &Outcome| match outcome.status {
            CheckStatus::Pass => !verbose,
            CheckStatus::Skip => !verbose && !asked,
            CheckStatus::Accepted
            | CheckStatus::Warn
            | CheckStatus::Unknown
            | CheckStatus::Fail => false,
        };
        let mut outcomes: Vec<&Outcome> =
            self.checks.iter().filter(|outcome| !is_quiet(outcome)).collect();
        outcomes.sort_by_key(|outcome| outcome.status);
        let mut fixes: Vec<&Fix> = Vec::new();
        for cause in by_cause(&outcomes) {
            cause.render(&mut text, verbose, &mut fixes);
        }
        if let Some(line) = self.without_codes() {
            add_line(&mut text, format_args!("note     {line}"));
        }
        add_line(&mut text, format_args!("{}", self.counts()));
        text
    }

    /// One line for a log or a chat: the verdict, and each failure with its fix.
    pub fn short(&self) -> String {
        let verdict = self.verdict();
        let is_named = |outcome: &&Outcome| match verdict {
            Overall::Fail => outcome.status == CheckStatus::Fail,
            Overall::Unknown => true,
            Overall::Warn | Overall::Pass => false,
        };
        let mut parts = in_short(self.in_the_way().filter(is_named));
        if self.required.is_some() {
            let not_tested = |name| format!("{name} (not proven in this run)");
            parts.extend(self.not_tested.iter().map(not_tested));
            let is_optional =
                |outcome: &&Outcome| outcome.status == CheckStatus::Fail && !outcome.required;
            let mut optional: Vec<_> = self.checks.iter().filter(is_optional).map(name).collect();
            optional.dedup();
            if !optional.is_empty() {
                parts.push(format!("not required: {}", optional.join(", ")));
            }
        }
        let is_accepted = |outcome: &&Outcome| outcome.status == CheckStatus::Accepted;
        let mut accepted: Vec<_> = self.checks.iter().filter(is_accepted).map(name).collect();
        accepted.sort();
        accepted.dedup();
        if !accepted.is_empty() {
            parts.push(format!("accepted: {}", accepted.join(", ")));
        }
        parts.extend(self.without_codes());
        let warnings = self.warning_codes();
        if !warnings.is_empty() && matches!(verdict, Overall::Warn | Overall::Pass) {
            parts.push(format!("warnings: {}", warnings.join(", ")));
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
        let seconds = self.duration_ms as f64 / 1000.0;
        let mut line = self.word().into_owned();
        if !parts.is_empty() {
            let _ = write!(line, " {}", parts.join(" · "));
        }
        format!("{} {seconds:.1}s\n", plain(&line))
    }

    /// That PUSHREADY_ACCEPT names what is not a code.
    fn without_codes(&self) -> Option<String> {
        let names = self.not_codes.join(", ");
        (!names.is_empty()).then(|| format!("PUSHREADY_ACCEPT contains no code: {names}"))
    }

    /// Each code once.
    fn warning_codes(&self) -> Vec<&'static str> {
        let warnings = self.checks.iter().filter(|outcome| outcome.status == CheckStatus::Warn);
        let mut codes = Vec::new();
        for code in warnings.filter_map(|it| it.code) {
            if !codes.contains(&code.name()) {
                codes.push(code.name());
            }
        }
        codes
    }

    fn word(&self) -> Cow<'static, str> {
        match self.verdict() {
            Overall::Fail => "NOT READY".into(),
            _ if self.saw_nothing_required() => "NOTHING REQUIRED WAS CHECKED".into(),
            Overall::Unknown if saw_nothing(&self.checks) => {
                "UNKNOWN (nothing was looked at)".into()
            }
            Overall::Unknown if self.only_lacks_a_server() => OFFLINE.into(),
            Overall::Unknown => "UNKNOWN".into(),
            Overall::Warn | Overall::Pass if !self.asked_a_server() => OFFLINE.into(),
            Overall::Warn | Overall::Pass if !self.not_tested.is_empty() => {
                format!("CHECKS PASSED ({} not proven)", self.not_tested.join(", ")).into()
            }
            Overall::Warn | Overall::Pass => "READY".into(),
        }
    }

    /// Whether a check asked a server: only that proves that something works.
    fn asked_a_server(&self) -> bool {
        let asked =
            |outcome: &Outcome| outcome.status != CheckStatus::Skip && asks_a_server(outcome.id);
        self.depth > Depth::Offline && self.checks.iter().any(asked)
    }

    /// Whether the verdict is unknown because no server was to be asked, and for nothing else.
    fn only_lacks_a_server(&self) -> bool {
        let tested = || Overall::of_required(&self.checks, &[]);
        self.depth == Depth::Offline
            && self.required.is_some()
            && matches!(tested(), Overall::Warn | Overall::Pass)
    }

    fn saw_nothing_required(&self) -> bool {
        let looked = |outcome: &Outcome| outcome.required && outcome.status != CheckStatus::Skip;
        self.required.is_some() && !self.checks.iter().any(looked)
    }

    fn counts(&self) -> String {
        let count = |status| self.checks.iter().filter(|outcome| outcome.status == status).count();
        let mut parts = Vec::new();
        for (status, name) in [
            (CheckStatus::Fail, "failed"),
            (CheckStatus::Unknown, "unknown"),
            (CheckStatus::Warn, "warnings"),
            (CheckStatus::Accepted, "accepted"),
            (CheckStatus::Pass, "ok"),
            (CheckStatus::Skip, "skipped"),
        ] {
            match count(status) {
                0 => {}
                1 if status == CheckStatus::Warn => parts.push("1 warning".to_owned()),
                count => parts.push(format!("{count} {name}")),
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
        let seconds = self.duration_ms as f64 / 1000.0;
        let counts =
            if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
        format!("{}{counts} in {seconds:.2} s", self.word())
    }
}

/// `ok       home · push (3 of 4)`, in lines that fit a terminal.
fn list<'a>(text: &mut String, passed: impl Iterator<Item = (&'a str, usize, usize)>) {
    const WIDTH: usize = 80;
    let mut line = String::new();
    for (name, good, all) in passed {
        let part = if good == all { name.to_owned() } else { format!("{name} ({good} of {all})") };
        if line.is_empty() {
            line = format!("ok       {part}");
        } else if line.chars().count() + " · ".len() + part.len() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = format!("         {part}");
        } else {
            let _ = write!(line, " · {part}");
        }
    }
    if !line.is_empty() {
        let _ = writeln!(text, "{line}");
    }
}

/// The code, or where there is none the check, and what it is about.
fn name(outcome: &Outcome) -> String {
    let name = outcome.code.map_or(outcome.id, |code| code.name());
    let area = area(outcome.id);
    match (&outcome.subject, outcome.code) {
        (Some(subject), _) => format!("{name} {subject}"),
        // `home-unsafe-place`: of which of them?
        (None, Some(code)) if code.explanation().area != area => format!("{name} {area}"),
        (None, _) => name.to_owned(),
    }
}

/// Each cause with what to do, and each of that once: `CODE SUBJECT, CODE SUBJECT (fix)`.
fn in_short<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Vec<String> {
    let mut parts: Vec<(&Outcome, Vec<String>)> = Vec::new();
    for outcome in outcomes {
        let is_same = |(other, _): &&mut (&Outcome, Vec<String>)| match (&other.fix, &outcome.fix) {
            (Some(one), Some(other)) => one.message == other.message,
            (None, None) => other.reason == outcome.reason,
            _ => false,
        };
        let name = name(outcome);
        match parts.iter_mut().find(is_same) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => parts.push((outcome, vec![name])),
        }
    }
    let in_short = |(outcome, names): (&Outcome, Vec<String>)| {
        let names = names.join(", ");
        let say = outcome.fix.as_ref().map(|fix| &fix.message).or(outcome.reason.as_ref());
        say.map_or_else(|| names.clone(), |say| format!("{names} ({say})"))
    };
    parts.into_iter().map(in_short).collect()
}

/// Results with one cause: one block of the report. By its code, and what is to be done about it.
struct OneCause<'a> {
    first: &'a Outcome,
    others: Vec<&'a Outcome>,
}

/// The results, those of one cause together where its first is.
fn by_cause<'a>(outcomes: &[&'a Outcome]) -> Vec<OneCause<'a>> {
    let mut causes: Vec<OneCause> = Vec::new();
    for outcome in outcomes {
        match causes.iter_mut().find(|cause| have_one_cause(cause.first, outcome)) {
            Some(cause) => cause.others.push(outcome),
            None => causes.push(OneCause { first: outcome, others: Vec::new() }),
        }
    }
    causes
}

fn have_one_cause(one: &Outcome, other: &Outcome) -> bool {
    one.code.is_some()
        && (one.code, one.status, &one.fix) == (other.code, other.status, &other.fix)
        && (one.fix.is_some() || one.summary == other.summary)
        && (one.id != other.id || one.subject.is_some())
}

impl<'a> OneCause<'a> {
    fn all(&self) -> impl Iterator<Item = &'a Outcome> {
        iter::once(self.first).chain(self.others.iter().copied())
    }

    /// What it is about, with the summary where that is another.
    fn list(&self, text: &mut String, subjects: &[Option<&str>]) {
        for subject in subjects {
            let other = self.all().find(|outcome| {
                outcome.subject.as_deref() == *subject && outcome.summary != self.first.summary
            });
            let subject = subject.unwrap_or(area(self.first.id));
            match other {
                Some(Outcome { judgement, .. }) => {
                    add_line(text, format_args!("           {subject}: {}", judgement.summary));
                }
                None => add_line(text, format_args!("           {subject}")),
            }
        }
    }

    /// `fixes`: those that are in the report already.
    fn render(&self, text: &mut String, verbose: bool, fixes: &mut Vec<&'a Fix>) {
        let subjects = distinct(self.all().map(|outcome| outcome.subject.as_deref()));
        let checks = distinct(self.all().map(|outcome| Some(outcome.id)));
        let mark = mark(self.first.status);
        if let (Some(code), [_, _, ..]) = (self.first.code, &subjects[..]) {
            add_line(text, format_args!("{mark:<8} {code} ({} times)", subjects.len()));
            self.list(text, &subjects);
        } else {
            add_line(text, format_args!("{mark:<8} {}", name(self.first)));
        }
        add_line(text, format_args!("         {}", self.first.summary));
        let quiet = matches!(self.first.status, CheckStatus::Pass | CheckStatus::Skip);
        let mut printed: Vec<&Evidence> = Vec::new();
        for evidence in
            self.all().flat_map(|outcome| &outcome.evidence).filter(|_| !quiet || verbose)
        {
            if printed.contains(&evidence) {
                continue;
            }
            printed.push(evidence);
            let Evidence { label, value, expected, is_command } = evidence;
            let quote = if *is_command { "`" } else { "" };
            let expected = expected
                .as_ref()
                .map_or(String::new(), |expected| format!(" (expected {expected})"));
            add_line(text, format_args!("           {label}: {quote}{value}{quote}{expected}"));
        }
        let reasons = distinct(self.all().map(|outcome| outcome.reason.as_deref())).into_iter();
        for reason in reasons.flatten().filter(|reason| *reason != self.first.summary) {
            add_line(text, format_args!("         needs: {reason}"));
        }
        if checks.len() > 1 {
            let ids: Vec<_> = checks.into_iter().flatten().collect();
            add_line(text, format_args!("         checks: {}", ids.join(", ")));
        }
        if let Some(fix) = &self.first.fix {
            let who = self.first.actor.map_or("", |actor| actor.title());
            if fixes.contains(&fix) {
                add_line(text, format_args!("         fix ({who}): the same as above"));
            } else {
                render_fix(text, fix, who);
                fixes.push(fix);
            }
        }
        if self.first.stop_and_report {
            text.push_str(
                "         an agent should stop here and report this, not look for other credentials\n",
            );
        }
    }
}

/// Each once, in their order.
fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for one in all {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    distinct
}

const fn mark(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pass => "ok",
        CheckStatus::Skip => "skip",
        CheckStatus::Accepted => "accepted",
        CheckStatus::Warn => "warn",
        CheckStatus::Unknown => "unknown",
        CheckStatus::Fail => "FAIL",
    }
}

fn render_fix(text: &mut String, fix: &Fix, who: &str) {
    add_line(text, format_args!("         fix ({who}): {}", fix.message));
    match &fix.kind {
        FixKind::Run { argv } => {
            let argv: Vec<_> = argv.iter().map(|argument| word(argument.as_bytes())).collect();
            add_line(text, format_args!("           $ {}", argv.join(" ")));
        }
        FixKind::Visit { url } => add_line(text, format_args!("           {url}")),
        FixKind::Edit { path } => add_line(text, format_args!("           {path}")),
        FixKind::Wait | FixKind::Report => {}
    }
}

/// One result; `verbose` also shows the evidence of what passed.
pub fn render(text: &mut String, outcome: &Outcome, verbose: bool) {
    OneCause { first: outcome, others: Vec::new() }.render(text, verbose, &mut Vec::new());
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;
    use crate::catalogue::Code;
    use crate::catalogue::Fix;
    use crate::doctor::outcome::Judgement;

    #[test]
    fn the_worst_is_above_the_verdict_and_what_passed_is_a_line() {
        let fix = || Fix::report("correct it");
        let checks = || {
            vec![
                Outcome::new("home.folder", Judgement::fail(Code::HomeUnset, "x", fix())),
                Outcome::new("ssh.client", Judgement::pass("x")),
                Outcome::new("git.commit", Judgement::warn(Code::GitIdentityMissing, "x", fix())),
                Outcome::new("ssh.identity", Judgement::skip("y")),
                Outcome::new("push.read", Judgement::pass("x").about("a")),
                Outcome::new("push.read", Judgement::pass("x").about("b")),
                Outcome::new("push.read", Judgement::unknown("x", "y").about("c")),
            ]
        };
        let heads = |verbose, asked| {
            let text = report(checks()).text(verbose, asked);
            let heads = text.lines().filter(|line| !line.starts_with(' ')).map(str::to_owned);
            heads.collect::<Vec<_>>()
        };
        let [warn, fail] = ["warn     git-identity-missing", "FAIL     home-unset"];
        let unknown = "unknown  push.read c";
        let verdict = "NOT READY: 1 failed, 1 unknown, 1 warning, 3 ok, 1 skipped in 0.04 s";
        assert_eq!(
            heads(false, false),
            ["ok       ssh · push (2 of 3)", warn, unknown, fail, verdict]
        );
        let passed = "ok       ssh.client · push.read (2 of 3)";
        assert_eq!(
            heads(false, true),
            [passed, "skip     ssh.identity", warn, unknown, fail, verdict]
        );
        assert_eq!(heads(true, true).len(), 8, "each by itself");
    }

    #[test]
    fn many_that_passed_fit_a_terminal() {
        let ids = crate::doctor::check::CHECKS.iter().map(|check| check.id);
        let text = report(ids.map(|id| Outcome::new(id, Judgement::pass("x"))).collect())
            .text(false, true);
        assert!(
            text.lines().count() > 4 && text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }

    #[test]
    fn only_where_a_server_was_asked_is_it_ready() {
        let pass = |id| Outcome::new(id, Judgement::pass("x"));
        let skip = |id| Outcome::new(id, Judgement::skip("y"));
        for (checks, word) in [
            (vec![pass("home.folder"), pass("push.write")], "READY"),
            (vec![pass("codex.login"), pass("codex.network")], "READY"),
            (vec![pass("home.folder")], OFFLINE),
            (vec![pass("home.folder"), skip("push.write"), skip("codex.network")], OFFLINE),
            // read in the configuration
            (vec![pass("push.target")], OFFLINE),
            (vec![skip("push.write")], "UNKNOWN (nothing was looked at)"),
        ] {
            let what = format!("{checks:?}");
            assert_eq!(report(checks).word(), word, "{what}");
        }
    }

    #[test]
    fn a_run_without_the_network_names_what_it_left_out() {
        let run = |depth| Report {
            depth,
            ..report(vec![Outcome::new("home.folder", Judgement::pass("x"))])
        };
        let line = "skip     without the network: codex.network · claude.network · ssh.identity · \
                    git.lfs · push.read · push.write\n";
        let text = run(Depth::Offline).text(false, false);
        assert!(text.contains(line), "{text}");
        assert!(!run(Depth::Offline).text(false, true).contains("without the network"));
        assert!(!run(Depth::Network).text(false, false).contains("without the network"));
    }

    #[test]
    fn one_warning_is_one() {
        let warning =
            || Outcome::new("push.read", Judgement::warn(Code::ClockSkew, "x", Fix::report("y")));
        assert_eq!(report(vec![warning()]).counts(), "READY: 1 warning in 0.04 s");
        let two = report(vec![warning(), warning()]);
        assert_eq!(two.counts(), "READY: 2 warnings in 0.04 s");
        assert_eq!(two.short(), "READY warnings: clock-skew 0.0s\n");
        let failed = Judgement::fail(Code::HomeUnset, "x", Fix::report("y"));
        let short = report(vec![warning(), Outcome::new("home.folder", failed)]).short();
        assert!(!short.contains("clock-skew"), "{short}");
    }
}
