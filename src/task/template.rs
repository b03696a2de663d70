//! The template, preset, parameters, organization and model that a task is made with: names become
//! ids, and what does not exist is named with what does.

use serde_json::{Value, json};

use super::work::is_uuid;
use crate::coder::model::{Template, list, text};
use crate::coder::{ApiKind, Backend, CoderFailure, organizations};
use crate::error::{Error, Exit, Result};
use crate::http::segment;
use crate::text::plain;

/// An organization.
pub struct Organization {
    pub id: String,
    pub name: String,
}

fn usage(what: String) -> Error {
    Error::new(what).exit(Exit::Usage)
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.take(30).map(|name| plain(name).into_owned()).collect();
    if names.is_empty() { "there are none".to_owned() } else { names.join(", ") }
}

/// The one that is wanted, or else the default one of the caller's.
pub fn organization(backend: &Backend, wanted: Option<&str>) -> Result<Organization> {
    let all = organizations(backend)
        .map_err(|failure| failure.into_error("cannot list your organizations"))?;
    let is_default = |one: &&Value| one.get("is_default").and_then(Value::as_bool) == Some(true);
    let found = match wanted {
        Some(wanted) => all.iter().find(|one| {
            text(one, "id") == Some(wanted)
                || text(one, "name").is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        }),
        None => all.iter().find(is_default).or(all.first()),
    };
    let Some(found) = found else {
        let known = names(all.iter().filter_map(|one| text(one, "name")));
        return Err(match wanted {
            Some(wanted) => {
                usage(format!("you are not a member of an organization `{}`", plain(wanted)))
                    .hint(format!("yours: {known}"))
                    .exit(Exit::NotPermitted)
            }
            None => Error::new("you are not a member of any organization")
                .hint("ask an administrator to add you to one")
                .exit(Exit::NotPermitted),
        });
    };
    let owned = |name| text(found, name).unwrap_or_default().to_owned();
    Ok(Organization { id: owned("id"), name: owned("name") })
}

/// Those of the caller, for a hint.
pub fn organization_names(backend: &Backend) -> String {
    match organizations(backend) {
        Ok(all) => format!("yours: {}", names(all.iter().filter_map(|one| text(one, "name")))),
        Err(_) => "they cannot be listed".to_owned(),
    }
}

/// The templates that fit.
fn fitting(backend: &Backend, kind: ApiKind, org: Option<&Organization>) -> Result<Vec<Template>> {
    let query = match kind {
        ApiKind::Tasks => "?q=has-ai-task:true",
        ApiKind::Chats => "",
    };
    let mut all = list_all(backend, query, org)?;
    all.retain(|template| {
        !template.deprecated && (kind == ApiKind::Tasks || template.agents_allowed)
    });
    Ok(all)
}

fn list_all(backend: &Backend, query: &str, org: Option<&Organization>) -> Result<Vec<Template>> {
    let found = backend
        .coder
        .get(&format!("/api/v2/templates{query}"))
        .map_err(|failure| failure.into_error("cannot list the templates"))?;
    let is_there = |template: &Template| org.is_none_or(|org| org.id == template.organization_id);
    Ok(list(&found).iter().filter_map(Template::of).filter(is_there).collect())
}

/// Whether a template that is named is one for Tasks.
pub fn is_for_tasks(backend: &Backend, wanted: &str) -> Result<bool> {
    let all = fitting(backend, ApiKind::Tasks, None)?;
    Ok(all
        .iter()
        .any(|template| template.name.eq_ignore_ascii_case(wanted) || template.id == wanted))
}

/// The template that is named, or the only one that fits. `None`: none is named and there is none,
/// which a chat does not need.
pub fn template(
    backend: &Backend,
    kind: ApiKind,
    wanted: Option<&str>,
    org: Option<&Organization>,
) -> Result<Option<Template>> {
    let Some(wanted) = wanted else {
        let mut all = fitting(backend, kind, org)?;
        return match all.len() {
            0 if kind == ApiKind::Chats => Ok(None),
            0 => Err(usage("no template has a coder_ai_task, so none can run a task".to_owned())
                .hint("add one to a template (examples/coder-tasks), or use Agents with --backend chats, which need none")),
            1 => Ok(all.pop()),
            _ => Err(usage("which template?".to_owned())
                .because("several fit, and none is named")
                .hint(format!("give --template: {}", names(all.iter().map(|it| &*it.name))))),
        };
    };
    if is_uuid(wanted) {
        let path = format!("/api/v2/templates/{}", segment(wanted));
        return one(backend.coder.get(&path), wanted).map(Some);
    }
    if let Some(org) = org {
        let path =
            format!("/api/v2/organizations/{}/templates/{}", segment(&org.id), segment(wanted));
        match backend.coder.get(&path) {
            Err(failure) if failure.is_gone() => {}
            answer => return one(answer, wanted).map(Some),
        }
    }
    // of any kind: the server says what a template for tasks needs, and which one is deprecated
    let all = list_all(backend, "", org)?;
    let mut found: Vec<_> =
        all.iter().filter(|template| template.name.eq_ignore_ascii_case(wanted)).collect();
    match (found.pop(), found.first()) {
        (Some(template), None) => Ok(Some(template.clone())),
        (Some(one), Some(other)) => Err(usage(format!("which template `{}`?", plain(wanted)))
            .because("two organizations have one of this name")
            .hint(format!("give --org: {}, {}", one.organization_name, other.organization_name))),
        (None, _) => Err(usage(format!("there is no template `{}`", plain(wanted)))
            .hint(format!("templates: {}", names(all.iter().map(|it| &*it.name))))),
    }
}

