//! Raw mirror to suite: defaults, ranges, and every configuration of every run through the checks of `train` or `online`.

use super::{Arm, Cell, Evaluate, Family, Kind, Setting, Suite, lifetime, plan, raw, smoke};
use crate::config::plan::FamilyChoice;
use crate::config::{self, Error, Fault, checks, cost, explain, online, overrides, preset, shipped, tree};
use std::path::Path;
use toml::{Table, Value};

/// Largest seed.
const MAX_SEED: u64 = i64::MAX as u64;
/// Most environment steps of a run.
const MAX_BUDGET: u64 = 1_000_000_000_000_000;
/// Most seeds, families, arms, and points of one grid.
const MAX_LIST: usize = 10_000;
/// Most tasks, episodes and points of an evaluation.
const MAX_EVALUATION: usize = 1_000_000;
/// Keys that the suite itself sets.
const OWN_KEYS: [&str; 3] = ["name", "seed", "iterations"];

type Checked<T> = Result<T, Fault>;

/// The suite that `raw` means.
pub(super) fn suite(raw: raw::Raw, source: &str, base: &Path) -> Result<Suite, Error> {
    let blame = |f: Fault| Error { source: source.to_string(), key: f.key, message: f.message };
    let stem = Path::new(source).file_stem().map_or("suite".to_string(), |s| s.to_string_lossy().into_owned());
    let name = path_name("name", Some(raw.name.as_ref().unwrap_or(&stem))).map_err(blame)?;
    // budgets may follow from the iterations of a shrunk suite, so they come last
    let kind = kind(&raw).map_err(blame)?;
    let evaluate = evaluate(&raw.evaluate, kind).map_err(blame)?;
    let mut families = Vec::new();
    for (i, family) in raw.families.iter().enumerate() {
        families.push(read_family(i, family, kind, raw.budget, base).map_err(blame)?);
    }
    distinct("families", families.iter().map(|f| f.name.as_str())).map_err(blame)?;
    let mut arms = Vec::new();
    for (i, arm) in raw.arms.iter().enumerate() {
        arms.push(read_arm(i, arm, kind, &families, base).map_err(blame)?);
    }
    distinct("arms", arms.iter().map(|a| a.name.as_str())).map_err(blame)?;
    let tuned = arms.iter().any(|a| a.grid.iter().any(|(_, values)| values.len() > 1));
    seeds(&raw.seeds, tuned).map_err(blame)?;
    let mut suite = Suite {
        name,
        kind,
        cost: raw.cost,
        select: raw.select.unwrap_or_default(),
        report_grid: raw.report_grid.unwrap_or(false),
        shrink: raw.shrink.unwrap_or(false),
        tuning: raw.seeds.tuning,
        reporting: raw.seeds.reporting,
        evaluate,
        families,
        arms,
        cells: Vec::new(),
        notes: Vec::new(),
        source: source.to_string(),
    };
    if let Some(f) = (0..suite.families.len()).find(|f| suite.arms.iter().all(|a| !a.families.contains(f))) {
        let message = format!("no arm runs on `{}`", suite.families[f].name);
        return Err(blame(Fault::new(format!("families[{f}]"), message)));
    }
    cells(&mut suite)?;
    budgets(&mut suite)?;
    Ok(suite)
}

/// A name that becomes a folder: the same on every file system.
fn path_name(key: &str, name: Option<&String>) -> Checked<String> {
    let Some(name) = name else { return Err(Fault::new(key, "missing")) };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if !name.is_empty() && name.len() <= 60 && name.chars().all(plain) && !name.starts_with(['.', '-']) {
        return Ok(name.clone());
    }
    let allowed =
        "1 to 60 lower-case letters, digits, `-`, `_` or `.`, not starting with `-` or `.` (it names a folder)";
    Err(Fault::new(key, format!("must be {allowed}, found {name:?}")))
}

fn distinct<'a>(section: &str, names: impl Iterator<Item = &'a str>) -> Checked<()> {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        let one = section.strip_suffix('s').filter(|s| *s == "arm").unwrap_or("family");
        return Err(Fault::new(section, format!("at least one is needed: [[{section}]] with a `name` for each {one}")));
    }
    if names.len() > MAX_LIST {
        return Err(Fault::new(section, format!("at most {MAX_LIST}, found {}", names.len())));
    }
    for (i, name) in names.iter().enumerate() {
        if let Some(j) = names[..i].iter().position(|n| n == name) {
            return Err(Fault::new(
                format!("{section}[{i}].name"),
                format!("`{name}` is the name of {section}[{j}] too"),
            ));
        }
    }
    Ok(())
}

