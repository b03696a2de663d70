//! The structure of `src/`: no circles between modules, no type name used twice, and
//! ARCHITECTURE.md names files and folders that exist.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, UseTree, Visibility};
use walkdir::WalkDir;

#[test]
fn every_path_in_the_page_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = include_str!("../ARCHITECTURE.md");
    let roots = ["src/", "tests/", "scripts/", "schema/", "examples/", "docs/"];
    let is_path = |word: &&str| {
        let is_document = |end| Path::new(word).extension().is_some_and(|found| found == end);
        roots.iter().any(|root| word.starts_with(root)) || is_document("toml") || is_document("md")
    };
    let paths: Vec<_> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| !word.contains(' '))
        .filter(is_path)
        .collect();
    assert!(paths.len() > 60, "{}", paths.len());
    let missing: Vec<_> = paths.iter().filter(|path| !root.join(path).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what does not exist: {missing:?}");
}

#[test]
fn every_module_is_in_the_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = include_str!("../ARCHITECTURE.md");
    for entry in std::fs::read_dir(root.join("src")).into_iter().flatten().flatten() {
        let mut name = format!("src/{}", entry.file_name().display());
        if entry.path().is_dir() {
            name.push('/');
        }
        assert!(text.contains(&format!("`{name}`")), "ARCHITECTURE.md does not name {name}");
    }
}

/// `doctor::push` of `src/doctor/push/mod.rs`.
type Module = Vec<String>;

/// What one file declares, and what it takes from others.
#[derive(Default)]
struct Source {
    /// The modules that are files of their own.
    children: BTreeSet<String>,
    /// The names that it imports, each with the whole path.
    imports: BTreeMap<String, Vec<String>>,
    /// Every path in it that begins with `crate`, `super` or `self`, or with an imported name.
    paths: Vec<Vec<String>>,
    /// The types, and whether other modules can name them.
    types: Vec<(String, bool)>,
}

impl Source {
    fn of(file: &syn::File) -> Self {
        let mut source = Self::default();
        source.visit_file(file);
        source
    }

    fn import(&mut self, tree: &UseTree, mut path: Vec<String>) {
        match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                self.import(&tree.tree, path);
            }
            UseTree::Group(tree) => {
                tree.items.iter().for_each(|tree| self.import(tree, path.clone()));
            }
            UseTree::Name(tree) => self.import_as(&tree.ident, &tree.ident, path),
            UseTree::Rename(tree) => self.import_as(&tree.ident, &tree.rename, path),
            UseTree::Glob(_) => self.paths.push(path),
        }
    }

    fn import_as(&mut self, name: &Ident, local: &Ident, mut path: Vec<String>) {
        let local = if local == "self" { path.last().cloned() } else { Some(local.to_string()) };
        if name != "self" {
            path.push(name.to_string());
        }
        self.paths.push(path.clone());
        self.imports.extend(local.map(|local| (local, path)));
    }

    fn declare(&mut self, name: &Ident, visibility: &Visibility) {
        self.types.push((name.to_string(), !matches!(visibility, Visibility::Inherited)));
    }
}

