//! The list of built-in families and the one function that builds them by name.

use crate::family::{Family, FamilyError};
pub use crate::mdps::{TabularFamily, parse_mdps};
use crate::params::Params;
use crate::{analytic, bandit, control, gmrl, mdps, navigation, probes, random_mdp};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

type Build = fn(&'static str, &Params) -> Result<Box<dyn Family>, FamilyError>;

/// One built-in family.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Name by which a configuration selects it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// Parameters it accepts.
    pub keys: &'static [&'static str],
    build: Build,
}

const fn entry(name: &'static str, summary: &'static str, keys: &'static [&'static str], build: Build) -> Entry {
    Entry { name, summary, keys, build }
}

impl Entry {
    /// Parameters that suffice to build the family: none, but for `tabular`, which is nothing without its tables.
    pub fn example(&self) -> Map<String, Value> {
        let mut map = Map::new();
        if self.name == "tabular" {
            map.insert("gamma".into(), json!(0.9));
            map.insert("horizon".into(), json!(2));
            let stay_or_go = json!([[[1, 0], [0, 1]], [[0, 1], [1, 0]]]);
            let tasks = json!([
                {"weight": 2, "start": [0.5, 0.5], "reward": [[1, 0], [0, 1]], "transition": stay_or_go},
                {"weight": 1, "start": [0.5, 0.5], "reward": [[0, 1], [1, 0]], "transition": stay_or_go},
            ]);
            map.insert("tasks".into(), tasks);
        }
        map
    }
}

/// Families that are not rows of a preset table.
const SINGLE: &[Entry] = &[
    entry("tabular", "finite family given as tables, inline or in a JSON `file`", mdps::KEYS, mdps::build),
    entry("garnet", "Garnet random MDPs (Archibald et al. 1995)", random_mdp::GARNET_KEYS, random_mdp::garnet),
    entry(
        "dirichlet-mdp",
        "random MDPs of pytorch-maml-rl's TabularMDP-v0: Dirichlet(1) transitions, noisy rewards",
        random_mdp::DIRICHLET_KEYS,
        random_mdp::dirichlet,
    ),
    entry(
        "liu-mdp",
        "random MDPs of Liu et al. (2022): nearly deterministic transitions, rewards in [0, 1)",
        random_mdp::LIU_KEYS,
        random_mdp::liu,
    ),
    entry(
        "gmrl-mdps",
        "ten fixed MDPs as `liu-mdp` draws them: those of the bias lab's reference numbers",
        gmrl::KEYS,
        gmrl::build,
    ),
    entry(
        "analytic",
        "one state, two actions, two tasks, rewards (1, 0)/(0, 0.5): MAML stops where the gradient is not zero",
        analytic::KEYS,
        analytic::build,
    ),
    entry("analytic/a", "the same as `analytic`", analytic::KEYS, analytic::build),
    entry("analytic/b", "the same with rewards (2, 1)/(1, 1.8)", analytic::KEYS, analytic::build),
    entry("analytic/c", "the same with rewards (3, 2)/(2, 2.5)", analytic::KEYS, analytic::build),
    entry("bandit/bernoulli-5", "5-armed Bernoulli bandits, p ~ U[0, 1)", bandit::BERNOULLI_KEYS, bandit::bernoulli),
    entry("bandit/bernoulli-10", "10-armed Bernoulli bandits, p ~ U[0, 1)", bandit::BERNOULLI_KEYS, bandit::bernoulli),
    entry("bandit/bernoulli-50", "50-armed Bernoulli bandits, p ~ U[0, 1)", bandit::BERNOULLI_KEYS, bandit::bernoulli),
    entry("bandit/gaussian", "Gaussian bandits (k arms), means ~ U[0, 1)", bandit::GAUSSIAN_KEYS, bandit::gaussian),
];

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut all = SINGLE.to_vec();
    all.extend(navigation::PRESETS.iter().map(|p| entry(p.name, p.summary, navigation::keys(p), navigation::build)));
    all.extend(
        control::PRESETS.iter().map(|&(name, summary, i)| entry(name, summary, control::keys(i), control::build)),
    );
    all.extend(probes::listing().map(|(name, summary)| entry(name, summary, probes::KEYS, probes::build)));
    all
});

/// All built-in families.
pub fn entries() -> &'static [Entry] {
    &ENTRIES
}

