//! Any text as an MDP file: refused or accepted, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = tasks::registry::parse_mdps(text);
});
