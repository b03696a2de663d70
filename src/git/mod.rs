//! What git reads: remote URLs and configuration files. Pure, and the lowest layer: nothing here
//! starts a program.

pub mod config;
pub mod url;
