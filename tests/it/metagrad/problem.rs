//! Random actor-critic problems whose updates can be repeated at other meta-parameters, and central differences of them.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stillpoint::batch::Actions;
use stillpoint::diff::{Activation, At, ConditionedMlp, Free, Network};
use stillpoint::estimator::online::{
    Auxiliary, Eta, Inner, Objective, Outer, Reduction, Step, Tunable, Unroll, outer_gradient,
};
use stillpoint::math::targets::{Bootstrap, Target, VTrace};
use stillpoint::optim::{Optimiser, RmsPropDialect, Rule, State};
use stillpoint::policy::actor_critic::{ActionHead, Heads};

pub type Batch = Unroll<f64, f64>;

/// A network, its batches, and how it learns.
#[derive(Clone)]
pub struct Problem {
    pub net: Free<ConditionedMlp>,
    pub heads: Heads,
    pub objective: Objective,
    pub rule: Rule,
    pub outer: Outer,
    pub eta: Eta,
    pub tunables: Vec<Tunable>,
    /// What the network is conditioned on.
    pub condition: Vec<Tunable>,
    pub theta: Vec<f64>,
    pub state: State<f64>,
    /// Inner batches, then the outer one.
    pub batches: Vec<Batch>,
}

pub fn draw(rng: &mut ChaCha8Rng, n: usize) -> Vec<f64> {
    (0..n).map(|_| 2.0 * rng.random::<f64>() - 1.0).collect()
}

pub fn targets() -> Vec<Target> {
    let v = |bootstrap| Target::VTrace(VTrace { rho_bar: 1.0, c_bar: 0.9, pg_rho_bar: 1.05, bootstrap });
    vec![Target::Lambda, Target::NStep { n: 2 }, v(Bootstrap::Vs), v(Bootstrap::Mix)]
}

pub fn optimisers() -> Vec<Optimiser> {
    let rms = |dialect: RmsPropDialect| Optimiser::RmsProp {
        beta: 0.05,
        decay: 0.9,
        epsilon: 0.05,
        dialect,
        initial: dialect.initial(),
    };
    vec![
        Optimiser::Sgd { beta: 0.2 },
        Optimiser::Adam { beta: 0.05, beta1: 0.9, beta2: 0.99, epsilon: 1e-3 },
        rms(RmsPropDialect::TensorFlow),
        rms(RmsPropDialect::PyTorch),
    ]
}

/// T = 5, B = 3: a termination inside, one on the last step, and a truncation whose final observation is the last row.
pub fn batch(rng: &mut ChaCha8Rng, width: usize, policy: ActionHead) -> Batch {
    let (length, batch) = (5, 3);
    let n = length * batch;
    let mut not_done = vec![1.0; n];
    not_done[3] = 0.0;
    not_done[n - 2] = 0.0;
    let mut successors: Vec<u32> = (batch as u32..(n + batch) as u32).collect();
    successors[8] = (n + batch) as u32;
    Unroll {
        batch,
        obs: draw(rng, (n + batch + 1) * width),
        actions: match policy {
            ActionHead::Softmax { actions } => {
                Actions::Discrete((0..n).map(|_| rng.random_range(0..actions as u32)).collect())
            }
            ActionHead::Gaussian { width } => Actions::Continuous { values: draw(rng, n * width), width },
        },
        rewards: draw(rng, n),
        not_done,
        successors: Some(successors),
        behaviour: draw(rng, n).iter().map(|x| -1.1 + 0.6 * x).collect(),
    }
}

