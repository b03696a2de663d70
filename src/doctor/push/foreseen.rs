//! Refusals of a plain `git push` that the clone itself shows, without the network. What depends on
//! the server's branches is as of the last fetch, and warns.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::catalogue::{Code, Fix};
use crate::doctor::clones::InView;
use crate::doctor::context::Context;
use crate::doctor::git::setting::{self, SettingChange};
use crate::doctor::git::{self, Layout, Programs};
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git::url::GitUrl;
use crate::git_cli::effective_config::EffectiveConfig;
use crate::git_cli::{self, Place, remotes};
use crate::process::{self, Bounds, Completed};
use crate::push_message;
use crate::resource::file::{self, is_same};

pub const PATIENCE: Duration = Duration::from_secs(5);

/// A push of a branch to the one of the same name.
pub struct ForeseenPush<'a> {
    pub context: &'a Context<'a>,
    pub clone: &'a InView,
    pub layout: &'a Layout,
    /// `refs/heads/main`.
    pub branch: &'a str,
    /// A name, or a URL.
    pub remote: &'a str,
    /// The one of a branch that names none.
    pub default_remote: &'a str,
    /// The ref that remembers the branch of the remote, where that has commits that this one lacks
    /// and a push would not overwrite it.
    pub lacked: Option<&'a str>,
}

