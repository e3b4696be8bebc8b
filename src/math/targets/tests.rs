//! Targets against slow direct sums, central differences and each other.

use super::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const KINDS: [Target; 5] = [
    Target::Lambda,
    Target::NStep { n: 1 },
    Target::NStep { n: 3 },
    Target::VTrace(VTrace { rho_bar: 1.0, c_bar: 0.9, pg_rho_bar: 1.1, bootstrap: Bootstrap::Vs }),
    Target::VTrace(VTrace { rho_bar: 1.0, c_bar: 0.9, pg_rho_bar: 1.1, bootstrap: Bootstrap::Mix }),
];

/// T = 6, B = 2 with a termination inside, one at the end, and a truncation of trajectory 1 after step 2 (row 14).
struct Case {
    rewards: Vec<f64>,
    not_done: Vec<f64>,
    successors: Vec<u32>,
    values: Vec<f64>,
    ratio: Vec<f64>,
    gamma: Vec<f64>,
    lambda: Vec<f64>,
    leak: f64,
}

impl Case {
    fn random(seed: u64) -> Case {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let draw = |rng: &mut ChaCha8Rng, n: usize, low: f64, high: f64| -> Vec<f64> {
            (0..n).map(|_| low + (high - low) * rng.random::<f64>()).collect()
        };
        let mut not_done = vec![1.0; 12];
        not_done[2] = 0.0;
        not_done[11] = 0.0;
        let mut successors: Vec<u32> = (2..14).collect();
        successors[5] = 14;
        rng.next_u32();
        Case {
            rewards: draw(rng, 12, -1.0, 1.0),
            not_done,
            successors,
            values: draw(rng, 15, -2.0, 2.0),
            ratio: draw(rng, 12, 0.2, 2.0),
            gamma: draw(rng, 12, 0.3, 1.0),
            lambda: draw(rng, 12, 0.1, 1.0),
            leak: 0.7,
        }
    }

    /// Targets where everything moves by `e` along the second arguments.
    fn targets(&self, target: &Target, along: &Case) -> Targets<f64> {
        let zip = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| Dual::new(*a, *b)).collect::<Vec<Dual<f64>>>();
        let (gamma, lambda) = (zip(&self.gamma, &along.gamma), zip(&self.lambda, &along.lambda));
        let (values, ratio) = (zip(&self.values, &along.values), zip(&self.ratio, &along.ratio));
        let knobs = Knobs {
            gamma: Param::PerStep(&gamma),
            lambda: Param::PerStep(&lambda),
            leak: Dual::new(self.leak, along.leak),
        };
        targets(target, &knobs, &self.steps(&values, &ratio))
    }

    fn steps<'a>(&'a self, values: &'a [Dual<f64>], ratio: &'a [Dual<f64>]) -> Steps<'a, f64> {
        Steps {
            batch: 2,
            rewards: &self.rewards,
            not_done: &self.not_done,
            successors: Some(&self.successors),
            values,
            ratio: Some(ratio),
        }
    }

    fn moved(&self, along: &Case, h: f64) -> Case {
        let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + h * b).collect();
        Case {
            rewards: self.rewards.clone(),
            not_done: self.not_done.clone(),
            successors: self.successors.clone(),
            values: add(&self.values, &along.values),
            ratio: add(&self.ratio, &along.ratio),
            gamma: add(&self.gamma, &along.gamma),
            lambda: add(&self.lambda, &along.lambda),
            leak: self.leak + h * along.leak,
        }
    }
}

#[test]
fn derivatives_are_those_of_central_differences() {
    for seed in 0..20 {
        let (case, along) = (Case::random(seed), Case::random(1000 + seed));
        for target in KINDS {
            let found = case.targets(&target, &along);
            let h = 1e-6;
            let (up, down) =
                (case.moved(&along, h).targets(&target, &along), case.moved(&along, -h).targets(&target, &along));
            let pairs = |t: &Targets<f64>| [t.value.clone(), t.advantage.clone()].concat();
            for ((f, u), d) in pairs(&found).iter().zip(pairs(&up)).zip(pairs(&down)) {
                assert!((f.du - (u.re - d.re) / (2.0 * h)).abs() < 1e-7, "{target:?}");
            }
        }
    }
}