fn one(answer: crate::coder::CoderAnswer<Value>, wanted: &str) -> Result<Template> {
    let value = answer.map_err(|failure| {
        failure.into_error(format!("cannot read the template `{}`", plain(wanted)))
    })?;
    Template::of(&value).ok_or_else(|| Error::new("the server's answer is not a template"))
}

/// The id of the preset: the one that is named, or the template's default one.
pub fn preset(
    backend: &Backend,
    template: &Template,
    wanted: Option<&str>,
) -> Result<Option<String>> {
    if wanted.is_some_and(|wanted| wanted.eq_ignore_ascii_case("none")) {
        return Ok(None);
    }
    let path = format!("/api/v2/templateversions/{}/presets", segment(&template.active_version_id));
    let found = match backend.coder.get(&path) {
        Ok(found) => found,
        // an older server has no presets
        Err(failure) if failure.is_not_served() => Value::Null,
        Err(failure) => return Err(failure.into_error("cannot list the template's presets")),
    };
    let presets = list(&found);
    let name = |preset: &Value| text(preset, "Name").unwrap_or_default().to_owned();
    let id = |preset: &Value| text(preset, "ID").map(str::to_owned);
    let is_default = |preset: &&Value| preset.get("Default").and_then(Value::as_bool) == Some(true);
    let Some(wanted) = wanted else { return Ok(presets.iter().find(is_default).and_then(id)) };
    let is_wanted = |preset: &&Value| {
        name(preset).eq_ignore_ascii_case(wanted) || text(preset, "ID") == Some(wanted)
    };
    presets.iter().find(is_wanted).and_then(id).map(Some).ok_or_else(|| {
        usage(format!("the template has no preset `{}`", plain(wanted)))
            .hint(format!("presets: {}", names(presets.iter().filter_map(|it| text(it, "Name")))))
    })
}

/// Refuses parameters that the template does not have: the server would ignore them.
pub fn check_parameters(
    backend: &Backend,
    template: &Template,
    given: &[(String, String)],
) -> Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    let version = segment(&template.active_version_id);
    let path = format!("/api/v2/templateversions/{version}/rich-parameters");
    let found = match backend.coder.get(&path) {
        Ok(found) => found,
        Err(failure) if failure.is_gone() || failure.status() == Some(412) => return Ok(()),
        Err(failure) => return Err(failure.into_error("cannot list the template's parameters")),
    };
    let known = || list(&found).iter().filter_map(|parameter| text(parameter, "name"));
    for (name, _) in given {
        if !known().any(|known| known == name) {
            return Err(usage(format!("the template has no parameter `{}`", plain(name)))
                .hint(format!("parameters: {}", names(known()))));
        }
    }
    Ok(())
}

/// The id of a model, by its name or id.
pub fn model(backend: &Backend, prefix: &str, org: &str, wanted: &str) -> Result<String> {
    if is_uuid(wanted) {
        return Ok(wanted.to_owned());
    }
    let failed = |failure: CoderFailure| failure.into_error("cannot list the models");
    // from 2.37 on they belong to the organization
    let found =
        match backend.coder.get(&format!("/api/v2/organizations/{}/chats/models", segment(org))) {
            Err(failure) if failure.is_not_served() => backend
                .coder
                .get(&format!("{prefix}/chats/model-configs"))
                .or_else(|_| backend.coder.get(&format!("{prefix}/chats/models")))
                .map_err(failed)?,
            answer => answer.map_err(failed)?,
        };
    let all = all_models(&found);
    let is_wanted = |model: &&&Value| {
        ["id", "model", "display_name"]
            .into_iter()
            .any(|name| text(model, name).is_some_and(|value| value.eq_ignore_ascii_case(wanted)))
    };
    let id = all.iter().find(is_wanted).and_then(|model| text(model, "id"));
    id.map(str::to_owned).ok_or_else(|| {
        let known =
            all.iter().filter_map(|it| text(it, "display_name").or_else(|| text(it, "model")));
        usage(format!("there is no model `{}`", plain(wanted)))
            .hint(format!("models: {}", names(known)))
    })
}

/// A list of models, or an object that has one, or providers that have one each.
fn all_models(value: &Value) -> Vec<&Value> {
    let of_providers = value.get("providers").map(list).unwrap_or_default();
    let lists = std::iter::once(value).chain(of_providers);
    let models = lists.flat_map(|value| value.get("models").map(list).unwrap_or_default());
    list(value).iter().chain(models).collect()
}

/// `rich_parameter_values` of a request.
pub fn parameters(given: &[(String, String)]) -> Value {
    given.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}
