//! One inner step against central differences: every tunable, target, optimiser, clip on and off, ends inside and at the end.

use super::problem::{Problem, dot, error, optimisers, targets};
use stillpoint::diff::At;
use stillpoint::estimator::online::{Eta, OuterKl, Surrogate, Trace, outer_gradient};
use stillpoint::math::groups::crossed;
use stillpoint::math::targets::Target;
use stillpoint::optim::{Differential, Moving};

/// Every combination, once.
fn problems(steps: usize) -> Vec<Problem> {
    let mut all = Vec::new();
    for (i, target) in targets().into_iter().enumerate() {
        for (j, optimiser) in optimisers().into_iter().enumerate() {
            for (k, clip) in [None, Some(0.1), Some(1e9)].into_iter().enumerate() {
                all.push(Problem::random((100 * i + 10 * j + k) as u64, target, optimiser, clip, steps));
            }
        }
    }
    all
}

/// Meta-gradient of one step by the JVP identity; with `embedding` the part through the network's conditioning too.
fn meta(p: &Problem, mode: Differential, embedding: bool) -> Vec<f64> {
    let condition = p.vector(&p.eta);
    let at = At { theta: &p.theta, obs: &p.batches[0].obs, condition: &condition };
    let (mut tape, inner) = (Default::default(), p.inner());
    let step = inner.step(at, &p.batches[0], &p.eta, &mut tape);
    let (theta, _, _) = p.advance(0, &p.theta, &p.state, &p.eta, &p.eta);
    let mut cotangent = Moving::of(p.outer(&theta), &p.state);
    let w = p.rule.pull_back(&p.state, &step.gradient, mode, &mut cotangent);
    let found = inner.along(at, &p.batches[0], &p.eta, &p.tunables, &step.evaluation, &w, &mut tape);
    let mut total = found.total.clone();
    let columns = (0..total.len()).map(|k| found.per_trajectory.iter().map(|b| b[k]).sum::<f64>());
    assert!(error(&columns.collect::<Vec<_>>(), &total) < 1e-14, "trajectories add up");
    if embedding {
        let extra = inner.through_embedding(at, &p.batches[0], &p.eta, &step.evaluation, &w, &mut tape);
        for (t, x) in p.condition.iter().zip(extra) {
            let k = p.tunables.iter().position(|u| u == t).expect("conditioned on a tunable");
            total[k] += x;
        }
    }
    total
}

fn expected(p: &Problem, embedding: bool) -> Vec<f64> {
    let u = p.outer(&p.finish(&p.eta, &p.eta));
    p.differences(&u, |eta| p.finish(eta, if embedding { eta } else { &p.eta }))
}

#[test]
fn one_step_is_exact() {
    for p in problems(1) {
        for embedding in [false, true] {
            let e = error(&meta(&p, Differential::Exact, embedding), &expected(&p, embedding));
            assert!(e < 5e-8, "{:?} {:?} embedding {embedding}: {e:e}", p.objective, p.rule);
        }
    }
}

/// Dropping the clip projection, the termination mask or the derivative through the embedding is noticed.
#[test]
fn controls_are_noticed() {
    let optimiser = optimisers()[0];
    let clipped = Problem::random(1, Target::Lambda, optimiser, Some(0.1), 1);
    let e = error(&meta(&clipped, Differential::Frozen, false), &expected(&clipped, false));
    assert!(e > 0.05, "without projection: {e}");
    for target in targets() {
        let p = Problem::random(2, target, optimiser, None, 1);
        let mut blind = p.clone();
        blind.batches[0].not_done.fill(1.0);
        let e = error(&meta(&blind, Differential::Exact, false), &expected(&p, false));
        assert!(e > 0.01, "{target:?}, without termination: {e}");
        let mut uncut = p.clone();
        uncut.batches[0].successors = None;
        let e = error(&meta(&uncut, Differential::Exact, false), &expected(&p, false));
        assert!(e > 0.01, "{target:?}, without truncation: {e}");
        let e = error(&meta(&p, Differential::Exact, false), &expected(&p, true));
        assert!(e > 0.01, "{target:?}, without embedding: {e}");
    }
}

