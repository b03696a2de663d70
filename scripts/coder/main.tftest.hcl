# terraform test: what a plan refuses, what it warns of, and the outputs.

variables {
  agent_id = "agent"
  install  = false
}

run "nothing_given_sets_no_variable" {
  command = plan

  assert {
    condition     = length(coder_env.secret) == 0 && { for name, variable in coder_env.setting : name => variable.value } == { PUSHREADY_REQUIRE = ",", PUSHREADY_GIT_NAME = "Dev", PUSHREADY_GIT_EMAIL = "dev@example.com" }
    error_message = "unset must change nothing but who commits, and a variable that is set is authoritative"
  }
  assert {
    condition     = length(coder_script.start) == 1 && length(coder_script.stop) == 1 && length(coder_script.check) == 1
    error_message = "start, stop and cron"
  }
  assert {
    condition     = alltrue([for script in [coder_script.start[0], coder_script.stop[0], coder_script.check[0]] : startswith(script.script, "#!/bin/sh\n")])
    error_message = "without a first line the agent hands the text to the user's login shell"
  }
}

run "an_empty_default_of_the_template_is_unset" {
  command = plan

  variables {
    codex_auth_json    = ""
    claude_oauth_token = ""
  }
  assert {
    condition     = length(coder_env.secret) == 0 && keys(coder_env.setting) == ["PUSHREADY_GIT_EMAIL", "PUSHREADY_GIT_NAME", "PUSHREADY_REQUIRE"]
    error_message = "an empty login is none, and so no lease either"
  }
}

run "an_empty_map_of_keys_is_authoritative" {
  command = plan

  variables {
    deploy_keys = {}
  }
  assert {
    condition     = nonsensitive(base64decode(coder_env.secret["PUSHREADY_DEPLOY_KEYS_BASE64"].value)) == "{}"
    error_message = "the keys that were installed must be removed"
  }
}

run "a_login_for_every_workspace_is_a_lease" {
  command = plan

  variables {
    codex_auth_json = "{\"tokens\":{\"refresh_token\":\"r\"}}"
  }
  assert {
    condition     = coder_env.setting["PUSHREADY_CODEX_LEASE"].value == "1"
    error_message = "one single-use refresh token for all"
  }
}

run "the_owners_own_login_is_not_a_lease" {
  command = plan

  variables {
    codex_auth_json    = "{\"tokens\":{\"refresh_token\":\"r\"}}"
    claude_oauth_token = "sk-ant-oat01-x"
    per_user_logins    = true
  }
  assert {
    condition     = !contains(keys(coder_env.setting), "PUSHREADY_CODEX_LEASE")
    error_message = "the owner may refresh it"
  }
}

run "a_shared_refresh_token_is_warned_of" {
  command = plan

  variables {
    codex_auth_json = "{\"tokens\":{\"refresh_token\":\"r\"}}"
    codex_lease     = false
  }
  expect_failures = [check.codex_login_of_one_for_all]
}

run "a_shared_refresh_token_in_base64_is_warned_of" {
  command = plan

  variables {
    codex_auth_json = "eyJ0b2tlbnMiOnsicmVmcmVzaF90b2tlbiI6InIifX0="
    codex_lease     = false
  }
  expect_failures = [check.codex_login_of_one_for_all]
}

run "an_api_key_rotates_nothing" {
  command = plan

  variables {
    codex_auth_json = "{\"OPENAI_API_KEY\":\"sk-x\"}"
    codex_lease     = false
  }
}

run "a_shared_claude_login_is_warned_of" {
  command = plan

  variables {
    claude_oauth_token = "sk-ant-oat01-x"
  }
  expect_failures = [check.claude_login_of_one_for_all]
}

run "a_required_key_that_is_not_set_is_warned_of" {
  command = plan

  variables {
    deploy_keys = { "acme/app" = "-----BEGIN OPENSSH PRIVATE KEY-----" }
    require     = ["push:acme/app", "push:acme/other"]
  }
  expect_failures = [check.required_key_is_given]
}

run "two_ways_for_claude_are_refused" {
  command = plan

  variables {
    claude_oauth_token = "sk-ant-oat01-x"
    claude_other_auth  = true
    per_user_logins    = true
  }
  expect_failures = [output.hook]
}

