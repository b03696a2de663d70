//! The servers of OpenAI and Anthropic, as far as one turn of Codex and Claude Code needs them
//! (`vendors.py`), over TLS with a certificate authority of our own.

use super::network::{stop_providers, trust_everywhere};
use super::{SUPPORT, await_listening, fake_auth, require};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Vendors {
    folder: PathBuf,
}

#[derive(Debug, serde::Deserialize)]
pub struct Request {
    pub method: String,
    pub host: String,
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Vendors {
    pub fn start() -> Self {
        for tool in ["python3", "openssl"] {
            require(tool);
        }
        let vendors = Self { folder: "/run/rig/vendors".into() };
        fs::create_dir(&vendors.folder).unwrap();
        vendors.behave();
        vendors.make_certificates();
        trust_everywhere(&fs::read_to_string(vendors.ca()).unwrap());
        stop_providers();
        let mut server = Command::new("python3")
            .arg(format!("{SUPPORT}/vendors.py"))
            .arg(&vendors.folder)
            .arg("127.0.0.3")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        await_listening(&mut server, ([127, 0, 0, 3], 443).into());
        vendors
    }

    /// What `SSL_CERT_FILE` and `NODE_EXTRA_CA_CERTS` must name.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// From now on, `place` (`host/path`) answers this.
    pub fn reply(&self, place: &str, status: u16, body: &Value) {
        let mut replies = self.behaviour()["replies"].take();
        replies[place] = json!([status, body]);
        self.change("replies", replies);
    }

    fn behaviour(&self) -> Value {
        let behaviour = fs::read_to_string(self.folder.join("behaviour.json")).unwrap();
        serde_json::from_str(&behaviour).unwrap()
    }

    fn change(&self, key: &str, value: Value) {
        let mut behaviour = self.behaviour();
        behaviour[key] = value;
        self.write_behaviour(&behaviour);
    }

    /// Forgets what `reply` and `tell_time` said.
    pub fn behave(&self) {
        // what a refresh gives, apart from the next refresh token
        let rotation = fake_auth::chatgpt().refreshed().tokens();
        self.write_behaviour(&json!({"rotation": rotation, "replies": {}}));
    }

    /// From now on the servers' clock shows another time than this one's.
    pub fn tell_time(&self, seconds_from_now: i64) {
        self.change("skew", json!(seconds_from_now));
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        let requests = fs::read_to_string(self.folder.join("requests.jsonl")).unwrap_or_default();
        requests.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn write_behaviour(&self, behaviour: &Value) {
        // renamed into place, because the server may be reading it
        let next = self.folder.join("behaviour.json.next");
        fs::write(&next, behaviour.to_string()).unwrap();
        fs::rename(next, self.folder.join("behaviour.json")).unwrap();
    }

    fn make_certificates(&self) {
        let hosts = fs::read_to_string("/etc/hosts").unwrap();
        let names = hosts
            .lines()
            .filter_map(|line| line.strip_prefix("127.0.0.3 "))
            .flat_map(str::split_whitespace);
        let names: Vec<_> = names.map(|name| format!("DNS:{name}")).collect();
        let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
        openssl(&self.folder, &format!("{new} -subj /CN=rig -keyout ca.key -out ca.pem"));
        openssl(
            &self.folder,
            &format!(
                "{new} -subj /CN=vendors -keyout server.key -out server.pem -CA ca.pem -CAkey ca.key \
                 -addext basicConstraints=CA:FALSE -addext subjectAltName={}",
                names.join(",")
            ),
        );
    }
}

fn openssl(folder: &Path, args: &str) {
    let output =
        Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
}
