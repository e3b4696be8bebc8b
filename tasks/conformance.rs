//! The checks that every family must pass, built in or not.

use crate::env::{Action, Env, Rng, Space};
use crate::family::Family;
use crate::task::Task;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// Tasks drawn per check.
const TASKS: usize = 6;
/// Decisions checked per episode at most.
const STEPS: usize = 250;
/// Draws behind the comparison of sampling frequencies with weights.
const DRAWS: usize = 2_000;

/// One recorded decision.
#[derive(Clone)]
struct Step {
    state: Vec<f64>,
    action: Choice,
    rng: Rng,
    next: Vec<f64>,
    reward: f64,
    terminated: bool,
}

#[derive(Clone)]
enum Choice {
    Discrete(usize),
    Continuous(Vec<f64>),
}

impl Choice {
    fn as_action(&self) -> Action<'_> {
        match self {
            Choice::Discrete(a) => Action::Discrete(*a),
            Choice::Continuous(u) => Action::Continuous(u),
        }
    }

    /// Any action; continuous ones reach beyond the bounds, as those of a Gaussian policy do.
    fn draw(space: &Space, rng: &mut Rng) -> Choice {
        match space {
            Space::Discrete(n) => Choice::Discrete(rng.random_range(0..*n)),
            Space::Box { high, .. } => {
                let scale = |h: &f64| if h.is_finite() { *h } else { 1.0 };
                let draw = |h| {
                    let z: f64 = StandardNormal.sample(&mut *rng);
                    scale(h) * z
                };
                Choice::Continuous(high.iter().map(draw).collect())
            }
        }
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.to_bits() == y.to_bits())
}

/// Checks the contract of `family` on tasks and episodes drawn from `seed`.
///
/// Constants are printed; tasks share spaces, horizon and state size; sampling, `reset` and `step` repeat exactly given
/// the stream, whatever happened before; every state, observation and reward is finite and inside its space; tabular
/// views fit the spaces and are stochastic; weights of a finite family sum to one and match sampling frequencies.
///
/// # Errors
/// The first violation, in words.
pub fn check(family: &dyn Family, seed: u64) -> Result<(), String> {
    description(family)?;
    weights(family, seed)?;
    let mut state_dim = None;
    for i in 0..TASKS as u64 {
        let task = repeatable_task(family, seed.wrapping_add(i))?;
        shape(family, &task)?;
        let dim = *state_dim.get_or_insert(task.state_dim());
        ensure(dim == task.state_dim(), || "tasks differ in state_dim".into())?;
        let episode = play(&task, seed.wrapping_add(i))?;
        replay(&task, &episode)?;
    }
    Ok(())
}

/// Checks that a decision uses as many random words whatever the action, so that common random numbers stay coupled.
/// The contract asks for this "wherever it can be had", so it is apart from [`check`]; every built-in family passes.
///
/// # Errors
/// The first decision whose use of randomness depends on the action.
pub fn check_coupling(family: &dyn Family, seed: u64) -> Result<(), String> {
    let mut rng = Rng::seed_from_u64(seed);
    for _ in 0..TASKS {
        let task = family.sample(&mut rng);
        let space = task.action_space();
        for (t, step) in play(&task, seed)?.iter().enumerate() {
            let mut used = Vec::new();
            for action in [step.action.clone(), Choice::draw(&space, &mut rng)] {
                let (mut state, mut stream) = (step.state.clone(), step.rng.clone());
                task.step(&mut state, action.as_action(), &mut stream);
                used.push(stream.get_word_pos());
            }
            ensure(used[0] == used[1], || format!("decision {t} draws more or less depending on the action"))?;
        }
    }
    Ok(())
}

