//! JSON of a server, reduced while it is read to the fields that are used: GitHub repeats dozens of
//! URLs in every object, and a hostile server may send anything.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Every field that `model` and the status page read, by its last name.
pub(super) const FIELDS: &[&str] = &[
    "actor",
    "allowed_actions",
    "allows_public_repositories",
    "approval_policy",
    "archived",
    "busy",
    "completed_at",
    "components",
    "conclusion",
    "concurrency_groups",
    "created_at",
    "current_user_can_approve",
    "default_branch",
    "disabled",
    "enabled",
    "enabled_repositories",
    "environment",
    "event",
    "full_name",
    "github_owned_allowed",
    "group_members",
    "group_name",
    "head_branch",
    "head_repository",
    "id",
    "incidents",
    "inherited",
    "job_id",
    "job_name",
    "jobs",
    "labels",
    "login",
    "maximum_runners",
    "mergeable",
    "message",
    "name",
    "number",
    "owner",
    "parent",
    "path",
    "patterns_allowed",
    "private",
    "repositories",
    "repository",
    "require_approval_for_fork_pr_workflows",
    "restricted_to_workflows",
    "reviewer",
    "reviewers",
    "run_id",
    "run_started_at",
    "run_workflows_from_fork_pull_requests",
    "runner_group_id",
    "runner_groups",
    "runner_id",
    "runner_name",
    "runners",
    "selected_workflows",
    "sha_pinning_required",
    "slug",
    "started_at",
    "state",
    "status",
    "steps",
    "total_count",
    "type",
    "verified_allowed",
    "version",
    "wait_timer",
    "wait_timer_started_at",
    "workflow_id",
    "workflow_runs",
    "workflows",
];

/// About what a value and its place in a list or object take in memory.
const VALUE: usize = 128;

/// What was read, and about how many bytes it takes.
#[derive(Debug)]
pub struct Reduced {
    pub value: Value,
    pub size: usize,
}

/// `None`: it is not JSON, or what is used of it takes more than `most` bytes.
pub fn reduce(text: &[u8], most: usize) -> Option<Reduced> {
    let mut left = most;
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = Tree { left: &mut left }.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(Reduced { value, size: most - left })
}

struct Tree<'a> {
    left: &'a mut usize,
}

impl Tree<'_> {
    fn spend<E: serde::de::Error>(&mut self, size: usize) -> Result<(), E> {
        let left = self.left.checked_sub(size);
        *self.left = left.ok_or_else(|| E::custom("larger than what is read"))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: serde::de::Error>(mut self, value: &str) -> Result<Value, E> {
        self.spend(value.len())?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Tree { left: self.left })? {
            self.spend(VALUE)?;
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key_seed(Field)? {
            if let Some(name) = key {
                let value = entries.next_value_seed(Tree { left: self.left })?;
                self.spend(VALUE + name.len())?;
                map.insert(name.to_owned(), value);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::Object(map))
    }
}

/// The name of a field that is used; `None`: any other.
struct Field;

impl<'de> DeserializeSeed<'de> for Field {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Field {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(FIELDS.iter().find(|field| **field == name).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, most: usize) -> Option<String> {
        Some(reduce(text.as_bytes(), most)?.value.to_string())
    }

    #[test]
    fn only_fields_that_are_used_are_kept() {
        let text = r#" {"jobs": [{"id": 1, "url": "x", "steps": [{}, null, 1.5, true, -2]}], "x": [[["y"]]]} "#;
        let kept = r#"{"jobs":[{"id":1,"steps":[{},null,1.5,true,-2]}]}"#;
        assert_eq!(read(text, 10_000).as_deref(), Some(kept));
        for broken in ["", "{", "{} x", "[1,]", "{\"id\":}", "nul", "{\"x\": [}"] {
            assert_eq!(read(broken, 10_000), None, "{broken}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let zeros = format!("[{}0]", "0,".repeat(999));
        assert_eq!(reduce(zeros.as_bytes(), 1_000_000).unwrap().size, 1000 * VALUE);
        assert!(reduce(zeros.as_bytes(), 1000 * VALUE - 1).is_none());
        let long = format!("{{\"name\": \"{}\"}}", "a".repeat(5000));
        assert!(read(&long, 6000).is_some() && read(&long, 5000).is_none());
        let ignored = format!("{{\"url\": \"{}\", \"urls\": {zeros}}}", "a".repeat(5000));
        assert_eq!(reduce(ignored.as_bytes(), 10).unwrap().size, 0);
        for open in ["[", "{\"id\":", "{\"x\":["] {
            assert_eq!(read(&open.repeat(100_000), usize::MAX), None, "{open}");
        }
    }

    #[test]
    fn fields_are_listed_once() {
        let unique: std::collections::BTreeSet<_> = FIELDS.iter().collect();
        assert_eq!(unique.len(), FIELDS.len());
    }
}
