//! The installed git, asked: its effective configuration, what is wrong with it, and which clones
//! there are.

pub mod clones;
pub mod config_error;
pub mod effective_config;
pub mod scratch;
