//! Can the agent reach its model? Asked as that client would ask: by its proxies, its exceptions and
//! its authorities, with one question that needs no login.

mod authorities;
mod endpoint;
mod judge;
mod names;
mod no_proxy;
mod proxy;
mod rules;
mod variables;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;

use super::claude::environment as claude_settings;
use super::codex::ModelHost;
use super::context::Context;
use super::outcome::{CheckStatus, Evidence, Judgement};
use super::pool;
use super::{claude, codex};
use crate::catalogue::Fix;
use crate::client::{Client, PerClient};
use crate::http::probe::{self, Question, Trust};
use crate::process::{self, Program};
use crate::secret::Mode;
use authorities::{Authorities, AuthorityFlaw, CertificateVerdict, FlawWeight};
use endpoint::{CodexLogin, Endpoint, Endpoints};
use judge::{AskedHost, OwnLogin};
use proxy::ProxyWay;
use rules::{NetworkRules, Strictness};
use variables::Variables;

/// Longer than a slow handshake through a proxy, shorter than anybody waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// A WebSocket that hangs proves nothing.
const UPGRADE: Duration = Duration::from_millis(1500);
const VERSION: Duration = Duration::from_secs(2);

/// What was found of each client, once a run.
struct NetworkVerdicts(PerClient<OnceLock<Judgement>>);
/// The system's store.
struct SystemStore(Vec<CertificateDer<'static>>);
/// The version that `claude --version` prints.
struct InstalledVersions(PerClient<OnceLock<Option<[u32; 3]>>>);

/// Whether Codex reaches its model.
pub fn codex(context: &Context) -> Judgement {
    of(context, Client::Codex)
}

/// Whether Claude Code reaches its model.
pub fn claude(context: &Context) -> Judgement {
    of(context, Client::Claude)
}

fn of(context: &Context, client: Client) -> Judgement {
    let verdicts =
        context.gathered.get(|| NetworkVerdicts(PerClient::new(|_| OnceLock::default())));
    verdicts.0.get(client).get_or_init(|| check(context, client)).clone()
}

/// The variables of Codex's environment, and the files of authorities that they name.
pub fn codex_environment(context: &Context) -> Vec<Judgement> {
    with_flaws(context, Client::Codex, vec![codex::environment(context)])
}

/// The same of Claude Code.
pub fn claude_environment(context: &Context) -> Vec<Judgement> {
    with_flaws(context, Client::Claude, claude::environment(context))
}

/// A pass is reported where there is nothing else.
fn with_flaws(context: &Context, client: Client, others: Vec<Judgement>) -> Vec<Judgement> {
    if !context.has_login(client) {
        return others;
    }
    let variables = variables(context, client);
    let rules = rules_for_authorities(context, client, &variables);
    let found = authorities(context, rules, &variables);
    let flaws: Vec<_> = found.flaws.iter().map(|flaw| flawed(rules, flaw)).collect();
    if flaws.is_empty() {
        return others;
    }
    let is_pass = |judgement: &Judgement| judgement.status == CheckStatus::Pass;
    others.into_iter().filter(|it| !is_pass(it)).chain(flaws).collect()
}

/// A variable that names no file of authorities.
fn flawed(rules: &NetworkRules, flaw: &AuthorityFlaw) -> Judgement {
    let AuthorityFlaw { setting, defect, weight } = flaw;
    let (name, client) = (setting.name, rules.name);
    let summary = match weight {
        FlawWeight::Fails => format!("{name} {}: every request of {client} fails", defect.says()),
        FlawWeight::Ignored => format!("{name} {}: {client} ignores it", defect.says()),
        FlawWeight::LosesStore => {
            format!(
                "{name} {}: {client} then has no authority of the system's store",
                defect.says()
            )
        }
    };
    let message = format!("correct the path in {name}, put the file there, or unset {name}");
    let fix = match setting.file() {
        Some(path) => Fix::edit(path, message),
        None => Fix::report(message),
    };
    let code = rules.codes.tls_untrusted;
    let judgement = match weight {
        FlawWeight::Fails => Judgement::fail(code, summary, fix),
        FlawWeight::Ignored | FlawWeight::LosesStore => Judgement::warn(code, summary, fix),
    };
    judgement.about(name).with([
        Evidence::foreign("file", &setting.value),
        Evidence::new("set in", setting.origin()),
    ])
}

fn variables<'c>(context: &'c Context, client: Client) -> Variables<'c> {
    let files = match client {
        Client::Codex => vec![codex::variable_file(context)],
        Client::Claude => claude_settings::variables_of_files(context),
    };
    Variables { env: context.env, files }
}

