//! Coder templates: planned and applied by a real terraform, with stand-ins for the providers
//! (tests/terraform/provider.py) and for the registry's modules; and then what the agent in the
//! workspace does with the scripts and variables of the state.

use super::{CRATE, Cmd, Output, Workspace, require, skip};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const PROVIDERS: [(&str, &str); 2] = [("coder/coder", "2.20.0"), ("kreuzwerker/docker", "3.6.2")];
/// A release as a mirror has it: `vVERSION/pushready-VERSION-MACHINE-linux`, which is the binary
/// under test.
const RELEASES: &str = "/tmp/releases";
const BINARY: &str = "/run/rig/bin/pushready";
/// Without pushready: the agent's processes find it where the module puts it.
pub const AGENT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The release of the binary under test; made anew where a test took it away.
pub struct Release {
    /// The folder with its files.
    pub folder: String,
    /// The binary in it.
    pub binary: String,
    pub sha256: String,
}

impl Release {
    pub fn publish() -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let folder = format!("{RELEASES}/v{version}");
        let binary = format!("{folder}/pushready-{version}-{}-linux", std::env::consts::ARCH);
        fs::create_dir_all(&folder).unwrap();
        fs::remove_file(&binary).ok();
        symlink(BINARY, &binary).unwrap();
        let output = Command::new("sha256sum").arg(BINARY).output().unwrap();
        Self { folder, binary, sha256: String::from_utf8(output.stdout).unwrap()[..64].to_owned() }
    }

    /// install.sh as scripts/release.sh fills it in.
    pub fn installer(&self) -> String {
        let mut text = fs::read_to_string(format!("{CRATE}/scripts/install.sh")).unwrap();
        for (name, value) in [
            ("version", env!("CARGO_PKG_VERSION")),
            ("url", RELEASES),
            (std::env::consts::ARCH, &*self.sha256),
        ] {
            let empty = format!("\n{name}=\n");
            assert!(text.contains(&empty), "install.sh has no {name} to fill in");
            text = text.replace(&empty, &format!("\n{name}={value}\n"));
        }
        text
    }
}

/// What the provisioner hands to the provider: variables such as `CODER_WORKSPACE_IS_PREBUILD`.
pub type Provisioner<'a> = &'a [(&'a str, &'a str)];

/// A template in its author's folder.
pub struct Template<'rig> {
    workspace: &'rig Workspace,
    folder: PathBuf,
}

impl<'rig> Template<'rig> {
    /// One agent, a release's module as `pushready` with these arguments, and whatever follows
    /// them.
    pub fn of_module(workspace: &'rig Workspace, arguments: &str, more: &str) -> Self {
        Self::of_text(
            workspace,
            &format!(
                r#"
terraform {{
  required_providers {{
    coder = {{ source = "coder/coder" }}
  }}
}}
resource "coder_agent" "main" {{
  arch = "amd64"
  os   = "linux"
}}
module "pushready" {{
  source   = "./pushready"
  agent_id = coder_agent.main.id
  {arguments}
}}
{more}"#
            ),
        )
    }

    /// The same with the module from elsewhere.
    pub fn of_source(workspace: &'rig Workspace, source: &str, arguments: &str) -> Self {
        let module = format!(
            "module \"pushready\" {{\n  source = \"{source}\"\n  agent_id = \"agent\"\n  {arguments}\n}}"
        );
        Self::of_text(workspace, &module)
    }

    /// A folder of `examples`.
    pub fn of_example(workspace: &'rig Workspace, name: &str) -> Self {
        let text = fs::read_to_string(Path::new(CRATE).join("examples").join(name).join("main.tf"))
            .unwrap();
        Self::of_text(workspace, &text)
    }

    /// The block of Terraform in the module's README that comes first.
    pub fn of_readme(workspace: &'rig Workspace) -> Self {
        let text = fs::read_to_string(Path::new(CRATE).join("scripts/coder/README.md")).unwrap();
        let block = text.split_once("```tf\n").unwrap().1.split_once("```").unwrap().0;
        let providers = "terraform {\n  required_providers {\n    coder = { source = \"coder/coder\" }\n  }\n}\n";
        Self::of_text(workspace, &format!("{providers}{block}"))
    }