impl ForeseenPush<'_> {
    pub fn refusal(&self) -> Option<Judgement> {
        let urls = self.urls();
        let local = urls.iter().find_map(|url| self.of_folder(url));
        local
            .or_else(|| self.of_server_program(&urls))
            .or_else(|| self.of_submodules())
            .or_else(|| self.of_fork(&urls))
            .or_else(|| self.of_commits())
    }

    fn config(&self) -> &EffectiveConfig {
        self.clone.config()
    }

    pub fn urls(&self) -> Vec<String> {
        let mut remotes = self.clone.remotes().iter();
        let named = remotes.find(|remote| remote.name == self.remote);
        named.map_or_else(|| vec![self.remote.to_owned()], |remote| remote.push.clone())
    }

    /// Where the remote fetches from.
    pub fn fetch(&self) -> Option<&str> {
        let mut remotes = self.clone.remotes().iter();
        let named = remotes.find(|remote| remote.name == self.remote);
        named.map(|remote| &*remote.fetch)
    }

    fn git(&self, place: Place, arguments: &[&str]) -> Completed {
        let mut git = git_cli::command(place);
        git.args(arguments);
        process::run_within(Bounds::OBJECTS, git, self.context.deadline(PATIENCE))
    }

    fn ask(&self, arguments: &[&str]) -> Completed {
        let folder = self.context.folder.as_deref().unwrap_or(&self.layout.top);
        self.git(Place::AsAgent(folder), arguments)
    }

    /// The remote is a folder that is gone, or a clone in which the branch is checked out.
    fn of_folder(&self, url: &str) -> Option<Judgement> {
        let folder = self.layout.top.join(git::local_path(url)?);
        if file::head(&folder, 8).is_ok_and(|head| head.starts_with(b"# v") && folder.is_file()) {
            let summary = "a plain `git push` goes to a bundle, which takes no push";
            let fix = "set the remote to a repository: `git remote set-url REMOTE URL`";
            let fail = Judgement::fail(Code::PushRepositoryNotFound, summary, Fix::report(fix));
            return Some(fail.with([Evidence::foreign("push", url)]));
        }
        let home = &self.context.home.path;
        let what = git::no_repository(url, &self.layout.top, home);
        if let Some(what) = what.filter(|_| !git::is_marker(url, self.fetch())) {
            let summary = format!("a plain `git push` goes to {what}, so it fails");
            let fix = "correct the remote: `git remote -v` and `git config --show-origin \
                       --get-regexp '^branch[.]|pushdefault$'` show what names it";
            let judgement =
                Judgement::fail(Code::PushRepositoryNotFound, summary, Fix::report(fix));
            return Some(judgement.with([Evidence::foreign("push", url)]));
        }
        let other = Layout::around(&folder)?;
        let is_it = is_same(&other.top, &folder) || is_same(&other.git, &folder);
        if !is_it || other.branch().as_deref() != Some(self.branch) {
            return None;
        }
        let deadline = self.context.deadline(PATIENCE);
        let listed = EffectiveConfig::output(Place::GitDir(&other.git), deadline).ok()?;
        let config = EffectiveConfig::parse(listed.stdout);
        let deny = config.text("receive.denycurrentbranch").unwrap_or("refuse");
        if config.is_true("core.bare") || !refuses(deny) {
            return None;
        }
        let summary =
            "the remote is a clone in which this branch is checked out, so it refuses every push";
        let fix = "push to a branch of another name: `git push REMOTE HEAD:refs/heads/NAME`";
        let judgement = Judgement::fail(Code::PushBranchProtected, summary, Fix::report(fix));
        Some(judgement.with([Evidence::foreign("push", url)]))
    }

    /// The setting of the remote for the program that receives the push.
    fn of_server_program(&self, urls: &[String]) -> Option<Judgement> {
        let key = format!("remote.{}.receivepack", self.remote);
        let command = self.config().text(&key).filter(|it| !is_receive_pack(it))?;
        let is_local = urls.iter().all(|url| local_folder(url, &self.layout.top).is_some());
        let shown = Evidence::foreign("receivepack", command);
        let (context, config) = (self.context, self.config());
        let fix =
            setting::change(context, config, &key, SettingChange::Remove, "remove the setting");
        let programs = Programs { context: self.context, top: &self.layout.top };
        if is_local && git::program(command).is_some_and(|program| !programs.start(&program)) {
            let summary = "`remote.NAME.receivepack` names a program that is not installed, so every push fails";
            return Some(Judgement::fail(Code::PushTargetNone, summary, fix).with([shown]));
        }
        let summary = "`remote.NAME.receivepack` hands a push to another program of the server's";
        (!is_local).then(|| Judgement::warn(Code::PushTargetOther, summary, fix).with([shown]))
    }

    /// `push.recurseSubmodules`, or else `submodule.recurse`: the last of both counts.
    fn of_submodules(&self) -> Option<Judgement> {
        let values = self.config().under("").filter_map(|value| match value.key {
            "push.recursesubmodules" => Some(value.value.unwrap_or("yes").to_ascii_lowercase()),
            "submodule.recurse" => Some("on-demand".to_owned()),
            _ => None,
        });
        match &*values.last()? {
            "only" => {
                let summary = "push.recurseSubmodules is `only`: a plain `git push` pushes the \
                               submodules, and no commit of this repository";
                let fix = "`git push --recurse-submodules=on-demand`, or unset that setting";
                Some(Judgement::warn(Code::PushTargetNone, summary, Fix::report(fix)))
            }
            "on-demand" => {
                let path = self.unpushed_submodule()?;
                let url = self.without_key(&path)?;
                let summary = "a plain `git push` pushes a submodule first, to a repository for \
                               which this workspace has no key";
                let fix = "push this repository alone: `git push --recurse-submodules=no`";
                let judgement = Judgement::warn(Code::PushTargetOther, summary, Fix::report(fix));
                let shown = [("submodule", &path), ("push", &url)];
                Some(judgement.with(shown.map(|(label, text)| Evidence::foreign(label, text))))
            }
            "check" => {
                let path = self.unpushed_submodule()?;
                let summary = "push.recurseSubmodules is `check`, and a submodule's commit is on \
                               no remote, so every push is refused";
                let fix = "push the submodule first, or `git push --recurse-submodules=on-demand`";
                let judgement = Judgement::fail(Code::PushTargetNone, summary, Fix::report(fix));
                Some(judgement.with([Evidence::foreign("submodule", &path)]))
            }
            _ => None,
        }
    }

    /// Where a submodule is pushed to over SSH, if there is no key for it.
    fn without_key(&self, path: &str) -> Option<String> {
        let place = self.layout.top.join(path);
        let listed = ["remote", "--verbose"];
        let listed =
            self.git(Place::Clone(&place), &listed).ok().filter(|it| it.status.success())?;
        let pushed = remotes::parse(&listed.stdout).into_iter().flat_map(|remote| remote.push);
        let lacks = |text: &String| {
            let url = GitUrl::parse(text).ok().filter(|url| url.transport().is_ssh());
            url.and_then(|url| url.repository().cloned())
                .is_some_and(|it| !self.context.has_key(&it))
        };
        { pushed }.find(lacks)
    }

    /// The first submodule with a commit that a push would publish and that none of its remotes
    /// has, as far as its clone knows (git's submodule.c, submodule_needs_pushing).
    fn unpushed_submodule(&self) -> Option<String> {
        let remotes = format!("--remotes={}", self.remote);
        // a signature would be shown by a program that the clone may name
        let log = ["log", "--no-show-signature", "--format=", "--raw", "-z", "-m"];
        let output = self.ask(
            &[
                &log[..],
                &[
                    "--no-abbrev",
                    "--no-renames",
                    "--ignore-submodules=none",
                    "HEAD",
                    "--not",
                    &remotes,
                ],
            ]
            .concat(),
        );
        let output = output.ok().filter(|output| output.status.success())?;
        let needs_push = |(path, commit): &(&str, &str)| {
            let folder = self.layout.top.join(path);
            let listed = ["rev-list", "--max-count=1", commit, "--not", "--remotes"];
            folder.join(".git").exists()
                && self
                    .git(Place::Clone(&folder), &listed)
                    .is_ok_and(|it| it.status.success() && !it.stdout.trim().is_empty())
        };
        let mut changed = gitlinks(&output.stdout).into_iter();
        changed.find(needs_push).map(|(path, _)| path.to_owned())
    }

    /// The branch is fetched from a repository with a key, and pushed to one without.
    fn of_fork(&self, urls: &[String]) -> Option<Judgement> {
        let short = self.branch.strip_prefix("refs/heads/")?;
        let source = self.config().text(&format!("branch.{short}.remote"));
        let source = source.unwrap_or(self.default_remote);
        let mut remotes = self.clone.remotes().iter();
        let source = remotes.find(|remote| remote.name == source && source != self.remote)?;
        let has_key = |url: &str| {
            let url = GitUrl::parse(url).ok()?;
            let keyed = self.context.has_key(url.repository()?);
            url.transport().is_ssh().then_some(keyed)
        };
        let is_known = urls.iter().all(|url| has_key(url) == Some(false));
        (has_key(&source.fetch) == Some(true) && is_known).then(|| {
            let summary = "a plain `git push` goes to another repository, for which this workspace \
                           has no key";
            let fix = "remove `branch.NAME.pushRemote` or `remote.pushDefault` if that is not \
                       intended: `git config --show-origin --get-regexp 'push(remote|default)$'`";
            Judgement::warn(Code::PushTargetOther, summary, Fix::report(fix))
                .with(urls.first().map(|url| Evidence::foreign("push", url)))
        })
    }

    /// The remote's branch has commits that this one lacks.
    fn of_commits(&self) -> Option<Judgement> {
        let lacked = self.lacked?;
        let code = Code::PushNonFastForward;
        let summary = "as of the last fetch, the remote's branch has commits that this one \
                       lacks: a plain `git push` is refused unless it was reset there";
        let judgement = Judgement::warn(code, summary, push_message::fix(code, None));
        Some(judgement.with([Evidence::foreign("remote's branch", lacked)]))
    }
}

