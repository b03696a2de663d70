//! The codes that pushready reports. Names are frozen: add, never rename, never reuse.

pub mod explain;
mod finding;

use std::fmt;

use serde::Serialize;

pub use finding::{Finding, Fix, FixKind};

/// Who can fix what a code names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    Agent,
    WorkspaceUser,
    TemplateAdmin,
    RepoAdmin,
    OrgAdmin,
    Provider,
}

impl Actor {
    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Agent => "you",
            Self::WorkspaceUser => "workspace user",
            Self::TemplateAdmin => "template admin",
            Self::RepoAdmin => "repository admin",
            Self::OrgAdmin => "organisation admin",
            Self::Provider => "provider",
        }
    }
}

/// What is true of a code wherever it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    pub actor: Actor,
    /// An agent may apply the fix by itself.
    pub agent_may_fix: bool,
    /// An agent should stop and report, and not look for other credentials.
    pub stop_and_report: bool,
    /// The next attempt may succeed without a change.
    pub transient: bool,
}

/// Declares each code: its frozen name, who can fix it, what an agent may do, and the one-line
/// condition that distinguishes it from similar codes.
macro_rules! codes {
    ($($variant:ident $name:literal $actor:ident [$($flag:ident)*] $condition:literal)*) => {
        /// A finding, by its frozen name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $condition] $variant,)* }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The frozen name, as printed and as read from `PUSHREADY_ACCEPT`.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// True exactly when this code, and not a similar one, is the finding.
            pub const fn condition(self) -> &'static str {
                match self { $(Code::$variant => $condition,)* }
            }

            pub const fn traits(self) -> Traits {
                match self { $(Code::$variant => codes!(@traits $actor $($flag)*),)* }
            }
        }
    };
    (@traits $actor:ident $($flag:ident)*) => {{
        #[allow(unused_mut)]
        let mut traits =
            Traits { actor: Actor::$actor, agent_may_fix: false, stop_and_report: false, transient: false };
        $(codes!(@set traits $flag);)*
        traits
    }};
    (@set $traits:ident may_fix) => { $traits.agent_may_fix = true };
    (@set $traits:ident stop) => { $traits.stop_and_report = true };
    (@set $traits:ident transient) => { $traits.transient = true };
}