    fn of_text(workspace: &'rig Workspace, text: &str) -> Self {
        require("terraform");
        let folder = PathBuf::from("/tmp/author/template");
        fs::create_dir_all(&folder).unwrap();
        make_mirror();
        // what a release calls coder-module
        let module = folder.join("pushready");
        if !module.exists() {
            let source = format!("{CRATE}/scripts/coder");
            assert!(
                Command::new("cp").arg("-r").arg(source).arg(&module).status().unwrap().success()
            );
            fs::write(module.join("install.sh"), Release::publish().installer()).unwrap();
        }
        let template = Self { workspace, folder };
        template.write("main.tf", &with_sources_at_hand(text));
        template.terraform(&["init", "-no-color"]).run().success();
        template
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    /// Values of the template's variables, as `--variables-file` gives them.
    pub fn variables(&self, values: &Value) {
        self.write("terraform.tfvars.json", &values.to_string());
    }

    pub fn terraform(&self, args: &[&str]) -> Cmd {
        self.workspace
            .cmd("terraform")
            .args(args)
            .current_dir(&self.folder)
            // not the workspace: what terraform leaves behind is the author's
            .env("HOME", "/tmp/author")
            .env("TF_CLI_CONFIG_FILE", "/tmp/author/terraformrc")
            .env("CHECKPOINT_DISABLE", "1")
    }

    pub fn plan(&self) -> Output {
        self.terraform(&["plan", "-no-color", "-input=false"]).run()
    }

    /// What a workspace gets from a build.
    pub fn build(&self, provisioner: Provisioner) -> Deployment {
        let mut apply = self.terraform(&["apply", "-no-color", "-input=false", "-auto-approve"]);
        for (name, value) in provisioner {
            apply = apply.env(name, value);
        }
        let applied = apply.run().success();
        let state = self.terraform(&["show", "-json"]).run().success().json();
        Deployment::of(&state["values"], applied.stdout)
    }
}

/// terraform looks for providers in this folder instead of asking a registry.
fn make_mirror() {
    let folder = std::env::var_os("PUSHREADY_TERRAFORM_DIR")
        .map_or_else(|| Path::new(CRATE).join("target/terraform"), PathBuf::from);
    let python = folder.join("venv/bin/python");
    if !python.exists() {
        skip(
            "Terraform's provider protocol for Python not found (scripts/install-test-tools.sh installs it)",
        );
    }
    for (source, version) in PROVIDERS {
        let name = source.rsplit('/').next().unwrap();
        let folder =
            format!("/tmp/author/mirror/registry.terraform.io/{source}/{version}/linux_amd64");
        fs::create_dir_all(&folder).unwrap();
        let program = format!("{folder}/terraform-provider-{name}_v{version}");
        let provider = format!("{CRATE}/tests/terraform/provider.py");
        fs::write(&program, format!("#!/bin/sh\nexec {} {provider} {name}\n", python.display()))
            .unwrap();
        fs::set_permissions(program, Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(
        "/tmp/author/terraformrc",
        "provider_installation {\n  filesystem_mirror {\n    path = \"/tmp/author/mirror\"\n  }\n}\n",
    )
    .unwrap();
}

/// The same text with stand-ins for the registry's modules.
fn with_sources_at_hand(text: &str) -> String {
    let mut at_hand = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let folder = match string_value(line, "source") {
            Some(address) => address.strip_prefix("registry.coder.com/").map(|module| {
                let version = lines.next().and_then(|next| string_value(next, "version"));
                stand_in(module, version.expect("a version follows the source"))
            }),
            None => None,
        };
        let line =
            folder.map_or(line.to_owned(), |folder| format!("  source = \"{CRATE}/{folder}\""));
        at_hand.push_str(&line);
        at_hand.push('\n');
    }
    at_hand
}

fn stand_in(module: &str, version: &str) -> String {
    let (name, major) = (module.split('/').nth(1).unwrap(), version.split('.').next().unwrap());
    format!("tests/terraform/modules/{name}-v{major}")
}

/// Of a line `name = "value"`.
fn string_value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let rest = line.trim().strip_prefix(name)?.trim_start().strip_prefix('=')?.trim();
    rest.strip_prefix('"')?.split('"').next()
}

#[derive(Debug, Clone)]
pub struct Script {
    /// Terraform's: `module.pushready.coder_script.start[0]`.
    pub address: String,
    pub text: String,
    pub at_start: bool,
    pub at_stop: bool,
    pub cron: Option<String>,
    pub blocks_login: bool,
    pub timeout: u64,
}

/// What the server hands to the agent.
pub struct Deployment {
    pub scripts: Vec<Script>,
    /// As they stand in the state, before the agent expands them.
    pub variables: BTreeMap<String, String>,
    pub metadata: Vec<Value>,
    rules: Vec<Value>,
    /// What terraform printed.
    pub log: String,
}

impl Deployment {
    fn of(values: &Value, log: String) -> Self {
        let mut deployment = Self {
            scripts: Vec::new(),
            variables: BTreeMap::new(),
            metadata: Vec::new(),
            rules: Vec::new(),
            log,
        };
        deployment.gather(&values["root_module"]);
        deployment
    }

