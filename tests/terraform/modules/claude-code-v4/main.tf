# Stands in for registry.coder.com/coder/claude-code/coder 4.x, the last with Tasks: CLAUDE_CODE_OAUTH_TOKEN is set always, also
# empty; `coder exp mcp configure claude-code` rewrites .claude.json, 0644.
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

variable "claude_code_oauth_token" {
  type      = string
  default   = ""
  sensitive = true
}

variable "pre_install_script" {
  type    = string
  default = null
}

variable "post_install_script" {
  type    = string
  default = null
}

resource "coder_env" "claude_code_oauth_token" {
  agent_id = var.agent_id
  name     = "CLAUDE_CODE_OAUTH_TOKEN"
  value    = var.claude_code_oauth_token
}

resource "coder_script" "agentapi" {
  agent_id     = var.agent_id
  display_name = "Install and start AgentAPI"
  run_on_start = true
  script       = <<-EOT
    #!/bin/bash
    set -e
    module=$HOME/.claude-module
    mkdir -p "$module"
    hook() {
      [ -n "$${2# }" ] || return 0
      echo -n "$2" | base64 -d >"$module/$1.sh"
      chmod +x "$module/$1.sh"
      "$module/$1.sh" 2>&1 | tee "$module/$1.log"
    }
    hook pre_install '${var.pre_install_script == null ? " " : base64encode(var.pre_install_script)}'
    [ -e "$HOME/.claude.json" ] || echo '{}' >"$HOME/.claude.json"
    chmod 644 "$HOME/.claude.json"
    hook post_install '${var.post_install_script == null ? " " : base64encode(var.post_install_script)}'
    mkdir -p ${var.workdir}
  EOT
}

output "task_app_id" {
  value = coder_app.web.id
}

resource "coder_app" "web" {
  agent_id     = var.agent_id
  slug         = "ccw"
  display_name = "Claude Code"
  url          = "http://localhost:3284"
}