fn seeds(seeds: &raw::Seeds, tuned: bool) -> Checked<()> {
    for (key, list) in [("seeds.tuning", &seeds.tuning), ("seeds.reporting", &seeds.reporting)] {
        if list.len() > MAX_LIST {
            return Err(Fault::new(key, format!("at most {MAX_LIST}, found {}", list.len())));
        }
        if let Some(seed) = list.iter().find(|s| **s > MAX_SEED) {
            return Err(Fault::new(key, format!("whole numbers from 0 to 2^63 - 1, found {seed}")));
        }
        if let Some((_, seed)) = list.iter().enumerate().find(|(i, s)| list[..*i].contains(s)) {
            return Err(Fault::new(key, format!("{seed} is listed twice")));
        }
    }
    if seeds.reporting.is_empty() {
        return Err(Fault::new("seeds.reporting", "at least one seed is needed (two for an interval)"));
    }
    if tuned && seeds.tuning.is_empty() {
        let message = "at least one seed is needed: an arm has a grid to choose from";
        return Err(Fault::new("seeds.tuning", message));
    }
    match seeds.tuning.iter().find(|s| seeds.reporting.contains(s)) {
        None => Ok(()),
        Some(s) => {
            let message = format!("{s} is in `seeds.reporting` too; what is reported must not have chosen the setting");
            Err(Fault::new("seeds.tuning", message))
        }
    }
}

/// What the runs are: those of `online` where a family has a configuration of `online`.
pub(super) fn kind(raw: &raw::Raw) -> Checked<Kind> {
    let is_online = |f: &raw::Family| f.online.is_some() || f.config.as_ref().is_some_and(online::is_part);
    if let Some(kind) = raw.kind {
        return Ok(kind);
    }
    let Some(first) = raw.families.first() else { return Ok(Kind::Train) };
    let kind = if is_online(first) { Kind::Online } else { Kind::Train };
    match raw.families.iter().position(|f| is_online(f) != is_online(first)) {
        None => Ok(kind),
        Some(i) => {
            let why = "runs of `train` and of `online` cannot be compared: give every family an `online` configuration, or none";
            Err(Fault::new(format!("families[{i}]"), why))
        }
    }
}

fn evaluate(raw: &raw::Evaluate, kind: Kind) -> Checked<Evaluate> {
    let size = |key: &str, n: Option<usize>, default| checks::count(key, n.unwrap_or(default), MAX_EVALUATION);
    if kind == Kind::Online {
        let why = "has no meaning for runs of `online`, which have one task and log their own gap; leave it out";
        let idle = [("tasks", raw.tasks.is_some()), ("exact", raw.exact.is_some()), ("gap", raw.gap.is_some())];
        if let Some((key, _)) = idle.into_iter().find(|(_, is_given)| *is_given) {
            return Err(Fault::new(format!("evaluate.{key}"), why));
        }
        let [points, episodes] =
            [size("evaluate.points", raw.points, 20)?, size("evaluate.episodes", raw.episodes, 30)?];
        return Ok(Evaluate { points, tasks: 1, episodes, exact: false, gap: false });
    }
    Ok(Evaluate {
        points: size("evaluate.points", raw.points, 10)?,
        tasks: size("evaluate.tasks", raw.tasks, 40)?,
        episodes: size("evaluate.episodes", raw.episodes, 10)?,
        exact: raw.exact.unwrap_or(true),
        gap: raw.gap.unwrap_or(false),
    })
}

