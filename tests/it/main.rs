//! Integration tests, one binary.

mod probes;
mod run_directory;
