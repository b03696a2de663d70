# Stands in for registry.coder.com/coder-labs/codex/coder 4.x, the last with Tasks. Its install script writes a stub over the
# login at each start, key or no key, and makes config.toml anew; the hooks' exit status is lost in a pipe (agentapi's main.sh).
terraform {
  required_providers {
    coder = {
      source = "coder/coder"
    }
  }
}

variable "agent_id" {
  type = string
}

variable "workdir" {
  type = string
}

variable "ai_prompt" {
  type    = string
  default = ""
}

variable "openai_api_key" {
  type    = string
  default = ""
}

variable "pre_install_script" {
  type    = string
  default = null
}

variable "post_install_script" {
  type    = string
  default = null
}

resource "coder_env" "openai_api_key" {
  agent_id = var.agent_id
  name     = "OPENAI_API_KEY"
  value    = var.openai_api_key
}

resource "coder_script" "agentapi" {
  agent_id     = var.agent_id
  display_name = "Install and start AgentAPI"
  run_on_start = true
  script       = <<-EOT
    #!/bin/bash
    set -e
    set -x
    module=$HOME/.codex-module
    mkdir -p "$module"
    ARG_PRE_INSTALL_SCRIPT="$(echo -n '${base64encode(coalesce(var.pre_install_script, " "))}' | base64 -d)"
    ARG_POST_INSTALL_SCRIPT="$(echo -n '${base64encode(coalesce(var.post_install_script, " "))}' | base64 -d)"
    hook() {
      [ -n "$${2# }" ] || return 0
      echo -n "$2" >"$module/$1.sh"
      chmod +x "$module/$1.sh"
      "$module/$1.sh" 2>&1 | tee "$module/$1.log"
    }
    hook pre_install "$ARG_PRE_INSTALL_SCRIPT"
    mkdir -p "$HOME/.codex"
    echo '{ "OPENAI_API_KEY": "${var.openai_api_key}" }' >"$HOME/.codex/auth.json"
    printf 'sandbox_mode = "workspace-write"\npreferred_auth_method = "apikey"\n' >"$HOME/.codex/config.toml"
    hook post_install "$ARG_POST_INSTALL_SCRIPT"
    mkdir -p ${var.workdir}
    # the agent starts here: what it would find is kept for the reader
    cp "$HOME/.codex/auth.json" "$module/seen-by-codex.json"
  EOT
}

resource "coder_app" "web" {
  agent_id     = var.agent_id
  slug         = "codex"
  display_name = "Codex"
  url          = "http://localhost:3284"
}

output "task_app_id" {
  value = coder_app.web.id
}
