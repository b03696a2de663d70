#!/bin/sh
# What the start script of a template does without pushready, in our own words: the modules that write the logins of the two
# clients, and the lines for one deploy key that people write by hand. It asks no server and proves nothing. For bench.sh.
set -eu
case ${1:-} in -h | --help) sed -n '2,/^set -/{/^set -/!s/^# \{0,1\}//p;}' "$0" && exit 0 ;; esac
: "${CODEX_AUTH_JSON:?run it with bench.sh: it overwrites the logins, the git and the ssh settings of the home}"
umask 077
# a module for Codex: its settings and its login
mkdir -p "$HOME/.codex"
cat >"$HOME/.codex/config.toml" <<'TOML'
sandbox_mode = "workspace-write"
approval_policy = "never"
[sandbox_workspace_write]
network_access = true
TOML
printf '%s' "$CODEX_AUTH_JSON" | jq . >"$HOME/.codex/auth.json"
# a module for Claude Code: onboarding, trust and login are spliced into its files
mkdir -p "$HOME/.claude"
[ -f "$HOME/.claude.json" ] || echo '{}' >"$HOME/.claude.json"
for filter in '.hasCompletedOnboarding = true' '.bypassPermissionsModeAccepted = true' \
  '.autoUpdaterStatus = "disabled"' '.projects[env.HOME].hasTrustDialogAccepted = true' \
  '.projects[env.HOME].hasCompletedProjectOnboarding = true'; do
  jq "$filter" "$HOME/.claude.json" >"$HOME/.claude.json.new"
  mv "$HOME/.claude.json.new" "$HOME/.claude.json"
done
jq -n --arg token "$CLAUDE_CODE_OAUTH_TOKEN" '{claudeAiOauth: {accessToken: $token, scopes: ["user:inference"]}}' \
  >"$HOME/.claude/.credentials.json"
# a deploy key by hand
mkdir -p "$HOME/.ssh"
printf '%s\n' "$DEPLOY_KEY" | tr -d '\r' >"$HOME/.ssh/deploy_key"
chmod 600 "$HOME/.ssh/deploy_key"
ssh-keygen -y -f "$HOME/.ssh/deploy_key" >"$HOME/.ssh/deploy_key.pub"
grep -qs '^github.com ' "$HOME/.ssh/known_hosts" ||
  echo 'github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl' >>"$HOME/.ssh/known_hosts"
cat >"$HOME/.ssh/config" <<'SSH'
Host github.com
  IdentityFile ~/.ssh/deploy_key
  IdentitiesOnly yes
SSH
git config --global user.name Agent
git config --global user.email agent@example.com
git config --global core.sshCommand 'ssh -i ~/.ssh/deploy_key'
git config --global url.git@github.com:.insteadOf https://github.com/
git config --global --add safe.directory '*'
