//! The plan of an apply or a remove, its execution, and the report on it.

pub mod plan;
pub mod report;