run "an_api_key_is_not_a_token" {
  command = plan

  variables {
    claude_oauth_token = "sk-ant-api03-x"
    per_user_logins    = true
  }
  expect_failures = [output.hook]
}

run "an_api_key_is_not_an_auth_json" {
  command = plan

  variables {
    codex_auth_json = "sk-proj-x"
  }
  expect_failures = [output.hook]
}

run "a_path_is_not_an_auth_json" {
  command = plan

  variables {
    codex_auth_json = "~/.codex/auth.json"
  }
  expect_failures = [output.hook]
}

run "a_public_key_is_refused" {
  command = plan

  variables {
    deploy_keys = { "acme/app" = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI acme" }
  }
  expect_failures = [output.hook]
}

run "an_empty_key_is_refused" {
  command = plan

  variables {
    deploy_keys = { "acme/app" = " \n" }
  }
  expect_failures = [output.hook]
}

run "a_null_key_is_refused" {
  command = plan

  variables {
    deploy_keys = { "acme/app" = null }
  }
  expect_failures = [output.hook]
}

run "a_path_is_not_a_key" {
  command = plan

  variables {
    deploy_keys = { "acme/app" = "~/.ssh/id_ed25519" }
  }
  expect_failures = [output.hook]
}

run "a_key_of_another_form_is_refused" {
  command = plan

  variables {
    deploy_keys = { "acme/app" = "-----BEGIN RSA PRIVATE KEY-----" }
  }
  expect_failures = [output.hook]
}

run "damaged_keys_that_can_be_repaired_are_accepted" {
  command = plan

  variables {
    deploy_keys = {
      "acme/crlf"                        = "-----BEGIN OPENSSH PRIVATE KEY-----\r\n"
      "git.corp.test/group/sub/escaped"  = "\"-----BEGIN OPENSSH PRIVATE KEY-----\\nAAAA\""
      "git@git.corp.test:base64.git"     = "LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUgS0VZLS0tLS0K"
      "ssh://git@git.corp.test:2222/o/r" = "LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUgS0VZLS0tLS0"
      "https://dev.azure.com/o/p/_git/r" = "-----BEGIN OPENSSH PRIVATE KEY-----"
      "https://github.com/Acme/app.git"  = "-----BEGIN OPENSSH PRIVATE KEY-----"
      "git.sr.ht/~user/repo"             = "-----BEGIN OPENSSH PRIVATE KEY-----"
    }
  }
  assert {
    condition     = length(nonsensitive(keys(jsondecode(base64decode(coder_env.secret["PUSHREADY_DEPLOY_KEYS_BASE64"].value))))) == 7
    error_message = "all of them are accepted"
  }
}

run "a_name_is_not_a_repository" {
  command = plan

  variables {
    deploy_keys = { "app" = "-----BEGIN OPENSSH PRIVATE KEY-----" }
  }
  expect_failures = [output.hook]
}

run "a_name_with_blanks_is_not_a_repository" {
  command = plan

  variables {
    deploy_keys = { "acme /app" = "-----BEGIN OPENSSH PRIVATE KEY-----" }
  }
  expect_failures = [output.hook]
}

run "a_path_with_dots_is_not_a_repository" {
  command = plan

  variables {
    deploy_keys = { "acme/../app" = "-----BEGIN OPENSSH PRIVATE KEY-----" }
  }
  expect_failures = [output.hook]
}

run "a_url_with_a_password_is_not_a_repository" {
  command = plan

  variables {
    deploy_keys = { "https://x:secret@github.com/acme/app" = "-----BEGIN OPENSSH PRIVATE KEY-----" }
  }
  expect_failures = [output.hook]
}

run "ninety_kilobytes_are_accepted" {
  command = plan

  variables {
    codex_auth_json = format("%-90000s", "{}")
    per_user_logins = true
  }
  assert {
    condition     = length(nonsensitive(coder_env.secret["PUSHREADY_CODEX_AUTH_JSON_BASE64"].value)) == 120000
    error_message = "90 000 bytes are 120 000 in base64"
  }
}

run "more_is_refused" {
  command = plan

  variables {
    codex_auth_json = format("%-90001s", "{}")
  }
  expect_failures = [output.hook]
}

run "more_in_keys_is_refused" {
  command = plan

  variables {
    deploy_keys = { "acme/app" = "-----BEGIN OPENSSH PRIVATE KEY-----${join("", [for place in range(1000) : format("%-90s", "A")])}" }
  }
  expect_failures = [output.hook]
}

run "an_incomplete_repository_cannot_be_required" {
  command = plan

  variables {
    require = ["codex", "push:app"]
  }
  expect_failures = [var.require]
}

run "a_typing_error_cannot_be_required" {
  command = plan

  variables {
    require = ["codecs"]
  }
  expect_failures = [var.require]
}

run "two_in_one_cannot_be_required" {
  command = plan

  variables {
    require = ["push:acme/app,push:acme/other"]
  }
  expect_failures = [var.require]
}

run "a_secret_in_the_address_is_refused" {
  command = plan

  variables {
    download_url = "https://user:secret@mirror.example.com/pushready"
  }
  expect_failures = [var.download_url]
}

run "a_version_without_its_sum_is_refused" {
  command = plan

  variables {
    install           = true
    download_url      = "/opt/pushready"
    pushready_version = "0.1.0"
  }
  expect_failures = [var.pushready_version]
}

run "a_pinned_version_is_installed" {
  command = plan

  variables {
    install           = true
    install_dir       = "/opt/it's here"
    download_url      = "https://mirror.example.com/pushready"
    pushready_version = "0.1.0"
    sha256            = { x86_64 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }
  assert {
    condition     = strcontains(output.hook, "export PUSHREADY_INSTALL_DIR='/opt/it'\\''s here'\n") && strcontains(output.hook, trimspace(file("install.sh")))
    error_message = "what the hook passes to install.sh"
  }
}

run "an_unclaimed_prebuild_gets_no_login" {
  command = plan

  variables {
    unclaimed          = true
    codex_auth_json    = "{}"
    claude_oauth_token = "sk-ant-oat01-x"
    deploy_keys        = { "acme/app" = "-----BEGIN OPENSSH PRIVATE KEY-----" }
  }
  assert {
    condition     = keys(coder_env.secret) == ["PUSHREADY_DEPLOY_KEYS_BASE64"] && keys(coder_env.setting) == ["PUSHREADY_REQUIRE", "PUSHREADY_UNCLAIMED"]
    error_message = "repository keys only"
  }
}

run "each_part_has_its_scripts" {
  command = plan

  variables {
    part = "hooks"
  }
  assert {
    condition     = length(coder_script.start) == 0 && length(coder_script.stop) == 1 && length(coder_script.check) == 1
    error_message = "a start script of pushready's would race"
  }
}

run "commits_may_be_left_without_an_identity" {
  command = plan

  variables {
    git_identity = { name = "", email = "" }
  }
  assert {
    condition     = keys(coder_env.setting) == ["PUSHREADY_REQUIRE"]
    error_message = "the template has another source for it"
  }
}

run "before_others_it_only_applies" {
  command = plan

  variables {
    part = "before"
  }
  assert {
    condition     = length(coder_env.setting) == 0
    error_message = "only the other instance has requirements"
  }
  assert {
    condition     = coder_script.start[0].script == output.hook && length(coder_script.stop) == 0 && length(coder_script.check) == 0
    error_message = "the last instance proves, stops and checks"
  }
}

run "settings_become_variables" {
  command = plan

  variables {
    known_hosts         = "git.corp.test ssh-ed25519 AAAA"
    trusted_folders     = ["~/app", "/srv/work"]
    require             = ["codex", "claude", "push:acme/app"]
    accept              = ["leak-env"]
    git_ssh_command     = "ssh"
    seed_dir            = "/run/secrets/pushready"
    git_identity        = { name = "A$da", email = "ada@example.com" }
    start_blocks_login  = true
    check_every_minutes = 240
  }
  assert {
    condition = { for name, variable in coder_env.setting : name => variable.value } == {
      PUSHREADY_KNOWN_HOSTS     = "git.corp.test ssh-ed25519 AAAA"
      PUSHREADY_TRUSTED_FOLDERS = "~/app:/srv/work"
      PUSHREADY_REQUIRE         = "codex,claude,push:acme/app"
      PUSHREADY_ACCEPT          = "leak-env"
      PUSHREADY_SEED_DIR        = "/run/secrets/pushready"
      PUSHREADY_GIT_NAME        = "Ada"
      PUSHREADY_GIT_EMAIL       = "ada@example.com"
      GIT_SSH_COMMAND           = "ssh"
    }
    error_message = "each by its name, and nothing else"
  }
  assert {
    condition     = coder_script.start[0].start_blocks_login && can(regex("^\\d+ \\d+ [0-3]/4 \\* \\* \\*$", coder_script.check[0].cron))
    error_message = "blocking, and every four hours"
  }
}

run "an_hour_and_never" {
  command = plan

  variables {
    check_every_minutes = 60
  }
  assert {
    condition     = can(regex("^\\d+ \\d+ \\* \\* \\* \\*$", coder_script.check[0].cron))
    error_message = "six fields"
  }
}

run "no_cron" {
  command = plan

  variables {
    check_every_minutes = 0
  }
  assert {
    condition     = length(coder_script.check) == 0
    error_message = "0 is never"
  }
}

run "half_a_second_is_refused" {
  command = plan

  variables {
    wait_seconds = 0.5
  }
  expect_failures = [var.wait_seconds]
}

run "less_than_no_wait_is_refused" {
  command = plan

  variables {
    wait_seconds = -1
  }
  expect_failures = [var.wait_seconds]
}

run "a_plain_address_elsewhere_is_refused" {
  command = plan

  variables {
    download_url = "http://mirror.example.com/pushready"
  }
  expect_failures = [var.download_url]
}

run "a_relative_path_is_not_an_address" {
  command = plan

  variables {
    download_url = "releases"
  }
  expect_failures = [var.download_url]
}

run "an_address_of_this_machine_is_accepted" {
  command = plan

  variables {
    download_url = "http://127.0.0.1:8080/pushready"
  }
}

run "a_relative_folder_is_not_trusted" {
  command = plan

  variables {
    trusted_folders = ["app"]
  }
  expect_failures = [var.trusted_folders]
}

run "two_folders_in_one_are_not_trusted" {
  command = plan

  variables {
    trusted_folders = ["~/app:/srv"]
  }
  expect_failures = [var.trusted_folders]
}

run "a_date_outside_of_the_calendar_is_refused" {
  command = plan

  variables {
    claude_token_created = "2026-02-30"
  }
  expect_failures = [var.claude_token_created]
}

run "a_broken_auth_json_is_refused" {
  command = plan

  variables {
    codex_auth_json = "{\"tokens\":"
  }
  expect_failures = [output.hook]
}

run "a_list_is_not_an_auth_json" {
  command = plan

  variables {
    codex_auth_json = "[{\"tokens\":{}}]"
  }
  expect_failures = [output.hook]
}

run "an_access_token_is_accepted" {
  command = plan

  variables {
    codex_auth_json = "at-0123456789"
  }
}

run "a_quoted_auth_json_is_accepted" {
  command = plan

  variables {
    codex_auth_json = jsonencode(jsonencode({ tokens = {} }))
  }
}

run "an_escaped_auth_json_is_accepted" {
  command = plan

  variables {
    codex_auth_json = "{\\\"tokens\\\":{}}"
  }
}

run "another_token_is_refused" {
  command = plan

  variables {
    claude_oauth_token = "sk-ant-ort01-x"
    per_user_logins    = true
  }
  expect_failures = [output.hook]
}

run "a_word_is_not_a_token" {
  command = plan

  variables {
    claude_oauth_token = "changeme"
    per_user_logins    = true
  }
  expect_failures = [output.hook]
}

run "a_pasted_export_is_accepted" {
  command = plan

  variables {
    claude_oauth_token = "export CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-x"
    per_user_logins    = true
  }
}

run "a_token_in_base64_is_accepted" {
  command = plan

  variables {
    claude_oauth_token = base64encode("sk-ant-oat01-xxxxxxxx")
    per_user_logins    = true
  }
}
