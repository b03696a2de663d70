terraform {
  # the first version whose validations can refer to other variables
  required_version = ">= 1.9"

  required_providers {
    coder = {
      source  = "coder/coder"
      version = ">= 2.5"
    }
  }
}

data "coder_workspace" "me" {}

data "coder_workspace_owner" "me" {}

variable "agent_id" {
  type        = string
  description = "The ID of a Coder agent."
}

variable "part" {
  type        = string
  description = "What this instance does at start. `all`: install, apply, prove. `before`: install and apply, for an instance that runs before other modules; no stop script and no cron. `after`: everything, for an instance that runs after the other modules. `hooks`: no start script, for templates that use `hook` in other modules."
  default     = "all"

  validation {
    condition     = contains(["all", "before", "after", "hooks"], var.part)
    error_message = "part is one of all, before, after and hooks."
  }
}

# --- logins and keys. Better than any of these variables: user secrets that are files in the seed folder ----------------------

variable "codex_auth_json" {
  type        = string
  description = "A Codex auth.json, or an `at-…` access token."
  default     = null
  sensitive   = true
}

variable "codex_lease" {
  type        = bool
  description = "Write the Codex login without its refresh token, so that any number of workspaces may share it until it expires. Default: true with a `codex_auth_json`, unless `per_user_logins`."
  default     = null
}

variable "claude_oauth_token" {
  type        = string
  description = "A token from `claude setup-token`."
  default     = null
  sensitive   = true
}

variable "claude_other_auth" {
  type        = bool
  description = "Claude Code gets an API key, a key helper, a gateway or a cloud provider from elsewhere in this template. An additional `claude_oauth_token` is refused."
  default     = false
}

variable "claude_token_created" {
  type        = string
  description = "The date on which the token was made, YYYY-MM-DD. It is valid for a year, and does not contain its date."
  default     = null

  validation {
    condition     = can(regex("^\\d{4}-\\d{2}-\\d{2}$", coalesce(var.claude_token_created, "2026-01-31"))) && can(timeadd("${coalesce(var.claude_token_created, "2026-01-31")}T00:00:00Z", "0s"))
    error_message = "claude_token_created is a date like 2026-01-31."
  }
}

variable "per_user_logins" {
  type        = bool
  description = "The logins given here are the workspace owner's own, for instance from a parameter or an external secret store, and not the same for every workspace of the template."
  default     = false
}

variable "deploy_keys" {
  type        = map(string)
  description = "Repository => private key in OpenSSH's format. A repository is `owner/repo` (github.com), `host/path/repo` or any git URL. If set, it is authoritative: a repository that was removed from the map loses its key. Null changes nothing."
  default     = null
  sensitive   = true
}

variable "known_hosts" {
  type        = string
  description = "Lines of known_hosts for your own servers; the public forges are pinned."
  default     = null

  validation {
    condition     = length(coalesce(var.known_hosts, "-")) <= local.largest
    error_message = "known_hosts is larger than 120 kB: its variable would make every exec in the workspace fail."
  }
}

variable "trusted_folders" {
  type        = list(string)
  description = "Folders whose trust prompt Codex and Claude Code should not show, such as `~/app`."
  default     = null

  validation {
    condition     = alltrue([for folder in coalesce(var.trusted_folders, []) : can(regex("^(~/|/)[^\\n:]*$", folder))])
    error_message = "trusted_folders begin with / or ~/, and contain no colon."
  }
}

variable "remotes_roots" {
  type        = list(string)
  description = "Folders that are searched for clones; their HTTPS remotes become SSH. Default: the home."
  default     = null
}

variable "seed_dir" {
  type        = string
  description = "The seed folder, with `codex-auth.json`, `claude-oauth-token`, `known_hosts` and `deploy-keys/HOST/PATH` from user secrets or a mount. Default: ~/.config/pushready/seed."
  default     = null
}

variable "unclaimed" {
  type        = bool
  description = "A prebuilt workspace that is not claimed yet: repository keys only, and never fails. Default: from `data.coder_workspace`."
  default     = null
}

variable "git_identity" {
  type = object({
    name  = string
    email = string
  })
  description = "Name and email address of commits, used where git has none from elsewhere. Default: those of the workspace owner. `{ name = \"\", email = \"\" }`: none."
  default     = null
}

