//! Whether the agents reach their models: the doctor's prediction, and what the clients really do.

mod clients;
mod git;
mod programs;
mod situations;