/// With `push.default=matching` a push concerns all branches that the remote has, too.
pub fn of_matching(context: &Context, branch: &str) -> Option<Judgement> {
    let fields = "--format=%(refname)%00%(objectname)%00%(push)";
    let output = git::ask(context, &["for-each-ref", fields, "refs/heads", "refs/remotes"]).ok()?;
    judge_matching(&output.stdout, branch)
}

/// From the name, the object and the remembered counterpart of each branch. Pure.
fn judge_matching(listed: &str, branch: &str) -> Option<Judgement> {
    let refs: Vec<(&str, &str, &str)> = listed
        .lines()
        .filter_map(|line| {
            let mut fields = line.split('\0');
            Some((fields.next()?, fields.next()?, fields.next()?))
        })
        .collect();
    let remembered = |name: &str| refs.iter().find(|it| it.0 == name).map(|it| it.1);
    let own = refs.iter().find(|(name, ..)| *name == branch)?;
    if remembered(own.2).is_none() {
        let summary = "push.default is `matching`, and the remote has no branch of this name as of \
                       the last fetch: a plain `git push` does not push it";
        let fix = "push the branch by name: `git push REMOTE HEAD`";
        return Some(Judgement::warn(Code::PushTargetNone, summary, Fix::report(fix)));
    }
    let others = refs.iter().filter(|(name, object, counterpart)| {
        let is_branch = name.starts_with("refs/heads/") && *name != branch;
        is_branch && remembered(counterpart).is_some_and(|it| it != *object)
    });
    let others: Vec<_> = others.map(|(name, ..)| *name).collect();
    let first = others.first()?;
    let summary = "push.default is `matching`: a plain `git push` pushes other branches, too";
    let fix = "push this branch alone: `git push REMOTE HEAD`, or set push.default to `simple`";
    let judgement = Judgement::warn(Code::PushTargetOther, summary, Fix::report(fix));
    let shown = [
        Evidence::new("other branches", others.len().to_string()),
        Evidence::foreign("first", first),
    ];
    Some(judgement.with(shown))
}