#[test]
fn the_adjoint_is_the_transpose() {
    for seed in 0..20 {
        let (case, mut along) = (Case::random(seed), Case::random(1000 + seed));
        along.values.fill(0.0);
        along.ratio.fill(0.0);
        along.leak = 0.0;
        let weights = Case::random(2000 + seed);
        let constant = |x: &[f64]| x.iter().map(|x| Dual::constant(*x)).collect::<Vec<_>>();
        let (values, ratio) = (constant(&case.values), constant(&case.ratio));
        let (gamma, lambda) = (constant(&case.gamma), constant(&case.lambda));
        let knobs =
            Knobs { gamma: Param::PerStep(&gamma), lambda: Param::PerStep(&lambda), leak: Dual::constant(case.leak) };
        let (on_value, on_advantage) = (&weights.values[..12], &weights.ratio);
        for target in KINDS {
            let found = adjoint(&target, &knobs, &case.steps(&values, &ratio), on_value, on_advantage);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let reverse = dot(&found.gamma, &along.gamma) + dot(&found.lambda, &along.lambda);
            let t = case.targets(&target, &along);
            let du = |x: &[Dual<f64>]| x.iter().map(|x| x.du).collect::<Vec<_>>();
            let forward = dot(&du(&t.value), on_value) + dot(&du(&t.advantage), on_advantage);
            assert!((reverse - forward).abs() < 1e-12, "{target:?}: {reverse} {forward}");
        }
    }
}

/// The lambda-return is the mixture of n-step returns; V-trace with unit ratios and "mix" is the lambda-return.
#[test]
fn kinds_meet_where_they_should() {
    let case = Case::random(5);
    let zero = Case::random(6).moved(&Case::random(6), -1.0);
    let re = |x: &[Dual<f64>]| x.iter().map(|x| x.re).collect::<Vec<_>>();
    let mut on_policy = Case::random(5);
    on_policy.ratio.fill(1.0);
    let mix = Target::VTrace(VTrace::default());
    let (a, b) = (on_policy.targets(&mix, &zero), on_policy.targets(&Target::Lambda, &zero));
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-13);
    assert!(close(&re(&a.value), &re(&b.value)) && close(&re(&a.advantage), &re(&b.advantage)));
    let mut ends = Case::random(5);
    for (lambda, n) in [(0.0, 1), (1.0, 6)] {
        ends.lambda.fill(lambda);
        let (a, b) = (ends.targets(&Target::Lambda, &zero), ends.targets(&Target::NStep { n }, &zero));
        assert!(close(&re(&a.value), &re(&b.value)), "lambda {lambda}");
    }
    // Schulman's GAE of trajectory 0 up to its termination after step 1
    let (mut rewards, values) = ([case.rewards[0], case.rewards[2]], [case.values[0], case.values[2], 0.0]);
    let mut constant = Case::random(5);
    constant.gamma.fill(0.9);
    constant.lambda.fill(0.8);
    crate::math::returns::gae(&mut rewards, &values, 0.9, 0.8);
    let t = constant.targets(&Target::Lambda, &zero);
    assert!(close(&rewards, &[t.advantage[0].re, t.advantage[2].re]));
}

/// A termination hides what comes after it; a truncation hides it too but bootstraps from the final observation.
#[test]
fn ends_of_episodes_cut_returns() {
    let zero = Case::random(6).moved(&Case::random(6), -1.0);
    for target in KINDS {
        let (a, mut other) = (Case::random(7), Case::random(7));
        other.values[4] += 1.0; // entered after the termination of trajectory 0
        other.values[7] += 1.0; // entered after the truncation of trajectory 1
        other.rewards[4] += 1.0;
        other.rewards[7] += 1.0;
        let (x, y) = (a.targets(&target, &zero), other.targets(&target, &zero));
        for i in [0, 1, 2, 3, 5] {
            assert_eq!([x.value[i], x.advantage[i]], [y.value[i], y.advantage[i]], "{target:?} step {i}");
        }
        other.values[14] += 1.0;
        let y = other.targets(&target, &zero);
        assert!(x.value[5] != y.value[5], "{target:?}: the final observation counts");
    }
}
