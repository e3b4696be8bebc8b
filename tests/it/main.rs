//! Integration tests, one binary.

mod probes;
