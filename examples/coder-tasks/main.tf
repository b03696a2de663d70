# Coder with Tasks (2.28 to 2.36, and the 2.34 ESR): agents from the modules' last versions with Tasks, and logins that the
# template has for all users. Push it with
#
#   coder templates push tasks --variables-file secrets.yaml --yes
#
# pushready has no start script of its own here: it would race codex 4.x, which writes a stub over the login at each start. The
# hook before its install keeps the refreshed login, the one after it restores it, and the last one proves it.
# `./pushready` is coder-module of a release, put beside this file: it pins the binary that it downloads.
terraform {
  required_providers {
    coder = {
      source  = "coder/coder"
      version = ">= 2.13" # coder_task
    }
    docker = {
      source = "kreuzwerker/docker"
    }
  }
}

variable "codex_auth_json" {
  type        = string
  description = "A Codex auth.json. It is written without its refresh token: a lease, which any number of tasks may share."
  sensitive   = true
}

variable "app_key" {
  type        = string
  description = "The deploy key of acme/app, with write access."
  sensitive   = true
}

data "coder_workspace" "me" {}

data "coder_workspace_owner" "me" {}

data "coder_task" "me" {}

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

module "pushready" {
  source          = "./pushready"
  agent_id        = coder_agent.main.id
  part            = "hooks"
  codex_auth_json = var.codex_auth_json
  deploy_keys     = { "acme/app" = var.app_key }
  trusted_folders = ["/home/coder/app"]
  require         = ["codex", "push:acme/app"]
}

module "git_clone" {
  source           = "registry.coder.com/coder/git-clone/coder"
  version          = "2.0.3"
  agent_id         = coder_agent.main.id
  url              = "https://github.com/acme/app"
  pre_clone_script = module.pushready.hook
}

module "codex" {
  source              = "registry.coder.com/coder-labs/codex/coder"
  version             = "4.3.1"
  agent_id            = coder_agent.main.id
  workdir             = "/home/coder/app"
  ai_prompt           = data.coder_task.me.prompt
  pre_install_script  = module.pushready.hook
  post_install_script = module.pushready.proof # the module ignores its exit status: the verdict is in the log and the dashboard
}

resource "coder_ai_task" "codex" {
  # above 0 when the template is imported: 2.34 takes a template for Tasks only then (seen on 2.34.3)
  count  = data.coder_workspace.me.start_count
  app_id = module.codex.task_app_id
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
