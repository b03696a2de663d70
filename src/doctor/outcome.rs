//! What a check found: a status, the evidence for it, and what to do. A failure cannot be built
//! without a fix.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Actor, Code, Finding, Fix};
use crate::resource::place::Obstacle;
use crate::state::via::Via;

/// Text from outside is cut here: nobody reads more, and a server must not flood the report.
const FOREIGN_CAP: usize = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    Pass,
    /// Nothing of the kind is configured.
    Skip,
    /// Its code is one of PUSHREADY_ACCEPT.
    Accepted,
    Warn,
    /// Could not tell: honest, never green.
    Unknown,
    Fail,
}

/// One fact behind a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    pub label: &'static str,
    pub value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// A command to be copied: text breaks no line in it.
    #[serde(skip)]
    pub is_command: bool,
}

impl Evidence {
    /// A value of ours: a path, a mode, a fingerprint, a URL made from parsed parts.
    pub fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self { label, value: value.into(), expected: None, is_command: false }
    }

    pub fn command(label: &'static str, command: impl Into<String>) -> Self {
        Self { is_command: true, ..Self::new(label, command) }
    }

    /// Text that a server or a repository chose: control characters escaped, cut.
    pub fn foreign(label: &'static str, text: &str) -> Self {
        let redacted = |word: &str| {
            // a quoted URL or address begins after the quote
            let quoted = word.trim_start_matches(['\'', '"', '`', '(', '<', '[']);
            let (quote, quoted) = word.split_at(word.len() - quoted.len());
            format!("{quote}{}", crate::git::url::redact(quoted))
        };
        let words: Vec<_> = text.split_whitespace().map(redacted).collect();
        let text = words.join(" ");
        let mut value: String = text.chars().take(FOREIGN_CAP).collect();
        if value.len() < text.len() {
            value.push('…');
        }
        Self::new(label, value)
    }

    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }
}

/// What is gone comes back from where it came from.
pub fn apply_again(via: Option<&Via>, variable: &str) -> Fix {
    let message = match via {
        Some(Via::SeedFile(path)) => format!("run apply: it reads `{path}`"),
        Some(Via::Variable(name)) => format!("run apply where {name} is set"),
        None => format!("run apply where {variable} is set"),
    };
    Fix::run(["pushready", "apply"], message)
}

/// What apply refused, and reported at the time.
pub fn explained(code: Code) -> Fix {
    Fix::report(format!("fix what `pushready explain {code}` names, and apply again"))
}

/// Where a new secret belongs: the source in use, else the variable that all know.
pub fn source(via: Option<&Via>, variable: &str) -> String {
    match via {
        Some(Via::SeedFile(path)) => {
            format!("`{path}` (if it comes from a Coder user secret: `coder secret update`)")
        }
        Some(Via::Variable(name)) => name.clone(),
        None => variable.to_owned(),
    }
}

/// Why a check decided nothing, or what is needed for that.
#[derive(Clone, Debug)]
pub struct Reason {
    text: String,
    /// A later run may decide it.
    is_transient: bool,
}

impl Reason {
    pub fn transient(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_transient: true }
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self { text, is_transient: false }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// What a check found: of the subject that it was asked about, or of one that it names itself. The
/// runner makes an `Outcome` of it.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// Made from parsed values; together with the id of the check it identifies the outcome.
    pub subject: Option<String>,
    pub status: CheckStatus,
    pub code: Option<Code>,
    pub summary: String,
    /// Why a check was skipped, or what is needed to decide it.
    pub reason: Option<String>,
    pub evidence: Vec<Evidence>,
    /// Who can fix it.
    pub actor: Option<Actor>,
    pub agent_may_fix: bool,
    /// An agent should stop here, and not look for other credentials.
    pub stop_and_report: bool,
    pub transient: bool,
    #[serde(skip)]
    pub retry: Retry,
    pub fix: Option<Fix>,
    /// The check that reports this same fault, where it runs too.
    #[serde(skip)]
    pub reported_by: Option<&'static str>,
}

/// What `--wait` looks at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    IfTransient,
    /// It is a verdict all the same; but what is missing may still be starting.
    UntilStarted,
}

/// The result of one check on one subject, as it is reported.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Dotted, stable: `push.write`.
    pub id: &'static str,
    #[serde(flatten)]
    pub judgement: Judgement,
    pub duration_ms: u64,
    /// The code is one of PUSHREADY_ACCEPT: reported, but not a failure.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
    /// Something that PUSHREADY_REQUIRE names depends on it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

impl Outcome {
    pub fn new(id: &'static str, judgement: Judgement) -> Self {
        Self { id, judgement, duration_ms: 0, accepted: false, required: false }
    }
}

impl Deref for Outcome {
    type Target = Judgement;

    fn deref(&self) -> &Judgement {
        &self.judgement
    }
}

