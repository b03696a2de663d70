//! What is wrong with a setting, and in which file.

use toml_edit::Item;

use super::layers::Layer;
use crate::catalogue::Code;

/// A setting that keeps Codex from starting, or its login from being used.
pub struct Fault<'a> {
    pub setting: &'static str,
    pub layer: &'a Layer,
    pub code: Code,
    pub summary: String,
    pub fix: String,
    pub value: String,
    pub weight: Weight,
}

impl<'a> Fault<'a> {
    pub fn new(setting: &'static str, (layer, item): (&'a Layer, &Item), code: Code) -> Self {
        let value = item.to_string();
        Self {
            setting,
            layer,
            code,
            summary: String::new(),
            fix: "correct it".to_owned(),
            value,
            weight: Weight::Fails,
        }
    }

    pub fn says(self, summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..self }
    }

    pub fn fixed_by(self, fix: impl Into<String>) -> Self {
        Self { fix: fix.into(), ..self }
    }

    pub fn weighs(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }
}

/// How certain a fault is, and how much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Fails,
    Warns,
    /// Not certain; the sentence says what a verdict needs.
    Unknown(&'static str),
}
