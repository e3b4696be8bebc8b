//! `setup atari` and `tasks --show atari/...`: what they say, and that every failure is a message with an exit code.

use super::scratch::Scratch;
use std::path::Path;
use std::process::{Command, Output};

/// Runs `stillpoint` with a data directory of its own.
fn run(data: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stillpoint"))
        .args(args)
        .env("STILLPOINT_DATA", data)
        .envs(env.iter().copied())
        .output()
        .expect("the binary starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Fails with `code`, without a backtrace, and says every one of `words`.
fn refused(output: &Output, code: i32, words: &[&str]) {
    let message = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.contains("error: ") && !message.contains("panicked"), "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in: {message}");
    }
}

#[test]
fn status_of_nothing_says_what_to_do() {
    let scratch = Scratch::new();
    let output = run(scratch.path(), &["setup", "atari", "--status"], &[]);
    refused(&output, 1, &["stillpoint setup atari"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("0 of 108") && text.contains(&scratch.path().display().to_string()), "{text}");
    assert!(scratch.entries().is_empty(), "status changes nothing");
}

#[test]
fn wrong_archives_and_roms_are_named() {
    let scratch = Scratch::new();
    let file = |name: &str, content: &str| {
        let path = scratch.path().join(name);
        std::fs::create_dir_all(path.parent().expect("below scratch")).expect("writable");
        std::fs::write(&path, content).expect("writable");
        path.display().to_string()
    };
    let data = scratch.path().join("data");
    refused(&run(&data, &["setup", "atari", "--from", "nowhere.tar.gz"], &[]), 2, &["--from", "nowhere.tar.gz"]);
    let archive = file("other.tar.gz", "not an archive");
    refused(&run(&data, &["setup", "atari", "--from", &archive], &[]), 2, &["other.tar.gz", "SHA-256"]);
    let rom = file("roms/pong.bin", "not Pong");
    let roms = scratch.path().join("roms").display().to_string();
    let wrong = run(&data, &["setup", "atari", "--roms", &roms], &[]);
    refused(&wrong, 2, &[&rom, "MD5", "60e0ea3cbe0913d39803477945e9e5ec"]);
    let empty = scratch.path().join("empty");
    std::fs::create_dir_all(&empty).expect("writable");
    let empty = empty.display().to_string();
    refused(&run(&data, &["setup", "atari", "--roms", &empty], &[]), 2, &[&empty, "no ROM"]);
    refused(&run(&data, &["setup", "atari", "--status", "--roms", &empty], &[]), 2, &["cannot be used with"]);
}

#[test]
fn without_pip_it_says_how_to_go_on() {
    let scratch = Scratch::new();
    let nothing = scratch.path().join("bin").display().to_string();
    let output = run(scratch.path(), &["setup", "atari"], &[("PATH", &nothing), ("STILLPOINT_PYTHON", "")]);
    refused(&output, 1, &["pip", "--from ale_py-0.12.1.tar.gz"]);
}

/// A library that is not ours, or of another version, is refused before anything in it is used.
#[test]
#[cfg(target_os = "linux")]
fn another_shim_is_refused() {
    let scratch = Scratch::new();
    let dir = scratch.path().join("ale-0.12.1");
    std::fs::create_dir_all(&dir).expect("writable");
    let library = dir.join("libstillpoint_ale.so");
    std::fs::write(&library, "no library").expect("writable");
    let damaged = run(scratch.path(), &["setup", "atari", "--status"], &[]);
    refused(&damaged, 1, &[]);
    assert!(String::from_utf8_lossy(&damaged.stdout).contains("cannot be loaded"));
    let source = scratch.path().join("shim.c");
    std::fs::write(&source, "int sp_abi(void) { return 99; }\n").expect("writable");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    if !compiled.is_ok_and(|s| s.success()) {
        eprintln!("SKIPPED: no C compiler to make a shim of another version");
        return;
    }
    let other = run(scratch.path(), &["setup", "atari", "--status"], &[]);
    refused(&other, 1, &[]);
    let text = String::from_utf8_lossy(&other.stdout).into_owned();
    assert!(text.contains("shim of another version (interface 99") && text.contains("setup atari` again"), "{text}");
}

#[test]
fn protocols_are_shown_without_the_emulator() {
    let scratch = Scratch::new();
    let shown = run(scratch.path(), &["tasks", "--show", "atari/pong"], &[]);
    assert!(shown.status.success(), "{}", stderr(&shown));
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    for word in ["protocol xu2018", "protocol machado2018", "protocol theoretical-gmrl", "108000", "0.25", "BILINEAR"] {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
    let json = run(scratch.path(), &["tasks", "--show", "atari/pong", "--json"], &[]);
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(value["protocols"]["xu2018"]["sticky actions"], "none");
    refused(&run(scratch.path(), &["tasks", "--show", "atari/pomg"], &[]), 2, &["pomg", "did you mean `pong`"]);
    let list = run(scratch.path(), &["tasks", "--show", "atari"], &[]);
    assert_eq!(String::from_utf8_lossy(&list.stdout).lines().count(), 57);
}