variable "git_ssh_command" {
  type        = string
  description = "GIT_SSH_COMMAND of all processes. Use `ssh` if the agent has `api_key_scope = \"no_user_data\"`, under which `coder gitssh` cannot work."
  default     = null
}

# --- what counts as ready ---------------------------------------------------------------------------------------------------

variable "require" {
  type        = list(string)
  description = "What must be ready: `codex`, `claude`, `push:owner/repo`. The start script fails for these alone."
  default     = []

  validation {
    condition     = length(var.require) == 0 || var.part != "before"
    error_message = "require is for the instance that proves: set it on the one with part `after`."
  }
  validation {
    condition = alltrue([
      for entry in var.require : contains(["codex", "claude"], entry) ||
      can(regex(local.repository, trimprefix(entry, "push:"))) && startswith(entry, "push:") && !strcontains(entry, ",")
    ])
    error_message = "require: ${join(", ", [
      for entry in var.require : "\"${entry}\"" if !(contains(["codex", "claude"], entry) ||
      can(regex(local.repository, trimprefix(entry, "push:"))) && startswith(entry, "push:") && !strcontains(entry, ","))
    ])}: unknown entry. Entries are codex, claude and push:owner/repo."
  }
}

variable "accept" {
  type        = list(string)
  description = "Codes of the doctor that are accepted: still reported, no longer a failure."
  default     = []

  validation {
    condition     = alltrue([for code in var.accept : can(regex("^[a-z]+(-[a-z]+)+$", code))])
    error_message = "accept is a list of codes, such as remote-still-https: `pushready explain` lists them."
  }
}

variable "start_blocks_login" {
  type        = bool
  description = "Whether logging in waits for the start script."
  default     = false
}

variable "wait_seconds" {
  type        = number
  description = "How long the start script tries again while every failure may pass by itself, such as a server that cannot be reached."
  default     = 60

  validation {
    condition     = var.wait_seconds >= 0 && floor(var.wait_seconds) == var.wait_seconds
    error_message = "wait_seconds is a whole number, 0 or more."
  }
}

variable "check_every_minutes" {
  type        = number
  description = "How often cron keeps the refreshed login and proves again; each workspace has its own minute. 0: never."
  default     = 30

  validation {
    condition     = contains([0, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720], var.check_every_minutes)
    error_message = "check_every_minutes is 0, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480 or 720."
  }
}

# --- the binary -------------------------------------------------------------------------------------------------------------

variable "install" {
  type        = bool
  description = "Whether scripts and hooks install pushready if it is missing. `false` if the image contains it."
  default     = true
}

variable "install_dir" {
  type        = string
  description = "The folder of the binary."
  default     = "~/.local/bin"

  validation {
    condition     = can(regex("^(~/|/)[^\\n:]*$", var.install_dir))
    error_message = "install_dir begins with / or ~/."
  }
}

variable "download_url" {
  type        = string
  description = "The location of the release: URL or path of a folder with its files, or of the file itself. Default: the one in install.sh of this module."
  default     = null

  validation {
    condition     = !can(regex("://[^/]*@", coalesce(var.download_url, "-")))
    error_message = "download_url contains a user, and would be part of the script's text: use ~/.netrc."
  }
  validation {
    condition     = !var.install || local.pinned.url || var.download_url != null
    error_message = "install.sh of this module has no address, because it is not from a published release: set download_url, or `install = false` if the image contains the binary."
  }
  validation {
    condition     = can(regex("^(https://[^/]|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])[:/]|(file://)?/)", coalesce(var.download_url, "/")))
    error_message = "download_url begins with https://, file:/// or /: install.sh refuses http:// from other machines."
  }
}

variable "pushready_version" {
  type        = string
  description = "Another version than the one that install.sh pins; needs its `sha256`."
  default     = null

  validation {
    condition     = can(regex("^\\d+\\.\\d+\\.\\d+[-+.0-9A-Za-z]*$", coalesce(var.pushready_version, "0.1.0")))
    error_message = "pushready_version is a version like 0.1.0."
  }
  validation {
    condition     = !var.install || (local.pinned.sums && var.pushready_version == null) || (var.pushready_version != null && length(var.sha256) > 0)
    error_message = "install.sh of this module does not pin this version: set pushready_version and sha256 from SHA256SUMS of the release, or use the module of a release."
  }
}

