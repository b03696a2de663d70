//! The messages, nearest cause first: where two rules match, the earlier one explains the later.
//!
//! Words are in lower case; `…` matches anything in the same line,
//! `\n` its end. Sources: git 2.39 and 2.47 and
//! OpenSSH 9.2 as they print; GitHub's as quoted in public issues, and dugite's lib/errors.ts;
//! gitlabhq lib/gitlab/git_access.rb and checks/; Gitea routers/private/serv.go and
//! hook_pre_receive.go; gitolite Access.pm; Gerrit ReceiveCommits.java; go-git, libgit2, dropbear
//! and PuTTY as quoted in public issues.

use crate::catalogue::Code;

pub(super) struct MessageRule {
    pub voice: Voice,
    /// It is about a reference that the server judged. Beside `[remote rejected]` a `remote:` line
    /// is the words of a hook, and only such rules are searched in it: the server had accepted the
    /// key and found the repository before.
    pub about_ref: bool,
    pub means: Means,
    /// Any of these, in one line.
    pub words: &'static [&'static str],
}

/// Who prints it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// git or ssh here: never a line with `remote:`, in which a server's hook may report failures
    /// of its own.
    Client,
    /// The server: after `remote:`, or over SSH as it is.
    Server,
    /// A hook of this clone that we know.
    LocalHook,
    /// A helper that git looked for on the way: a cause only where git, ssh and the server print
    /// nothing else.
    Notice,
}

#[derive(Clone, Copy)]
pub(super) enum Means {
    /// This code, in this sentence.
    Is(Code, &'static str),
    /// This code, and a fix of its own.
    Needs(Code, &'static str, &'static str),
    /// This code, perhaps; the second sentence is what would show it.
    MaybeIs(Code, &'static str, &'static str),
    /// Nothing of the catalogue; the second sentence is the fix.
    Unlisted(&'static str, &'static str),
    /// Coder's wrapper has no key: the server is out of reach, or refuses it.
    GitsshFailed,
    /// GitHub prints it for a read-only key and for another repository's key alike: it depends on
    /// whose key it is.
    DeniedToDeployKey,
    /// The same of GitLab and others, which print it for another project's key only where the
    /// project is public.
    NoWriteForDeployKey,
    DeniedToUser,
    /// Missing, or hidden from this credential.
    NotFound,
    /// The remote has a tag of that name at another commit: a pull changes nothing about it.
    TagExists,
    /// No key is known for the server, or the known one belongs to another server of its address.
    HostKeyUnverified,
    /// The resolver was reached, and answers that there is no such name.
    NoSuchName,
    /// git started no program for ssh: it found none, or not the one that is configured.
    NotStarted,
    /// git refuses a folder of another user's: the clone, or the repository on the server.
    OtherOwner,
    /// No connection over HTTPS: to the server, or to the proxy where the text names another host.
    WebUnreachable,
}

const fn rule(voice: Voice, means: Means, words: &'static [&'static str]) -> MessageRule {
    MessageRule { voice, about_ref: false, means, words }
}

