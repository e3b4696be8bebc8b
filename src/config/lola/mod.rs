//! Configurations of `lola`: raw mirror to validated plan, and back to a file in which every key that has an effect is written out.

mod inner;
pub mod raw;

use super::checks::{self, Checked};
use super::overrides::Origin;
use super::{Error, Fault, Overrides, explain, shipped, tree};
use crate::learn::lola::{Inner, Options, Probe, Target};
use crate::optim::Optimiser;
use tasks::games::{self, Game, OUTCOMES};

/// Most updates.
const MAX_UPDATES: usize = 100_000_000;
/// Most pairs, episodes or rounds.
const MAX_COUNT: usize = 1_000_000;
/// Most rounds that all pairs hold at a time, bytes.
const MAX_ROUNDS: usize = 1 << 32;
/// Largest step size, payoff or standard deviation.
const MAX: f64 = 1e6;
/// Updates under `--smoke`.
const SMOKE: i64 = 5;
/// Episodes of a batch.
const EPISODES: usize = 128;

/// A validated configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Name of the run.
    pub name: String,
    /// Seed of the first pair.
    pub seed: u64,
    /// Last updates that the closing report averages over.
    pub average: u64,
    /// What is learned, and how.
    pub options: Options,
}

/// Loads CONFIG: a path, or the name of a shipped configuration.
///
/// # Errors
/// Names the file or flag, the key and what is allowed.
pub fn load(name: &str, overrides: &Overrides) -> Result<Plan, Error> {
    let found = shipped::LOLA.find(name)?;
    parse(&found.text, &found.source, found.format, overrides)
}

/// Parses and validates `text`; `source` names it in messages.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, source: &str, format: tree::Format, overrides: &Overrides) -> Result<Plan, Error> {
    let origin = Origin::new(source, overrides)?;
    let mut table = tree::parse(text, format).map_err(|message| origin.whole(message))?;
    if table.contains_key("iterations") {
        let why = "is a configuration of `train`: it counts outer `iterations`; one of `lola` counts `updates`";
        return Err(origin.whole(why.into()));
    }
    if super::online::is_own(&table) {
        return Err(
            origin.whole("is a configuration of `online`: it has meta-parameters of one task, not a game".into())
        );
    }
    if overrides.smoke {
        let now = table.get("updates").and_then(toml::Value::as_integer).unwrap_or(SMOKE);
        table.insert("updates".into(), toml::Value::Integer(now.min(SMOKE)));
    }
    expand(&mut table); // so that a key of the section can be changed
    origin.apply(&mut table)?;
    expand(&mut table);
    raw::Raw::from_table(table).and_then(plan).map_err(|fault| origin.error(fault))
}

/// `game = "NAME"` is short for its section.
fn expand(table: &mut toml::Table) {
    if let Some(toml::Value::String(name)) = table.get("game") {
        let short = toml::Table::from_iter([("name".to_string(), toml::Value::String(name.clone()))]);
        table.insert("game".into(), toml::Value::Table(short));
    }
}

/// Whether `text` is a configuration of `lola`, as resolved into a run directory or as shipped.
pub fn is_lola(text: &str) -> bool {
    tree::parse(text, tree::Format::Toml).is_ok_and(|table| is_own(&table))
}

/// Whether a tree is meant for `lola`: it has a game and counts updates.
pub(super) fn is_own(table: &toml::Table) -> bool {
    table.contains_key("updates") && table.contains_key("game")
}

/// What to say where a configuration of `lola` is given to another command.
pub(super) const FOREIGN: &str =
    "is a configuration of `lola`, two players of a game; `stillpoint lola` runs it, `report` draws its runs";

