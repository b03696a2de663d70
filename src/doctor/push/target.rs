//! Where a plain `git push` would go from the current branch, by git's own rules (git-push(1),
//! git-config(1), push.default).

use std::path::Path;

use super::foreseen::{ForeseenPush, PATIENCE, local_folder, of_matching};
use super::server_branch::{self, is_forced_push};
use crate::catalogue::{Code, Fix};
use crate::doctor::context::Context;
use crate::doctor::git::setting::{self, SettingChange};
use crate::doctor::git::{self, HeadBranch};
use crate::doctor::outcome::{CheckStatus, Evidence, Judgement};
use crate::git::url::GitUrl;
use crate::git_cli::config_error::ConfigError;
use crate::git_cli::effective_config::{ConfigValue, EffectiveConfig};
use crate::git_cli::{self, Place};
use crate::process;
use crate::push_message;
use crate::variables::observed;

/// What git names of a branch: asked of `git for-each-ref`.
#[derive(Debug, Default)]
struct PushTarget {
    /// The remote of a push.
    remote: String,
    /// The one of a branch that names none.
    default: String,
    /// The ref there, where `remote.NAME.push` maps the branch.
    remote_ref: String,
    /// The ref that remembers that one.
    tracked: String,
    /// That one has commits that the branch lacks.
    is_behind: bool,
}

pub fn target(context: &Context) -> Judgement {
    let Some(layout) = git::layout(context) else {
        let found = git::of_new_clone(context, |new| vec![target(new)]);
        let none = || Judgement::skip("the current folder is in no clone");
        return found.into_iter().next().unwrap_or_else(none);
    };
    if let Some(blocked) = git::blocked(context) {
        return blocked;
    }
    let current = context.clones.in_view().iter().find(|clone| clone.is_current);
    let Some(clone) = current.filter(|_| layout.defect.is_none()) else {
        return Judgement::blocked(Code::GitCloneBroken);
    };
    let config = clone.config();
    let subject = git::own_subject(context);
    if let Some(judgement) = refused_value(context, config) {
        return Judgement { subject, ..judgement };
    }
    let Some(HeadBranch { name: branch, answer }) = git::of_head(context) else {
        let fix = Fix::report("make a branch: `git switch -c NAME`");
        let summary = "HEAD is on no branch, so a plain `git push` has none to push";
        return Judgement { subject, ..Judgement::warn(Code::PushTargetNone, summary, fix) };
    };
    let judgement = match answer {
        Ok(output) if output.status.success() => match PushTarget::parse(&output.stdout) {
            Some(named) => {
                let named = named.completed(branch, config, git::default_remote(context, clone));
                let judgement = refused_by_settings(context, &named, config)
                    .unwrap_or_else(|| judge(branch, &named, config, &layout.top));
                let refusal = || {
                    let lacks = named.is_behind && !is_forced_push(&named.remote, config);
                    let is_matching = default(config) == "matching";
                    let push = ForeseenPush {
                        context,
                        clone,
                        layout,
                        branch,
                        remote: &named.remote,
                        default_remote: &named.default,
                        lacked: lacks.then_some(&*named.tracked),
                    };
                    without_url(&push)
                        .or_else(|| quoted(&push))
                        .or_else(|| unknown_scheme(&push))
                        .or_else(|| of_helper(&push, config))
                        .or_else(|| forbidden(&push, config))
                        .or_else(|| push.refusal())
                        .or_else(|| {
                            let fetch = push.fetch();
                            let urls = push.urls();
                            server_branch::refusal(context, &urls, push.remote, fetch, config)
                        })
                        .or_else(|| is_matching.then(|| of_matching(context, branch)).flatten())
                };
                let passes = judgement.status == CheckStatus::Pass;
                passes.then(refusal).flatten().unwrap_or(judgement)
            }
            // the first push names its target
            None if config.under("remote.").any(is_url) && is_all_new(context) => {
                Judgement::pass("the branch has no commit yet")
            }
            None => {
                let default = git::default_remote(context, clone);
                let named = PushTarget::default().completed(branch, config, default);
                judge(branch, &named, config, &layout.top)
            }
        },
        Ok(output) => {
            if let Some(error) = ConfigError::parse(&output.stderr) {
                let summary = "git rejects a value of its configuration, so every push fails";
                return Judgement { subject, ..git::refused_value(context, summary, &error) };
            }
            if let Some(code) = git::cause(&output.stderr) {
                return Judgement { subject, ..Judgement::blocked(code) };
            }
            let said = Evidence::foreign("git said", &output.first_error());
            Judgement::unknown("git did not name the target of a push", "what git reports")
                .with([said])
        }
        Err(failure) => {
            Judgement::unknown("git did not name the target of a push", context.reason(failure))
        }
    };
    Judgement { subject, ..judgement }
}

