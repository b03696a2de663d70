//! The plan of an apply or a remove, its execution, and the report on it.
//!
//! An apply observes what is there, plans, takes the steps and records what came of them (`run`).
//! A removal makes its own plan from the receipt, and takes it in the same way.

pub mod plan;
pub mod report;
pub mod run;
