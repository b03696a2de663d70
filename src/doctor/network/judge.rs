//! What an answer proves. Pure.

use jiff::{SignedDuration, Timestamp};

use super::authorities::{CertificateVerdict, intercepts};
use super::endpoint::Endpoint;
use super::proxy::{self, ProxyWay, UnusableProxy};
use super::rules::NetworkRules;
use crate::catalogue::{Code, Fix};
use crate::client::Client;
use crate::doctor::claude::environment::ProxyHelper;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::http::probe::{
    ChainRules, ConnectFault, Distrust, NotConnected, Presented, ProbeAnswer, ProbeHead,
    ProbeOutcome,
};
use crate::provision::span;

/// What is known when the answer is judged.
pub struct AskedHost<'a> {
    pub rules: &'a NetworkRules,
    pub endpoint: &'a Endpoint,
    pub way: &'a ProxyWay,
    /// What the client makes of the certificate that was shown.
    pub verdict: CertificateVerdict,
    /// No authority is installed here at all, and the client brings none.
    pub lacks_store: bool,
    pub own_login: OwnLogin,
    /// A file that contains the authority, and the variable that names it: one that the client
    /// does not read.
    pub known_authority: Option<(&'a str, &'a str)>,
    /// What the other client reads instead of this one's variable.
    pub other: &'a NetworkRules,
    /// The authorities of the other client, where it trusts what this one does not.
    pub trusted_by_other: Option<String>,
    /// The way of the other client, where it has a login as well.
    pub theirs: Option<&'a ProxyWay>,
    pub now: Timestamp,
}

/// What the client shows to a proxy or a server, and the doctor does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnLogin {
    pub proxy_helper: ProxyHelper,
    /// A certificate of the client is configured.
    pub certificate: bool,
}

/// Judges the answer to the question about the model, or about the renewal of the login.
pub fn judge(asked: &AskedHost, answer: &ProbeAnswer) -> Judgement {
    let AskedHost { rules, endpoint, way, .. } = asked;
    let host = &endpoint.target.host;
    let judgement = match &answer.outcome {
        ProbeOutcome::Head(head) => {
            by_certificate(asked, answer.presented.as_ref()).unwrap_or_else(|| by_head(asked, head))
        }
        ProbeOutcome::Distrusted { distrust, date } => {
            distrusted(asked, distrust, answer.presented.as_ref(), *date)
        }
        ProbeOutcome::Unconnected(not)
            if not.why == ConnectFault::HalfAnswered && rules.client == Client::Claude =>
        {
            Judgement {
                transient: true,
                ..Judgement::unknown(
                    format!(
                        "the resolver does not answer whether {} has an IPv6 address: {} waits for that, and may go on",
                        not.host, rules.name
                    ),
                    "an answer of the resolver within 5 s",
                )
            }
        }
        ProbeOutcome::Unconnected(not) if not.is_proxy => refused_for(
            asked,
            format!("the proxy of {} {}", asked.variable(), unconnected(not)),
            &format!("start that proxy at {}:{}", not.host, not.port),
        )
        .until_started(),
        ProbeOutcome::Unconnected(not) => unreachable(asked, &unconnected(not)),
        ProbeOutcome::Refused(head) => by_proxy(asked, head),
        ProbeOutcome::NoTunnel(first) => refused(
            asked,
            format!("the proxy of {} answers with a page of its own", asked.variable()),
        )
        .with([Evidence::foreign("it sent", first.lines().next().unwrap_or_default())]),
        ProbeOutcome::PlainProxy => refused(
            asked,
            format!("{} names an https:// proxy, and what answers has no TLS", asked.variable()),
        ),
        ProbeOutcome::Cut { by_proxy: true } => {
            refused(asked, format!("the proxy of {} closes the connection", asked.variable()))
        }
        ProbeOutcome::Cut { by_proxy: false } => {
            unreachable(asked, "ends the connection before an answer")
        }
        ProbeOutcome::LargeHelloLost { is_cut } => too_large(asked, *is_cut),
        ProbeOutcome::NotTls(first) => Judgement::fail(
            rules.codes.tls_invalid,
            format!("what answers on port {} in place of {host} is not TLS", endpoint.target.port),
            Fix::report(format!(
                "find out what answers there: a portal, a proxy or a firewall; allow {host}:443"
            )),
        )
        .with([Evidence::foreign("it sent", first.lines().next().unwrap_or_default())]),
        ProbeOutcome::ProxyDistrusted(distrust) => proxy_distrusted(asked, distrust),
        ProbeOutcome::OldTls => Judgement::fail(
            rules.codes.tls_invalid,
            format!(
                "what answers in place of {host} speaks neither TLS 1.2 nor 1.3, which {} needs",
                rules.name
            ),
            Fix::report(format!("have what is in front of {host} speak TLS 1.2 or 1.3")),
        ),
        ProbeOutcome::WantsCertificate if asked.own_login.certificate => Judgement::unknown(
            format!(
                "{host} wants a certificate of the client, which {} has and the doctor does not show",
                rules.name
            ),
            "one request by hand",
        ),
        ProbeOutcome::WantsCertificate => Judgement::fail(
            rules.codes.tls_invalid,
            format!("{host} wants a certificate of the client, and {} has none", rules.name),
            Fix::report(match rules.client_certificate {
                Some(name) => {
                    format!("set `{name}=/PATH/OF/CERTIFICATE.pem`, and the variable of its key")
                }
                None => format!("name a server that wants none: {} cannot show one", rules.name),
            }),
        ),
        ProbeOutcome::Tls(why) => Judgement::unknown(
            format!("TLS with {host} failed, in a way that proves nothing"),
            format!("the same by hand: `curl -v https://{host}/`"),
        )
        .with([Evidence::foreign("TLS", why)]),
        ProbeOutcome::Silent { at_proxy } => Judgement {
            transient: true,
            ..Judgement::unknown(
                format!(
                    "{} accepts the connection, and does not answer in time",
                    if *at_proxy { "the proxy" } else { host.as_str() }
                ),
                "an answer within 5 s",
            )
        },
    };
    let fixes_no_proxy = almost(asked);
    judgement
        .with([Evidence::new("asked", format!("{host}:{}", endpoint.target.port))])
        .with(endpoint.set_by.as_ref().map(|by| Evidence::foreign("set by", by)))
        .with(
            (!matches!(way, ProxyWay::Direct { ignored: None }))
                .then(|| Evidence::foreign("proxy", &way.shown())),
        )
        .with(fixes_no_proxy.map(|why| Evidence::new("NO_PROXY", why)))
        .with(answer.presented.iter().flat_map(certificate_evidence))
}

