//! How git reaches a server over HTTPS: proxy and authorities, in the clone or outside of it.

use crate::catalogue::Code;
use crate::doctor::context::{Context, NETWORK};
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git::url::{GitUrl, Repository, redact};
use crate::git_cli::scratch::Scratch;
use crate::process;
use crate::push_message::{Hints, classify};
use crate::variables::observed;

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

/// How a clone's own configuration leads git to the server. A credential is never sent that way:
/// whoever wrote the configuration would receive it.
pub struct OwnWay {
    /// Keys and values for git.
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
            let settings = settings.filter(|it| it.is_own && is_way(it.key));
            let mut add = |key: &str, shown: &str, value: Option<&str>| {
                own.keys.push(shown.to_owned());
                own.settings.push((key.to_owned(), value.unwrap_or_default().to_owned()));
            };
            for setting in settings {
                add(setting.key, setting.key, setting.value);
            }
            // git takes it before every `http.proxy`
            if let Some(setting) = clone.other_program(repository, ".proxy", "") {
                let key = format!("http.{}.proxy", url.without_credential());
                add(&key, setting.key, setting.value);
            }
        }
        own
    }

    pub const fn is_empty(&self) -> bool {
        self.settings.is_empty()
    }

    /// What git finds that way, without a credential; `None` where the server answers.
    pub fn ask(&self, context: &Context, scratch: &Scratch, url: &GitUrl) -> Option<Judgement> {
        let mut git = scratch.git();
        // not as arguments, which other users can read: a proxy may have a password
        let before = context.env.text(COUNT).and_then(|count| count.parse::<usize>().ok());
        let mut count = before.unwrap_or_default();
        let settings = self.settings.iter().map(|(key, value)| (&**key, &**value));
        for (key, value) in settings.chain([("credential.helper", ""), ("core.askPass", "false")]) {
            git.env(format!("GIT_CONFIG_KEY_{count}"), key);
            git.env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        git.env(COUNT, count.to_string());
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
