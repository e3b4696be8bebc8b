//! Integration tests, one binary.

mod exact;
mod fixtures;