impl AskedHost<'_> {
    /// The setting that names the proxy.
    fn variable(&self) -> String {
        self.way.setting().map_or_else(|| "the environment".to_owned(), |it| it.name.to_owned())
    }

    /// The line that names a proxy, and what the other client needs.
    fn set_proxy(&self, name: &str) -> String {
        let Self { other, .. } = self;
        let own = self.way.server().map(proxy::shown);
        let theirs =
            self.theirs.and_then(|way| Some((way.setting()?, proxy::shown(way.server()?))));
        match theirs.filter(|(_, server)| Some(server) != own.as_ref()) {
            Some((setting, server)) => {
                format!("set `{name}={server}` (as {} reads it from {})", other.name, setting.name)
            }
            None if self.theirs.is_some() && other.first_proxy() != name => format!(
                "set `{name}=http://HOST:PORT` ({} reads {} first: give both the same value)",
                other.name,
                other.first_proxy()
            ),
            None => format!("set `{name}=http://HOST:PORT`"),
        }
    }

    /// How the setting is changed.
    fn proxy_fix(&self, message: String) -> Fix {
        match self.way.setting().and_then(|setting| setting.file()) {
            Some(path) => Fix::edit(path, message),
            None => Fix::report(message),
        }
    }
}

/// A proxy that the client cannot use.
pub fn unusable(asked: &AskedHost, why: &UnusableProxy) -> Judgement {
    let name = asked.variable();
    let client = asked.rules.name;
    let (summary, fix) = match why {
        UnusableProxy::NoScheme => (
            format!(
                "{name} has no `http://`: {client} does not start with it in a terminal, and before 2.1.330 nowhere"
            ),
            format!("write `http://` before the host in {name}"),
        ),
        UnusableProxy::NotUrl => (
            format!("{name} is not the URL of a proxy: {client} does not start with it"),
            format!("set {name}=http://HOST:PORT, or unset it"),
        ),
        UnusableProxy::Scheme(scheme) => (
            format!("{name} names a {scheme}:// proxy, which {client} cannot use for its model"),
            format!(
                "set {name}=http://HOST:PORT of a proxy that takes CONNECT; no SOCKS proxy works with {client}"
            ),
        ),
    };
    Judgement::fail(asked.rules.codes.proxy_refused, summary, asked.proxy_fix(fix))
        .with([Evidence::foreign("proxy", &asked.way.shown())])
}

