//! GitHub's status page: another origin, which never sees a token.

use serde_json::Value;

use crate::github::{MOST_OF_ONE, Read, list, reduce, text};
use crate::http::{Http, HttpError, Url};

/// Actions on github.com; its name was changed once, its id was not.
const COMPONENT: &str = "br0l2tvcx85d";
/// The pages of the regions of ghe.com have other ids.
const NAMES: [&str; 2] = ["Actions", "GitHub Actions"];
pub const DEFAULT: &str = "https://www.githubstatus.com";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusPage {
    /// `operational`, `degraded_performance`, `partial_outage`, `major_outage`,
    /// `under_maintenance`.
    pub status: String,
    /// The titles of what is not resolved.
    pub incidents: Vec<String>,
}

impl StatusPage {
    pub fn is_incident(&self) -> bool {
        self.status != "operational"
    }
}

struct Component {
    id: String,
    name: Option<String>,
    status: String,
}

impl Read for Component {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: text(value, "id")?,
            name: text(value, "name"),
            status: text(value, "status")?,
        })
    }
}

struct Incident(String);

impl Read for Incident {
    fn read(value: &Value) -> Option<Self> {
        Some(Self(text(value, "name")?))
    }
}

/// One request, and a second for the titles when something is wrong.
pub fn ask(http: &Http, base: &Url) -> Result<StatusPage, HttpError> {
    let components: Vec<Component> =
        list(&get(http, base, "/api/v2/components.json")?, "components").unwrap_or_default();
    let broken = || HttpError::Broken("the status page does not list Actions".to_owned());
    let named = |component: &&Component| {
        component.name.as_deref().is_some_and(|name| NAMES.contains(&name))
    };
    let by_id = components.iter().find(|component| component.id == COMPONENT);
    let found = by_id.or_else(|| components.iter().find(named)).ok_or_else(broken)?;
    let status = found.status.clone();
    let mut page = StatusPage { status, incidents: Vec::new() };
    if page.is_incident()
        && let Ok(value) = get(http, base, "/api/v2/incidents/unresolved.json")
    {
        page.incidents = list::<Incident>(&value, "incidents")
            .unwrap_or_default()
            .into_iter()
            .map(|incident| incident.0)
            .collect();
    }
    Ok(page)
}

fn get(http: &Http, base: &Url, path: &str) -> Result<Value, HttpError> {
    let broken = |why: &str| HttpError::Broken(why.to_owned());
    let url = base.below(path).ok_or_else(|| broken("its address cannot be used"))?;
    let response = http.get(&url, &[("accept", "application/json")], None)?;
    if response.status != 200 {
        return Err(HttpError::Broken(format!("status {}", response.status)));
    }
    let reduced = reduce(&response.body, MOST_OF_ONE).map(|body| body.value);
    reduced.ok_or_else(|| broken("it is not JSON, or larger than what is read"))
}