/// The rules of the client that is installed. Its version is asked for only where it matters.
fn rules_for<T: PartialEq>(
    context: &Context,
    client: Client,
    predict: impl Fn(&NetworkRules) -> T,
) -> &'static NetworkRules {
    let rules = rules::of(client);
    let Some((since, older)) = rules::older(client) else { return rules };
    if predict(rules) == predict(older) {
        return rules;
    }
    match installed(context, client) {
        Some(version) if version >= since => rules,
        // a configuration that works with every version is asked for
        _ => older,
    }
}

fn rules_for_authorities(
    context: &Context,
    client: Client,
    variables: &Variables,
) -> &'static NetworkRules {
    rules_for(context, client, |rules| {
        let Authorities { plan, flaws, .. } = authorities(context, rules, variables);
        (plan, flaws)
    })
}

fn installed(context: &Context, client: Client) -> Option<[u32; 3]> {
    let versions =
        context.gathered.get(|| InstalledVersions(PerClient::new(|_| OnceLock::default())));
    *versions.0.get(client).get_or_init(|| {
        let mut command = process::command_in(Program::Client(client), context.env);
        command.arg("--version");
        let output = process::run(command, context.deadline(VERSION)).ok()?;
        version(&output.stdout)
    })
}

/// `2.1.330 (Claude Code)`
fn version(text: &str) -> Option<[u32; 3]> {
    let word =
        text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut parts = word.split(['.', '-']).map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

fn authorities(context: &Context, rules: &NetworkRules, variables: &Variables) -> Authorities {
    let system = context.gathered.get(|| SystemStore(authorities::system_store()));
    Authorities::read(rules, authorities::plan(rules, variables), &system.0)
}

/// What the client needs, or why nothing is asked.
fn endpoints(
    context: &Context,
    client: Client,
    variables: &Variables,
) -> Result<Endpoints, Box<Judgement>> {
    let now = context.env.now;
    let no_url = |by: &str, url: &str| Err(Box::new(judge::base_url(rules::of(client), by, url)));
    let skip = |why: &str| Err(Box::new(Judgement::skip(why)));
    match client {
        Client::Codex => {
            let Some((auth, host)) = codex::model_host(context) else {
                return skip("no Codex login is configured, and none is present");
            };
            let uses_login = !matches!(host, ModelHost::Own { uses_login: false, .. });
            let login = match auth.map(|auth| (auth.mode(), auth)) {
                Some((Mode::BedrockApiKey | Mode::BedrockAccessKeys, _)) => {
                    return skip("Codex uses Amazon Bedrock, which is not asked");
                }
                Some((Mode::ApiKey, _)) => CodexLogin::ApiKey,
                _ if context.env.get("CODEX_API_KEY").is_some() => CodexLogin::ApiKey,
                Some((_, auth)) => CodexLogin::ChatGpt {
                    renews: uses_login && auth.has_refresh_token(),
                    expires: auth.access_expires(),
                },
                None => CodexLogin::ChatGpt { renews: false, expires: None },
            };
            let base = match host {
                ModelHost::Vendor => None,
                ModelHost::NotAsked(why) => return skip(why),
                ModelHost::Own { url, set_by, without_websockets, .. } => {
                    // Codex takes blanks as a part of it
                    let is_trimmed = url.trim() == url;
                    match endpoint::own(&url, endpoint::OF_CODEX, &set_by) {
                        Some(endpoint) if is_official(&endpoint) && !without_websockets => None,
                        Some(endpoint) if is_trimmed => Some(endpoint),
                        _ => return no_url(&set_by, &url),
                    }
                }
            };
            Ok(endpoint::codex(login, base, now))
        }
        Client::Claude => {
            let Some((renews, expires)) = claude::renewal(context) else {
                return skip("no Claude Code login is configured, and none is present");
            };
            if let Some(unread) = claude_settings::unread(context) {
                return Err(Box::new(unread));
            }
            if let Some(name) = claude_settings::other_service(context) {
                let why =
                    format!("{name} sends Claude Code to another service, which is not asked");
                return skip(&why);
            }
            let base = variables.get("ANTHROPIC_BASE_URL").filter(|base| !base.is_blank());
            let base = match base {
                None => None,
                Some(setting) => {
                    let (url, by) = (setting.value.trim(), setting.origin());
                    match endpoint::own(url, endpoint::OF_CLAUDE, &by) {
                        Some(endpoint) if is_official(&endpoint) => None,
                        Some(endpoint) => Some(endpoint),
                        None => return no_url(&by, url),
                    }
                }
            };
            Ok(endpoint::claude(base, renews, expires, now))
        }
    }
}

/// Whether a base URL only repeats the vendor's own host.
fn is_official(endpoint: &Endpoint) -> bool {
    let target = &endpoint.target;
    let hosts = ["api.anthropic.com", "api.openai.com", "chatgpt.com"];
    target.tls && target.port == 443 && hosts.contains(&&*target.host)
}

/// What decides the way, and must not be a repository's.
fn ways(rules: &NetworkRules) -> Vec<&'static str> {
    let proxies = [rules.https_proxies, rules.http_proxies, &[rules.last_proxies]].concat();
    let proxies = proxies.into_iter().flatten().copied();
    let others = rules.exceptions.iter().chain(authorities::names(rules.client)).copied();
    proxies.chain(others).chain(["ANTHROPIC_BASE_URL"]).collect()
}

