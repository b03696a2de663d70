//! The schemas that are shipped are the judges of what is printed.

use std::fs;

use super::CRATE;

/// Why a document is not of the schema `schema/NAME.schema.json`.
pub fn fault(name: &str, document: &serde_json::Value) -> Option<String> {
    let schema = fs::read_to_string(format!("{CRATE}/schema/{name}.schema.json")).unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("schema", serde_json::from_str(&schema).unwrap()).unwrap();
    let schema = compiler.compile("schema", &mut schemas).unwrap();
    schemas.validate(document, schema).err().map(|error| format!("{error:#}"))
}
