//! `setup atari` and `tasks --show atari/...`: what they say, and that every failure is a message with an exit code.

use super::scratch::Scratch;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tasks::atari::home::Home;

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
    refused(&output, 2, &["not installed", "stillpoint setup atari"]);
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
    refused(&output, 2, &["pip", "--from ale_py-0.12.1.tar.gz"]);
}

/// No other interpreter takes the place of the one that the user names.
#[test]
fn a_python_that_cannot_be_run_is_an_error() {
    let scratch = Scratch::new();
    let nowhere = scratch.path().join("no").join("python").display().to_string();
    let output = run(&scratch.path().join("data"), &["setup", "atari"], &[("STILLPOINT_PYTHON", &nowhere)]);
    refused(&output, 2, &["STILLPOINT_PYTHON", &nowhere, "cannot be run"]);
}

/// Describes the library of `home` as the one that was built, with a shim of interface `abi`.
#[cfg(target_os = "linux")]
fn describe(home: &Home, abi: i32) {
    let library = tasks::checksum::sha256(&std::fs::read(home.library()).expect("readable"));
    let manifest = serde_json::json!({"ale": "0.12.1", "abi": abi, "shim": "", "compiler": "cc", "library": library});
    std::fs::write(home.manifest(), manifest.to_string()).expect("writable");
}

/// A library that is not ours, or of another version, is refused before anything in it is used.
#[test]
#[cfg(target_os = "linux")]
fn another_shim_is_refused() {
    let scratch = Scratch::new();
    let home = Home::below(scratch.path());
    std::fs::create_dir_all(home.directory()).expect("writable");
    let library = home.library();
    std::fs::write(&library, "no library").expect("writable");
    let status = || run(scratch.path(), &["setup", "atari", "--status"], &[]);
    refused(&status(), 2, &["manifest.json", "damaged", "run `stillpoint setup atari`"]);
    describe(&home, 1);
    let damaged = status();
    refused(&damaged, 2, &["cannot be loaded"]);
    assert!(String::from_utf8_lossy(&damaged.stdout).contains("cannot be loaded"));
    let source = scratch.path().join("shim.c");
    std::fs::write(&source, "int sp_abi(void) { return 99; }\n").expect("writable");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    if !compiled.is_ok_and(|s| s.success()) {
        eprintln!("SKIPPED: no C compiler to make a shim of another version");
        return;
    }
    for abi in [1, 99] {
        describe(&home, abi); // 1: the library itself says otherwise
        let other = status();
        refused(&other, 2, &["shim of another version (interface 99", "setup atari` again"]);
        assert!(String::from_utf8_lossy(&other.stdout).contains("shim of another version"));
    }
}

/// The installed emulator, if it is as it should be, copied below `data`.
fn copied(test: &str, data: &Path) -> Option<Home> {
    let (from, to) = (crate::atari::library(test)?.home(), Home::below(data));
    let copy = |from: PathBuf, to: PathBuf| std::fs::copy(from, to).map(drop).expect("room for a copy");
    std::fs::create_dir_all(to.roms()).expect("writable");
    copy(from.library(), to.library());
    copy(from.manifest(), to.manifest());
    for rom in std::fs::read_dir(from.roms()).expect("readable") {
        let rom = rom.expect("readable");
        copy(rom.path(), to.roms().join(rom.file_name()));
    }
    Some(to)
}

