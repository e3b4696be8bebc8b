//! Integration tests, one binary.

mod architecture;
mod bad_input;
mod compare;
mod configs;
mod derivatives;
mod diff;
mod evaluate;
mod exact;
mod fixtures;
mod gradient;
mod identities;
mod mutation;
mod probes;
mod python;
mod report;
mod report_suite;
mod run_directory;
mod scratch;
mod source;
mod tidy;
