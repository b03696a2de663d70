//! Which runner labels GitHub serves itself: dated data in a file of its own.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::local::LONGEST_LABEL;
use crate::resource::file::{self, Kind};
use crate::resource::toml;

const BUILT_IN: &str = include_str!("hosted_labels.toml");

/// From this many days on the report warns that the table is old.
const OLD: i32 = 60;

/// GitHub gives no job to a runner that was not updated within this many days of a release, and
/// registers none below a fixed version (github.blog, changelog of 2026).
const UPDATE_WITHIN: i32 = 30;
const OLDEST_TO_REGISTER: RunnerVersion = [2, 329, 0];

/// Beyond this many edits a label is another one, not a misspelling.
const MISSPELT: usize = 4;

/// Names of systems with which GitHub's own labels begin.
const SYSTEMS: [&str; 4] = ["ubuntu", "windows", "macos", "xcode"];

#[derive(Debug)]
pub struct HostedLabels {
    /// As of when.
    pub date: String,
    /// What went wrong with the file that should have replaced the table.
    pub problem: Option<String>,
    current: Vec<String>,
    self_hosted: Vec<String>,
    retired: Vec<Retired>,
    /// Still served until `since`.
    deprecated: Vec<Retired>,
    runner: Option<RunnerRelease>,
}

/// A release of the runner program, and when it was published.
#[derive(Debug, PartialEq, Eq)]
struct RunnerRelease {
    version: RunnerVersion,
    date: Date,
}

type RunnerVersion = [u32; 3];

