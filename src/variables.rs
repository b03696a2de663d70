//! Every environment variable that pushready reads: its name, its meaning, and whether it holds a
//! secret.

/// How the names of our own variables begin. No child gets one of them.
pub const PREFIX: &str = "PUSHREADY_";

/// One variable. the table of docs/variables.md is tested against this list.
#[derive(Debug)]
pub struct Variable {
    pub name: &'static str,
    /// A secret may also come as `NAME_FILE` or `NAME_BASE64`. `process` says which child gets it.
    pub secret: bool,
    /// A secret of other programs, which has that one form.
    pub shared: bool,
    pub meaning: &'static str,
}

macro_rules! variables {
    ($($constant:ident $name:literal $secret:ident $meaning:literal)*) => {
        $(#[doc = $meaning] pub const $constant: &str = $name;)*
        /// All of them, in the order of docs/variables.md.
        pub const ALL: &[Variable] =
            &[$(variables!(@ $secret $name $meaning),)*];
    };
    (@ secret $name:literal $meaning:literal) => {
        Variable { name: $name, secret: true, shared: false, meaning: $meaning }
    };
    (@ shared $name:literal $meaning:literal) => {
        Variable { name: $name, secret: true, shared: true, meaning: $meaning }
    };
    (@ plain $name:literal $meaning:literal) => {
        Variable { name: $name, secret: false, shared: false, meaning: $meaning }
    };
}

variables! {
    CODEX_AUTH_JSON "PUSHREADY_CODEX_AUTH_JSON" secret "a Codex `auth.json` (ChatGPT subscription or API key), or an `at-…` access token"
    CODEX_LEASE "PUSHREADY_CODEX_LEASE" plain "`1` (or `true`, `yes`, `on`; off: `0`, `false`, `no`, `off`; any other value produces a warning and is treated as `1`): write the seed without its refresh token, so that any number of workspaces may share it until it expires"
    CLAUDE_OAUTH_TOKEN "PUSHREADY_CLAUDE_OAUTH_TOKEN" secret "token from `claude setup-token`; unset: `CLAUDE_CODE_OAUTH_TOKEN`"
    CLAUDE_TOKEN_CREATED "PUSHREADY_CLAUDE_TOKEN_CREATED" plain "date the token was made, `YYYY-MM-DD`, not in the future (it is valid for one year); default: the day apply first saw it"
    DEPLOY_KEYS "PUSHREADY_DEPLOY_KEYS" secret "JSON object: repository → private key (PEM or base64). Repository is `owner/repo` (github.com), `host/path/repo` or any git URL"
    DEPLOY_KEY "PUSHREADY_DEPLOY_KEY" secret "the private key for the single repository in `PUSHREADY_REPOSITORY`"
    REPOSITORY "PUSHREADY_REPOSITORY" plain "the repository of `PUSHREADY_DEPLOY_KEY`"
    SEED_DIR "PUSHREADY_SEED_DIR" plain "the seed folder, default `~/.config/pushready/seed`: `codex-auth.json`, `claude-oauth-token`, `known_hosts`, `deploy-keys/HOST/PATH`"
    KNOWN_HOSTS "PUSHREADY_KNOWN_HOSTS" plain "extra known_hosts lines (self-hosted servers)"
    TRUSTED_FOLDERS "PUSHREADY_TRUSTED_FOLDERS" plain "folders whose trust prompt Codex and Claude Code should not show, `:`-separated"
    REMOTES_ROOTS "PUSHREADY_REMOTES_ROOTS" plain "folders searched for clones, `:`-separated; default: the home"
    REQUIRE "PUSHREADY_REQUIRE" plain "`codex,claude,push:o/r`: a required item that is absent is a failure; other absent items are skipped"
    ACCEPT "PUSHREADY_ACCEPT" plain "codes that are accepted here, comma-separated: still printed, no longer a failure"
    UNCLAIMED "PUSHREADY_UNCLAIMED" plain "`1` (same values as `PUSHREADY_CODEX_LEASE`): a prebuilt workspace that is not claimed yet: repository keys only, exit 0"
    GIT_NAME "PUSHREADY_GIT_NAME" plain "name for commits, where git has none from elsewhere; not used in an unclaimed workspace"
    GIT_EMAIL "PUSHREADY_GIT_EMAIL" plain "the same for the email address"
    GITHUB_TOKEN "PUSHREADY_GITHUB_TOKEN" secret "a token with *Actions: read* (and *Administration: read* for policies and runners), used only for doctor's Actions checks"
    EXTERNAL_AUTH_ID "PUSHREADY_EXTERNAL_AUTH_ID" plain "the id of Coder's external auth for GitHub, used when no variable and no `gh` has a token; default `github`"
    GITHUB_API_URL "PUSHREADY_GITHUB_API_URL" plain "base URL of GitHub's API, if it does not follow from the remote's host"
    GITHUB_STATUS_URL "PUSHREADY_GITHUB_STATUS_URL" plain "base URL of GitHub's status page; no token is sent to it"
    HOSTED_LABELS "PUSHREADY_HOSTED_LABELS" plain "a file that replaces the built-in, dated table of GitHub's hosted runner labels"
    GH_TOKEN "GH_TOKEN" shared "gh's own variable, for github.com and ghe.com, read when `PUSHREADY_GITHUB_TOKEN` is unset"
    PLAIN_GITHUB_TOKEN "GITHUB_TOKEN" shared "the same, after `GH_TOKEN`"
    GH_ENTERPRISE_TOKEN "GH_ENTERPRISE_TOKEN" shared "gh's own variable for GitHub Enterprise Server"
    GITHUB_ENTERPRISE_TOKEN "GITHUB_ENTERPRISE_TOKEN" shared "the same, after `GH_ENTERPRISE_TOKEN`"
    GH_HOST "GH_HOST" plain "gh's own variable: this host is a GitHub server"
    CLAUDE_CODE_OAUTH_TOKEN "CLAUDE_CODE_OAUTH_TOKEN" secret "Claude Code's own variable, read when `PUSHREADY_CLAUDE_OAUTH_TOKEN` is unset"
    CODER_URL "CODER_URL" plain "for `task`: the URL of the Coder server; unset: that of the stored session of `coder login`"
    CODER_SESSION_TOKEN "CODER_SESSION_TOKEN" shared "for `task`: a session token of Coder; unset: that of the stored session of `coder login`"
    CODER_CONFIG_DIR "CODER_CONFIG_DIR" plain "for `task`: the folder of the stored session, default `~/.config/coderv2`"
    CODEX_HOME "CODEX_HOME" plain "Codex's folder, default `~/.codex`"
    CLAUDE_CONFIG_DIR "CLAUDE_CONFIG_DIR" plain "Claude Code's folder, default `~/.claude`; when set, it contains `.claude.json` too"
    HOME "HOME" plain "the home that is provisioned"
    XDG_STATE_HOME "XDG_STATE_HOME" plain "parent of the state folder, default `~/.local/state`"
    XDG_CONFIG_HOME "XDG_CONFIG_HOME" plain "parent of git's second global configuration and of the default seed folder, default `~/.config`"
    PATH "PATH" plain "where git and ssh are searched; relative and empty entries are ignored"
    CODEX_SANDBOX "CODEX_SANDBOX" plain "set by Codex inside its sandbox"
    CODEX_SANDBOX_NETWORK_DISABLED "CODEX_SANDBOX_NETWORK_DISABLED" plain "set by Codex where its sandbox denies the network"
    GIT_CONFIG_GLOBAL "GIT_CONFIG_GLOBAL" plain "git's global configuration file, as git itself uses it"
}

/// Variables that `scripts/install.sh` reads, and this program does not.
pub const INSTALLER: &[&str] = &[
    "PUSHREADY_VERSION",
    "PUSHREADY_SHA256",
    "PUSHREADY_SHA256_X86_64",
    "PUSHREADY_SHA256_AARCH64",
    "PUSHREADY_DOWNLOAD_URL",
    "PUSHREADY_DOWNLOAD_TIMEOUT",
    "PUSHREADY_INSTALL_DIR",
];

/// Other programs' variables, which the doctor reads as evidence: it sets none of them, and prints
/// no value of a secret one.
pub mod observed {
    /// What a terminal can do, and that its user wants no colours.
    pub const TERM: &str = "TERM";
    pub const NO_COLOR: &str = "NO_COLOR";
    /// Set by the runner of a workflow.
    pub const GITHUB_ACTIONS: &str = "GITHUB_ACTIONS";
    /// What `task create --editor` starts, the first of the two that is set.
    pub const VISUAL: &str = "VISUAL";
    pub const EDITOR: &str = "EDITOR";
    pub const OPENAI_API_KEY: &str = "OPENAI_API_KEY";
    pub const CODEX_API_KEY: &str = "CODEX_API_KEY";
    pub const CODEX_ACCESS_TOKEN: &str = "CODEX_ACCESS_TOKEN";
    /// The URL where Codex renews its login, instead of OpenAI's.
    pub const CODEX_REFRESH_TOKEN_URL_OVERRIDE: &str = "CODEX_REFRESH_TOKEN_URL_OVERRIDE";
    /// Each makes Codex log in by workload identity, be it empty (the first two since 0.169, the
    /// others since 0.171). SPIFFE_ENDPOINT_SOCKET alone does not.
    pub const CODEX_WORKLOAD_IDENTITY: &[&str] = &[
        "OPENAI_FEDERATION_RULE_ID",
        "OPENAI_IDENTITY_TOKEN_FILE",
        "OPENAI_IDENTITY_TOKEN_SOURCE",
        "OPENAI_SPIFFE_AUDIENCE",
    ];
    /// Codex sets it in processes to which it denies the network.
    pub const CODEX_SANDBOX_NETWORK_DISABLED: &str = "CODEX_SANDBOX_NETWORK_DISABLED";
    pub const ANTHROPIC_API_KEY: &str = "ANTHROPIC_API_KEY";
    pub const ANTHROPIC_AUTH_TOKEN: &str = "ANTHROPIC_AUTH_TOKEN";
    pub const ANTHROPIC_BASE_URL: &str = "ANTHROPIC_BASE_URL";
    /// Claude Code then uses only what its command line names, and no stored login.
    pub const CLAUDE_CODE_SIMPLE: &str = "CLAUDE_CODE_SIMPLE";
    /// Claude Code then runs `proxyAuthHelper` of its settings.
    pub const CLAUDE_CODE_ENABLE_PROXY_AUTH_HELPER: &str = "CLAUDE_CODE_ENABLE_PROXY_AUTH_HELPER";
    /// Each sends Claude Code to a cloud provider instead.
    pub const CLAUDE_CODE_PROVIDERS: &[&str] = &[
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
        "CLAUDE_CODE_USE_FOUNDRY",
        "CLAUDE_CODE_USE_MANTLE",
        "CLAUDE_CODE_USE_ANTHROPIC_AWS",
        "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD",
    ];
    /// Each gives Claude Code another way to log in, or another login server (measured with
    /// 2.1.330).
    pub const CLAUDE_CODE_LOGINS: &[&str] = &[
        "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR",
        "ANTHROPIC_UNIX_SOCKET",
        "CLAUDE_CODE_CUSTOM_OAUTH_URL",
    ];
    /// What Claude Code takes from its environment alone, and from no settings (2.1.330, measured).
    pub const CLAUDE_CODE_NOT_OF_SETTINGS: &[&str] =
        &["CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR", "ANTHROPIC_UNIX_SOCKET"];
    /// What it does not take from the settings of a repository (2.1.330, measured with `-p`).
    pub const CLAUDE_CODE_NOT_OF_PROJECTS: &[&str] = &[
        "CLAUDE_CODE_OAUTH_TOKEN",
        "ANTHROPIC_FEDERATION_RULE_ID",
        "ANTHROPIC_ORGANIZATION_ID",
        CLAUDE_CODE_SIMPLE,
        CLAUDE_SECURESTORAGE_CONFIG_DIR,
        "CLAUDE_CONFIG_DIR",
    ];
    /// After so many milliseconds Claude Code gives up a request.
    pub const API_TIMEOUT_MS: &str = "API_TIMEOUT_MS";
    /// Arguments for the runtime of Claude Code, which then loads the files that they name.
    pub const BUN_OPTIONS: &str = "BUN_OPTIONS";
    /// Both together make Claude Code log in by workload identity instead of with its file.
    pub const ANTHROPIC_WORKLOAD_IDENTITY: [&str; 2] =
        ["ANTHROPIC_FEDERATION_RULE_ID", "ANTHROPIC_ORGANIZATION_ID"];
    /// The program that started Claude Code brings the login, so the file is not read.
    pub const CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST: &str = "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST";
    /// Headers of every request, one a line.
    pub const ANTHROPIC_CUSTOM_HEADERS: &str = "ANTHROPIC_CUSTOM_HEADERS";
    /// The folder of the credentials file, if not Claude Code's folder.
    pub const CLAUDE_SECURESTORAGE_CONFIG_DIR: &str = "CLAUDE_SECURESTORAGE_CONFIG_DIR";
    pub const CODER_AGENT_TOKEN: &str = "CODER_AGENT_TOKEN";
    pub const CODER_AGENT_URL: &str = "CODER_AGENT_URL";
    pub const GIT_SSH_COMMAND: &str = "GIT_SSH_COMMAND";
    pub const GIT_SSH: &str = "GIT_SSH";
    pub const GIT_SSH_VARIANT: &str = "GIT_SSH_VARIANT";
    pub const GIT_ALLOW_PROTOCOL: &str = "GIT_ALLOW_PROTOCOL";
    /// Each is set by an agent's sandbox: Codex's, and Claude Code's sandbox runtime.
    pub const SANDBOXES: &[&str] =
        &["CODEX_SANDBOX", CODEX_SANDBOX_NETWORK_DISABLED, "SANDBOX_RUNTIME"];
    /// git takes it for the address of commits where it has no other.
    pub const EMAIL: &str = "EMAIL";
    pub const SSH_AUTH_SOCK: &str = "SSH_AUTH_SOCK";
    pub const GIT_ASKPASS: &str = "GIT_ASKPASS";
}

/// The variables in which other programs look for a token of a forge.
pub fn forge_tokens() -> impl Iterator<Item = &'static str> {
    let of_forges =
        ALL.iter().filter(|variable| variable.shared && variable.name != CODER_SESSION_TOKEN);
    of_forges.map(|variable| variable.name)
}