fn is_of_tests(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<Ident>().is_ok_and(|what| what == "test")
    };
    attributes.iter().any(is_test)
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(item) if is_of_tests(&item.attrs) => return,
            Item::Fn(item) if is_of_tests(&item.attrs) => return,
            Item::Use(item) if is_of_tests(&item.attrs) => return,
            Item::Mod(item) if item.content.is_none() => {
                self.children.insert(item.ident.to_string());
            }
            Item::Use(item) => self.import(&item.tree, Vec::new()),
            Item::Struct(item) => self.declare(&item.ident, &item.vis),
            Item::Enum(item) => self.declare(&item.ident, &item.vis),
            Item::Type(item) => self.declare(&item.ident, &item.vis),
            Item::Trait(item) => self.declare(&item.ident, &item.vis),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    /// Types within a function are its own.
    fn visit_block(&mut self, block: &'ast syn::Block) {
        let declared = self.types.len();
        visit::visit_block(self, block);
        self.types.truncate(declared);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(path.segments.iter().map(|part| part.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

fn sources() -> BTreeMap<Module, Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = WalkDir::new(&root).into_iter().flatten();
    let files = files.filter(|file| file.path().extension().is_some_and(|end| end == "rs"));
    let sources = files.map(|file| {
        let path = file.path().strip_prefix(&root).unwrap().with_extension("");
        let mut module: Module =
            path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "main")) {
            module.pop();
        }
        let source =
            Source::of(&syn::parse_file(&fs::read_to_string(file.path()).unwrap()).unwrap());
        (module, source)
    });
    let mut sources: BTreeMap<Module, Source> = sources.collect();
    // a module that is declared for tests alone is no part of the program
    let all: BTreeSet<Module> = sources.keys().cloned().collect();
    let is_declared = |module: &Module, sources: &BTreeMap<Module, Source>| {
        (1..=module.len()).all(|depth| {
            let (above, name) = (&module[..depth - 1], &module[depth - 1]);
            sources.get(above).is_some_and(|source| source.children.contains(name))
        })
    };
    let undeclared: Vec<_> = all.iter().filter(|module| !is_declared(module, &sources)).collect();
    for module in undeclared {
        sources.remove(module);
    }
    sources
}

/// The module whose file defines what `path` names, as seen from `module`.
fn definition(
    sources: &BTreeMap<Module, Source>,
    module: &Module,
    path: &[String],
) -> Option<Module> {
    // re-exports lead from one to the next, none of them twice
    follow(sources, module, path, 8)
}

fn follow(
    sources: &BTreeMap<Module, Source>,
    module: &Module,
    path: &[String],
    left: usize,
) -> Option<Module> {
    let left = left.checked_sub(1)?;
    let mut at = module.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => {
            at.clear();
            rest = &path[1..];
        }
        "self" => rest = &path[1..],
        _ => {}
    }
    while rest.first().is_some_and(|name| name == "super") {
        at.pop();
        rest = &rest[1..];
    }
    let is_relative = rest.len() == path.len();
    while let Some((name, further)) = rest.split_first() {
        let source = sources.get(&at)?;
        if source.children.contains(name) {
            at.push(name.clone());
            rest = further;
        } else if let Some(import) = source.imports.get(name).filter(|import| **import != *path) {
            let whole: Vec<_> = import.iter().chain(further).cloned().collect();
            return follow(sources, &at, &whole, left);
        } else if is_relative && at == *module {
            // an item of this file, or of another crate
            return None;
        } else {
            break;
        }
    }
    sources.contains_key(&at).then_some(at)
}

/// Which module takes something from which.
fn arrows(sources: &BTreeMap<Module, Source>) -> BTreeSet<(Module, Module)> {
    let of = |(module, source): (&Module, &Source)| {
        let to = |path: &Vec<String>| definition(sources, module, path);
        let to: Vec<_> = source.paths.iter().filter_map(to).filter(|to| to != module).collect();
        let module = module.clone();
        to.into_iter().map(move |to| (module.clone(), to)).collect::<Vec<_>>()
    };
    sources.iter().flat_map(of).collect()
}

/// A way from a node back to itself.
fn circle<T: Clone + Ord>(arrows: &BTreeSet<(T, T)>) -> Option<Vec<T>> {
    let mut next: BTreeMap<&T, Vec<&T>> = BTreeMap::new();
    for (from, to) in arrows {
        next.entry(from).or_default().push(to);
    }
    let mut done = BTreeSet::new();
    for start in next.keys() {
        let mut way: Vec<(&T, usize)> = vec![(start, 0)];
        while let Some((node, index)) = way.last().copied() {
            let to = next.get(node).and_then(|to| to.get(index)).copied();
            let Some(to) = to.filter(|_| !done.contains(node)) else {
                done.insert(node);
                way.pop();
                continue;
            };
            way.last_mut().unwrap().1 += 1;
            if let Some(first) = way.iter().position(|(known, _)| *known == to) {
                let circle = way[first..].iter().map(|(node, _)| *node);
                return Some(circle.chain([to]).cloned().collect());
            }
            if !done.contains(to) {
                way.push((to, 0));
            }
        }
    }
    None
}

