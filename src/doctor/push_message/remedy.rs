//! What to do about a code that a push message may mean. Sentences of ours, URLs made from parsed
//! repositories.

use std::path::Path;

use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::git::url::Repository;

/// The page on which the deploy keys of a repository are kept, where its forge is a public one.
fn deploy_keys_page(repository: &Repository) -> Option<String> {
    let page = match repository.host() {
        "github.com" | "codeberg.org" => "settings/keys",
        "gitlab.com" => "-/settings/repository#js-deploy-keys-settings",
        "bitbucket.org" => "admin/access-keys/",
        _ => return None,
    };
    Some(format!("https://{}/{}/{page}", repository.host(), repository.path()))
}

/// The fix for a code, with the page or the command that it takes.
pub fn fix(code: Code, remote: Option<&Repository>) -> Fix {
    if code == Code::PushKeyReadOnly
        && remote.is_some_and(|remote| remote.host() == "bitbucket.org")
    {
        return Fix::report(
            "an access key of Bitbucket may only read: push with the key of an account that may write",
        );
    }
    if let Some(say) = on_keys_page(code) {
        return match remote.and_then(deploy_keys_page) {
            Some(url) => Fix::visit(url, say),
            None => Fix::report(say),
        };
    }
    if let Some((argv, say)) = by_command(code) {
        return Fix::run(argv.iter().copied(), say);
    }
    if let Some(say) = by_hand(code) {
        return Fix::report(say);
    }
    match code {
        Code::SshConfigInvalid => {
            Fix::edit(Path::new("~/.ssh/config"), "mend the line that ssh names, or take it out")
        }
        Code::SshHostUnresolved
        | Code::PushRefLocked
        | Code::PushServerError
        | Code::PushTimeout => Fix::wait(by_waiting(code)),
        _ => Fix::report(by_others(code)),
    }
}

fn on_keys_page(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::PushKeyReadOnly => {
            "give the deploy key write access: on GitHub delete it and add it again with Allow write access ticked"
        }
        Code::SshWrongKey => {
            "give this repository a deploy key of its own, with write access, and provision it under this repository's name"
        }
        Code::SshKeyRefused => {
            "add the public half of the provisioned key to this repository; ed25519 is taken by every server"
        }
        Code::PushRepositoryNotFound => {
            "check the spelling of the remote (`git remote --verbose`) and that this repository lists the key that is used"
        }
        Code::PushDenied => {
            "give this repository a deploy key of its own with write access, or the account the right to push"
        }
        _ => return None,
    })
}

fn by_command(code: Code) -> Option<(&'static [&'static str], &'static str)> {
    Some(match code {
        Code::SshRouteBroken | Code::KeyPermissions => {
            (&["pushready", "apply"], "apply puts routing, keys and their modes back")
        }
        Code::SshConfigPermissions => (
            &["sh", "-c", "chmod go-w ~ ~/.ssh ~/.ssh/config"],
            "only its owner may be able to write the configuration and the folders above it",
        ),
        Code::RepositoryOtherOwner => (
            &["sh", "-c", "git config --global --add safe.directory \"$PWD\""],
            "in the clone's folder, if you trust who wrote it; better give the folder to this user",
        ),
        Code::PushNonFastForward => (
            &["git", "pull", "--rebase"],
            "on the branch that was rejected: take over what the server has, then push again; do not force",
        ),
        Code::PushShallow => {
            (&["git", "fetch", "--unshallow"], "fetch the whole history, then push again")
        }
        _ => return None,
    })
}

