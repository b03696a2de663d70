//! What is wrong with a setting, and in which file.

use std::fmt;

use super::layers::Layer;
use crate::catalogue::{Code, Finding, Fix};

/// A setting that keeps Codex from starting, or its login from being used.
pub struct CodexFault<'a> {
    pub setting: &'static str,
    pub layer: &'a Layer,
    pub finding: Finding,
    pub value: String,
    pub severity: Severity,
}

impl<'a> CodexFault<'a> {
    pub fn new(
        setting: &'static str,
        (layer, value): (&'a Layer, impl fmt::Display),
        code: Code,
    ) -> Self {
        let fix = Fix::edit(&layer.path, "correct it");
        let finding = Finding { code, summary: String::new(), fix };
        Self { setting, layer, finding, value: value.to_string(), severity: Severity::Fail }
    }

    pub fn coded(mut self, code: Code) -> Self {
        self.finding.code = code;
        self
    }

    pub fn with_summary(mut self, summary: impl Into<String>) -> Self {
        self.finding.summary = summary.into();
        self
    }

    /// What to change in the file.
    pub fn fixed_by(mut self, change: impl Into<String>) -> Self {
        self.finding.fix = Fix::edit(&self.layer.path, change);
        self
    }

    pub fn with_severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }
}

/// A value with which Codex does not start.
pub fn malformed<'a>(
    setting: &'static str,
    found: (&'a Layer, impl fmt::Display),
) -> CodexFault<'a> {
    CodexFault::new(setting, found, Code::CodexConfigMalformed)
}

/// What the fault makes of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Fail,
    Warn,
    /// Not certain; the text says what would decide it.
    Unknown(&'static str),
}
