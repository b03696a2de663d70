//! The configuration files that Codex reads, each above the one before: the machine's, the user's,
//! those of a trusted repository, and the machine's managed one (0.169, measured).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml_edit::{DocumentMut, Item, TomlError};

use crate::doctor::context::Context;
use crate::git_cli::clones;
use crate::provision::trust::real;
use crate::resource::file::{self, Kind};
use crate::resource::place::Obstacle;
use crate::resource::toml::{self, TomlRefusal};

const SYSTEM: &str = "/etc/codex/config.toml";
const MANAGED: &str = "/etc/codex/managed_config.toml";
const REQUIREMENTS: &str = "/etc/codex/requirements.toml";
/// What Codex ignores in a repository's file, with a warning.
const NOT_OF_PROJECTS: &[&str] = &[
    "apps_mcp_product_sku",
    "chatgpt_base_url",
    "experimental_realtime_webrtc_call_base_url",
    "experimental_realtime_ws_base_url",
    "model_provider",
    "model_providers",
    "notify",
    "openai_base_url",
    "otel",
    "profile",
    "profiles",
    "responses_api_metadata",
];

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerOrigin {
    System,
    User,
    /// It came with a repository: whoever can push to it can set it.
    Project,
    Managed,
}

/// One file.
#[derive(Clone, Debug)]
pub struct Layer {
    pub path: PathBuf,
    pub origin: LayerOrigin,
    config: Arc<DocumentMut>,
}

/// Why a file that is there cannot be used.
pub struct Unusable {
    pub path: PathBuf,
    pub origin: LayerOrigin,
    pub why: Why,
}

pub enum Why {
    Obstacle(Obstacle),
    NotUtf8,
    /// It, or what is judged with it, has more keys and values than are decoded.
    TooManyParts,
    /// With the number of the line, from 1.
    NotToml(Option<usize>),
}

/// The files that count, lowest first.
#[derive(Clone, Debug, Default)]
pub struct Layers(Vec<Layer>);

impl Layers {
    /// Those that count in every folder.
    pub fn of_machine(context: &Context) -> Result<Self, Unusable> {
        let user = context.home.clients.codex.config.clone();
        let files = [
            (PathBuf::from(SYSTEM), LayerOrigin::System),
            (user, LayerOrigin::User),
            (PathBuf::from(MANAGED), LayerOrigin::Managed),
        ];
        let mut left = toml::PARTS;
        let layers: Result<Vec<_>, _> = files
            .into_iter()
            .filter_map(|(path, origin)| read(path, origin, &mut left).transpose())
            .collect();
        layers.map(Self)
    }

    /// With those that the folder's repository adds, where Codex trusts it: of the top of the work
    /// tree, and of each folder down to this one. `None`: it adds none.
    pub fn of_folder(&self, context: &Context, folder: &Path) -> Result<Option<Self>, Unusable> {
        let user = context.home.clients.codex.config.clone();
        let mut added = Vec::new();
        let mut left = toml::PARTS;
        for (folder, is_trusted) in self.project(folder) {
            let path = folder.join(".codex/config.toml");
            if path == user {
                continue;
            }
            match read(path, LayerOrigin::Project, &mut left) {
                Ok(layer) => added.extend(layer.filter(|_| is_trusted)),
                // what cannot be read as text stops Codex in any repository
                Err(Unusable { why: Why::NotToml(_), .. }) if !is_trusted => {}
                Err(why) => return Err(why),
            }
        }
        if added.is_empty() {
            return Ok(None);
        }
        let mut layers = self.0.clone();
        let managed = layers
            .iter()
            .position(|layer| layer.origin == LayerOrigin::Managed)
            .unwrap_or(layers.len());
        layers.splice(managed..managed, added);
        Ok(Some(Self(layers)))
    }

    /// The folders from the top of the project down to this one, and whether Codex trusts each.
    pub fn project(&self, folder: &Path) -> Vec<(PathBuf, bool)> {
        let folder = PathBuf::from(real(folder));
        let top = self.top(&folder);
        let main = clones::git_folder(top);
        let main = main.as_deref().and_then(Path::parent);
        let is_trusted = |folder: &Path| {
            let mut by = [Some(folder), Some(top), main].into_iter().flatten();
            by.find_map(|folder| self.trust(folder)) == Some("trusted")
        };
        let chain = folder.ancestors().take_while(|above| above.starts_with(top));
        let mut chain: Vec<_> =
            chain.map(|folder| (folder.to_owned(), is_trusted(folder))).collect();
        chain.reverse();
        chain
    }

