//! `pushready status`: how the last apply and the last doctor ended, and how long ago; without the network.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::print;
use crate::catalogue::Code;
use crate::cli;
use crate::doctor::outcome::Status as CheckStatus;
use crate::doctor::report::Overall;
use crate::env::Env;
use crate::error::{Exit, Finding, Result, plain};
use crate::home::Home;
use crate::provision::{lost_logins, span, unmet};
use crate::receipt::{Receipt, Refused};
use crate::resource::file::{self, Kind};
use crate::settings::accepted;

/// A verdict older than this proves nothing any more.
const STALE: SignedDuration = SignedDuration::from_hours(24);

#[derive(Serialize)]
struct Status {
    schema_version: u32,
    tool: &'static str,
    version: &'static str,
    ready: bool,
    provisioned_at: Option<Timestamp>,
    provisioned_by: Option<String>,
    repositories: Vec<String>,
    codex: bool,
    claude: bool,
    /// Codes and items that stand between this workspace and ready.
    not_ready: Vec<String>,
    /// What the doctor could not prove because of a fault that may pass by itself, such as a server out of reach.
    unproven: Vec<String>,
    /// What failed besides what the doctor was told is required.
    not_required: Vec<String>,
    doctor: Option<Verdict>,
}

/// The part of the doctor's last whole report that matters here.
#[derive(Serialize, Deserialize)]
struct Verdict {
    finished_at: Timestamp,
    overall: Overall,
    #[serde(default)]
    stale: bool,
    /// The doctor ran with `--required`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    required: Option<Overall>,
    checks: Vec<CheckLine>,
}

#[derive(Serialize, Deserialize)]
struct CheckLine {
    id: String,
    subject: Option<String>,
    status: CheckStatus,
    code: Option<String>,
    #[serde(default)]
    transient: bool,
    #[serde(default)]
    accepted: bool,
    #[serde(default)]
    required: bool,
}

impl Status {
    /// `lost`: logins that are not what the last apply left.
    fn new(receipt: Option<Receipt>, lost: &[Finding], doctor: Option<Verdict>) -> Self {
        let mut not_ready: Vec<String> = match &receipt {
            None => vec!["not-provisioned".to_owned()],
            Some(receipt) => {
                let refused =
                    receipt.desired.refused.iter().map(|Refused { item, code }| format!("{code} {item}"));
                let is_refused =
                    |name: &str| receipt.desired.refused.iter().any(|refused| refused.item == name);
                let missing = unmet(&receipt.desired, is_refused);
                let missing = missing.iter().map(|item| format!("required-missing {}", item.subject));
                let removing = receipt.removing.then(|| {
                    "not-provisioned: a removal was begun and not finished: run `pushready remove` again"
                        .to_owned()
                });
                let interrupted = receipt
                    .under_way
                    .as_ref()
                    .map(|_| "an apply is at work, or was interrupted: run `pushready apply`".to_owned());
                removing.into_iter().chain(refused).chain(missing).chain(interrupted).collect()
            }
        };
        for Finding { code, .. } in lost {
            let login = code.name().split('-').next().unwrap_or_default();
            not_ready.push(format!("{code} {login}"));
        }
        let (mut unproven, mut not_required) = (Vec::new(), Vec::new());
        let fresh = doctor.as_ref().filter(|verdict| !verdict.stale);
        let only_required = fresh.is_some_and(|verdict| verdict.required.is_some());
        let failed = fresh.into_iter().flat_map(|verdict| &verdict.checks);
        for check in failed.filter(|check| check.status == CheckStatus::Fail && !check.accepted) {
            let name = check.code.as_ref().unwrap_or(&check.id);
            // judged above, by what is there now
            let known = [Code::NotProvisioned, Code::RequiredMissing].into_iter();
            if known.chain(lost.iter().map(|finding| finding.code)).any(|code| code.name() == name) {
                continue;
            }
            let subject = check.subject.as_ref().map_or(String::new(), |subject| format!(" {subject}"));
            let list = match check {
                check if only_required && !check.required => &mut not_required,
                check if check.transient => &mut unproven,
                _ => &mut not_ready,
            };
            list.push(format!("{name}{subject}"));
        }
        let mut told = BTreeSet::new();
        for list in [&mut not_ready, &mut unproven, &mut not_required] {
            list.retain(|item| told.insert(item.clone()));
        }
        let (at, by) =
            receipt.as_ref().map(|receipt| (receipt.provisioned_at, receipt.version.clone())).unzip();
        let desired = receipt.map(|receipt| receipt.desired).unwrap_or_default();
        Self {
            schema_version: 1,
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            ready: not_ready.is_empty(),
            provisioned_at: at,
            provisioned_by: by,
            repositories: desired.repositories.into_iter().map(|record| record.repository.to_ssh()).collect(),
            codex: desired.codex.is_some(),
            claude: desired.claude.is_some(),
            not_ready,
            unproven,
            not_required,
            doctor,
        }
    }

