# User secrets as files (Coder 2.33 and later), so that Terraform never gets a secret, and an order of scripts (coder_script_order:
# Coder 2.39, provider 2.20; older agents ignore it, and the scripts run at the same time). Each developer runs this once:
#
#   d=$(mktemp -d); CODEX_HOME=$d codex login --device-auth      # a login of its own, never a copy of ~/.codex
#   coder secret create codex --file '~/.config/pushready/seed/codex-auth.json' <$d/auth.json; rm -r $d
#   coder secret create app --file '~/.config/pushready/seed/deploy-keys/github.com/acme/app' <app.key
#   printf %s "$TOKEN" | coder secret create claude --file '~/.config/pushready/seed/claude-oauth-token'   # of `claude setup-token`
#
# The seed folder is not where Codex keeps its login: a secret at ~/.codex/auth.json would overwrite each refreshed login.
# `./pushready` is coder-module of a release, put beside this file: it pins the binary that it downloads.
terraform {
  required_providers {
    coder = {
      source  = "coder/coder"
      version = ">= 2.20" # coder_script_order
    }
    docker = {
      source = "kreuzwerker/docker"
    }
  }
}

data "coder_workspace" "me" {}

data "coder_workspace_owner" "me" {}

resource "coder_agent" "main" {
  arch = "amd64"
  os   = "linux"

  dynamic "metadata" {
    for_each = [module.pushready.metadata]
    content {
      key          = metadata.value.key
      display_name = metadata.value.display_name
      script       = metadata.value.script
      interval     = metadata.value.interval
      timeout      = metadata.value.timeout
    }
  }
}

# installs and applies before everything else …
module "pushready" {
  source   = "./pushready"
  agent_id = coder_agent.main.id
  part     = "before"

  # a user secret reaches every workspace of its user, and a refresh token works once: a lease, or one workspace a user
  codex_lease     = true
  trusted_folders = ["~/app"]
}

# … and applies again and proves after it: this restores what the other modules undid, and gives the final verdict
module "proof" {
  source   = "./pushready"
  agent_id = coder_agent.main.id
  part     = "after"
  require  = ["codex", "claude", "push:acme/app"]
}

data "coder_script_order" "pushready" {
  rule {
    run      = ["module.git_clone", "module.codex", "module.claude_code"]
    after    = ["module.pushready"]
    phase    = "start"
    requires = "completion" # one bad key should not prevent the clone of another repository
  }
  rule {
    run      = ["module.proof"]
    after    = ["module.git_clone", "module.codex", "module.claude_code"]
    phase    = "start"
    requires = "completion"
  }
}

module "git_clone" {
  source   = "registry.coder.com/coder/git-clone/coder"
  version  = "2.0.3"
  agent_id = coder_agent.main.id
  url      = "git@github.com:acme/app.git"
}

module "codex" {
  source   = "registry.coder.com/coder-labs/codex/coder"
  version  = "5.3.1"
  agent_id = coder_agent.main.id
  workdir  = "/home/coder/app"
}

module "claude_code" {
  source   = "registry.coder.com/coder/claude-code/coder"
  version  = "5.4.1"
  agent_id = coder_agent.main.id
  workdir  = "/home/coder/app"
}

resource "docker_volume" "home" {
  name = "coder-${data.coder_workspace.me.id}-home"
}

resource "docker_container" "workspace" {
  count      = data.coder_workspace.me.start_count
  image      = "codercom/enterprise-base:ubuntu"
  name       = "coder-${data.coder_workspace_owner.me.name}-${data.coder_workspace.me.name}"
  entrypoint = ["sh", "-c", coder_agent.main.init_script]
  env        = ["CODER_AGENT_TOKEN=${coder_agent.main.token}"]
  volumes {
    container_path = "/home/coder"
    volume_name    = docker_volume.home.name
  }
}