fn description(family: &dyn Family) -> Result<(), String> {
    ensure(!family.name().is_empty(), || "the family has no name".into())?;
    let constants = family.constants();
    ensure(!constants.is_empty(), || "constants() is empty".into())?;
    let blank = constants.iter().find(|(k, v)| k.trim().is_empty() || v.trim().is_empty());
    ensure(blank.is_none(), || format!("a constant is blank: {blank:?}"))?;
    ensure(constants == family.constants(), || "constants() changes".into())?;
    let gamma = family.gamma();
    ensure(gamma > 0.0 && gamma <= 1.0, || format!("gamma {gamma} is outside (0, 1]"))?;
    ensure(family.horizon() >= 1, || "the horizon is zero".into())
}

/// Draws a task twice from the same stream; both must be the same.
fn repeatable_task(family: &dyn Family, seed: u64) -> Result<Task, String> {
    let draw = || family.sample(&mut Rng::seed_from_u64(seed));
    let (task, again) = (draw(), draw());
    ensure(task.parameters() == again.parameters() && task.tabular() == again.tabular(), || {
        "sample() gives different tasks on the same stream".into()
    })?;
    ensure(task.parameters().iter().all(|(k, v)| !k.is_empty() && v.is_finite()), || {
        "a task parameter is unnamed or not finite".into()
    })?;
    let (a, b) = (play(&task, seed)?, play(&again, seed)?);
    let equal = a.len() == b.len() && a.iter().zip(&b).all(|(x, y)| same(&x.next, &y.next) && x.reward == y.reward);
    ensure(equal, || "two tasks sampled on the same stream behave differently".into())?;
    Ok(task)
}

fn shape(family: &dyn Family, task: &Task) -> Result<(), String> {
    ensure(task.observation_space() == family.observation_space(), || "the task's observation space differs".into())?;
    ensure(task.action_space() == family.action_space(), || "the task's action space differs".into())?;
    ensure(task.horizon() == family.horizon(), || "the task's horizon differs".into())?;
    for space in [task.observation_space(), task.action_space()] {
        let sound = match &space {
            Space::Discrete(n) => *n >= 1,
            Space::Box { low, high } => {
                !low.is_empty() && low.len() == high.len() && low.iter().zip(high).all(|(l, h)| l < h)
            }
        };
        ensure(sound, || format!("the space {space:?} is malformed"))?;
    }
    let Some(table) = task.tabular() else { return Ok(()) };
    let (states, actions) = (table.states, table.actions);
    let fits = task.observation_space() == Space::Discrete(states)
        && task.action_space() == Space::Discrete(actions)
        && table.horizon == task.horizon()
        && table.start.len() == states
        && table.reward.len() == states * actions
        && table.transition.len() == states * actions * states;
    ensure(fits, || "the tabular view does not fit the spaces".into())?;
    let stochastic = |row: &[f64]| {
        row.iter().all(|p| (0.0..=1.0 + 1e-9).contains(p)) && (row.iter().sum::<f64>() - 1.0).abs() <= 1e-9
    };
    ensure(stochastic(&table.start) && table.transition.chunks(states).all(stochastic), || {
        "a row of the tabular view is not a distribution".into()
    })?;
    ensure(table.reward.iter().all(|r| r.is_finite()), || "a tabular reward is not finite".into())
}

/// One episode under random actions. Buffers start as NaN, so that a number never written shows.
fn play(task: &Task, seed: u64) -> Result<Vec<Step>, String> {
    let mut rng = Rng::seed_from_u64(seed ^ 0x5eed);
    let (observations, actions) = (task.observation_space(), task.action_space());
    let mut chooser = Rng::seed_from_u64(seed ^ 0xac7);
    let start_stream = rng.clone();
    let mut state = vec![f64::NAN; task.state_dim()];
    task.reset(&mut state, &mut rng);
    let start = state.clone();
    let mut steps = Vec::new();
    observed(task, &observations, &state)?;
    while steps.len() < task.horizon().min(STEPS) {
        let action = Choice::draw(&actions, &mut chooser);
        let (before, stream) = (state.clone(), rng.clone());
        let t = task.step(&mut state, action.as_action(), &mut rng);
        ensure(t.reward.is_finite(), || format!("the reward {} is not finite", t.reward))?;
        observed(task, &observations, &state)?;
        let (next, terminated) = (state.clone(), t.terminated);
        steps.push(Step { state: before, action, rng: stream, next, reward: t.reward, terminated });
        if terminated {
            break;
        }
    }
    // A state left over from an ended episode must not leak into the next one.
    task.reset(&mut state, &mut start_stream.clone());
    ensure(same(&state, &start), || "reset() depends on the state it overwrites".into())?;
    Ok(steps)
}