/// The trace with decay 1 is the derivative of the whole unrolled map, targets, ratios, moments, embedding and all.
#[test]
fn the_trace_is_the_unrolled_derivative() {
    for (i, p) in problems(3).into_iter().enumerate() {
        let embedding = i % 2 == 0;
        let u = p.outer(&p.finish(&p.eta, &p.eta));
        let expected = p.differences(&u, |eta| p.finish(eta, if embedding { eta } else { &p.eta }));
        let found: Vec<f64> = traced(&p, 1.0, embedding).iter().map(|z| dot(&z.theta, &u)).collect();
        let e = error(&found, &expected);
        assert!(e < 1e-8, "{:?} {:?}: {e:e}", p.objective, p.rule);
    }
}

fn traced(p: &Problem, decay: f64, embedding: bool) -> Vec<Moving<f64>> {
    let options = Trace {
        decay,
        differential: Differential::Exact,
        surrogate: Surrogate::LogProb,
        targets: true,
        embedding: if embedding { p.condition.clone() } else { Vec::new() },
    };
    let condition = p.vector(&p.eta);
    let mut z = vec![Moving::of(vec![0.0; p.theta.len()], &p.state); p.tunables.len()];
    let (mut theta, mut state, mut tape) = (p.theta.clone(), p.state.clone(), Default::default());
    for (k, batch) in p.batches.iter().take(p.batches.len() - 1).enumerate() {
        let at = At { theta: &theta, obs: &batch.obs, condition: &condition };
        let step = p.inner().step(at, batch, &p.eta, &mut tape);
        let (evaluation, gradient) = (&step.evaluation, &step.gradient);
        p.inner().push_trace(&options, at, batch, &p.eta, &p.tunables, evaluation, &state, gradient, &mut z, &mut tape);
        (theta, state, _) = p.advance(k, &theta, &state, &p.eta, &p.eta);
    }
    z
}

/// `z_2 = mu A_2 b_1 + b_2`: any decay follows from decays 0 and 1; decay 0 is the JVP identity.
#[test]
fn traces_decay() {
    let p = Problem::random(7, targets()[3], optimisers()[1], Some(0.2), 2);
    let u = p.outer(&p.finish(&p.eta, &p.eta));
    let at = |decay: f64| traced(&p, decay, false).iter().map(|z| dot(&z.theta, &u)).collect::<Vec<_>>();
    let (zero, one, half) = (at(0.0), at(1.0), at(0.5));
    let mixed: Vec<f64> = zero.iter().zip(&one).map(|(z, o)| 0.5 * (z + o)).collect();
    assert!(error(&half, &mixed) < 1e-13);
    let last = Problem {
        theta: p.advance(0, &p.theta, &p.state, &p.eta, &p.eta).0,
        state: p.advance(0, &p.theta, &p.state, &p.eta, &p.eta).1,
        batches: p.batches[1..].to_vec(),
        ..p.clone()
    };
    assert!(error(&meta(&last, Differential::Exact, false), &zero) < 1e-12);
}

