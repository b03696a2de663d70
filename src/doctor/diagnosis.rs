//! What a push message means, as a check judges it.

use super::outcome::{Evidence, Judgement, Outcome};
use crate::git::url::Repository;
use crate::push_message::{Again, Author, Cause, Diagnosis};

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
            Cause::Fetched => Judgement::pass(
                "git reports success of a fetch, a pull or a clone; nothing in the text is about a push",
            ),
            Cause::Found(finding) => Judgement::found(finding),
            Cause::Unproven { finding, reason } => {
                Judgement::unknown(finding.summary, reason).coded(finding.code).fixed(finding.fix)
            }
        };
        let omitted = (self.omitted > 0).then(|| {
            Evidence::new("not read", format!("the first {} bytes of the text", self.omitted))
        });
        let judgement = match self.again {
            Again::AsOfItsCode => judgement,
            Again::AfterAStart => judgement.until_started(),
            Again::Nothing => Judgement { transient: false, ..judgement },
        };
        judgement.with(omitted).with(self.quotes.iter().map(|quote| {
            let label = match quote.author {
                Author::Client => "git said",
                Author::Server => "server said",
            };
            Evidence::foreign(label, &quote.text)
        }))
    }
}
