//! Which runs belong together: those whose configurations agree in all that makes a run what it is.

use toml::{Table as Toml, Value};

/// Dotted keys and values.
pub type Settings = Vec<(String, String)>;

fn flat(prefix: &str, table: &Toml, out: &mut Settings) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => flat(&path, inner, out),
            Value::String(text) => out.push((path, text.clone())),
            other => out.push((path, other.to_string())),
        }
    }
}

/// All settings of a resolved configuration but the keys in `idle`; one that ends with a dot stands for its section.
pub fn settings(table: &Toml, idle: &[&str]) -> Settings {
    let mut all = Settings::new();
    flat("", table, &mut all);
    let is_idle = |key: &str| idle.iter().any(|i| if i.ends_with('.') { key.starts_with(i) } else { key == *i });
    all.retain(|(key, _)| !is_idle(key));
    all
}

/// Value of a key below sections.
pub fn key<'a>(table: &'a Toml, path: &[&str]) -> Option<&'a Value> {
    let (last, sections) = path.split_last()?;
    sections.iter().try_fold(table, |t, s| t.get(*s)?.as_table())?.get(*last)
}

/// Sorts runs with their settings into groups, in order of appearance. A group is labelled by what tells it from the others, or
/// by the `name` of its first run; keys lose their sections where that leaves them distinct.
pub fn group<R>(runs: Vec<(Settings, R)>, name: impl Fn(&R) -> String) -> Vec<(String, Vec<R>)> {
    let mut groups: Vec<(Settings, Vec<R>)> = Vec::new();
    for (key, run) in runs {
        match groups.iter_mut().find(|(k, _)| *k == key) {
            Some((_, runs)) => runs.push(run),
            None => groups.push((key, vec![run])),
        }
    }
    let of = |settings: &Settings, key: &str| settings.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    let differs = |key: &str| groups.iter().any(|(g, _)| of(g, key) != of(&groups[0].0, key));
    let last = |key: &str| key.rsplit('.').next().unwrap_or(key).to_string();
    let mut telling: Vec<&String> =
        groups.iter().flat_map(|(g, _)| g.iter().map(|(k, _)| k)).filter(|k| differs(k)).collect();
    telling.sort();
    telling.dedup();
    let is_clear = telling.iter().all(|k| telling.iter().filter(|l| last(l) == last(k)).count() == 1);
    let label = |(settings, runs): &(Settings, Vec<R>)| {
        let short = |key: &str| if is_clear { last(key) } else { key.to_string() };
        let own = settings.iter().filter(|(k, _)| differs(k)).take(4);
        let own: Vec<String> = own.map(|(k, v)| format!("{}={v}", short(k))).collect();
        if own.is_empty() { name(&runs[0]) } else { own.join(", ") }
    };
    let labels: Vec<String> = groups.iter().map(label).collect();
    labels.into_iter().zip(groups.into_iter().map(|(_, runs)| runs)).collect()
}

/// `runs` by seed, and those that have a seed of the former again: runs of one seed are no independent draws. Of one seed the run that
/// is furthest stays; a run without a seed is its own.
pub fn by_seed<R>(mut runs: Vec<R>, seed: impl Fn(&R) -> Option<i64>, at: impl Fn(&R) -> u64) -> (Vec<R>, Vec<R>) {
    runs.sort_by_key(|run| (seed(run), std::cmp::Reverse(at(run))));
    let (mut first, mut again): (Vec<R>, Vec<R>) = (Vec::new(), Vec::new());
    for run in runs {
        let is_again = seed(&run).is_some() && first.last().is_some_and(|last| seed(last) == seed(&run));
        if is_again { again.push(run) } else { first.push(run) }
    }
    (first, again)
}

/// What is to be said of a run that has the seed of another.
pub fn left_out(path: &str) -> String {
    format!(
        "{path} has the seed of another run of its configuration: it is left out, since the two are not independent."
    )
}

