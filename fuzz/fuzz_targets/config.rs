//! Any text as a configuration: refused or accepted, never a panic; what is accepted survives its own resolution.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use stillpoint::config::tree::Format;
use stillpoint::config::{self, Overrides};

fuzz_target!(|text: &str| {
    if text.contains("file") {
        return; // the fuzzer must not make us open files of its choice
    }
    let parse = |text: &str| config::parse(text, "fuzz", Format::Either, Path::new("."), &Overrides::default());
    if let Ok(loaded) = parse(text) {
        let again = parse(&config::resolved(&loaded.plan)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(again.plan, loaded.plan);
    }
});
