//! The gap log of the online learner: unbiased and covering against exact values on a small MDP whose unrolls are whole episodes.

use rayon::prelude::*;
use stillpoint::batch::Actions;
use stillpoint::diff::{Activation, At, ConditionedMlp, Free};
use stillpoint::estimator::online::{Eta, Inner, Rail, Reduction, Setting, Surrogate, Tunable, Tunables, Unroll};
use stillpoint::learn::online::actor_critic::{
    Driver, FamilyLearner, GapRow, MlpShape, Options, OuterOptions, Reach, Reading, on_family,
};
use stillpoint::math::targets::{Target, VTrace};
use stillpoint::optim::{Differential, Optimiser, Rule};
use stillpoint::policy::actor_critic::{ActionHead, Heads};
use tasks::tabular::Tabular;
use tasks::task::Task;

const STATES: usize = 2;
const ACTIONS: usize = 2;
const LENGTH: usize = 3;
/// So small that parameters stand still; meta-gradients are proportional to it.
const BETA: f64 = 1e-12;

fn mdp(horizon: usize) -> Tabular {
    Tabular {
        states: STATES,
        actions: ACTIONS,
        horizon,
        start: vec![0.3, 0.7],
        reward: vec![1.0, -0.5, 0.2, 2.0],
        transition: vec![0.9, 0.1, 0.2, 0.8, 0.5, 0.5, 0.7, 0.3],
        reward_noise: 0.0,
    }
}

fn options(actors: usize, groups: usize) -> Options {
    let eta = Eta { value_cost: 0.5, entropy_cost: 0.01, ..Eta::reference(0.9, 0.8) };
    let mut tunables = Tunables::fixed(&eta);
    *tunables.get_mut(Tunable::Gamma) = Setting::meta(0.9);
    *tunables.get_mut(Tunable::Lambda) = Setting::meta(0.8);
    Options {
        actors,
        groups,
        length: LENGTH,
        driver: Driver::Synchronous,
        target: Target::VTrace(VTrace::default()),
        reduction: Reduction::Mean,
        rule: Rule { optimiser: Optimiser::Sgd { beta: BETA }, clip: None },
        anneal: false,
        tunables,
        outer: OuterOptions {
            eta: Eta::reference(0.99, 1.0),
            kl: 0.0,
            separate_critic: false,
            batch: actors,
            sees_reference: false,
        },
        stop_gradient: true,
        differential: Differential::Exact,
        reach: Reach::ONE,
        meta: Optimiser::Sgd { beta: BETA },
        rail: Rail::default(),
        updates: 1_000_000,
        gap_every: 1,
    }
}

fn learner(horizon: usize, options: Options, seed: u64) -> FamilyLearner {
    let shape = MlpShape { hidden: vec![], embedding: 0 };
    on_family(Task::Tabular(mdp(horizon).into()), &shape, options, seed).expect("an environment")
}

/// Same parameters for every seed.
fn at_fixed_parameters(horizon: usize, actors: usize, groups: usize, seed: u64) -> FamilyLearner {
    held(horizon, options(actors, groups), seed)
}

fn held(horizon: usize, options: Options, seed: u64) -> FamilyLearner {
    use stillpoint::learn::online::Updates as _;
    let theta = learner(horizon, options.clone(), 1).state().theta.clone();
    let mut found = learner(horizon, options, seed);
    let mut snapshot = found.snapshot().expect("a state");
    snapshot.tensors.retain(|(name, _)| name != "theta");
    snapshot.put("theta", &theta);
    found.restore(&snapshot).expect("fits");
    found.step().expect("finite"); // the waiting unroll was collected with other parameters
    found.step().expect("finite");
    found
}