/// A base URL at which nothing can be asked: the client sends nothing there either, but where it has
/// a user and a password, which the doctor does not send.
pub fn base_url(rules: &NetworkRules, by: &str, url: &str) -> Judgement {
    let client = rules.name;
    let has_scheme = ["http://", "https://"].iter().any(|scheme| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let (what, fix) = match () {
        () if !has_scheme => {
            ("is not a URL with `http://` or `https://`", "write `https://` before the host")
        }
        () if url.contains(['?', '#']) => (
            "has a query or a fragment, behind which the client writes its path",
            "end the URL with its path; a query has a setting of its own",
        ),
        () if url.contains('@') => {
            return Judgement::unknown(
                format!("{by} contains a user and a password, which the doctor does not send"),
                "one request by hand",
            );
        }
        () => ("is not a valid URL", "write `https://HOST:PORT/PATH`, without blanks"),
    };
    let summary = format!("{by} {what}: {client} cannot send a request");
    // no waiting corrects it
    Judgement {
        transient: false,
        ..Judgement::fail(rules.codes.unreachable, summary, Fix::report(format!("{fix} in {by}")))
    }
}

fn unreachable(asked: &AskedHost, why: &str) -> Judgement {
    let host = &asked.endpoint.target.host;
    let port = asked.endpoint.target.port;
    let proxy = match asked.way {
        ProxyWay::Direct { .. } => format!(", or {}", asked.set_proxy(asked.rules.first_proxy())),
        _ => String::new(),
    };
    let fix = match &asked.endpoint.set_by {
        Some(by) => format!("start the server that {by} names, or correct the setting"),
        None => format!("allow {host}:{port} in the firewall and the resolver{proxy}"),
    };
    let summary = format!("{host}, which {} needs, {why}", asked.rules.name);
    Judgement::fail(asked.rules.codes.unreachable, summary, Fix::report(fix))
}

/// What takes more than one packet is lost on the way.
fn too_large(asked: &AskedHost, is_cut: bool) -> Judgement {
    let host = &asked.endpoint.target.host;
    let happens = if is_cut { "cuts the connection" } else { "does not answer" };
    let summary = format!(
        "{host} {happens} where the first message of TLS is larger than one packet, as that of {}; it answers a small one",
        asked.rules.name
    );
    let fix = "have packets of full size pass: lower the MTU of this network (1,400 for most VPNs), or update the firewall or proxy that wants the whole message in one packet";
    Judgement::fail(asked.rules.codes.unreachable, summary, Fix::report(fix))
}

fn unconnected(NotConnected { why, .. }: &NotConnected) -> String {
    match why {
        ConnectFault::Unresolved => "has a name that does not resolve".to_owned(),
        ConnectFault::Unanswered => "has a name to which the resolver does not answer".to_owned(),
        ConnectFault::HalfAnswered => {
            "has a name for whose IPv6 address the resolver does not answer".to_owned()
        }
        ConnectFault::Refused => "refuses the connection".to_owned(),
        ConnectFault::TimedOut => "does not accept the connection: packets are dropped".to_owned(),
        ConnectFault::Other(why) => format!("cannot be connected to ({why})"),
    }
}

fn refused(asked: &AskedHost, summary: String) -> Judgement {
    let target = &asked.endpoint.target;
    let allow = format!("have the proxy allow {}:{}", target.host, target.port);
    refused_for(asked, summary, &allow)
}

/// With what is to be done about the proxy itself.
fn refused_for(asked: &AskedHost, summary: String, say: &str) -> Judgement {
    let name = asked.variable();
    let place = match asked.way.setting().and_then(|setting| setting.file()) {
        Some(_) => "there",
        None => "in the template's environment",
    };
    let set = asked.set_proxy(&name);
    let fix =
        asked.proxy_fix(format!("{say}, or {set} {place}: {} uses no other way", asked.rules.name));
    Judgement::fail(asked.rules.codes.proxy_refused, summary, fix)
}

/// Logins that none of the clients has.
const NOT_SPOKEN: [&str; 3] = ["ntlm", "negotiate", "kerberos"];

/// A proxy that does not connect.
fn by_proxy(asked: &AskedHost, head: &ProbeHead) -> Judgement {
    let helper = asked.own_login.proxy_helper;
    if head.status == 407 && helper == ProxyHelper::Runs {
        return Judgement::unknown(
            format!(
                "the proxy of {} wants a login (407), which `proxyAuthHelper` of {}'s settings may give: the doctor does not run it",
                asked.variable(),
                asked.rules.name
            ),
            "one request by hand",
        )
        .with(page_evidence(head));
    }
    let is_off = head.status == 407 && helper == ProxyHelper::SwitchedOff;
    let summary = proxy_says(asked, head);
    let judgement = match login_fix(asked, head) {
        Some(say) => refused_for(asked, summary, &say),
        None => refused(asked, summary),
    };
    judgement.with(page_evidence(head)).with(is_off.then(|| {
        let why = "not run: CLAUDE_CODE_ENABLE_PROXY_AUTH_HELPER=1 is not set";
        Evidence::new("proxyAuthHelper", why)
    }))
}

/// What to do about the login that a proxy wants.
fn login_fix(asked: &AskedHost, head: &ProbeHead) -> Option<String> {
    if head.status != 407 {
        return None;
    }
    let name = asked.variable();
    let speaks_basic = head.offers("proxy-authenticate").any(|kind| !NOT_SPOKEN.contains(&&*kind));
    let has_login = asked.way.server().is_some_and(|server| server.authorization.is_some());
    Some(match () {
        () if !speaks_basic && head.header("proxy-authenticate").is_some() => {
            "have the proxy take a user and a password (Basic), or run a relay here that logs in, such as cntlm".to_owned()
        }
        () if has_login => format!("correct the user and the password in {name}"),
        () => format!("put the login that the proxy wants into {name}, as in `http://USER:PASSWORD@HOST:PORT` with %40 for @"),
    })
}

/// A proxy with TLS whose certificate the client refuses.
fn proxy_distrusted(asked: &AskedHost, distrust: &Distrust) -> Judgement {
    let AskedHost { rules, other, .. } = asked;
    let (variable, client, name) = (asked.variable(), rules.name, rules.authority);
    match distrust {
        Distrust::UnknownIssuer | Distrust::RootMissing => Judgement::fail(
            rules.codes.tls_untrusted,
            format!(
                "the certificate of the proxy of {variable} is from an authority that is unknown to {client}"
            ),
            Fix::report(format!(
                "set `{name}=/PATH/OF/AUTHORITY.pem` ({} reads {} instead), or name the proxy with http:// in {variable}",
                other.name, other.authority
            )),
        ),
        _ => Judgement::fail(
            rules.codes.tls_invalid,
            format!("the certificate of the proxy of {variable} is not valid for it, or not now"),
            asked.proxy_fix(format!(
                "name the proxy in {variable} as its certificate does, or have it renewed"
            )),
        ),
    }
}

fn proxy_says(asked: &AskedHost, head: &ProbeHead) -> String {
    let name = asked.variable();
    let offers: Vec<_> = head.offers("proxy-authenticate").collect();
    let misread = asked
        .way
        .setting()
        .and_then(|setting| proxy::misread_login(&setting.value, asked.rules.strictness));
    let has_login = asked.way.server().is_some_and(|server| server.authorization.is_some());
    match head.status {
        407 if !offers.is_empty() && offers.iter().all(|kind| NOT_SPOKEN.contains(&&**kind)) => {
            format!(
                "the proxy of {name} wants an NTLM or Kerberos login (407), which {} does not have",
                asked.rules.name
            )
        }
        407 if misread.is_some() => format!(
            "the proxy of {name} wants a user and a password (407), and {} does not send the one of the URL: {}",
            asked.rules.name,
            misread.unwrap_or_default()
        ),
        407 if has_login => {
            format!("the proxy of {name} does not accept the user and password in its URL (407)")
        }
        407 => format!("the proxy of {name} wants a user and a password (407)"),
        0 => format!("what {name} names does not answer as a proxy"),
        status => format!(
            "the proxy of {name} does not connect to {}: it answers {status}",
            asked.endpoint.target.host
        ),
    }
}

/// What the certificate alone decides.
fn by_certificate(asked: &AskedHost, shown: Option<&Presented>) -> Option<Judgement> {
    match &asked.verdict {
        CertificateVerdict::Trusted => None,
        CertificateVerdict::Refused(distrust) => Some(distrusted(asked, distrust, shown, None)),
        CertificateVerdict::Ambiguous => Some(Judgement::unknown(
            format!(
                "{} has several authorities of the name that issued the certificate for {}, and may take the wrong one",
                asked.rules.name, asked.endpoint.target.host
            ),
            format!("in the file of {} the authority alone that is in use", asked.rules.authority),
        )),
        CertificateVerdict::Unsure => Some(Judgement::unknown(
            format!(
                "{} is not proven to trust the certificate of {}: it is known to the system's store alone, which {} does not read here",
                asked.rules.name, asked.endpoint.target.host, asked.rules.name
            ),
            format!(
                "a store of authorities in this image (the package ca-certificates), or {}",
                asked.rules.authority
            ),
        )),
    }
}

fn distrusted(
    asked: &AskedHost,
    distrust: &Distrust,
    shown: Option<&Presented>,
    date: Option<Timestamp>,
) -> Judgement {
    let AskedHost { rules, endpoint, now, .. } = asked;
    let host = &endpoint.target.host;
    let invalid = |summary: String, fix: String| {
        Judgement::fail(rules.codes.tls_invalid, summary, Fix::report(fix))
    };
    let clock = Evidence::new("this clock", now.to_string());
    if let Some((shown, date)) = shown.zip(date)
        && proves_skew(shown, *now, date)
    {
        return skewed(host, *now, date).with([clock]);
    }
    match distrust {
        Distrust::UnknownIssuer => untrusted(asked, shown),
        Distrust::RootMissing => Judgement::fail(
            rules.codes.tls_untrusted,
            format!(
                "{} is given the authority that issued the certificate for {host}, and not the root above it",
                rules.name
            ),
            Fix::report(format!(
                "add the root's certificate to the file of {}, behind the one that is there",
                rules.authority
            )),
        ),
        Distrust::AuthorityExpired => invalid(
            format!(
                "by this clock, the authority of the certificate for {host} has expired, and {} then refuses it",
                rules.name
            ),
            "install the authority that replaces it, and have the gateway use that".to_owned(),
        )
        .with([clock]),
        Distrust::Expired => invalid(
            format!("by this clock, the certificate for {host} has expired"),
            "compare this clock with another one: if it is right, the certificate has to be renewed"
                .to_owned(),
        )
        .with([clock]),
        Distrust::NotYetValid => invalid(
            format!("by this clock, the certificate for {host} is not valid yet"),
            "compare this clock with another one: NTP, or the time of the virtual machine".to_owned(),
        )
        .with([clock]),
        Distrust::OtherName => invalid(
            format!("what answers in place of {host} shows a certificate for another name"),
            format!("find out what answers there: a portal, or a wrong address for {host}"),
        ),
        Distrust::OtherPurpose => invalid(
            format!("the certificate for {host} is not one of a server"),
            format!("have the gateway show a certificate for {host}, issued by its authority"),
        ),
        // BoringSSL takes SHA-1 and version 1
        Distrust::Other(why) if rules.chains == ChainRules::OpenSsl => Judgement::unknown(
            format!("the certificate for {host} is of a form that {} may accept, and the doctor does not verify", rules.name),
            "one request by hand",
        )
        .with([Evidence::foreign("TLS", why)]),
        Distrust::Other(why) => invalid(
            format!("the certificate for {host} is of a form that {} refuses: old, such as one signed with SHA-1, or not one of a server", rules.name),
            format!("have the gateway show a certificate for {host} that is of version 3 and signed with SHA-256"),
        )
        .with([Evidence::foreign("TLS", why)]),
    }
}

/// More than clocks differ that are set at all.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Whether the server's time and the dates of its certificate agree against this clock.
fn proves_skew(shown: &Presented, now: Timestamp, date: Timestamp) -> bool {
    let is_valid = shown.not_before.is_some_and(|start| start <= date)
        && shown.not_after.is_some_and(|end| date <= end);
    is_valid && date.duration_since(now).abs() > TOLERANCE
}

fn skewed(host: &str, now: Timestamp, date: Timestamp) -> Judgement {
    let by = date.duration_since(now);
    let way = if by.is_negative() { "ahead of" } else { "behind" };
    let summary = format!(
        "this clock is {} {way} that of {host}: by this one, the certificate of {host} is not valid",
        span(by)
    );
    let fix = "set the clock of the workspace's host: NTP, or the time of the virtual machine";
    Judgement::fail(Code::ClockSkew, summary, Fix::report(fix))
        .with([Evidence::new("the server's clock", date.to_string())])
}

fn untrusted(asked: &AskedHost, shown: Option<&Presented>) -> Judgement {
    let AskedHost { rules, endpoint, other, .. } = asked;
    let host = &endpoint.target.host;
    let name = rules.authority;
    let also = format!("{} reads {} instead", other.name, other.authority);
    let (summary, fix) = match asked.known_authority {
        _ if asked.lacks_store => (
            format!(
                "this image has no certificate store, and {} brings no list of its own",
                rules.name
            ),
            "install the package ca-certificates in the image".to_owned(),
        ),
        Some((variable, path)) => (
            format!(
                "{} does not read {variable}, which names the authority of the certificate for {host}",
                rules.name
            ),
            format!("set `{name}={path}` in the template's environment ({also})"),
        ),
        None => {
            let by = match shown {
                Some(shown) if shown.is_self_signed => "signed by itself",
                Some(shown) if intercepts(&shown.issuer) => {
                    "issued by a gateway that intercepts TLS, whose authority is unknown"
                }
                _ => "from an authority that is unknown",
            };
            (
                format!("the certificate for {host} is {by} to {}", rules.name),
                format!(
                    "put the file of that authority into the image and set `{name}=/PATH/OF/AUTHORITY.pem` ({also})"
                ),
            )
        }
    };
    Judgement::fail(rules.codes.tls_untrusted, summary, Fix::report(fix)).with(
        asked.trusted_by_other.as_ref().map(|theirs| {
            let text = format!(
                "{} trusts the certificate, with {theirs}; {} does not",
                other.name, rules.name
            );
            Evidence::foreign("both clients", &text)
        }),
    )
}

/// A response: the provider's, or one that was put in its place.
fn by_head(asked: &AskedHost, head: &ProbeHead) -> Judgement {
    let AskedHost { rules, endpoint, .. } = asked;
    let host = &endpoint.target.host;
    let is_edge = is_of_edge(head);
    let is_of_proxy =
        head.header("x-squid-error").is_some() || head.header("x-deny-reason").is_some();
    let blocked = |summary: String| {
        let fix = Fix::report(format!(
            "have the network let {host} through unchanged; no other login helps"
        ));
        Judgement::fail(rules.codes.blocked, summary, fix).with(page_evidence(head))
    };
    let unknown = |summary: String, needs: &str, transient: bool| {
        let unknown = Judgement::unknown(summary, needs);
        Judgement { transient, ..unknown }.with(page_evidence(head))
    };
    let pass = || {
        Judgement::pass(format!("{host} answers {}", rules.name))
            .with([Evidence::foreign("answer", &head.line)])
    };
    let moved = head.header("location").is_some_and(|to| leads_elsewhere(to, host));
    match (head.status, endpoint.answers) {
        (0, _) => unknown(
            format!("what answers in place of {host} is not HTTP"),
            "what is on that port",
            false,
        ),
        _ if head.header("cf-mitigated") == Some("challenge") => blocked(format!(
            "Cloudflare, in front of {host}, asks for a browser: it mistrusts this address"
        )),
        (511, _) => blocked("the network wants a sign-on before it lets anything through".into()),
        (403, _) if is_region(&head.body) => {
            blocked(format!("{} does not serve the region of this address", rules.vendor))
        }
        (407, None) if is_of_proxy || head.header("proxy-authenticate").is_some() => {
            by_proxy(asked, head)
        }
        _ if is_of_proxy => blocked(format!("a proxy answers in place of {host}, and denies it")),
        (429, _) => unknown(format!("{host} limits requests of this address"), "a later try", true),
        (500.., None) => unknown(format!("{host} reports an error"), "a server in order", true),
        (300..=399, None) if moved => unknown(
            format!("{host} redirects to another host: to the sign-on of a gateway or a portal"),
            "an answer of the gateway itself",
            false,
        ),
        // other gateways have a page of their own for a GET where they take a POST
        (401 | 404 | 405, None) if head.is_page() && !is_served_by(head, &WEB_SERVERS) => pass(),
        (_, None) if head.is_page() => unknown(
            format!("a web page answers for {host}, and not an interface for programs"),
            "an answer of the gateway itself",
            false,
        ),
        (200..=299, None) if head.body.trim().is_empty() => unknown(
            format!("{host} answers {} without a word, as no gateway answers to this", head.status),
            "an answer of the gateway itself",
            false,
        ),
        (300..=399 | 421 | 426, None) => unknown(
            format!("{host} answers {}, and not as an interface for programs", head.status),
            "an answer of the gateway itself",
            false,
        ),
        (404, None) if has_version_twice(rules.client, &endpoint.target.path) => unknown(
            format!(
                "{host} answers 404 at {}: the path of the base URL may be wrong",
                endpoint.target.path
            ),
            "the base URL without `/v1`, which Claude Code adds itself",
            false,
        ),
        (404, None) => Judgement::pass(format!(
            "{host} answers {}, with 404 to a GET: that the path is right is not proven",
            rules.name
        ))
        .with([Evidence::foreign("answer", &head.line)]),
        (_, None) => pass(),
        // a gateway wants a login of the network, which is not the provider's
        (401, Some(_)) if head.offers("www-authenticate").any(|it| NOT_SPOKEN.contains(&&*it)) => {
            blocked(format!("something in place of {host} wants an NTLM or Kerberos login (401)"))
        }
        (300..=399, Some(_)) if moved => {
            blocked(format!("in place of {host} something redirects to another host"))
        }
        (401 | 405, Some(_)) if !is_edge && is_of_gateway(head) && !head.is_json() => {
            blocked(format!("a gateway answers {} in place of {host}", head.status))
        }
        (401 | 405, Some(_)) if !is_edge && is_of_gateway(head) => unknown(
            format!("a gateway may answer {} in place of {host}", head.status),
            "the same question from another network",
            false,
        ),
        (status, Some(answers)) if answers.contains(&status) && (!head.is_page() || is_edge) => {
            pass()
        }
        (200..=299 | 403 | 451, Some(_)) if head.is_page() => {
            blocked(format!("a web page answers in place of {host}"))
        }
        // a service mesh, a filter: the provider's own refusals are JSON, and come by its edge
        (200..=299 | 403 | 407 | 451, Some(_)) if !is_edge && !head.is_json() => blocked(format!(
            "something that is not {}'s answers {} in place of {host}",
            rules.vendor, head.status
        )),
        (500.., Some(_)) if head.is_page() && !is_edge => {
            blocked(format!("a web page answers in place of {host}"))
        }
        (500.., Some(_)) => unknown(
            format!("{}'s servers are out of order or too busy", rules.vendor),
            "an answer of theirs",
            true,
        ),
        (status, Some(_)) => unknown(
            format!(
                "{host} answers {status}, which proves neither that it is {}'s nor that it is not",
                rules.vendor
            ),
            "an answer that the provider is known to give",
            false,
        ),
    }
}

/// Servers that stand between, by their header `server`: what they answer is not the provider's. (What
/// the providers' own refusals contain is not known, so nothing is demanded of them.)
const GATEWAYS: [&str; 6] = ["envoy", "istio-envoy", "kong", "oauth2-proxy", "tyk", "apisix"];
/// Servers of files and pages, whose refusal is not that of an interface for programs.
const WEB_SERVERS: [&str; 5] = ["nginx", "apache", "microsoft-iis", "caddy", "lighttpd"];

fn is_served_by(head: &ProbeHead, names: &[&str]) -> bool {
    let server = head.header("server").unwrap_or_default().to_ascii_lowercase();
    let name = server.split(['/', ' ']).next().unwrap_or_default();
    names.contains(&name)
}

/// A refusal of any gateway, which wants a login of its own.
fn is_of_gateway(head: &ProbeHead) -> bool {
    let has_words = !head.is_json() && !head.body.trim().is_empty();
    let wants_token = has_words && head.offers("www-authenticate").any(|kind| kind == "bearer");
    matches!(head.status, 401 | 405) && (wants_token || is_served_by(head, &GATEWAYS))
}

/// Claude Code adds `/v1/messages` to its base URL, which therefore ends before that.
fn has_version_twice(client: Client, path: &str) -> bool {
    client == Client::Claude && path.contains("/v1/v1/")
}

/// Whether a redirect leaves the host.
fn leads_elsewhere(location: &str, host: &str) -> bool {
    let Some((_, rest)) = location.split_once("//") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let named = authority.rsplit('@').next().unwrap_or_default();
    let named = named.split(':').next().unwrap_or_default();
    !named.eq_ignore_ascii_case(host)
}

fn is_region(body: &str) -> bool {
    body.contains("unsupported_country_region_territory")
        || body.contains("\"forbidden\"") && body.contains("Request not allowed")
}

fn page_evidence(head: &ProbeHead) -> Vec<Evidence> {
    let server = head.header("x-squid-error").or_else(|| head.header("server"));
    [
        Some(Evidence::foreign("answer", &head.line)),
        server.map(|server| Evidence::foreign("server", server)),
        head.title().map(|title| Evidence::foreign("it says", title)),
    ]
    .into_iter()
    .flatten()
    .filter(|evidence| !evidence.value.is_empty())
    .collect()
}

fn certificate_evidence(shown: &Presented) -> Vec<Evidence> {
    let names = if shown.names.is_empty() { &shown.subject } else { &shown.names.join(", ") };
    let dates = shown.not_before.zip(shown.not_after);
    let dates = dates.map(|(from, until)| Evidence::new("valid", format!("{from} to {until}")));
    let mut evidence = vec![
        Evidence::foreign("certificate issued by", &shown.issuer),
        Evidence::foreign("certificate for", names),
    ];
    evidence.extend(dates);
    evidence
}

/// An exception that seems to name the host.
fn almost(asked: &AskedHost) -> Option<&'static str> {
    let exceptions = asked.way.ignored_exceptions()?;
    let target = &asked.endpoint.target;
    super::no_proxy::almost(asked.rules.grammar, &exceptions.value, &target.host, target.port)
}

