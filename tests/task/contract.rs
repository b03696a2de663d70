//! Requests and answers, judged by the description of Coder's API.

use std::collections::HashMap;

use serde_json::Value;

const DESCRIPTION: &str = include_str!("coder-openapi.json");

pub struct Contract {
    document: Value,
    schemas: boon::Schemas,
    compiler: boon::Compiler,
    compiled: HashMap<String, boon::SchemaIndex>,
}

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub method: String,
    pub path: String,
    pub request: Option<Value>,
    pub status: u16,
    pub answer: Option<Value>,
}

impl Contract {
    pub fn new() -> Self {
        let document: Value = serde_json::from_str(DESCRIPTION).unwrap();
        let mut compiler = boon::Compiler::new();
        compiler.add_resource("coder.json", document.clone()).unwrap();
        Self { document, schemas: boon::Schemas::new(), compiler, compiled: HashMap::new() }
    }

    /// Why the exchange is not as described.
    pub fn fault(&mut self, exchange: &Exchange) -> Option<String> {
        let Exchange { method, path, request, status, answer } = exchange;
        let place = format!("{method} {path} -> {status}");
        let Some(template) = self.template(path) else {
            return Some(format!("{place}: no such path"));
        };
        let pointer = format!("/paths/{}/{}", escape(&template), method.to_lowercase());
        let Some(operation) = self.document.pointer(&pointer) else {
            return Some(format!("{place}: no such method"));
        };
        let operation = operation.clone();
        if let Some(query) = path.split_once('?').map(|(_, query)| query) {
            let known: Vec<_> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|parameter| parameter["name"].as_str())
                .collect();
            for name in query.split('&').map(|pair| pair.split('=').next().unwrap()) {
                if !known.contains(&name) {
                    return Some(format!("{place}: no parameter {name}"));
                }
            }
        }
        if let Some(request) = request {
            let schema = format!("{pointer}/requestBody/content/application~1json/schema");
            if let Some(fault) = self.judge(&schema, request) {
                return Some(format!("{place}: request: {fault}"));
            }
        }
        let mut at = format!("{pointer}/responses/{status}");
        let Some(response) = self.document.pointer(&at) else {
            return Some(format!("{place}: no such status"));
        };
        if let Some(reference) = response["$ref"].as_str() {
            at = reference.trim_start_matches('#').to_owned();
        }
        let schema = format!("{at}/content/application~1json/schema");
        let answer = answer.as_ref()?;
        let fault = self.judge(&schema, answer)?;
        Some(format!("{place}: answer: {fault}"))
    }

    fn judge(&mut self, pointer: &str, value: &Value) -> Option<String> {
        self.document.pointer(pointer)?;
        let known = self.compiled.get(pointer).copied();
        let index = known.unwrap_or_else(|| {
            let place = format!("coder.json#{}", pointer.replace('{', "%7B").replace('}', "%7D"));
            let index = self.compiler.compile(&place, &mut self.schemas).unwrap();
            self.compiled.insert(pointer.to_owned(), index);
            index
        });
        self.schemas.validate(value, index).err().map(|error| format!("{error:#}"))
    }

    /// The path of the description: one without parameters takes precedence.
    fn template(&self, path: &str) -> Option<String> {
        let path = path.split('?').next().unwrap();
        let parts: Vec<_> = path.split('/').collect();
        let matches = |template: &str| {
            let wanted: Vec<_> = template.split('/').collect();
            wanted.len() == parts.len()
                && wanted
                    .iter()
                    .zip(&parts)
                    .all(|(want, have)| want.starts_with('{') || want == have)
        };
        let paths = self.document["paths"].as_object().unwrap();
        let mut found: Vec<_> = paths.keys().filter(|template| matches(template)).collect();
        found.sort_by_key(|template| template.matches('{').count());
        found.first().map(|template| (*template).clone())
    }
}

fn escape(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}

#[test]
fn the_contract_refuses_what_is_not_described() {
    let mut contract = Contract::new();
    let mut fault = |method: &str, path: &str, request: Option<Value>, status, answer| {
        let (method, path) = (method.to_owned(), path.to_owned());
        contract.fault(&Exchange { method, path, request, status, answer })
    };
    let body = serde_json::json!({"message": "m"});
    assert_eq!(fault("GET", "/api/v2/users/me", None, 401, Some(body.clone())), None);
    for (method, path, request, status, answer) in [
        ("GET", "/api/v2/nothing", None, 200, None),
        ("PUT", "/api/v2/users/me", None, 200, None),
        ("GET", "/api/v2/users/me", None, 418, None),
        ("GET", "/api/v2/users/me", None, 401, Some(serde_json::json!({"messages": 1}))),
        ("GET", "/api/v2/chats?labels=a:b", None, 200, Some(serde_json::json!([]))),
        ("POST", "/api/v2/chats", Some(serde_json::json!({"content": []})), 400, Some(body)),
    ] {
        assert!(fault(method, path, request, status, answer).is_some(), "{method} {path} {status}");
    }
}

/// What running servers answered is as the description says; a few calls are not in it.
#[test]
fn recorded_answers_are_as_described() {
    let all: Vec<Value> = serde_json::from_str(include_str!("recorded.json")).unwrap();
    let mut contract = Contract::new();
    let (mut faults, mut undescribed) = (Vec::new(), 0);
    for one in &all {
        let text = |name: &str| one[name].as_str().unwrap().to_owned();
        let exchange = Exchange {
            method: text("method"),
            path: text("path"),
            // many were wrong on purpose
            request: None,
            status: u16::try_from(one["status"].as_u64().unwrap()).unwrap(),
            answer: one.get("answer").filter(|answer| !answer.is_null()).cloned(),
        };
        match contract.fault(&exchange) {
            None => {}
            Some(fault) if fault.contains("no such") || fault.contains("no parameter") => {
                undescribed += 1;
            }
            Some(fault) => faults.push(fault),
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(undescribed <= 25, "{undescribed}");
}
