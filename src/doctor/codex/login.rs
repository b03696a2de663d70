//! What auth.json is worth: judged from the file itself, since Codex's own status command says yes
//! to `{}`.

use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::client::Client;
use crate::doctor::context::Context;
use crate::doctor::login_folder;
use crate::doctor::outcome::{self, Evidence, Judgement, source};
use crate::provision::{ItemStatus, codex::described, span, to_use_seed};
use crate::resource::digest::Digest;
use crate::resource::entry::EntryName;
use crate::resource::file::{self, Kind};
use crate::secret::{CodexAuth, Liveness, Mode};
use crate::state::subject::Subject;
use crate::variables;

const ONE_DAY: i64 = 86_400;

pub fn new_seed(context: &Context) -> Fix {
    Fix::report(format!(
        "create a new login with `d=$(mktemp -d); CODEX_HOME=$d codex login --device-auth`, and set `$d/auth.json` as {}",
        source(context.login_via(Client::Codex), variables::CODEX_AUTH_JSON)
    ))
}

pub fn missing(context: &Context) -> Judgement {
    if let Some(elsewhere) = login_folder::judge(context, Client::Codex, Code::CodexAuthMissing) {
        return elsewhere;
    }
    let written = context.written(EntryName::Login(Client::Codex)).is_some();
    let summary = if written {
        "auth.json is missing, as after `codex logout`"
    } else {
        "there is no auth.json"
    };
    let fix = if written {
        new_seed(context)
    } else {
        outcome::apply_again(context.login_via(Client::Codex), variables::CODEX_AUTH_JSON)
    };
    Judgement::fail(Code::CodexAuthMissing, summary, fix)
}

/// Codex renames a new file over auth.json, which a mount does not allow: the server has then
/// revoked the old refresh token, and the new one is lost (0.169, measured).
pub fn not_replaceable(context: &Context) -> Judgement {
    let folder = context.home.shown(&context.home.clients.codex.folder);
    Judgement::fail(
        Code::CodexHomeUnwritable,
        "auth.json is a mount of its own, which Codex cannot replace: it would renew the login, and lose the new one",
        Fix::report(format!(
            "mount the folder `{folder}` instead of the file; or mount the file elsewhere, and name it in \
             {}_FILE",
            variables::CODEX_AUTH_JSON
        )),
    )
}

/// What a login in place is worth. The plan's own warnings come last: a login that cannot work is
/// the nearer cause.
pub fn login(context: &Context, bytes: &[u8], auth: Option<&CodexAuth>) -> Judgement {
    let restore = || match context.settings.logins.via(Client::Codex) {
        Some(_) => {
            Fix::run(["pushready", "apply"], "run apply after the module that writes auth.json")
        }
        // without a seed apply changes nothing of a login
        None => Fix::report(format!(
            "run `pushready apply` where {} is set, after the module that writes auth.json: restart the workspace",
            source(context.login_via(Client::Codex), variables::CODEX_AUTH_JSON)
        )),
    };
    let record = context.desired.logins.codex.as_ref();
    let Some(auth) = auth else {
        let (code, why) = match CodexAuth::parse(bytes) {
            Err(finding) => (finding.code, finding.summary),
            Ok(_) => (Code::CodexAuthMalformed, "it does not parse".to_owned()),
        };
        return Judgement::fail(code, format!("Codex cannot use auth.json: {why}"), restore());
    };
    let evidence = evidence(auth);
    let clobbered =
        record.is_some() && auth.is_key_of_template(context.settings.openai_api_key.as_ref());
    let outcome = match auth.state(context.env.now) {
        Liveness::Stub if record.is_some() => Judgement::fail(
            Code::CodexAuthClobbered,
            "a module wrote a stub over the login: Codex will send an empty credential",
            restore(),
        ),
        _ if clobbered => Judgement::fail(
            Code::CodexAuthClobbered,
            "a module wrote an API key over the login",
            restore(),
        ),
        Liveness::Stub => Judgement::fail(
            Code::CodexAuthIncomplete,
            "auth.json holds no credential",
            new_seed(context),
        ),
        Liveness::Incomplete(why) => Judgement::fail(
            Code::CodexAuthIncomplete,
            format!("Codex will send no credential: {why}"),
            new_seed(context),
        ),
        Liveness::Dead => Judgement::fail(
            Code::CodexAuthExpired,
            "the access token has expired, and nothing can renew it",
            new_seed(context),
        ),
        Liveness::Usable | Liveness::Refreshable => alive(context, auth),
    };
    outcome.with(evidence)
}

fn alive(context: &Context, auth: &CodexAuth) -> Judgement {
    let now = context.env.now;
    if let Some((wins, unused)) = auth.conflict() {
        return Judgement::fail(
            Code::CodexAuthConflict,
            format!("auth.json contains {wins} and {unused} at once: Codex uses {wins}"),
            Fix::report(
                "keep one of them: a file with the one alone, and `auth_mode` that names it",
            ),
        )
        .with([Evidence::new("wins", wins), Evidence::new("unused", unused)]);
    }
    let account = auth.account_digest().map(|hex| Digest::from_hex(&hex));
    if let Some(record) = &context.desired.logins.codex
        && (record.account != account || context.written(EntryName::Login(Client::Codex)).is_none())
    {
        return Judgement::warn(
            Code::CodexLoginNotOurs,
            "a login that pushready never wrote is in place, and stays",
            Fix::report(to_use_seed(&context.home.clients.codex.login)),
        );
    }
    let last_good = file::observe(&context.home.codex_copy, Kind::Secret).ok().flatten();
    let last_good = last_good.and_then(|content| CodexAuth::parse(&content.bytes).ok());
    let is_seed = context
        .desired
        .logins
        .codex
        .as_ref()
        .is_some_and(|record| record.seed == Digest::from_hex(&auth.digest()));
    if is_seed && last_good.is_some_and(|good| good.same_account(auth) && good.newer_than(auth)) {
        return Judgement::fail(
            Code::CodexSeedAtLivePath,
            "auth.json is the seed again, although Codex had renewed the login since: its refresh token is already used",
            Fix::report(
                "point the user secret at `~/.config/pushready/seed/codex-auth.json` instead of at auth.json",
            ),
        );
    }
    if let Some(expires) = auth.access_expires()
        && !auth.has_refresh_token()
        && expires.duration_since(now).as_secs() < ONE_DAY
    {
        return Judgement::warn(
            Code::CodexLeaseExpiring,
            format!("the lease ends in {}", span(expires.duration_since(now))),
            Fix::report("set a newer seed in the template before then"),
        );
    }
    let planned = context
        .planned(&Subject::Login(Client::Codex))
        .filter(|planned| planned.item.status == ItemStatus::Warn);
    if let Some(finding) = planned.and_then(|planned| planned.item.finding.as_ref()) {
        return Judgement::warn(finding.code, &finding.summary, finding.fix.clone());
    }
    Judgement::pass(described(auth, now))
}

fn evidence(auth: &CodexAuth) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    evidence.extend(
        auth.email_masked().map(|email| Evidence::new("account", email.escape_debug().to_string())),
    );
    evidence.extend(
        auth.access_expires().map(|at| Evidence::new("access token valid until", at.to_string())),
    );
    evidence.extend(auth.last_refresh().map(|at| Evidence::new("last refresh", at.to_string())));
    if auth.mode() == Mode::ChatGpt {
        let has = if auth.has_refresh_token() { "present" } else { "none: a lease" };
        evidence.push(Evidence::new("refresh token", has));
    }
    evidence
}
