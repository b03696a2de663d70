//! The home itself, and whether anything was provisioned in it.

use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
use rustix::process::geteuid;

use super::context::Context;
use super::outcome::{self, Evidence, Judgement};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::client::Client;
use crate::git::url::Repository;
use crate::provision::{self, is_configured, routing};
use crate::resource::place;
use crate::state::subject::Subject;

/// The check that repeats what apply had to refuse.
pub const PROVISIONED: &str = "home.provisioned";

pub fn folder(context: &Context) -> Judgement {
    let home = context.home;
    let evidence = [
        Evidence::new("home in use", home.path.display().to_string()),
        Evidence::new(
            "home that ssh uses",
            home.passwd.as_ref().map_or("none".to_owned(), |passwd| passwd.display().to_string()),
        ),
    ];
    if let Err(finding) = &home.passwd
        && finding.code == Code::HomeNoPasswdEntry
    {
        return Judgement::fail(finding.code, &finding.summary, finding.fix.clone()).with(evidence);
    }
    if let Ok(metadata) = std::fs::metadata(&home.path)
        && !place::is_own_folder(&home.path, &metadata)
    {
        let uid = metadata.uid();
        return Judgement::fail(
            Code::HomeOtherOwner,
            format!("the home belongs to uid {uid}, and this is uid {}", geteuid().as_raw()),
            Fix::report("run pushready as the owner of the home"),
        )
        .with(evidence);
    }
    let Some(note) = home.notes.first() else {
        return Judgement::pass("HOME and the home that ssh uses are the same").with(evidence);
    };
    let (summary, fix) = (&note.summary, note.fix.clone());
    match note.code {
        // git then reads no global configuration, and Codex and Claude Code find no login
        Code::HomeUnset => Judgement::fail(note.code, summary, fix),
        code => Judgement::warn(code, summary, fix),
    }
    .with(evidence)
}

/// Whether something that is provisioned is in the home.
fn is_needed(context: &Context) -> bool {
    let home = context.home;
    let clients = Client::ALL.iter().filter(|client| context.has_login(**client));
    let mut folders = clients.map(|client| &home.clients.get(*client).folder);
    !context.desired.repositories.is_empty()
        || context.desired.is_empty()
        || home.state.starts_with(&home.path)
        || folders.any(|folder| folder.starts_with(&home.path))
}

pub fn writable(context: &Context) -> Judgement {
    let home = &*context.home.path;
    let (read_only, full) = statvfs(home).map_or((false, false), |stat| {
        (
            stat.f_flag.contains(StatVfsMountFlags::RDONLY),
            stat.f_bavail == 0 || (stat.f_files > 0 && stat.f_favail == 0),
        )
    });
    let cannot_write = read_only || access(home, Access::WRITE_OK).is_err();
    if cannot_write && !is_needed(context) {
        return Judgement::pass(
            "the home cannot be written, and nothing that is provisioned is in it",
        );
    }
    if cannot_write {
        return Judgement::fail(
            Code::HomeReadOnly,
            "the home cannot be written, so no login can be renewed in it",
            Fix::report("mount the home writable, owned by the workspace user"),
        )
        .with([Evidence::new("home", home.display().to_string())]);
    }
    if full {
        return Judgement::fail(
            Code::HomeDiskFull,
            "the filesystem of the home has no space left",
            Fix::report(
                "free some space in the home: `du -xh ~ | sort -h | tail` shows what uses it",
            ),
        );
    }
    Judgement::pass("the home can be written")
}

