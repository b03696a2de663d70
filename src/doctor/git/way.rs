//! How git and git-lfs reach a server over HTTPS: what decides it, and what a report shows of it.

use crate::catalogue::Code;
use crate::doctor::outcome::Evidence;
use crate::env::Env;
use crate::git::url::redact;
use crate::git_cli::effective_config::{ConfigValue, EffectiveConfig};

/// The settings of `http` that decide the way to the server. None of them starts a program.
const WAY: [&str; 7] =
    ["proxy", "sslcainfo", "sslcapath", "sslverify", "proxysslcainfo", "sslversion", "version"];
/// What names git's authorities before its configuration does.
const AUTHORITIES: [&str; 2] = ["GIT_SSL_CAINFO", "GIT_SSL_CAPATH"];

/// Where a program finds a proxy for https where git's configuration names none: the first that is
/// set counts.
pub struct ProxyVariables {
    names: [&'static str; 4],
    /// An empty one counts as well: there is no proxy.
    empty_counts: bool,
}

/// git, through libcurl.
pub const OF_GIT: ProxyVariables = ProxyVariables {
    names: ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
    empty_counts: true,
};
pub const OF_LFS: ProxyVariables = ProxyVariables {
    names: ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"],
    empty_counts: false,
};

/// The codes of a connection over HTTPS that is not made.
pub fn is_of_network(code: Code) -> bool {
    matches!(
        code,
        Code::GitUnreachable | Code::GitProxyRefused | Code::GitTlsUntrusted | Code::ClockSkew
    )
}

/// Those of a configuration.
pub fn settings(config: &EffectiveConfig) -> impl Iterator<Item = ConfigValue<'_>> {
    let is_way = |key: &str| key.rsplit('.').next().is_some_and(|name| WAY.contains(&name));
    config.under("http.").filter(move |setting| is_way(setting.key))
}

/// Which proxy and which authorities it has, and from where.
pub fn evidence(env: &Env, config: &EffectiveConfig, proxies: &ProxyVariables) -> Vec<Evidence> {
    let of_config = |label, name: &str| {
        let suffix = format!(".{name}");
        let setting = settings(config).filter(|it| it.key.ends_with(&suffix)).last()?;
        let value = redact(setting.value.unwrap_or_default());
        Some(Evidence::foreign(label, &format!("{value} ({}, {})", setting.key, setting.origin)))
    };
    let of_variable = |label, names: &[&str], empty_counts| {
        let value_of = |name: &str| Some(env.raw(name)?.to_string_lossy().into_owned());
        let set = names.iter().find_map(|name| {
            Some((name, value_of(name)?)).filter(|(_, value)| empty_counts || !value.is_empty())
        });
        let (name, value) = set.filter(|(_, value)| !value.is_empty())?;
        Some(Evidence::foreign(label, &format!("{} ({name})", redact(&value))))
    };
    let ProxyVariables { names, empty_counts } = proxies;
    let proxy = of_config("proxy", "proxy").or_else(|| of_variable("proxy", names, *empty_counts));
    let authorities = of_variable("authorities", &AUTHORITIES, false)
        .or_else(|| of_config("authorities", "sslcainfo"));
    proxy.into_iter().chain(authorities).collect()
}