fn shown(circle: &[Module]) -> String {
    let names: Vec<_> = circle.iter().map(|module| module.join("::")).collect();
    names.join(" -> ")
}

/// The `mod.rs` of a folder and the files below it are one module to the rest, and may use each
/// other's items; the test of the folders sees a circle that leads through both.
#[test]
fn no_files_import_each_other_in_a_circle() {
    let is_within = |(from, to): &(Module, Module)| from.starts_with(to) || to.starts_with(from);
    let mut arrows = arrows(&sources());
    arrows.retain(|arrow| !is_within(arrow));
    assert!(arrows.len() > 500, "{}", arrows.len());
    let circle = circle(&arrows);
    assert!(circle.is_none(), "a circle of imports: {}", shown(&circle.unwrap()));
}

#[test]
fn no_modules_of_one_folder_import_each_other_in_a_circle() {
    let sources = sources();
    let arrows = arrows(&sources);
    let folders = sources.iter().filter(|(_, source)| !source.children.is_empty());
    for (folder, _) in folders {
        let child = |module: &Module| {
            let below = module.strip_prefix(&folder[..])?;
            Some([&folder[..], &below[..1.min(below.len())]].concat()).filter(|_| !below.is_empty())
        };
        let arrows = arrows.iter().filter_map(|(from, to)| Some((child(from)?, child(to)?)));
        let circle = circle(&arrows.filter(|(from, to)| from != to).collect());
        assert!(circle.is_none(), "a circle of modules: {}", shown(&circle.unwrap()));
    }
}

#[test]
fn a_circle_is_found_through_reexports_and_over_folders() {
    let parse = |text: &str| Source::of(&syn::parse_file(text).unwrap());
    let module = |name: &str| name.split("::").map(str::to_owned).collect::<Module>();
    let tree = |files: &[(&str, &str)]| -> BTreeMap<Module, Source> {
        let source = |(name, text): &(&str, &str)| {
            let module = if name.is_empty() { Vec::new() } else { module(name) };
            (module, parse(text))
        };
        files.iter().map(source).collect()
    };
    let root = ("", "mod a; mod b; mod c; fn main() { b::run(); }");
    let by_reexport = tree(&[
        root,
        ("a", "use crate::c::Thing; pub struct Own;"),
        ("b", "pub use crate::a::Own; pub fn run() {}"),
        ("c", "use crate::b::Own; pub struct Thing(Own);"),
    ]);
    let found = circle(&arrows(&by_reexport)).map(|circle| shown(&circle));
    assert_eq!(found.as_deref(), Some("a -> c -> a"));
    let without = tree(&[
        root,
        ("a", "use crate::c::Thing; #[cfg(test)] mod tests { use crate::b::run; }"),
        ("b", "use super::{a, c::Thing}; fn f() { a::g() }"),
        ("c", "pub struct Thing; impl Thing { fn a() { crate::d() } }"),
    ]);
    let shown: Vec<_> =
        arrows(&without).iter().map(|(from, to)| shown(&[from.clone(), to.clone()])).collect();
    assert_eq!(shown, [" -> b", "a -> c", "b -> a", "b -> c", "c -> "]);
}

#[test]
fn no_type_name_is_used_twice() {
    let mut uses: BTreeMap<String, Vec<(Module, bool)>> = BTreeMap::new();
    for (module, source) in sources() {
        for (name, is_public) in source.types {
            uses.entry(name).or_default().push((module.clone(), is_public));
        }
    }
    assert!(uses.len() > 300, "{}", uses.len());
    let twice = uses.iter().filter(|(_, uses)| uses.len() > 1);
    let twice: Vec<_> = twice
        .map(|(name, uses)| {
            let modules: Vec<_> = uses.iter().map(|(module, _)| module.join("::")).collect();
            format!("{name}: {}", modules.join(", "))
        })
        .collect();
    assert!(twice.is_empty(), "name each of these types by its module: {twice:#?}");
}
