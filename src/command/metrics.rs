//! The last verdict as OpenMetrics text (<https://openmetrics.io>), for the textfile collector of
//! node_exporter and any scraper. Labels are ids, codes and subjects that were made from parsed
//! values: nothing of a server's, and no secret.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::doctor::outcome::CheckStatus;
use crate::doctor::verdict::{CheckLine, Verdict};

/// A subject is cut there: a label must not grow without limit.
const LONGEST_LABEL: usize = 120;
/// So many results are printed, failures first.
const MOST_RESULTS: usize = 500;

/// What is printed of the workspace as a whole.
pub struct MetricsSummary<'a> {
    /// `ready`, `not_ready` or `applied`.
    pub state: &'a str,
    pub provisioned_at: Option<Timestamp>,
    pub doctor: Option<&'a Verdict>,
}

/// Pure.
pub fn text(summary: &MetricsSummary<'_>, now: Timestamp) -> String {
    let mut text = String::new();
    let age = |at: Timestamp| now.duration_since(at).as_secs().max(0);
    head(&mut text, "pushready_state", "What is known of the workspace: one series is 1.");
    for state in ["ready", "not_ready", "applied"] {
        let value = u8::from(state == summary.state);
        let _ = writeln!(text, "pushready_state{{state=\"{state}\"}} {value}");
    }
    if let Some(at) = summary.provisioned_at {
        head(&mut text, "pushready_applied_age_seconds", "Since apply last changed anything.");
        let _ = writeln!(text, "pushready_applied_age_seconds {}", age(at));
    }
    if let Some(verdict) = summary.doctor {
        head(&mut text, "pushready_checked_age_seconds", "Since the last whole run of the doctor.");
        let _ = writeln!(text, "pushready_checked_age_seconds {}", age(verdict.finished_at));
        head(&mut text, "pushready_check", "A result of that run: 1 for the status that it has.");
        let mut checks: Vec<&CheckLine> = verdict.checks.iter().collect();
        checks.sort_by_key(|check| std::cmp::Reverse(check.status));
        for check in checks.into_iter().take(MOST_RESULTS) {
            let _ = writeln!(
                text,
                "pushready_check{{check=\"{}\",subject=\"{}\",status=\"{}\",code=\"{}\"}} 1",
                label(&check.id),
                label(check.subject.as_deref().unwrap_or_default()),
                status(check.status),
                label(check.code.as_deref().unwrap_or_default()),
            );
        }
    }
    text.push_str("# EOF\n");
    text
}

fn head(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

const fn status(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pass => "pass",
        CheckStatus::Skip => "skip",
        CheckStatus::Accepted => "accepted",
        CheckStatus::Warn => "warn",
        CheckStatus::Unknown => "unknown",
        CheckStatus::Fail => "fail",
    }
}

/// The value of a label, as OpenMetrics escapes it.
fn label(value: &str) -> String {
    let mut label = String::new();
    for character in value.chars().take(LONGEST_LABEL) {
        match character {
            '\\' => label.push_str("\\\\"),
            '"' => label.push_str("\\\""),
            character if character.is_control() => label.push('?'),
            character => label.push(character),
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_escaped_and_cut() {
        assert_eq!(label("a\\b\"c\nd"), "a\\\\b\\\"c?d");
        assert_eq!(label(&"x".repeat(500)).len(), LONGEST_LABEL);
    }

    #[test]
    fn a_workspace_that_was_never_checked_has_its_state_alone() {
        let summary = MetricsSummary {
            state: "applied",
            provisioned_at: Some(Timestamp::UNIX_EPOCH),
            doctor: None,
        };
        let text = text(&summary, Timestamp::from_second(90).unwrap());
        assert!(text.contains("pushready_state{state=\"applied\"} 1\n"), "{text}");
        assert!(text.contains("pushready_state{state=\"ready\"} 0\n"), "{text}");
        assert!(text.contains("pushready_applied_age_seconds 90\n"), "{text}");
        assert!(text.ends_with("# EOF\n") && !text.contains("pushready_check{"), "{text}");
    }
}
