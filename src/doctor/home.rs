//! The home itself, and whether anything was provisioned in it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
use rustix::process::geteuid;

use super::context::Context;
use super::outcome::{self, Evidence, Outcome};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::provision;
use crate::resource::place;
use crate::state::subject::Subject;

/// The check that repeats what apply had to refuse.
pub const PROVISIONED: &str = "home.provisioned";

pub fn check(context: &Context) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    if context.wants("home.folder") {
        outcomes.push(folder(context));
    }
    if context.wants("home.writable") {
        outcomes.push(writable(&context.home.path));
    }
    if context.wants(PROVISIONED) {
        outcomes.extend(provisioned(context));
    }
    if context.wants("home.network") {
        outcomes.push(network(context));
    }
    outcomes
}

fn folder(context: &Context) -> Outcome {
    const ID: &str = "home.folder";
    let home = context.home;
    let evidence = [
        Evidence::new("HOME", home.path.display().to_string()),
        Evidence::new(
            "home that ssh uses",
            home.passwd.as_ref().map_or("none".to_owned(), |passwd| passwd.display().to_string()),
        ),
    ];
    if let Err(finding) = &home.passwd
        && finding.code == Code::HomeNoPasswdEntry
    {
        return Outcome::fail(ID, None, finding.code, &finding.summary, finding.fix.clone())
            .with(evidence);
    }
    if let Ok(metadata) = std::fs::metadata(&home.path)
        && !place::is_own_folder(&metadata)
    {
        let uid = metadata.uid();
        return Outcome::fail(
            ID,
            None,
            Code::HomeOtherOwner,
            format!("the home belongs to uid {uid}, and this is uid {}", geteuid().as_raw()),
            Fix::report("run pushready as the user to whom the home belongs"),
        )
        .with(evidence);
    }
    let Some(note) = home.notes.first() else {
        return Outcome::pass(ID, None, "HOME and the home that ssh uses are the same")
            .with(evidence);
    };
    let (summary, fix) = (&note.summary, note.fix.clone());
    match note.code {
        // git then reads no global configuration, and Codex and Claude Code find no login
        Code::HomeUnset => Outcome::fail(ID, None, note.code, summary, fix),
        code => Outcome::warn(ID, None, code, summary, fix),
    }
    .with(evidence)
}

fn writable(home: &Path) -> Outcome {
    const ID: &str = "home.writable";
    let (read_only, full) = statvfs(home).map_or((false, false), |stat| {
        (
            stat.f_flag.contains(StatVfsMountFlags::RDONLY),
            stat.f_bavail == 0 || (stat.f_files > 0 && stat.f_favail == 0),
        )
    });
    if read_only || access(home, Access::WRITE_OK).is_err() {
        return Outcome::fail(
            ID,
            None,
            Code::HomeReadOnly,
            "the home cannot be written, so no login can be renewed in it",
            Fix::report("mount the home writable, owned by the workspace user"),
        )
        .with([Evidence::new("home", home.display().to_string())]);
    }
    if full {
        return Outcome::fail(
            ID,
            None,
            Code::HomeDiskFull,
            "the filesystem of the home has no room left",
            Fix::report(
                "free some space in the home: `du -xh ~ | sort -h | tail` shows what takes it",
            ),
        );
    }
    Outcome::pass(ID, None, "the home can be written")
}

/// Whether apply has run, what it had to refuse, and whether what is required is there.
fn provisioned(context: &Context) -> Vec<Outcome> {
    const ID: &str = PROVISIONED;
    let asked = !context.desired.is_empty() || !context.settings.refused.is_empty();
    let apply = || {
        Fix::run(
            ["pushready", "apply"],
            "run apply where the variables are set; a restart of the workspace does",
        )
    };
    let mut outcomes = Vec::new();
    match context.receipt {
        None if !asked => outcomes.push(Outcome::fail(
            ID,
            None,
            Code::NotProvisioned,
            "nothing was ever provisioned here, and nothing is asked for",
            Fix::report(
                "set the PUSHREADY_ variables in the template and run `pushready apply` at start",
            ),
        )),
        None => outcomes.push(Outcome::fail(
            ID,
            None,
            Code::NotProvisioned,
            "variables are set, but `pushready apply` never ran",
            apply(),
        )),
        // one that is at work may come to its end
        Some(_) if context.under_way => outcomes.push(Outcome {
            transient: true,
            ..Outcome::fail(
                ID,
                None,
                Code::NotProvisioned,
                "an apply is at work, or was interrupted",
                apply(),
            )
        }),
        Some(receipt) => outcomes.push(
            Outcome::pass(ID, None, "apply has run")
                .with([Evidence::new("last change", receipt.provisioned_at.to_string())]),
        ),
    }
    let here = context.settings.refused.iter().map(|refused| &refused.item);
    let by_apply = context.receipt.iter().flat_map(|receipt| &receipt.desired.refused);
    let by_apply = by_apply.filter(|_| context.settings.refused.is_empty());
    let refused: Vec<_> = here.chain(by_apply.map(|refused| &refused.item)).collect();
    let is_refused = |subject: &Subject| refused.contains(&subject);
    for item in provision::unmet(context.desired, is_refused) {
        if let Some(finding) = item.finding {
            outcomes.push(Outcome::fail(
                ID,
                Some(item.subject.to_string()),
                finding.code,
                finding.summary,
                finding.fix,
            ));
        }
    }
    // in this environment, or in the one of the last apply
    for item in &context.settings.refused {
        let finding = &item.finding;
        let subject = Some(item.item.to_string());
        outcomes.push(Outcome::fail(
            ID,
            subject,
            finding.code,
            &finding.summary,
            finding.fix.clone(),
        ));
    }
    if context.settings.refused.is_empty() {
        for refused in context.receipt.iter().flat_map(|receipt| &receipt.desired.refused) {
            let summary = "the last apply could not put this in place";
            outcomes.push(Outcome::fail(
                ID,
                Some(refused.item.to_string()),
                refused.code,
                summary,
                outcome::explained(refused.code),
            ));
        }
    }
    outcomes
}

fn network(context: &Context) -> Outcome {
    const ID: &str = "home.network";
    if context.sandboxed() {
        return Outcome::unknown(
            ID,
            None,
            "an agent sandbox denies this process the network",
            "run the doctor outside of the sandbox, with the network allowed",
        )
        .coded(Code::NetworkSandboxed)
        .with([Evidence::new("variable", "CODEX_SANDBOX_NETWORK_DISABLED")]);
    }
    Outcome::pass(ID, None, "no agent sandbox is in the way")
}
