//! The agent clients, one row each: what the rest of the program reads instead of naming one.
//!
//! How a login is parsed, written and judged differs too much for a table: `secret/`, `provision/`
//! and `doctor/` have a module for each client. ARCHITECTURE.md has the recipe for a new one.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::catalogue::Code;
use crate::variables;

/// Where a user has a secret before it is a user secret of Coder's.
#[derive(Clone, Copy)]
pub enum LoginFrom {
    /// A file.
    File(&'static str),
    /// A variable with one line: `coder secret create` warns of the line's end in a file.
    Line(&'static str),
}

/// What is known of a client.
pub struct ClientRow {
    /// Its program, and its name in requirements, in reports and in the ids of its checks.
    pub id: &'static str,
    /// What it logs in with, in a sentence.
    pub login: &'static str,
    /// Where the user has its login, in the command that stores it.
    pub login_from: LoginFrom,
    /// The variable of pushready with the login.
    pub variable: &'static str,
    /// The file of the seed folder with the login.
    pub seed: &'static str,
    /// The client's own variable with the login, where it has one.
    pub own_variable: Option<&'static str>,
    /// A login that has another form.
    pub malformed: Code,
    /// A folder that the client does not trust yet.
    pub untrusted: Code,
    /// The names of the receipt's entries.
    pub login_entry: &'static str,
    pub config_entry: &'static str,
    /// The variable that names its folder, and the folder of the home that it is otherwise.
    pub folder_variable: &'static str,
    pub folder: &'static str,
    /// Its variable counts as unset when it is empty.
    pub empty_is_unset: bool,
    pub login_file: &'static str,
    pub config_file: &'static str,
    /// The configuration is in the home, unless the variable names a folder.
    pub config_is_in_home: bool,
    /// The files that its lock leaves in its folder.
    pub lock_files: &'static [&'static str],
}

/// The paths of a client in one home.
#[derive(Debug)]
pub struct ClientPaths {
    pub folder: PathBuf,
    pub login: PathBuf,
    pub config: PathBuf,
}

macro_rules! clients {
    ($($client:ident $field:ident { $($name:ident: $value:expr,)* })*) => {
        /// An agent client.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Client {
            $($client,)*
        }

        impl Client {
            /// Every client, in the order of the reports.
            pub const ALL: &[Self] = &[$(Self::$client,)*];

            pub const fn row(self) -> &'static ClientRow {
                match self {
                    $(Self::$client => &ClientRow { $($name: $value,)* },)*
                }
            }
        }

        /// A value for each client.
        #[derive(Debug, Serialize)]
        pub struct PerClient<T> {
            $(pub $field: T,)*
        }

        impl<T> PerClient<T> {
            pub fn new(value: impl Fn(Client) -> T) -> Self {
                Self { $($field: value(Client::$client),)* }
            }

            pub const fn get(&self, client: Client) -> &T {
                match client {
                    $(Client::$client => &self.$field,)*
                }
            }
        }
    };
}

clients! {
    Codex codex {
        id: "codex",
        login: "Codex login",
        login_from: LoginFrom::File("auth.json"),
        variable: variables::CODEX_AUTH_JSON,
        seed: "codex-auth.json",
        own_variable: None,
        malformed: Code::CodexAuthMalformed,
        untrusted: Code::CodexUntrustedFolder,
        login_entry: "codex.auth",
        config_entry: "codex.trust",
        folder_variable: variables::CODEX_HOME,
        folder: ".codex",
        empty_is_unset: true,
        login_file: "auth.json",
        config_file: "config.toml",
        config_is_in_home: false,
        lock_files: &["auth.lock", "auth.json.lock"],
    }
    Claude claude {
        id: "claude",
        login: "Claude Code token",
        login_from: LoginFrom::Line("TOKEN"),
        variable: variables::CLAUDE_OAUTH_TOKEN,
        seed: "claude-oauth-token",
        own_variable: Some(variables::CLAUDE_CODE_OAUTH_TOKEN),
        malformed: Code::ClaudeTokenMalformed,
        untrusted: Code::ClaudeUntrustedFolder,
        login_entry: "claude.credentials",
        config_entry: "claude.config",
        folder_variable: variables::CLAUDE_CONFIG_DIR,
        folder: ".claude",
        empty_is_unset: false,
        login_file: ".credentials.json",
        config_file: ".claude.json",
        config_is_in_home: true,
        lock_files: &[],
    }
}

impl Client {
    /// The client of this name: `codex`.
    pub fn of_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|client| client.row().id == id)
    }

    /// The client that logs in with this variable of its own.
    pub fn of_own_variable(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|client| client.row().own_variable == Some(name))
    }

    /// Its paths in a home. `variable`: what the variable for its folder contains, unchanged: the
    /// clients expand no `~`, and resolve a relative path from wherever they are started.
    pub fn paths(self, home: &Path, variable: Option<OsString>) -> ClientPaths {
        let row = self.row();
        let named = variable.filter(|value| !(row.empty_is_unset && value.is_empty()));
        let named = named.map(PathBuf::from);
        let is_named = named.is_some();
        let folder = named.unwrap_or_else(|| home.join(row.folder));
        let config = if row.config_is_in_home && !is_named { home } else { &folder };
        ClientPaths {
            login: folder.join(row.login_file),
            config: config.join(row.config_file),
            folder,
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_client_finds_its_files_as_its_program_does() {
        for (client, variable, folder, login, config) in [
            (Client::Codex, None, "/h/.codex", "/h/.codex/auth.json", "/h/.codex/config.toml"),
            (Client::Codex, Some(""), "/h/.codex", "/h/.codex/auth.json", "/h/.codex/config.toml"),
            (Client::Codex, Some("/x"), "/x", "/x/auth.json", "/x/config.toml"),
            (Client::Claude, None, "/h/.claude", "/h/.claude/.credentials.json", "/h/.claude.json"),
            (Client::Claude, Some("/x"), "/x", "/x/.credentials.json", "/x/.claude.json"),
            (Client::Claude, Some("~/x"), "~/x", "~/x/.credentials.json", "~/x/.claude.json"),
            (Client::Claude, Some(""), "", ".credentials.json", ".claude.json"),
        ] {
            let paths = client.paths(Path::new("/h"), variable.map(OsString::from));
            let expected = [folder, login, config].map(PathBuf::from);
            assert_eq!(
                [paths.folder, paths.login, paths.config],
                expected,
                "{client} {variable:?}"
            );
        }
    }

    #[test]
    fn names_and_files_are_of_one_client_alone() {
        for of in [
            |row: &ClientRow| row.id,
            |row: &ClientRow| row.variable,
            |row: &ClientRow| row.seed,
            |row: &ClientRow| row.folder,
            |row: &ClientRow| row.folder_variable,
        ] {
            let values: BTreeSet<_> = Client::ALL.iter().map(|client| of(client.row())).collect();
            assert_eq!(values.len(), Client::ALL.len(), "{values:?}");
        }
        let entries: BTreeSet<_> = Client::ALL
            .iter()
            .flat_map(|client| [client.row().login_entry, client.row().config_entry])
            .collect();
        assert_eq!(entries.len(), 2 * Client::ALL.len(), "{entries:?}");
    }
}