/// Builds the family `name` with parameters `params`.
///
/// # Errors
/// An unknown name has an empty key; anything else names the key at fault and what it allows.
pub fn build(name: &str, params: &Map<String, Value>) -> Result<Box<dyn Family>, FamilyError> {
    let Some(entry) = entries().iter().find(|e| e.name == name) else {
        return Err(FamilyError::new("", format!("no family is called `{name}`")));
    };
    (entry.build)(entry.name, &Params::new(params, entry.keys)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_summaries_are_one_line() {
        for (i, e) in entries().iter().enumerate() {
            assert!(entries()[..i].iter().all(|other| other.name != e.name), "{} twice", e.name);
            assert!(!e.summary.is_empty() && !e.summary.contains('\n') && e.summary.len() <= 120, "{}", e.name);
            assert!(e.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-/".contains(c)));
        }
    }

    #[test]
    fn every_entry_refuses_an_unknown_key_and_lists_its_own() {
        let map = json!({"no_such_key": 1}).as_object().expect("object").clone();
        for e in entries() {
            let error = build(e.name, &map).err().unwrap_or_else(|| panic!("{} accepts junk", e.name));
            assert_eq!(error.key, "no_such_key");
            assert!(e.keys.iter().all(|k| error.message.contains(k)), "{error}");
        }
    }

    #[test]
    fn every_key_of_every_entry_refuses_a_value_of_a_wrong_type() {
        for e in entries() {
            for key in e.keys {
                let map = json!({*key: {"a": 1}}).as_object().expect("object").clone();
                let error = build(e.name, &map).err().unwrap_or_else(|| panic!("{}: {key} accepts a table", e.name));
                let expected = if e.name == "tabular" && *key != "file" { &error.key } else { *key };
                assert_eq!(error.key, expected, "{}: {error}", e.name);
            }
        }
    }

    #[test]
    fn an_unknown_name_has_no_key() {
        let e = build("navigation", &Map::new()).err().expect("no such family");
        assert!(e.key.is_empty() && e.message.contains("`navigation`"), "{e}");
    }

    #[test]
    fn tabular_reads_a_file_or_names_it() {
        let text = r#"{"gamma": 1, "horizon": 2, "tasks": [{"start": [1], "reward": [[1]], "transition": [[[1]]]}]}"#;
        let path = std::env::temp_dir().join(format!("stillpoint-tabular-{}.json", std::process::id()));
        let at = |p: &std::path::Path| json!({"file": p.to_str()}).as_object().expect("object").clone();
        std::fs::write(&path, text).expect("a writable temporary directory");
        assert_eq!(build("tabular", &at(&path)).expect("valid").horizon(), 2);
        std::fs::write(&path, text.replace("[1]]]}", "[0.5]]]}")).expect("a writable temporary directory");
        let e = build("tabular", &at(&path)).err().expect("a bad row");
        assert!(e.key == "tasks[0].transition[0][0]" && e.message.contains("stillpoint-tabular"), "{e}");
        std::fs::remove_file(&path).expect("removable");
        let e = build("tabular", &at(&path)).err().expect("no file");
        assert!(e.key == "file" && e.message.contains("stillpoint-tabular"), "{e}");
        let mut both = at(&path);
        both.insert("gamma".into(), json!(0.9));
        assert_eq!(build("tabular", &both).err().expect("both").key, "gamma");
        let inline = serde_json::from_str::<Map<String, Value>>(text).expect("JSON");
        assert_eq!(build("tabular", &inline).expect("inline").gamma(), 1.0);
    }

    /// The values come from this code, rand 0.10, rand_chacha 0.10 and rand_distr 0.6. A change
    /// means that recorded runs can no longer be repeated.
    #[test]
    fn draws_are_stable() {
        use crate::env::{Env, Rng};
        use rand::SeedableRng;
        let drawn = |name: &str| {
            let entry = entries().iter().find(|e| e.name == name).expect("registered");
            let task = build(name, &entry.example()).expect(name).sample(&mut Rng::seed_from_u64(0));
            match task.tabular() {
                Some(t) => [t.reward.iter().sum(), t.transition.iter().map(|p| p * p).sum()],
                None => [task.parameters()[0].1, task.parameters()[1].1],
            }
        };
        for (name, expected) in GOLDEN {
            let got = drawn(name);
            let close = |i: usize| (got[i] - expected[i]).abs() < 1e-10 * (1.0 + expected[i].abs());
            assert!(close(0) && close(1), "(\"{name}\", {got:?}),");
        }
    }

    const GOLDEN: &[(&str, [f64; 2])] = &[
        ("navigation/sgmrl", [0.20907541542656183, -0.03407827771038985]),
        ("navigation/promp-walls", [-2.0, 2.0]),
        ("garnet", [10.54349940849577, 20.021578131676847]),
        ("dirichlet-mdp", [42.753141221575255, 9.363366334432435]),
        ("liu-mdp", [51.90327872879057, 97.00825895751075]),
        ("bandit/bernoulli-5", [2.813422263983694, 5.0]),
        ("cartpole", [12.090754154265618, 1.1988825834344152]),
    ];
}
