//! The codes that pushready reports. Names are frozen: add, never rename, never reuse.

use std::fmt;

/// Declares each code with the one-line condition that tells it from its neighbours.
macro_rules! codes {
    ($($variant:ident $name:literal $condition:literal)*) => {
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
        }
    };
}

codes! {
    // home
    HomeUnset "home-unset" "HOME is unset, empty, relative or `/`, and no passwd entry supplies a home"
    HomeReadOnly "home-read-only" "the home cannot be written: read-only mount or missing permission"
    HomeDiskFull "home-disk-full" "a write failed because the disk or the quota is exhausted"
    HomeMismatch "home-mismatch" "HOME is not the home that ssh uses, which is the one in the passwd entry"
    HomeNoPasswdEntry "home-no-passwd-entry" "this uid has no passwd entry, so ssh refuses to start at all"
    HomeOtherOwner "home-other-owner" "the home belongs to another user than the one that runs pushready"
    ClockSkew "clock-skew" "this clock differs from the server's by more than five minutes"
    NetworkSandboxed "network-sandboxed" "an agent sandbox denies this process the network"
    NotProvisioned "not-provisioned" "there is no receipt, and nothing is asked for"
    RequiredMissing "required-missing" "PUSHREADY_REQUIRE names something that was never provisioned"
    RouteBinaryGone "route-binary-gone" "the binary that the routing names is missing or cannot be executed"
    // leaks
    LeakRemoteUrl "leak-remote-url" "a credential stands in a git URL of a clone or of the git configuration"
    LeakArgv "leak-argv" "a secret stands in the command line of a process"
    LeakAgentLog "leak-agent-log" "a secret stands in the log of the workspace agent"
    LeakSessionToken "leak-session-token" "a Coder session token with its owner's full power is in the environment"
    LeakFileMode "leak-file-mode" "a file that holds a secret can be read by other users"
    LeakEnv "leak-env" "secrets stand in the environment of every process of this workspace"
    // codex
    CodexAuthMissing "codex-auth-missing" "auth.json is absent, and a login was asked for or provisioned"
    CodexAuthMalformed "codex-auth-malformed" "auth.json is no JSON that Codex can read"
    CodexAuthIncomplete "codex-auth-incomplete" "auth.json parses, but lacks something without which Codex sends no credential"
    CodexAuthExpired "codex-auth-expired" "the access token has expired, and no refresh token can renew it"
    CodexAuthStale "codex-auth-stale" "the seed is older than the login in place"
    CodexAuthClobbered "codex-auth-clobbered" "a module wrote an empty or API-key stub over the login"
    CodexAuthRestored "codex-auth-restored" "the last good login was put back over a stub; it may be spent"
    CodexLoginNotOurs "codex-login-not-ours" "a login that pushready never wrote stands in the place of the seed"
    CodexLeaseExpiring "codex-lease-expiring" "a login without refresh token has less than a day left"
    CodexAuthConflict "codex-auth-conflict" "two ways to log in are configured at once"
    CodexEnvOverride "codex-env-override" "a variable beats auth.json"
    CodexForcedLogin "codex-forced-login" "a setting will delete auth.json at the next start of Codex"
    CodexProviderBypass "codex-provider-bypass" "the model provider in config.toml does not use auth.json"
    CodexStoreNotFile "codex-store-not-file" "config.toml keeps credentials elsewhere than in auth.json"
    CodexModelUnsupported "codex-model-unsupported" "the configured model is not offered to this kind of login"
    CodexConfigMalformed "codex-config-malformed" "config.toml does not parse"
    CodexHomeUnwritable "codex-home-unwritable" "Codex cannot save a refreshed login in its folder"
    CodexSeedAtLivePath "codex-seed-at-live-path" "a secret store writes the seed straight to auth.json and would revive a spent token"
    CodexUntrustedFolder "codex-untrusted-folder" "Codex will ask whether a requested folder is trusted"
    // claude
    ClaudeTokenMissing "claude-token-missing" "no Claude Code credential is present, and one was asked for or provisioned"
    ClaudeTokenMalformed "claude-token-malformed" "the token is not of the form that `claude setup-token` prints"
    ClaudeTokenExpired "claude-token-expired" "the token is more than a year old, or the stored login has expired without means to renew it"
    ClaudeAuthBlanked "claude-auth-blanked" "Claude Code blanked the stored login after a failed refresh"
    ClaudeAuthConflict "claude-auth-conflict" "two ways to log in are present at once, or another login stands in our place"
    ClaudeProviderBypass "claude-provider-bypass" "a cloud-provider flag bypasses the login"
    ClaudeProjectOverride "claude-project-override" "a repository's settings switch the login"
    ClaudeTokenSentElsewhere "claude-token-sent-elsewhere" "the base URL sends the subscription token to another host"
    ClaudeConfigMalformed "claude-config-malformed" ".claude.json or a settings file does not parse"
    ClaudeOnboardingIncomplete "claude-onboarding-incomplete" "the first-run prompts will block an unattended session"
    ClaudeUntrustedFolder "claude-untrusted-folder" "Claude Code will ask whether a requested folder is trusted"
    // keys
    KeyMalformed "key-malformed" "the value is no private key, or is damaged beyond certain repair"
    KeyFormatUnsupported "key-format-unsupported" "a private key in another container than OpenSSH's, or of a kind that cannot serve unattended"
    KeyEncrypted "key-encrypted" "the private key is protected by a passphrase"
    KeyWeak "key-weak" "an RSA key below 2048 bits, or DSA"
    KeyPermissions "key-permissions" "an installed key can be read by others, so ssh ignores it"
    // ssh
    SshMissing "ssh-missing" "there is no ssh client on PATH"
    SshConfigInvalid "ssh-config-invalid" "ssh rejects its configuration"
    SshConfigPermissions "ssh-config-permissions" "ssh refuses its configuration because of its owner or mode"
    SshRouteBroken "ssh-route-broken" "the ssh that git runs does not choose the installed key for its repository"
    SshWrongKey "ssh-wrong-key" "the server accepted a key that belongs to another repository or user"
    SshKeyRefused "ssh-key-refused" "the server accepted none of the keys offered"
    SshHostKeyUnknown "ssh-host-key-unknown" "no host key is known for the server"
    SshHostKeyChanged "ssh-host-key-changed" "the server's host key is not the pinned one"
    SshKnownHostsPoisoned "ssh-known-hosts-poisoned" "known_hosts vouches for a key that is not the provider's"
    SshHostUnresolved "ssh-host-unresolved" "the name of the server does not resolve"
    SshPortBlocked "ssh-port-blocked" "the name resolves, but the ssh port does not answer as ssh"
    SshTooManyKeys "ssh-too-many-keys" "the server hung up after too many keys were offered"
    GitsshBlocked "gitssh-blocked" "`coder gitssh` fails before it starts ssh"
    // git
    GitMissing "git-missing" "there is no git on PATH"
    GitIdentityMissing "git-identity-missing" "git has no author name or email for a commit"
    RepositoryOtherOwner "repository-other-owner" "git refuses a clone that belongs to another user"
    RemoteStillHttps "remote-still-https" "a remote of a repository that has a key still pushes over HTTPS"
    RemoteReversed "remote-reversed" "an insteadOf rule turns the SSH remote back to HTTPS"
    RemotePushElsewhere "remote-push-elsewhere" "a pushurl sends pushes elsewhere than fetches"
    RemotePortInPath "remote-port-in-path" "an scp-like remote carries a port, which git reads as part of the path"
    // push
    PushKeyReadOnly "push-key-read-only" "the deploy key of this repository may read but not write"
    PushRepositoryNotFound "push-repository-not-found" "the server knows no such repository for this key"
    PushDenied "push-denied" "the account or key is known and may not push here"
    PushArchived "push-archived" "the repository is archived"
    PushSsoRequired "push-sso-required" "the organisation demands single sign-on for this credential"
    PushIpNotAllowed "push-ip-not-allowed" "the organisation's allow list excludes this address"
    PushBranchProtected "push-branch-protected" "a protected branch refuses direct pushes"
    PushRuleViolation "push-rule-violation" "a repository rule other than those named apart refuses the push"
    PushSecretBlocked "push-secret-blocked" "push protection found a secret in the commits"
    PushFileTooLarge "push-file-too-large" "a file exceeds the server's size limit"
    PushEmailPrivate "push-email-private" "the commits would publish a private email address"
    PushWorkflowScope "push-workflow-scope" "the token may not change workflow files"
    PushRefInvalid "push-ref-invalid" "the server does not allow a ref of this name"
    PushRefLocked "push-ref-locked" "the server could not lock the ref; another push is under way"
    PushLocalRef "push-local-ref" "the local side names no commit or remote to push"
    PushNonFastForward "push-non-fast-forward" "the remote branch has commits that the local one lacks"
    PushShallow "push-shallow" "the server refuses a push from a shallow clone"
    PushHookDeclined "push-hook-declined" "a server hook refused, in words that name no rule known here"
    PushNoCredentials "push-no-credentials" "an HTTPS push found no credential"
    PushServerError "push-server-error" "the server answered with an internal error"
    PushTimeout "push-timeout" "the server did not answer before the deadline"
    PushUnrecognized "push-unrecognized" "the push failed in words that are not known here"
    // actions
    ActionsDisabled "actions-disabled" "Actions is switched off for the repository"
    ActionsPolicy "actions-policy" "the allowed-actions policy excludes what the workflow uses"
    ActionsWorkflowDisabled "actions-workflow-disabled" "this workflow is disabled"
    ActionsNoRun "actions-no-run" "the push made no run, because no trigger matches it"
    ActionsSkipped "actions-skipped" "the commit message or a condition skipped the run"
    ActionsLabelUnknown "actions-label-unknown" "no runner carries the labels that the job asks for"
    ActionsLabelRetired "actions-label-retired" "the job asks for a hosted image that was retired"
    ActionsRunnerOffline "actions-runner-offline" "every runner with these labels is offline"
    ActionsRunnerBusy "actions-runner-busy" "every online runner with these labels is busy"
    ActionsRunnerGroup "actions-runner-group" "the matching runner's group excludes this repository"
    ActionsConcurrency "actions-concurrency" "the run waits for another run of its concurrency group"
    ActionsEnvironmentWait "actions-environment-wait" "the job waits for an environment's protection rules"
    ActionsApprovalRequired "actions-approval-required" "the run waits for a maintainer's approval"
    ActionsBilling "actions-billing" "an annotation names billing or the spending limit"
    ActionsOrphanedRun "actions-orphaned-run" "the run is queued although its jobs are finished or absent"
    ActionsStartupFailure "actions-startup-failure" "the run ended at startup, before any job"
    ActionsSlotsSaturated "actions-slots-saturated" "the account's concurrent jobs are used up"
    ActionsAccountFlagged "actions-account-flagged" "the account may not run Actions"
    ActionsIncident "actions-incident" "the provider's status page reports an incident of Actions"
    ActionsHostedDelay "actions-hosted-delay" "hosted runners are slow to start, with no incident declared"
    ActionsGithubSide "actions-github-side" "every local cause is ruled out"
    ActionsNoToken "actions-no-token" "no API token is available"
    ActionsForbidden "actions-forbidden" "the token lacks the permission that the question needs"
    ActionsRateLimited "actions-rate-limited" "the API's rate limit is used up"
    ActionsNotGithub "actions-not-github" "the remote is not on GitHub"
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