codes! {
    // home
    HomeUnset "home-unset" TemplateAdmin [] "HOME is unset, empty, relative, `/` or not a folder"
    HomeReadOnly "home-read-only" TemplateAdmin [stop] "the home is not writable: read-only mount or missing permission"
    HomeDiskFull "home-disk-full" WorkspaceUser [stop] "a write failed because the disk or the quota is exhausted"
    HomeIoError "home-io-error" WorkspaceUser [stop] "the disk reported an error while a file of the home was read or written"
    HomeFileLocked "home-file-locked" Agent [transient] "another program holds the lock of a file that pushready shares with it"
    HomeUnsafePlace "home-unsafe-place" WorkspaceUser [stop] "a link, another kind of file or the access of other users makes the path unsafe for a secret"
    HomeMismatch "home-mismatch" TemplateAdmin [] "HOME is not the home that ssh uses, which is the one in the passwd entry"
    HomeNoPasswdEntry "home-no-passwd-entry" TemplateAdmin [stop] "this uid has no passwd entry, so ssh refuses to start at all"
    HomeOtherOwner "home-other-owner" TemplateAdmin [stop] "the home belongs to another user than the one that runs pushready"
    ClockSkew "clock-skew" TemplateAdmin [] "this clock differs from the server's by more than five minutes"
    NetworkSandboxed "network-sandboxed" WorkspaceUser [stop] "an agent sandbox denies this process the network"
    NotProvisioned "not-provisioned" TemplateAdmin [stop] "there is no receipt, and nothing is configured"
    RequiredMissing "required-missing" TemplateAdmin [stop] "PUSHREADY_REQUIRE names something that was never provisioned"
    RouteBinaryGone "route-binary-gone" Agent [may_fix] "the binary that the routing names is missing or cannot be executed"
    // leaks
    LeakRemoteUrl "leak-remote-url" WorkspaceUser [] "a git URL of a clone or of the git configuration contains a credential"
    LeakArgv "leak-argv" TemplateAdmin [] "the command line of a process contains a secret"
    LeakAgentLog "leak-agent-log" TemplateAdmin [] "the log of the workspace agent contains a secret"
    LeakSessionToken "leak-session-token" TemplateAdmin [] "a Coder session token with all rights of its owner is in the environment"
    LeakFileMode "leak-file-mode" Agent [may_fix] "a file that holds a secret can be read by other users"
    LeakEnv "leak-env" TemplateAdmin [] "the environment of every process of this workspace contains secrets"
    // codex
    CodexAuthMissing "codex-auth-missing" WorkspaceUser [stop] "auth.json is absent, although a login was configured or provisioned"
    CodexAuthMalformed "codex-auth-malformed" WorkspaceUser [stop] "auth.json is not JSON that Codex can read"
    CodexAuthIncomplete "codex-auth-incomplete" WorkspaceUser [stop] "auth.json parses, but lacks a field that Codex needs to send a credential"
    CodexAuthExpired "codex-auth-expired" WorkspaceUser [stop] "the login has expired or was used up, and no refresh token can renew it"
    CodexAuthStale "codex-auth-stale" WorkspaceUser [] "the seed is older than the login in place"
    CodexAuthClobbered "codex-auth-clobbered" TemplateAdmin [stop] "a module wrote an empty or API-key stub over the login"
    CodexAuthRestored "codex-auth-restored" WorkspaceUser [] "the last good login was restored over a stub; its refresh token may be spent"
    CodexLoginNotOurs "codex-login-not-ours" WorkspaceUser [stop] "auth.json contains a login that pushready never wrote, so the seed is not used"
    CodexLeaseExpiring "codex-lease-expiring" WorkspaceUser [] "a login without refresh token has less than a day left"
    CodexAuthConflict "codex-auth-conflict" WorkspaceUser [stop] "two ways to log in are configured at once"
    CodexEnvOverride "codex-env-override" WorkspaceUser [stop] "a variable overrides auth.json"
    CodexForcedLogin "codex-forced-login" WorkspaceUser [stop] "a setting forbids the login: the next start of Codex deletes auth.json, or does not use it"
    CodexProviderBypass "codex-provider-bypass" WorkspaceUser [stop] "the model provider in config.toml does not use auth.json"
    CodexTokenSentElsewhere "codex-token-sent-elsewhere" WorkspaceUser [stop] "a base URL, a provider or a variable sends the ChatGPT login to another host than OpenAI's"
    CodexStoreNotFile "codex-store-not-file" WorkspaceUser [stop] "config.toml stores credentials elsewhere than in auth.json"
    CodexModelUnsupported "codex-model-unsupported" WorkspaceUser [] "the configured model is not available to this kind of login"
    CodexConfigMalformed "codex-config-malformed" Agent [may_fix] "Codex refuses to start because of a config.toml that it reads"
    CodexAccountRefused "codex-account-refused" WorkspaceUser [stop] "OpenAI knows the login and refuses it: the account, its region, a policy or a missing scope"
    CodexHomeUnwritable "codex-home-unwritable" TemplateAdmin [stop] "Codex cannot save a refreshed login in its folder"
    CodexSeedAtLivePath "codex-seed-at-live-path" TemplateAdmin [stop] "a secret store writes the seed directly to auth.json, which restores a token that was already used"
    CodexUntrustedFolder "codex-untrusted-folder" Agent [may_fix] "Codex will ask whether a configured folder is trusted"
    CodexUnreachable "codex-unreachable" TemplateAdmin [stop transient] "no connection to the model's host, or to the one that renews the login, is made"
    CodexProxyRefused "codex-proxy-refused" TemplateAdmin [stop] "the proxy is not reached, refuses, or is of a kind that the client cannot use"
    CodexTlsUntrusted "codex-tls-untrusted" TemplateAdmin [stop] "the client lacks the authority of a certificate, or a variable names no file of authorities"
    CodexTlsInvalid "codex-tls-invalid" TemplateAdmin [stop] "the certificate is out of its dates or for another name, or what answers is not TLS"
    CodexBlocked "codex-blocked" TemplateAdmin [stop] "a page, a portal, a challenge or a refused region answers in place of the model"
    CodexWebsocketBlocked "codex-websocket-blocked" TemplateAdmin [] "HTTPS to the model passes, and something on the way refuses WebSockets"
    // claude
    ClaudeTokenMissing "claude-token-missing" WorkspaceUser [stop] "no Claude Code credential is present, although one was configured or provisioned"
    ClaudeTokenMalformed "claude-token-malformed" WorkspaceUser [stop] "the token does not have the form that `claude setup-token` prints"
    ClaudeTokenExpired "claude-token-expired" WorkspaceUser [stop] "the token is over a year old or revoked, or the stored login has expired and cannot be refreshed"
    ClaudeAuthBlanked "claude-auth-blanked" WorkspaceUser [stop] "Claude Code blanked the stored login after a failed refresh"
    ClaudeAuthConflict "claude-auth-conflict" WorkspaceUser [stop] "two ways to log in are present at once, or the stored login is not pushready's"
    ClaudeProviderBypass "claude-provider-bypass" WorkspaceUser [stop] "a cloud-provider flag bypasses the login"
    ClaudeProjectOverride "claude-project-override" WorkspaceUser [stop] "a repository's settings switch the login"
    ClaudeTokenSentElsewhere "claude-token-sent-elsewhere" WorkspaceUser [stop] "the base URL sends the subscription token to another host"
    ClaudeAccountRefused "claude-account-refused" WorkspaceUser [stop] "the login is known and refused: the account, its region, a policy or a missing scope"
    ClaudeHomeUnwritable "claude-home-unwritable" TemplateAdmin [stop] "Claude Code cannot save a refreshed login in its folder"
    ClaudeConfigMalformed "claude-config-malformed" Agent [may_fix] ".claude.json or a settings file does not parse, or has a value of a wrong form"
    ClaudeOnboardingIncomplete "claude-onboarding-incomplete" Agent [may_fix] "the first-run prompts will block an unattended session"
    ClaudeUntrustedFolder "claude-untrusted-folder" Agent [may_fix] "Claude Code will ask whether a configured folder is trusted"
    ClaudeUnreachable "claude-unreachable" TemplateAdmin [stop transient] "no connection to the model's host, or to the one that renews the login, is made"
    ClaudeProxyRefused "claude-proxy-refused" TemplateAdmin [stop] "the proxy is not reached, refuses, or is of a kind that the client cannot use"
    ClaudeTlsUntrusted "claude-tls-untrusted" TemplateAdmin [stop] "the client lacks the authority of a certificate, or a variable names no file of authorities"
    ClaudeTlsInvalid "claude-tls-invalid" TemplateAdmin [stop] "the certificate is out of its dates or for another name, or what answers is not TLS"
    ClaudeBlocked "claude-blocked" TemplateAdmin [stop] "a page, a portal, a challenge or a refused region answers in place of the model"
    // keys
    KeyMalformed "key-malformed" TemplateAdmin [stop] "the value is not a private key, or its damage cannot be repaired with certainty"
    KeyFormatUnsupported "key-format-unsupported" TemplateAdmin [stop] "the private key is not in OpenSSH's format, or is of a kind that needs a person or a device"
    KeyEncrypted "key-encrypted" TemplateAdmin [stop] "the private key is protected by a passphrase"
    KeyWeak "key-weak" TemplateAdmin [stop] "an RSA key below 2048 bits, or DSA"
    KeyPermissions "key-permissions" Agent [may_fix] "other users can read an installed key, so ssh ignores it"
    // ssh
    SshMissing "ssh-missing" TemplateAdmin [stop] "there is no ssh client on PATH"
    SshConfigInvalid "ssh-config-invalid" WorkspaceUser [stop] "ssh rejects its configuration"
    SshInputClosed "ssh-input-closed" WorkspaceUser [stop] "StdinNull or SessionType prevents the server from receiving what git sends"
    SshControlPath "ssh-control-path" WorkspaceUser [stop] "ssh is to share connections, and cannot make the socket that ControlPath names"
    SshConfigPermissions "ssh-config-permissions" Agent [may_fix] "ssh refuses its configuration because of its owner or mode"
    SshRouteBroken "ssh-route-broken" Agent [may_fix] "the ssh that git runs does not choose the installed key for its repository"
    SshWrongKey "ssh-wrong-key" RepoAdmin [stop] "the server accepted a key that belongs to another repository or user"
    SshKeyRefused "ssh-key-refused" RepoAdmin [stop] "the server accepted none of the keys offered"
    SshHostKeyUnknown "ssh-host-key-unknown" TemplateAdmin [stop] "no host key is known for the server"
    SshHostKeyChanged "ssh-host-key-changed" TemplateAdmin [stop] "the server's host key is not the pinned one"
    SshKnownHostsPoisoned "ssh-known-hosts-poisoned" TemplateAdmin [stop] "a known_hosts file lists a key for the host that is not the provider's, or ssh is configured to accept any"
    SshHostUnresolved "ssh-host-unresolved" TemplateAdmin [stop transient] "the name of the server does not resolve"
    SshPortBlocked "ssh-port-blocked" TemplateAdmin [stop transient] "the name resolves, but the ssh port does not answer as ssh"
    SshProxyFailed "ssh-proxy-failed" TemplateAdmin [stop transient] "ssh's ProxyCommand or ProxyJump ends before the server is reached"
    SshOutputGarbled "ssh-output-garbled" WorkspaceUser [stop] "a shell profile, a LocalCommand or a wrapper prints into the data that git reads from ssh"
    SshTooManyKeys "ssh-too-many-keys" WorkspaceUser [stop] "the server closed the connection after too many keys were offered"
    GitsshBlocked "gitssh-blocked" TemplateAdmin [stop transient] "`coder gitssh` fails before it starts ssh"
    SshCommandBroken "ssh-command-broken" WorkspaceUser [stop] "the ssh command that a variable or core.sshCommand configures is missing, or fails where ssh works"
    // git
    GitMissing "git-missing" TemplateAdmin [stop] "there is no git on PATH"
    GitConfigInvalid "git-config-invalid" WorkspaceUser [stop] "git rejects a line or a value of its configuration, so every git command fails"
    GitTransportForbidden "git-transport-forbidden" WorkspaceUser [stop] "protocol.allow or GIT_ALLOW_PROTOCOL forbids git to use ssh"
    GitIdentityMissing "git-identity-missing" Agent [may_fix] "git has no author name or email for a commit"
    GitCloneBroken "git-clone-broken" Agent [may_fix] "parts of the clone are missing, damaged or configured so that git does not work in it"
    GitTooOld "git-too-old" TemplateAdmin [stop] "the clone has a form that this git does not know"
    GitCloneUnwritable "git-clone-unwritable" WorkspaceUser [stop] "git cannot write objects, refs, logs or the index of the clone"
    GitLockLeft "git-lock-left" Agent [may_fix] "a lock of a git command that ended blocks other git commands"
    GitCloneUnfinished "git-clone-unfinished" Agent [may_fix] "a merge, a rebase or another command waits to be finished in the clone"
    GitEnvironmentBroken "git-environment-broken" Agent [may_fix] "a GIT_ variable makes every commit fail, or sends it to another repository"
    GitSigningBroken "git-signing-broken" WorkspaceUser [stop] "git is configured to sign commits, but the program or the key does not work"
    GitLineEndings "git-line-endings" WorkspaceUser [stop] "git refuses files because of their line endings (core.safecrlf) or their encoding (an attribute)"
    GitLfsMissing "git-lfs-missing" TemplateAdmin [stop] "the clone needs git-lfs for its files or its hook, and it is not installed"
    GitLfsNotSetUp "git-lfs-not-set-up" Agent [may_fix] "files of the clone belong in git-lfs, which is installed but not configured, or not called by the hook"
    GitFilterMissing "git-filter-missing" TemplateAdmin [stop] "the program of a filter that the clone's attributes name is not installed, or cannot be started"
    GitHookUnrunnable "git-hook-unrunnable" TemplateAdmin [stop] "a hook that git runs for a commit or a push cannot run"
    GitUnreachable "git-unreachable" TemplateAdmin [stop transient] "git over HTTPS makes no connection to the server, or it is cut before any answer"
    GitProxyRefused "git-proxy-refused" TemplateAdmin [stop] "the proxy that git uses for HTTPS is not reached, refuses, or is of a kind that git cannot use"
    GitTlsUntrusted "git-tls-untrusted" TemplateAdmin [stop] "git does not accept the certificate that is shown for the server, or its setting names no file of authorities"
    RepositoryOtherOwner "repository-other-owner" Agent [may_fix] "git refuses a clone that belongs to another user"
    RemoteStillHttps "remote-still-https" Agent [may_fix] "a remote of a repository that has a key still pushes over HTTPS"
    RemoteReversed "remote-reversed" WorkspaceUser [stop] "an insteadOf rule rewrites the SSH remote to HTTPS"
    RemotePushElsewhere "remote-push-elsewhere" WorkspaceUser [stop] "a pushurl sends pushes elsewhere than fetches"
    RemotePortInPath "remote-port-in-path" Agent [may_fix] "an scp-like remote contains a port, which git reads as part of the path"
    // push
    PushKeyReadOnly "push-key-read-only" RepoAdmin [stop] "the deploy key of this repository has read access only"
    PushRepositoryNotFound "push-repository-not-found" RepoAdmin [stop] "the server finds no such repository for this key"
    PushDenied "push-denied" RepoAdmin [stop] "the server knows the account or key, but it has no write access here"
    PushArchived "push-archived" RepoAdmin [stop] "the repository is archived"
    PushSsoRequired "push-sso-required" WorkspaceUser [stop] "the organisation requires single sign-on for this credential"
    PushIpNotAllowed "push-ip-not-allowed" OrgAdmin [stop] "the organisation's allow list excludes this address"
    PushBranchProtected "push-branch-protected" Agent [may_fix] "a protected branch refuses direct pushes"
    PushRuleViolation "push-rule-violation" RepoAdmin [stop] "a repository rule that has no code of its own refuses the push"
    PushSecretBlocked "push-secret-blocked" Agent [may_fix] "push protection found a secret in the commits"
    PushFileTooLarge "push-file-too-large" Agent [may_fix] "a file exceeds the server's size limit"
    PushEmailPrivate "push-email-private" Agent [may_fix] "the commits would publish a private email address"
    PushWorkflowScope "push-workflow-scope" TemplateAdmin [stop] "the token lacks permission to change workflow files"
    PushRefInvalid "push-ref-invalid" Agent [may_fix] "the server does not allow a ref of this name"
    PushRefLocked "push-ref-locked" Agent [may_fix transient] "the server could not lock the ref; another push is running"
    PushLocalRef "push-local-ref" Agent [may_fix] "the local side has no commit or remote to push"
    PushNonFastForward "push-non-fast-forward" Agent [may_fix] "the remote branch has commits that the local one lacks"
    PushOptionUnsupported "push-option-unsupported" WorkspaceUser [stop] "git is configured to sign pushes or to send push options, which the server does not support"
    PushShallow "push-shallow" Agent [may_fix] "the server refuses a push from a shallow clone"
    PushHookDeclined "push-hook-declined" RepoAdmin [stop] "a server hook refused the push, in a message that names no known rule"
    PushNoCredentials "push-no-credentials" TemplateAdmin [stop] "an HTTPS push found no credential, or none that the server accepts"
    PushServerError "push-server-error" Provider [transient] "the server answered with an internal error"
    PushTargetNone "push-target-none" Agent [may_fix] "a plain `git push` from the current branch has no target"
    PushTargetOther "push-target-other" Agent [may_fix] "a plain `git push` goes to another ref than the branch of the same name"
    PushTimeout "push-timeout" Provider [transient] "the connection ended before an answer, or nothing answered by the deadline"
    PushUnrecognized "push-unrecognized" WorkspaceUser [stop] "the push failed with a message that pushready does not know"
    // actions
    ActionsDisabled "actions-disabled" RepoAdmin [stop] "Actions is switched off for the repository"
    ActionsPolicy "actions-policy" OrgAdmin [stop] "the allowed-actions policy excludes what the workflow uses"
    ActionsWorkflowDisabled "actions-workflow-disabled" RepoAdmin [stop] "this workflow is disabled"
    ActionsNoRun "actions-no-run" Agent [may_fix] "the push made no run: no trigger matches, the pull request conflicts, or nothing explains it"
    ActionsSkipped "actions-skipped" Agent [may_fix] "the commit message or a condition skipped the run"
    ActionsLabelUnknown "actions-label-unknown" RepoAdmin [stop] "no known runner has the labels that the job requires"
    ActionsLabelRetired "actions-label-retired" Agent [may_fix] "the job requires a hosted image that was retired"
    ActionsRunnerOffline "actions-runner-offline" RepoAdmin [stop] "every runner with these labels is offline"
    ActionsRunnerBusy "actions-runner-busy" RepoAdmin [transient] "every online runner with these labels is busy"
    ActionsRunnerGroup "actions-runner-group" RepoAdmin [stop] "the matching runner's group excludes this repository"
    ActionsConcurrency "actions-concurrency" RepoAdmin [transient] "the run waits for another run of its concurrency group"
    ActionsEnvironmentWait "actions-environment-wait" RepoAdmin [stop] "the job waits for an environment's protection rules"
    ActionsApprovalRequired "actions-approval-required" RepoAdmin [stop] "the run waits for a maintainer's approval"
    ActionsBilling "actions-billing" OrgAdmin [stop] "an annotation names billing or the spending limit"
    ActionsOrphanedRun "actions-orphaned-run" Agent [may_fix] "the run is queued although its jobs are finished or absent"
    ActionsStartupFailure "actions-startup-failure" Agent [may_fix] "the run ended at startup, before any job"
    ActionsSlotsSaturated "actions-slots-saturated" OrgAdmin [transient] "the account's concurrent jobs are used up"
    ActionsAccountFlagged "actions-account-flagged" OrgAdmin [stop] "the account is not allowed to run Actions"
    ActionsIncident "actions-incident" Provider [transient] "the provider's status page reports an incident of Actions"
    ActionsHostedDelay "actions-hosted-delay" Provider [transient] "hosted runners are slow to start, with no incident declared"
    ActionsGithubSide "actions-github-side" Provider [transient] "every local cause is ruled out"
    ActionsNoToken "actions-no-token" WorkspaceUser [] "no API token is available"
    ActionsForbidden "actions-forbidden" WorkspaceUser [] "the token lacks the permission that the check needs"
    ActionsRateLimited "actions-rate-limited" WorkspaceUser [transient] "the API's rate limit is used up"
    ActionsNotGithub "actions-not-github" WorkspaceUser [] "the remote is not on GitHub"
}

/// The areas in the order of the catalogue, and their pages.
pub const AREAS: &[(&str, &str)] = &[
    ("home", include_str!("explain/home.md")),
    ("leaks", include_str!("explain/leaks.md")),
    ("codex", include_str!("explain/codex.md")),
    ("claude", include_str!("explain/claude.md")),
    ("keys", include_str!("explain/keys.md")),
    ("ssh", include_str!("explain/ssh.md")),
    ("git", include_str!("explain/git.md")),
    ("push", include_str!("explain/push.md")),
    ("actions", include_str!("explain/actions.md")),
];

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|()| serde::de::Error::custom("unknown code"))
    }
}

impl std::str::FromStr for Code {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|code| code.name() == name).ok_or(())
    }
}
