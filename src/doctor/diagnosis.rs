//! What a push message means, as a check judges it.

use super::outcome::{Evidence, Judgement, Outcome};
use crate::git::url::Repository;
use crate::push_message::{Author, Cause, Diagnosis};

impl Diagnosis {
    /// The outcome of the check `id`; its subject is the repository that the text names.
    pub fn outcome(self, id: &'static str) -> Outcome {
        let subject = self.remote.as_ref().map(Repository::to_ssh);
        Outcome::new(id, Judgement { subject, ..self.judgement() })
    }

    /// The same of a repository that the check knows.
    pub fn judgement(self) -> Judgement {
        let judgement = match self.cause {
            Cause::None => Judgement::pass("git reports success"),
            Cause::Found(finding) => Judgement::found(finding),
            Cause::Unproven { finding, reason } => {
                Judgement::unknown(finding.summary, reason).coded(finding.code).fixed(finding.fix)
            }
        };
        let omitted = (self.omitted > 0).then(|| {
            Evidence::new("not read", format!("the first {} bytes of the text", self.omitted))
        });
        let transient = judgement.transient && !self.is_lasting;
        Judgement { transient, ..judgement }.with(omitted).with(self.quotes.iter().map(|quote| {
            let label = match quote.author {
                Author::Client => "git said",
                Author::Server => "server said",
            };
            Evidence::foreign(label, &quote.text)
        }))
    }
}