/// The variables that can hold a secret of ours.
pub fn secret_names() -> impl Iterator<Item = String> {
    ALL.iter()
        .filter(|variable| variable.secret && !variable.shared)
        .flat_map(|variable| [variable.name.to_owned(), format!("{}_BASE64", variable.name)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_docs_is_this_list() {
        let table: String = ALL
            .iter()
            .map(|variable| {
                let secret = if variable.secret { "yes" } else { "no" };
                format!("| `{}` | {secret} | {} |\n", variable.name, variable.meaning)
            })
            .collect();
        let page = include_str!("../docs/variables.md");
        let start = page.find("| variable | secret | meaning |").unwrap();
        let rows = page[start..].lines().skip(2).take_while(|line| line.starts_with('|'));
        let found: String = rows.map(|line| format!("{line}\n")).collect();
        assert!(found == table, "docs/variables.md should have:\n{table}");
    }

    #[test]
    fn a_secret_has_more_forms_than_its_own() {
        let names: Vec<_> = secret_names().collect();
        assert!(names.contains(&"PUSHREADY_DEPLOY_KEYS".to_owned()));
        assert!(names.contains(&"PUSHREADY_DEPLOY_KEYS_BASE64".to_owned()));
        assert!(!names.contains(&"HOME".to_owned()));
        assert!(!names.contains(&"GH_TOKEN".to_owned()));
    }
}
