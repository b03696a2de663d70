# Stands in for registry.coder.com/coder/git-clone/coder 2.x: the same variables as far as the examples use them, and what its
# script does (registry/coder/modules/git-clone/run.sh): the hook as a file of its own, a failure of which ends everything.
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

variable "url" {
  type = string
}

variable "base_dir" {
  type    = string
  default = ""
}

variable "pre_clone_script" {
  type    = string
  default = null
}

locals {
  folder = replace(basename(var.url), ".git", "")
  path   = join("/", [var.base_dir == "" ? "~" : var.base_dir, local.folder])
}

resource "coder_script" "git_clone" {
  agent_id           = var.agent_id
  display_name       = "Git Clone"
  run_on_start       = true
  start_blocks_login = true
  script             = <<-EOT
    #!/bin/bash
    set -o errexit
    set -o pipefail
    scripts=$HOME/.coder-modules/coder/git-clone/${local.folder}/scripts
    mkdir -p "$scripts"
    echo -n '${base64encode(coalesce(var.pre_clone_script, "true"))}' | base64 -d >"$scripts/pre_clone.sh"
    chmod 755 "$scripts/pre_clone.sh"
    "$scripts/pre_clone.sh" 2>&1 | tee "$scripts/pre_clone.log"
    folder=${local.path}
    if [ -n "$(ls -A "$folder" 2>/dev/null)" ]; then
      echo "$folder already exists and isn't empty, skipping clone!"
    else
      git clone '${var.url}' "$folder"
    fi
  EOT
}

output "repo_dir" {
  value = local.path
}