impl DerefMut for Outcome {
    fn deref_mut(&mut self) -> &mut Judgement {
        &mut self.judgement
    }
}

impl Judgement {
    fn new(status: CheckStatus, summary: impl Into<String>) -> Self {
        Self {
            subject: None,
            status,
            code: None,
            summary: summary.into(),
            reason: None,
            evidence: Vec::new(),
            actor: None,
            agent_may_fix: false,
            stop_and_report: false,
            transient: false,
            retry: Retry::IfTransient,
            fix: None,
            reported_by: None,
        }
    }

    pub fn pass(summary: impl Into<String>) -> Self {
        Self::new(CheckStatus::Pass, summary)
    }

    pub fn skip(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { reason: Some(reason.clone()), ..Self::new(CheckStatus::Skip, reason) }
    }

    /// The check cannot be made before another fault is fixed.
    pub fn blocked(by: Code) -> Self {
        Self::skip(format!("not checked because of `{by}`"))
    }

    /// It could not be decided; `reason` says what is needed for that.
    pub fn unknown(summary: impl Into<String>, reason: impl Into<Reason>) -> Self {
        let Reason { text, is_transient } = reason.into();
        let unknown = Self::new(CheckStatus::Unknown, summary);
        Self { reason: Some(text), transient: is_transient, ..unknown }
    }

    /// The end of the whole run left no time for it.
    pub fn run_ended(summary: impl Into<String>) -> Self {
        let reason = "fewer checks at once (`--only`, `--repo`), or servers that answer faster";
        Self { transient: true, ..Self::unknown(summary, reason) }
    }

    pub fn fail(code: Code, summary: impl Into<String>, fix: Fix) -> Self {
        Self::new(CheckStatus::Fail, summary).coded(code).fixed(fix)
    }

    /// A failure that another part of the program found.
    pub fn found(finding: Finding) -> Self {
        let Finding { code, summary, fix } = finding;
        Self::fail(code, summary, fix)
    }

    /// The same where the work can go on: an agent need not stop.
    pub fn warn(code: Code, summary: impl Into<String>, fix: Fix) -> Self {
        Self { status: CheckStatus::Warn, stop_and_report: false, ..Self::fail(code, summary, fix) }
    }

    /// A file that cannot be read, in apply's own words.
    pub fn obstructed(obstacle: &Obstacle, path: &Path) -> Self {
        Self::found(obstacle.finding(path))
    }

    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Takes from the catalogue who can fix it and what an agent may do.
    pub fn coded(mut self, code: Code) -> Self {
        let traits = code.traits();
        self.code = Some(code);
        self.actor = Some(traits.actor);
        self.agent_may_fix = traits.agent_may_fix;
        self.stop_and_report = traits.stop_and_report;
        self.transient = traits.transient;
        self
    }

    /// A failure of a name, or of a port of this machine: it does not pass by itself, unless what
    /// answers there is still starting.
    pub fn until_started(self) -> Self {
        Self { transient: false, retry: Retry::UntilStarted, ..self }
    }

    /// Whether `--wait` looks at it again.
    pub fn is_retried(&self) -> bool {
        self.transient || self.retry == Retry::UntilStarted
    }

    pub fn fixed(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    pub fn with(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// The same fault is reported by the check of this id, where that runs too.
    pub fn reported_by(mut self, id: &'static str) -> Self {
        self.reported_by = Some(id);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_names_the_source_in_use() {
        assert_eq!(source(None, "PUSHREADY_X"), "PUSHREADY_X");
        let form = Via::variable("PUSHREADY_X_BASE64");
        assert_eq!(source(Some(&form), "PUSHREADY_X"), "PUSHREADY_X_BASE64");
        let path = "~/.config/pushready/seed/codex-auth.json".to_owned();
        let seed = source(Some(&Via::SeedFile(path)), "PUSHREADY_X");
        assert!(seed.starts_with("`~/.config") && seed.contains("coder secret update"), "{seed}");
    }

    #[test]
    fn text_from_outside_cannot_obey_itself() {
        let evidence =
            Evidence::foreign("said", "a\u{1b}[31m\n\u{202e}b\t https://u:secret-token@h/o/r");
        assert!(!evidence.value.contains(['\u{1b}', '\n', '\t', '\u{202e}']), "{evidence:?}");
        assert!(!evidence.value.contains("secret-token"), "{evidence:?}");
        let quoted = "(got 'dev@host') '(https://u:secret-token@h/o/r'";
        assert_eq!(
            Evidence::foreign("said", quoted).value,
            "(got 'dev@host') '(https://***@h/o/r'"
        );
        assert_eq!(
            Evidence::foreign("said", &"a word ".repeat(100)).value.chars().count(),
            FOREIGN_CAP + 1
        );
    }
}
