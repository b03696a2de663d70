//! How git reaches a server over HTTPS: proxy and authorities, in the clone or outside of it.

use crate::catalogue::Code;
use crate::doctor::context::{Context, NETWORK};
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git::url::{GitUrl, Repository, redact};
use crate::git_cli::effective_config::ConfigValue;
use crate::git_cli::scratch::Scratch;
use crate::process;
use crate::push_message::{Hints, classify};
use crate::variables::{self, observed};

/// The codes of a connection over HTTPS that is not made.
pub fn is_of_network(code: Code) -> bool {
    matches!(
        code,
        Code::GitUnreachable | Code::GitProxyRefused | Code::GitTlsUntrusted | Code::ClockSkew
    )
}

/// The settings of `http` that decide the way to the server. None of them starts a program.
const WAY: [&str; 7] =
    ["proxy", "sslcainfo", "sslcapath", "sslverify", "proxysslcainfo", "sslversion", "version"];
/// Where git, through libcurl, finds a proxy for https (libcurl-env(3)).
const PROXIES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// What names git's authorities before its configuration does.
const AUTHORITIES: [&str; 2] = ["GIT_SSL_CAINFO", "GIT_SSL_CAPATH"];

/// How many settings the environment gives to git (git-config(1), from 2.31 on).
const COUNT: &str = "GIT_CONFIG_COUNT";

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
            let is_way = |key: &str| key.rsplit('.').next().is_some_and(|name| WAY.contains(&name));
            let settings = clone.config().under("http.");
            let settings = settings.filter(|it| is_way(it.key));
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
            // git takes it before every `http.proxy`
            if let Some(setting) = clone.other_program(repository, ".proxy", "") {
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
        let mut git = scratch.git();
        // no other configuration, and no netrc(5)
        let home = scratch.folder();
        git.env(variables::HOME, home).env(variables::XDG_CONFIG_HOME, home);
        git.env("GIT_CONFIG_NOSYSTEM", "1");
        for name in [variables::GIT_CONFIG_GLOBAL, "GIT_CONFIG_PARAMETERS", "GIT_SSL_CERT"] {
            git.env_remove(name);
        }
        // not as arguments, which other users can read: a proxy may have a password
        for (nth, (key, value)) in self.settings.iter().enumerate() {
            git.env(format!("GIT_CONFIG_KEY_{nth}"), key);
            git.env(format!("GIT_CONFIG_VALUE_{nth}"), value);
        }
        git.env(COUNT, self.settings.len().to_string());
        git.args(["ls-remote", "--quiet", url.without_credential(), "HEAD"]);
        git.env(observed::GIT_ASKPASS, "false");
        let output = process::run(git, context.deadline(NETWORK)).ok()?;
        let hints = Hints { remote: url.repository(), failed: true, ..Hints::default() };
        let outcome = classify(&output.stderr, &hints).judgement();
        let is_cause = !output.status.success() && outcome.code.is_some_and(is_of_network);
        is_cause.then(|| outcome.with(self.evidence()))
    }

    pub fn evidence(&self) -> Vec<Evidence> {
        self.keys.iter().map(|key| Evidence::foreign("set in the clone", key)).collect()
    }
}

/// Which proxy and which authorities git has, and from where.
pub fn evidence_of_way(context: &Context) -> Vec<Evidence> {
    let config = context.git_config();
    let of_config = |label, name: &str| {
        let suffix = format!(".{name}");
        let setting = config.under("http.").filter(|it| it.key.ends_with(&suffix)).last()?;
        let value = redact(setting.value.unwrap_or_default());
        Some(Evidence::foreign(label, &format!("{value} ({}, {})", setting.key, setting.origin)))
    };
    let of_variable = |label, names: &[&str]| {
        let name = names.iter().find(|name| context.env.get(name).is_some())?;
        let value = redact(&context.env.text(name).unwrap_or_default());
        Some(Evidence::foreign(label, &format!("{value} ({name})")))
    };
    let proxy = of_config("proxy", "proxy").or_else(|| of_variable("proxy", &PROXIES));
    let authorities =
        of_variable("authorities", &AUTHORITIES).or_else(|| of_config("authorities", "sslcainfo"));
    proxy.into_iter().chain(authorities).collect()
}
