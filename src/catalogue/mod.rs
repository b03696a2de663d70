//! The codes that pushready reports. Names are frozen: add, never rename, never reuse.

pub mod explain;
mod finding;

use std::fmt;

use serde::Serialize;

pub use finding::{Finding, Fix, FixKind};

/// Who can mend what a code names.
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
    /// As people say it.
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

/// What holds of a code wherever it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    pub actor: Actor,
    /// An agent may carry the fix out by itself.
    pub agent_may_fix: bool,
    /// An agent should stop and report, and not look for other credentials.
    pub stop_and_report: bool,
    /// It may be gone at the next try.
    pub transient: bool,
}

/// Declares each code: its frozen name, who can mend it, what an agent may do, and the one-line
/// condition that tells it from its neighbours.
macro_rules! codes {
    ($($variant:ident $name:literal $actor:ident [$($flag:ident)*] $condition:literal)*) => {
        /// A finding, by its frozen name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $condition] $variant,)* }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The frozen name, as printed and as read back from `PUSHREADY_ACCEPT`.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// What holds exactly when this code, and not a neighbour, is the finding.
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
    HomeUnset "home-unset" TemplateAdmin [] "HOME is unset, empty, relative, `/` or no folder"
    HomeReadOnly "home-read-only" TemplateAdmin [stop] "the home cannot be written: read-only mount or missing permission"
    HomeDiskFull "home-disk-full" WorkspaceUser [stop] "a write failed because the disk or the quota is exhausted"
    HomeIoError "home-io-error" WorkspaceUser [stop] "the disk reported an error while a file of the home was read or written"
    HomeFileLocked "home-file-locked" Agent [transient] "another program holds the lock of a file that we share with it"
    HomeUnsafePlace "home-unsafe-place" WorkspaceUser [stop] "a link, another file or the access of others stands in the way of a file with a secret"
    HomeMismatch "home-mismatch" TemplateAdmin [] "HOME is not the home that ssh uses, which is the one in the passwd entry"
    HomeNoPasswdEntry "home-no-passwd-entry" TemplateAdmin [stop] "this uid has no passwd entry, so ssh refuses to start at all"
    HomeOtherOwner "home-other-owner" TemplateAdmin [stop] "the home belongs to another user than the one that runs pushready"
    ClockSkew "clock-skew" TemplateAdmin [] "this clock differs from the server's by more than five minutes"
    NetworkSandboxed "network-sandboxed" WorkspaceUser [stop] "an agent sandbox denies this process the network"
    NotProvisioned "not-provisioned" TemplateAdmin [stop] "there is no receipt, and nothing is asked for"
    RequiredMissing "required-missing" TemplateAdmin [stop] "PUSHREADY_REQUIRE names something that was never provisioned"
    RouteBinaryGone "route-binary-gone" Agent [may_fix] "the binary that the routing names is missing or cannot be executed"
    // leaks
    LeakRemoteUrl "leak-remote-url" WorkspaceUser [] "a credential stands in a git URL of a clone or of the git configuration"
    LeakArgv "leak-argv" TemplateAdmin [] "a secret stands in the command line of a process"
    LeakAgentLog "leak-agent-log" TemplateAdmin [] "a secret stands in the log of the workspace agent"
    LeakSessionToken "leak-session-token" TemplateAdmin [] "a Coder session token with its owner's full power is in the environment"
    LeakFileMode "leak-file-mode" Agent [may_fix] "a file that holds a secret can be read by other users"
    LeakEnv "leak-env" TemplateAdmin [] "secrets stand in the environment of every process of this workspace"
    // codex
    CodexAuthMissing "codex-auth-missing" WorkspaceUser [stop] "auth.json is absent, and a login was asked for or provisioned"
    CodexAuthMalformed "codex-auth-malformed" WorkspaceUser [stop] "auth.json is no JSON that Codex can read"
    CodexAuthIncomplete "codex-auth-incomplete" WorkspaceUser [stop] "auth.json parses, but lacks something without which Codex sends no credential"
    CodexAuthExpired "codex-auth-expired" WorkspaceUser [stop] "the login has expired or was used up, and no refresh token can renew it"
    CodexAuthStale "codex-auth-stale" WorkspaceUser [] "the seed is older than the login in place"
    CodexAuthClobbered "codex-auth-clobbered" TemplateAdmin [stop] "a module wrote an empty or API-key stub over the login"
    CodexAuthRestored "codex-auth-restored" WorkspaceUser [] "the last good login was put back over a stub; it may be spent"
    CodexLoginNotOurs "codex-login-not-ours" WorkspaceUser [stop] "a login that pushready never wrote stands in the place of the seed"
    CodexLeaseExpiring "codex-lease-expiring" WorkspaceUser [] "a login without refresh token has less than a day left"
    CodexAuthConflict "codex-auth-conflict" WorkspaceUser [stop] "two ways to log in are configured at once"
    CodexEnvOverride "codex-env-override" WorkspaceUser [stop] "a variable beats auth.json"
    CodexForcedLogin "codex-forced-login" WorkspaceUser [stop] "a setting forbids the login: the next start of Codex deletes auth.json, or does not use it"
    CodexProviderBypass "codex-provider-bypass" WorkspaceUser [stop] "the model provider in config.toml does not use auth.json"
    CodexTokenSentElsewhere "codex-token-sent-elsewhere" WorkspaceUser [stop] "a base URL, a provider or a variable sends the ChatGPT login to another host than OpenAI's"
    CodexStoreNotFile "codex-store-not-file" WorkspaceUser [stop] "config.toml keeps credentials elsewhere than in auth.json"
    CodexModelUnsupported "codex-model-unsupported" WorkspaceUser [] "the configured model is not offered to this kind of login"
    CodexConfigMalformed "codex-config-malformed" Agent [may_fix] "Codex does not start with a config.toml that it reads"
    CodexHomeUnwritable "codex-home-unwritable" TemplateAdmin [stop] "Codex cannot save a refreshed login in its folder"
    CodexSeedAtLivePath "codex-seed-at-live-path" TemplateAdmin [stop] "a secret store writes the seed straight to auth.json and would revive a spent token"
    CodexUntrustedFolder "codex-untrusted-folder" Agent [may_fix] "Codex will ask whether a requested folder is trusted"
    // claude
    ClaudeTokenMissing "claude-token-missing" WorkspaceUser [stop] "no Claude Code credential is present, and one was asked for or provisioned"
    ClaudeTokenMalformed "claude-token-malformed" WorkspaceUser [stop] "the token is not of the form that `claude setup-token` prints"
    ClaudeTokenExpired "claude-token-expired" WorkspaceUser [stop] "the token is over a year old or revoked, or the stored login has expired for good"
    ClaudeAuthBlanked "claude-auth-blanked" WorkspaceUser [stop] "Claude Code blanked the stored login after a failed refresh"
    ClaudeAuthConflict "claude-auth-conflict" WorkspaceUser [stop] "two ways to log in are present at once, or another login stands in our place"
    ClaudeProviderBypass "claude-provider-bypass" WorkspaceUser [stop] "a cloud-provider flag bypasses the login"
    ClaudeProjectOverride "claude-project-override" WorkspaceUser [stop] "a repository's settings switch the login"
    ClaudeTokenSentElsewhere "claude-token-sent-elsewhere" WorkspaceUser [stop] "the base URL sends the subscription token to another host"
    ClaudeConfigMalformed "claude-config-malformed" Agent [may_fix] ".claude.json or a settings file does not parse"
    ClaudeOnboardingIncomplete "claude-onboarding-incomplete" Agent [may_fix] "the first-run prompts will block an unattended session"
    ClaudeUntrustedFolder "claude-untrusted-folder" Agent [may_fix] "Claude Code will ask whether a requested folder is trusted"
    // keys
    KeyMalformed "key-malformed" TemplateAdmin [stop] "the value is no private key, or is damaged beyond certain repair"
    KeyFormatUnsupported "key-format-unsupported" TemplateAdmin [stop] "a private key in another container than OpenSSH's, or of a kind that cannot serve unattended"
    KeyEncrypted "key-encrypted" TemplateAdmin [stop] "the private key is protected by a passphrase"
    KeyWeak "key-weak" TemplateAdmin [stop] "an RSA key below 2048 bits, or DSA"
    KeyPermissions "key-permissions" Agent [may_fix] "an installed key can be read by others, so ssh ignores it"
    // ssh
    SshMissing "ssh-missing" TemplateAdmin [stop] "there is no ssh client on PATH"
    SshConfigInvalid "ssh-config-invalid" WorkspaceUser [stop] "ssh rejects its configuration"
    SshInputClosed "ssh-input-closed" WorkspaceUser [stop] "StdinNull, ForkAfterAuthentication or SessionType keeps from the server what git sends"
    SshConfigPermissions "ssh-config-permissions" Agent [may_fix] "ssh refuses its configuration because of its owner or mode"
    SshRouteBroken "ssh-route-broken" Agent [may_fix] "the ssh that git runs does not choose the installed key for its repository"
    SshWrongKey "ssh-wrong-key" RepoAdmin [stop] "the server accepted a key that belongs to another repository or user"
    SshKeyRefused "ssh-key-refused" RepoAdmin [stop] "the server accepted none of the keys offered"
    SshHostKeyUnknown "ssh-host-key-unknown" TemplateAdmin [stop] "no host key is known for the server"
    SshHostKeyChanged "ssh-host-key-changed" TemplateAdmin [stop] "the server's host key is not the pinned one"
    SshKnownHostsPoisoned "ssh-known-hosts-poisoned" TemplateAdmin [stop] "known_hosts vouches for a key that is not the provider's"
    SshHostUnresolved "ssh-host-unresolved" TemplateAdmin [stop transient] "the name of the server does not resolve"
    SshPortBlocked "ssh-port-blocked" TemplateAdmin [stop transient] "the name resolves, but the ssh port does not answer as ssh"
    SshProxyFailed "ssh-proxy-failed" TemplateAdmin [stop transient] "ssh's ProxyCommand or ProxyJump ends before the server is reached"
    SshOutputGarbled "ssh-output-garbled" WorkspaceUser [stop] "a shell profile, a LocalCommand or a wrapper prints into the data that git reads from ssh"
    SshTooManyKeys "ssh-too-many-keys" WorkspaceUser [stop] "the server hung up after too many keys were offered"
    GitsshBlocked "gitssh-blocked" TemplateAdmin [stop transient] "`coder gitssh` fails before it starts ssh"
    SshCommandBroken "ssh-command-broken" WorkspaceUser [stop] "what a variable or core.sshCommand put in the place of ssh is no program, or fails where ssh works"
    // git
    GitMissing "git-missing" TemplateAdmin [stop] "there is no git on PATH"
    GitConfigInvalid "git-config-invalid" WorkspaceUser [stop] "git does not take a line or a value of its configuration, so none of its commands works"
    GitTransportForbidden "git-transport-forbidden" WorkspaceUser [stop] "git is told not to use ssh, by protocol.allow or GIT_ALLOW_PROTOCOL"
    GitIdentityMissing "git-identity-missing" Agent [may_fix] "git has no author name or email for a commit"
    RepositoryOtherOwner "repository-other-owner" Agent [may_fix] "git refuses a clone that belongs to another user"
    RemoteStillHttps "remote-still-https" Agent [may_fix] "a remote of a repository that has a key still pushes over HTTPS"
    RemoteReversed "remote-reversed" WorkspaceUser [stop] "an insteadOf rule turns the SSH remote back to HTTPS"
    RemotePushElsewhere "remote-push-elsewhere" WorkspaceUser [stop] "a pushurl sends pushes elsewhere than fetches"
    RemotePortInPath "remote-port-in-path" Agent [may_fix] "an scp-like remote carries a port, which git reads as part of the path"
    // push
    PushKeyReadOnly "push-key-read-only" RepoAdmin [stop] "the deploy key of this repository may read but not write"
    PushRepositoryNotFound "push-repository-not-found" RepoAdmin [stop] "the server knows no such repository for this key"
    PushDenied "push-denied" RepoAdmin [stop] "the account or key is known and may not push here"
    PushArchived "push-archived" RepoAdmin [stop] "the repository is archived"
    PushSsoRequired "push-sso-required" WorkspaceUser [stop] "the organisation demands single sign-on for this credential"
    PushIpNotAllowed "push-ip-not-allowed" OrgAdmin [stop] "the organisation's allow list excludes this address"
    PushBranchProtected "push-branch-protected" Agent [may_fix] "a protected branch refuses direct pushes"
    PushRuleViolation "push-rule-violation" RepoAdmin [stop] "a repository rule other than those named apart refuses the push"
    PushSecretBlocked "push-secret-blocked" Agent [may_fix] "push protection found a secret in the commits"
    PushFileTooLarge "push-file-too-large" Agent [may_fix] "a file exceeds the server's size limit"
    PushEmailPrivate "push-email-private" Agent [may_fix] "the commits would publish a private email address"
    PushWorkflowScope "push-workflow-scope" TemplateAdmin [stop] "the token may not change workflow files"
    PushRefInvalid "push-ref-invalid" Agent [may_fix] "the server does not allow a ref of this name"
    PushRefLocked "push-ref-locked" Agent [may_fix transient] "the server could not lock the ref; another push is under way"
    PushLocalRef "push-local-ref" Agent [may_fix] "the local side names no commit or remote to push"
    PushNonFastForward "push-non-fast-forward" Agent [may_fix] "the remote branch has commits that the local one lacks"
    PushOptionUnsupported "push-option-unsupported" WorkspaceUser [stop] "git is set to sign pushes or to send push options, and the server takes none"
    PushShallow "push-shallow" Agent [may_fix] "the server refuses a push from a shallow clone"
    PushHookDeclined "push-hook-declined" RepoAdmin [stop] "a server hook refused, in words that name no rule known here"
    PushNoCredentials "push-no-credentials" TemplateAdmin [stop] "an HTTPS push found no credential, or none that the server accepts"
    PushServerError "push-server-error" Provider [transient] "the server answered with an internal error"
    PushTimeout "push-timeout" Provider [transient] "no connection came about, or it ended before an answer or at the deadline"
    PushUnrecognized "push-unrecognized" WorkspaceUser [stop] "the push failed in words that are not known here"
    // actions
    ActionsDisabled "actions-disabled" RepoAdmin [stop] "Actions is switched off for the repository"
    ActionsPolicy "actions-policy" OrgAdmin [stop] "the allowed-actions policy excludes what the workflow uses"
    ActionsWorkflowDisabled "actions-workflow-disabled" RepoAdmin [stop] "this workflow is disabled"
    ActionsNoRun "actions-no-run" Agent [may_fix] "the push made no run: no trigger matches, the pull request conflicts, or nothing explains it"
    ActionsSkipped "actions-skipped" Agent [may_fix] "the commit message or a condition skipped the run"
    ActionsLabelUnknown "actions-label-unknown" RepoAdmin [stop] "no runner carries the labels that the job asks for"
    ActionsLabelRetired "actions-label-retired" Agent [may_fix] "the job asks for a hosted image that was retired"
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
    ActionsAccountFlagged "actions-account-flagged" OrgAdmin [stop] "the account may not run Actions"
    ActionsIncident "actions-incident" Provider [transient] "the provider's status page reports an incident of Actions"
    ActionsHostedDelay "actions-hosted-delay" Provider [transient] "hosted runners are slow to start, with no incident declared"
    ActionsGithubSide "actions-github-side" Provider [transient] "every local cause is ruled out"
    ActionsNoToken "actions-no-token" WorkspaceUser [] "no API token is available"
    ActionsForbidden "actions-forbidden" WorkspaceUser [] "the token lacks the permission that the question needs"
    ActionsRateLimited "actions-rate-limited" WorkspaceUser [transient] "the API's rate limit is used up"
    ActionsNotGithub "actions-not-github" WorkspaceUser [] "the remote is not on GitHub"
}

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
