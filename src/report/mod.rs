//! Drawings and tables made from what runs left behind.

pub mod paths;