/// An upgrade without credentials: only what proves that something is in the way counts.
pub fn websocket(asked: &AskedHost, answer: &ProbeAnswer) -> Option<Judgement> {
    let host = &asked.endpoint.target.host;
    let (why, evidence) = match &answer.outcome {
        // Codex goes on by HTTPS after any other answer
        ProbeOutcome::Head(head) if head.status == 400 && !is_of_edge(head) => {
            let summary = format!(
                "something in place of {host} answers 400 to a WebSocket, and Codex ends at that: it does not go on by HTTPS"
            );
            let fix = Fix::report(format!(
                "let WebSocket upgrades to {host} through, or {NO_WEBSOCKETS}"
            ));
            let judgement = Judgement::fail(Code::CodexBlocked, summary, fix);
            return Some(judgement.with(page_evidence(head)));
        }
        ProbeOutcome::Refused(head) => ("the proxy refuses it", page_evidence(head)),
        ProbeOutcome::Cut { .. } => ("the connection is cut", Vec::new()),
        ProbeOutcome::Head(head) if is_foreign_page(head) => {
            ("a web page answers", page_evidence(head))
        }
        _ => return None,
    };
    let summary = format!(
        "WebSockets to {host} do not pass: {why}. Codex works, and loses seconds or minutes"
    );
    let fix = Fix::report(format!("let WebSocket upgrades to {host} through, or {NO_WEBSOCKETS}"));
    Some(Judgement::warn(Code::CodexWebsocketBlocked, summary, fix).with(evidence))
}

