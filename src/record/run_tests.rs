//! Tests of run directories: claiming, killing, resuming, and what is said of what is no run.

use super::*;
use crate::record::{checkpoint::tests as fake, rows::tests::row};

fn started(dir: &Path, iterations: u64) -> Run {
    let session = claim(dir, false).expect("free");
    let mut run = session.start("a = 1\n", fake::tensors(), &fake::state::<f32>(0)).expect("writable");
    for i in 1..=iterations {
        run.append(&row(i), &[("seconds", 1.0), ("seconds_since_start", i as f64)]).expect("writable");
        run.checkpoint(&fake::state::<f32>(i)).expect("writable");
    }
    run
}

fn message<T>(result: Result<T, Fault>) -> String {
    match result {
        Ok(_) => panic!("expected a fault"),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn a_killed_run_resumes_from_its_last_checkpoint() {
    let scratch = tempfile::tempdir().expect("scratch");
    let dir = scratch.path().join("deep/run");
    let mut run = started(&dir, 3);
    run.append(&row(4), &[]).expect("writable");
    drop(run); // as if killed after row 4, before its checkpoint
    let (session, opened) = Session::resume(&dir).expect("the lock died with the run");
    assert_eq!((opened.info.status, opened.config.as_str()), (Status::Running, "a = 1\n"));
    let Restored::Ready { run, state, remarks } = session.restore::<f32>("a = 2\n", fake::tensors()).expect("whole")
    else {
        panic!("checkpoints stand")
    };
    assert_eq!((state.iteration, remarks.len(), run.elapsed()), (3, 0, 3.0));
    assert_eq!(rows::read(&dir).expect("whole").len(), 3);
    run.close(Status::Finished, 3, None).expect("writable");
    let opened = open(&dir).expect("whole");
    assert_eq!((opened.info.status, opened.config.as_str()), (Status::Finished, "a = 2\n"));
    let events = file::names(&dir).expect("listable").into_iter().filter(|n| events::is_event_file(n));
    assert_eq!(events.collect::<Vec<_>>(), ["events.out.tfevents.0000000002.stillpoint"]);
}

#[test]
fn a_run_killed_while_being_set_up_can_be_started_by_resuming() {
    let dir = tempfile::tempdir().expect("scratch");
    drop(started(dir.path(), 0));
    for name in file::names(&dir.path().join(checkpoint::FOLDER)).expect("listable") {
        std::fs::remove_file(dir.path().join(checkpoint::FOLDER).join(name)).expect("there");
    }
    let (session, _) = Session::resume(dir.path()).expect("a run");
    let Restored::Bare(session) = session.restore::<f32>("", fake::tensors()).expect("a run") else {
        panic!("no checkpoint stands")
    };
    session.start("a = 1\n", fake::tensors(), &fake::state::<f32>(0)).expect("writable");
}

#[test]
fn a_live_process_keeps_its_directory() {
    let dir = tempfile::tempdir().expect("scratch");
    let run = started(dir.path(), 1);
    assert!(message(claim(dir.path(), true)).contains("another process"));
    assert!(message(Session::resume(dir.path())).contains("another process"));
    drop(run);
    claim(dir.path(), true).expect("free again");
    assert_eq!(contents(dir.path()).expect("listable"), Contents::Empty);
}

#[test]
fn only_runs_are_replaced_and_only_by_force() {
    let dir = tempfile::tempdir().expect("scratch");
    drop(started(dir.path(), 1));
    let refused = message(claim(dir.path(), false));
    assert!(refused.contains("--resume") && refused.contains("--force"), "{refused}");
    std::fs::write(dir.path().join("thesis.tex"), "x").expect("writable");
    let refused = message(claim(dir.path(), true));
    assert!(refused.contains("thesis.tex"), "{refused}");
    assert!(open(dir.path()).is_ok(), "nothing was deleted");
    std::fs::remove_file(dir.path().join("thesis.tex")).expect("there");
    std::fs::remove_file(dir.path().join(INFO)).expect("there");
    assert!(message(open(dir.path())).contains("half a run"));
    claim(dir.path(), true).expect("half a run is replaced too");
}

#[test]
fn what_is_not_a_run_is_said() {
    let dir = tempfile::tempdir().expect("scratch");
    assert!(message(open(&dir.path().join("none"))).contains("no such directory"));
    assert!(message(open(dir.path())).contains("is empty"));
    std::fs::write(dir.path().join("config.toml"), "x = 1").expect("writable");
    assert!(message(open(dir.path())).contains("not a run directory"));
    assert!(message(claim(dir.path(), true)).contains("config.toml"), "a user's own file is not ours to delete");
    assert!(message(claim(&dir.path().join("config.toml"), true)).contains("is a file"));
    std::fs::write(dir.path().join(INFO), "{").expect("writable");
    assert!(message(open(dir.path())).contains("run.json"));
}

#[test]
fn fresh_directories_are_numbered() {
    let dir = tempfile::tempdir().expect("scratch");
    let made: Vec<PathBuf> = (0..2).map(|_| fresh(dir.path(), "nav", 3).expect("writable")).collect();
    assert_eq!(made, [dir.path().join("nav-3-1"), dir.path().join("nav-3-2")]);
}

#[test]
fn a_run_does_not_go_on_with_an_edited_configuration() {
    let dir = tempfile::tempdir().expect("scratch");
    drop(started(dir.path(), 1));
    let config = dir.path().join(CONFIG);
    std::fs::write(&config, "a = 2\n").expect("writable");
    let refused = message(Session::resume(dir.path()));
    assert!(refused.contains("config.toml") && refused.contains("was edited"), "{refused}");
    assert!(open(dir.path()).is_ok(), "reading is no harm");
    std::fs::write(&config, "a = 1\n").expect("writable");
    drop(Session::resume(dir.path()).expect("as it was"));
    let info = dir.path().join(INFO);
    let text = std::fs::read_to_string(&info).expect("there");
    let mut older: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    older.as_object_mut().expect("an object").remove("config_sha256").expect("there");
    std::fs::write(&info, older.to_string()).expect("writable");
    std::fs::write(&config, "a = 2\n").expect("writable");
    assert!(Session::resume(dir.path()).is_ok(), "versions before this one did not write it down");
}