fn plan(raw: raw::Raw) -> Checked<Plan> {
    let updates = checks::count("updates", raw.updates.unwrap_or(500) as usize, MAX_UPDATES)? as u64;
    let average = checks::count("average", raw.average.unwrap_or(20) as usize, MAX_UPDATES)? as u64;
    let seed = checks::seed("seed", raw.seed.unwrap_or(1))?;
    let name = match &raw.name {
        Some(name) => checks::run_name("name", name.clone())?,
        None => "lola".into(),
    };
    let gamma = checks::factor("gamma", raw.gamma.unwrap_or(0.96))?;
    let inner = inner::read(&raw.inner)?;
    let outer = match raw.outer.gradient.unwrap_or(raw::Gradient::Sampled) {
        raw::Gradient::Exact => {
            checks::idle("outer.episodes", raw.outer.episodes.is_some(), "the outer gradient is exact")?;
            None
        }
        raw::Gradient::Sampled => {
            Some(checks::count("outer.episodes", raw.outer.episodes.unwrap_or(EPISODES), MAX_COUNT)?)
        }
    };
    let is_exact = outer.is_none() && inner.is_exact();
    let (target, critic) = value(raw.value.as_ref(), is_exact, gamma)?;
    let options = Options {
        game: game(raw.game.unwrap_or_default())?,
        gamma,
        horizon: checks::count("horizon", raw.horizon.unwrap_or(100), MAX_COUNT)?,
        updates,
        seeds: checks::count("seeds", raw.seeds.unwrap_or(10), MAX_COUNT)?,
        init: checks::within("init", raw.init.unwrap_or(0.0), 0.0, MAX)?,
        inner,
        outer,
        optimiser: adam(&raw.outer)?,
        target,
        critic,
        score: checks::within("score_episodes", raw.score_episodes.unwrap_or(0) as f64, 0.0, MAX_COUNT as f64)?
            as usize,
        probe: probe(raw.probe.as_ref(), is_exact)?,
        has_control: control(raw.control, &inner)?,
    };
    sizes(&options)?;
    Ok(Plan { name, seed, average: average.min(updates), options })
}

/// Refuses runs that are the same run several times, or too large.
fn sizes(options: &Options) -> Checked<()> {
    if options.is_exact() && options.init == 0.0 && options.seeds > 1 {
        let why = format!(
            "{} pairs would be the same: nothing is sampled and all start from zero; set it to 1, or `init` above 0",
            options.seeds
        );
        return Err(Fault::new("seeds", why));
    }
    let kept = if options.inner.added().is_some() { options.inner.buffer } else { 0 };
    let most =
        kept.max(options.inner.value_episodes).max(options.inner.jacobian_episodes).max(options.outer.unwrap_or(0));
    let rounds = most.max(options.score).saturating_mul(options.horizon).saturating_mul(options.seeds);
    if rounds > MAX_ROUNDS {
        let why = format!("seeds x episodes x horizon is {rounds}, and may be {MAX_ROUNDS} at most");
        return Err(Fault::new("horizon", why));
    }
    Ok(())
}

fn control(given: Option<bool>, inner: &Inner) -> Checked<bool> {
    if inner.steps == 0 && given == Some(true) {
        return Err(Fault::new("control", "has no effect: the learners are naive themselves (`inner.steps` is 0)"));
    }
    Ok(inner.steps > 0 && given.unwrap_or(true))
}

fn game(raw: raw::Game) -> Checked<Game> {
    match (raw.name, raw.payoffs) {
        (Some(_), Some(_)) => Err(Fault::new("game.payoffs", "a game has either a `name` or `payoffs`")),
        (name, None) => {
            let name = name.unwrap_or_else(|| "ipd".into());
            Game::named(&name).ok_or_else(|| {
                let near = explain::suggestion(&name, &games::names());
                Fault::new("game.name", format!("unknown game `{name}`; {near}; `game.payoffs` makes one of your own"))
            })
        }
        (None, Some(rows)) => {
            let what = "two rows of four numbers are needed: what the first and the second player get for DD, DC, CD, CC \
                        (the first player's action comes first)";
            let shape = |found: String| Fault::new("game.payoffs", format!("{what}; found {found}"));
            let [first, second] = rows.as_slice() else { return Err(shape(format!("{} rows", rows.len()))) };
            let mut payoffs = [[0.0; OUTCOMES]; 2];
            for (p, row) in [first, second].into_iter().enumerate() {
                if row.len() != OUTCOMES {
                    return Err(shape(format!("{} numbers in row {}", row.len(), p + 1)));
                }
                for (o, x) in row.iter().enumerate() {
                    payoffs[p][o] = checks::within(&format!("game.payoffs[{p}][{o}]"), *x, -MAX, MAX)?;
                }
            }
            Ok(Game::custom(payoffs))
        }
    }
}

fn adam(raw: &raw::Outer) -> Checked<Optimiser> {
    Ok(Optimiser::Adam {
        beta: checks::positive("outer.beta", raw.beta.unwrap_or(0.1), MAX)?,
        beta1: checks::decay("outer.beta1", raw.beta1.unwrap_or(0.9))?,
        beta2: checks::decay("outer.beta2", raw.beta2.unwrap_or(0.999))?,
        epsilon: checks::positive("outer.epsilon", raw.epsilon.unwrap_or(1e-8), MAX)?,
    })
}

