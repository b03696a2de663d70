//! The plan: what is wanted compared with what is there, and the one place where it takes effect.

use std::collections::BTreeMap;
use std::io;

use crate::catalogue::Finding;
use crate::provision::{Item, ItemStatus};
use crate::resource::digest::Digest;
use crate::resource::file;
use crate::resource::place::Obstacle;
use crate::resource::{self, Before, EditVerdict, FileChange, Resource, Undo, WriteRefusal};
use crate::state::State;
use crate::state::receipt::{Receipt, ReceiptEntry, Refused, UnderWay, Was};
use crate::state::subject::Subject;

/// Judged steps, in the order in which they are to be taken. It is used up by applying it.
#[derive(Debug, Default)]
pub struct Plan {
    pub items: Vec<Planned>,
    /// Another program wrote a file between the look at it and the change: plan again.
    pub outdated: bool,
}

/// An item with the verdict on each of its files.
#[derive(Debug)]
pub struct Planned {
    pub item: Item,
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub struct Step {
    pub resource: Resource,
    pub verdict: EditVerdict,
    /// The content that it was judged on, where the receipt will have to know it.
    pub old: Option<Digest>,
    /// Whether there was a file.
    pub existed: bool,
    /// Whether it has been taken.
    pub done: bool,
}

impl Plan {
    /// Observes the files of the items and judges each.
    pub fn observe(items: Vec<Item>, receipt: Option<&Receipt>) -> Self {
        let judge = |resource: Resource| {
            let written = receipt.and_then(|receipt| receipt.undo(&resource));
            let observed = resource.observe();
            let verdict = match resource.judge(&observed, written) {
                EditVerdict::Change(change) => match resource.unchangeable() {
                    Some(finding) => EditVerdict::Blocked(finding),
                    None => EditVerdict::Change(change),
                },
                verdict => verdict,
            };
            let recorded =
                matches!(&verdict, EditVerdict::Change(FileChange { undo: Some(_), .. }));
            let existing = observed.ok().flatten();
            let existed = existing.is_some();
            let old = existing.filter(|_| recorded).map(|old| Digest::of(&old.bytes));
            Step { resource, verdict, old, existed, done: false }
        };
        let items = items.into_iter().map(|mut item| {
            let steps: Vec<_> =
                std::mem::take(&mut item.resources).into_iter().map(judge).collect();
            let blocked = steps.iter().find_map(|step| match &step.verdict {
                EditVerdict::Blocked(finding) => Some(step.resource.refusal(finding.clone())),
                _ => None,
            });
            if let Some(finding) = blocked {
                item.fail_with(finding);
            }
            Planned { item, steps }
        });
        Self { items: items.collect(), outdated: false }
    }

    /// The steps that would change something.
    pub fn changes(&self) -> impl Iterator<Item = (&Step, &FileChange)> {
        self.items.iter().flat_map(|planned| &planned.steps).filter_map(|step| {
            match &step.verdict {
                EditVerdict::Change(change) => Some((step, change)),
                _ => None,
            }
        })
    }

    /// The items that could not be put in place.
    pub fn failures(&self) -> impl Iterator<Item = &Item> {
        self.items
            .iter()
            .map(|planned| &planned.item)
            .filter(|item| item.status == ItemStatus::Fail)
    }

    /// Makes the changes. The receipt, which was as `before`, lists them with what undoes them
    /// before the first is made; what fails is struck off again. The caller saves it.
    pub fn apply(
        mut self,
        state: &State,
        before: &Receipt,
        receipt: &mut Receipt,
    ) -> io::Result<Self> {
        if self.changes().next().is_none() {
            return Ok(self.take(state, before, receipt));
        }
        receipt.under_way =
            Some(UnderWay { logins: before.desired.logins.clone(), steps: BTreeMap::new() });
        for planned in &mut self.items {
            let intended = planned.steps.iter().try_for_each(|step| match &step.verdict {
                EditVerdict::Change(change) => {
                    intend(receipt, before, state, step, step.old.clone(), change)
                }
                _ => Ok(()),
            });
            if let Err(error) = intended {
                planned.block(&Obstacle::Io(error).finding(&state.path.join("undo")));
            }
        }
        for folder in self.changes().flat_map(|(step, _)| step.resource.target.missing_folders()) {
            if !folder.starts_with(&state.path) && !receipt.folders.contains(&folder) {
                receipt.folders.push(folder);
            }
        }
        receipt.save(&state.path)?;
        let plan = self.take(state, before, receipt);
        receipt.settle();
        receipt
            .entries
            .retain(|_, entry| !matches!(&entry.undo, Undo::Remotes { urls } if urls.is_empty()));
        Ok(plan)
    }