variable "sha256" {
  type        = map(string)
  description = "Machine (`x86_64`, `aarch64`) => SHA-256 of its binary, for another version than the pinned one."
  default     = {}

  validation {
    condition     = alltrue([for machine, sum in var.sha256 : contains(["x86_64", "aarch64"], machine) && can(regex("^[0-9a-f]{64}$", sum))])
    error_message = "sha256 maps x86_64 and aarch64 to 64 hex digits in lower case."
  }
}

# --- order ------------------------------------------------------------------------------------------------------------------

variable "sync_unit" {
  type        = string
  description = "The name of the start script in `coder exp sync`, on agents that have it."
  default     = null

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+$", coalesce(var.sync_unit, "pushready")))
    error_message = "sync_unit is one word of letters, digits, dots, dashes and underscores."
  }
}

variable "sync_after" {
  type        = list(string)
  description = "Units of `coder exp sync` that the start script waits for, such as another module's `scripts` output."
  default     = []

  validation {
    condition     = alltrue([for unit in var.sync_after : can(regex("^[A-Za-z0-9._-]+$", unit))]) && (length(var.sync_after) == 0 || var.sync_unit != null)
    error_message = "sync_after is a list of names of units, and requires a sync_unit."
  }
}

variable "icon" {
  type        = string
  description = "The icon of the scripts."
  default     = "/emojis/1f511.png"
}

