//! The doctor's confusion matrix: each real fault comes out as exactly its code, and a healthy
//! workspace as none.

mod agree;
mod budget;
pub mod document;
mod faults;
mod fixes;
mod hostile;
mod lab;
mod live;
mod names;
mod offline;
mod requirements;
mod schemas;
mod ssh_commands;
mod table;
mod wait;
mod whole_runs;

use lab::{Lab, URL, check, evidence, token};