    /// Takes the steps, without a note in the receipt first: the reverse of a change needs none,
    /// for it can be repeated.
    pub fn take(mut self, state: &State, before: &Receipt, receipt: &mut Receipt) -> Self {
        let mut keys_failed: Option<Refused> = None;
        for planned in &mut self.items {
            if let Some(Refused { item, code, .. }) = &keys_failed
                && planned.item.subject == Subject::Remotes
                && !planned.steps.is_empty()
            {
                // not a failure of its own
                let summary = format!("left alone, because {item} failed");
                let finding = Finding::new(*code, summary, "fix that, and apply again");
                planned.item = Item::warn(Subject::Remotes, finding, Vec::new());
                continue;
            }
            for step in &mut planned.steps {
                match take(step, before, receipt, state) {
                    Ok(done) => step.done = done,
                    Err(WriteRefusal { finding, outdated }) => {
                        self.outdated |= outdated;
                        planned.item.fail_with(step.resource.refusal(finding));
                        break;
                    }
                }
            }
            let of_keys = matches!(planned.item.subject, Subject::Key(_) | Subject::Routing);
            if of_keys && !planned.steps.is_empty() {
                keys_failed = keys_failed.or_else(|| planned.item.refused());
            }
        }
        self
    }
}

impl Planned {
    /// Nothing of it can be done.
    fn block(&mut self, finding: &Finding) {
        for step in &mut self.steps {
            step.verdict = EditVerdict::Blocked(finding.clone());
        }
        self.item.fail_with(finding.clone());
    }
}

/// Takes one step; says whether it was one that changes something. Where the file has changed since
/// it was judged, the receipt learns it before the file is written.
fn take(
    step: &Step,
    before: &Receipt,
    receipt: &mut Receipt,
    state: &State,
) -> Result<bool, WriteRefusal> {
    let entry = step.resource.entry.as_ref();
    let changes = matches!(step.verdict, EditVerdict::Change(_));
    if changes {
        step.resource.act(before.undo(&step.resource), |old, change| {
            let old = old.filter(|_| change.undo.is_some()).map(|old| Digest::of(&old.bytes));
            let known = receipt.undo(&step.resource);
            let was = receipt
                .under_way
                .as_ref()
                .zip(entry)
                .and_then(|(under_way, entry)| under_way.steps.get(entry));
            if change.undo.is_some()
                && (known != change.undo.as_ref() || was.is_none_or(|was| was.content != old))
            {
                intend(receipt, before, state, step, old, change)?;
                receipt.save(&state.path)?;
            }
            Ok(())
        })?;
    }
    let reverted = changes || matches!(step.verdict, EditVerdict::InSync);
    if let Some(entry) = entry
        && reverted
        && matches!(step.resource.edit, resource::Edit::Revert { .. })
    {
        receipt.entries.remove(entry);
    }
    Ok(changes)
}

/// Notes in the receipt what is about to be written over the content `old`, and keeps the bytes
/// that are replaced.
fn intend(
    receipt: &mut Receipt,
    before: &Receipt,
    state: &State,
    step: &Step,
    old: Option<Digest>,
    change: &FileChange,
) -> io::Result<()> {
    let Resource { entry, target, .. } = &step.resource;
    let (Some(undo), Some(id)) = (&change.undo, entry) else { return Ok(()) };
    if let (Some(bytes), Some(Before::Saved { content, .. })) = (&change.save, undo.before()) {
        let path = state.path.join("undo").join(content.file_name());
        if !path.exists() {
            file::write(&path, bytes, 0o600)?;
        }
    }
    let was = Was { undo: before.undo(&step.resource).cloned(), content: old };
    receipt.under_way.get_or_insert_default().steps.insert(id.clone(), was);
    receipt.entries.insert(id.clone(), ReceiptEntry { target: target.clone(), undo: undo.clone() });
    Ok(())
}