/// Those of `runs` that stand where most of them do (the furthest such place if there are several): ends of others are of other lengths
/// of training, so no mean at the end takes them in. Runs that stand at 0 have not begun.
pub fn abreast<'a, R>(runs: impl IntoIterator<Item = &'a R>, at: impl Fn(&R) -> u64) -> Vec<&'a R> {
    let begun: Vec<&R> = runs.into_iter().filter(|run| at(run) > 0).collect();
    let count = |place: u64| begun.iter().filter(|run| at(run) == place).count();
    let level = begun.iter().map(|run| at(run)).max_by_key(|&place| (count(place), place));
    begun.iter().copied().filter(|run| Some(at(run)) == level).collect()
}

/// What is to be said of runs that are not [`abreast`]: each with its path and its place, which is counted in `unit`.
pub fn apart<R>(runs: &[R], unit: &str, at: impl Fn(&R) -> u64, path: impl Fn(&R) -> String) -> Vec<String> {
    let level = abreast(runs, &at);
    let Some(place) = level.first().map(|run| at(run)) else { return Vec::new() };
    let (n, of) = (level.len(), runs.len());
    let others = runs.iter().filter(|run| at(run) != place);
    let say = |run: &R| {
        format!(
            "{} stands at {unit} {}; means and intervals at the end are of the {n} of {of} runs that stand at {place}, curves of all.",
            path(run),
            at(run)
        )
    };
    others.map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_abreast_are_the_most_or_the_furthest() {
        let of = |places: &[u64]| abreast(places, |p| *p).into_iter().copied().collect::<Vec<u64>>();
        assert_eq!(of(&[7, 3, 3]), [3, 3]);
        assert_eq!(of(&[7, 3]), [7]);
        assert_eq!(of(&[0, 0, 3]), [3]);
        assert!(of(&[0]).is_empty());
        let said = |places: &[u64]| apart(places, "update", |p| *p, |p| format!("run-{p}"));
        assert!(said(&[3, 3]).is_empty() && said(&[0]).is_empty());
        assert!(
            said(&[7, 3, 3])[0]
                .starts_with("run-7 stands at update 7; means and intervals at the end are of the 2 of 3 runs")
        );
    }

    #[test]
    fn of_one_seed_the_furthest_run_counts() {
        let runs = vec![(Some(2), 5), (Some(1), 3), (Some(2), 9), (None, 1), (None, 1)];
        let (first, again) = by_seed(runs, |r| r.0, |r| r.1);
        assert_eq!(first, [(None, 1), (None, 1), (Some(1), 3), (Some(2), 9)]);
        assert_eq!(again, [(Some(2), 5)]);
    }

    #[test]
    fn groups_are_told_apart_by_what_differs() {
        let table = |text: &str| text.parse::<Toml>().expect("TOML");
        let run = |seed: u32, step: f64| {
            let table = table(&format!("seed = {seed}\n[inner]\nalpha = {step}\n[gap]\nevery = {seed}\n"));
            (settings(&table, &["seed", "gap."]), seed)
        };
        let groups = group(vec![run(1, 0.5), run(2, 0.25), run(3, 0.5)], |_| "name".into());
        assert_eq!(groups, [("alpha=0.5".to_string(), vec![1, 3]), ("alpha=0.25".to_string(), vec![2])]);
        assert_eq!(group(vec![run(1, 0.5), run(2, 0.5)], |_| "name".into()), [("name".to_string(), vec![1, 2])]);
        let of = |text: &str| (settings(&table(text), &[]), 0);
        let both = group(vec![of("a.mode = 1\nb.mode = 1"), of("a.mode = 2\nb.mode = 3")], |_| "name".into());
        assert_eq!([&both[0].0, &both[1].0], ["a.mode=1, b.mode=1", "a.mode=2, b.mode=3"]);
        assert_eq!(key(&table("[a.b]\nc = 1\n"), &["a", "b", "c"]).and_then(Value::as_integer), Some(1));
    }
}
