//! The messages, nearest cause first: where two rules match, the earlier one explains the later.
//!
//! Words are in lower case; `…` stands for anything in the same line. Sources: git 2.47 and OpenSSH
//! 9.2 as they print; GitHub's as quoted in public issues, and dugite's lib/errors.ts; gitlabhq
//! lib/gitlab/git_access.rb and checks/; Gitea routers/private/serv.go and hook_pre_receive.go;
//! gitolite Access.pm.

use crate::catalogue::Code;

pub(super) struct Rule {
    pub voice: Voice,
    pub means: Means,
    /// Any of these, in one line.
    pub words: &'static [&'static str],
}

/// Who says it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// git or ssh here: never a line with `remote:`, in which a server's hook may tell of failures
    /// of its own.
    Client,
    /// The server: after `remote:`, or over SSH as it is.
    Server,
}

#[derive(Clone, Copy)]
pub(super) enum Means {
    /// This code, in this sentence.
    Is(Code, &'static str),
    /// This code, perhaps; the second sentence is what it would take to tell.
    MaybeIs(Code, &'static str, &'static str),
    /// GitHub says so of a read-only key and of another repository's key alike: it hangs on whose
    /// key it is.
    DeniedToDeployKey,
    /// The same of GitLab and others, who say it of another project's key only where the project is
    /// public.
    NoWriteForDeployKey,
    DeniedToUser,
    /// Missing, or hidden from this credential.
    NotFound,
    /// The remote has a tag of that name at another commit: to pull changes nothing of it.
    TagExists,
    /// The chain of the server's certificate does not lead to an authority that is trusted here.
    Untrusted,
    /// Over HTTPS, where ssh's configuration has no say.
    WebUnresolved,
}

const fn client(code: Code, summary: &'static str, words: &'static [&'static str]) -> Rule {
    Rule { voice: Voice::Client, means: Means::Is(code, summary), words }
}

const fn server(code: Code, summary: &'static str, words: &'static [&'static str]) -> Rule {
    Rule { voice: Voice::Server, means: Means::Is(code, summary), words }
}

/// Something answers over HTTPS, and is no git.
pub const NO_GIT: &str = "what answers there does not speak git: a login page, the page of a captive network, or a file server";
pub const NO_GIT_NEEDS: &str = "what a browser shows at the remote's URL";

pub(super) const RULES: &[Rule] = &[
    // nothing was started
    client(
        Code::GitMissing,
        "there is no git",
        &["git: command not found", "git: not found", "\"git\": executable file not found"],
    ),
    client(
        Code::GitsshBlocked,
        "`coder gitssh`, which Coder puts in the place of ssh, could not get its key from the Coder server",
        &[
            "get agent git ssh token",
            "create agent client:",
            "cannot run…gitssh",
            "gitssh…not found",
            "gitssh…no such file",
        ],
    ),
    client(
        Code::SshMissing,
        "git found no ssh to run",
        &[
            "ssh: command not found",
            "ssh: not found",
            "ssh: no such file or directory",
            "\"ssh\": executable file not found",
            "cannot run…no such file or directory",
            "fatal: unable to fork",
        ],
    ),
    client(
        Code::HomeNoPasswdEntry,
        "this uid has no passwd entry, and ssh refuses to start without one",
        &["no user exists for uid", "you don't exist, go away"],
    ),
    client(
        Code::SshConfigPermissions,
        "ssh refuses its configuration because of its owner or mode",
        &["bad owner or permissions on"],
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
        "git is told not to use this transport",
        &["transport 'ssh' not allowed", "transport 'https' not allowed"],
    ),
    client(
        Code::GitConfigInvalid,
        "git does not take a line or a value of its configuration",
        &[
            "fatal: bad config line",
            "fatal: bad config variable",
            "fatal: bad numeric config value",
            "fatal: bad boolean config value",
            "fatal: unable to parse command-line config",
            "fatal: exceeded maximum include depth",
        ],
    ),
    client(
        Code::RepositoryOtherOwner,
        "git refuses the clone, because its folder belongs to another user",
        &["detected dubious ownership"],
    ),
    // the server's rules: to be asked them, the push had all rights
    server(
        Code::PushSecretBlocked,
        "push protection found a secret in the commits",
        &[
            "push cannot contain secrets",
            "vs403654",
            "github push protection",
            "gh009",
            "push blocked: secrets detected",
            "found the following secrets in commit",
        ],
    ),
    server(
        Code::PushFileTooLarge,
        "a file in the commits is larger than the server takes",
        &[
            "error: gh001",
            "exceeds github's file size limit",
            "larger than the allowed size",
            "push cannot contain files larger",
            "exceed the limit of…file size",
            "pack exceeds maximum allowed size",
        ],
    ),
    client(
        Code::PushFileTooLarge,
        "the push is larger than the server, or a proxy before it, takes",
        &["http 413", "returned error: 413"],
    ),
    server(
        Code::PushEmailPrivate,
        "the commits would publish an email address that its owner keeps private",
        &["gh007", "would publish a private email address"],
    ),
    server(
        Code::PushWorkflowScope,
        "the token may not create or change workflow files",
        &[
            "refusing to allow…without `workflow` scope",
            "refusing to allow…without `workflows` permission",
            "refusing to allow…create or update workflow",
        ],
    ),
    server(
        Code::PushRefInvalid,
        "the server does not allow a branch or tag of this name",
        &[
            "gh002",
            "gh005",
            "refs longer than",
            "deny updating a hidden ref",
            "funny refname",
            "refusing to create funny ref",
            "name does not follow the pattern",
            "is illegal)",
            "cannot lock ref…cannot create",
        ],
    ),
    server(
        Code::PushBranchProtected,
        "the branch is protected: it does not take this push",
        &[
            "gh006",
            "gh003",
            "protected branch hook declined",
            "changes must be made through a pull request",
            "cannot update this protected ref",
            "cannot force-push to this",
            "cannot force-push to a protected branch",
            "cannot delete this branch",
            "cannot delete a protected branch",
            "to protected branch",
            "to a protected branch",
            "delete protected branches",
            "is protected from force push",
            "is protected from deletion",
            "only be modified through pull requests",
            "tf402455",
            "fatal: w refs/…denied by",
            "fatal: + refs/…denied by",
            "deletion of the current branch prohibited",
            "branch is currently checked out",
            "denying non-fast-forward",
            "[remote rejected]…(non-fast-forward)",
            "deletion prohibited",
        ],
    ),
    server(
        Code::PushHookDeclined,
        "the server wants the Git LFS objects first: `git lfs push --all` sends them",
        &["gh008", "lfs objects are missing"],
    ),
    server(
        Code::PushRuleViolation,
        "a rule of the repository refuses the push",
        &[
            "gh013",
            "due to repository rule violations",
            "gitlab: commit message",
            "gitlab: author's",
            "gitlab: committer",
            "commit message does not follow the pattern",
            "gitlab: file name",
        ],
    ),
    // the server knows the credential, and says what is wrong
    server(
        Code::PushArchived,
        "the repository is archived, and takes no pushes",
        &["archived so it is read-only", "push code to an archived project", "repo: …is archived"],
    ),
    server(
        Code::PushSsoRequired,
        "the organisation demands single sign-on, for which this credential is not authorised",
        &["enabled or enforced saml sso", "cannot find valid sso session"],
    ),
    server(
        Code::PushIpNotAllowed,
        "the organisation's allow list does not hold the address from which this workspace reaches the server",
        &["ip allow list enabled"],
    ),
    server(
        Code::PushKeyReadOnly,
        "the deploy key of this repository may read but not write",
        &["has been marked as read only", "access via a deployment key is read-only"],
    ),
    server(
        Code::SshKeyRefused,
        "the server knows the key, and does not take it: it has expired, is not approved, or signs with SHA-1",
        &[
            "epolicykeyage",
            "your ssh key has expired",
            "rsa key with sha-1",
            "public key authentication failed",
            "no mutual signature",
        ],
    ),
    server(
        Code::SshWrongKey,
        "the server accepted a key that is not one of this repository's",
        &[
            "deployment key is not associated with the requested repository",
            "public deploy key:…is not authorized",
        ],
    ),
    // the host key
    client(
        Code::SshHostKeyChanged,
        "the server's host key is not the one that is known for it",
        &["remote host identification has changed", "host key for…has changed", "revoked host key"],
    ),
    client(
        Code::SshHostKeyUnknown,
        "no host key is known for the server, and nobody is there to be asked",
        &["host key is known for", "host key verification failed"],
    ),
    // the way there
    client(
        Code::NetworkSandboxed,
        "a sandbox forbids this process the network",
        &[
            "port…: operation not permitted",
            "socket: operation not permitted",
            "failed to connect…operation not permitted",
        ],
    ),
    Rule {
        voice: Voice::Client,
        means: Means::MaybeIs(
            Code::NetworkSandboxed,
            "a proxy refuses the connection, as the proxies of agent sandboxes do",
            "the same command run outside the agent: where it works there, the sandbox is the cause",
        ),
        words: &["from proxy after connect", "connect tunnel failed"],
    },
    client(
        Code::SshProxyFailed,
        "what ssh goes through, a ProxyCommand or ProxyJump, ended before the server was reached",
        &["closed by unknown port 65535", "reset by unknown port 65535"],
    ),
    client(
        Code::SshOutputGarbled,
        "something prints into the data that git reads from ssh",
        &["protocol error: bad line length"],
    ),
    client(
        Code::PushOptionUnsupported,
        "git is set to sign pushes or to send options with them, and the server takes none",
        &[
            "fatal: the receiving end does not support --signed push",
            "fatal: the receiving end does not support push options",
        ],
    ),
    client(
        Code::SshHostUnresolved,
        "the server's name does not resolve",
        &["could not resolve hostname"],
    ),
    Rule {
        voice: Voice::Client,
        means: Means::WebUnresolved,
        words: &["could not resolve host:", "could not resolve proxy"],
    },
    Rule {
        voice: Voice::Client,
        means: Means::MaybeIs(
            Code::SshPortBlocked,
            "the port answers, and did not greet as ssh in time",
            "a longer look at it: `nc HOST 22` shows `SSH-2.0-…` where an ssh server answers",
        ),
        words: &["timed out during banner exchange"],
    },
    client(
        Code::SshPortBlocked,
        "the ssh port cannot be reached, or what answers there is not ssh",
        &[
            "connect to host…port…connection refused",
            "connect to host…port…timed out",
            "connect to host…port…no route to host",
            "connect to host…port…network is unreachable",
            "banner exchange",
            "kex_exchange_identification",
            "ssh_exchange_identification",
        ],
    ),
    client(
        Code::ClockSkew,
        "the server's certificate is not valid at the time that the clock of this workspace shows",
        &["certificate is not yet valid", "certificate is not activated yet"],
    ),
    Rule {
        means: Means::Untrusted,
        voice: Voice::Client,
        words: &[
            "unable to get local issuer certificate",
            "self-signed certificate",
            "self signed certificate",
            "certificate signer not trusted",
            "unable to verify the first certificate",
            "ssl certificate problem",
            "certificate verification failed",
        ],
    },
    // the keys at hand: what is wrong with them explains every refusal below
    client(
        Code::SshTooManyKeys,
        "the server hung up after too many keys were offered",
        &["too many authentication failures"],
    ),
    client(
        Code::SshKeyRefused,
        "the configuration names a public key, and the agent that held the private one is gone",
        &["permissions…for '….pub' are too open"],
    ),
    client(
        Code::KeyPermissions,
        "others may read the key file, so ssh ignores it",
        &[
            "unprotected private key file",
            "are too open",
            "load key…bad permissions",
            "load key…permission denied",
        ],
    ),
    client(
        Code::KeyEncrypted,
        "the key is protected by a passphrase, which nobody is there to enter",
        &["incorrect passphrase supplied", "read_passphrase:"],
    ),
    client(
        Code::KeyMalformed,
        "ssh cannot read the key file: it is damaged, or of a form that this ssh does not know",
        &["load key…error in libcrypto", "load key…invalid format"],
    ),
    client(
        Code::SshRouteBroken,
        "the configuration names a key file that is not there",
        &["identity file…not accessible"],
    ),
    // who may do what
    Rule {
        voice: Voice::Server,
        means: Means::DeniedToDeployKey,
        words: &["denied to deploy key"],
    },
    Rule {
        voice: Voice::Server,
        means: Means::NoWriteForDeployKey,
        words: &[
            "deploy key does not have write access",
            "deploy key:…is not authorized to write",
            "cannot push with deployment key",
            "gogs: key permission denied",
        ],
    },
    Rule {
        voice: Voice::Server,
        means: Means::DeniedToUser,
        words: &[
            "permission to…denied to",
            "write access to repository not granted",
            "not allowed to push code to this project",
            "not allowed to download code from this project",
            "is not authorized to write to",
            "user permission denied for writing",
            "tf401027",
            "repository access denied",
            "git access over ssh is not allowed",
            "fatal: w any…denied by",
            "lfs: authorization error",
        ],
    },
    Rule {
        voice: Voice::Server,
        means: Means::NotFound,
        words: &[
            "repository not found",
            "project you were looking for could not be found",
            "a repository for this project does not exist yet",
            "cannot find repository",
            "may not have access to this repository or it no longer exists",
            "tf401019",
            "fatal: r any…denied by",
            "fatal: repository '…not found",
            "fatal: '…/…does not appear to be a git repository",
            "returned error: 404",
        ],
    },
    client(
        Code::SshKeyRefused,
        "the server accepted none of the keys that ssh offered",
        &["permission denied (", "agent refused operation"],
    ),
    // HTTPS
    client(
        Code::PushNoCredentials,
        "git asked for a credential, and nobody and nothing could give it one",
        &[
            "could not read username for",
            "could not read password for",
            "unable to read askpass response",
            "open the following url to authenticate with git",
            "coder was unable to handle this git request",
            "terminal prompts disabled",
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
            "fatal: authentication failed for",
            "returned error: 401",
            "fatal: authentication required",
            "error: authentication required",
        ],
    ),
    Rule {
        voice: Voice::Client,
        means: Means::MaybeIs(
            Code::PushNoCredentials,
            "the server sent git to another page, as it does to those who are not logged in",
            "what a browser shows at the remote's URL: a login page, or that of a captive network",
        ),
        words: &["unable to update url base from redirection"],
    },
    Rule {
        voice: Voice::Client,
        means: Means::MaybeIs(Code::PushNoCredentials, NO_GIT, NO_GIT_NEEDS),
        words: &["error: cannot access url…return code", "git-http-push failed"],
    },
    client(
        Code::PushDenied,
        "the server refuses this credential the push (HTTP 403)",
        &["returned error: 403"],
    ),
    server(
        Code::PushServerError,
        "the server asks for fewer requests",
        &["returned error: 429", "rate limit", "too many requests"],
    ),
    // this clone
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
            "is not a git command",
            "unable to find remote helper",
        ],
    ),
    client(
        Code::PushRefLocked,
        "another push to the same branch is under way",
        &[
            "(failed to lock)",
            "(failed to update ref)",
            "(incorrect old value",
            "(reference already exists)",
        ],
    ),
    server(
        Code::PushRefLocked,
        "another push to the same branch is under way",
        &["cannot lock ref"],
    ),
    client(
        Code::PushShallow,
        "the server takes no push from a shallow clone",
        &["shallow update not allowed"],
    ),
    client(
        Code::PushNonFastForward,
        "the server's branch or tag has something that this clone lacks",
        &[
            "(non-fast-forward)",
            "(fetch first)",
            "(stale info)",
            "(remote ref updated since checkout)",
            "(needs force)",
        ],
    ),
    Rule {
        means: Means::TagExists,
        voice: Voice::Client,
        words: &["[rejected]…(already exists)", "would clobber existing tag"],
    },
    server(
        Code::PushServerError,
        "the server failed by itself",
        &[
            "returned error: 5",
            "internal server error",
            "internal api",
            "error in commit_refs",
            "unpacker error",
            "unpack failed",
            "insufficient permission for adding an object",
            "temporarily read-only",
            "read-only gitlab instance",
            "remote failed to report status",
            "service unavailable",
            "under maintenance",
        ],
    ),
    client(
        Code::PushHookDeclined,
        "a hook on the server refused the push, in words of its own",
        &["hook declined)"],
    ),
    server(
        Code::PushHookDeclined,
        "a hook on the server refused the push, in words of its own",
        &["error: hook declined"],
    ),
    client(
        Code::PushTimeout,
        "no connection to the server came about, or it ended before the answer",
        &[
            "couldn't connect to server",
            "failed to connect to",
            "connection timed out",
            "operation timed out",
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
            "rpc failed",
            "empty reply from server",
        ],
    ),
];
