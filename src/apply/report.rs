//! The report of apply and remove: one structure, rendered as text or as JSON.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use crate::apply::plan::{Plan, Step};
use crate::catalogue::Code;
use crate::catalogue::Finding;
use crate::document::Header;
use crate::error::Exit;
use crate::home::Home;
use crate::provision::{Item, ItemStatus};
use crate::resource::EditVerdict;
use crate::resource::rewrite::New;
use crate::state::subject::Subject;
use crate::text::add_line;

/// The command that is reported on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportCommand {
    Apply,
    Remove,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the document")]
pub struct ApplyReport {
    #[serde(flatten)]
    pub header: Header,
    pub command: ReportCommand,
    pub dry_run: bool,
    pub ready: bool,
    /// The variables and files that the secrets came from.
    pub sources: Vec<String>,
    pub items: Vec<ApplyItem>,
    /// Every file that was, or with `dry_run` would be, changed.
    pub changes: Vec<ApplyChange>,
    pub notes: Vec<String>,
    pub duration_ms: u128,
    /// A prebuilt workspace that nobody has claimed: what is missing is reported, and is not a
    /// failure.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unclaimed: bool,
    /// Nothing is configured, or there is nothing to undo.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nothing: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct ApplyItem {
    pub subject: Subject,
    pub status: ItemStatus,
    pub code: Option<Code>,
    pub summary: String,
    pub fix: Option<String>,
    /// The code is one of PUSHREADY_ACCEPT: reported, and not a failure.
    pub accepted: bool,
}

#[derive(Debug, Serialize)]
pub struct ApplyChange {
    pub path: String,
    pub action: &'static str,
    pub done: bool,
}

impl ApplyItem {
    pub fn new(item: &Item, dry_run: bool, accept: &[Code]) -> Self {
        let planned = item.planned.as_ref().filter(|_| dry_run && item.status != ItemStatus::Fail);
        let (code, fix) = match &item.finding {
            Some(Finding { code, fix, .. }) => (Some(*code), Some(fix.message.clone())),
            None => (None, None),
        };
        Self {
            subject: item.subject.clone(),
            status: item.status,
            code,
            summary: planned.unwrap_or(&item.summary).clone(),
            fix,
            accepted: code.is_some_and(|code| accept.contains(&code)),
        }
    }

    fn fails(&self) -> bool {
        self.status == ItemStatus::Fail && !self.accepted
    }
}

impl ApplyReport {
    pub fn new(command: ReportCommand, dry_run: bool) -> Self {
        Self {
            header: Header::new(),
            command,
            dry_run,
            ready: true,
            sources: Vec::new(),
            items: Vec::new(),
            changes: Vec::new(),
            notes: Vec::new(),
            duration_ms: 0,
            unclaimed: false,
            nothing: false,
        }
    }

    pub fn of_plan(
        command: ReportCommand,
        dry_run: bool,
        plan: &Plan,
        home: &Home,
        accept: &[Code],
    ) -> Self {
        let items =
            plan.items.iter().map(|step| ApplyItem::new(&step.item, dry_run, accept)).collect();
        let changes = plan
            .changes()
            .map(|(step, change)| ApplyChange::new(step, &change.new, home))
            .collect();
        Self { items, changes, ..Self::new(command, dry_run) }
    }

    /// Whether the item of this name fails.
    pub fn fails(&self, subject: &Subject) -> bool {
        self.items.iter().any(|line| line.subject == *subject && line.fails())
    }

    /// Adds items that have no file.
    pub fn add(&mut self, items: &[Item], accept: &[Code]) {
        let dry_run = self.dry_run;
        self.items.extend(items.iter().map(|item| ApplyItem::new(item, dry_run, accept)));
    }

    pub fn finish(mut self, elapsed: Duration) -> Self {
        // an empty home is not ready for anything
        let is_bare = self.nothing && self.command == ReportCommand::Apply;
        self.ready = !is_bare && !self.items.iter().any(ApplyItem::fails);
        self.duration_ms = elapsed.as_millis();
        self
    }

    pub fn exit(&self) -> Exit {
        if self.ready || self.unclaimed || self.nothing { Exit::Ready } else { Exit::NotReady }
    }

