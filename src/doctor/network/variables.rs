//! Where a client finds a variable: in a file of its own, or in the environment.

use std::path::{Path, PathBuf};

use super::rules::Strictness;
use crate::doctor::variable_file::VariableFile;
use crate::env::Env;

/// A variable that a client reads, and where it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadVariable {
    pub name: &'static str,
    /// As it is, be it blank.
    pub value: String,
    pub place: SetIn,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetIn {
    Environment,
    File(PathBuf),
}

impl ReadVariable {
    pub fn is_blank(&self) -> bool {
        self.value.trim().is_empty()
    }

    /// As the client reads it.
    pub fn text(&self, strictness: Strictness) -> &str {
        match strictness {
            Strictness::Strict => &self.value,
            Strictness::Lenient => self.value.trim(),
        }
    }

    pub fn file(&self) -> Option<&Path> {
        match &self.place {
            SetIn::Environment => None,
            SetIn::File(path) => Some(path),
        }
    }

    /// `HTTPS_PROXY of the environment`.
    pub fn origin(&self) -> String {
        match &self.place {
            SetIn::Environment => format!("{} of the environment", self.name),
            SetIn::File(path) => format!("{} in {}", self.name, path.display()),
        }
    }
}

/// All that a client reads: the files override the environment, the first file the others.
pub struct Variables<'a> {
    pub env: &'a Env,
    pub files: Vec<VariableFile>,
}

impl Variables<'_> {
    /// What counts for the client, be it blank.
    pub fn get(&self, name: &'static str) -> Option<ReadVariable> {
        let of_file = |file: &VariableFile| {
            let value = file.values.get(name)?.clone();
            Some(ReadVariable { name, value, place: SetIn::File(file.path.clone()) })
        };
        self.files.iter().find_map(of_file).or_else(|| self.of_environment(name))
    }

    /// What the process had at its start, before it read a file.
    pub fn of_environment(&self, name: &'static str) -> Option<ReadVariable> {
        let value = self.env.raw(name)?.to_string_lossy().into_owned();
        Some(ReadVariable { name, value, place: SetIn::Environment })
    }

    /// The first of these that a repository's file sets.
    pub fn of_project(&self, names: &[&'static str]) -> Option<ReadVariable> {
        let files = self.files.iter().filter(|file| file.of_project);
        files.flat_map(|file| names.iter().map(move |name| (file, *name))).find_map(
            |(file, name)| {
                let value = file.values.get(name)?.clone();
                Some(ReadVariable { name, value, place: SetIn::File(file.path.clone()) })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_overrides_the_environment_also_with_nothing() {
        let env = Env::of(&[("HTTPS_PROXY", "http://env:1"), ("NO_PROXY", "x")]);
        let file = |values: &[(&str, &str)], of_project| VariableFile {
            path: PathBuf::from("/f"),
            values: values.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
            of_project,
        };
        let variables = Variables { env: &env, files: vec![file(&[("HTTPS_PROXY", "")], false)] };
        let found = variables.get("HTTPS_PROXY").unwrap();
        assert!(found.is_blank() && found.origin() == "HTTPS_PROXY in /f", "{found:?}");
        assert_eq!(variables.get("NO_PROXY").unwrap().origin(), "NO_PROXY of the environment");
        assert_eq!(variables.of_environment("HTTPS_PROXY").unwrap().value, "http://env:1");
        assert_eq!(variables.of_project(&["HTTPS_PROXY"]), None);
        let variables = Variables { env: &env, files: vec![file(&[("HTTPS_PROXY", "x")], true)] };
        assert!(variables.of_project(&["NO_PROXY", "HTTPS_PROXY"]).is_some());
    }
}
