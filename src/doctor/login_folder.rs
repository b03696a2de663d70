//! A client's folder that is another one here than it was for the last apply.

use std::path::Path;

use super::context::Context;
use super::outcome::{Evidence, Judgement};
use crate::catalogue::{Code, Fix};
use crate::client::Client;
use crate::resource::entry::EntryName;

/// Where no login is found: whether the last apply wrote it, and it still is, in a folder that the
/// client's variable does not name here. `missing` is the code for a login that is not there.
pub fn judge(context: &Context, client: Client, missing: Code) -> Option<Judgement> {
    let folder = other(context, client)?.display();
    let row = client.row();
    let variable = row.folder_variable;
    let fix = format!(
        "start {client} with {variable}={folder} (unset, where that is ~/{}), or set the same {variable} for \
         apply; a new login is not needed",
        row.folder
    );
    let summary = format!(
        "{variable} names another folder here than for the last apply, which wrote the login there"
    );
    let evidence = Evidence::new("the login is in", folder.to_string());
    Some(Judgement::fail(missing, summary, Fix::report(fix)).with([evidence]))
}

fn other<'c>(context: &'c Context, client: Client) -> Option<&'c Path> {
    let here = &context.home.clients.get(client).login;
    let mut entries = context.receipt?.entries.iter();
    let (_, entry) = entries
        .find(|(id, entry)| id.name == EntryName::Login(client) && entry.target.path != *here)?;
    entry.target.path.parent().filter(|_| entry.target.path.exists())
}