/// What takes a decision, and so no command that could be run as it stands.
fn by_hand(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::GitConfigInvalid => {
            "mend the line that git names, or take it out; where git names a value only, `git config --show-origin \
             --list` shows its file"
        }
        Code::SshOutputGarbled => {
            "have what prints there (a LocalCommand, a wrapper, a profile on the server) print to standard error, or nothing"
        }
        Code::PushOptionUnsupported => {
            "take it out where it is set: `git config --show-origin --get-regexp '^push[.](gpgsign|pushoption)$'`"
        }
        Code::SshInputClosed => {
            "take the option out where ssh is told it: a file that `ssh -v -G HOST` names, or `-n`, `-f`, `-N` or `-s` in \
             the command that git starts"
        }
        Code::GitTransportForbidden => {
            "allow it where that is set: `git config --show-origin --get-regexp '^protocol'`, or GIT_ALLOW_PROTOCOL"
        }
        Code::RemotePortInPath => {
            "write the remote without the port, or as `ssh://git@HOST:PORT/OWNER/REPOSITORY` (`git remote set-url`)"
        }
        Code::PushSecretBlocked => {
            "take the secret out of the commits that `git log @{push}..` shows (amend or rebase them), have its owner \
             revoke it, and push again; ask for no exception"
        }
        Code::PushFileTooLarge => {
            "take the file out of the commits that `git log --stat @{push}..` shows (amend or rebase them), or hand it \
             to Git LFS, and push again"
        }
        Code::PushEmailPrivate => {
            "set user.email to the account's noreply address, then `git commit --amend --no-edit --reset-author`"
        }
        Code::PushRefInvalid => {
            "rename the branch or tag (`git branch --move`) and push it under the new name"
        }
        Code::PushBranchProtected => {
            "push to a branch of its own (`git push origin HEAD:refs/heads/NAME`) and open a pull request"
        }
        Code::PushLocalRef => {
            "commit first, name the branch and the remote: `git push --set-upstream origin HEAD`; `git remote \
             --verbose` lists the remotes"
        }
        _ => return None,
    })
}

fn by_waiting(code: Code) -> &'static str {
    match code {
        Code::SshHostUnresolved => {
            "try again; `getent hosts NAME` shows whether the name resolves, and an alias needs its `Host` block"
        }
        Code::PushRefLocked => "try again in a minute",
        Code::PushServerError => {
            "try again in some minutes, and look at the provider's status page"
        }
        _ => "try again; if it stays so, look at proxy and firewall",
    }
}

fn by_others(code: Code) -> &'static str {
    match code {
        Code::GitMissing => "install git in the workspace's image",
        Code::SshMissing => "install the OpenSSH client in the workspace's image",
        Code::GitsshBlocked => {
            "check that the workspace reaches its Coder server; a template may also set GIT_SSH_COMMAND to `ssh` with coder_env"
        }
        Code::HomeNoPasswdEntry => {
            "give this uid a line in /etc/passwd, at build time or in the entrypoint"
        }
        Code::ClockSkew => "set the clock of the workspace's host",
        Code::NetworkSandboxed => {
            "let the user allow the network, or push from outside the sandbox"
        }
        Code::SshHostKeyChanged => {
            "push nothing; compare the fingerprint with the one that the provider publishes before anything is removed from known_hosts"
        }
        Code::SshHostKeyUnknown => {
            "run `pushready apply`, which pins the public forges; give other servers' lines in PUSHREADY_KNOWN_HOSTS"
        }
        Code::SshPortBlocked => {
            "open port 22, or use the forge's ssh on port 443: for github.com `HostName ssh.github.com` and `Port 443`"
        }
        Code::SshProxyFailed => {
            "see what ssh goes through (`ssh -G HOST | grep -i proxy`), and why that ends: a program that is not installed, or a bastion that refuses"
        }
        Code::SshTooManyKeys => {
            "empty the ssh agent, or set `IdentitiesOnly yes` for the host in ~/.ssh/config"
        }
        Code::KeyEncrypted => {
            "provision a key without passphrase: `ssh-keygen -p -N ''` takes it off a copy"
        }
        Code::KeyMalformed => "provision the key again, whole, in OpenSSH's form",
        Code::PushArchived => "unarchive the repository, or push to the one that took its place",
        Code::PushSsoRequired => {
            "authorise the key or token for the organisation, or use a deploy key, which needs no single sign-on"
        }
        Code::PushIpNotAllowed => {
            "put the address from which the workspaces reach the internet on the allow list"
        }
        Code::PushRuleViolation => {
            "read the rule among the server's words; bring the commits in line with it, or ask who keeps the rules"
        }
        Code::PushWorkflowScope => {
            "push over SSH with a deploy key, to which no scopes apply, or give the token the workflow scope"
        }
        Code::PushHookDeclined => "read the server's words, and ask who keeps the hook",
        Code::PushNoCredentials => {
            "give the repository a deploy key: `pushready apply` then puts its remotes on SSH; or renew the token, or link the account in Coder"
        }
        _ => "send the whole output, with tokens taken out, to who looks after the workspace",
    }
}
