//! The configuration as Codex sees it: tables of all files are merged, and any other value is that of
//! the highest file (0.169, measured). Pure.

use std::collections::BTreeSet;
use std::fmt;

use toml_edit::{ArrayOfTables, Item, TableLike, Value};

use super::layers::{Layer, Layers};

/// A value of a file, in whichever way it is written.
#[derive(Clone, Copy)]
pub enum MergedNode<'a> {
    Table(&'a dyn TableLike),
    Tables(&'a ArrayOfTables),
    /// No table.
    Value(&'a Value),
}

/// A value, with the files that have a part in it, the highest first. Of what is not a table there
/// is one.
#[derive(Clone)]
pub struct Merged<'a>(Vec<(&'a Layer, MergedNode<'a>)>);

impl Layers {
    /// The value of a name at the top.
    pub fn merged<'a>(&'a self, name: &str) -> Option<Merged<'a>> {
        Merged::of(self.highest_first().filter_map(|layer| {
            let node = MergedNode::of_item(layer.value(&[name])?)?;
            Some((layer, node))
        }))
    }
}

impl<'a> Merged<'a> {
    fn of(found: impl Iterator<Item = (&'a Layer, MergedNode<'a>)>) -> Option<Self> {
        let mut found = found.peekable();
        let (_, highest) = found.peek()?;
        let is_table = matches!(highest, MergedNode::Table(_));
        let parts: Vec<_> = if is_table {
            found.take_while(|(_, node)| matches!(node, MergedNode::Table(_))).collect()
        } else {
            found.take(1).collect()
        };
        Some(Self(parts))
    }

    /// The value of a name in a table.
    pub fn get(&self, name: &str) -> Option<Self> {
        Self::of(self.0.iter().filter_map(|(layer, node)| match node {
            MergedNode::Table(table) => Some((*layer, MergedNode::of_item(table.get(name)?)?)),
            MergedNode::Tables(_) | MergedNode::Value(_) => None,
        }))
    }

    /// What is at a path of names.
    pub fn at(&self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self.clone(), |value, name| value.get(name))
    }

    /// The names of a table.
    pub fn names(&self) -> BTreeSet<&'a str> {
        let tables = self.0.iter().filter_map(|(_, node)| match node {
            MergedNode::Table(table) => Some(*table),
            MergedNode::Tables(_) | MergedNode::Value(_) => None,
        });
        tables.flat_map(|table| table.iter().map(|(name, _)| name)).collect()
    }

    /// Each value of a table, or of a list.
    pub fn entries(&self) -> Vec<Self> {
        let Some((layer, node)) = self.0.first() else { return Vec::new() };
        let one = |node| Self(vec![(*layer, node)]);
        match node {
            MergedNode::Table(_) => {
                self.names().into_iter().filter_map(|name| self.get(name)).collect()
            }
            MergedNode::Tables(tables) => {
                tables.iter().map(|table| one(MergedNode::Table(table))).collect()
            }
            MergedNode::Value(value) => {
                let values = value.as_array().into_iter().flatten();
                values.map(|value| one(MergedNode::of_value(value))).collect()
            }
        }
    }

    pub fn is_table(&self) -> bool {
        matches!(self.0.first(), Some((_, MergedNode::Table(_))))
    }

    pub fn is_list(&self) -> bool {
        match self.0.first() {
            Some((_, MergedNode::Tables(_))) => true,
            Some((_, MergedNode::Value(value))) => value.is_array(),
            _ => false,
        }
    }

    /// A value that is neither a table nor a list.
    pub fn scalar(&self) -> Option<&'a Value> {
        match self.0.first() {
            Some((_, MergedNode::Value(value))) if !value.is_array() => Some(value),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&'a str> {
        self.scalar()?.as_str()
    }

    /// The highest file that has a part in it, and what it has.
    pub fn found(&self) -> Option<(&'a Layer, MergedNode<'a>)> {
        self.0.first().copied()
    }
}

impl<'a> MergedNode<'a> {
    fn of_item(item: &'a Item) -> Option<Self> {
        match item {
            Item::None => None,
            Item::Value(value) => Some(Self::of_value(value)),
            Item::Table(table) => Some(Self::Table(table)),
            Item::ArrayOfTables(tables) => Some(Self::Tables(tables)),
        }
    }

    fn of_value(value: &'a Value) -> Self {
        value.as_inline_table().map_or(Self::Value(value), |table| Self::Table(table))
    }
}

/// What may contain secrets of other programs, a table or a list, is not printed.
impl fmt::Display for MergedNode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(_) => f.write_str("a table"),
            Self::Tables(_) => f.write_str("a list of tables"),
            Self::Value(value) if value.is_array() => f.write_str("a list"),
            Self::Value(value) => value.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::LayerOrigin::{System, User};
    use super::*;

    #[test]
    fn tables_are_merged_and_other_values_are_those_of_the_highest_file() {
        for (system, user, path, expected) in [
            ("[t]\na = 1\n", "[t]\nb = 2\n", &["t", "a"][..], Some("1")),
            ("[t]\na = 1\n", "[t]\na = 2\n", &["t", "a"], Some("2")),
            ("t = 5\n", "[t]\na = 2\n", &["t"], Some("a table")),
            ("[t]\na = 1\n", "t = 5\n", &["t"], Some("5")),
            ("[t]\na = 1\n", "t = 5\n", &["t", "a"], None),
            ("t.a.b = 1\n", "t = { a = { c = 2 } }\n", &["t", "a", "b"], Some("1")),
            ("t = [1]\n", "t = [2]\n", &["t"], Some("a list")),
        ] {
            let layers = Layers::of_texts(&[(System, system), (User, user)]);
            let (first, rest) = path.split_first().unwrap();
            let value = layers.merged(first).and_then(|value| value.at(rest));
            let found =
                value.and_then(|value| Some(value.found()?.1.to_string().trim().to_owned()));
            assert_eq!(found.as_deref(), expected, "{system} {user}");
        }
    }

    #[test]
    fn entries_are_those_of_all_files() {
        let layers =
            Layers::of_texts(&[(System, "[t]\na = 1\n"), (User, "[t]\nb = 2\n[[l]]\n[[l]]\n")]);
        assert_eq!(layers.merged("t").unwrap().entries().len(), 2);
        assert_eq!(layers.merged("l").unwrap().entries().len(), 2);
    }
}
