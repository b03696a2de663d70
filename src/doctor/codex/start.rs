//! What Codex needs at its start beside a configuration that it takes: the files and servers that
//! the configuration names (0.169, measured).

use std::path::{Path, PathBuf};

use super::fault::{CodexFault, Severity, malformed};
use super::layers::Layers;
use super::merged::Merged;
use crate::doctor::context::Context;
use crate::doctor::git::executable;
use crate::env;
use crate::json;
use crate::resource::file::{self, Kind};
use crate::resource::place::Obstacle;

/// Of a catalogue of models.
const MOST_OF_CATALOG: usize = 4 << 20;

/// A setting that names a file, and whether that is a catalogue of models.
const FILES: &[(&str, bool)] = &[
    ("model_instructions_file", false),
    ("experimental_compact_prompt_file", false),
    ("model_catalog_json", true),
];

/// What the configuration names and what keeps Codex from starting.
pub fn faults<'a>(context: &Context, layers: &'a Layers) -> Vec<CodexFault<'a>> {
    let files = FILES.iter().filter_map(|(name, is_catalog)| {
        let (layer, item) = layers.value(&[name])?;
        let named = item.as_str()?;
        let path = resolved(context, &layer.path, named);
        let (summary, severity) = named_file(&path, *is_catalog)?;
        let fault = malformed(name, (layer, item)).with_severity(severity);
        Some(fault.with_summary(summary).fixed_by(format!("correct `{name}`, or remove it")))
    });
    files.chain(servers(context, layers)).collect()
}

/// A path as Codex takes it: from the folder of the file that names it.
fn resolved(context: &Context, config: &Path, named: &str) -> PathBuf {
    let folder = config.parent().unwrap_or(config);
    if named.starts_with('~') {
        return env::expand(named.as_ref(), &context.home.path);
    }
    folder.join(named)
}

fn named_file(path: &Path, is_catalog: bool) -> Option<(&'static str, Severity)> {
    let content = match file::observe(path, Kind::Shared) {
        Ok(Some(content)) => content.bytes,
        Ok(None) => {
            return Some(fail("the file that it names is not there, so Codex does not start"));
        }
        Err(Obstacle::TooLarge(_)) => return None,
        Err(_) => {
            return Some(fail("the file that it names cannot be read, so Codex does not start"));
        }
    };
    let Ok(text) = std::str::from_utf8(&content) else {
        return Some(fail("the file that it names is not UTF-8, so Codex does not start"));
    };
    if is_catalog {
        let catalog = json::read_fields(&content, &["models", "slug"], &mut { MOST_OF_CATALOG });
        let models =
            catalog.ok().and_then(|catalog| Some(catalog.get("models")?.as_array()?.len()));
        if models.is_none_or(|models| models == 0) {
            return Some(fail(
                "the file that it names has no list `models`, so Codex does not start",
            ));
        }
        let needs = "whether Codex takes each model of that file: `pushready doctor --live`";
        return Some(("it names a catalogue of models", Severity::Unknown(needs)));
    }
    text.trim().is_empty().then(|| fail("the file that it names is empty, so Codex does not start"))
}

const fn fail(summary: &'static str) -> (&'static str, Severity) {
    (summary, Severity::Fail)
}

/// The MCP servers without which Codex does not begin a session.
fn servers<'a>(context: &Context, layers: &'a Layers) -> Vec<CodexFault<'a>> {
    const SETTING: &str = "mcp_servers";
    let Some(servers) = layers.merged(SETTING) else { return Vec::new() };
    let flag =
        |server: &Merged, name: &str| server.get(name).and_then(|value| value.scalar()?.as_bool());
    let judge = |name: &str| {
        let server = servers.get(name)?;
        if flag(&server, "required") != Some(true) || flag(&server, "enabled") == Some(false) {
            return None;
        }
        let fault = malformed(SETTING, server.found()?);
        let fault = fault.fixed_by("correct the server, or remove `required` from it");
        Some(match what_is_missing(context, &server) {
            Some(what) => fault.with_summary(format!(
                "the server `{name}` is `required`, and {what}, so Codex does not start"
            )),
            None => fault
                .with_summary(format!("Codex does not start without the server `{name}`"))
                .with_severity(Severity::Unknown(
                    "whether the server answers, for which Codex starts it: `pushready doctor --live`",
                )),
        })
    };
    servers.names().into_iter().filter_map(judge).collect()
}

/// What is known to keep a server from starting.
fn what_is_missing(context: &Context, server: &Merged) -> Option<&'static str> {
    let text = |path: &[&str]| server.at(path).and_then(|value| value.text());
    if let Some(program) = text(&["command"]) {
        // a relative path and a PATH of its own depend on where it is started
        let is_there = match program {
            _ if text(&["env", "PATH"]).is_some() => true,
            path if path.starts_with('/') => executable::can_run(Path::new(path)),
            path => path.contains('/') || executable::is_on_path(context, path),
        };
        return (!is_there).then_some("its program is not there");
    }
    let variable = text(&["bearer_token_env_var"])?;
    context.env.get(variable).is_none().then_some("the variable of its token is not set")
}
