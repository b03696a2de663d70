# Coder Agents (Chats, 2.33 and later): the agent runs in Coder itself, and needs a workspace that can push, without any login of an
# agent in it. No coder_ai_task. The agent picks a template by its name, description and README.md, so write them for it. Push it with
#
#   coder templates push acme-app --variables-file secrets.yaml --yes
#   coder templates edit acme-app --description "Work on acme/app: clone in ~/app, push access, tests with make test"
#   pushready task create "fix the login test" --template acme-app --require-ready --wait
#
# `./pushready` is coder-module of a release, put beside this file: it pins the binary that it downloads.
terraform {
  required_providers {
    coder = {
      source = "coder/coder"
    }
    docker = {
      source = "kreuzwerker/docker"
    }
  }
}

variable "app_key" {
  type        = string
  description = "The deploy key of acme/app, with write access."
  sensitive   = true
}

data "coder_workspace" "me" {}

data "coder_workspace_owner" "me" {}

resource "coder_agent" "main" {
  arch = "amd64"
  os   = "linux"

  # Coder: "Ensure git is configured with credentials and author information"
  env = {
    GIT_AUTHOR_NAME     = data.coder_workspace_owner.me.full_name
    GIT_AUTHOR_EMAIL    = data.coder_workspace_owner.me.email
    GIT_COMMITTER_NAME  = data.coder_workspace_owner.me.full_name
    GIT_COMMITTER_EMAIL = data.coder_workspace_owner.me.email
  }

  # what `pushready task create --require-ready` reads
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
  source      = "./pushready"
  agent_id    = coder_agent.main.id
  deploy_keys = { "acme/app" = var.app_key }
  require     = ["push:acme/app"]
}

module "git_clone" {
  source           = "registry.coder.com/coder/git-clone/coder"
  version          = "2.0.3"
  agent_id         = coder_agent.main.id
  url              = "https://github.com/acme/app"
  pre_clone_script = module.pushready.hook
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
