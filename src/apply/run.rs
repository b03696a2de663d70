//! One apply: observe what is there, plan, take the steps, record what came of them.

use std::io;
use std::path::Path;

use crate::apply::plan::Plan;
use crate::apply::report::{ApplyReport, ReportCommand};
use crate::catalogue::Finding;
use crate::env::Env;
use crate::error::{Error, Result, fix_for};
use crate::git::url::Repository;
use crate::home::Home;
use crate::proof::{self, BinaryPair, GitInputs, Proven, SshInputs};
use crate::provision::recovery;
use crate::provision::routing::{self, AskedGit};
use crate::provision::{self, Item, ItemCause, Provision, ProvisionContext, counted};
use crate::settings::Settings;
use crate::state::State;
use crate::state::heal::{Healed, heal, settled};
use crate::state::receipt::Receipt;
use crate::state::subject::Subject;

/// What a reader does whose workspace has no secret yet.
const NEXT_STEP: &str = "nothing is configured: set PUSHREADY_CODEX_AUTH_JSON, \
     PUSHREADY_CLAUDE_OAUTH_TOKEN or PUSHREADY_DEPLOY_KEYS, or put files in ~/.config/pushready/seed \
     (`pushready apply --help` lists all), and apply again";

/// What is written then does not make an agent able to log in or to push.
const NO_LOGIN_OR_KEY: &str = "no login and no deploy key is configured: `pushready apply --help` \
     lists the variables for them";

/// A file that another program keeps writing is left to it after so many.
const ATTEMPTS: usize = 3;

/// What an apply works with.
pub struct ApplyRun<'a> {
    pub env: &'a Env,
    pub home: &'a Home,
    pub settings: &'a Settings,
}

/// What a run starts from: the state folder under its lock, and what the receipt says.
struct StartingPoint {
    state: State,
    before: Receipt,
    /// Nothing was recorded yet.
    is_new: bool,
    healed: Healed,
    /// The receipt was gone, and is put together from what is known to be ours.
    recovered: bool,
}

/// What is wanted, judged on what is there.
struct DesiredPlan {
    plan: Plan,
    provision: Provision,
}

/// The plan after its steps were taken.
struct Taken {
    plan: Plan,
    receipt: Receipt,
    changed: bool,
}

/// What the answers of ssh and git depend on, at one moment.
struct RunInputs {
    ssh: Option<SshInputs>,
    git: Option<GitInputs>,
}

/// Whether ssh chooses the right key.
struct Tested {
    /// With so many hosts. `None`: there was nothing to test.
    hosts: Option<std::result::Result<usize, Finding>>,
    proven: Proven,
}

/// What came of one attempt.
struct Attempt {
    report: ApplyReport,
    /// Another program wrote a file meanwhile, which was left to it: plan again.
    outdated: bool,
}

