//! Does this clock show the time that servers show? Asked of one of them over HTTPS, and of the
//! login in place, whose token contains the time at which OpenAI issued it. ssh has no time.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::context::{Context, Depth};
use super::outcome::{Evidence, Judgement};
use crate::catalogue::Code;
use crate::catalogue::Fix;
use crate::http::{Http, HttpError, Url};
use crate::provision::span;
use crate::resource::file::{self, Kind};
use crate::secret::CodexAuth;
use crate::variables::observed;

/// More than clocks differ that are set at all, less than a token's or a certificate's life.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// Where HTTPS is forbidden and only ssh gets out, nobody should wait for it.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn clock(context: &Context) -> Judgement {
    let server =
        if context.depth > Depth::Offline && !context.sandboxed() { ask(context) } else { None };
    judge(Timestamp::now(), issued(context), server)
}

/// What a server showed.
#[derive(Debug)]
enum Shown {
    Time(Timestamp),
    /// Its certificate begins later than this clock's time: so the clock is behind.
    Later,
}

/// When the token in auth.json was issued, by OpenAI's clock.
fn issued(context: &Context) -> Option<Timestamp> {
    let content = file::observe(&context.home.clients.codex.login, Kind::Secret).ok()??;
    CodexAuth::parse(&content.bytes).ok()?.access_issued()
}

/// Coder's own server, which a workspace always reaches, else the forge of a repository.
fn ask(context: &Context) -> Option<Shown> {
    let coder = context.env.text(observed::CODER_AGENT_URL);
    let forge = || Some(format!("https://{}", context.push_urls.first()?.host()));
    let url = Url::parse(&coder.or_else(forge)?)?.below("/robots.txt")?;
    let http = Http::new(context.env, Instant::now() + context.deadline(PATIENCE));
    match http.get(&url, &[], None) {
        Ok(response) => {
            let date = jiff::fmt::rfc2822::parse(response.header("date")?).ok()?;
            Some(Shown::Time(date.timestamp()))
        }
        Err(HttpError::Tls(why)) if why.contains("not valid yet") => Some(Shown::Later),
        Err(_) => None,
    }
}

/// Pure.
fn judge(now: Timestamp, issued: Option<Timestamp>, server: Option<Shown>) -> Judgement {
    let skewed = |summary: String, evidence: Evidence| {
        let fix = Fix::report(
            "set the clock of the workspace's host: NTP, or the time of the virtual machine",
        );
        Judgement::warn(Code::ClockSkew, summary, fix)
            .with([Evidence::new("this clock", now.to_string()), evidence])
    };
    let difference = |by: SignedDuration| {
        let way = if by.is_negative() { "ahead of" } else { "behind" };
        format!(
            "this clock is {} {way} the server's: valid tokens can seem expired, and expired ones valid",
            span(by)
        )
    };
    match (server, issued) {
        (Some(Shown::Time(at)), _) if at.duration_since(now).abs() > TOLERANCE => skewed(
            difference(at.duration_since(now)),
            Evidence::new("the server's", at.to_string()),
        ),
        (Some(Shown::Later), _) => skewed(
            "this clock is behind: by its time, the certificate of a server is not valid yet"
                .to_owned(),
            Evidence::new("server", "its certificate begins later"),
        ),
        (_, Some(at)) if at.duration_since(now) > TOLERANCE => skewed(
            difference(at.duration_since(now)),
            Evidence::new("Codex's token was issued", at.to_string()),
        ),
        (Some(Shown::Time(at)), _) => Judgement::pass("this clock shows the server's time")
            .with([Evidence::new("the server's", at.to_string())]),
        (None, _) => Judgement::skip("no server sent its time over HTTPS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::CheckStatus;

    #[test]
    fn a_clock_is_held_against_the_servers_and_then_against_the_token() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let at = |minutes| now + SignedDuration::from_mins(minutes);
        for (issued, server, status, says) in [
            (None, None, CheckStatus::Skip, "no server"),
            (Some(-600), None, CheckStatus::Skip, "no server"),
            (Some(6), None, CheckStatus::Warn, "6 min behind"),
            (Some(4), Some(-4), CheckStatus::Pass, "server's time"),
            (Some(-60), Some(150), CheckStatus::Warn, "2 h behind"),
            (Some(-60), Some(-150), CheckStatus::Warn, "2 h ahead of"),
        ] {
            let outcome =
                judge(now, issued.map(at), server.map(|minutes| Shown::Time(at(minutes))));
            assert_eq!(outcome.status, status, "{outcome:?}");
            assert!(outcome.summary.contains(says), "{outcome:?}");
        }
        assert_eq!(judge(now, None, Some(Shown::Later)).code, Some(Code::ClockSkew));
    }
}
