//! config.toml, and the other files of its kind: what in them would defeat the login.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rustix::fs::{Access, access};

use super::fault::{CodexFault, Severity};
use super::faults;
use super::layers::{self, Layer, LayerOrigin, Layers, Unusable, Why};
use super::settings::Login;
use super::{rules, start};
use crate::catalogue::Fix;
use crate::catalogue::{Actor, Code};
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::json;
use crate::resource::file;

/// Models that OpenAI withdrew from ChatGPT logins by June 2026 (openai/codex#26053); the client
/// sends them all the same.
const RETIRED_MODELS: &[&str] = &["gpt-5.2", "gpt-5.2-codex", "gpt-5.3-codex"];

/// The folder of rules beside a configuration, and the one of the machine.
const RULES: &str = "rules";
const RULES_OF_MACHINE: &str = "/etc/codex/rules";

/// Of the names of the models that a server offers.
const MOST_OF_CACHE: usize = 4 << 20;

/// Of the files that count in every folder, and of those that trusted repositories add.
pub fn check(context: &Context, layers: &Layers, login: &Login) -> Vec<Judgement> {
    let judge = |layers: &Layers, of_project: bool| -> Vec<Judgement> {
        let offered = |model: &str| offered(context, model);
        let faults =
            faults(layers, login, &offered).into_iter().chain(start::faults(context, layers));
        let faults =
            faults.filter(|fault| (fault.layer.origin == LayerOrigin::Project) == of_project);
        faults.map(|fault| judgement(context, fault)).collect()
    };
    let mut outcomes = judge(layers, false);
    let folders: BTreeSet<PathBuf> =
        context.folder.iter().chain(&context.desired.trusted_folders).cloned().collect();
    let mut with_rules: BTreeSet<PathBuf> =
        [context.home.clients.codex.folder.join(RULES), PathBuf::from(RULES_OF_MACHINE)].into();
    for folder in folders {
        let project = layers.project(&folder).into_iter().filter(|(_, is_trusted)| *is_trusted);
        with_rules.extend(project.map(|(folder, _)| folder.join(".codex").join(RULES)));
        match layers.of_folder(context, &folder) {
            Ok(None) => {}
            Ok(Some(layers)) => outcomes.extend(judge(&layers, true)),
            Err(why) => outcomes.push(unusable(context, &why)),
        }
    }
    outcomes.extend(rules::check(context, &with_rules));
    match layers::requirements() {
        Ok(None) => {}
        Ok(Some(requirements)) => outcomes.extend(demanded(context, &requirements, login)),
        Err(why) => outcomes.push(unusable(context, &why)),
    }
    // where there is no folder yet, Codex makes it
    let folder = context.home.clients.codex.folder.ancestors().find(|folder| folder.exists());
    if folder.is_some_and(|folder| access(folder, Access::WRITE_OK).is_err()) {
        let subject = context.home.shown(&context.home.clients.codex.folder);
        let fail = Judgement::fail(
            Code::CodexHomeUnwritable,
            "Codex cannot write its folder: it would renew the login, and lose the new one",
            Fix::report(format!(
                "make the workspace user the owner of `{}`, with write access",
                context.home.clients.codex.folder.display()
            )),
        );
        outcomes.push(fail.about(subject));
    }
    let id = context.home.clients.codex.folder.join("installation_id");
    let is_usable = id.is_file() && access(&id, Access::READ_OK | Access::WRITE_OK).is_ok();
    if id.exists() && !is_usable {
        let fail = Judgement::fail(
            Code::CodexHomeUnwritable,
            "Codex cannot read and write its `installation_id`, so it does not start",
            Fix::report(format!(
                "give the file to the workspace user, or remove `{}`",
                id.display()
            )),
        );
        outcomes.push(fail.about(context.home.shown(&id)));
    }
    // one file may count in two folders
    let mut seen = BTreeSet::new();
    outcomes.retain(|outcome| seen.insert(outcome.subject.clone()));
    if outcomes.is_empty() {
        outcomes.push(Judgement::pass("no known setting disables the login"));
    }
    outcomes
}