    /// The top of the project that contains a folder: the nearest folder with a marker, which is
    /// `.git` unless configured.
    fn top<'a>(&self, folder: &'a Path) -> &'a Path {
        let markers = self.value(&["project_root_markers"]).and_then(|(_, item)| item.as_array());
        let markers =
            markers.map(|list| list.iter().filter_map(|marker| marker.as_str()).collect());
        let markers: Vec<_> = markers.unwrap_or_else(|| vec![".git"]);
        let has = |above: &Path, marker: &str| {
            let place = above.join(marker);
            // an empty folder of that name is not a repository
            place.exists()
                && (marker != ".git" || place.is_file() || clones::git_folder(above).is_some())
        };
        let mut above = folder.ancestors();
        above.find(|above| markers.iter().any(|marker| has(above, marker))).unwrap_or(folder)
    }

    /// The level of trust that a folder has by its own name.
    pub fn trust(&self, folder: &Path) -> Option<&str> {
        self.value(&["projects", folder.to_str()?, "trust_level"])?.1.as_str()
    }

    /// The value of these names in the highest file that has it.
    pub fn value(&self, names: &[&str]) -> Option<(&Layer, &Item)> {
        self.0.iter().rev().find_map(|layer| Some((layer, layer.value(names)?)))
    }

    pub fn highest_first(&self) -> impl Iterator<Item = &Layer> {
        self.0.iter().rev()
    }
}

/// What an administrator requires, which is not a layer of the settings.
pub fn requirements() -> Result<Option<Layer>, Unusable> {
    read(PathBuf::from(REQUIREMENTS), LayerOrigin::System, &mut { toml::PARTS })
}

impl Layer {
    /// A list of strings.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        let list = self.config.get(name)?.as_array()?;
        Some(list.iter().map(|item| item.as_str().unwrap_or_default().to_owned()).collect())
    }

    /// A value at the top.
    pub fn item(&self, name: &str) -> Option<&Item> {
        self.config.get(name)
    }

    pub fn value(&self, names: &[&str]) -> Option<&Item> {
        let (first, rest) = names.split_first()?;
        if self.origin == LayerOrigin::Project && NOT_OF_PROJECTS.contains(first) {
            return None;
        }
        rest.iter().try_fold(self.config.get(first)?, |item, name| item.get(name))
    }
}

fn read(path: PathBuf, origin: LayerOrigin, left: &mut usize) -> Result<Option<Layer>, Unusable> {
    let unusable = |path, why| Unusable { path, origin, why };
    let content = match file::observe(&path, Kind::Shared) {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(None),
        // `.codex` itself is a file
        Err(Obstacle::Io(error)) if error.kind() == io::ErrorKind::NotADirectory => {
            return Ok(None);
        }
        Err(obstacle) => return Err(unusable(path, Why::Obstacle(obstacle))),
    };
    let Ok(text) = std::str::from_utf8(&content.bytes) else {
        return Err(unusable(path, Why::NotUtf8));
    };
    match toml::parse(text, left) {
        Ok(config) => Ok(Some(Layer { path, origin, config: Arc::new(config) })),
        Err(TomlRefusal::TooManyParts) => Err(unusable(path, Why::TooManyParts)),
        Err(TomlRefusal::NotToml(error)) => {
            let line = line(text, &error);
            Err(unusable(path, Why::NotToml(line)))
        }
    }
}

fn line(text: &str, error: &TomlError) -> Option<usize> {
    let newlines = |end| text.bytes().take(end).filter(|&byte| byte == b'\n').count();
    error.span().map(|span| 1 + newlines(span.start))
}

#[cfg(test)]
impl Layers {
    /// From texts, lowest first.
    pub fn of_texts(texts: &[(LayerOrigin, &str)]) -> Self {
        let layer = |&(origin, text): &(LayerOrigin, &str)| Layer {
            path: PathBuf::from(format!("/{origin:?}/config.toml")),
            origin,
            config: Arc::new(text.parse().unwrap()),
        };
        Self(texts.iter().map(layer).collect())
    }

    pub fn highest(&self) -> &Layer {
        self.0.last().unwrap()
    }
}