/// Every episode of T steps with its probability, as an unroll of one trajectory.
fn episodes(theta: &[f64], net: &Free<ConditionedMlp>) -> Vec<(f64, Unroll<f64, f64>)> {
    use stillpoint::diff::Network as _;
    let mdp = mdp(LENGTH);
    let one_hot = |s: usize| (0..STATES).map(move |i| if i == s { 1.0 } else { 0.0 });
    let policy = |s: usize| -> Vec<f64> {
        let mut tape = Default::default();
        let obs: Vec<f64> = one_hot(s).collect();
        net.forward(At { theta, obs: &obs, condition: &[] }, &mut tape);
        let y = &net.output(&tape)[..ACTIONS];
        let sum: f64 = y.iter().map(|y| y.exp()).sum();
        y.iter().map(|y| y.exp() / sum).collect()
    };
    let choices = STATES * (ACTIONS * STATES).pow(LENGTH as u32);
    let one = |code: usize| {
        let (mut s, mut rest) = (code % STATES, code / STATES);
        let mut p = mdp.start[s];
        let (mut obs, mut actions, mut rewards, mut behaviour) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..LENGTH {
            let (a, next) = (rest % ACTIONS, rest / ACTIONS % STATES);
            rest /= ACTIONS * STATES;
            obs.extend(one_hot(s));
            p *= policy(s)[a] * mdp.transition[(s * ACTIONS + a) * STATES + next];
            behaviour.push(policy(s)[a].ln());
            rewards.push(mdp.reward[s * ACTIONS + a]);
            actions.push(a as u32);
            s = next;
        }
        obs.extend(one_hot(0)); // the next episode: bootstraps nothing
        obs.extend(one_hot(s));
        let last = LENGTH as u32 + 1;
        let unroll = Unroll {
            batch: 1,
            obs,
            actions: Actions::Discrete(actions),
            rewards,
            not_done: vec![1.0; LENGTH],
            successors: Some(vec![1, 2, last]),
            behaviour,
        };
        (p, unroll)
    };
    (0..choices).map(one).collect()
}

/// |E g|^2, |E u|^2, |E h|^2 by logits, by enumeration.
fn exact(learner: &FamilyLearner) -> [f64; 3] {
    let heads = Heads { policy: ActionHead::Softmax { actions: ACTIONS }, values: 1 };
    let net = ConditionedMlp::new(vec![STATES, ACTIONS + 1], Activation::Tanh, 2, 0);
    let net = Free { net, count: 0, place: ACTIONS };
    let options = learner.options();
    let (theta, eta) = (&learner.state().theta, learner.eta());
    let inner = Inner { net: &net, heads, objective: options.objective(), rule: options.rule };
    let outer = Inner { objective: options.outer().objective, ..inner };
    let all = episodes(theta, &net);
    assert!((all.iter().map(|(p, _)| p).sum::<f64>() - 1.0).abs() < 1e-12);
    let expected = |inner: &Inner<'_, Free<ConditionedMlp>>, eta: &Eta| -> Vec<f64> {
        let mut sum = vec![0.0; theta.len()];
        for (p, unroll) in &all {
            let at = At { theta, obs: &unroll.obs, condition: &[] };
            let g = inner.step(at, unroll, eta, &mut Default::default()).gradient;
            sum.iter_mut().zip(g).for_each(|(s, g)| *s += p * g);
        }
        sum
    };
    let [g, u] = [expected(&inner, &eta), expected(&outer, &options.outer.eta)];
    let w: Vec<f64> = u.iter().map(|u| BETA * u).collect();
    let learned = options.tunables.learned();
    let mut h = vec![0.0; learned.len()];
    for (p, unroll) in &all {
        let at = At { theta, obs: &unroll.obs, condition: &[] };
        let mut tape = Default::default();
        let step = inner.step(at, unroll, &eta, &mut tape);
        let found = inner.along(at, unroll, &eta, &learned, &step.evaluation, &w, &mut tape);
        h.iter_mut().zip(found.total).for_each(|(h, x)| *h += p * x);
    }
    let h = options.tunables.by_logits(&learner.state().standing.logits, &h);
    let square = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>();
    [square(&g), square(&u), square(&h)]
}

fn readings(row: &GapRow) -> [&Reading; 3] {
    [&row.inner, &row.out, row.meta.as_ref().expect("learned")]
}

/// One run: its last row, and the means over all rows of the biased estimate, the squared norm of the mean gradient.
type Run = (GapRow, [f64; 3]);

/// Many runs at the same parameters, each of `updates` measurements.
fn runs(horizon: usize, [actors, groups]: [usize; 2], updates: usize, seeds: u64) -> Vec<Run> {
    let one = |seed: u64| {
        let mut learner = at_fixed_parameters(horizon, actors, groups, 1000 + seed);
        let (mut last, mut biased) = (None, [0.0; 3]);
        for _ in 0..updates {
            let row = learner.step().expect("finite").gap.expect("measured");
            (0..3).for_each(|k| biased[k] += (readings(&row)[k].squared + readings(&row)[k].noise) / updates as f64);
            last = Some(row);
        }
        (last.expect("at least one"), biased)
    };
    (0..seeds).into_par_iter().map(one).collect()
}

