use super::outcome::{Fix, Outcome};
use crate::catalogue::Code;
use crate::git_url::Repository;
pub struct Hints {
    pub remote: Option<Repository>,
    pub key_is_ours: Option<bool>,
}
pub fn is_gitssh_failure(stderr: &str) -> bool {
    stderr.contains("get agent git ssh token") || stderr.contains("create agent client")
}
pub fn outcome(id: &'static str, subject: Option<String>, stderr: &str, _hints: &Hints) -> Outcome {
    Outcome::fail(
        id,
        subject,
        Code::PushUnrecognized,
        stderr.lines().next().unwrap_or_default().to_owned(),
        Fix::report("interim"),
    )
}