/// Whether a clone without a commit on its branch has none on any other.
fn is_all_new(context: &Context) -> bool {
    let listed = git::ask(context, &["for-each-ref", "--count=1", "--format=%(refname)"]);
    !context.is_new_clone && listed.is_ok_and(|output| output.stdout.is_empty())
}

impl PushTarget {
    /// From the line of the branch. Pure.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.trim_end().split('\0').map(str::to_owned);
        let (remote, remote_ref, tracked) = (fields.next()?, fields.next()?, fields.next()?);
        // `<` alone, or `<>` where each has commits of its own
        let is_behind = fields.next()?.starts_with('<');
        Some(Self { remote, remote_ref, tracked, is_behind, ..Self::default() })
    }

    /// With the remote that git does not name: of a branch without a commit, or one that no setting
    /// names. Pure.
    fn completed(self, branch: &str, config: &EffectiveConfig, default: String) -> Self {
        let named = || names(branch, config).into_iter().flatten().next().map(str::to_owned);
        let remote = Some(self.remote).filter(|name| !name.is_empty());
        let remote = remote.or_else(named).unwrap_or_else(|| default.clone());
        Self { remote, default, ..self }
    }
}

/// The settings that name the remote of a push, the one that counts first. Pure.
fn names<'c>(branch: &str, config: &'c EffectiveConfig) -> [Option<&'c str>; 3] {
    let short = branch.strip_prefix("refs/heads/").unwrap_or(branch);
    [
        config.text(&format!("branch.{short}.pushremote")),
        config.text("remote.pushdefault"),
        config.text(&format!("branch.{short}.remote")),
    ]
}

fn default(config: &EffectiveConfig) -> String {
    config.text("push.default").unwrap_or("simple").to_ascii_lowercase()
}

/// A value that only a push reads. git ends before it connects, since a deletion names a ref.
fn refused_value(context: &Context, config: &EffectiveConfig) -> Option<Judgement> {
    if !git::has_unusual(config) {
        return None;
    }
    let mut questions = vec![vec!["push", "--delete"]];
    // the pack of no object
    questions.extend(config.under("pack.").next().map(|_| vec!["pack-objects", "-q", "--stdout"]));
    let error = questions
        .iter()
        .find_map(|arguments| ConfigError::parse(&git::ask(context, arguments).ok()?.stderr));
    let late = ["push.negotiate", "push.usebitmaps", "transfer.advertisesid"];
    let untyped = |key| git::untyped(context, config, (key, "--type=bool"));
    let error = error.or_else(|| late.into_iter().find_map(untyped));
    let summary = "git rejects a value of its configuration, so every push fails";
    error.map(|error| git::refused_value(context, summary, &error))
}

/// git takes an empty push URL, up to 2.45, for one.
fn without_url(push: &ForeseenPush) -> Option<Judgement> {
    push.urls().iter().any(String::is_empty).then(|| {
        let summary = "the remote has an empty push URL, so a plain `git push` fails";
        let keys = ["pushurl", "url"].map(|key| format!("remote.{}.{key}", push.remote));
        let (context, config) = (push.context, push.clone.config());
        let key = keys.iter().find(|key| config.last(key).is_some()).unwrap_or(&keys[0]);
        let place = config.last(key).map(|value| setting::place(context, value));
        let place = place.map(|place| format!(" in {place}")).unwrap_or_default();
        let fix = format!("remove the empty URL of the remote{place}");
        Judgement::fail(Code::PushTargetNone, summary, Fix::report(fix))
    })
}

