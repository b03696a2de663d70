# Stands in for registry.coder.com/coder/claude-code/coder 5.x, without Tasks: onboarding and trust only where it was given a
# credential, and then by `jq … >.claude.json.tmp; mv`, with the modes of the umask.
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
  type    = string
  default = null
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

resource "coder_script" "install" {
  agent_id     = var.agent_id
  display_name = "Claude Code: Install Script"
  run_on_start = true
  script       = <<-EOT
    #!/bin/bash
    set -o errexit
    set -o pipefail
    module=$HOME/.coder-modules/coder/claude-code
    mkdir -p "$module/scripts" "$module/logs"
    echo -n '${base64encode(coalesce(var.pre_install_script, "true"))}' | base64 -d >"$module/scripts/pre_install.sh"
    echo -n '${base64encode(coalesce(var.post_install_script, "true"))}' | base64 -d >"$module/scripts/post_install.sh"
    chmod +x "$module/scripts/"*.sh
    "$module/scripts/pre_install.sh" 2>&1 | tee "$module/logs/pre_install.log"
    "$module/scripts/post_install.sh" 2>&1 | tee "$module/logs/post_install.log"
  EOT
}

output "scripts" {
  value = ["coder-claude-code-install_script"]
}