const NO_WEBSOCKETS: &str =
    "give Codex a provider entry with `supports_websockets = false` in config.toml";

/// An answer by the providers' edge, Cloudflare.
fn is_of_edge(head: &ProbeHead) -> bool {
    head.header("cf-ray").is_some()
        || head.header("server").is_some_and(|it| it.eq_ignore_ascii_case("cloudflare"))
}

/// A page that is not of the provider's edge. Its own refusals say nothing of the network.
fn is_foreign_page(head: &ProbeHead) -> bool {
    head.is_page() && !is_of_edge(head) && !matches!(head.status, 401 | 405 | 426)
}

/// What serves one client and not the other, in one line.
pub fn compare(
    (rules, way): (&NetworkRules, &ProxyWay),
    (other, theirs): (&NetworkRules, &ProxyWay),
) -> Option<String> {
    let says = |rules: &NetworkRules, way: &ProxyWay| match (way.setting(), way.server()) {
        (Some(setting), Some(server)) => {
            format!("{} reads {}, {}", rules.name, setting.origin(), proxy::shown(server))
        }
        (Some(setting), None) if matches!(way, ProxyWay::Unusable { .. }) => {
            format!("{} cannot use {}", rules.name, setting.origin())
        }
        (Some(setting), None) => format!("{} uses no proxy, by {}", rules.name, setting.origin()),
        (None, _) => format!("{} reads none of the variables that are set", rules.name),
    };
    let leads = |way: &ProxyWay| match way {
        ProxyWay::Unusable { setting, .. } => Err(setting.origin()),
        way => Ok(way.server().map(proxy::shown)),
    };
    (leads(way) != leads(theirs)).then(|| format!("{}; {}", says(rules, way), says(other, theirs)))
}