fn runner_version(text: &str) -> Option<RunnerVersion> {
    let mut parts = text.split('.').map(|part| part.parse::<u32>().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

/// A label with an announced end.
#[derive(Debug, PartialEq, Eq)]
pub struct Retired {
    pub label: String,
    pub since: String,
    pub instead: String,
}

impl HostedLabels {
    /// The built-in table, or the one in `file`. A label that has come to its announced end by
    /// `now` is retired.
    pub fn load(file: Option<&Path>, now: Timestamp) -> Self {
        let mut labels = Self::read(file);
        let today = now.to_zoned(TimeZone::UTC).date();
        let ended = |label: &mut Retired| label.since.parse().is_ok_and(|end: Date| end <= today);
        let ended: Vec<_> = labels.deprecated.extract_if(.., ended).collect();
        labels.current.retain(|known| ended.iter().all(|label| label.label != *known));
        labels.retired.extend(ended);
        labels
    }

    fn read(file: Option<&Path>) -> Self {
        let Some(path) = file else { return Self::parse(BUILT_IN).unwrap_or_else(Self::none) };
        // a FIFO must not hang us
        let text = match file::observe(path, Kind::Shared) {
            Ok(Some(content)) => Ok(String::from_utf8_lossy(&content.bytes).into_owned()),
            Ok(None) => Err("there is no such file".to_owned()),
            Err(obstacle) => Err(obstacle.finding(path).summary),
        };
        text.and_then(|text| {
            Self::parse(&text).ok_or_else(|| "it is not of the table's form".to_owned())
        })
        .unwrap_or_else(|why| Self {
            problem: Some(format!("`{}` was not used: {why}", path.display())),
            ..Self::read(None)
        })
    }

    fn none() -> Self {
        Self {
            date: String::new(),
            problem: None,
            current: vec![],
            self_hosted: vec![],
            retired: vec![],
            deprecated: vec![],
            runner: None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let table = toml::parse(text, &mut { toml::PARTS }).ok()?;
        let list = |name: &str| -> Option<Vec<String>> {
            Some(
                table
                    .get(name)?
                    .as_array()?
                    .iter()
                    .filter_map(|item| Some(item.as_str()?.to_lowercase()))
                    .collect(),
            )
        };
        let ends = |name: &str| -> Option<Vec<Retired>> {
            let rows = table.get(name)?.as_table_like()?.iter().filter_map(|(label, item)| {
                let part = |index| Some(item.as_array()?.get(index)?.as_str()?.to_owned());
                Some(Retired { label: label.to_lowercase(), since: part(0)?, instead: part(1)? })
            });
            Some(rows.collect())
        };
        Some(Self {
            date: table.get("date")?.as_str()?.to_owned(),
            problem: None,
            current: list("current")?,
            self_hosted: list("self_hosted")?,
            retired: ends("retired")?,
            deprecated: ends("deprecated").unwrap_or_default(),
            runner: table.get("runner").and_then(|runner| {
                let part = |name| runner.get(name)?.as_str();
                let (version, date) = (runner_version(part("version")?)?, part("date")?);
                Some(RunnerRelease { version, date: date.parse().ok()? })
            }),
        })
    }

    /// The oldest version of the runner program that certainly still gets jobs at `now`; `None`:
    /// `version` may be recent enough.
    pub fn too_old(&self, version: &str, now: Timestamp) -> Option<String> {
        let release = self.runner.as_ref()?;
        let today = now.to_zoned(TimeZone::UTC).date();
        let days = release.date.until(today).ok()?.get_days();
        let oldest = if days > UPDATE_WITHIN { release.version } else { OLDEST_TO_REGISTER };
        let [major, minor, patch] = oldest;
        (runner_version(version)? < oldest).then(|| format!("{major}.{minor}.{patch}"))
    }

    pub fn is_current(&self, label: &str) -> bool {
        self.current.iter().any(|known| known.eq_ignore_ascii_case(label))
    }

    pub fn is_self_hosted(&self, label: &str) -> bool {
        self.self_hosted.iter().any(|known| known.eq_ignore_ascii_case(label))
    }

    /// A larger runner of GitHub's: organizations with a paid plan alone have them.
    pub fn is_larger(&self, label: &str) -> bool {
        let [_, _, large, xlarge] = kind(&label.to_lowercase());
        self.is_current(label) && (large || xlarge)
    }

    /// The standard runner of a larger one's image and architecture: on macOS `-large` is Intel, and
    /// `-xlarge` ARM, as the standard runner is.
    pub fn standard(&self, label: &str) -> Option<String> {
        let label = label.to_lowercase();
        let standard = match (label.strip_suffix("-xlarge"), label.strip_suffix("-large")) {
            (Some(image), _) => image.to_owned(),
            (None, Some(image)) => format!("{image}-intel"),
            (None, None) => return None,
        };
        self.is_current(&standard).then_some(standard)
    }

    pub fn retired(&self, label: &str) -> Option<&Retired> {
        self.retired.iter().find(|retired| retired.label.eq_ignore_ascii_case(label))
    }

    pub fn deprecated(&self, label: &str) -> Option<&Retired> {
        self.deprecated.iter().find(|known| known.label.eq_ignore_ascii_case(label))
    }

    /// The date of the table, and whether it is old at `now`.
    pub fn dated(&self, now: Timestamp) -> String {
        let age = self.date.parse::<Date>().ok().and_then(|date| {
            let today = now.to_zoned(TimeZone::UTC).date();
            Some(date.until(today).ok()?.get_days())
        });
        match age.filter(|days| *days > OLD) {
            Some(days) => format!("of {}, which is {days} days ago: it may be outdated", self.date),
            None => format!("of {}", self.date),
        }
    }

    /// The label that was probably meant, where this one reads like GitHub's own and is not.
    pub fn meant(&self, label: &str) -> Option<&str> {
        if label.len() > LONGEST_LABEL {
            return None;
        }
        let label = label.to_lowercase();
        if self.is_current(&label) || self.is_self_hosted(&label) || self.retired(&label).is_some()
        {
            return None;
        }
        // advice that crosses to another architecture or to a paid runner would do harm
        let alike = self.current.iter().filter(|known| kind(known) == kind(&label));
        // of two that are as near, the next newer image
        let near = alike.map(|known| (strsim::levenshtein(known, &label), *known < label, known));
        let (distance, _, known) = near.min()?;
        let near = (distance, known);
        let system = SYSTEMS.iter().find(|system| label.starts_with(**system));
        match (near, system) {
            // `ubuntu` alone
            (_, Some(system)) if label == *system => self
                .current
                .iter()
                .find(|known| known.starts_with(*system) && known.ends_with("-latest"))
                .map(String::as_str),
            ((distance, known), Some(system)) if distance <= MISSPELT => {
                known.starts_with(*system).then_some(known)
            }
            ((1 | 2, known), None) => Some(known),
            _ => None,
        }
    }
}

/// What a label says of the machine: ARM or not, Intel, and the paid sizes.
fn kind(label: &str) -> [bool; 4] {
    let has = |word: &str| label.split('-').any(|part| part == word);
    let arm = label.split('-').any(|part| part.starts_with("arm") || part.starts_with("aarch"));
    [arm, has("intel"), has("large"), has("xlarge")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_whole() {
        let now = "2026-11-29T00:00:00Z".parse().unwrap();
        let labels = HostedLabels::load(None, now);
        assert!(labels.problem.is_none() && labels.current.len() > 25 && labels.retired.len() > 10);
        for retired in &labels.retired {
            assert!(labels.is_current(&retired.instead), "{} is itself gone", retired.instead);
            assert!(!labels.is_current(&retired.label), "{} is both", retired.label);
        }
        for deprecated in &labels.deprecated {
            assert!(labels.is_current(&deprecated.instead) && labels.is_current(&deprecated.label));
            assert!(deprecated.since.parse::<Date>().is_ok(), "{deprecated:?}");
        }
        assert_eq!(labels.deprecated("Ubuntu-22.04-ARM").unwrap().instead, "ubuntu-24.04-arm");
        assert!(labels.retired("ubuntu-22.04").is_none());
        let later = HostedLabels::load(None, "2027-04-17T08:00:00Z".parse().unwrap());
        assert!(later.retired("ubuntu-22.04").is_some() && !later.is_current("ubuntu-22.04"));
        assert!(later.deprecated("ubuntu-22.04").is_none());
    }

    #[test]
    fn the_oldest_runner_that_gets_jobs_moves() {
        let labels = HostedLabels {
            runner: Some(RunnerRelease { version: [2, 336, 0], date: Date::constant(2026, 7, 20) }),
            ..HostedLabels::none()
        };
        for (version, now, oldest) in [
            ("2.335.1", "2026-08-01T00:00:00Z", None),
            ("2.328.0", "2026-08-01T00:00:00Z", Some("2.329.0")),
            ("2.335.1", "2026-11-29T00:00:00Z", Some("2.336.0")),
            ("2.336.0", "2026-11-29T00:00:00Z", None),
            ("x", "2026-11-29T00:00:00Z", None),
        ] {
            let now = now.parse().unwrap();
            assert_eq!(labels.too_old(version, now).as_deref(), oldest, "{version} {now}");
        }
    }

    #[test]
    fn an_old_table_is_reported() {
        let labels = HostedLabels { date: "2026-11-22".to_owned(), ..HostedLabels::none() };
        let dated = |now: &str| labels.dated(now.parse().unwrap());
        assert_eq!(dated("2026-11-01T00:00:00Z"), "of 2026-11-22");
        assert_eq!(dated("2027-01-21T23:00:00Z"), "of 2026-11-22");
        assert!(dated("2027-01-22T01:00:00Z").contains("61 days ago"));
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("labels.toml");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let labels = HostedLabels::load(Some(&fifo), Timestamp::UNIX_EPOCH);
        assert!(labels.problem.unwrap().contains("is a FIFO, not a regular file"));
        assert!(
            HostedLabels::load(Some(&folder.path().join("none")), Timestamp::UNIX_EPOCH)
                .problem
                .unwrap()
                .contains("no such file")
        );
    }

    #[test]
    fn advice_stays_on_the_architecture_and_the_price() {
        let labels = HostedLabels::load(None, Timestamp::UNIX_EPOCH);
        for (label, meant) in [
            ("ubuntu-24.04-arm64", Some("ubuntu-24.04-arm")),
            ("ubuntu-latest-arm", Some("ubuntu-24.04-arm")),
            ("windows-latest-arm", Some("windows-11-arm")),
            ("macos-15-arm64", None),
            ("macos-latest-xl", Some("macos-latest")),
            ("ubuntu-24.4", Some("ubuntu-24.04")),
        ] {
            let found = labels.meant(label);
            let of = |label: &str| kind(label);
            assert!(found.is_none_or(|found| of(found) == of(label)), "{label}: {found:?}");
            if meant.is_none() {
                assert_eq!(found, None, "{label}");
            }
        }
    }

    #[test]
    fn a_larger_runner_has_a_standard_one_of_its_architecture() {
        let labels = HostedLabels::load(None, Timestamp::UNIX_EPOCH);
        for (label, standard) in [
            ("macos-15-large", Some("macos-15-intel")),
            ("MacOS-26-xlarge", Some("macos-26")),
            ("macos-latest-large", None),
            ("macos-15", None),
        ] {
            assert_eq!(labels.standard(label).as_deref(), standard, "{label}");
            assert_eq!(labels.is_larger(label), label != "macos-15", "{label}");
        }
    }

    #[test]
    fn misspellings_are_distinguished_from_own_labels() {
        let labels = HostedLabels::load(None, Timestamp::UNIX_EPOCH);
        assert_eq!(labels.meant("ubuntu-24.04-arm64"), Some("ubuntu-24.04-arm"));
        assert_eq!(labels.meant("ubuntu"), Some("ubuntu-latest"));
        assert_eq!(labels.meant("ubuntu-23.10"), Some("ubuntu-24.04"), "not an older one");
        assert_eq!(labels.meant("Ubuntu-Lastest"), Some("ubuntu-latest"));
        assert_eq!(labels.meant("unbuntu-latest"), Some("ubuntu-latest"));
        for own in [
            "ubuntu-latest",
            "self-hosted",
            "gpu",
            "ubuntu-20.04",
            "blacksmith-4vcpu-ubuntu-2404",
            "ubuntu-latest-16-cores",
        ] {
            assert_eq!(labels.meant(own), None, "{own}");
        }
    }

    #[test]
    fn another_table_replaces_it_and_a_broken_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.toml");
        std::fs::write(
            &path,
            "date = '2030-01-01'\ncurrent = ['ubuntu-30.04']\nself_hosted = []\n[retired]\n",
        )
        .unwrap();
        let labels = HostedLabels::load(Some(&path), Timestamp::UNIX_EPOCH);
        assert_eq!(
            (&*labels.date, labels.is_current("ubuntu-30.04"), labels.is_current("ubuntu-24.04")),
            ("2030-01-01", true, false)
        );
        std::fs::write(&path, "date = 7").unwrap();
        let labels = HostedLabels::load(Some(&path), Timestamp::UNIX_EPOCH);
        assert!(labels.is_current("ubuntu-24.04") && labels.problem.is_some());
    }
}
