//! Integration tests, one binary.

mod aggregate;
mod architecture;
mod bad_input;
mod compare;
mod configs;
mod derivatives;
mod diff;
mod dynamics;
mod evaluate;
mod exact;
mod fixtures;
mod floor;
mod gap;
mod gradient;
mod identities;
mod mutation;
mod probes;
mod python;
mod run_directory;
mod scratch;
mod source;
mod theory;
mod tidy;
mod trust_region;
mod watch;