const fn client(code: Code, summary: &'static str, words: &'static [&'static str]) -> MessageRule {
    rule(Voice::Client, Means::Is(code, summary), words)
}

const fn server(code: Code, summary: &'static str, words: &'static [&'static str]) -> MessageRule {
    rule(Voice::Server, Means::Is(code, summary), words)
}

/// What the server decided about a reference, in a `remote:` line or as the reason of `[remote
/// rejected]`.
const fn about_ref(
    code: Code,
    summary: &'static str,
    words: &'static [&'static str],
) -> MessageRule {
    MessageRule { about_ref: true, ..server(code, summary, words) }
}

/// Something answers over HTTPS, and is not git.
pub const NO_GIT: &str = "what answers there is not a git server: a login page, the page of a captive network, or a file server";
pub const NO_GIT_NEEDS: &str = "what a browser shows at the remote's URL";

/// The server decided about a reference, and refused.
pub(super) const REF_REFUSED: [&str; 3] =
    ["[remote rejected]", "command error on refs/", "remote rejected the update of some refs"];

/// Of ssh, dropbear, cargo and Go: getaddrinfo(3) has other words where no resolver answers.
pub(super) const NO_SUCH_NAME: &[&str] = &[
    "could not resolve hostname…name or service not known",
    "could not resolve hostname…no address associated with hostname",
    // musl
    "could not resolve hostname…name does not resolve",
    "could not resolve hostname…name has no usable address",
    "exited: error resolving…name or service not known",
    "failed to resolve address for…name or service not known",
    "lookup…no such host",
];

pub(super) const RULES: &[MessageRule] = &[
    // nothing was started
    client(
        Code::GitMissing,
        "git is not installed",
        &[
            "git: command not found",
            "git: not found",
            "\"git\": executable file not found",
            "'git' is not recognized as",
            "spawn git enoent",
            "invalid active developer path",
        ],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::GitMissing,
            "the git that is installed has no program for the transport of this URL",
            "write the scheme of the URL in lower case, as `https://`; if it is, install that program in the image \
             (git-remote-https is part of a whole git)",
        ),
        &["git: 'remote-…is not a git command"],
    ),
    rule(
        Voice::Client,
        Means::GitsshFailed,
        &[
            "get agent git ssh token",
            "create agent client:",
            "agent token: unauthorized",
            "cannot run…gitssh",
            "gitssh…not found",
            "gitssh…no such file",
        ],
    ),
    rule(
        Voice::Client,
        Means::Unlisted(
            "git could start no thread or process here: a limit of this container is reached",
            "end what is not needed, or give the workspace a higher limit of processes; then push again",
        ),
        &["unable to create thread: resource temporarily unavailable", "cannot fork() for"],
    ),
    client(
        Code::SshMissing,
        "git found no ssh to run",
        &[
            " ssh: command not found",
            " ssh: not found",
            " ssh: no such file or directory",
            "/bin/ssh: not found",
            "/bin/ssh: no such file or directory",
            "command not found: ssh\n",
            "\"ssh\": executable file not found",
            "dbclient: not found",
        ],
    ),
    rule(Voice::Client, Means::NotStarted, &["fatal: unable to fork"]),
    client(
        Code::HomeNoPasswdEntry,
        "this uid has no passwd entry, and ssh refuses to start without one",
        &[
            "no user exists for uid",
            "you don't exist, go away",
            "unable to look up current user in the passwd file",
        ],
    ),
    client(
        Code::GitCloneBroken,
        "the clone names its objects by another hash than the server",
        &["does not support this repository's hash algorithm", "mismatched algorithms"],
    ),
    client(
        Code::GitCloneBroken,
        "an object or the index of the clone is missing or damaged",
        &[
            "fatal: loose object…is corrupt",
            "fatal: packed object…is corrupt",
            "error: inflate: data stream error",
            "fatal: bad object ",
            "fatal: unable to read tree ",
            "fatal: missing blob object",
            "fatal: missing tree object",
            "error: could not read ",
            "sha1 checksum mismatch",
            "fatal: index file corrupt",
        ],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::GitEnvironmentBroken,
            "the variable GIT_DIR names a folder that is not a repository",
            "unset GIT_DIR where it is set: git finds the repository from the folder in which it runs",
        ),
        &["fatal: not a git repository: '"],
    ),
    client(
        Code::GitCloneBroken,
        "the `.git` file of the clone names a folder that does not exist",
        &["fatal: not a git repository: "],
    ),
    rule(
        Voice::Client,
        Means::MaybeIs(
            Code::GitCloneBroken,
            "objects that the commits need did not arrive: the clone lacks them, or the server lost its own",
            "what `git fsck --connectivity-only` prints in the clone",
        ),
        &[
            "(missing necessary objects)",
            "[remote rejected]…(missing object(s)",
            "[remote rejected]…(object …missing",
        ],
    ),
    client(
        Code::SshControlPath,
        "ssh cannot make the socket that its ControlPath names",
        &["unix_listener:", "controlpath too long"],
    ),
    client(
        Code::SshConfigPermissions,
        "ssh refuses its configuration because of its owner or mode",
        &["bad owner or permissions on"],
    ),
    // our own files, which apply writes again
    client(
        Code::RouteBinaryGone,
        "the copy of pushready that ssh runs is missing or damaged",
        &[
            "/pushready/bin/pushready: not found",
            "/pushready/bin/pushready: no such file",
            "/pushready/bin/pushready: permission denied",
            "/pushready/bin/pushready: cannot execute",
            "/pushready/bin/pushready…exec format error",
            "/pushready/bin/pushready ssh-match…exited abnormally",
        ],
    ),
    client(
        Code::SshRouteBroken,
        "apply's configuration for ssh is damaged",
        &[
            "/pushready/ssh_config: ",
            "/pushready/ssh_config line ",
            "configuration file /…/pushready/ssh_config",
        ],
    ),
    client(
        Code::SshRouteBroken,
        "ssh could not run the shell that its `Match exec` lines need",
        &["shell \"…is not executable"],
    ),
    client(
        Code::SshConfigInvalid,
        "ssh rejects its configuration",
        &[
            "bad configuration option",
            "unsupported match attribute",
            "terminating,…bad configuration",
            "percent_expand: unknown key",
            "config line…:",
        ],
    ),
    client(
        Code::GitTransportForbidden,
        "git is configured not to use this transport",
        &["fatal: transport '…' not allowed"],
    ),
    client(
        Code::GitConfigInvalid,
        "git rejects a line or a value of its configuration",
        &[
            "fatal: bad config line",
            "fatal: bad config variable",
            "fatal: bad numeric config value",
            "fatal: bad boolean config value",
            "fatal: unable to parse…command-line config",
            "fatal: unknown value for config",
            "fatal: unrecognized value ",
            "fatal: invalid value for '",
            "error: invalid value for '",
            "error: malformed value for ",
            "fatal: exceeded maximum include depth",
        ],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::PushLocalRef,
            "a submodule has commits that are on no remote, so git stopped the push",
            "push the submodule first: `git push --recurse-submodules=on-demand` does both",
        ),
        &["the following submodule paths contain changes that can"],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::GitCloneUnwritable,
            "the push went through, and git cannot write the references of this clone",
            "make this user the owner of the clone's `.git` folder: `ls -l .git/refs/remotes` shows whose it is",
        ),
        &["update_ref failed for ref 'refs/remotes/…permission denied"],
    ),
    rule(Voice::Client, Means::OtherOwner, &["detected dubious ownership", "unsafe repository ("]),
    // the pre-push hook of Git LFS: without it pointers are pushed, and their objects are not
    rule(
        Voice::LocalHook,
        Means::Unlisted(
            "git-lfs is not installed, and the hooks of this clone need it",
            "install git-lfs in the workspace's image; keep the hook: without it the branch gets pointers \
             to files that the server does not have",
        ),
        &[
            "'git-lfs' was not found on your path",
            "git-lfs: command not found",
            "git-lfs: not found",
            "git: 'lfs' is not a git command",
        ],
    ),
    rule(
        Voice::LocalHook,
        Means::Unlisted(
            "Git LFS has no local copy of a file that the commits name, so it stopped the push",
            "`git lfs fetch --all` in the clone, from a remote that has the files, then push again",
        ),
        &[
            "missing or corrupt local objects",
            "lfs upload missing objects",
            "lfs upload failed",
            "unable to find source for object",
        ],
    ),
    rule(
        Voice::LocalHook,
        Means::Needs(
            Code::PushHookDeclined,
            "the server's quota for Git LFS is used up",
            "the owner of the account raises its LFS quota, or somebody removes large files there",
        ),
        &[
            "over its data quota",
            "exceeded its lfs budget",
            "lfs…quota exceeded",
            "lfs: client error…http 507",
        ],
    ),
    rule(
        Voice::LocalHook,
        Means::Is(Code::PushFileTooLarge, "a file of Git LFS is larger than the server accepts"),
        &["lfs: client error…413", "size must be less than "],
    ),
    rule(
        Voice::LocalHook,
        Means::DeniedToUser,
        &["lfs: authorization error", "batch response: authorization error"],
    ),
    rule(
        Voice::LocalHook,
        Means::NotFound,
        &["batch response: repository or object not found", "lfs: repository or object not found"],
    ),
    rule(
        Voice::LocalHook,
        Means::Is(
            Code::PushNoCredentials,
            "Git LFS found no credential for its server, or none that the server accepts",
        ),
        &[
            "batch response: authentication required",
            "batch response: git credentials for",
            "batch request: git credentials for",
            "lfs: authentication required",
        ],
    ),
    rule(
        Voice::LocalHook,
        Means::Is(Code::GitProxyRefused, "the proxy does not connect Git LFS to its server"),
        &[
            "/info/lfs…proxyconnect",
            "/info/lfs…proxy authentication required",
            // the status of an answer to CONNECT alone: those of the server have a sentence
            "/info/lfs…\": forbidden",
            "/info/lfs…\": bad gateway",
            "/info/lfs…\": service unavailable",
            "/info/lfs…\": gateway time",
            "retrieving locks: get…\": forbidden",
            "retrieving locks: get…\": bad gateway",
            "retrieving locks: get…\": service unavailable",
            "retrieving locks: get…\": gateway time",
        ],
    ),
    rule(
        Voice::LocalHook,
        Means::Is(Code::GitTlsUntrusted, "Git LFS does not accept the certificate of its server"),
        &["/info/lfs…x509: ", "/info/lfs…tls: failed to verify certificate"],
    ),
    rule(
        Voice::LocalHook,
        Means::Is(Code::GitUnreachable, "Git LFS makes no connection to its server"),
        &[
            "/info/lfs…dial tcp",
            "/info/lfs…connection reset by peer",
            "/info/lfs…tls handshake timeout",
            "/info/lfs…i/o timeout",
            "/info/lfs…: eof",
            "/info/lfs…unexpected eof",
        ],
    ),
    rule(
        Voice::LocalHook,
        Means::Is(Code::PushServerError, "the server of Git LFS failed"),
        &["fatal error: server error: http", "lfs: server error", "lfs: internal server error"],
    ),
    rule(
        Voice::LocalHook,
        Means::Is(Code::SshKeyRefused, "the server accepted none of the keys that Git LFS offered"),
        &["batch request:…permission denied (", "git-lfs-authenticate…permission denied ("],
    ),
    // the server's rules: it judges them only after it accepted the credential
    about_ref(
        Code::PushSecretBlocked,
        "push protection found a secret in the commits",
        &[
            "push cannot contain secrets",
            "vs403654",
            "gh009",
            "push blocked: secrets detected",
            "found the following secrets in commit",
            "rejected because it contains one or more secrets",
        ],
    ),
    about_ref(
        Code::PushRuleViolation,
        "the server checks each object, and one in the commits has a form that it refuses",
        &["fsck error in pack objects", "fsck error in packed object", "contains .gitmodules url"],
    ),
    about_ref(
        Code::PushFileTooLarge,
        "a file in the commits is larger than the server accepts",
        &[
            "error: gh001",
            "exceeds github's file size limit",
            "larger than the allowed size",
            "contains files larger than",
            "cannot contain files larger",
            "contains files exceeding the",
            "vs403658",
            "tf402462",
            "exceed the limit of…file size",
            "files which exceed the limit of",
            "pack exceeds the limit of",
            " mb, exceeds ",
            "exceeds the maximum allowed file size",
            "exceeds the maximum file size",
            "exceeds maximum object size",
            "exceeds file size limit",
            "pack exceeds maximum allowed size",
            "blobs which exceed",
            "size is greater than the allowed limit",
            "object too large (",
            "push contains files that are too large",
        ],
    ),
    MessageRule {
        about_ref: true,
        ..rule(
            Voice::Server,
            Means::Needs(
                Code::PushFileTooLarge,
                "the repository, or the account that owns it, is larger than the server allows",
                "the owner raises the quota, or removes large files on the server; where the commits themselves \
                 contain a large file, remove it from them",
            ),
            &[
                "exceeded its size limit",
                "exceed the allocated storage limit",
                "exceeded the allocated storage",
                "would exceed storage limits",
                "repository size limit",
                "repository size is over limitation of",
                "repository is over its size limit",
                "namespace storage limit",
                "of the storage quota for…is now read-only",
            ],
        )
    },
    client(
        Code::PushFileTooLarge,
        "the push is larger than the server, or a proxy before it, accepts",
        &["http 413", "http code = 413", "returned error: 413"],
    ),
    about_ref(
        Code::PushEmailPrivate,
        "the commits would publish an email address that its owner keeps private",
        &["gh007", "would publish a private email address", "due to email privacy restrictions"],
    ),
    about_ref(
        Code::PushWorkflowScope,
        "the token may not create or change workflow files",
        &[
            "refusing to allow…without `workflow` scope",
            "refusing to allow…without `workflows` permission",
            "refusing to allow…create or update workflow",
            "refusing to allow…create or update .github/workflows",
        ],
    ),
    about_ref(
        Code::PushRefInvalid,
        "the server does not allow a branch or tag of this name",
        &[
            "gh002",
            "gh005",
            "refs longer than",
            "branch name must ",
            "tag name must ",
            "tag names must ",
            "name conflicts with refs/",
            "branch name does not follow the pattern",
            "branch name '…does not follow the pattern",
            "cannot create a branch with a",
            "cannot create a tag with a",
            "use default branch name to create a tag",
            "(refname conflict)",
            "(reference conflict due to",
            "' exists; cannot create",
            "branch with a 40-character hexadecimal",
            "with a name that looks like a",
            "does not match…branch name pattern",
            "deny updating a hidden ref",
            "deny deleting a hidden ref",
            "funny refname",
            "invalid refname",
            "refusing to create funny ref",
            "refusing to update funny ref",
            "is illegal)",
            "cannot lock ref…cannot create",
        ],
    ),
    about_ref(
        Code::PushArchived,
        "the repository is archived or read-only, and accepts no pushes",
        &[
            "archived so it is read-only",
            "this repo is archived",
            "has been placed in a read-only state",
            "push code to an archived project",
            "project that is pending deletion",
            "repository is in read only mode",
            "repo: …is archived",
            "repository is archived",
            "repository has been locked",
            "mirror repository…is read-only",
            "repository is read only",
            "repository is read-only",
            "project is archived",
            "project is read only",
            "project state…does not permit write",
            "push to an archived repository",
            "repository is restricted to read-only access",
        ],
    ),
    about_ref(
        Code::PushBranchProtected,
        "the branch is protected: it does not accept this push",
        &[
            "gh006",
            "gh003",
            "protected branch hook declined",
            "changes must be made through a pull request",
            "required status check",
            "approving review is required",
            "approving reviews are required",
            "due to updates being restricted",
            "due to deletions being restricted",
            "push is blocked by settings overridden by",
            "'forcepush' permission",
            "changes must be made through the merge queue",
            "merge queue",
            "must use a pull request",
            "cannot update this protected ref",
            "cannot force-push to this",
            "cannot force-push to a protected branch",
            "force-pushing to this repository has been disabled",
            "cannot delete this branch",
            "cannot delete this protected",
            "cannot delete a protected branch",
            "to protected branch",
            "to a protected branch",
            "the basis of a new protected branch",
            "delete protected tags",
            "is the default branch and cannot be deleted",
            "not permitted: force update",
            "into protected branches",
            "delete protected branches",
            "deleted protected branches",
            "create protected branches",
            "create protected tags",
            "a default branch (e.g.…does not yet exist",
            "default branch of a project cannot be deleted",
            "create this tag as it is protected",
            "protected tags cannot be",
            "change existing tags on this project",
            "is protected from force push",
            "is protected from deletion",
            "is protected and cannot be",
            "branch is protected",
            "only be modified through pull requests",
            "only pull requests can be used",
            "permission denied to update branch",
            "branch…is protected from",
            "tag…is protected",
            "you do not have permission to push to this branch",
            "permission to update the branch",
            "tf402455",
            "prohibited by gerrit",
            "w refs/…denied by",
            "+ refs/…denied by",
            "c refs/…denied by",
            "d refs/…denied by",
            "deletion of the current branch prohibited",
            "refusing to delete the current branch",
            "branch is currently checked out",
            "deletion prohibited",
        ],
    ),
    about_ref(
        Code::PushHookDeclined,
        "the server needs the Git LFS objects first: `git lfs push --all` sends them",
        &["gh008", "lfs objects are missing"],
    ),
    about_ref(
        Code::PushRuleViolation,
        "a rule of the repository refuses the push",
        &[
            "gh013",
            "due to repository rule violations",
            // Gerrit
            "[remote rejected]…(commit …: ",
            "gitlab: commit message",
            "gitlab: commit must be",
            "gitlab: author's",
            "gitlab: author '",
            "gitlab: committer",
            "gitlab: file name",
            "gitlab: you cannot push commits for",
            "gitlab: you can only push commits",
            "commit must be signed",
            "commits must be signed",
            "commits must have verified signatures",
            "commit message does not follow the pattern",
            "vs403702",
            "you can only push your own commits",
            "forgejo: quota exceeded",
            "gitea: quota exceeded",
        ],
    ),
    // the server knows the credential, and reports what is wrong
    server(
        Code::PushSsoRequired,
        "the organisation requires single sign-on, for which this credential is not authorised",
        &["enabled or enforced saml sso", "cannot find valid sso session"],
    ),
    server(
        Code::PushIpNotAllowed,
        "the organisation's allow list does not contain the address of this workspace",
        &[
            "ip allow list enabled",
            "ip address is not allowed",
            "ip address is not permitted",
            "ip address is not whitelisted",
            "ip address …is not allowed",
            "has allowlisted ip addresses",
        ],
    ),
    server(
        Code::PushKeyReadOnly,
        "the deploy key of this repository has read access only",
        &[
            "has been marked as read only",
            "access via a deployment key is read-only",
            "deploy keys are not allowed to push code",
        ],
    ),
    server(
        Code::SshKeyRefused,
        "the server knows the key, and refuses it: it has expired, is not approved, or is of a forbidden type",
        &[
            "epolicykeyage",
            "your ssh key has expired",
            "rsa key with sha-1",
            "deploy keys are disabled",
            "doing an ssh key audit",
            "your key is disabled",
            "public key authentication failed",
            "no mutual signature",
            "your ssh key type is forbidden",
            "your ssh key must be at least",
            "disallowed ssh key or principal",
            "cannot find key: ",
            "public key:…owner…does not exist",
            "using ssh-rsa that is about to be deprecated",
        ],
    ),
    server(
        Code::SshWrongKey,
        "the server accepted a key that is not one of this repository's",
        &[
            "deployment key is not associated with the requested repository",
            "public (deploy) key:…is not authorized",
        ],
    ),
    rule(
        Voice::Server,
        Means::Needs(
            Code::PushDenied,
            "the server blocks the account of this credential until its owner acts there",
            "the account's owner logs in to the server in a browser and follows its instructions; a deploy key of \
             the repository does not depend on an account",
        ),
        &[
            "account is suspended",
            "account was suspended",
            "account has been suspended",
            "account is disabled",
            "account has been disabled",
            "account has been blocked",
            "account is blocked",
            "account has been deactivated",
            "account is pending approval",
            "account has been locked",
            "account is locked",
            "user is disabled",
            "otp verification is required",
            "2fa verification",
            "two-factor authentication is required",
            "two-factor authentication required",
            "must accept the terms of service",
            "contributor agreement must be completed",
            "verify your email address",
            "primary email address is not confirmed",
            "your password expired",
            "your password has expired",
            "restricted to read-only access",
            "enterprise managed user",
            "enterprise-managed user",
            "identity verification is required",
            "repository has been disabled",
            "repository is disabled",
            "repository '…is disabled",
            "repository `…is disabled",
            "access to this repository has been disabled",
            "repository access blocked",
            "repository cannot be accessed",
        ],
    ),
    // the host key
    client(
        Code::SshHostKeyChanged,
        "the server's host key is not the known one",
        &[
            "remote host identification has changed",
            "host key for…has changed",
            "revoked host key",
            // go-git, cargo, dropbear, PuTTY
            "knownhosts: key mismatch",
            "ssh: host key mismatch",
            "ssh host key has changed for",
            "host key mismatch for",
            "potential security breach",
            "host key does not match the one",
            "hostkey has been changed",
            "mismatched host key project_id",
        ],
    ),
    rule(
        Voice::Client,
        Means::HostKeyUnverified,
        &[
            "host key is known for",
            "authenticity of host",
            "host key verification failed",
            // go-git, libgit2 and cargo, dropbear, PuTTY
            "knownhosts: key is unknown",
            "unable to find any valid known_hosts file",
            "unknown ssh host key",
            "the ssh host key for…is not known",
            "unknown remote ssh hostkey",
            "unknown remote host key",
            "is not in the trusted hosts file",
            "didn't validate host key",
            "host key is not cached",
            "cannot confirm a host key in batch mode",
            // JGit
            "unknownhostkey:",
            "reject hostkey:",
        ],
    ),
    // the way there
    client(
        Code::NetworkSandboxed,
        "a sandbox denies this process the network",
        &[
            "port…: operation not permitted",
            "socket: operation not permitted",
            "failed to connect…operation not permitted",
        ],
    ),
    client(
        Code::GitProxyRefused,
        "the proxy does not connect git to the server, as the proxies of agent sandboxes do",
        &[
            "from proxy after connect",
            "connect tunnel failed",
            "proxy connect aborted",
            "returned error: 407",
            "http code = 407",
            "http 407",
            "status code: 407",
            "error: (407)",
            "http error: 407",
            "proxy authentication required",
            "could not resolve proxy",
            "couldn't resolve proxy",
            "proxyconnect tcp",
            "unsupported proxy",
            "invalid proxy",
            "complete socks4 connection",
            "complete socks5 connection",
            "socks4 communication",
            "socks5 communication",
            "socks response",
            "no authentication method was acceptable",
            "user was rejected by the socks",
            "gss_init_sec_context…(proxy)",
            "connection to proxy closed",
            "connection to proxy was closed",
            "proxy returned unexpected status",
        ],
    ),
    client(
        Code::SshProxyFailed,
        "the ProxyCommand or ProxyJump of ssh ended before the server was reached",
        &[
            "closed by unknown port 65535",
            "reset by unknown port 65535",
            // where it ended before ssh wrote the first line
            "to unknown port 65535: broken pipe",
        ],
    ),
    client(
        Code::SshOutputGarbled,
        "something prints into the data that git reads from ssh",
        &["protocol error: bad line length"],
    ),
    client(
        Code::PushOptionUnsupported,
        "git is to sign the push, to send options or to push all or nothing, which the server does not support",
        &[
            "fatal: the receiving end does not support --signed push",
            "fatal: the receiving end does not support push options",
            "fatal: the receiving end does not support --atomic push",
            "fatal: helper …does not support ",
        ],
    ),
    client(
        Code::GitUnreachable,
        "git over HTTPS makes no connection to the server",
        &[
            // Go
            "https://…dial tcp",
            "http://…dial tcp",
            "dial tcp…:443:",
            "dial tcp…:80:",
            "https://…tls handshake timeout",
        ],
    ),
    rule(Voice::Client, Means::NoSuchName, NO_SUCH_NAME),
    client(
        Code::SshHostUnresolved,
        "the server's name does not resolve",
        &[
            "could not resolve hostname",
            "fatal: unable to look up ",
            // dropbear, PuTTY, libgit2, Go
            "exited: error resolving",
            "gethostbyname: unknown host",
            "host does not exist",
            "failed to resolve address for",
            "lookup…server misbehaving",
        ],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::GitUnreachable,
            "the server does not answer at the port of git://, which takes no pushes",
            "push over SSH: `git remote set-url --push origin git@HOST:OWNER/REPOSITORY.git`",
        ),
        &["]: errno=", "fatal: unable to connect to …:\n"],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::PushDenied,
            "the server takes no pushes over git://",
            "push over SSH: `git remote set-url --push origin git@HOST:OWNER/REPOSITORY.git`",
        ),
        &[
            "you can't push to git://",
            "fatal: remote error: service not enabled",
            "git protocol on port 9418 is no longer",
        ],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::LeakRemoteUrl,
            "git refuses a remote that contains a password or a token, as `transfer.credentialsInUrl` requests",
            "`git remote set-url` without the user and the password; `pushready doctor` finds the other places",
        ),
        &["fatal: url '…uses plaintext credentials"],
    ),
    client(
        Code::PushNoCredentials,
        "the editor that supplies git's credentials does not answer",
        &["econnrefused…/vscode-git-"],
    ),
    client(
        Code::GitUnreachable,
        "git over HTTPS makes no connection to the server",
        &["result=6, http code", "result=7, http code", "result=28, http code"],
    ),
    rule(
        Voice::Client,
        Means::WebUnreachable,
        &[
            "could not resolve host:",
            "couldn't resolve host",
            "resolving timed out",
            "failed to connect to",
            "failed connect to",
            "getaddrinfo() thread failed",
            "couldn't connect to server",
            "could not connect to server",
            "getaddrinfo enotfound",
            "getaddrinfo eai_again",
            "connect econnrefused",
            "connect etimedout",
            "unknownhostexception",
            "connection time out:",
        ],
    ),
    rule(
        Voice::Client,
        Means::MaybeIs(
            Code::SshPortBlocked,
            "the port answers, but sent no ssh greeting in time",
            "`nc HOST 22`: an ssh server prints `SSH-2.0-…`",
        ),
        &["timed out during banner exchange"],
    ),
    client(
        Code::SshPortBlocked,
        "the ssh port cannot be reached, or what answers there is not ssh",
        &[
            "connect to host…port…:",
            "banner exchange",
            "kex_exchange_identification",
            "ssh_exchange_identification",
            // dropbear, PuTTY, Go
            "exited: connect failed",
            "exited: error connecting",
            "network error: connection refused",
            "network error: connection timed out",
            "network error: no route to host",
            "network error: network is unreachable",
            "dial tcp…:22: connect: connection refused",
            "dial tcp…:22: i/o timeout",
            "dial tcp…:22: connect: connection timed out",
            "dial tcp…:22: connect: network is unreachable",
            "dial tcp…:22: connect: no route to host",
        ],
    ),
    rule(
        Voice::Client,
        Means::Unlisted(
            "the server and this ssh share no algorithm: one of the two is too old for the other",
            "update the older of the two; until then allow what the server offers for this host alone, in \
             ~/.ssh/config (`HostKeyAlgorithms`, `PubkeyAcceptedAlgorithms` or `KexAlgorithms` with `+`)",
        ),
        &[
            "unable to negotiate with",
            "no matching host key type found",
            "no matching key exchange method",
            "no matching cipher found",
            "ssh: no common algorithm",
            "couldn't agree a",
            "no matching algo",
            "unable to exchange encryption keys",
            "algorithm negotiation fail",
        ],
    ),
    client(
        Code::ClockSkew,
        "the server's certificate is not valid at the time that the clock of this workspace shows",
        &[
            "certificate is not yet valid",
            "certificate is not activated yet",
            "certificate has expired or is not yet valid",
        ],
    ),
    client(
        Code::GitTlsUntrusted,
        "git does not accept the certificate that is shown for the server",
        &[
            "ssl certificate problem",
            "http.pinnedpubkey configuration",
            "does not match pinned public key",
            "certificate verification failed",
            "server verification failed",
            "cert verify failed",
            "client certificate",
            "certificate verify failed",
            "unable to get local issuer certificate",
            "unable to get issuer certificate",
            "self-signed certificate",
            "self signed certificate",
            "certificate signer not trusted",
            "unable to verify the first certificate",
            "unable_to_verify_leaf_signature",
            "unable_to_get_issuer_cert",
            "cert_has_expired",
            "the ssl certificate is invalid",
            "x509: ",
            "tls: failed to verify certificate",
            "error setting certificate",
            "error adding trust anchors",
            "error reading x.509",
            "error reading ca cert",
            "problem with the ssl ca cert",
            "matches target host name",
            "not match target host name",
            "does not match target host",
            "unable to obtain common name",
            "peer certificate cannot be authenticated",
            "ssl peer certificate",
            "certificate issuer is not recognized",
            "certificate issuer has been marked",
            "certificate has expired",
            // Schannel, whose sentences are translated
            "sec_e_untrusted_root",
            "sec_e_wrong_principal",
            "sec_e_cert_expired",
            "cert_trust_",
            "cert_e_",
            "crypt_e_",
            "(0x80092012)",
            "(0x80092013)",
            "(0x80090325)",
            "(0x800b0109)",
            // Java
            "pkix path building failed",
            "because of ssl problems",
            "sslhandshakeexception",
            // .NET, Rust
            "remotecertificate",
            "invalid peer certificate",
        ],
    ),
    client(
        Code::GitUnreachable,
        "the connection to the server, or its TLS, is cut before git gets an answer",
        &[
            "://…ssl_connect",
            "://…\": eof",
            "class=ssl (16)",
            "://…http/2 stream",
            "://…ssl connect error",
            "://…ssl_read",
            "://…ssl_write",
            "://…ssl_error",
            "://…ssl routines",
            "ssl routines…://",
            "://…tls connect error",
            "://…gnutls_handshake() failed",
            "://…gnutls recv error",
            "://…gnutls, handshake failed",
            "://…schannel:",
            "://…http2 framing layer",
            "://…empty reply from server",
            "://…recv failure",
            "://…send failure",
            "://…connection timed out",
            "://…connection timeout",
            "://…operation timed out",
            "://…ssl/tls connection timeout",
            "://…server aborted the ssl handshake",
            "://…connection was reset",
            "://…connection reset by peer",
        ],
    ),
    // the keys at hand: what is wrong with them explains every refusal below
    client(
        Code::SshTooManyKeys,
        "the server closed the connection after too many keys were offered",
        &["too many authentication failures"],
    ),
    client(
        Code::SshKeyRefused,
        "the configuration names a public key, and the agent that held the private one is gone",
        &["permissions…for '….pub' are too open"],
    ),
    client(
        Code::KeyPermissions,
        "other users can read the key file, so ssh ignores it",
        &["unprotected private key file", "are too open", "load key…bad permissions"],
    ),
    client(
        Code::KeyPermissions,
        "this user cannot read the key file, so ssh does not use it",
        &["load key…permission denied"],
    ),
    client(
        Code::KeyEncrypted,
        "the key is protected by a passphrase, and ssh cannot prompt",
        &[
            "incorrect passphrase supplied",
            "read_passphrase:",
            "this private key is passphrase protected",
            "wrong passphrase",
            "bcrypt_pbkdf: empty password",
        ],
    ),
    client(
        Code::KeyMalformed,
        "ssh cannot read the key file: it is damaged, or of a format that this ssh does not know",
        &[
            "load key…error in libcrypto",
            "load key…invalid format",
            // dropbear, PuTTY, Go
            "failed loading keyfile",
            "unable to use key file",
            "unable to load private key",
            "ssh: no key found",
            "unable to extract public key from private key",
            "invalid privatekey",
        ],
    ),
    client(
        Code::SshRouteBroken,
        "the key file that apply installed does not exist",
        &["identity file /…/pushready/keys/…not accessible"],
    ),
    // of `-i` on a command line, which apply writes nowhere
    rule(
        Voice::Client,
        Means::Needs(
            Code::SshCommandBroken,
            "the ssh command that git is to run names a key file that does not exist",
            "correct the file after `-i` in GIT_SSH_COMMAND or core.sshCommand, or unset it: the keys that apply \
             installs need no such command",
        ),
        &["identity file…not accessible"],
    ),
    client(
        Code::SshRouteBroken,
        "the configuration names a key file that does not exist",
        &["no such identity:"],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::PushNoCredentials,
            "the helper that git asks for AWS credentials has none",
            "log in to AWS again (`aws sso login`, or renew the credentials of the workspace), then push",
        ),
        &["fatal: aws credentials:", "unable to locate credentials"],
    ),
    // the rights of the credential
    rule(Voice::Server, Means::DeniedToDeployKey, &["denied to deploy key"]),
    rule(
        Voice::Server,
        Means::NoWriteForDeployKey,
        &[
            "deploy key does not have write access",
            "deploy key:…is not authorized to write",
            "cannot push with deployment key",
            "gogs: key permission denied",
        ],
    ),
    MessageRule {
        about_ref: true,
        ..rule(
            Voice::Server,
            Means::DeniedToUser,
            &[
                "permission to…denied to",
                "write access to repository not granted",
                "not allowed to push code",
                "not allowed to upload code",
                "not allowed to download code",
                "you are not allowed to access",
                "is not authorized to ",
                "permission denied for ",
                "job token not allowed",
                "you are not authorized to access",
                "vs30063",
                "tf401027",
                "tf400813",
                "repository access denied",
                "insufficient permissions to ",
                "you do not have write access",
                "you do not have permission to push",
                "push access denied",
                "not permitted to access this",
                "permission_denied:",
                "gitea: unauthorized",
                "forgejo: unauthorized",
                "upload denied for project",
                "over ssh is not allowed",
                "over http is not allowed",
                "over https is not allowed",
                "only http(s) is allowed",
                "fatal: w any…denied by",
                "[remote rejected]…(permission denied",
                "(you are not allowed to",
                "remote rejected the update of some refs",
                "access denied for user",
                "access denied. make sure you have access",
            ],
        )
    },
    // Bitbucket prints the word alone
    rule(Voice::Server, Means::DeniedToUser, &["forbidden\n"]),
    rule(
        Voice::Server,
        Means::NotFound,
        &[
            "repository not found",
            "project you were looking for could not be found",
            "project you are looking for could not be found",
            "fatal: project …not found",
            "bad repo name",
            "gitea: invalid repo",
            "forgejo: invalid repo",
            "repository wiki is disabled",
            "push to create is not enabled for",
            "no such app as",
            "a repository for this project does not exist yet",
            "namespace you were looking for could not be found",
            "cannot find repository",
            "repository does not exist",
            "requested repository either does not exist or you do not have access",
            "requested repository does not exist",
            "may not have access to this repository or it no longer exists",
            "tf401019",
            "tf200016",
            "vs800075",
            "fatal: r any…denied by",
            "fatal: '…/…does not appear to be a git repository",
            "fatal: '….git'…not a git archive",
            "project not found:",
            "not found: project",
            "repository not exported",
            "fatal: remote error: no such repository",
        ],
    ),
    rule(
        Voice::Client,
        Means::NotFound,
        &[
            "fatal: repository '…not found",
            "returned error: 404",
            "http code = 404",
            "unexpected http status code: 404",
            "status code: 404",
            "http error: 404",
            "indicate success: 404",
        ],
    ),
    client(
        Code::SshKeyRefused,
        "the server accepted none of the keys that ssh offered",
        &[
            "permission denied (",
            "permission denied, please try again",
            "agent refused operation",
            // JGit
            ": auth fail",
            "userauth fail",
            ": auth cancel",
            "cannot log in at",
            // dropbear, PuTTY, Go, libgit2 and cargo
            "no auth methods could be used",
            "no supported authentication methods available",
            "ssh: unable to authenticate",
            "attempted ssh-agent authentication, but",
            "error creating ssh agent",
            "ssh agent requested but",
            "failed to authenticate ssh session",
            "error authenticating: …class=ssh",
            "callback returned unauthorized",
            "class=ssh (23); code=auth (-16)",
            "server refused our key",
            "server refused public-key",
        ],
    ),
    // HTTPS
    client(
        Code::PushNoCredentials,
        "git asked for a credential, and nothing could supply one",
        &[
            "could not read username for",
            "could not read password for",
            "unable to read askpass response",
            "unable to get password from user",
            "fatal: credential helper '…told us to quit",
            "fatal: credential value for ",
            "open the following url to authenticate with git",
            "coder was unable to handle this git request",
            "terminal prompts disabled",
            "failed to acquire username/password",
            "authentication required but no callback set",
            "authentication is required but no credentialsprovider",
        ],
    ),
    client(
        Code::PushNoCredentials,
        "the server does not accept the credential: it is wrong, expired or revoked",
        &[
            "fatal: authentication failed for",
            "returned error: 401",
            // Bitbucket, of app passwords
            "bitbucket.org/…returned error: 410",
            "git-receive-pack 401 (unauthorized)",
            "http code = 401",
            "status code: 401",
            "fatal: authentication required",
            "error: authentication required",
            "authentication required: ",
            ": authentication required",
            "too many redirects or authentication replays",
            "no authentication methods succeeded",
            "failed to authenticate when downloading",
            // curl, which asks Kerberos for a ticket
            "gss_init_sec_context",
            // JGit, isomorphic-git, .NET, dulwich
            ": not authorized",
            "http error: 401",
            "indicate success: 401",
            "httpunauthorized",
        ],
    ),
    server(
        Code::PushNoCredentials,
        "the server does not accept the credential: it is wrong, expired or revoked",
        &[
            "invalid username or token",
            "invalid username or password",
            "password authentication is not supported",
            "password authentication was removed",
            "http basic: access denied",
            "invalid credentials",
            "bad credentials",
            "support for password authentication",
            "password authentication in git is no longer supported",
        ],
    ),
    rule(
        Voice::Client,
        Means::MaybeIs(
            Code::PushNoCredentials,
            "the server redirected git to another page, as it does without a login",
            "what a browser shows at the remote's URL: a login page, or that of a captive network",
        ),
        &["unable to update url base from redirection"],
    ),
    rule(
        Voice::Client,
        Means::MaybeIs(Code::PushNoCredentials, NO_GIT, NO_GIT_NEEDS),
        &["error: cannot access url…return code", "git-http-push failed"],
    ),
    // Bitbucket prints the word alone
    rule(Voice::Server, Means::DeniedToUser, &["unauthorized\n"]),
    // some servers answer these with 403
    server(
        Code::PushServerError,
        "the server asks for fewer requests",
        &["rate limit", "too many requests", "too many concurrent"],
    ),
    server(
        Code::PushServerError,
        "the server takes no pushes at present",
        &[
            "temporarily read-only",
            "read-only gitlab instance",
            "remote repository is unavailable",
            "currently unable to handle this request",
        ],
    ),
    client(
        Code::PushDenied,
        "the server refuses the push with this credential (HTTP 403)",
        &[
            "returned error: 403",
            "http code = 403",
            "http 403 curl",
            "status code: 403",
            "authorization failed",
            // JGit, isomorphic-git, .NET, dulwich
            "git-receive-pack not permitted",
            ": push not permitted",
            "http error: 403",
            "indicate success: 403",
            "unexpected http resp 403",
        ],
    ),
    server(
        Code::PushDenied,
        "the server takes no push from this key",
        &["not permitted: receive-pack", "disallowed command"],
    ),
    rule(
        Voice::Server,
        Means::Needs(
            Code::PushDenied,
            "the server runs no git for this login",
            "correct the user and the host of the remote: `git remote -v`; or the server's admin installs git for this \
             login",
        ),
        &[
            "git-receive-pack: command not found",
            "git-receive-pack: not found",
            "this account is currently not available",
        ],
    ),
    client(
        Code::PushServerError,
        "the server asks for fewer requests",
        &["returned error: 429", "http code = 429", "status code: 429", "rate limited by"],
    ),
    // of the shell that git starts for the command, whose name it gives the shell
    rule(
        Voice::Client,
        Means::NotStarted,
        &[
            ": 1: …: not found",
            ": 1: …: permission denied",
            ": line 1: …: no such file or directory",
            ": line 1: …: command not found",
            ": line 1: …: permission denied",
        ],
    ),
    // this clone
    rule(
        Voice::Client,
        Means::Unlisted(
            "a proxy or the server refuses the form of the request, as old ones do where its size is not known",
            "push over SSH, or `git config http.postBuffer 157286400` in the clone, which tells the size first",
        ),
        &["rpc failed; http 400", "rpc failed; http 411", "http code = 411", "http code = 400"],
    ),
    rule(
        Voice::Client,
        Means::Unlisted(
            "the remote has no branch or tag of the name that was to be deleted",
            "nothing is left to do there; `git fetch --prune` removes it from this clone",
        ),
        &["unable to delete '…remote ref does not exist"],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::PushTargetNone,
            "push.default is `nothing`, and the push names no branch",
            "name both: `git push origin HEAD`",
        ),
        &["didn't specify any refspecs to push"],
    ),
    client(
        Code::PushLocalRef,
        "this clone names no commit or remote that could be pushed",
        &[
            "src refspec",
            "has no upstream branch",
            "no configured push destination",
            "you are not currently on a branch",
            "does not appear to be a git repository",
            "not a git repository (or any",
            "not a full refname",
            "invalid refspec",
            "upstream branch of your current branch does not match",
            "no such remote",
            "is not a valid push target",
            "cannot be resolved to branch",
            "which is not the upstream of",
            "is not a git command",
            "unable to find remote helper",
            "unable to update local ref",
            "unable to resolve reference 'refs/remotes/",
            "error: reference not found",
            "no upstream configured",
            "multiple upstream branches",
            "there is no tracking information for",
            "dst refspec",
            "dst ref ",
            "unqualified destination",
        ],
    ),
    about_ref(
        Code::PushRefLocked,
        "another push to the same branch is running",
        &[
            "(failed to lock)",
            "(failed to update ref",
            "(atomic transaction failed)",
            "(reference does not exist)",
            "- refs/…: failed to update ref",
            // JGit
            "lock_failure",
            "(lock failure",
            "(incorrect old value",
            "(reference already exists)",
            "(cannot lock ref",
            "tf401028",
        ],
    ),
    about_ref(
        Code::PushRefLocked,
        "another push to the same branch is running",
        &["cannot lock ref"],
    ),
    about_ref(
        Code::PushShallow,
        "the server accepts no push from a shallow clone",
        &["shallow update not allowed", "(new shallow roots not allowed)"],
    ),
    client(
        Code::PushNonFastForward,
        "the server's branch or tag has something that this clone lacks",
        &[
            "(non-fast-forward)",
            "(non-fast forward)",
            "(fetch first)",
            "(stale info)",
            "(remote ref updated since checkout)",
            "(needs force)",
            // go-git, libgit2, jj
            "non-fast-forward update",
            "code=notfastforward",
            "rejected_nonfastforward",
            "rejected_remote_changed",
            "non-fastforwardable reference",
            "not a simple fast-forward",
            "failed to push to remote: non-fast-forward",
            "contains commits that are not present locally",
            "unexpectedly moved on the remote",
            "because the remote contains work",
            "is behind its remote",
            "tip of your current branch is behind",
            "how to reconcile divergent branches",
            "not possible to fast-forward",
        ],
    ),
    rule(
        Voice::Client,
        Means::TagExists,
        &["[rejected]…(already exists)", "would clobber existing tag"],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::HomeDiskFull,
            "the disk of this workspace is full",
            "`df -h .` shows the disk: delete what is not needed, or give the workspace more space",
        ),
        &["no space left on device", "disk quota exceeded"],
    ),
    rule(
        Voice::Client,
        Means::Unlisted(
            "the server has no branch or tag of the name that was to be fetched",
            "`git ls-remote` shows the names that the server has",
        ),
        &["couldn't find remote ref"],
    ),
    rule(
        Voice::Client,
        Means::Unlisted(
            "git ran out of memory",
            "give the workspace more memory, or push fewer commits at once (`git push REMOTE COMMIT:refs/heads/BRANCH`)",
        ),
        &["out of memory, malloc failed", "pack-objects died of signal 9"],
    ),
    rule(
        Voice::Client,
        Means::Unlisted(
            "git cannot write to this clone: files in it belong to another user",
            "change the owner of the clone's `.git` folder to this user",
        ),
        &["database .git/objects"],
    ),
    rule(
        Voice::LocalHook,
        Means::Needs(
            Code::GitHookUnrunnable,
            "a hook of this clone could not run, or a program that it calls is not installed",
            "install the program that the message names in the workspace's image, or have the hook corrected",
        ),
        &[
            "cannot run…hooks/…: no such file or directory",
            "cannot spawn…hooks/…: no such file or directory",
            "cannot exec '…hooks/…': ",
            "hooks/pre-push: …: not found",
            "hooks/pre-push: …: command not found",
        ],
    ),
    // of the commit before the push
    rule(
        Voice::Client,
        Means::Needs(
            Code::GitIdentityMissing,
            "git made no commit: it does not know who commits",
            "`git config --global user.name NAME` and `git config --global user.email ADDRESS`, then commit and push",
        ),
        &[
            "author identity unknown",
            "committer identity unknown",
            "unable to auto-detect email address",
        ],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::GitSigningBroken,
            "git is configured to sign the push (push.gpgSign), and could not",
            "`git config --show-origin --get push.gpgSign` shows the file: remove the setting, or provide the signing key",
        ),
        &["fatal: failed to sign the push certificate"],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::GitSigningBroken,
            "git made no commit: it could not sign it",
            "`pushready doctor --only git.commit` in the clone shows why; then commit and push",
        ),
        &["failed to sign the data"],
    ),
    rule(
        Voice::Client,
        Means::Needs(
            Code::GitLockLeft,
            "a file of the clone, or its configuration, is locked, so git could not write to it",
            "wait for the git command that holds it, then run the same command again; `pushready doctor` in the clone \
             shows a lock that was left",
        ),
        &["unable to create '….lock': file exists", "could not lock config file"],
    ),
    rule(
        Voice::Client,
        Means::Unlisted(
            "the fetch went through, and the merge or rebase after it stopped at a conflict",
            "resolve the files that `git status` lists, `git add` them, then `git merge --continue` or \
             `git rebase --continue`",
        ),
        &["conflict (", "automatic merge failed", "error: could not apply"],
    ),
    client(
        Code::PushServerError,
        "the server failed",
        &[
            "returned error: 5",
            "http code = 5",
            "status code: 50",
            "unexpected http status code: 50",
        ],
    ),
    about_ref(
        Code::PushServerError,
        "the server failed",
        &[
            "internal server error",
            "internal server connection error",
            "push operation timed out",
            "api is not accessible",
            "(unable to migrate objects",
            "(broken symref",
            "(bad pack)",
            "(bad ref)",
            "(failed to delete)",
            "(shallow error)",
            "(transaction failed to start)",
            "(fail to run proc-receive hook)",
            "(proc-receive failed",
            "gitea: failed to ",
            "gitea: unable to ",
            "forgejo: failed to ",
            "forgejo: unable to ",
            "internal error",
            "internal api",
            "error in commit_refs",
            "communication breakdown with",
            "unpacker error",
            "unpack failed",
            "index-pack abnormal exit",
            "insufficient permission for adding an object",
            "remote failed to report status",
            "service unavailable",
            "gitaly, is not available",
            "under maintenance",
            "no space left on device",
            "disk quota exceeded",
        ],
    ),
    about_ref(
        Code::PushHookDeclined,
        "a hook on the server refused the push, with a message of its own",
        &["hook declined", "ref updates aborted by hook"],
    ),
    about_ref(
        Code::PushHookDeclined,
        "the server refused the push, for a reason that its message gives",
        &[
            "[remote rejected]",
            "command error on refs/",
            "your push has been blocked",
            "(remote does not support deleting refs)",
        ],
    ),
    client(
        Code::PushTimeout,
        "the connection to the server ended before the answer",
        &[
            "connection timed out",
            "operation timed out",
            "i/o timeout",
            "connect: connection refused",
            "gnutls_handshake() failed",
            "ssl_error",
            "tls connect error",
            "the remote end hung up",
            "unexpected disconnect",
            "early eof",
            "broken pipe",
            "connection reset",
            "closed by remote host",
            "connection closed by",
            "remote closed the connection",
            "unexpectedly closed network connection",
            "ssh: handshake failed",
            "rpc failed",
            "empty reply from server",
        ],
    ),
    rule(
        Voice::Client,
        Means::MaybeIs(
            Code::PushDenied,
            "the release tool may not push with its credential, or git failed in another way, which it hides",
            "what git prints: `git push --dry-run` with the same credential",
        ),
        &["egitnopermission", "push permission to the git repository is required"],
    ),
    rule(
        Voice::Notice,
        Means::MaybeIs(
            Code::PushNoCredentials,
            "git's configuration names a credential helper that is not installed",
            "all that the failed command printed: `git config --show-origin --get-all credential.helper` shows \
             where the helper is configured",
        ),
        &["credential", "askpass"],
    ),
];