locals {
  # a variable of 128 KiB makes execve(2) fail with E2BIG in every process (MAX_ARG_STRLEN); base64 makes 120 000 of 90 000
  largest          = 120000
  armour_in_base64 = trimsuffix(base64encode("-----BEGIN OPENSSH PRIVATE KEY"), "=")
  # owner/repo and host/path/repo · scp-like · a URL without a password
  repository = "^([A-Za-z0-9_][A-Za-z0-9._-]*(/~?[A-Za-z0-9._%-]+)+|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\\s:@]+|(https|http|ssh|git|git\\+ssh)://([^/@:\\s]+@)?[^/@\\s]+/[^\\s@]+)/?$"

  # Why a secret is refused, in lines that contain no secret. Not in a validation of its variable: Terraform 1.11 prints there
  # the value that the caller gave, whatever this module says of it.
  refused = {
    codex_auth_json = nonsensitive([for reason, holds in {
      "is larger than 90 kB: its variable would make every exec in the workspace fail."                                                                   = length(base64encode(local.codex_given)) > local.largest
      "is the text of an auth.json, not an API key and not a path: use file(\"…\"), or jsonencode({ auth_mode = \"apikey\", OPENAI_API_KEY = var.key })." = local.codex_is_another
      # an object, one that is quoted or escaped, a token or base64 of these: pushready unwraps them
      "is neither the text of an auth.json nor an `at-…` access token." = !local.codex_is_another && !can(regex("^[\\s\"']*(?i:bearer\\s+)?at-|^[\\s\\x{feff}]*([\"']|\\{\\\\)|^([A-Za-z0-9+/_=-]\\s*){16,}$|^-$", local.codex_given)) && !can(keys(jsondecode(trimspace(local.codex_given))))
    } : "codex_auth_json ${reason}" if holds])
    claude_oauth_token = nonsensitive([for reason, holds in {
      " is larger than 90 kB: its variable would make every exec in the workspace fail."                                         = length(base64encode(local.claude_given)) > local.largest
      " must be a token as `claude setup-token` prints it: not an API key (set that in the claude-code module), a path or JSON." = local.claude_is_another
      # or base64 of one, and whatever a paste has before it
      " is not a token of `claude setup-token`, which begins with sk-ant-oat."                                                  = !local.claude_is_another && !can(regex("sk-ant-oat[0-9]{2}-|^-$", local.claude_given)) && (strcontains(local.claude_given, "sk-") || !can(regex("^[\\s\"']*([A-Za-z0-9+/_=-]\\s*){16,}[\\s\"']*$", local.claude_given)))
      " and claude_other_auth: with two ways to log in, Claude Code uses one and ignores the other without a warning. Set one." = var.claude_other_auth && local.claude_given != "-"
    } : "claude_oauth_token${reason}" if holds])
    deploy_keys = nonsensitive(concat(
      [for entry in local.keys_given : format("deploy_keys: %s is %s.", entry.shown, (
        trimspace(entry.key) == "" ? "empty: leave the repository out of the map" :
        can(regex("^\\W*(ssh-|ecdsa-|sk-(ssh|ecdsa)-)|BEGIN [A-Z0-9 ]*PUBLIC KEY", entry.key)) ? "a public key: set the private one" :
        can(regex("PRIVATE KEY", entry.key)) ? "a key in another format than OpenSSH's: use private_key_openssh of tls_private_key, or convert a file with `ssh-keygen -p -f KEY`" :
        can(regex("^\\s*[~/.][^\\n]*$", entry.key)) ? "a path: set the key itself, with file(\"…\")" :
        "not a private key"
      )) if !can(regex("BEGIN OPENSSH PRIVATE KEY|${local.armour_in_base64}", entry.key))],
      [for entry in local.keys_given : "deploy_keys: ${entry.shown}. It maps repository => key; a repository is `owner/repo`, `host/path/repo` or a git URL without a password." if !entry.named],
      length(base64encode(jsonencode(var.deploy_keys))) <= local.largest ? [] : ["deploy_keys are larger than 90 kB together: their variable would make every exec in the workspace fail. User secrets that are files have no such limit."],
    ))
  }
  codex_given  = coalesce(var.codex_auth_json, "-")
  claude_given = coalesce(var.claude_oauth_token, "-")
  # an API key or a path
  codex_is_another = can(regex("^\\s*(sk-|[~/.][^\\n{]*$)", local.codex_given))
  # the same, or JSON
  claude_is_another = can(regex("^\\s*(sk-ant-api|[~/.{])", local.claude_given))
  # a name is shown only if it is certainly a repository, and never a user or a query in it: those may be tokens
  keys_given = [for place, name in keys(coalesce(var.deploy_keys, {})) : merge({ key = coalesce(var.deploy_keys[name], " ") },
    can(regex(local.repository, name)) && !can(regex("(^|[/:])\\.{1,2}(/|$)", name)) && length(name) <= 200 && !strcontains(name, local.armour_in_base64) ?
    { named = true, shown = replace(replace(name, "/[?#].*/", "?***"), "/(^|\\/\\/)[^\\/@]*@/", can(regex("(^|//)git@", name)) ? "$${1}git@" : "$${1}***@") } :
    { named = false, shown = "entry ${place + 1} of the map (not shown: it is not a repository)" }
  )]

  unclaimed = var.unclaimed == null ? data.coder_workspace.me.is_prebuild : var.unclaimed
  # a template has "" as the default of a variable that is not set
  codex  = nonsensitive(var.codex_auth_json != null && var.codex_auth_json != "") && !local.unclaimed
  claude = nonsensitive(var.claude_oauth_token != null && var.claude_oauth_token != "") && !local.unclaimed
  lease  = var.codex_lease != null ? var.codex_lease : local.codex && !var.per_user_logins ? true : null
  rotates = nonsensitive(try(jsondecode(var.codex_auth_json).tokens.refresh_token != "", false) ||
  try(jsondecode(base64decode(var.codex_auth_json)).tokens.refresh_token != "", false))

  # before a claim, the owner is not the one who will commit
  git_identity = local.unclaimed || var.part == "before" ? { name = "", email = "" } : var.git_identity != null ? var.git_identity : {
    name  = data.coder_workspace_owner.me.full_name != "" ? data.coder_workspace_owner.me.full_name : data.coder_workspace_owner.me.name
    email = data.coder_workspace_owner.me.email
  }

  # the agent expands $ in values (os.ExpandEnv): base64 has none
  secrets = {
    PUSHREADY_CODEX_AUTH_JSON_BASE64    = local.codex ? base64encode(var.codex_auth_json) : null
    PUSHREADY_CLAUDE_OAUTH_TOKEN_BASE64 = local.claude ? base64encode(var.claude_oauth_token) : null
    PUSHREADY_DEPLOY_KEYS_BASE64        = var.deploy_keys == null ? null : base64encode(jsonencode(var.deploy_keys))
  }
  secret_names = toset(concat(
    local.codex ? ["PUSHREADY_CODEX_AUTH_JSON_BASE64"] : [],
    local.claude ? ["PUSHREADY_CLAUDE_OAUTH_TOKEN_BASE64"] : [],
    nonsensitive(var.deploy_keys == null) ? [] : ["PUSHREADY_DEPLOY_KEYS_BASE64"],
  ))
  settings = { for name, value in {
    PUSHREADY_CODEX_LEASE          = local.lease == null ? null : local.lease ? "1" : "0"
    PUSHREADY_CLAUDE_TOKEN_CREATED = var.claude_token_created
    PUSHREADY_KNOWN_HOSTS          = var.known_hosts
    PUSHREADY_TRUSTED_FOLDERS      = var.trusted_folders == null ? null : join(":", var.trusted_folders)
    PUSHREADY_REMOTES_ROOTS        = var.remotes_roots == null ? null : join(":", var.remotes_roots)
    PUSHREADY_SEED_DIR             = var.seed_dir
    PUSHREADY_GIT_NAME             = local.git_identity.name == "" ? null : replace(local.git_identity.name, "$", "")
    PUSHREADY_GIT_EMAIL            = local.git_identity.email == "" ? null : local.git_identity.email
    # a list that is empty but set: what only the last build required must not fail any more
    PUSHREADY_REQUIRE   = var.part == "before" ? null : length(var.require) > 0 ? join(",", var.require) : ","
    PUSHREADY_ACCEPT    = length(var.accept) == 0 ? null : join(",", var.accept)
    PUSHREADY_UNCLAIMED = local.unclaimed ? "1" : null
    GIT_SSH_COMMAND     = var.git_ssh_command
  } : name => value if value != null }

  # a checkout on Windows may have CRLF line ends, which shells do not accept
  text      = { for name in ["sync.sh", "start.sh", "stop.sh", "check.sh", "status.sh"] : name => replace(file("${path.module}/scripts/${name}"), "\r\n", "\n") }
  installer = trimspace(replace(file("${path.module}/install.sh"), "\r\n", "\n"))
  pinned = {
    url  = can(regex("(?m)^url=\\S", local.installer))
    sums = can(regex("(?m)^x86_64=[0-9a-f]{64}$", local.installer)) || can(regex("(?m)^aarch64=[0-9a-f]{64}$", local.installer))
  }
  install_settings = { for name, value in {
    PUSHREADY_VERSION        = var.pushready_version
    PUSHREADY_SHA256_X86_64  = lookup(var.sha256, "x86_64", null)
    PUSHREADY_SHA256_AARCH64 = lookup(var.sha256, "aarch64", null)
    PUSHREADY_DOWNLOAD_URL   = var.download_url
    PUSHREADY_INSTALL_DIR    = var.install_dir
  } : name => value if value != null }

  # The first line matters: without it the agent hands the text to the user's login shell, which may be fish.
  head = join("\n", [
    "#!/bin/sh",
    "folder=${startswith(var.install_dir, "~/") ? "\"$HOME\"" : ""}'${replace(trimprefix(var.install_dir, "~"), "'", "'\\''")}'",
    "find_pushready() { PATH=$${CODER_SCRIPT_BIN_DIR:+$CODER_SCRIPT_BIN_DIR:}$folder:$PATH command -v pushready; }",
    "",
  ])
  install_head = var.install ? join("\n", concat(
    [for name, value in local.install_settings : "export ${name}='${replace(value, "'", "'\\''")}'"],
    ["installer() { cat <<'END_OF_INSTALLER'", local.installer, "END_OF_INSTALLER", "}", "install_pushready() { sh -c \"$(installer)\" </dev/null; }", ""],
  )) : "install_pushready() { find_pushready >/dev/null; }\n"

  sync = var.sync_unit == null ? "" : "unit=${var.sync_unit} units='${join(" ", var.sync_after)}'\n${local.text["sync.sh"]}"

  apply = "${local.head}${local.install_head}prove=''\n"
  prove = "${local.head}${local.install_head}prove=${var.wait_seconds}\n"
  hook  = "${local.apply}${local.text["start.sh"]}"
  proof = "${local.prove}${local.text["start.sh"]}"
  start = "${var.part == "before" ? local.apply : local.prove}${local.sync}${local.text["start.sh"]}"

  # each workspace has its own minutes, so that a thousand of them do not connect to GitHub at once
  digits = [for place in [0, 4, 8] : parseint(substr(sha256(data.coder_workspace.me.id), place, 4), 16)]
  hours  = floor(var.check_every_minutes / 60)
  cron = var.check_every_minutes == 0 ? null : join(" ", concat([local.digits[0] % 60],
    local.hours == 0 ? ["${local.digits[1] % var.check_every_minutes}/${var.check_every_minutes}", "*"] :
    [local.digits[1] % 60, local.hours == 1 ? "*" : "${local.digits[2] % local.hours}/${local.hours}"],
  ["* * *"]))
}

