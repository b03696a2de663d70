# Stands in for registry.coder.com/coder-labs/codex/coder 5.x, without Tasks: auth.json only for an API key; a config.toml
# without its markers is discarded at the first start.
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

variable "openai_api_key" {
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
  display_name = "Codex: Install Script"
  run_on_start = true
  script       = <<-EOT
    #!/bin/bash
    set -o errexit
    set -o pipefail
    module=$HOME/.coder-modules/coder-labs/codex
    mkdir -p "$module/scripts" "$module/logs" "$HOME/.codex"
    echo -n '${base64encode(coalesce(var.pre_install_script, "true"))}' | base64 -d >"$module/scripts/pre_install.sh"
    echo -n '${base64encode(coalesce(var.post_install_script, "true"))}' | base64 -d >"$module/scripts/post_install.sh"
    chmod +x "$module/scripts/"*.sh
    "$module/scripts/pre_install.sh" 2>&1 | tee "$module/logs/pre_install.log"
    config=$HOME/.codex/config.toml
    if ! grep -q 'coder-managed: codex module' "$config" 2>/dev/null; then
      printf '# >>> coder-managed: codex module >>>\npreferred_auth_method = "apikey"\n# <<< coder-managed: codex module <<<\n' >"$config"
    fi
    "$module/scripts/post_install.sh" 2>&1 | tee "$module/logs/post_install.log"
  EOT
}

output "scripts" {
  value = ["coder-labs-codex-install_script"]
}