/// The starting point of a family or an arm: an embedded configuration, a file in `base`, or `config`; empty without any. The key of
/// the other kind is refused.
fn start(
    at: &str,
    kind: Kind,
    [preset, online]: [Option<&str>; 2],
    config: Option<&Table>,
    base: &Path,
) -> Checked<Table> {
    let (name, foreign, [leaf, what], other) = match kind {
        Kind::Train => (preset, online, ["preset", "preset"], ["online", "`online`"]),
        Kind::Online => (online, preset, ["online", "configuration of `online`"], ["preset", "`train`"]),
    };
    if foreign.is_some() {
        let why = format!("belongs to a suite of runs of {}; here it is `{leaf}`", other[1]);
        return Err(Fault::new(format!("{at}.{}", other[0]), why));
    }
    let key = format!("{at}.{leaf}");
    let mut base = base.to_path_buf();
    let mut table = match (name, config) {
        (Some(_), Some(_)) => return Err(Fault::new(key, "and `config` are two starting points: give one of them")),
        (None, config) => config.cloned().unwrap_or_default(),
        (Some(name), None) if name.ends_with(".toml") || name.ends_with(".json") => {
            let path = base.join(name);
            let text = config::read_text(&path).map_err(|e| Fault::new(&key, e.to_string()))?;
            base = path.parent().unwrap_or(Path::new(".")).to_path_buf();
            tree::parse(&text, tree::Format::of(&path))
                .map_err(|m| Fault::new(&key, format!("{}: {m}", path.display())))?
        }
        (Some(name), None) => {
            let (text, names) = match kind {
                Kind::Train => (preset::text(name), preset::names()),
                Kind::Online => (shipped::ONLINE.text(name), shipped::ONLINE.names()),
            };
            let Some(text) = text else {
                let suggestion = explain::suggestion(name, &names);
                let why = format!("no {what} is called `{name}` (a file ends in .toml or .json); {suggestion}");
                return Err(Fault::new(key, why));
            };
            tree::parse(text, tree::Format::Toml).map_err(|m| Fault::new(&key, m))?
        }
    };
    normalise(&mut table, kind, &base, &format!("{at}.config"))?;
    own_keys(kind).iter().for_each(|own| drop(table.remove(*own)));
    Ok(table)
}

/// Brings shorthands to their full form and makes the path of a family's file absolute.
fn normalise(table: &mut Table, kind: Kind, base: &Path, at: &str) -> Checked<()> {
    if kind == Kind::Online {
        online::expand(table);
    }
    tree::normalise(table, base).map_err(|f| Fault::new(format!("{at}.{}", f.key), f.message))
}

/// Keys that the suite itself sets.
fn own_keys(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Train => &OWN_KEYS,
        Kind::Online => &lifetime::OWN_KEYS,
    }
}

/// Sections of the task, which the arms share.
fn task_keys(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Train => &["family", "file"],
        Kind::Online => &lifetime::TASK,
    }
}

/// Dotted keys and values of nested tables.
fn dotted(prefix: &str, table: &Table, out: &mut Vec<(String, Value)>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => dotted(&path, inner, out),
            leaf => out.push((path, leaf.clone())),
        }
    }
}

fn changes(at: &str, table: &Table, kind: Kind, is_arm: bool) -> Checked<Vec<(String, Value)>> {
    let mut list = Vec::new();
    dotted("", table, &mut list);
    let (own, task) = (own_keys(kind), task_keys(kind));
    let length = if kind == Kind::Train { "iterations" } else { "updates" };
    for (key, _) in &list {
        let section = key.split('.').next().unwrap_or_default();
        if own.contains(&key.as_str()) {
            let message = format!("`{key}` is set by the suite: its seeds, and its budget in place of {length}");
            return Err(Fault::new(at, message));
        }
        if is_arm && task.contains(&section) {
            let message =
                format!("`{key}`: an arm cannot change the {}, or the arms would not share their tasks", task[0]);
            return Err(Fault::new(at, message));
        }
    }
    Ok(list)
}

fn read_family(i: usize, raw: &raw::Family, kind: Kind, budget: Option<u64>, base: &Path) -> Checked<Family> {
    let at = format!("families[{i}]");
    let name = path_name(&format!("{at}.name"), raw.name.as_ref())?;
    let starts = [raw.preset.as_deref(), raw.online.as_deref()];
    let mut config = start(&at, kind, starts, raw.config.as_ref(), base)?;
    if let Some(section) = &raw.family {
        config.insert("family".into(), Value::Table(section.clone()));
    }
    let budget = raw.budget.or(budget).unwrap_or(0);
    if budget > MAX_BUDGET {
        return Err(Fault::new(format!("{at}.budget"), format!("at most {MAX_BUDGET}, found {budget}")));
    }
    let score = match raw.score {
        Some(raw::Score { low, high }) if low.is_finite() && high.is_finite() && low < high => Some([low, high]),
        Some(_) => return Err(Fault::new(format!("{at}.score"), "must be finite numbers, `low` below `high`")),
        None => None,
    };
    let mut set = changes(&format!("{at}.set"), &raw.set, kind, false)?;
    let is_task = |key: &str| key == "file" || task_keys(kind).contains(&key.split('.').next().unwrap_or_default());
    for (key, value) in set.extract_if(.., |(key, _)| is_task(key)) {
        overrides::insert(&mut config, &key, &value).map_err(|m| Fault::new(format!("{at}.set.{key}"), m))?;
    }
    normalise(&mut config, kind, base, &format!("{at}.set"))?;
    if kind == Kind::Online && config.contains_key("task") {
        return Err(Fault::new(format!("{at}.online"), lifetime::SMALL));
    }
    if kind == Kind::Train && !config.contains_key("family") {
        let message = "names no tasks: give a `preset`, or `family = { name = ... }` (see `stillpoint tasks`)";
        return Err(Fault::new(at, message));
    }
    Ok(Family { name, budget, score, config, set })
}