    pub fn text(&self, verbose: bool) -> String {
        let mut text = String::new();
        if !self.sources.is_empty() {
            add_line(&mut text, format_args!("sources  {}", self.sources.join(", ")));
        }
        for note in &self.notes {
            add_line(&mut text, format_args!("note     {note}"));
        }
        let mut text_of = |line: &ApplyItem| {
            let mark = match line.status {
                _ if line.accepted => "accepted",
                ItemStatus::Ready => "ok",
                ItemStatus::Warn => "warn",
                ItemStatus::Fail => "FAIL",
            };
            let code = line.code.map_or(String::new(), |code| format!("{code} "));
            add_line(&mut text, format_args!("{mark:<8} {code}{}: {}", line.subject, line.summary));
            if let Some(fix) = &line.fix {
                add_line(&mut text, format_args!("         fix: {fix}"));
            }
        };
        if verbose {
            self.items.iter().for_each(&mut text_of);
        } else {
            self.merged().iter().for_each(|line| text_of(line));
        }
        for change in self.changes.iter().filter(|_| self.dry_run || verbose) {
            let tense = match (self.dry_run, change.done) {
                (true, _) => "would ",
                (false, true) => "",
                (false, false) => "not done: ",
            };
            add_line(&mut text, format_args!("         {tense}{} {}", change.action, change.path));
        }
        if self.changes.is_empty() && self.ready && self.command == ReportCommand::Apply {
            text.push_str("         no changes needed\n");
        }
        add_line(&mut text, format_args!("{}", self.verdict()));
        text
    }

    /// The items with those of one kind put together where all is well: a log viewer shows few
    /// lines.
    fn merged(&self) -> Vec<Cow<'_, ApplyItem>> {
        const KEYS_SHOWN: usize = 3;
        let plain_key = |line: &ApplyItem| {
            line.status == ItemStatus::Ready && matches!(line.subject, Subject::Key(_))
        };
        let keys: Vec<_> = self.items.iter().filter(|line| plain_key(line)).collect();
        let many = keys.len() > KEYS_SHOWN;
        let mut lines: Vec<Cow<ApplyItem>> = Vec::new();
        for line in &self.items {
            let host = lines.iter_mut().find(|other| belongs(&line.subject, &other.subject));
            match host
                .filter(|host| host.status == ItemStatus::Ready && line.status == ItemStatus::Ready)
            {
                Some(host) => {
                    let summary = format!("{}; {}", host.summary, line.summary);
                    host.to_mut().summary = summary;
                }
                None if many && plain_key(line) => {
                    if keys.first().is_some_and(|first| first.subject == line.subject) {
                        let names: Vec<_> =
                            keys.iter().take(KEYS_SHOWN).map(|line| line.subject.short()).collect();
                        let more = keys.len() - names.len();
                        let summary = format!(
                            "{} in place: {} and {more} more",
                            keys.len(),
                            names.join(", ")
                        );
                        lines.push(Cow::Owned(ApplyItem {
                            subject: Subject::Keys,
                            summary,
                            ..line.clone()
                        }));
                    }
                }
                None => lines.push(Cow::Borrowed(line)),
            }
        }
        lines
    }

    /// `READY 0.04s`, or what is missing: the last line, and the one that a log viewer shows.
    fn verdict(&self) -> String {
        let seconds = Duration::from_millis(u64::try_from(self.duration_ms).unwrap_or(u64::MAX))
            .as_secs_f64();
        let done = match (self.command, self.dry_run) {
            (ReportCommand::Remove, false) => "REMOVED",
            (ReportCommand::Remove, true) => "WOULD REMOVE",
            (_, true) => "WOULD BE READY",
            _ if self.unclaimed => "UNCLAIMED",
            _ => "READY",
        };
        let done = match self.command {
            _ if !self.nothing || self.unclaimed => done,
            ReportCommand::Remove => "NOTHING TO UNDO",
            ReportCommand::Apply => "NOTHING CONFIGURED",
        };
        if self.ready || self.nothing {
            return format!("{done} {seconds:.2}s");
        }
        let failures: Vec<_> = self
            .items
            .iter()
            .filter(|line| line.fails())
            .map(|line| match line.code {
                Some(code) => format!("{code} {}", line.subject.short()),
                None => line.subject.to_string(),
            })
            .collect();
        let not = match self.command {
            ReportCommand::Remove => "NOT ALL REMOVED",
            _ if self.unclaimed => "UNCLAIMED",
            ReportCommand::Apply => "NOT READY",
        };
        format!("{not} {}", failures.join(" · "))
    }
}

/// Whether the summary of one item goes on the line of the other.
fn belongs(subject: &Subject, other: &Subject) -> bool {
    match (subject, other) {
        (Subject::Trust(client), Subject::Login(other)) => client == other,
        (Subject::SelfTest, Subject::Routing) => true,
        _ => false,
    }
}

impl ApplyChange {
    fn new(step: &Step, new: &New, home: &Home) -> Self {
        let path = &step.resource.target.path;
        let action = match new {
            New::Absent => "delete",
            New::Unchanged => "keep",
            New::Bytes { .. } | New::Copy if step.existed => "change",
            New::Bytes { .. } | New::Copy => "write",
        };
        debug_assert!(matches!(step.verdict, EditVerdict::Change(_)));
        Self { path: home.shown(path), action, done: step.done }
    }
}
