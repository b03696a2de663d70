//! The environment as it was at the start, and the time. Nothing else reads the environment.
#![expect(clippy::disallowed_methods, reason = "this is the module that reads the environment")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// The environment as it was at the start, and the time.
#[derive(Clone)]
pub struct Env {
    variables: BTreeMap<OsString, OsString>,
    pub now: Timestamp,
}

impl Env {
    pub fn of_process() -> Self {
        Self { variables: std::env::vars_os().collect(), now: Timestamp::now() }
    }

    /// An environment of these variables alone.
    #[cfg(test)]
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, now: Timestamp::now() }
    }

    /// The names of the variables that are set; one that is not UTF-8 is nobody's.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let set = self.variables.keys().filter_map(|name| name.to_str());
        set.filter(|name| self.get(name).is_some()).map(str::to_owned)
    }

    /// All variables, as other programs see them.
    pub fn all(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// The value of a variable as other programs see it, be it blank.
    pub fn raw(&self, name: &str) -> Option<OsString> {
        self.variables.get(OsStr::new(name)).cloned()
    }

    /// The value of a variable; blank is unset, for Coder's modules export empty ones.
    pub fn get(&self, name: &str) -> Option<OsString> {
        let value = self.variables.get(OsStr::new(name))?;
        (!value.to_string_lossy().trim().is_empty()).then(|| value.clone())
    }

    pub fn text(&self, name: &str) -> Option<String> {
        Some(self.get(name)?.to_string_lossy().trim().to_owned())
    }

    /// A variable that is on or off; `None`: it is unset.
    pub fn switch(&self, name: &str) -> Result<Option<bool>, NotASwitch> {
        let Some(value) = self.text(name) else { return Ok(None) };
        match &*value.to_ascii_lowercase() {
            "1" | "true" | "yes" | "on" => Ok(Some(true)),
            "0" | "false" | "no" | "off" => Ok(Some(false)),
            _ => Err(NotASwitch),
        }
    }

    /// Whether another program's variable is set to anything but off.
    pub fn is_set(&self, name: &str) -> bool {
        self.switch(name).map_or(true, |value| value == Some(true))
    }
}

/// The value is neither on nor off.
#[derive(Debug, PartialEq, Eq)]
pub struct NotASwitch;

/// A path with `~` for the home; relative ones are taken from the current folder.
pub fn expand(value: &OsStr, home: &Path) -> PathBuf {
    let path = Path::new(value);
    match path.strip_prefix("~") {
        Ok(rest) if rest.as_os_str().is_empty() => home.to_owned(),
        Ok(rest) => home.join(rest),
        Err(_) => std::path::absolute(path).unwrap_or_else(|_| home.join(path)),
    }
}