fn check(context: &Context, client: Client) -> Judgement {
    let variables = &variables(context, client);
    let endpoints = match endpoints(context, client, variables) {
        Ok(endpoints) => endpoints,
        Err(judgement) => return *judgement,
    };
    if context.sandboxed() {
        let reason = "run the doctor outside of the agent's sandbox";
        return Judgement::unknown("the sandbox denies the network", reason);
    }
    if let Some(setting) = variables.of_project(&ways(rules::of(client))) {
        return Judgement::unknown(
            format!(
                "a repository's settings set {}, which the doctor does not follow",
                setting.name
            ),
            "the setting in the user's own settings, or in the template's environment",
        )
        .with([Evidence::new("set in", setting.origin())]);
    }
    Probe::new(context, client, variables).all(&endpoints)
}

/// The way to a host, and that of the other client, where it has a login as well.
struct Ways {
    own: ProxyWay,
    theirs: Option<ProxyWay>,
}

/// The questions of one client.
struct Probe<'a> {
    context: &'a Context<'a>,
    rules: &'static NetworkRules,
    other: &'static NetworkRules,
    variables: &'a Variables<'a>,
    authorities: Authorities,
    trust: Trust,
    own_login: OwnLogin,
    end: Instant,
}

impl<'a> Probe<'a> {
    fn new(context: &'a Context, client: Client, variables: &'a Variables) -> Self {
        let end = Instant::now() + context.deadline(PATIENCE);
        let rules = rules_for_authorities(context, client, variables);
        let authorities = authorities(context, rules, variables);
        let trust = authorities.trust();
        let others = Client::ALL.iter().find(|other| **other != client);
        let other = others.map_or(rules, |other| rules::of(*other));
        let own_login = match client {
            Client::Codex => OwnLogin::default(),
            Client::Claude => OwnLogin {
                proxy_helper: claude_settings::proxy_helper(context),
                certificate: rules
                    .client_certificate
                    .and_then(|name| variables.get(name))
                    .is_some_and(|setting| !setting.is_blank()),
            },
        };
        Self { context, rules, other, variables, authorities, trust, own_login, end }
    }

    fn all(&self, endpoints: &Endpoints) -> Judgement {
        // as the client's environment has it: in the same words, so that it is printed once
        if let Some(flaw) = self.authorities.fatal() {
            return flawed(self.rules, flaw);
        }
        let (model, renewal) = std::thread::scope(|scope| {
            let renewal = endpoints
                .renewal
                .as_ref()
                .map(|renewal| pool::start(scope, move || self.one(&renewal.endpoint)));
            (self.model(endpoints), renewal.map(pool::Started::join))
        });
        match renewal.zip(endpoints.renewal.as_ref()) {
            Some((found, renewal)) => with_renewal(model, found, renewal),
            None => model,
        }
    }

    fn model(&self, endpoints: &Endpoints) -> Judgement {
        let model = self.one(&endpoints.model);
        let Some(target) = endpoints.websocket.as_ref() else { return model };
        if model.status != CheckStatus::Pass {
            return model;
        }
        let endpoint = Endpoint { target: target.clone(), ..endpoints.model.clone() };
        let end = self.end.min(Instant::now() + UPGRADE);
        self.ask(&endpoint, &self.ways(&endpoint), true, end, judge::websocket)
            .map_or(model.clone(), |blocked| blocked.with(model.evidence))
    }

    fn one(&self, endpoint: &Endpoint) -> Judgement {
        let ways = &self.ways(endpoint);
        let both = || {
            let compared =
                judge::compare((self.rules, &ways.own), (self.other, ways.theirs.as_ref()?));
            compared.map(|text| Evidence::foreign("both clients", &text))
        };
        if let ProxyWay::Unusable { why, .. } = &ways.own {
            let asked = self.asked(endpoint, ways, CertificateVerdict::Trusted, None);
            return judge::unusable(&asked, why).with(both());
        }
        let judgement = self.ask(endpoint, ways, false, self.end, judge::judge);
        let is_fail = judgement.status == CheckStatus::Fail;
        let codes = &self.rules.codes;
        let is_of_way =
            [Some(codes.unreachable), Some(codes.proxy_refused)].contains(&judgement.code);
        judgement
            .with([Evidence::foreign("authorities", &self.authorities.shown())])
            .with((is_fail && is_of_way).then(both).flatten())
    }