fn read_arm(i: usize, raw: &raw::Arm, kind: Kind, families: &[Family], base: &Path) -> Checked<Arm> {
    let at = format!("arms[{i}]");
    let name = path_name(&format!("{at}.name"), raw.name.as_ref())?;
    let config = match (&raw.preset, &raw.online, &raw.config) {
        (None, None, None) => None,
        (preset, online, config) => {
            let mut table = start(&at, kind, [preset.as_deref(), online.as_deref()], config.as_ref(), base)?;
            task_keys(kind).iter().for_each(|section| drop(table.remove(*section)));
            Some(table)
        }
    };
    let on: Vec<usize> = match &raw.families {
        None => (0..families.len()).collect(),
        Some(names) => {
            names.iter().map(|n| position(&format!("{at}.families"), n, families)).collect::<Checked<_>>()?
        }
    };
    if on.is_empty() {
        return Err(Fault::new(format!("{at}.families"), "names no family; leave the key out to run on all"));
    }
    let set = changes(&format!("{at}.set"), &raw.set, kind, true)?;
    let grid = grid(&format!("{at}.grid"), &raw.grid, kind)?;
    if let Some((key, _)) = grid.iter().find(|(key, _)| set.iter().any(|(k, _)| k == key)) {
        return Err(Fault::new(format!("{at}.grid"), format!("`{key}` is in `set` too; give it once")));
    }
    Ok(Arm { name, config, set, grid, families: on })
}

fn position(key: &str, name: &str, families: &[Family]) -> Checked<usize> {
    families.iter().position(|f| f.name == name).ok_or_else(|| {
        let names: Vec<&str> = families.iter().map(|f| f.name.as_str()).collect();
        Fault::new(key, format!("no family of this suite is called `{name}`; {}", explain::suggestion(name, &names)))
    })
}

fn grid(at: &str, table: &Table, kind: Kind) -> Checked<Vec<(String, Vec<f64>)>> {
    let mut grid: Vec<(String, Vec<f64>)> = Vec::new();
    for (key, value) in changes(at, table, kind, true)? {
        let Value::Array(list) = &value else {
            return Err(Fault::new(
                at,
                format!("`{key}` must be a list of numbers to try, found {}", tree::shown(&value)),
            ));
        };
        let mut numbers: Vec<f64> = Vec::new();
        for item in list {
            let x = item.as_float().or(item.as_integer().map(|i| i as f64)).filter(|x| x.is_finite());
            let Some(x) = x else {
                return Err(Fault::new(at, format!("`{key}` must be finite numbers, found {}", tree::shown(item))));
            };
            if numbers.contains(&x) {
                return Err(Fault::new(at, format!("`{key}` lists {x} twice")));
            }
            numbers.push(x);
        }
        if numbers.is_empty() {
            return Err(Fault::new(
                at,
                format!("`{key}` is an empty list: nothing to try; leave the key out to keep its value"),
            ));
        }
        grid.push((key, numbers));
    }
    let size = grid.iter().fold(1usize, |n, (_, values)| n.saturating_mul(values.len()));
    if size > MAX_LIST {
        return Err(Fault::new(at, format!("at most {MAX_LIST} points, found {size}")));
    }
    Ok(grid)
}