    /// `ready · push 1/1 · codex · claude · 4 min ago`.
    fn line(&self, now: Timestamp) -> String {
        let told = |what: &str, items: &[String]| match items {
            [] => None,
            [one] => Some(format!("{what}: {one}")),
            [first, rest @ ..] => Some(format!("{what}: {first} and {} more", rest.len())),
        };
        let mut parts = vec![told("not ready", &self.not_ready).unwrap_or_else(|| "ready".to_owned())];
        parts.extend(told("unproven", &self.unproven));
        parts.extend(told("not required", &self.not_required));
        let proven = |verdict: &Verdict| {
            let pushes = verdict.checks.iter().filter(|check| check.id == "push.write");
            let (all, good) = pushes.fold((0, 0), |(all, good), check| {
                (all + 1, good + usize::from(check.status == CheckStatus::Pass))
            });
            (all > 0).then(|| format!("push {good}/{all}"))
        };
        match self.doctor.as_ref().filter(|verdict| !verdict.stale).and_then(proven) {
            Some(push) => parts.push(push),
            None if !self.repositories.is_empty() => {
                let count = self.repositories.len();
                parts.push(format!("{count} key{}", if count == 1 { "" } else { "s" }));
            }
            None => {}
        }
        let logins = [(self.codex, "codex"), (self.claude, "claude")];
        parts.extend(logins.into_iter().filter(|(is, _)| *is).map(|(_, name)| name.to_owned()));
        let ago = |at: Timestamp| format!("{} ago", span(now.duration_since(at)));
        match (&self.doctor, self.provisioned_at) {
            (Some(verdict), _) if verdict.stale => {
                parts.push(format!("stale: checked {}", ago(verdict.finished_at)));
            }
            // what failed then still counts: an apply may have had nothing to do with it
            (Some(verdict), Some(at)) if at > verdict.finished_at => {
                parts.push(format!("checked {}, applied since", ago(verdict.finished_at)));
            }
            (Some(verdict), _) => parts.push(format!("checked {}", ago(verdict.finished_at))),
            (None, Some(at)) => parts.push(format!("applied {}, never checked", ago(at))),
            (None, None) => {}
        }
        parts.join(" · ")
    }
}

fn verdict(home: &Home, now: Timestamp) -> Option<Verdict> {
    let content = file::observe(&home.state.join("doctor.json"), Kind::Own).ok()??;
    let verdict: Verdict = serde_json::from_slice(&content.bytes).ok()?;
    let stale = now.duration_since(verdict.finished_at) > STALE;
    Some(Verdict { stale, ..verdict })
}

/// The logins that are lost by now, less what is accepted here, or was by the doctor.
fn lost(env: &Env, home: &Home, receipt: Option<&Receipt>, verdict: Option<&Verdict>) -> Vec<Finding> {
    let (here, _) = accepted(env);
    let by_doctor = |code: Code| {
        let mut checks = verdict.into_iter().flat_map(|verdict| &verdict.checks);
        checks.any(|check| check.accepted && check.code.as_deref() == Some(code.name()))
    };
    let lost = receipt.map(|receipt| lost_logins(env, home, receipt)).unwrap_or_default();
    lost.into_iter().filter(|finding| !here.contains(&finding.code) && !by_doctor(finding.code)).collect()
}

pub fn run(arguments: &cli::Status) -> Result<Exit> {
    let env = Env::of_process();
    let loaded = Home::locate(&env).and_then(|home| {
        let receipt = Receipt::load(&home.state)?;
        let verdict = verdict(&home, env.now);
        Ok((lost(&env, &home, receipt.as_ref(), verdict.as_ref()), receipt, verdict))
    });
    let (lost, receipt, doctor) = match loaded {
        Ok(loaded) => loaded,
        // a metadata item must never turn red because of us; a verdict is told in its line
        Err(error) if arguments.line && error.status() == Exit::NotReady => {
            print(&format!("not ready: {}\n", plain(error.told().say)));
            return Ok(Exit::Ready);
        }
        Err(_) if arguments.line => {
            print("unknown: run `pushready status` in the workspace\n");
            return Ok(Exit::Ready);
        }
        Err(error) => return Err(error),
    };
    let status = Status::new(receipt, &lost, doctor);
    if arguments.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&status).unwrap_or_default()));
    } else {
        print(&format!("{}\n", plain(&status.line(env.now))));
        if !arguments.line {
            for item in &status.not_ready {
                print(&format!("  {}\n", plain(item)));
            }
            for (what, items) in [("unproven", &status.unproven), ("not required", &status.not_required)] {
                for item in items {
                    print(&format!("  {what}: {}\n", plain(item)));
                }
            }
        }
    }
    Ok(if status.ready || arguments.line { Exit::Ready } else { Exit::NotReady })
}
