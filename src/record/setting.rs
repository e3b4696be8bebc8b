//! Names of settings, and where the record of a run stands in a suite directory.

use super::suite_dir::RUNS;
use std::path::{Path, PathBuf};

/// Longest file name, bytes: the limit of the usual file systems.
const LONGEST: usize = 255;

/// Name of a setting, e.g. `outer.beta=0.01`; `default` if the arm has no grid.
pub fn setting_name(setting: &[(String, f64)]) -> String {
    let part = |(key, x): &(String, f64)| {
        let (plain, scientific) = (x.to_string(), format!("{x:e}"));
        format!("{key}={}", if plain.len() <= 12 { plain } else { scientific })
    };
    if setting.is_empty() { "default".into() } else { setting.iter().map(part).collect::<Vec<_>>().join(",") }
}

/// Folder of a setting: its name or, of one too long for a file name, the beginning of it and a hash of all of it.
fn folder(setting: &[(String, f64)]) -> String {
    let name = setting_name(setting);
    if name.len() <= LONGEST {
        return name;
    }
    // FNV-1a, 64 bits: the same on every machine and in every version, which std's hashers do not promise
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let cut = (0..=LONGEST - 17).rev().find(|i| name.is_char_boundary(*i)).unwrap_or(0);
    format!("{}-{hash:016x}", &name[..cut])
}

/// Where the record of a run stands, relative to the suite directory.
pub fn record_path(family: &str, arm: &str, setting: &[(String, f64)], seed: u64) -> PathBuf {
    Path::new(RUNS).join(family).join(arm).join(folder(setting)).join(format!("{seed}.json"))
}

/// Where the run directory of a run of `online` stands, relative to the suite directory: beside its record.
pub fn run_path(family: &str, arm: &str, setting: &[(String, f64)], seed: u64) -> PathBuf {
    record_path(family, arm, setting, seed).with_extension("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(keys: usize, last: f64) -> Vec<(String, f64)> {
        let key = |i: usize| (format!("outer.a-grid-key-{i:02}"), if i + 1 == keys { last } else { 0.25 });
        (0..keys).map(key).collect()
    }

    #[test]
    fn a_setting_of_many_keys_has_a_folder_of_its_own() {
        let (one, other) = (folder(&grid(13, 0.1)), folder(&grid(13, 0.2)));
        assert!(setting_name(&grid(13, 0.1)).len() > LONGEST && one.len() <= LONGEST);
        assert_ne!(one, other, "the values that differ are past the cut");
        assert_eq!(one, folder(&grid(13, 0.1)));
        assert_eq!(folder(&grid(3, 0.1)), setting_name(&grid(3, 0.1)), "names that fit are kept");
        let empty = grid(0, 0.0);
        assert_eq!(record_path("f", "a", &empty, 7), Path::new("runs/f/a/default/7.json"));
        let dir = tempfile::tempdir().expect("scratch");
        let path = dir.path().join(record_path("f", "a", &grid(13, 0.1), 7));
        std::fs::create_dir_all(path.parent().expect("below")).expect("a name that the file system takes");
    }
}