impl Problem {
    /// Three observations, two hidden layers, three actions (for every third seed a normal with free log standard deviations); conditioned on gamma and lambda; clipped if `clip`. All six
    /// meta-parameters are tuned, with a separate outer critic.
    pub fn random(seed: u64, target: Target, optimiser: Optimiser, clip: Option<f64>, steps: usize) -> Problem {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let (policy, count) = match seed % 3 {
            2 => (ActionHead::Gaussian { width: 2 }, 2),
            _ => (ActionHead::Softmax { actions: 3 }, 0),
        };
        let heads = Heads { policy, values: 2 };
        let net = ConditionedMlp::new(vec![3, 5, 4, heads.width() - count], Activation::Tanh, 2, 3);
        let net = Free { net, count, place: policy.outputs() - count };
        let n = Network::<f64>::n_params(&net);
        let theta: Vec<f64> = draw(rng, n).iter().map(|x| 0.9 * x).collect();
        let mut state = optimiser.start(n);
        state.steps = 3;
        state.first.iter_mut().for_each(|m| *m = 0.1 * (2.0 * rng.random::<f64>() - 1.0));
        state.second.iter_mut().for_each(|s| *s = 0.05 + 0.1 * rng.random::<f64>());
        let reduction = if seed.is_multiple_of(2) { Reduction::Sum } else { Reduction::Mean };
        let auxiliary = Some(Auxiliary { eta: Eta { value_cost: 0.3, ..Eta::reference(0.98, 1.0) }, head: 1 });
        let mut reference = Eta::reference(0.98, 1.0);
        (reference.value_cost, reference.entropy_cost) = (0.25, 0.02);
        let eta = Eta { gamma: 0.9, lambda: 0.8, policy_cost: 0.9, value_cost: 0.6, entropy_cost: 0.05, leak: 0.7 };
        Problem {
            heads,
            objective: Objective { target, reduction, critic: 0, auxiliary },
            rule: Rule { optimiser, clip },
            outer: Outer {
                objective: Objective { target, reduction: Reduction::Mean, critic: 1, auxiliary: None },
                eta: reference,
            },
            eta,
            tunables: Tunable::ALL.to_vec(),
            condition: vec![Tunable::Gamma, Tunable::Lambda],
            theta,
            state,
            batches: (0..=steps).map(|_| batch(rng, 3, policy)).collect(),
            net,
        }
    }

    pub fn inner(&self) -> Inner<'_, Free<ConditionedMlp>> {
        Inner { net: &self.net, heads: self.heads, objective: self.objective, rule: self.rule }
    }

    /// The conditioning vector at `eta`.
    pub fn vector(&self, eta: &Eta) -> Vec<f64> {
        eta.condition(&self.condition)
    }

    /// One inner step at `eta`, with the network conditioned on `seen`: parameters, state, and the step itself.
    pub fn advance(
        &self,
        k: usize,
        theta: &[f64],
        state: &State<f64>,
        eta: &Eta,
        seen: &Eta,
    ) -> (Vec<f64>, State<f64>, Step<f64>) {
        let condition = self.vector(seen);
        let at = At { theta, obs: &self.batches[k].obs, condition: &condition };
        let step = self.inner().step(at, &self.batches[k], eta, &mut Default::default());
        let (mut theta, mut state, mut gradient) = (theta.to_vec(), state.clone(), step.gradient.clone());
        self.rule.apply(&mut state, &mut gradient, &mut theta);
        (theta, state, step)
    }

    /// Parameters after all inner steps.
    pub fn finish(&self, eta: &Eta, seen: &Eta) -> Vec<f64> {
        let (mut theta, mut state) = (self.theta.clone(), self.state.clone());
        for k in 0..self.batches.len() - 1 {
            (theta, state, _) = self.advance(k, &theta, &state, eta, seen);
        }
        theta
    }

    /// The outer ascent direction at `theta`.
    pub fn outer(&self, theta: &[f64]) -> Vec<f64> {
        let condition = self.vector(&self.eta);
        let last = self.batches.last().expect("an outer batch");
        let at = At { theta, obs: &last.obs, condition: &condition };
        outer_gradient(&self.net, &self.heads, &self.outer, at, last, None, &mut Default::default()).ascent
    }

    /// Central differences of fourth order of `u . f(eta)` by every tunable.
    pub fn differences(&self, u: &[f64], f: impl Fn(&Eta) -> Vec<f64>) -> Vec<f64> {
        let h = 2e-4;
        let one = |tunable: &Tunable| {
            let at = |h: f64| {
                let mut eta = self.eta;
                *eta.get_mut(*tunable) += h;
                dot(&f(&eta), u)
            };
            (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h)
        };
        self.tunables.iter().map(one).collect()
    }
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// max |a - b| / max |b|.
pub fn error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let size = |x: &mut dyn Iterator<Item = f64>| x.fold(0.0, |m: f64, x| m.max(x.abs()));
    size(&mut a.iter().zip(b).map(|(a, b)| a - b)) / size(&mut b.iter().copied()).max(1e-300)
}
