//! What a push message means, as the outcome of a check.

use super::outcome::{Evidence, Outcome};
use crate::push_message::{Author, Cause, Diagnosis};

impl Diagnosis {
    /// The outcome of the check `id`; its subject is the repository that the text names.
    pub fn outcome(self, id: &'static str) -> Outcome {
        let subject = self.remote.map(|remote| remote.to_ssh());
        let outcome = match self.cause {
            Cause::None => Outcome::pass(id, subject, "git reports success"),
            Cause::Found(finding) => Outcome::found(id, subject, finding),
            Cause::Unproven { finding, reason } => {
                Outcome::unknown(id, subject, finding.summary, reason)
                    .coded(finding.code)
                    .fixed(finding.fix)
            }
        };
        outcome.with(self.quotes.iter().map(|quote| {
            let label = match quote.author {
                Author::Client => "git said",
                Author::Server => "server said",
            };
            Evidence::foreign(label, &quote.text)
        }))
    }
}