/// The URL has quotes around it, as a script leaves them: git takes them for a part of it.
fn quoted(push: &ForeseenPush) -> Option<Judgement> {
    const QUOTES: &[char] = &['"', '\'', '`', '<', '>'];
    let top = &push.layout.top;
    let is_quoted = |url: &&String| url.starts_with(QUOTES) && !top.join(url).exists();
    let urls = push.urls();
    let url = urls.iter().find(is_quoted)?;
    let inner = url.trim_matches(QUOTES).trim();
    let summary = "the URL of the remote has quotes around it, so a plain `git push` fails";
    let say = "write the URL without the quotes";
    let key = format!("remote.{}.pushurl", push.remote);
    let for_pushes = push.clone.config().last(&key).is_some();
    let is_named = push.clone.remotes().iter().any(|remote| remote.name == push.remote);
    let fix = match GitUrl::parse(inner) {
        Ok(inner) if is_named => {
            git::set_url(top, push.remote, &inner.to_string(), for_pushes, say)
        }
        _ => Fix::report(say),
    };
    let fail = Judgement::fail(Code::PushTargetNone, summary, fix);
    Some(fail.with([Evidence::foreign("push", url)]))
}

/// The program `git-remote-NAME` that git starts for a URL of another form than its own. Pure.
fn helper(url: &str) -> Option<&str> {
    const KNOWN: &[&str] =
        &["file", "ftp", "ftps", "git", "git+ssh", "http", "https", "ssh", "ssh+git"];
    const OF_CONNECT: &[&str] = &["file", "git", "git+ssh", "ssh", "ssh+git"];
    let is_scheme = |scheme: &str| {
        scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    // git takes what is before the first of these for a scheme, whatever it is
    if let Some((scheme, _)) = url.split_once("://").filter(|(scheme, _)| !scheme.contains("::")) {
        let known = if is_scheme(scheme) { KNOWN } else { OF_CONNECT };
        return (!known.contains(&scheme)).then_some(scheme);
    }
    let (helper, rest) = url.split_once(':')?;
    (is_scheme(helper) && rest.starts_with(':')).then_some(helper)
}

/// git may not allow the helper of a URL. What an allowed one does is not known: the doctor does not
/// start it.
fn of_helper(push: &ForeseenPush, config: &EffectiveConfig) -> Option<Judgement> {
    let urls = push.urls();
    let helper = urls.iter().find_map(|url| helper(url))?;
    let variable = |name| push.context.env.raw(name).map(|it| it.to_string_lossy().into_owned());
    let protocols = variable(observed::GIT_ALLOW_PROTOCOL);
    let from_user = variable("GIT_PROTOCOL_FROM_USER");
    let shown = Evidence::foreign("helper", helper);
    if is_allowed(helper, config, protocols.as_deref(), from_user.as_deref()) {
        let summary = "the URL of the remote hands a push over to another program, which the \
                       doctor does not start";
        return Some(
            Judgement::unknown(summary, "`git push --dry-run` in the clone").with([shown]),
        );
    }
    let summary = "git does not allow the program that the URL of the remote names, so a plain \
                   `git push` fails";
    let fix = Fix::report("set a URL that git allows: `git remote set-url REMOTE URL`");
    Some(Judgement::fail(Code::GitTransportForbidden, summary, fix).with([shown]))
}

/// Whether git starts a helper (git's transport.c, is_transport_allowed). Pure.
fn is_allowed(
    helper: &str,
    config: &EffectiveConfig,
    protocols: Option<&str>,
    from_user: Option<&str>,
) -> bool {
    if let Some(protocols) = protocols {
        return protocols.split(':').any(|allowed| allowed == helper);
    }
    let key = format!("protocol.{helper}.allow");
    let mut values: Vec<_> = config.under(&key).filter(|value| value.key == key).collect();
    // git was given the last one with the question
    if helper == "ext" {
        values.pop();
    }
    let own = values.last().and_then(|value| value.value);
    let policy = own.or_else(|| config.text("protocol.allow")).map(str::to_ascii_lowercase);
    let default = if helper == "ext" { "never" } else { "user" };
    match policy.as_deref().unwrap_or(default) {
        "always" => true,
        "user" => !from_user.is_some_and(|it| ["0", "false", "no", "off", ""].contains(&it)),
        _ => false,
    }
}

/// git has no program for the form of a URL: schemes are written in lower case.
fn unknown_scheme(push: &ForeseenPush) -> Option<Judgement> {
    let urls = push.urls();
    let mut helpers = urls.iter().filter_map(|url| helper(url));
    let is_known = |helper: &&str| git::is_git_command(push.context, &format!("remote-{helper}"));
    let scheme = helpers.find(|helper| !is_known(helper))?;
    let summary = "git has no program for the scheme of the push URL, so a plain `git push` fails";
    let fix = "write the scheme in lower case, or install its `git-remote-SCHEME`: `git remote -v` shows the URL";
    let fail = Judgement::fail(Code::PushTargetNone, summary, Fix::report(fix));
    Some(fail.with([Evidence::foreign("scheme", scheme)]))
}

/// A helper that git does not have, or a refspec of which git does not find the source.
fn refused_by_settings(
    context: &Context,
    named: &PushTarget,
    config: &EffectiveConfig,
) -> Option<Judgement> {
    let remote = &named.remote;
    let key = format!("remote.{remote}.vcs");
    if let Some(helper) = config.text(&key).filter(|helper| !helper.is_empty())
        && !git::is_git_command(context, &format!("remote-{helper}"))
    {
        let summary = "`remote.NAME.vcs` hands a push over to a program that is not installed, so a \
                       plain `git push` fails";
        let say = "remove the setting, or install that `git-remote-HELPER`";
        let fix = setting::change(context, config, &key, SettingChange::Remove, say);
        let fail = Judgement::fail(Code::PushTargetNone, summary, fix);
        return Some(fail.with([Evidence::foreign("helper", helper)]));
    }
    if config.is_true(&format!("remote.{remote}.mirror")) {
        return None;
    }
    let key = format!("remote.{remote}.push");
    let values: Vec<_> = config.under(&key).filter(|value| value.key == key).collect();
    let is_lost = |value: &&ConfigValue| {
        let source = value.value.and_then(source);
        source.is_some_and(|source| lacks(context, source))
    };
    let lost = values.iter().find(is_lost)?;
    let say = "correct the refspec, or remove it";
    let fix = if values.len() == 1 {
        setting::change(context, config, &key, SettingChange::Remove, say)
    } else {
        Fix::report(format!("{say}, in {}", setting::place(context, *lost)))
    };
    let summary =
        "`remote.NAME.push` names a source that does not exist, so a plain `git push` fails";
    let fail = Judgement::fail(Code::PushTargetNone, summary, fix);
    Some(fail.with([Evidence::foreign("refspec", lost.value.unwrap_or_default())]))
}

/// The source of a refspec that names one ref or commit. Pure.
fn source(refspec: &str) -> Option<&str> {
    let refspec = refspec.strip_prefix('+').unwrap_or(refspec);
    let source = refspec.split_once(':').map_or(refspec, |(source, _)| source);
    let is_other = source.is_empty() || source.contains('*') || source.starts_with(['^', '-']);
    (!is_other).then_some(source)
}

/// Whether git finds no ref and no commit of this name.
fn lacks(context: &Context, source: &str) -> bool {
    let answer = git::ask(context, &["rev-parse", "--verify", "--quiet", source]);
    answer.is_ok_and(|output| !output.status.success())
}

/// git may be configured not to use ssh here, or no folder. It starts nothing for the answer but
/// true(1).
fn forbidden(push: &ForeseenPush, config: &EffectiveConfig) -> Option<Judgement> {
    let context = push.context;
    // what git is given here is in its answer
    let is_ours = |key: &str| key == "protocol.ext.allow";
    let is_set = config.under("protocol.").any(|setting| !is_ours(setting.key))
        || context.env.raw(observed::GIT_ALLOW_PROTOCOL).is_some()
        || context.env.raw("GIT_PROTOCOL_FROM_USER").is_some();
    let transport = |url: &String| {
        if GitUrl::parse(url).is_ok_and(|url| url.transport().is_ssh()) {
            return Some("ssh");
        }
        local_folder(url, &push.layout.top).map(|_| "file")
    };
    let transport = push.urls().iter().find_map(transport).filter(|_| is_set)?;
    let mut git = git_cli::command(Place::AsAgent(context.folder.as_deref()?));
    let url = match transport {
        "file" => "file:///pushready.invalid/none",
        _ => "ssh://pushready.invalid/none",
    };
    git.args(["ls-remote", url]).env("GIT_SSH_COMMAND", "true");
    // the caller's, which is not ours here
    match context.env.raw(observed::GIT_ALLOW_PROTOCOL) {
        Some(protocols) => git.env(observed::GIT_ALLOW_PROTOCOL, protocols),
        None => git.env_remove(observed::GIT_ALLOW_PROTOCOL),
    };
    let said = process::run(git, context.deadline(PATIENCE)).ok()?.stderr;
    if let Some(error) = ConfigError::parse(&said) {
        let summary = "git rejects a value of its configuration, so every push fails";
        return Some(git::refused_value(context, summary, &error));
    }
    said.contains(&format!("transport '{transport}' not allowed")).then(|| {
        let code = Code::GitTransportForbidden;
        let what = if transport == "file" { "folders as remotes" } else { transport };
        let summary = format!("git is configured not to use {what}, so a plain `git push` fails");
        Judgement::fail(code, summary, push_message::fix(code, None))
    })
}

/// Pure.
fn judge(branch: &str, named: &PushTarget, config: &EffectiveConfig, top: &Path) -> Judgement {
    let short = branch.strip_prefix("refs/heads/").unwrap_or(branch);
    let text = |key: &str| config.text(key).filter(|text| !text.is_empty());
    let of_branch = |key: &str| text(&format!("branch.{short}.{key}"));
    let is_remote = |name: &str| {
        let mut keys = ["url", "pushurl"].into_iter();
        keys.any(|key| text(&format!("remote.{name}.{key}")).is_some())
    };
    let has_remotes = config.under("remote.").any(is_url);
    if names(branch, config).into_iter().flatten().next() == Some("") {
        let summary = "the remote of a push has an empty name, so a plain `git push` fails";
        let fix = "remove the empty value: `git config --show-origin --get-regexp \
                   'push(remote|default)$|^branch[.].*remote$'` names its file";
        return Judgement::fail(Code::PushTargetNone, summary, Fix::report(fix));
    }
    let remote = &*named.remote;
    if remote == "." {
        let is_of_branch = of_branch("pushremote").or_else(|| text("remote.pushdefault")).is_none();
        return other(
            "a plain `git push` goes to another branch of this clone, to no server",
            None,
        )
        .fixed(if is_of_branch && is_remote(&named.default) {
            push_under_own_name(&named.default, top)
        } else {
            unset_upstream(top)
        });
    }
    if ["url", "pushurl"].iter().all(|key| text(&format!("remote.{remote}.{key}")).is_none())
        && config.text(&format!("remote.{remote}.url")) == Some("")
    {
        let summary = "the remote has an empty URL, so a plain `git push` fails";
        let fix = "set it: `git remote set-url REMOTE URL`, after `git config --unset-all remote.REMOTE.url`";
        return Judgement::fail(Code::PushTargetNone, summary, Fix::report(fix));
    }
    let pushes_to = of_branch("pushremote").or_else(|| text("remote.pushdefault"));
    // a URL or a path may replace the name
    if !is_remote(remote) && !remote.contains([':', '/']) {
        let summary = format!("there is no remote {}", shown(remote));
        if pushes_to.is_some() {
            let fix = Fix::report(
                "correct `branch.NAME.pushRemote` or `remote.pushDefault`: `git config \
                 --show-origin --get-regexp 'push(remote|default)$'` names the file",
            );
            let summary = format!("{summary}, so a plain `git push` fails");
            return Judgement::fail(Code::PushTargetNone, summary, fix);
        }
        if has_remotes {
            let say = "push to one of the remotes, and make that the upstream";
            let fix = Fix::report(format!("{say}: `git push -u REMOTE HEAD`"));
            return none(format!("{summary}, and a plain `git push` needs one"), fix);
        }
        let summary = "the clone has no remote, so a plain `git push` goes nowhere".to_owned();
        return none(summary, Fix::report("add one: `git remote add origin URL`"));
    }
    if let Some(helper) = text(&format!("remote.{remote}.vcs")) {
        return other("`remote.NAME.vcs` hands a push over to another program", Some(helper));
    }
    if config.is_true(&format!("remote.{remote}.mirror")) {
        return other(
            "the remote is a mirror: a plain `git push` overwrites and deletes all branches there",
            None,
        );
    }
    if let Some(refspec) = text(&format!("remote.{remote}.push")) {
        let is_same = named.remote_ref == branch
            || matches!(refspec.trim_start_matches('+'), "HEAD" | ":" | "@")
            || refspec.trim_start_matches('+') == branch
            || refspec.trim_start_matches('+') == short;
        let is_of_all = refspec.trim_start_matches('+').starts_with("refs/heads/*");
        return if is_of_all {
            other("`remote.NAME.push` sends all branches with a plain `git push`", Some(refspec))
        } else if is_same {
            passed()
        } else {
            other("`remote.NAME.push` sends the branch to a ref of another name", Some(refspec))
        };
    }
    by_default(branch, named, config, top)
}

fn is_url(value: ConfigValue) -> bool {
    value.key.rsplit('.').next() == Some("url")
}

/// By `push.default`. Pure.
fn by_default(branch: &str, named: &PushTarget, config: &EffectiveConfig, top: &Path) -> Judgement {
    let PushTarget { remote, default: default_remote, .. } = named;
    let short = branch.strip_prefix("refs/heads/").unwrap_or(branch);
    let of_branch = |key: &str| config.text(&format!("branch.{short}.{key}"));
    let upstream = of_branch("merge");
    let fetched_from = of_branch("remote").unwrap_or(default_remote);
    let is_triangular = fetched_from != remote;
    let push = || push_under_own_name(remote, top);
    let key = format!("branch.{short}.merge");
    let upstreams = config.under(&key).filter(|value| value.key == key).count();
    match (&*default(config), upstream) {
        ("upstream" | "tracking" | "simple", Some(_)) if upstreams > 1 && !is_triangular => {
            let summary = "the branch has several upstreams, so a plain `git push` is refused";
            let fix = "keep one: `git branch --unset-upstream`, then `git push -u REMOTE HEAD`; \
                       `git config --show-origin --get-all branch.NAME.merge` names their files";
            Judgement::fail(Code::PushTargetNone, summary, Fix::report(fix))
        }
        ("nothing", _) => none(
            "push.default is `nothing`, so a plain `git push` is refused".to_owned(),
            Fix::report(format!(
                "name the target: `git push {} HEAD`",
                if is_plain(remote) { remote } else { "REMOTE" }
            )),
        ),
        ("upstream" | "tracking" | "simple", None)
            if config.is_true("push.autosetupremote") && !is_triangular =>
        {
            passed()
        }
        ("upstream" | "tracking", _) if is_triangular => {
            none("the upstream is on another remote than the one for pushes".to_owned(), push())
        }
        ("simple", _) if is_triangular => passed(),
        ("upstream" | "tracking" | "simple", None) => {
            none("the branch has no upstream, so a plain `git push` is refused".to_owned(), push())
        }
        ("upstream" | "tracking", Some(upstream)) if upstream != branch => other(
            "the branch tracks one of another name, and a plain `git push` goes there",
            Some(upstream),
        )
        .fixed(push()),
        ("simple", Some(upstream)) if upstream != branch => none(
            "the upstream has another name than the branch, so a plain `git push` is refused"
                .to_owned(),
            push(),
        )
        .with([Evidence::foreign("upstream", upstream)]),
        _ => passed(),
    }
}

fn passed() -> Judgement {
    Judgement::pass("a plain `git push` goes to the branch of the same name")
}

fn none(summary: String, fix: Fix) -> Judgement {
    Judgement::warn(Code::PushTargetNone, summary, fix)
}

fn other(summary: &str, target: Option<&str>) -> Judgement {
    let fix = Fix::report("name the target: `git push REMOTE HEAD:refs/heads/BRANCH`");
    let target = target.map(|target| Evidence::foreign("target", target));
    Judgement::warn(Code::PushTargetOther, summary, fix).with(target)
}

fn push_under_own_name(remote: &str, top: &Path) -> Fix {
    let message = "push the branch under its own name, and make that its upstream";
    if is_plain(remote) {
        Fix::run(["git", "-C", &top.to_string_lossy(), "push", "-u", remote, "HEAD"], message)
    } else {
        Fix::report(format!("{message}: `git push -u REMOTE HEAD`"))
    }
}

fn unset_upstream(top: &Path) -> Fix {
    Fix::run(
        ["git", "-C", &top.to_string_lossy(), "branch", "--unset-upstream"],
        "remove the upstream of the branch, then push it under its own name",
    )
}

/// Whoever wrote the clone's configuration chose the name of the remote.
fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn shown(name: &str) -> String {
    if is_plain(name) { format!("`{name}`") } else { "as configured".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_of_a_plain_push_is_judged() {
        let none = (CheckStatus::Warn, Some(Code::PushTargetNone));
        let other = (CheckStatus::Warn, Some(Code::PushTargetOther));
        let pass = (CheckStatus::Pass, None);
        let same = &["branch.feat.remote\norigin", "branch.feat.merge\nrefs/heads/feat"][..];
        let main = &["branch.feat.remote\norigin", "branch.feat.merge\nrefs/heads/main"][..];
        for (what, remote, remote_ref, entries, extra, expected) in [
            ("same name", "origin", "", same, "", pass),
            ("no upstream", "origin", "", &[][..], "", none),
            ("set up by the push", "origin", "", &[][..], "push.autosetupremote\ntrue", pass),
            ("tracks main", "origin", "", main, "", none),
            ("tracks main, upstream", "origin", "", main, "push.default\nupstream", other),
            ("tracks main, current", "origin", "", main, "push.default\ncurrent", pass),
            ("same name, upstream", "origin", "", same, "push.default\nupstream", pass),
            ("nothing", "origin", "", same, "push.default\nnothing", none),
            ("fork", "fork", "", main, "remote.fork.url\ngit@h:f/app", pass),
            (
                "no such remote",
                "typo",
                "",
                same,
                "branch.feat.pushremote\ntypo",
                (CheckStatus::Fail, Some(Code::PushTargetNone)),
            ),
            (
                "an empty name",
                "",
                "",
                same,
                "branch.feat.pushremote\n",
                (CheckStatus::Fail, Some(Code::PushTargetNone)),
            ),
            ("a URL", "git@h:o/app", "", same, "branch.feat.pushremote\ngit@h:o/app", pass),
            ("this clone", ".", "", &["branch.feat.remote\n."][..], "", other),
            ("mirror", "origin", "", same, "remote.origin.mirror\ntrue", other),
            (
                "a refspec",
                "origin",
                "refs/for/main",
                same,
                "remote.origin.push\nrefs/heads/*:refs/for/*",
                other,
            ),
            ("HEAD as a refspec", "origin", "", main, "remote.origin.push\nHEAD", pass),
        ] {
            let url = "remote.origin.url\ngit@h:o/app";
            let listed: String = entries
                .iter()
                .chain([&url, &extra])
                .filter(|entry| !entry.is_empty())
                .map(|entry| format!("local\0file:.git/config\0{entry}\0"))
                .collect();
            let config = EffectiveConfig::parse(listed);
            let named = PushTarget {
                remote: remote.to_owned(),
                remote_ref: remote_ref.to_owned(),
                default: "origin".to_owned(),
                ..PushTarget::default()
            };
            let judgement = judge("refs/heads/feat", &named, &config, Path::new("/app"));
            assert_eq!((judgement.status, judgement.code), expected, "{what}: {judgement:?}");
        }
        let without = judge(
            "refs/heads/feat",
            &PushTarget::default(),
            &EffectiveConfig::default(),
            Path::new("/app"),
        );
        assert_eq!((without.status, without.code), none);
    }

    #[test]
    fn the_helper_of_a_url_is_what_git_starts() {
        for (url, expected) in [
            ("ext::sh -c true", Some("ext")),
            ("fd::17", Some("fd")),
            ("codecommit::eu-west-1://app", Some("codecommit")),
            ("HTTPS://h/o/app", Some("HTTPS")),
            ("keybase://team/app", Some("keybase")),
            ("ssh://h/o/app", None),
            ("git@h:o/app", None),
            ("git@h::o/app", None),
            ("/srv/app.git", None),
            ("DISABLED", None),
        ] {
            assert_eq!(helper(url), expected, "{url}");
        }
    }

    #[test]
    fn a_helper_is_allowed_by_the_policy_of_git() {
        // as git is asked
        let own = "protocol.ext.allow\nnever";
        for (helper, settings, protocols, from_user, expected) in [
            ("ext", &[own][..], None, None, false),
            ("ext", &["protocol.ext.allow\nalways", own], None, None, true),
            ("ext", &["protocol.allow\nalways", own], None, None, true),
            ("ext", &["protocol.ext.allow\nuser", own], None, Some("0"), false),
            ("ext", &["protocol.ext.allow\nalways", own], Some("ssh"), None, false),
            ("ext", &[own], Some("ssh:ext"), None, true),
            ("fd", &[own], None, None, true),
            ("fd", &[own], None, Some("0"), false),
            ("fd", &["protocol.allow\nnever", own], None, None, false),
            ("fd", &["protocol.fd.allow\nAlways", own], None, Some("0"), true),
        ] {
            let entry = |entry: &&str| format!("global\0file:/h/.gitconfig\0{entry}\0");
            let config = EffectiveConfig::parse(settings.iter().map(entry).collect::<String>());
            let allowed = is_allowed(helper, &config, protocols, from_user);
            assert_eq!(allowed, expected, "{helper} {settings:?} {protocols:?} {from_user:?}");
        }
    }
}
