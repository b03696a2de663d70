//! How a clone's own proxy and authorities lead git to a server over HTTPS.

use crate::doctor::context::{Context, NETWORK};
use crate::doctor::git::way;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git::url::{GitUrl, Repository};
use crate::git_cli::effective_config::ConfigValue;
use crate::git_cli::scratch::Scratch;
use crate::process::{self, Bounds};
use crate::push_message::{Hints, classify};
use crate::variables::observed;

/// How a clone's own configuration leads git to the server. Nothing of the user's is sent that way,
/// such as a login in `~/.netrc` or a header of `http.extraHeader`: whoever wrote the clone's
/// configuration would receive it.
pub struct OwnWay {
    /// Keys and values for git: those of the user and the system that decide the way, too.
    settings: Vec<(String, String)>,
    /// The keys as the clone has them.
    keys: Vec<String>,
}

impl OwnWay {
    pub fn of(context: &Context, repository: &Repository, url: &GitUrl) -> Self {
        let mut own = Self { settings: Vec::new(), keys: Vec::new() };
        for clone in context.clones.of(repository) {
            let settings = way::settings(clone.config());
            let mut add = |key: &str, setting: ConfigValue| {
                if setting.is_own {
                    own.keys.push(setting.key.to_owned());
                }
                let value = setting.value.unwrap_or_default();
                own.settings.push((key.to_owned(), value.to_owned()));
            };
            for setting in settings {
                add(setting.key, setting);
            }
            // git takes it before every `http.proxy`, also an empty one
            if let Some(setting) = clone.of_remotes(repository, ".proxy").pop() {
                add(&format!("http.{}.proxy", url.without_credential()), setting);
            }
        }
        own
    }

    /// Whether the clone has no setting for it.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What git finds that way, without a credential; `None` where the server answers.
    pub fn ask(&self, context: &Context, scratch: &Scratch, url: &GitUrl) -> Option<Judgement> {
        let settings = self.settings.iter().map(|(key, value)| (&**key, &**value));
        let settings: Vec<_> = settings.collect();
        let Some(mut git) = scratch.git_with(&settings, context.deadline(NETWORK)) else {
            let summary = "the clone has a proxy or authorities of its own, which the doctor cannot give to a git before 2.31";
            let needs = "git 2.31 or newer, or `git ls-remote` in the clone";
            return Some(Judgement::unknown(summary, needs).with(self.evidence()));
        };
        git.args(["ls-remote", "--quiet", url.without_credential(), "HEAD"]);
        git.env(observed::GIT_ASKPASS, "false");
        let output = process::run_within(Bounds::ASKING, git, context.deadline(NETWORK)).ok()?;
        let hints = Hints { remote: url.repository(), failed: true, ..Hints::default() };
        let outcome = classify(&output.stderr, &hints).judgement();
        let is_cause = !output.status.success() && outcome.code.is_some_and(way::is_of_network);
        is_cause.then(|| outcome.with(self.evidence()))
    }

    pub fn evidence(&self) -> Vec<Evidence> {
        self.keys.iter().map(|key| Evidence::foreign("set in the clone", key)).collect()
    }
}