/// Share of runs whose interval by batch means covers the truth.
fn coverage(rows: &[Run], truth: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|k| {
        let covers = |r: &&Reading| r.low.expect("blocks") <= truth[k] && truth[k] <= r.high.expect("blocks");
        rows.iter().filter(|(row, _)| covers(&readings(row)[k])).count() as f64 / rows.len() as f64
    })
}

/// Unbiased: |z| < 4.5 over 200 runs of 200 measurements (alpha 7e-6 each). The control is the squared norm of the mean gradient, whose bias
/// is the noise. Intervals of independent measurements cover at 95 % within four binomial standard errors (alpha 6e-5 each).
#[test]
fn estimates_are_unbiased_and_intervals_cover_where_unrolls_are_independent() {
    let rows = runs(LENGTH, [8, 4], 200, 200);
    let truth = exact(&at_fixed_parameters(LENGTH, 8, 4, 1));
    let z = |values: Vec<f64>, truth: f64| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let sd = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        (mean - truth) / (sd / n.sqrt())
    };
    for k in 0..3 {
        let found = z(rows.iter().map(|(row, _)| readings(row)[k].running).collect(), truth[k]);
        let biased = z(rows.iter().map(|(_, biased)| biased[k]).collect(), truth[k]);
        println!(
            "{}: exact {:.4e}, z {found:.2}, of the biased control {biased:.1}",
            ["in", "out", "meta"][k],
            truth[k]
        );
        assert!(found.abs() < 4.5 && biased > 6.0);
    }
    let covered = coverage(&rows, truth);
    println!("covered {covered:?}");
    assert!(covered.iter().all(|c| (c - 0.95).abs() < 4.0 * (0.95f64 * 0.05 / 200.0).sqrt()), "{covered:?}");
}

/// At standing parameters a window of two updates has twice the expected meta-gradient of one, so four times its square, which is
/// measured without bias: |z| < 4.5 over 60 runs (alpha below 1e-4). The control is the square of one update.
#[test]
fn the_gap_of_a_window_is_that_of_its_whole_meta_gradient() {
    let truth = 4.0 * exact(&at_fixed_parameters(LENGTH, 8, 4, 1))[2];
    let reach = Reach::Window { steps: 2, surrogate: Surrogate::LogProb };
    let one = |seed: u64| {
        let mut learner = held(LENGTH, Options { reach, ..options(128, 4) }, 1000 + seed);
        let gaps = (0..80).filter_map(|_| learner.step().expect("finite").gap);
        let squares: Vec<f64> = gaps.map(|gap| gap.meta.expect("learned").squared).collect();
        assert_eq!(squares.len(), 40);
        squares.iter().sum::<f64>() / 40.0
    };
    let found: Vec<f64> = (0..60).into_par_iter().map(one).collect();
    let mean = found.iter().sum::<f64>() / 60.0;
    let sd = (found.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 59.0).sqrt();
    let z = |truth: f64| (mean - truth) / (sd / 60f64.sqrt());
    println!("window of two: exact {truth:.4e}, z {:.2}, of one update {:.1}", z(truth), z(truth / 4.0));
    assert!(z(truth).abs() < 4.5 && z(truth / 4.0) > 6.0);
}

/// The study behind the figures in benches/results/online-gap: `cargo test --release --test it coverage_study -- --ignored --nocapture`.
#[test]
#[ignore = "a study of a few minutes"]
fn coverage_study() {
    const RUNS: usize = 1500;
    println!(
        "{RUNS} runs of 400 updates each: standard error of a coverage of 0.95 is {:.4}",
        (0.95f64 * 0.05 / RUNS as f64).sqrt()
    );
    let truth = exact(&at_fixed_parameters(LENGTH, 8, 4, 1));
    for (actors, groups) in [(8, 2), (8, 4), (8, 8), (16, 4)] {
        let rows = runs(LENGTH, [actors, groups], 400, RUNS as u64);
        println!("independent, {actors} actors in {groups} groups: in, out, meta {:.4?}", coverage(&rows, truth));
    }
    // unrolls of three steps out of episodes of 50: neighbouring measurements share episodes. The long-run mean of the unbiased estimate
    // over all runs stands for the truth.
    for (actors, groups) in [(8, 4), (16, 4)] {
        let rows = runs(50, [actors, groups], 400, RUNS as u64);
        let truth =
            [0, 1, 2].map(|k| rows.iter().map(|(r, _)| readings(r)[k].running).sum::<f64>() / rows.len() as f64);
        println!("autocorrelated, {actors} actors in {groups} groups: in, out, meta {:.4?}", coverage(&rows, truth));
    }
}