fn demanded(context: &Context, requirements: &Layer, login: &Login) -> Option<Judgement> {
    let (setting, code, summary) = login.is_not_as_demanded(requirements)?;
    let subject = format!("{setting} in {}", context.home.shown(&requirements.path));
    let fix = Fix::edit(&requirements.path, "allow this login, or configure another one");
    let judgement = Judgement::fail(code, summary, fix).about(subject);
    Some(of_machine(judgement, requirements.origin))
}

/// A file with which Codex does not start.
pub fn unusable(context: &Context, Unusable { path, origin, why }: &Unusable) -> Judgement {
    let subject = (*origin != LayerOrigin::User).then(|| context.home.shown(path));
    let name = match origin {
        LayerOrigin::User => "config.toml",
        LayerOrigin::Project => "a repository's config.toml",
        LayerOrigin::System | LayerOrigin::Managed => "the machine's config.toml",
    };
    let what = match why {
        Why::Obstacle(obstacle) => {
            return Judgement { subject, ..Judgement::obstructed(obstacle, path) };
        }
        Why::TooManyParts => {
            let summary = format!("{name} has more keys and values than are read");
            let needs = "a config.toml of normal size";
            return Judgement { subject, ..Judgement::unknown(summary, needs) };
        }
        Why::NotUtf8 => "is not UTF-8".to_owned(),
        Why::NotToml(None) => "does not parse".to_owned(),
        Why::NotToml(Some(line)) => format!("does not parse at line {line}"),
    };
    let summary = format!("{name} {what}, so Codex does not start{}", where_it_counts(*origin));
    let outcome =
        Judgement::fail(Code::CodexConfigMalformed, summary, Fix::edit(path, "correct that line"));
    of_machine(Judgement { subject, ..outcome }, *origin)
}

const fn where_it_counts(origin: LayerOrigin) -> &'static str {
    match origin {
        LayerOrigin::Project => " in it",
        LayerOrigin::System | LayerOrigin::User | LayerOrigin::Managed => "",
    }
}

/// The machine's own files are not fixed by the user who works on it.
fn of_machine(outcome: Judgement, origin: LayerOrigin) -> Judgement {
    match origin {
        LayerOrigin::User | LayerOrigin::Project => outcome,
        LayerOrigin::System | LayerOrigin::Managed => {
            Judgement { actor: Some(Actor::TemplateAdmin), agent_may_fix: false, ..outcome }
        }
    }
}

pub fn judgement(context: &Context, fault: CodexFault) -> Judgement {
    let CodexFault { setting, layer: Layer { path, origin, .. }, finding, value, severity } = fault;
    let subject = match origin {
        LayerOrigin::User => setting.to_owned(),
        _ => format!("{setting} in {}", context.home.shown(path)),
    };
    let outcome = match severity {
        Severity::Unknown(needs) => {
            Judgement::unknown(finding.summary, needs).coded(finding.code).fixed(finding.fix)
        }
        Severity::Warn => Judgement::warn(finding.code, finding.summary, finding.fix),
        Severity::Fail => Judgement::found(finding),
    };
    let place = Evidence::new("set in", context.home.shown(path));
    let evidence = [place, Evidence::foreign("value", &value)];
    of_machine(outcome.about(subject).with(evidence), *origin)
}

/// What the server offered this login, where Codex has noted it; else what is known to be
/// withdrawn.
fn offered(context: &Context, model: &str) -> bool {
    let cache = file::text(&context.home.clients.codex.folder.join("models_cache.json"));
    let cache = json::read_fields(cache.as_bytes(), &["models", "slug"], &mut { MOST_OF_CACHE });
    let cache = cache.unwrap_or_default();
    let models = cache.get("models").and_then(serde_json::Value::as_array);
    match models.filter(|models| !models.is_empty()) {
        Some(models) => models
            .iter()
            .any(|known| known.get("slug").and_then(|slug| slug.as_str()) == Some(model)),
        None => !RETIRED_MODELS.contains(&model),
    }
}