    fn ways(&self, endpoint: &Endpoint) -> Ways {
        let theirs = || {
            let variables = variables(self.context, self.other.client);
            proxy::choose(self.other, &variables, &endpoint.target)
        };
        Ways {
            own: proxy::choose(self.rules(endpoint), self.variables, &endpoint.target),
            theirs: self.context.has_login(self.other.client).then(theirs),
        }
    }

    /// The rules for the way to a host.
    fn rules(&self, endpoint: &Endpoint) -> &'static NetworkRules {
        let (variables, target) = (self.variables, &endpoint.target);
        rules_for(self.context, self.rules.client, |rules| {
            proxy::choose(rules, variables, target).shown()
        })
    }

    fn ask<T>(
        &self,
        endpoint: &Endpoint,
        ways: &Ways,
        upgrade: bool,
        end: Instant,
        judge: impl Fn(&AskedHost, &probe::ProbeAnswer) -> T,
    ) -> T {
        let answer = probe::ask(Question {
            target: &endpoint.target,
            proxy: ways.own.server(),
            trust: &self.trust,
            look_up: self.rules.look_up,
            order: self.rules.order,
            upgrade,
            end,
        });
        let shown = answer.presented.as_ref();
        let host = &endpoint.target.host;
        let verdict =
            shown.map_or(CertificateVerdict::Trusted, |shown| self.authorities.judge(shown, host));
        let known = shown.and_then(|shown| self.known_authority(shown, host));
        let known = known.as_ref().map(|(name, path)| (*name, path.as_str()));
        let asked = self.asked(endpoint, ways, verdict, known);
        let trusted_by_other = shown.and_then(|shown| self.trusted_by_other(shown, &asked));
        judge(&AskedHost { trusted_by_other, ..asked }, &answer)
    }

    fn asked<'b>(
        &'b self,
        endpoint: &'b Endpoint,
        ways: &'b Ways,
        verdict: CertificateVerdict,
        known_authority: Option<(&'b str, &'b str)>,
    ) -> AskedHost<'b> {
        AskedHost {
            rules: self.rules,
            endpoint,
            way: &ways.own,
            verdict,
            lacks_store: self.trust.roots.is_empty() && !self.trust.blind,
            own_login: self.own_login,
            known_authority,
            other: self.other,
            trusted_by_other: None,
            theirs: ways.theirs.as_ref(),
            now: self.context.env.now,
        }
    }

    /// The authorities with which the other client, if it has a login, trusts what this one refuses.
    fn trusted_by_other(&self, shown: &probe::Presented, asked: &AskedHost) -> Option<String> {
        let client = self.other.client;
        if !matches!(asked.verdict, CertificateVerdict::Refused(_))
            || !self.context.has_login(client)
        {
            return None;
        }
        let variables = variables(self.context, client);
        let rules = rules_for_authorities(self.context, client, &variables);
        let theirs = authorities(self.context, rules, &variables);
        let trusts =
            theirs.judge(shown, &asked.endpoint.target.host) == CertificateVerdict::Trusted;
        trusts.then(|| theirs.shown())
    }

    /// A file that has the authority, and a variable of others that names it.
    fn known_authority(
        &self,
        shown: &probe::Presented,
        host: &str,
    ) -> Option<(&'static str, String)> {
        if self.authorities.judge(shown, host) == CertificateVerdict::Trusted {
            return None;
        }
        let own = |name: &&&str| authorities::names(self.rules.client).contains(*name);
        let others = authorities::FILES.iter().filter(|name| !own(name));
        others.copied().find_map(|name| {
            let path = self.context.env.text(name)?;
            let roots = authorities::certificates(path.as_ref(), Strictness::Lenient).ok()?;
            let trust = Trust { roots, rules: self.rules.chains, blind: false };
            trust.accepts(&shown.chain, host).is_ok().then_some((name, path))
        })
    }
}

/// The model's verdict, and that of the host that renews the login.
fn with_renewal(model: Judgement, found: Judgement, renewal: &endpoint::Renewal) -> Judgement {
    let host = &renewal.endpoint.target.host;
    if model.status == CheckStatus::Fail || found.status == CheckStatus::Pass {
        return model;
    }
    let evidence = Evidence::new("renewal", format!("{host}: {}", found.summary));
    match (found.status, renewal.needed) {
        (CheckStatus::Fail, Some(at)) => {
            let summary = format!(
                "the model answers, but {host}, which renews the login, does not: the login works until {at}"
            );
            Judgement { status: CheckStatus::Warn, summary, stop_and_report: false, ..found }
                .with(model.evidence)
        }
        (CheckStatus::Fail, None) => {
            let summary = format!("the login has to be renewed now: {}", found.summary);
            Judgement { summary, ..found }
        }
        _ => model.with([evidence]),
    }
}

#[cfg(test)]
mod tests;