impl ApplyRun<'_> {
    /// The plan alone.
    pub fn dry_run(&self) -> Result<ApplyReport> {
        let receipt = self.known(settled(&self.home.state)?.0);
        let inputs = self.inputs(receipt.as_ref());
        let DesiredPlan { plan, provision } = self.plan(receipt.as_ref(), &inputs, false)?;
        Ok(self.report(&plan, provision, true))
    }

    pub fn run(&self) -> Result<ApplyReport> {
        let mut is_first = true;
        for _ in 1..ATTEMPTS {
            let attempt = self.attempt(is_first && proof::runs_commands(self.env))?;
            if !attempt.outdated {
                return Ok(attempt.report);
            }
            is_first = false;
        }
        Ok(self.attempt(false)?.report)
    }

    /// `untried`: what runs commands on most machines is not tried before it is used.
    fn attempt(&self, untried: bool) -> Result<Attempt> {
        if !provision::is_configured(self.settings)
            && self.known(settled(&self.home.state)?.0).is_none()
        {
            return self.leave_no_trace();
        }
        let observed = self.observe()?;
        // under the lock: what another run has changed is seen
        let inputs = self.inputs(Some(&observed.before));
        let mut wanted = self.plan(Some(&observed.before), &inputs, untried)?;
        if observed.recovered {
            let note = "the receipt was gone: what is known to be ours is in it again";
            wanted.provision.notes.push(note.to_owned());
        }
        let nothing = wanted.plan.items.is_empty() && observed.before.is_of_nothing();
        if observed.healed.unfinished && nothing {
            // what the interrupted run was to do is not known here: it stays unfinished
            let note = observed.healed.note("run `pushready apply` where the variables are set");
            wanted.provision.notes.extend(note);
            let report = self.report(&wanted.plan, wanted.provision, false);
            return Ok(Attempt { report, outdated: false });
        }
        let taken = self.take(&observed, wanted.plan, &wanted.provision)?;
        self.record(&observed, taken, wanted.provision, &inputs)
    }

    /// All that the answers of ssh and git depend on, where there is something to route.
    fn inputs(&self, receipt: Option<&Receipt>) -> RunInputs {
        let is_routed = receipt.is_some_and(|receipt| !receipt.desired.repositories.is_empty());
        if !is_routed && self.settings.keys.is_empty() {
            return RunInputs { ssh: None, git: None };
        }
        let ssh = SshInputs::now(self.env, &self.home.state);
        // musl and ssh may read different passwd databases
        let ssh = ssh.filter(|inputs| self.home.passwd.as_ref().ok() == Some(&inputs.home));
        RunInputs { ssh, git: GitInputs::now(self.env, &self.home.git_reads) }
    }

    /// Nothing is configured, and nothing ever was.
    fn leave_no_trace(&self) -> Result<Attempt> {
        let DesiredPlan { plan, mut provision } = self.plan(None, &self.inputs(None), false)?;
        let healed = Healed { swept: State::sweep(&self.home.state), unfinished: false };
        provision.notes.extend(healed.note(""));
        Ok(Attempt { report: self.report(&plan, provision, false), outdated: false })
    }

    /// The receipt; where it is gone, what is known to be ours all the same.
    fn known(&self, receipt: Option<Receipt>) -> Option<Receipt> {
        let token = self.settings.logins.claude.as_ref().map(|token| token.value.digest());
        let recovered = || recovery::receipt(self.home, token.as_deref(), self.env.now);
        match receipt {
            // it may have been made just now, and knows nothing but the folders that were made for
            // it
            Some(new) if new.is_of_nothing() => match recovered() {
                Some(recovered) => Some(Receipt { folders: new.folders, ..recovered }),
                None => Some(new),
            },
            Some(receipt) => Some(receipt),
            None => recovered(),
        }
    }

    /// Takes the lock, and removes what an interrupted run left.
    fn observe(&self) -> Result<StartingPoint> {
        let now = self.env.now;
        let state = State::open(&self.home.state, || Receipt::beginning(now))?;
        let (receipt, healed) = heal(self.home, &state)?;
        let is_new = receipt.is_none();
        let was_recovered = receipt.as_ref().is_some_and(|receipt| receipt.recovered);
        let before = self.known(receipt).unwrap_or_else(|| Receipt::new(now));
        let recovered = before.recovered && !was_recovered;
        Ok(StartingPoint { state, before, is_new, healed, recovered })
    }

    fn plan(
        &self,
        receipt: Option<&Receipt>,
        inputs: &RunInputs,
        is_tested_after: bool,
    ) -> Result<DesiredPlan> {
        let Self { env, home, settings } = *self;
        let proven = inputs.ssh.as_ref().and_then(|inputs| inputs.proven_hosts(&home.state));
        let (git, now) = (inputs.git.as_ref(), env.now);
        let context =
            ProvisionContext { settings, home, receipt, proven, git, is_tested_after, now };
        let mut provision = provision::desired(&context)?;
        let plan = Plan::observe(std::mem::take(&mut provision.items), receipt);
        Ok(DesiredPlan { plan, provision })
    }

    fn take(&self, observed: &StartingPoint, plan: Plan, provision: &Provision) -> Result<Taken> {
        let before = &observed.before;
        let mut receipt = before.clone();
        receipt.removing = false;
        receipt.desired = provision.desired.clone();
        let changed = plan.changes().next().is_some();
        if changed || !receipt.same(before) {
            receipt.provisioned_at = self.env.now;
        }
        let plan = plan
            .apply(&observed.state, before, &mut receipt)
            .map_err(|error| self.unrecorded(&error))?;
        Ok(Taken { plan, receipt, changed })
    }

    /// Notes in the receipt what could not be put in place, and saves it where it says anything
    /// new.
    fn record(
        &self,
        observed: &StartingPoint,
        taken: Taken,
        mut provision: Provision,
        planned: &RunInputs,
    ) -> Result<Attempt> {
        let StartingPoint { state, before, is_new, healed, .. } = observed;
        let Taken { plan, mut receipt, changed } = taken;
        let accepted = &self.settings.accept;
        receipt.desired.refused.clear();
        // a lost login is for status and doctor to look for
        let met = plan.failures().filter(|item| item.cause != ItemCause::LostLogin);
        receipt.refuse(met.filter_map(Item::refused), accepted);
        let is_moot = receipt
            .desired
            .refused
            .iter()
            .any(|refused| matches!(refused.item, Subject::Routing | Subject::Git));
        let tested = match provision.tested {
            _ if is_moot => Tested { hosts: None, proven: Proven::default() },
            // nothing has changed since
            Some(hosts) if !changed => self.tested_before(&receipt, &provision, planned, hosts),
            _ => self.test(&receipt, &provision, planned),
        };
        let Tested { hosts, mut proven } = tested;
        let is_refuted = provision.untried
            && matches!(hosts, Some(Err(_)))
            && routing::refuses_commands(&self.home.state);
        let proof = hosts.map(self_test_item);
        receipt.refuse(proof.iter().filter_map(Item::refused), accepted);
        proven.copy = provision.copy.take().or_else(|| copied(&plan, &state.path));
        proven.save(&state.path);
        if changed || healed.unfinished || state.just_made || *is_new || !receipt.same(before) {
            receipt.save(&state.path).map_err(|error| self.unrecorded(&error))?;
        }
        provision.desired = receipt.desired;
        provision.notes.extend(healed.note("its work is finished"));
        let mut report = self.report(&plan, provision, false);
        report.add(proof.as_slice(), accepted);
        Ok(Attempt { report, outdated: plan.outdated || is_refuted })
    }

    /// What was known before the run, and holds still.
    fn tested_before(
        &self,
        receipt: &Receipt,
        provision: &Provision,
        planned: &RunInputs,
        hosts: usize,
    ) -> Tested {
        let known = provision.git.as_ref().zip(planned.git.as_ref());
        if let Some(git) = known.and_then(|(answer, inputs)| answer.known_proof(inputs)) {
            // an earlier run has proven it of these inputs, and the next one sees whether they are
            // still the same
            let ssh = planned.ssh.clone().map(|inputs| (inputs, hosts));
            let proven = Proven { ssh, git: Some(git), copy: None };
            return Tested { hosts: Some(Ok(hosts)), proven };
        }
        let now = self.inputs(Some(receipt));
        let routed = routed(receipt);
        let git = now.git.as_ref().zip(provision.git.as_ref());
        let git = git.and_then(|(now, it)| it.proof(planned.git.as_ref(), now, None, &routed));
        let ssh = now.ssh.filter(|now| planned.ssh.as_ref() == Some(now));
        let proven = Proven { ssh: ssh.map(|inputs| (inputs, hosts)), git, copy: None };
        Tested { hosts: Some(Ok(hosts)), proven }
    }

    /// The routing must hold for the ssh and the git of this environment, not only on paper.
    fn test(&self, receipt: &Receipt, provision: &Provision, planned: &RunInputs) -> Tested {
        let routed = routed(receipt);
        if routed.is_empty() || self.home.passwd.is_err() {
            return Tested { hosts: None, proven: Proven::default() };
        }
        let before = self.inputs(Some(receipt));
        let git = AskedGit::new(self.home);
        let tested = routing::self_test(self.home, &routed, &git);
        // what changed during the test is not proven
        let now = self.inputs(Some(receipt));
        let ssh = now.ssh.filter(|now| before.ssh.as_ref() == Some(now));
        let ssh = ssh.zip(tested.as_ref().ok().copied());
        let rules = now.git.filter(|now| before.git.as_ref() == Some(now));
        let rules = rules.zip(provision.git.as_ref());
        let git =
            rules.and_then(|(now, it)| it.proof(planned.git.as_ref(), &now, Some(&git), &routed));
        Tested { hosts: Some(tested), proven: Proven { ssh, git, copy: None } }
    }

    fn unrecorded(&self, error: &io::Error) -> Error {
        Error::io("record the changes in", &Receipt::path(&self.home.state), error)
            .hint(fix_for(error))
    }

    fn report(&self, plan: &Plan, provision: Provision, dry_run: bool) -> ApplyReport {
        let Self { home, settings, .. } = self;
        let accepted = &settings.accept;
        let mut report = ApplyReport::of_plan(ReportCommand::Apply, dry_run, plan, home, accepted);
        report.sources.clone_from(&settings.sources);
        report.notes = home.notes_as_lines().chain(provision.notes).collect();
        report.unclaimed = settings.unclaimed;
        if !settings.unclaimed {
            let desired = &provision.desired;
            let has_login = |client| provision::has_login(home, client, self.env.now);
            let unmet = provision::unmet(desired, has_login, |subject| report.fails(subject));
            let missing = |it| provision::missing(it, desired, settings, home);
            let missing: Vec<_> = unmet.iter().map(missing).collect();
            report.add(&missing, accepted);
        }
        if plan.items.is_empty() && report.items.is_empty() {
            report.nothing = true;
            report.notes.push(NEXT_STEP.to_owned());
        } else if report.ready && !settings.unclaimed && !provision.desired.is_of_use() {
            report.notes.push(NO_LOGIN_OR_KEY.to_owned());
        }
        report
    }
}

/// The copy of pushready, where this run has written it.
fn copied(plan: &Plan, state: &Path) -> Option<BinaryPair> {
    let copy = state.join("bin/pushready");
    let mut steps = plan.items.iter().flat_map(|planned| &planned.steps);
    let is_written = steps.any(|step| step.done && step.resource.target.path == copy);
    is_written.then(|| BinaryPair::now(state))?
}

fn routed(receipt: &Receipt) -> Vec<Repository> {
    let repositories = receipt.desired.repositories.iter();
    repositories.map(|record| record.repository.clone()).collect()
}

fn self_test_item(tested: std::result::Result<usize, Finding>) -> Item {
    match tested {
        Ok(hosts) => {
            let say = format!("ssh chooses the right key (tested with {})", counted(hosts, "host"));
            Item::ready(Subject::SelfTest, say, Vec::new())
        }
        Err(finding) => Item::fail(Subject::SelfTest, finding),
    }
}
