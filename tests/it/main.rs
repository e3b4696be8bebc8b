//! Integration tests, one binary.

mod architecture;
mod bad_input;
mod configs;
mod exact;
mod fixtures;
mod mutation;
mod probes;
mod scratch;
mod source;
mod tidy;