/// The paths and the new commits of submodules in what `git log --raw -z` printed. Pure.
fn gitlinks(log: &str) -> Vec<(&str, &str)> {
    let mut fields = log.split('\0').map(|field| field.trim_start_matches('\n'));
    let mut found = Vec::new();
    while let Some(field) = fields.next() {
        let Some(change) = field.strip_prefix(':') else { continue };
        let mut words = change.split(' ');
        let is_link = words.nth(1) == Some("160000");
        let (commit, path) = (words.nth(1), fields.next());
        if let (true, Some(commit), Some(path)) = (is_link, commit, path) {
            found.push((path, commit));
        }
    }
    found
}

/// The folder that a URL means. Pure.
pub fn local_folder(url: &str, top: &Path) -> Option<PathBuf> {
    git::local_path(url).filter(|path| path.contains('/')).map(|path| top.join(path))
}

/// Whether a clone refuses a push to the branch that is checked out (git-config(1),
/// receive.denyCurrentBranch). Pure.
fn refuses(deny: &str) -> bool {
    let accepts = ["updateinstead", "warn", "ignore", "false", "no", "off", "0"];
    !accepts.iter().any(|word| deny.eq_ignore_ascii_case(word))
}

/// Pure.
fn is_receive_pack(command: &str) -> bool {
    matches!(command.trim(), "git-receive-pack" | "git receive-pack" | "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::CheckStatus;

    #[test]
    fn the_submodules_that_commits_change_are_read_from_the_log() {
        let (old, new) = ("1".repeat(40), "2".repeat(40));
        let log = format!(
            ":100644 100644 {old} {new} M\0f\0\n:160000 160000 {old} {new} M\0libs/a b\0\
             :160000 000000 {old} {old} D\0gone\0:000000 160000 {old} {new} A\0new\0"
        );
        assert_eq!(gitlinks(&log), [("libs/a b", &*new), ("new", &*new)]);
        assert_eq!(gitlinks(""), []);
        assert_eq!(gitlinks(":160000\0"), []);
    }

    #[test]
    fn a_push_of_matching_branches_concerns_what_the_remote_has() {
        let (main, feat) = ("refs/heads/main", "refs/heads/feat");
        let line = |name: &str, object: &str, push: &str| format!("{name}\0{object}\0{push}\n");
        let own = line(main, "a", "refs/remotes/o/main");
        let other = line(feat, "b", "refs/remotes/o/feat");
        let there = |name: &str, object: &str| line(name, object, "");
        for (listed, expected) in [
            ([&*own, &*there("refs/remotes/o/main", "x")].concat(), None),
            (own.clone(), Some(Code::PushTargetNone)),
            ([&*own, &*other, &*there("refs/remotes/o/main", "a")].concat(), None),
            (
                [
                    &*own,
                    &*other,
                    &*there("refs/remotes/o/main", "a"),
                    &*there("refs/remotes/o/feat", "b"),
                ]
                .concat(),
                None,
            ),
            (
                [
                    &*own,
                    &*other,
                    &*there("refs/remotes/o/main", "a"),
                    &*there("refs/remotes/o/feat", "c"),
                ]
                .concat(),
                Some(Code::PushTargetOther),
            ),
            (String::new(), None),
        ] {
            let judgement = judge_matching(&listed, main);
            assert!(judgement.iter().all(|it| it.status == CheckStatus::Warn));
            assert_eq!(judgement.and_then(|it| it.code), expected, "{listed:?}");
        }
    }

    #[test]
    fn a_path_is_not_a_url() {
        let top = Path::new("/app");
        for (url, folder) in [
            ("/srv/app.git", Some("/srv/app.git")),
            ("file:///srv/app.git", Some("/srv/app.git")),
            ("../other", Some("/app/../other")),
            ("./a:b", Some("/app/./a:b")),
            ("git@h:o/app.git", None),
            ("ssh://h/o/app", None),
            ("https://h/o/app", None),
            ("DISABLED", None),
        ] {
            assert_eq!(local_folder(url, top).as_deref(), folder.map(Path::new), "{url}");
        }
        for (deny, expected) in [("refuse", true), ("true", true), ("updateInstead", false)] {
            assert_eq!(refuses(deny), expected, "{deny}");
        }
    }
}