/// Step size of the tables where none is given: 0.1 for rewards, and for returns, which are larger by it, 0.1 / (1 - gamma).
fn default_beta(target: Target, gamma: f64) -> f64 {
    if target == Target::Return { 0.1 / (1.0 - gamma) } else { 0.1 }
}

fn value(raw: Option<&raw::Value>, is_exact: bool, gamma: f64) -> Checked<(Target, Optimiser)> {
    let adam = |beta| Optimiser::Adam { beta, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    let target = match raw.and_then(|v| v.target) {
        None | Some(raw::Target::Return) => Target::Return,
        Some(raw::Target::Reward) => Target::Reward,
        Some(raw::Target::None) => Target::None,
    };
    let beta = raw.and_then(|v| v.beta);
    if is_exact {
        checks::idle("value", raw.is_some(), "every gradient is exact")?;
        return Ok((Target::Return, adam(default_beta(Target::Return, gamma)))); // without use: nothing is sampled
    }
    if target == Target::None {
        checks::idle("value.beta", beta.is_some(), "`value.target` is `none`")?;
    }
    let beta = beta.map(|b| checks::positive("value.beta", b, MAX)).transpose()?;
    Ok((target, adam(beta.unwrap_or_else(|| default_beta(target, gamma)))))
}

fn probe(raw: Option<&raw::Probe>, is_exact: bool) -> Checked<Probe> {
    let none = Probe { every: 0, repetitions: 2 };
    let Some(raw) = raw else { return Ok(if is_exact { none } else { Probe { every: 1, ..none } }) };
    let every = checks::within("probe.every", raw.every.unwrap_or(1) as f64, 0.0, MAX_UPDATES as f64)? as u64;
    checks::idle("probe", is_exact && every > 0, "every gradient is exact")?;
    if is_exact || every == 0 {
        return Ok(none);
    }
    let repetitions = raw.repetitions.unwrap_or(2);
    if !(2..=10_000).contains(&repetitions) {
        let why = format!("must be a whole number from 2 to 10000 (a variance needs two), found {repetitions}");
        return Err(Fault::new("probe.repetitions", why));
    }
    Ok(Probe { every, repetitions })
}

/// TOML text that loads to a plan equal to `plan`.
pub fn resolved(plan: &Plan) -> String {
    let o = &plan.options;
    let Optimiser::Adam { beta, beta1, beta2, epsilon } = o.optimiser else { unreachable!("players use Adam") };
    let name = Game::named(&o.game.name).map(|_| o.game.name.clone());
    let payoffs = name.is_none().then(|| o.game.payoffs.iter().map(|row| row.to_vec()).collect());
    let target = match o.target {
        Target::Return => raw::Target::Return,
        Target::Reward => raw::Target::Reward,
        Target::None => raw::Target::None,
    };
    let is_exact = o.is_exact();
    let is_probed = o.probe.every > 0;
    let raw = raw::Raw {
        name: Some(plan.name.clone()),
        seed: Some(plan.seed),
        seeds: Some(o.seeds),
        updates: Some(o.updates),
        average: Some(plan.average),
        gamma: Some(o.gamma),
        horizon: Some(o.horizon),
        init: Some(o.init),
        score_episodes: Some(o.score),
        control: (o.inner.steps > 0).then_some(o.has_control),
        game: Some(raw::Game { name, payoffs }),
        inner: inner::section(&o.inner),
        outer: raw::Outer {
            gradient: Some(if o.outer.is_none() { raw::Gradient::Exact } else { raw::Gradient::Sampled }),
            episodes: o.outer,
            beta: Some(beta),
            beta1: Some(beta1),
            beta2: Some(beta2),
            epsilon: Some(epsilon),
        },
        value: (!is_exact)
            .then(|| raw::Value { target: Some(target), beta: (o.target != Target::None).then(|| o.critic.rate()) }),
        probe: (!is_exact)
            .then(|| raw::Probe { every: Some(o.probe.every), repetitions: is_probed.then_some(o.probe.repetitions) }),
    };
    match toml::to_string(&raw) {
        Ok(text) => format!("# Resolved configuration: every key that has an effect, defaults included.\n{text}"),
        Err(e) => unreachable!("a plan always has a TOML form: {e}"),
    }
}