/// The observation of `state` must be finite, complete and inside its space.
fn observed(task: &Task, space: &Space, state: &[f64]) -> Result<(), String> {
    ensure(state.iter().all(|x| x.is_finite()), || format!("the state {state:?} is not finite"))?;
    let mut obs = vec![f64::NAN; space.width()];
    task.observe(state, &mut obs);
    let inside = match space {
        Space::Discrete(n) => obs[0].fract() == 0.0 && obs[0] >= 0.0 && obs[0] < *n as f64,
        Space::Box { low, high } => obs.iter().zip(low.iter().zip(high)).all(|(x, (l, h))| {
            let slack = 1e-9 * (1.0 + x.abs());
            x.is_finite() && *x >= l - slack && *x <= h + slack
        }),
    };
    ensure(inside, || format!("the observation {obs:?} is outside {space:?}"))?;
    let position = task.position(state);
    ensure(position.is_none_or(|p| p.iter().all(|x| x.is_finite())), || "position() is not finite".into())
}

/// Repeats decisions last to first: the outcome may depend on state, action and stream only.
fn replay(task: &Task, episode: &[Step]) -> Result<(), String> {
    for (t, step) in episode.iter().enumerate().rev() {
        let (mut state, mut stream) = (step.state.clone(), step.rng.clone());
        let again = task.step(&mut state, step.action.as_action(), &mut stream);
        let equal = same(&state, &step.next)
            && again.reward.to_bits() == step.reward.to_bits()
            && again.terminated == step.terminated;
        ensure(equal, || format!("decision {t} depends on more than state, action and stream"))?;
    }
    Ok(())
}

fn weights(family: &dyn Family, seed: u64) -> Result<(), String> {
    let Some(tasks) = family.finite() else { return Ok(()) };
    ensure(!tasks.is_empty(), || "finite() lists no task".into())?;
    ensure(tasks.iter().all(|(w, _)| *w > 0.0), || "a weight is not positive".into())?;
    let total: f64 = tasks.iter().map(|(w, _)| w).sum();
    ensure((total - 1.0).abs() < 1e-9, || format!("weights sum to {total}"))?;
    if tasks.len() > 64 {
        return Ok(());
    }
    let mut rng = Rng::seed_from_u64(seed);
    let mut hits = vec![0.0; tasks.len()];
    let first = |table: &_| tasks.iter().position(|(_, t)| *t == table);
    for _ in 0..DRAWS {
        let task = family.sample(&mut rng);
        let Some(i) = task.tabular().and_then(first) else {
            return Err("sample() gives a task that finite() does not list".into());
        };
        hits[i] += 1.0;
    }
    for (i, (_, table)) in tasks.iter().enumerate() {
        if first(table) != Some(i) {
            continue; // a repeat of an earlier table, counted there
        }
        let weight: f64 = tasks.iter().filter(|(_, t)| t == table).map(|(w, _)| w).sum();
        // Six standard deviations and one draw: alpha below 1e-8 for each task.
        let bound = 1.0 + 6.0 * (DRAWS as f64 * weight * (1.0 - weight)).max(0.0).sqrt();
        ensure((hits[i] - DRAWS as f64 * weight).abs() <= bound, || {
            format!("task {i} has weight {weight} but {} of {DRAWS} draws", hits[i])
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