/// The divergence term of J' against differences; the other terms are those of the inner objective.
#[test]
fn outer_gradients_descend_the_outer_loss() {
    for target in targets() {
        for seed in [10, 11] {
            let p = Problem::random(seed, target, optimisers()[0], None, 0);
            let condition = p.vector(&p.eta);
            let batch = &p.batches[0];
            let old: Vec<f64> = p.theta.iter().map(|x| 0.8 * x).collect();
            let run = |theta: &[f64], kl: Option<OuterKl<'_, f64>>| {
                let at = At { theta, obs: &batch.obs, condition: &condition };
                outer_gradient(&p.net, &p.heads, &p.outer, at, batch, kl, &mut Default::default())
            };
            let before = run(&old, None).evaluation;
            let kl = || Some(OuterKl { cost: 0.7, old: &before.distribution });
            let found = run(&p.theta, kl()).ascent;
            let without = run(&p.theta, None).ascent;
            let h = 1e-6;
            let divergence = |theta: &[f64]| run(theta, kl()).loss - run(theta, None).loss;
            for i in (0..p.theta.len()).step_by(7) {
                let moved = |h: f64| {
                    let mut theta = p.theta.clone();
                    theta[i] += h;
                    divergence(&theta)
                };
                let slope = (moved(h) - moved(-h)) / (2.0 * h);
                assert!((without[i] - found[i] - slope).abs() < 1e-8, "{target:?}");
            }
            assert!(run(&old, None).loss.is_finite());
        }
    }
}

/// Half of the actors is a batch of its own, and gradients of halves add up to that of the whole.
#[test]
fn columns_are_batches() {
    for target in targets() {
        let mut p = Problem::random(4, target, optimisers()[0], None, 0);
        p.objective.reduction = stillpoint::estimator::online::Reduction::Sum;
        let condition = p.vector(&p.eta);
        let gradient = |columns: std::ops::Range<usize>| {
            let batch = p.batches[0].columns(columns);
            let at = At { theta: &p.theta, obs: &batch.obs, condition: &condition };
            p.inner().step(at, &batch, &p.eta, &mut Default::default()).gradient
        };
        let sum: Vec<f64> = gradient(0..1).iter().zip(gradient(1..3)).map(|(a, b)| a + b).collect();
        assert!(error(&sum, &gradient(0..3)) < 1e-13, "{target:?}");
        assert_eq!(p.batches[0].columns(0..3), p.batches[0]);
    }
}

#[test]
fn eta_is_ordered_as_documented() {
    let eta = Eta { gamma: 0.0, lambda: 1.0, policy_cost: 2.0, value_cost: 3.0, entropy_cost: 4.0, leak: 5.0 };
    let all = stillpoint::estimator::online::Tunable::ALL;
    for (k, t) in all.into_iter().enumerate() {
        assert_eq!([eta.get(t), t as usize as f64], [k as f64; 2], "{}", t.name());
    }
}

/// Meta-gradients of inner halves along outer directions of halves: their mean is the whole meta-gradient.
#[test]
fn crossed_halves_add_up() {
    for (seed, target) in targets().into_iter().enumerate() {
        let mut p = Problem::random(seed as u64, target, optimisers()[1], Some(0.1), 1);
        p.batches.iter_mut().for_each(|b| *b = b.columns(0..2));
        let condition = p.vector(&p.eta);
        let at = At { theta: &p.theta, obs: &p.batches[0].obs, condition: &condition };
        let (theta, _, step) = p.advance(0, &p.theta, &p.state, &p.eta, &p.eta);
        let mut tape = Default::default();
        let evaluation = p.inner().step(at, &p.batches[0], &p.eta, &mut tape).evaluation;
        let mut along = |u: Vec<f64>| {
            let mut cotangent = Moving::of(u, &p.state);
            let w = p.rule.pull_back(&p.state, &step.gradient, Differential::Exact, &mut cotangent);
            p.inner().along(at, &p.batches[0], &p.eta, &p.tunables, &evaluation, &w, &mut tape)
        };
        let halves = [0..1, 1..2].map(|columns| {
            let mut half = p.clone();
            half.batches[1] = p.batches[1].columns(columns);
            along(half.outer(&theta))
        });
        // the mean over half a batch is twice its part of the whole
        let part = |x: usize, y: usize| halves[y].of_columns(x..x + 1).iter().map(|h| 2.0 * h).collect::<Vec<_>>();
        let found = crossed(&[[part(0, 0), part(0, 1)], [part(1, 0), part(1, 1)]]);
        assert!(error(&found.mean, &along(p.outer(&theta)).total) < 1e-12, "{target:?}");
    }
}
