//! The plan: what is wanted held against what is there, and the one place where it takes effect.

use crate::error::Finding;
use crate::provision::{Item, Status};
use crate::receipt::{Entry, Receipt};
use crate::resource::{self, Before, Change, Resource, Undo, Verdict, file};
use crate::state::State;

/// Judged steps, in the order in which they are to be taken. It is used up by applying it.
#[derive(Debug)]
pub struct Plan {
    pub items: Vec<Planned>,
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
    pub verdict: Verdict,
    /// Whether it has been taken.
    pub done: bool,
}

impl Plan {
    /// Observes the files of the items and judges each.
    pub fn new(items: Vec<Item>, receipt: Option<&Receipt>) -> Self {
        let judge = |resource: Resource| {
            let written =
                receipt.and_then(|receipt| receipt.entries.get(&resource.id)).map(|entry| &entry.undo);
            let verdict = resource.judge(&resource::observe(&resource.target), written);
            Step { resource, verdict, done: false }
        };
        let items = items.into_iter().map(|mut item| {
            let steps: Vec<_> = std::mem::take(&mut item.resources).into_iter().map(judge).collect();
            let blocked = steps.iter().find_map(|step| match &step.verdict {
                Verdict::Blocked(finding) => Some(finding.clone()),
                _ => None,
            });
            if let Some(finding) = blocked {
                item = fail(item, finding);
            }
            Planned { item, steps }
        });
        Self { items: items.collect() }
    }

    /// The steps that would change something.
    pub fn changes(&self) -> impl Iterator<Item = (&Step, &Change)> {
        self.items.iter().flat_map(|planned| &planned.steps).filter_map(|step| match &step.verdict {
            Verdict::Change(change) => Some((step, change)),
            _ => None,
        })
    }

    /// Takes the steps. The receipt lists them before the first is taken; what fails is taken off the list again.
    pub fn apply(mut self, state: &State, receipt: &mut Receipt) -> std::io::Result<Self> {
        let before = receipt.clone();
        for (step, change) in self.changes() {
            intend(receipt, state, &step.resource, change)?;
        }
        for folder in self.changes().flat_map(|(step, _)| file::missing_folders(&step.resource.target.path)) {
            if !folder.starts_with(&state.path) && !receipt.folders.contains(&folder) {
                receipt.folders.push(folder);
            }
        }
        if !receipt.same(&before) {
            receipt.save(&state.path)?;
        }
        let listed = receipt.clone();
        let mut keys_failed = false;
        for planned in &mut self.items {
            if keys_failed && planned.item.subject == "remotes" {
                planned.item.say = String::from("left alone, because a key or its routing failed");
                planned.item.status = Status::Fail;
                continue;
            }
            for step in planned.steps.iter_mut().filter(|step| matches!(step.verdict, Verdict::Change(_))) {
                match take(step, &before, receipt, state) {
                    Ok(()) => step.done = true,
                    Err(finding) => {
                        match before.entries.get(&step.resource.id) {
                            Some(entry) => receipt.entries.insert(step.resource.id.clone(), entry.clone()),
                            None => receipt.entries.remove(&step.resource.id),
                        };
                        keys_failed |=
                            planned.item.subject.starts_with("key ") || planned.item.subject == "routing";
                        planned.item = fail(std::mem::replace(&mut planned.item, nobody()), finding);
                        break;
                    }
                }
            }
        }
        receipt.entries.retain(|_, entry| !matches!(&entry.undo, Undo::Remotes { urls } if urls.is_empty()));
        if *receipt != listed {
            receipt.save(&state.path)?;
        }
        Ok(self)
    }
}

/// Takes one step. Where the file has changed since it was judged, the receipt learns it before the file is written.
fn take(step: &Step, before: &Receipt, receipt: &mut Receipt, state: &State) -> Result<(), Finding> {
    let id = &step.resource.id;
    let written = before.entries.get(id).map(|entry| &entry.undo);
    step.resource.act(written, |change| {
        let known = receipt.entries.get(id).map(|entry| entry.undo.clone());
        if change.undo.is_some() && known != change.undo {
            intend(receipt, state, &step.resource, change)?;
            receipt.save(&state.path)?;
        }
        Ok(())
    })?;
    if matches!(step.resource.edit, resource::Edit::Revert { .. }) {
        receipt.entries.remove(id);
    }
    Ok(())
}

/// Notes in the receipt what is about to be written, and keeps the bytes that it replaces.
fn intend(receipt: &mut Receipt, state: &State, resource: &Resource, change: &Change) -> std::io::Result<()> {
    let Some(undo) = &change.undo else { return Ok(()) };
    if let (Some(bytes), Some(Before::Saved { content, .. })) = (&change.save, undo.before()) {
        let path = state.path.join("undo").join(content.file_name());
        if !path.exists() {
            file::write(&path, bytes, 0o600)?;
        }
    }
    let entry = Entry { target: resource.target.clone(), undo: undo.clone() };
    receipt.entries.insert(resource.id.clone(), entry);
    Ok(())
}

fn fail(item: Item, finding: Finding) -> Item {
    Item { resources: item.resources, ..Item::fail(item.subject, finding) }
}

fn nobody() -> Item {
    Item::ready("", "", Vec::new())
}