    fn gather(&mut self, module: &Value) {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for resource in list(&module["resources"]) {
            let values = &resource["values"];
            match resource["type"].as_str().unwrap() {
                "coder_script" => self.scripts.push(Script {
                    address: text(&resource["address"]),
                    text: text(&values["script"]),
                    at_start: values["run_on_start"] == true,
                    at_stop: values["run_on_stop"] == true,
                    cron: values["cron"].as_str().map(str::to_owned),
                    blocks_login: values["start_blocks_login"] == true,
                    timeout: values["timeout"].as_u64().unwrap_or(0),
                }),
                "coder_env" => {
                    self.variables.insert(text(&values["name"]), text(&values["value"]));
                }
                "coder_agent" => self.metadata.extend(list(&values["metadata"])),
                "coder_script_order" => self.rules.extend(list(&values["rule"])),
                _ => {}
            }
        }
        for child in list(&module["child_modules"]) {
            self.gather(&child);
        }
    }

    #[track_caller]
    pub fn script(&self, address: &str) -> &Script {
        self.scripts.iter().find(|script| script.address == address).unwrap_or_else(|| {
            let there: Vec<_> = self.scripts.iter().map(|script| &script.address).collect();
            panic!("no {address}, but {there:?}")
        })
    }

    /// The start scripts that `script` waits for, as `coder_script_order` has it (phase `start`).
    fn prerequisites(&self, script: &Script) -> BTreeSet<String> {
        let selects = |selectors: &Value, address: &str| {
            let selectors = selectors.as_array().cloned().unwrap_or_default();
            selectors.iter().filter_map(Value::as_str).any(|selector| {
                address == selector
                    || address
                        .strip_prefix(selector)
                        .is_some_and(|rest| rest.starts_with(['.', '[']))
            })
        };
        let rules = self.rules.iter().filter(|rule| selects(&rule["run"], &script.address));
        rules
            .flat_map(|rule| {
                self.scripts
                    .iter()
                    .filter(|other| other.at_start && selects(&rule["after"], &other.address))
                    .map(|other| other.address.clone())
            })
            .collect()
    }
}

/// Coder's agent, as far as it runs scripts (coder/coder, agent/agentscripts and agent/agent.go:
/// updateCommandEnv).
pub struct Agent<'rig> {
    workspace: &'rig Workspace,
    pub deployment: Deployment,
    login_shell: &'static str,
    /// What the agent and the image also have in their environment.
    more: Vec<(String, String)>,
}

