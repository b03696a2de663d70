//! What to do about a code that a push message may have. The sentences are ours, the URLs are made
//! from parsed repositories.

use crate::catalogue::{Code, Fix};
use crate::git::url::Repository;

/// The page with the deploy keys of a repository, where its forge is a public one.
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
            "an access key of Bitbucket has read access only: push with the key of an account that has write access",
        );
    }
    if let Some(message) = on_keys_page(code) {
        return match remote.and_then(deploy_keys_page) {
            Some(url) => Fix::visit(url, message),
            None => Fix::report(message),
        };
    }
    if let Some((argv, message)) = command(code) {
        return Fix::run(argv.iter().copied(), message);
    }
    if let Some(message) = by_hand(code) {
        return Fix::report(message);
    }
    match waiting(code) {
        Some(message) => Fix::wait(message),
        None => Fix::report(by_others(code)),
    }
}

/// What a repository takes that has no key.
pub fn add_key(repository: &Repository) -> Fix {
    let message = format!(
        "make a key (`ssh-keygen -t ed25519 -N '' -f key`), add key.pub to the repository's deploy keys with write \
         access, add `\"{}\": \"PRIVATE KEY\"` to PUSHREADY_DEPLOY_KEYS, and run `pushready apply` where that is set",
        repository.short()
    );
    match deploy_keys_page(repository) {
        Some(url) => Fix::visit(url, message),
        None => Fix::report(message),
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
            "add the public key of the key in use to this repository, or provision a deploy key for it; every server accepts ed25519"
        }
        Code::PushRepositoryNotFound => {
            "check the spelling of the remote (`git remote --verbose`), and that this repository lists the key that is used"
        }
        Code::PushDenied => {
            "give this repository a deploy key of its own with write access, or give the account write access"
        }
        _ => return None,
    })
}

fn command(code: Code) -> Option<(&'static [&'static str], &'static str)> {
    Some(match code {
        Code::RouteBinaryGone => {
            (&["pushready", "apply"], "run apply: it writes the routing again")
        }
        Code::SshRouteBroken | Code::KeyPermissions => {
            (&["pushready", "apply"], "apply restores the routing, the keys and their modes")
        }
        Code::SshConfigPermissions => (
            &["sh", "-c", "chmod go-w ~ ~/.ssh ~/.ssh/config"],
            "only the owner may have write access to the configuration and the folders above it",
        ),
        Code::RepositoryOtherOwner => (
            &["sh", "-c", "git config --global --add safe.directory \"$PWD\""],
            "in the clone's folder, if you trust its author; better: change the folder's owner to this user",
        ),
        Code::PushNonFastForward => (
            &["git", "pull", "--rebase"],
            "on the rejected branch: integrate the server's commits, then push again; do not force",
        ),
        Code::PushShallow => {
            (&["git", "fetch", "--unshallow"], "fetch the whole history, then push again")
        }
        _ => return None,
    })
}

/// What takes a decision, so that no fixed command does it.
fn by_hand(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::SshConfigInvalid => {
            "fix or remove the line that ssh names (most often of ~/.ssh/config)"
        }
        Code::GitConfigInvalid => {
            "fix or remove the line that git names; where git names a value only, `git config --show-origin \
             --list` shows its file"
        }
        Code::SshOutputGarbled => {
            "find what prints there (a LocalCommand, a wrapper, a profile on the server), and make it print to \
             standard error, or nothing"
        }
        Code::PushOptionUnsupported => {
            "remove the setting: `git config --show-origin --get-regexp '^push[.](gpgsign|pushoption)$'` shows its file"
        }
        Code::GitCloneBroken => "clone the repository anew, and copy the work tree into that clone",
        Code::SshControlPath => {
            "make the folder that ControlPath names (`mkdir -m 700 -p FOLDER`), shorten the path, or set `ControlMaster no`"
        }
        Code::SshInputClosed => {
            "remove the option: it is in a file that `ssh -v -G HOST` names, or it is `-n`, `-f`, `-N` or `-s` in \
             the command that git starts"
        }
        Code::GitTransportForbidden => {
            "allow it where it is forbidden: `git config --show-origin --get-regexp '^protocol'`, or GIT_ALLOW_PROTOCOL"
        }
        Code::RemotePortInPath => {
            "write the remote without the port, or as `ssh://git@HOST:PORT/OWNER/REPOSITORY` (`git remote set-url`)"
        }
        Code::PushSecretBlocked => {
            "remove the secret from the commits that `git log @{push}..` shows (amend or rebase them), have its owner \
             revoke it, and push again; do not request an exception"
        }
        Code::PushFileTooLarge => {
            "remove the file from the commits that `git log --stat @{push}..` shows (amend or rebase them), or move it \
             to Git LFS, and push again"
        }
        Code::PushEmailPrivate => {
            "set user.email to the account's noreply address, then `git commit --amend --no-edit --reset-author`"
        }
        Code::PushRefInvalid => {
            "rename the branch or tag (`git branch --move`) and push it under the new name"
        }
        Code::PushBranchProtected => {
            "push to a new branch (`git push origin HEAD:refs/heads/NAME`) and open a pull request"
        }
        Code::PushLocalRef => {
            "commit first, name the branch and the remote: `git push --set-upstream origin HEAD`; `git remote \
             --verbose` lists the remotes"
        }
        _ => return None,
    })
}