/// Every command that needs the emulator refuses a damaged one, and none of them dies of it.
#[test]
fn a_damaged_emulator_is_a_message() {
    let scratch = Scratch::new();
    let Some(home) = copied("damaged emulators", scratch.path()) else { return };
    let out = scratch.path().join("run").display().to_string();
    let commands = [
        &["setup", "atari", "--status"][..],
        &["check", "atari-pong"],
        &["online", "atari-pong", "--smoke", "--out", &out],
    ];
    for args in &commands[..2] {
        let output = run(scratch.path(), args, &[]);
        assert!(output.status.success(), "control, {args:?}: {}", stderr(&output));
    }
    let (library, manifest) = (home.library(), home.manifest());
    let whole = [&library, &manifest].map(|path| std::fs::read(path).expect("readable"));
    let flipped = |bytes: &[u8]| {
        let mut other = bytes.to_vec();
        other[bytes.len() / 2] ^= 1;
        other
    };
    let described = |from: &str, to: &str| {
        let text = String::from_utf8_lossy(&whole[1]).into_owned();
        assert!(text.contains(from), "{text}");
        text.replace(from, to).into_bytes()
    };
    let cases = [
        (&library, Some(whole[0][..4096].to_vec()), "damaged"),
        (&library, Some(flipped(&whole[0])), "damaged"),
        (&library, Some(Vec::new()), "damaged"),
        (&library, None, "not installed"),
        (&manifest, None, "damaged"),
        (&manifest, Some(whole[1][..40].to_vec()), "damaged"),
        (&manifest, Some(described("0.12.1", "0.11.0")), "damaged"),
        (&manifest, Some(described("\"abi\": 1", "\"abi\": 2")), "another version"),
    ];
    for (path, content, expected) in cases {
        match content {
            Some(bytes) => std::fs::write(path, bytes).expect("writable"),
            None => std::fs::remove_file(path).expect("there"),
        }
        for args in commands {
            let output = run(scratch.path(), args, &[]);
            if args[0] == "check" && expected == "not installed" {
                assert!(output.status.success(), "valid, if not on this machine: {}", stderr(&output));
                continue;
            }
            refused(&output, 2, &[&path.display().to_string(), expected, "stillpoint setup atari"]);
        }
        std::fs::write(&library, &whole[0]).expect("writable");
        std::fs::write(&manifest, &whole[1]).expect("writable");
    }
    assert!(!scratch.path().join("run").exists(), "refused before anything is written");
}

/// `check` and `online` say which ROM, which key and who set it; `setup --status` counts.
#[test]
fn a_missing_or_wrong_rom_is_named_with_its_key() {
    let scratch = Scratch::new();
    let Some(home) = copied("missing ROMs", scratch.path()) else { return };
    let out = scratch.path().join("run").display().to_string();
    let [pong, breakout] = ["pong.bin", "breakout.bin"].map(|file| home.roms().join(file));
    std::fs::remove_file(&pong).expect("there");
    let file = pong.display().to_string();
    for (what, change) in [("ROM missing", None), ("60e0ea3cbe0913d39803477945e9e5ec", Some("not Pong"))] {
        if let Some(text) = change {
            std::fs::write(&pong, text).expect("writable");
        }
        for args in [&["check", "atari-pong"][..], &["online", "atari-pong", "--smoke", "--out", &out]] {
            refused(&run(scratch.path(), args, &[]), 2, &["atari-pong", ": key `atari.game`: pong: ", &file, what]);
        }
        let status = run(scratch.path(), &["setup", "atari", "--status"], &[]);
        refused(&status, 2, &["1 ROM is missing or wrong", &file]);
        assert!(String::from_utf8_lossy(&status.stdout).contains("107 of 108"));
    }
    let other = ["check", "atari-pong", "--set", "atari=breakout"];
    let output = run(scratch.path(), &other, &[]);
    assert!(output.status.success(), "another game's ROM: {}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains(&breakout.display().to_string()));
    std::fs::remove_file(&breakout).expect("there");
    let output = run(scratch.path(), &other, &[]);
    refused(&output, 2, &["--set atari=breakout: key `atari.game`: breakout: ", &breakout.display().to_string()]);
    let output = run(scratch.path(), &["compare", "atari-meta", "--smoke", "--out", &out], &[]);
    refused(&output, 2, &["atari-meta", "arm `fixed-0.99` on family `breakout`", "key `atari.game`"]);
    assert!(!scratch.path().join("run").exists(), "refused before anything is written");
}

/// A set-up that stops on its way, here for want of a compiler, leaves nothing that counts as an emulator.
#[test]
#[cfg(unix)]
fn a_set_up_without_a_compiler_leaves_no_emulator() {
    let Some(library) = crate::atari::library("set-up without a compiler") else { return };
    let archive = library.home().directory().join("ale_py-0.12.1.tar.gz");
    if !archive.exists() {
        eprintln!("SKIPPED: {} is gone, there is nothing to unpack", archive.display());
        return;
    }
    let (scratch, archive) = (Scratch::new(), archive.display().to_string());
    let args = ["setup", "atari", "-q", "--from", &archive];
    let output = run(scratch.path(), &args, &[("CXX", "no-such-compiler")]);
    refused(&output, 2, &["no-such-compiler", "C++17 compiler"]);
    let home = Home::below(scratch.path());
    assert!(!home.library().exists() && !home.manifest().exists());
    refused(&run(scratch.path(), &["setup", "atari", "--status"], &[]), 2, &["not installed"]);
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