/// Whether apply has run, what it had to refuse, and whether what is required is there.
pub fn provisioned(context: &Context) -> Vec<Judgement> {
    let asked = !context.desired.is_empty() || !context.settings.refused.is_empty();
    let apply = || {
        Fix::run(
            ["pushready", "apply"],
            "run apply where the variables are set, or restart the workspace",
        )
    };
    let here = context.settings.refused.iter().map(|refused| &refused.item);
    let by_apply = context.receipt.iter().flat_map(|receipt| &receipt.desired.refused);
    let by_apply = by_apply.filter(|_| context.settings.refused.is_empty());
    let refused: Vec<_> = here.chain(by_apply.map(|refused| &refused.item)).collect();
    let is_refused = |subject: &Subject| refused.contains(&subject);
    let concerned = |subject: &Subject| match subject.first() {
        Subject::Key(name) | Subject::Push(name) => Repository::parse_declared(name)
            .map_or(true, |repository| context.concerns(&repository)),
        _ => true,
    };
    let has_login = |client| provision::has_login(context.home, client, context.env.now);
    let mut unmet = provision::unmet(context.desired, has_login, is_refused);
    if context.settings.unclaimed {
        unmet.clear();
    }
    let lines = match context.receipt {
        Some(_) => Vec::new(),
        None => routing::including(context.home),
    };
    let elsewhere = context.receipt.is_none().then(|| routing::other_state(context.home)).flatten();
    if let Some(folder) = elsewhere {
        let state = context.home.shown(&context.home.state);
        let fix = "unset XDG_STATE_HOME, or set it as where apply runs: `env | grep XDG_STATE_HOME` shows it";
        let summary = "apply wrote into another state folder than the one of this environment";
        let folders = [
            Evidence::new("ssh reads", context.home.shown(&folder)),
            Evidence::new("state folder here", state),
        ];
        return vec![
            Judgement::fail(Code::NotProvisioned, summary, Fix::report(fix)).with(folders),
        ];
    }
    let is_missing_all = !unmet.is_empty() && lines.is_empty() && !is_configured(context.settings);
    let mut judgements = Vec::new();
    match context.receipt {
        // each missing item is reported by itself, with its own fix
        None if is_missing_all => {}
        None if !lines.is_empty() => judgements.push(
            Judgement::fail(
                Code::NotProvisioned,
                "this home was provisioned, and the state folder is gone: ssh and git still name it",
                Fix::run(
                    ["pushready", "apply"],
                    "run apply where the variables are set (a restart of the workspace does), or \
                     `pushready remove` to remove the lines that name the folder",
                ),
            )
            .with([Evidence::new("state folder", context.home.shown(&context.home.state))])
            .with(lines.iter().map(|path| Evidence::new("named in", context.home.shown(path)))),
        ),
        None if !asked => judgements.push(Judgement::fail(
            Code::NotProvisioned,
            "nothing was ever provisioned here, and nothing is configured",
            Fix::report(
                "set the PUSHREADY_ variables in the template and run `pushready apply` at start",
            ),
        )),
        None => judgements.push(Judgement::fail(
            Code::NotProvisioned,
            "variables are set, but `pushready apply` never ran",
            apply(),
        )),
        // one that is running may still finish
        Some(_) if context.under_way => judgements.push(Judgement {
            transient: true,
            ..Judgement::fail(
                Code::NotProvisioned,
                "an apply is running, or was interrupted",
                apply(),
            )
        }),
        Some(receipt) => judgements.push(
            Judgement::pass("apply has run")
                .with([Evidence::new("last change", receipt.provisioned_at.to_string())]),
        ),
    }
    for requirement in unmet.iter().filter(|requirement| concerned(&requirement.subject())) {
        let item = provision::missing(requirement, context.desired, context.settings, context.home);
        if let Some(finding) = item.finding {
            judgements.push(Judgement {
                actor: Some(provision::provider_of(requirement, context.desired)),
                ..Judgement::found(finding).about(item.subject.to_string())
            });
        }
    }
    // in this environment, or in the one of the last apply
    for item in context.settings.refused.iter().filter(|item| concerned(&item.item)) {
        judgements.push(Judgement::found(item.finding.clone()).about(item.item.to_string()));
    }
    if context.settings.refused.is_empty() {
        let refused = context.receipt.iter().flat_map(|receipt| &receipt.desired.refused);
        for refused in refused.filter(|refused| concerned(&refused.item)) {
            let summary = "the last apply could not put this in place";
            let fix = outcome::explained(refused.code);
            let judgement = Judgement::fail(refused.code, summary, fix);
            // that apply has ended: it passes by another one alone
            let judgement = Judgement { transient: false, ..judgement };
            judgements.push(judgement.about(refused.item.to_string()));
        }
    }
    judgements
}

pub fn network(context: &Context) -> Judgement {
    if context.sandboxed() {
        return Judgement::unknown(
            "an agent sandbox denies this process the network",
            "run the doctor outside of the sandbox, with the network allowed",
        )
        .coded(Code::NetworkSandboxed)
        .with([Evidence::new("variable", "CODEX_SANDBOX_NETWORK_DISABLED")]);
    }
    Judgement::pass("no agent sandbox denies the network")
}