resource "coder_env" "secret" {
  for_each = local.secret_names
  agent_id = var.agent_id
  name     = each.key
  value    = local.secrets[each.key]
}

resource "coder_env" "setting" {
  for_each = local.settings
  agent_id = var.agent_id
  name     = each.key
  value    = each.value
}

resource "coder_script" "start" {
  count              = var.part == "hooks" ? 0 : 1
  agent_id           = var.agent_id
  display_name       = var.part == "before" ? "pushready: apply" : "pushready"
  icon               = var.icon
  script             = local.start
  run_on_start       = true
  start_blocks_login = var.start_blocks_login
}

resource "coder_script" "stop" {
  count        = var.part == "before" ? 0 : 1
  agent_id     = var.agent_id
  display_name = "pushready: keep the login"
  icon         = var.icon
  script       = "${local.head}${local.text["stop.sh"]}"
  run_on_stop  = true
  timeout      = 5
}

resource "coder_script" "check" {
  count        = var.part == "before" || local.cron == null ? 0 : 1
  agent_id     = var.agent_id
  display_name = "pushready: check"
  icon         = var.icon
  script       = "${local.head}${local.text["check.sh"]}"
  cron         = local.cron
}

check "codex_login_of_one_for_all" {
  assert {
    condition     = !(local.codex && local.rotates && local.lease == false && !var.per_user_logins)
    error_message = "codex_auth_json contains a refresh token, and every workspace of this template gets it: the first that refreshes logs out all others. Set codex_lease, or per_user_logins if the login is the owner's own; user secrets are better."
  }
}