impl<'rig> Agent<'rig> {
    /// A new agent process: what scripts left in its data folder is gone.
    pub fn of(workspace: &'rig Workspace, deployment: Deployment) -> Self {
        fs::remove_dir_all("/tmp/coder-script-data").ok();
        fs::create_dir_all("/tmp/coder-script-data/bin").unwrap();
        Self { workspace, deployment, login_shell: "/bin/bash", more: Vec::new() }
    }

    pub fn login_shell(self, login_shell: &'static str) -> Self {
        Self { login_shell, ..self }
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.more.push((name.to_owned(), value.into()));
        self
    }

    /// The agent's way to run a text: `<words of the first line> -c TEXT`, or the login shell.
    pub fn cmd(&self, text: &str) -> Cmd {
        let text = text.trim();
        let mut words = match text.strip_prefix("#!") {
            Some(rest) => rest.lines().next().unwrap_or_default().split_whitespace().collect(),
            None => vec![self.login_shell],
        };
        let program = words.remove(0);
        let mut cmd = self.workspace.cmd(program).args(&words).args(["-c", text]);
        for (name, value) in self.environment() {
            cmd = cmd.env(&name, value);
        }
        cmd
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let mut env: BTreeMap<String, String> = [
            ("HOME", "/home/coder"),
            ("USER", "coder"),
            ("CODER", "true"),
            ("CODER_WORKSPACE_NAME", "work"),
            ("CODER_SCRIPT_BIN_DIR", "/tmp/coder-script-data/bin"),
            ("PATH", AGENT_PATH),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        env.extend(self.more.iter().cloned());
        for (name, value) in &self.deployment.variables {
            let value = expand_env(value, &env);
            env.insert(name.clone(), value);
        }
        let path = format!("/tmp/coder-script-data/bin:{}", env["PATH"]);
        env.insert("PATH".to_owned(), path);
        env
    }

    #[track_caller]
    pub fn run(&self, address: &str) -> Output {
        self.cmd(&self.deployment.script(address).text).run()
    }

    /// A command of the user in a terminal of the workspace.
    pub fn shell(&self, text: &str) -> Output {
        self.cmd(&format!("#!/bin/sh\n{text}")).run()
    }

    /// All start scripts: at once, but for what coder_script_order orders. By address, with what
    /// each printed.
    pub fn start(&self) -> BTreeMap<String, Output> {
        let mut waiting: Vec<&Script> =
            self.deployment.scripts.iter().filter(|script| script.at_start).collect();
        let mut done = BTreeMap::new();
        while !waiting.is_empty() {
            let (ready, rest): (Vec<&Script>, Vec<&Script>) =
                waiting.into_iter().partition(|script| {
                    self.deployment
                        .prerequisites(script)
                        .iter()
                        .all(|other| done.contains_key(other))
                });
            assert!(!ready.is_empty(), "the rules wait for each other");
            let outputs: Vec<_> = std::thread::scope(|scope| {
                let runs: Vec<_> = ready
                    .iter()
                    .map(|script| scope.spawn(|| self.cmd(&script.text).run()))
                    .collect();
                runs.into_iter().map(|run| run.join().unwrap()).collect()
            });
            done.extend(ready.iter().map(|script| script.address.clone()).zip(outputs));
            waiting = rest;
        }
        done
    }
}

/// Go's `os.ExpandEnv`.
fn expand_env(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, after) = if let Some((name, after)) =
            after.strip_prefix('{').and_then(|braced| braced.split_once('}'))
        {
            (name, after)
        } else {
            let is_special = |c: char| "*#$@!?-".contains(c) || c.is_ascii_digit();
            let end = match after.chars().next() {
                Some(first) if is_special(first) => 1,
                _ => after
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(after.len()),
            };
            after.split_at(end)
        };
        if name.is_empty() {
            expanded.push('$');
        }
        expanded.push_str(env.get(name).map_or("", String::as_str));
        rest = after;
    }
    expanded + rest
}