/// Every point of a grid; the last key changes fastest.
fn points(grid: &[(String, Vec<f64>)]) -> Vec<Setting> {
    let mut all: Vec<Setting> = vec![Vec::new()];
    for (key, values) in grid {
        let with = |point: &Setting| {
            values.iter().map(|&x| [point.as_slice(), &[(key.clone(), x)]].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(with).collect();
    }
    all
}

/// Loads the configuration of every cell and setting, so that nothing can be refused later.
fn cells(suite: &mut Suite) -> Result<(), Error> {
    let seed = suite.reporting[0];
    for (f, family) in suite.families.iter_mut().enumerate() {
        for (a, arm) in suite.arms.iter().enumerate().filter(|(_, arm)| arm.families.contains(&f)) {
            let mut cell =
                Cell { family: f, arm: a, settings: points(&arm.grid), steps_per_iteration: Vec::new(), parameters: 0 };
            for setting in &cell.settings {
                let (source, shrink) = (&suite.source, suite.shrink);
                let (steps, parameters) = match suite.kind {
                    Kind::Train => {
                        let loaded = plan(source, family, arm, setting, seed, shrink)?;
                        suite.notes.extend(idle(&loaded, family, arm)?);
                        inline(&mut family.config, &loaded.plan.family);
                        let cost = cost::cost(&loaded.plan, &*loaded.family);
                        (cost.steps_per_iteration, cost.parameters)
                    }
                    Kind::Online => {
                        let found = lifetime::plan(source, family, arm, setting, seed, shrink)?;
                        let fail = |message| Error { source: source.clone(), key: format!("families[{f}]"), message };
                        lifetime::update(&found, family).map_err(fail)?
                    }
                };
                cell.steps_per_iteration.push(steps);
                cell.parameters = cell.parameters.max(parameters);
            }
            suite.cells.push(cell);
        }
    }
    suite.notes.dedup();
    Ok(())
}

/// Puts the tables of a family in place of the file that they are from.
pub(super) fn inline(config: &mut Table, family: &FamilyChoice) {
    if config.get("family").and_then(|f| f.get("file")).is_none() {
        return;
    }
    let section = Value::try_from(&family.params);
    let mut section = section.ok().and_then(|s| s.as_table().cloned()).unwrap_or_default();
    section.insert("name".into(), Value::String(family.name.clone()));
    config.insert("family".into(), Value::Table(section));
}

/// Remarks about keys of the arm that have no effect; a grid over such a key would compare a run with itself.
fn idle(loaded: &config::Loaded, family: &Family, arm: &Arm) -> Result<Vec<String>, Error> {
    let mut remarks = Vec::new();
    for note in &loaded.notes {
        let Some((key, rest)) = note.strip_prefix('`').and_then(|n| n.split_once('`')) else { continue };
        if !rest.starts_with(" has no effect") {
            continue;
        }
        if arm.grid.iter().any(|(k, _)| k == key) {
            let message = format!("is in the grid and {}", rest.trim_start());
            return Err(Error { source: loaded.source.clone(), key: key.to_string(), message });
        }
        if arm.set.iter().any(|(k, _)| k == key) {
            remarks.push(format!("arm `{}` on family `{}`: {note}", arm.name, family.name));
        }
    }
    Ok(remarks)
}

/// Checks that every budget holds at least one iteration of every arm; a shrunk suite without one gets a few.
fn budgets(suite: &mut Suite) -> Result<(), Error> {
    let unrolls = if suite.kind == Kind::Online { lifetime::LEAST } else { 1 };
    for (f, family) in suite.families.iter_mut().enumerate() {
        let steps = |cell: &Cell| unrolls * cell.steps_per_iteration.iter().copied().max().unwrap_or(0);
        let on = || suite.cells.iter().filter(move |c| c.family == f);
        if family.budget == 0 && suite.shrink {
            family.budget = on().map(steps).max().unwrap_or(0).saturating_mul(smoke::ITERATIONS);
        }
        let error = |message: String| Error { source: suite.source.clone(), key: "budget".into(), message };
        if family.budget == 0 {
            let message =
                format!("missing (or 0) for family `{}`: environment steps each run may spend, 1 or more", family.name);
            return Err(error(message));
        }
        if let Some(cell) = on().find(|c| steps(c) > family.budget) {
            return Err(error(format!(
                "{} environment steps are too few for family `{}`: one iteration of arm `{}` may spend {}",
                family.budget,
                family.name,
                suite.arms[cell.arm].name,
                steps(cell)
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_a_product_whose_last_key_changes_fastest() {
        let grid = [("a".to_string(), vec![1.0, 2.0]), ("b".to_string(), vec![3.0, 4.0])];
        let shown: Vec<String> = points(&grid).iter().map(|p| format!("{}{}", p[0].1, p[1].1)).collect();
        assert_eq!(shown, ["13", "14", "23", "24"]);
        assert_eq!(points(&[]), [Setting::new()]);
    }

    #[test]
    fn every_shipped_suite_is_valid_and_its_resolved_form_is_the_same_suite() {
        for name in shipped::COMPARE.names() {
            for smoke in [false, true] {
                let suite = super::super::load(name, smoke).unwrap_or_else(|e| panic!("{e}"));
                let text = super::super::resolved(&suite).unwrap_or_else(|e| panic!("{e}"));
                let again = super::super::parse(&text, &suite.source, tree::Format::Toml, Path::new("."), false);
                assert_eq!(again.unwrap_or_else(|e| panic!("{e}")), suite, "{name}");
                assert!(suite.notes.is_empty(), "{name}: {:?}", suite.notes);
            }
        }
    }
}