check "claude_login_of_one_for_all" {
  assert {
    condition     = !local.claude || var.per_user_logins
    error_message = "claude_oauth_token goes to every workspace of this template, and a subscription is for its subscriber alone. Set per_user_logins if the token is the owner's own; user secrets are better."
  }
}

check "required_key_is_given" {
  assert {
    condition = nonsensitive(var.deploy_keys == null) || alltrue([
      for entry in var.require : !startswith(entry, "push:") || nonsensitive(contains(keys(coalesce(var.deploy_keys, {})), trimprefix(entry, "push:")))
    ])
    error_message = "require names a repository that deploy_keys does not, in this spelling: its key must come from the seed folder."
  }
}

output "hook" {
  description = "Text for `pre_install_script`, `post_install_script` and `pre_clone_script` of other modules: installs pushready if it is missing, applies, and always exits 0. It contains no secret."
  value       = local.hook

  precondition {
    condition     = length(local.refused.codex_auth_json) == 0
    error_message = nonsensitive(join("\n", local.refused.codex_auth_json))
  }
  precondition {
    condition     = length(local.refused.claude_oauth_token) == 0
    error_message = nonsensitive(join("\n", local.refused.claude_oauth_token))
  }
  precondition {
    condition     = length(local.refused.deploy_keys) == 0
    error_message = nonsensitive(join("\n", local.refused.deploy_keys))
  }
}

output "proof" {
  description = "The same, and then the doctor, whose verdict is the last line: exit 1 for what `require` names. For the last hook of a template without pushready's start script."
  value       = local.proof
}

output "metadata" {
  description = "For `dynamic \"metadata\"` of coder_agent: the verdict in one line, for the dashboard."
  value = {
    key          = "pushready"
    display_name = "pushready"
    script       = "${local.head}${local.text["status.sh"]}"
    interval     = 60
    timeout      = 5
  }
}

output "scripts" {
  description = "The unit of `coder exp sync` that ends with the start script."
  value       = compact([var.sync_unit])
}
