//! Both meta-objectives by name and their exact gradients, differentiated from the objectives themselves by dual numbers.

use super::dual::{self, Scalar};
use super::model::Model;
use super::trajectory::{self, Trajectory};
use super::{multiset, trajectory::Sampled};
use crate::math::theory::{Constants, PolicyClass, Setting};
use rayon::prelude::*;
use tasks::tabular::Tabular;

/// A finite family and the adaptation it is judged by.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Tasks with normalised weights; all share S, A and T.
    pub tasks: Vec<(f64, Tabular)>,
    /// Discount gamma in (0, 1].
    pub gamma: f64,
    /// Inner step size alpha.
    pub alpha: f64,
    /// Adaptation steps zeta >= 1.
    pub steps: usize,
    /// Trajectories n per inner batch.
    pub batch: usize,
}

/// `base^exponent`, saturating.
pub(super) fn power(base: u64, exponent: usize) -> u64 {
    base.checked_pow(u32::try_from(exponent).unwrap_or(u32::MAX)).unwrap_or(u64::MAX)
}

/// An objective and its gradient, flat `[S, A]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Exact {
    /// Value.
    pub value: f64,
    /// Gradient with respect to theta.
    pub gradient: Vec<f64>,
}

/// A count that may have saturated, as in messages.
pub fn shown_count(count: u64) -> String {
    if count == u64::MAX { "more than 10^19".into() } else { count.to_string() }
}

impl Problem {
    /// The family of `tasks` (weights and tables), adapted by `steps` of `batch` trajectories each.
    pub fn new(tasks: Vec<(f64, &Tabular)>, gamma: f64, alpha: f64, steps: usize, batch: usize) -> Problem {
        let tasks = tasks.into_iter().map(|(weight, mdp)| (weight, mdp.clone())).collect();
        Problem { tasks, gamma, alpha, steps, batch }
    }

    /// Number of parameters S A.
    pub fn dim(&self) -> usize {
        self.tasks.first().map_or(0, |(_, mdp)| mdp.states * mdp.actions)
    }

    /// What the theory's constants depend on; R = max |r| over all tasks, states and actions.
    ///
    /// # Panics
    /// If there is no task.
    pub fn setting(&self) -> Setting {
        let rewards = self.tasks.iter().flat_map(|(_, mdp)| &mdp.reward);
        Setting {
            reward: rewards.fold(0.0, |top, r| f64::max(top, r.abs())),
            horizon: self.tasks[0].1.horizon,
            gamma: self.gamma,
            alpha: self.alpha,
            inner_steps: self.steps,
            inner_batch: self.batch,
        }
    }

    /// The theory's constants for the tabular softmax policy on this family.
    ///
    /// # Panics
    /// If there is no task.
    pub fn constants(&self) -> Constants {
        Constants::of(&PolicyClass::softmax(self.tasks[0].1.actions), &self.setting())
    }

    /// Number of adapted parameter vectors that enumerating V_zeta visits, over all tasks; saturating.
    pub fn inner_batches(&self) -> u64 {
        (self.tasks.iter())
            .map(|(_, mdp)| power(multiset::count(trajectory::count(mdp), self.batch as u64), self.steps))
            .fold(0, u64::saturating_add)
    }

    /// V_zeta(theta) = E_i E_{D_0..D_{zeta-1}} J_i(theta_zeta), theta_{t+1} = theta_t + alpha mean_{tau in D_t} g_i(tau; theta_t),
    /// D_t ~ q_i(.; theta_t)^n: the objective of the algorithm one runs, by enumeration of all inner batches.
    pub fn v_zeta<S: Scalar>(&self, theta: &[S]) -> S {
        self.expect(|model| {
            let all = model.trajectories();
            self.adapted(&model, &all, theta, self.steps)
        })
    }

    /// Vbar(theta) = E_i J_i(theta_zeta), theta_{t+1} = theta_t + alpha grad J_i(theta_t): adaptation by exact gradients.
    /// V_zeta tends to it as n grows.
    pub fn exact_inner<S: Scalar>(&self, theta: &[S]) -> S {
        self.expect(|model| {
            let mut phi = theta.to_vec();
            for _ in 0..self.steps {
                let g = model.gradient(&phi);
                for (x, g) in phi.iter_mut().zip(g) {
                    *x += g.scale(self.alpha);
                }
            }
            model.value(&phi)
        })
    }

