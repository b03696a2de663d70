//! How one kind of thing is observed, judged, changed and undone. Every kind is a pure edit of one
//! file's bytes: the plan runs it on what it observed, the act runs it again under the file's lock,
//! and removal runs its reverse.

mod act;
mod attributes;
pub mod block;
mod bytes;
pub mod digest;
mod edit;
pub mod entry;
pub mod file;
pub mod json;
mod judge;
pub mod keys;
pub mod lock;
pub mod mount;
pub mod place;
pub mod private_folder;
pub mod remote;
pub mod rewrite;
pub mod toml;

pub use act::observe;
pub use bytes::Bytes;
pub use edit::{Before, Edit, EditVerdict, FileChange, Resource, Target, Undo, WriteRefusal};
