//! The small examples of Xu et al. 2018 learn what they should: gamma(s) of signal and noise, lambda(s) of negated pairs.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use stillpoint::estimator::online::{Arms, Chain, Learned, OuterReturn, Setting};
use stillpoint::optim::Optimiser;

/// Mean parameter of odd and of even states (s1 is odd and never entered) over the last 500 of 5000 episodes.
fn learn(chain: Chain, states: usize, seed: u64, rewards: impl Fn(&mut dyn FnMut() -> f64) -> Vec<f64>) -> [f64; 2] {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let (sgd, sigmoid) = (Optimiser::Sgd { beta: 1.0 }, Setting::meta(0.5));
    let order: Vec<usize> = (0..states).collect();
    let (mut values, mut x) = (vec![0.0f64; states], vec![0.0f64; states]);
    let mut state = sgd.start::<f64>(states);
    let mut mean = vec![0.0; states];
    let mut episode = rewards(&mut normal);
    for k in 0..5000 {
        let next = rewards(&mut normal);
        let eta: Vec<f64> = x.iter().map(|x| sigmoid.value(*x)).collect();
        let step = chain.step(&values, &eta, [&order, &order], [&episode, &next]);
        let ascent: Vec<f64> = step.d_eta.iter().zip(&x).map(|(d, x)| -d * sigmoid.slope(*x)).collect();
        sgd.ascend(&mut state, &ascent, &mut x);
        (values, episode) = (step.values, next);
        if k >= 4500 {
            mean.iter_mut().zip(&x).for_each(|(m, x)| *m += sigmoid.value(*x) / 500.0);
        }
    }
    let average = |from: usize| {
        let of: Vec<f64> = mean.iter().skip(from).step_by(2).copied().collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    [average(2), average(1)]
}

#[test]
fn gamma_separates_signal_from_noise() {
    let chain = Chain { alpha: 0.3, learned: Learned::Gamma { lambda: 1.0 } };
    for seed in 0..10 {
        let rewards = |normal: &mut dyn FnMut() -> f64| (0..5).flat_map(|_| [0.1, normal()]).collect();
        let [odd, even] = learn(chain, 10, seed, rewards);
        println!("signal and noise, seed {seed}: odd {odd:.3} even {even:.3}");
        assert!(odd - even >= 0.7, "seed {seed}: odd {odd} even {even}");
    }
}

#[test]
fn lambda_bootstraps_where_the_value_is_known() {
    let chain = Chain { alpha: 0.1, learned: Learned::Lambda { gamma: 1.0 } };
    let mut separated = 0;
    for seed in 0..10 {
        let rewards = |normal: &mut dyn FnMut() -> f64| {
            let mut r: Vec<f64> = Vec::new();
            for _ in 0..4 {
                let x = normal();
                r.extend([x, -x]);
            }
            r.push(normal());
            r
        };
        let [odd, even] = learn(chain, 9, seed, rewards);
        println!("negated pairs, seed {seed}: odd {odd:.3} even {even:.3}");
        separated += usize::from(even - odd >= 0.1);
    }
    assert!(separated >= 9, "{separated} of 10");
}

/// A chain may visit a state twice and skip others; then differences of J' by every state's parameter are the meta-gradient.
#[test]
fn chains_may_revisit_states() {
    let (first, second) = ([0usize, 2, 1, 2, 3], [3usize, 0, 0]);
    let (r1, r2) = ([0.3, -1.0, 0.8, 0.2, 0.5], [1.0, -0.4, 0.7]);
    let (values, eta) = ([0.1, -0.3, 0.6, 0.2], [0.4, 0.7, 0.9, 0.3]);
    for learned in [Learned::Gamma { lambda: 0.8 }, Learned::Lambda { gamma: 0.9 }] {
        let chain = Chain { alpha: 0.2, learned };
        let run = |eta: &[f64]| chain.step(&values, eta, [&first, &second], [&r1, &r2]);
        let loss = |eta: &[f64]| -> f64 {
            let after = run(eta).values;
            let full = |t: usize| r2[t..].iter().sum::<f64>();
            (0..3).map(|t| (full(t) - after[second[t]]).powi(2)).sum()
        };
        let found = run(&eta).d_eta;
        for s in 0..4 {
            let moved = |h: f64| {
                let mut eta = eta;
                eta[s] += h;
                loss(&eta)
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((found[s] - slope).abs() < 1e-8, "{learned:?} state {s}: {} {slope}", found[s]);
        }
        assert_eq!(found[0], 0.0, "never entered");
    }
}

/// The table of the control test: gamma after 3000 steps and the true return.
#[test]
fn five_arms_need_an_unbiased_outer_return() {
    let arms = Arms {
        delays: vec![1.0, 3.0, 10.0, 30.0, 100.0],
        rewards: vec![1.0, 1.0, 1.0, 1.1, 1.0],
        alpha: 0.5,
        entropy: 0.005,
    };
    let adam = Optimiser::Adam { beta: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    let sigmoid = Setting::meta(0.95);
    let learn = |outer: OuterReturn, rate: f64| {
        let (mut theta, mut x, mut state) = (vec![0.0; 5], vec![sigmoid.logit(0.95)], adam.start::<f64>(1));
        for _ in 0..3000 {
            let d = arms.step(&mut theta, sigmoid.value(x[0]), outer) * sigmoid.slope(x[0]);
            adam.scaled(rate).ascend(&mut state, &[-d], &mut x);
        }
        [sigmoid.value(x[0]), arms.true_return(&theta)]
    };
    let [unbiased, fixed, biased] =
        [(OuterReturn::Unbiased, 1.0), (OuterReturn::Unbiased, 0.0), (OuterReturn::InnerCritic, 1.0)]
            .map(|(outer, rate)| learn(outer, rate));
    assert!(unbiased[0] > 0.99 && unbiased[1] >= 1.09, "{unbiased:?}");
    assert!((fixed[0] - 0.95).abs() < 1e-12 && (fixed[1] - 1.0).abs() < 1e-3, "{fixed:?}");
    assert!(biased[0] < 0.2 && (biased[1] - 1.0).abs() < 1e-3, "{biased:?}");
}
