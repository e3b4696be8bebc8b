//! Integration tests, one binary.

mod aggregate;
mod architecture;
mod bad_input;
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
mod run_directory;
mod scratch;
mod source;
mod tidy;