fn waiting(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::SshHostUnresolved => {
            "try again; `getent hosts NAME` shows whether the name resolves, and an alias needs its `Host` block"
        }
        Code::PushRefLocked => "try again in a minute",
        Code::GitUnreachable => {
            "try again; then allow the server's port (443) in the firewall and the resolver, or name a proxy in \
             `http.proxy` or https_proxy"
        }
        Code::PushServerError => {
            "try again in some minutes, and look at the provider's status page"
        }
        Code::PushTimeout => "try again; if it fails again, check the proxy and the firewall",
        _ => return None,
    })
}

fn by_others(code: Code) -> &'static str {
    match code {
        Code::GitMissing => "install git in the workspace's image",
        Code::SshMissing => "install the OpenSSH client in the workspace's image",
        Code::GitsshBlocked => {
            "check that the workspace reaches its Coder server; a template may also set GIT_SSH_COMMAND to `ssh` with coder_env"
        }
        Code::HomeNoPasswdEntry => {
            "add a line for this uid to /etc/passwd, at build time or in the entrypoint"
        }
        Code::ClockSkew => "set the clock of the workspace's host",
        Code::GitProxyRefused => {
            "`git config --show-origin --get-regexp '[.]proxy$'` and `env | grep -i proxy` show the proxy: correct \
             it, or have it allow the server; in an agent's sandbox let the user allow the network"
        }
        Code::GitTlsUntrusted => {
            "add the authority of the certificate to the image's store, or name its file in `http.sslCAInfo`; do not \
             switch the verification off"
        }
        Code::NetworkSandboxed => {
            "let the user allow the network, or push from outside the sandbox"
        }
        Code::SshHostKeyChanged => {
            "do not push; compare the fingerprint with the one that the provider publishes before you remove anything from known_hosts"
        }
        Code::SshHostKeyUnknown => {
            "run `pushready apply`, which pins the public forges; set PUSHREADY_KNOWN_HOSTS to the lines of other servers"
        }
        Code::SshPortBlocked => {
            "open port 22, or use the forge's ssh on port 443: for github.com `HostName ssh.github.com` and `Port 443`"
        }
        Code::SshProxyFailed => {
            "`ssh -G HOST | grep -i proxy` shows what ssh goes through; find out why that ends: a program that is not \
             installed, or a bastion that refuses"
        }
        Code::SshTooManyKeys => {
            "empty the ssh agent, or set `IdentitiesOnly yes` for the host in ~/.ssh/config"
        }
        Code::KeyEncrypted => {
            "provision a key without a passphrase: `ssh-keygen -p -N ''` removes it from a copy"
        }
        Code::KeyMalformed => "provision the key again, complete, in OpenSSH's format",
        Code::PushArchived => "unarchive the repository, or push to the one that replaces it",
        Code::PushSsoRequired => {
            "authorise the key or token for the organisation, or use a deploy key, which needs no single sign-on"
        }
        Code::PushIpNotAllowed => {
            "add the address from which the workspaces reach the internet to the allow list"
        }
        Code::PushRuleViolation => {
            "read the server's message; change the commits to follow the rule, or ask the repository's admins"
        }
        Code::PushWorkflowScope => {
            "push over SSH with a deploy key, which has no scopes, or give the token the workflow scope"
        }
        Code::PushHookDeclined => {
            "read the server's message, and ask the admins of that server or repository"
        }
        Code::PushNoCredentials => {
            "give the repository a deploy key: `pushready apply` then switches its remotes to SSH; or renew the token, or \
             link the account in Coder"
        }
        _ => "send the whole output, without its tokens, to whoever maintains the workspace",
    }
}