#[cfg(test)]
mod tests {
    use super::super::endpoint;
    use super::super::rules;
    use super::*;
    use crate::doctor::outcome::CheckStatus::{self, Fail, Pass, Unknown};
    use crate::doctor::outcome::Retry;
    use crate::http::probe::ConnectFault;

    fn of_direct<'a>(rules: &'a NetworkRules, endpoint: &'a Endpoint) -> AskedHost<'a> {
        AskedHost {
            rules,
            endpoint,
            way: &ProxyWay::Direct { ignored: None },
            verdict: CertificateVerdict::Trusted,
            lacks_store: false,
            own_login: OwnLogin::default(),
            known_authority: None,
            other: rules::of(Client::Codex),
            trusted_by_other: None,
            theirs: None,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    fn judged(client: Client, own: bool, outcome: ProbeOutcome) -> Judgement {
        let (model, base) = match client {
            Client::Codex => ("chatgpt.com", "https://gateway.example/v1"),
            Client::Claude => ("api.anthropic.com", "https://gateway.example"),
        };
        let endpoint = if own {
            endpoint::own(base, "/x", "a setting").unwrap()
        } else {
            endpoint::official(model, "/", &[405, 401])
        };
        let asked = of_direct(rules::of(client), &endpoint);
        judge(&asked, &ProbeAnswer { outcome, presented: None })
    }

    #[test]
    fn only_what_the_provider_answers_with_passes() {
        const EDGE: &str = "server: cloudflare\r\ncf-ray: 1-FRA\r\n";
        const HTML: &str = "content-type: text/html\r\n";
        let blocked = Some(Code::ClaudeBlocked);
        let html = |status: &str, more: &str| format!("{status}\r\n{HTML}{more}\r\n<html>x");
        for (head, status, code) in [
            (format!("405 No\r\n{EDGE}\r\n{{}}"), Pass, None),
            ("405 No\r\n\r\n".to_owned(), Pass, None),
            ("401 No\r\n\r\n{\"error\":{\"message\":\"x\"}}".to_owned(), Pass, None),
            ("401 No\r\nwww-authenticate: Basic realm=\"OpenAI API\"\r\n\r\n{\"error\":{}}".to_owned(), Pass, None),
            // gateways in place of the provider
            ("401 No\r\nserver: kong\r\n\r\n{\"message\":\"No API key found\"}".to_owned(), Unknown, None),
            ("401 No\r\nserver: oauth2-proxy\r\n\r\n{\"error\":\"invalid_token\"}".to_owned(), Unknown, None),
            ("405 No\r\nserver: BaseHTTP/0.6 Python/3.11\r\n\r\nMethod Not Allowed".to_owned(), Pass, None),
            ("401 No\r\nwww-authenticate: Bearer\r\n\r\nJwt is missing".to_owned(), Fail, blocked),
            ("401 No\r\nserver: istio-envoy\r\n\r\nJwt is missing".to_owned(), Fail, blocked),
            ("405 No\r\nserver: envoy\r\n\r\nblocked method".to_owned(), Fail, blocked),
            ("401 No\r\nwww-authenticate: Negotiate\r\n\r\n".to_owned(), Fail, blocked),
            ("401 No\r\nwww-authenticate: Basic\r\nWWW-Authenticate: NTLM\r\n\r\n".to_owned(), Fail, blocked),
            (html("405 No", EDGE), Pass, None),
            (html("405 No", ""), Unknown, None),
            (html("200 OK", ""), Fail, blocked),
            (html("200 OK", EDGE), Fail, blocked),
            ("200 OK\r\n\r\n{}".to_owned(), Unknown, None),
            ("200 OK\r\ncontent-type: text/plain\r\n\r\nOK".to_owned(), Fail, blocked),
            ("403 No\r\nserver: envoy\r\n\r\nRBAC: access denied".to_owned(), Fail, blocked),
            ("403 No\r\n\r\n".to_owned(), Fail, blocked),
            (format!("403 No\r\n{EDGE}\r\n"), Unknown, None),
            ("403 No\r\nx-deny-reason: host_not_allowed\r\n\r\n{}".to_owned(), Fail, blocked),
            ("451 No\r\n\r\nNot here".to_owned(), Fail, blocked),
            (html("407 No", "proxy-authenticate: Basic\r\n"), Fail, blocked),
            (html("403 No", ""), Fail, blocked),
            (html("403 No", EDGE), Fail, blocked),
            (html("403 No", "cf-mitigated: challenge\r\n"), Fail, blocked),
            ("403 No\r\n\r\n{\"error\":{\"type\":\"x\"}}".to_owned(), Unknown, None),
            (
                "403 No\r\n\r\n{\"error\":{\"type\":\"forbidden\",\"message\":\"Request not allowed\"}}"
                    .to_owned(),
                Fail,
                blocked,
            ),
            (html("511 No", ""), Fail, blocked),
            ("302 Found\r\nlocation: http://portal.example/\r\n\r\n".to_owned(), Fail, blocked),
            ("302 Found\r\nlocation: //api.anthropic.com:443/x\r\n\r\n".to_owned(), Unknown, None),
            ("302 Found\r\nlocation: /x\r\n\r\n".to_owned(), Unknown, None),
            ("429 No\r\n\r\n".to_owned(), Unknown, None),
            ("503 No\r\n\r\n{}".to_owned(), Unknown, None),
            (html("502 No", EDGE), Unknown, None),
            (html("503 No", "server: squid\r\n"), Fail, blocked),
            ("404 No\r\n\r\n{}".to_owned(), Unknown, None),
        ] {
            let parsed = ProbeHead::of(&format!("HTTP/1.1 {head}"));
            let found = judged(Client::Claude, false, ProbeOutcome::Head(parsed));
            assert_eq!((found.status, found.code), (status, code), "{head}");
        }
    }

    #[test]
    fn a_server_of_ones_own_may_answer_anything_but_a_proxys_page() {
        for (head, status) in [
            ("200 OK\r\ncontent-type: text/html\r\n\r\n<html>", Unknown),
            ("403 No\r\ncontent-type: text/html\r\n\r\n<html>", Unknown),
            ("404 No\r\ncontent-type: text/html\r\n\r\n<html>Cannot GET /x", Pass),
            ("403 No\r\n\r\n{}", Pass),
            ("404 No\r\n\r\n", Pass),
            ("302 Found\r\nlocation: https://elsewhere.example/\r\n\r\n", Unknown),
            ("302 Found\r\nlocation: /login\r\n\r\n", Unknown),
            ("200 OK\r\n\r\n", Unknown),
            ("421 No\r\n\r\n", Unknown),
            ("405 No\r\nserver: nginx\r\ncontent-type: text/html\r\n\r\n<html>", Unknown),
            ("403 No\r\nx-squid-error: ERR_ACCESS_DENIED 0\r\n\r\n", Fail),
            ("407 No\r\nproxy-authenticate: Basic\r\n\r\n", Fail),
            ("511 No\r\n\r\n", Fail),
            ("502 No\r\n\r\n", Unknown),
            ("429 No\r\n\r\n", Unknown),
        ] {
            let parsed = ProbeHead::of(&format!("HTTP/1.1 {head}"));
            let found = judged(Client::Claude, true, ProbeOutcome::Head(parsed));
            assert_eq!(found.status, status, "{head}");
        }
    }

    #[test]
    fn each_step_that_fails_has_its_code() {
        let distrusted = |distrust| ProbeOutcome::Distrusted { distrust, date: None };
        let connect = |is_proxy, why| {
            let host = "h".to_owned();
            ProbeOutcome::Unconnected(NotConnected { host, port: 443, is_proxy, why })
        };
        for (outcome, status, code) in [
            (connect(false, ConnectFault::Unresolved), Fail, Some(Code::CodexUnreachable)),
            (connect(false, ConnectFault::Unanswered), Fail, Some(Code::CodexUnreachable)),
            (connect(false, ConnectFault::HalfAnswered), Fail, Some(Code::CodexUnreachable)),
            (connect(false, ConnectFault::TimedOut), Fail, Some(Code::CodexUnreachable)),
            (connect(true, ConnectFault::Refused), Fail, Some(Code::CodexProxyRefused)),
            (ProbeOutcome::Cut { by_proxy: false }, Fail, Some(Code::CodexUnreachable)),
            (ProbeOutcome::Cut { by_proxy: true }, Fail, Some(Code::CodexProxyRefused)),
            (ProbeOutcome::PlainProxy, Fail, Some(Code::CodexProxyRefused)),
            (ProbeOutcome::NoTunnel("<html>".into()), Fail, Some(Code::CodexProxyRefused)),
            (ProbeOutcome::NotTls("HTTP/1.1 400".into()), Fail, Some(Code::CodexTlsInvalid)),
            (ProbeOutcome::Silent { at_proxy: false }, Unknown, None),
            (ProbeOutcome::Silent { at_proxy: true }, Unknown, None),
            (ProbeOutcome::Tls("x".into()), Unknown, None),
            (ProbeOutcome::LargeHelloLost { is_cut: true }, Fail, Some(Code::CodexUnreachable)),
            (ProbeOutcome::OldTls, Fail, Some(Code::CodexTlsInvalid)),
            (ProbeOutcome::WantsCertificate, Fail, Some(Code::CodexTlsInvalid)),
            (
                ProbeOutcome::ProxyDistrusted(Distrust::UnknownIssuer),
                Fail,
                Some(Code::CodexTlsUntrusted),
            ),
            (ProbeOutcome::ProxyDistrusted(Distrust::OtherName), Fail, Some(Code::CodexTlsInvalid)),
            (distrusted(Distrust::UnknownIssuer), Fail, Some(Code::CodexTlsUntrusted)),
            (distrusted(Distrust::RootMissing), Fail, Some(Code::CodexTlsUntrusted)),
            (distrusted(Distrust::AuthorityExpired), Fail, Some(Code::CodexTlsInvalid)),
            (distrusted(Distrust::Expired), Fail, Some(Code::CodexTlsInvalid)),
            (distrusted(Distrust::OtherName), Fail, Some(Code::CodexTlsInvalid)),
            (distrusted(Distrust::OtherPurpose), Fail, Some(Code::CodexTlsInvalid)),
            (distrusted(Distrust::Other("SHA-1".into())), Fail, Some(Code::CodexTlsInvalid)),
        ] {
            let shown = format!("{outcome:?}");
            let found = judged(Client::Codex, false, outcome);
            assert_eq!((found.status, found.code), (status, code), "{shown}");
            // a start script tries again for what is not reached, and for nothing else that fails
            let passes = code == Some(Code::CodexUnreachable);
            assert_eq!(found.transient && status == CheckStatus::Fail, passes, "{shown}");
            // with --wait also for a proxy at which nobody listens yet
            let is_unconnected = matches!(shown.as_str(), it if it.starts_with("Unconnected"));
            let is_proxy = code == Some(Code::CodexProxyRefused);
            assert_eq!(found.retry == Retry::UntilStarted, is_unconnected && is_proxy, "{shown}");
        }
    }

    #[test]
    fn a_base_url_to_which_nothing_can_be_sent_fails() {
        for (client, url, path, expected) in [
            (Client::Claude, "https://gw.example/v1", endpoint::OF_CLAUDE, Unknown),
            (Client::Claude, "https://gw.example", endpoint::OF_CLAUDE, Pass),
            (Client::Codex, "https://gw.example/v1", endpoint::OF_CODEX, Pass),
            (Client::Codex, "https://gw.example", endpoint::OF_CODEX, Pass),
            (Client::Claude, "gw.example", endpoint::OF_CLAUDE, Fail),
            (Client::Claude, "https://gw.example:99999", endpoint::OF_CLAUDE, Fail),
            (Client::Claude, "https://gw.example/?team=a", endpoint::OF_CLAUDE, Fail),
            (Client::Claude, "https://gw.example#x", endpoint::OF_CLAUDE, Fail),
            (Client::Claude, "https://u:p@gw.example", endpoint::OF_CLAUDE, Unknown),
        ] {
            let rules = rules::of(client);
            let found = match endpoint::own(url, path, "a setting") {
                None => base_url(rules, "a setting", url),
                Some(endpoint) => {
                    let answer = ProbeHead::of("HTTP/1.1 404 No\r\n\r\n{}");
                    let asked = of_direct(rules, &endpoint);
                    by_head(&asked, &answer)
                }
            };
            assert_eq!(found.status, expected, "{url}: {found:?}");
            assert!(!found.transient, "{url}");
        }
    }

    /// What only the client shows is not judged.
    #[test]
    fn a_login_that_the_doctor_does_not_have_is_unknown() {
        let wants = "407 No\r\nproxy-authenticate: Basic\r\n\r\n";
        let head = |text: &str| ProbeHead::of(&format!("HTTP/1.1 {text}"));
        let endpoint = endpoint::official("api.anthropic.com", "/", &[405]);
        let judged = |own_login, outcome| {
            let asked = AskedHost {
                rules: rules::of(Client::Claude),
                endpoint: &endpoint,
                way: &ProxyWay::Direct { ignored: None },
                verdict: CertificateVerdict::Trusted,
                lacks_store: false,
                own_login,
                known_authority: None,
                other: rules::of(Client::Codex),
                trusted_by_other: None,
                theirs: None,
                now: Timestamp::UNIX_EPOCH,
            };
            judge(&asked, &ProbeAnswer { outcome, presented: None })
        };
        let refused = |text| ProbeOutcome::Refused(head(text));
        let helper = |proxy_helper| OwnLogin { proxy_helper, certificate: false };
        let certificate = OwnLogin { certificate: true, ..OwnLogin::default() };
        for (own_login, outcome, status) in [
            (helper(ProxyHelper::Runs), refused(wants), Unknown),
            (helper(ProxyHelper::Runs), refused("403 No\r\n\r\n"), Fail),
            (helper(ProxyHelper::SwitchedOff), refused(wants), Fail),
            (helper(ProxyHelper::None), refused(wants), Fail),
            (certificate, ProbeOutcome::WantsCertificate, Unknown),
            (OwnLogin::default(), ProbeOutcome::WantsCertificate, Fail),
        ] {
            let shown = format!("{own_login:?} {outcome:?}");
            assert_eq!(judged(own_login, outcome).status, status, "{shown}");
        }
        let off = judged(helper(ProxyHelper::SwitchedOff), refused(wants));
        assert!(off.evidence.iter().any(|it| it.value.contains("ENABLE_PROXY_AUTH_HELPER=1")));
    }

    /// The line is the variable that this client reads, and the other one's is named beside it.
    #[test]
    fn a_fix_names_the_line_to_set_and_what_the_other_client_reads() {
        use super::super::variables::Variables;
        use crate::env::Env;
        let endpoint = endpoint::official("api.anthropic.com", "/", &[405]);
        let fix = |client: Client, has_other: bool, env: &[(&str, &str)]| {
            let env = Env::of(env);
            let variables = Variables { env: &env, files: Vec::new() };
            let others = Client::ALL.iter().find(|other| **other != client).unwrap();
            let [rules, other] = [client, *others].map(rules::of);
            let [way, theirs] =
                [rules, other].map(|rules| proxy::choose(rules, &variables, &endpoint.target));
            let asked = AskedHost {
                rules,
                endpoint: &endpoint,
                way: &way,
                verdict: CertificateVerdict::Trusted,
                lacks_store: false,
                own_login: OwnLogin::default(),
                known_authority: None,
                other,
                trusted_by_other: None,
                theirs: has_other.then_some(&theirs),
                now: Timestamp::UNIX_EPOCH,
            };
            let outcome = match way.server() {
                Some(_) => ProbeOutcome::Cut { by_proxy: true },
                None => ProbeOutcome::Cut { by_proxy: false },
            };
            let found = judge(&asked, &ProbeAnswer { outcome, presented: None });
            let compared = compare((rules, &way), (other, &theirs)).unwrap_or_default();
            (found.fix.unwrap().message, compared)
        };
        let (a, b) = ("http://u:hidden@a:1", "http://b:2");
        for (client, has_other, env, line, compared) in [
            (
                Client::Claude,
                true,
                &[("https_proxy", a), ("HTTPS_PROXY", b)][..],
                "set `https_proxy=http://b:2` (as Codex reads it from HTTPS_PROXY) in the template's",
                "Claude Code reads https_proxy of the environment, http://a:1; Codex reads HTTPS_PROXY of the environment, http://b:2",
            ),
            (
                Client::Codex,
                true,
                &[("HTTP_PROXY", a)],
                "or set `HTTPS_PROXY=http://a:1` (as Claude Code reads it from HTTP_PROXY)",
                "Codex reads none of the variables that are set; Claude Code reads HTTP_PROXY of the environment, http://a:1",
            ),
            (
                Client::Codex,
                true,
                &[("HTTPS_PROXY", a)],
                "set `HTTPS_PROXY=http://HOST:PORT` (Claude Code reads https_proxy first: give both the same value)",
                "",
            ),
            (
                Client::Codex,
                false,
                &[("ALL_PROXY", a)],
                "or set `ALL_PROXY=http://HOST:PORT` in the",
                "",
            ),
            (Client::Claude, false, &[], "or set `https_proxy=http://HOST:PORT`", ""),
        ] {
            let found = fix(client, has_other, env);
            assert!(found.0.contains(line), "{client} {env:?}: {}", found.0);
            assert_eq!(found.1, compared, "{client} {env:?}");
            assert!(!found.0.contains("hidden"), "{}", found.0);
        }
    }

    /// One statement alone, of the certificate or of the server, proves nothing.
    #[test]
    fn a_clock_is_wrong_where_the_server_and_its_certificate_agree_against_it() {
        let at = |year: i32| format!("{year}-06-01T00:00:00Z").parse::<Timestamp>().unwrap();
        let shown = Presented {
            not_before: Some(at(2026)),
            not_after: Some(at(2027)),
            ..Presented::default()
        };
        let soon = at(2026) + SignedDuration::from_mins(4);
        for (now, date, is_proven) in [
            (at(2025), at(2026), true),
            (at(2028), at(2027), true),
            (at(2028), at(2028), false),
            (at(2025), at(2025), false),
            (at(2028), at(2029), false),
            (at(2026), soon, false),
        ] {
            assert_eq!(proves_skew(&shown, now, date), is_proven, "{now} {date}");
        }
        assert!(skewed("h", at(2025), at(2026)).summary.contains(" behind that of h"));
    }

    #[test]
    fn a_websocket_is_blocked_where_that_is_proven_alone() {
        let endpoint = endpoint::official("chatgpt.com", "/", &[]);
        let asked = AskedHost {
            rules: rules::of(Client::Codex),
            endpoint: &endpoint,
            way: &ProxyWay::Direct { ignored: None },
            verdict: CertificateVerdict::Trusted,
            lacks_store: false,
            own_login: OwnLogin::default(),
            known_authority: None,
            other: rules::of(Client::Claude),
            trusted_by_other: None,
            theirs: None,
            now: Timestamp::UNIX_EPOCH,
        };
        let page = "content-type: text/html\r\n\r\n<html>";
        let head = |text: &str| ProbeOutcome::Head(ProbeHead::of(&format!("HTTP/1.1 {text}")));
        for (outcome, is_blocked) in [
            (head("101 Switching Protocols\r\n\r\n"), false),
            (head("401 No\r\n\r\n"), false),
            (head("403 No\r\n\r\n"), false),
            (head("405 No\r\n\r\n"), false),
            (head("426 No\r\n\r\n"), false),
            (head(&format!("405 No\r\n{page}")), false),
            (head(&format!("403 No\r\nserver: cloudflare\r\n{page}")), false),
            (head(&format!("403 No\r\nserver: Zscaler\r\n{page}")), true),
            (head(&format!("200 OK\r\n{page}")), true),
            (head("400 No\r\ncf-ray: 1\r\n\r\n"), false),
            (head("400 No\r\n\r\n"), true),
            (ProbeOutcome::Silent { at_proxy: false }, false),
            (ProbeOutcome::Cut { by_proxy: false }, true),
            (ProbeOutcome::Refused(ProbeHead::of("HTTP/1.1 403 No\r\n\r\n")), true),
        ] {
            let shown = format!("{outcome:?}");
            let found = websocket(&asked, &ProbeAnswer { outcome, presented: None });
            assert_eq!(found.is_some(), is_blocked, "{shown}");
        }
    }
}