    /// [`Problem::v_zeta`] with its gradient.
    pub fn v_zeta_gradient(&self, theta: &[f64]) -> Exact {
        let (value, gradient) = dual::gradient(theta, |theta| self.v_zeta(theta));
        Exact { value, gradient }
    }

    /// [`Problem::exact_inner`] with its gradient.
    pub fn exact_inner_gradient(&self, theta: &[f64]) -> Exact {
        let (value, gradient) = dual::gradient(theta, |theta| self.exact_inner(theta));
        Exact { value, gradient }
    }

    /// The model of task `i`.
    pub fn model(&self, i: usize) -> Model<'_> {
        Model { mdp: &self.tasks[i].1, gamma: self.gamma }
    }

    fn expect<S: Scalar>(&self, f: impl Fn(Model<'_>) -> S) -> S {
        let mut sum = S::constant(0.0);
        for (i, (weight, _)) in self.tasks.iter().enumerate() {
            sum += f(self.model(i)).scale(*weight);
        }
        sum
    }

    /// E J(theta_steps) from theta_0 = theta. The outermost sum is cut by its smallest trajectory and added in that order,
    /// whatever the number of threads.
    fn adapted<S: Scalar>(&self, model: &Model<'_>, all: &[Trajectory], theta: &[S], steps: usize) -> S {
        if steps == 0 {
            return model.value(theta);
        }
        let sampled = trajectory::under(all, theta, model.mdp.actions);
        let partial = |first: usize| self.partial(model, all, theta, &sampled, steps, first);
        let parts: Vec<S> = if steps == self.steps {
            (0..all.len()).into_par_iter().map(partial).collect()
        } else {
            (0..all.len()).map(partial).collect()
        };
        let mut sum = S::constant(0.0);
        for part in parts {
            sum += part;
        }
        sum
    }

    fn partial<S: Scalar>(
        &self,
        model: &Model<'_>,
        all: &[Trajectory],
        theta: &[S],
        sampled: &Sampled<S>,
        steps: usize,
        first: usize,
    ) -> S {
        let mut sum = S::constant(0.0);
        let mut prefix = Prefix::new(theta, self.alpha / self.batch as f64, self.batch);
        multiset::for_each_from(all.len(), self.batch, first..first + 1, &mut |items, coefficient| {
            let (phi, probability) = prefix.adapted(items, sampled);
            sum += probability.scale(coefficient) * self.adapted(model, all, phi, steps - 1);
        });
        sum
    }
}

/// Partial sums along a batch: successive multisets share their first items, so that most batches cost one addition, not n.
struct Prefix<S> {
    items: Vec<usize>,
    /// theta + alpha / n sum of the first k gradients, and the product of the first k probabilities; k = 0..=n.
    partial: Vec<(Vec<S>, S)>,
    step: f64,
}

impl<S: Scalar> Prefix<S> {
    fn new(theta: &[S], step: f64, batch: usize) -> Prefix<S> {
        let none = (theta.to_vec(), S::constant(1.0));
        Prefix { items: Vec::with_capacity(batch), partial: vec![none; batch + 1], step }
    }

    /// Adapted parameters and probability (as an ordered draw) of the batch `items`.
    fn adapted(&mut self, items: &[usize], sampled: &Sampled<S>) -> (&[S], S) {
        let shared = self.items.iter().zip(items).take_while(|(a, b)| a == b).count();
        self.items.truncate(shared);
        for (k, &j) in items.iter().enumerate().skip(shared) {
            self.items.push(j);
            let (known, next) = self.partial.split_at_mut(k + 1);
            let ((from, p), (to, q)) = (&known[k], &mut next[0]);
            *q = *p * sampled.probability[j];
            for ((to, from), g) in to.iter_mut().zip(from).zip(&sampled.gradient[j]) {
                *to = *from;
                *to += g.scale(self.step);
            }
        }
        let (phi, probability) = &self.partial[items.len()];
        (phi, *probability)
    }
}
