//! Closed forms of a finite MDP over an infinite horizon under a tabular softmax policy: value, occupancy, gradient, products.

use super::dual::Scalar;
use super::linear;
use super::model::softmax;
use nalgebra::{DMatrix, DVector};
use tasks::tabular::Tabular;

/// One MDP without a horizon under a discount below one; parameters theta are logits, flat row-major `[S, A]`.
#[derive(Clone, Debug)]
pub struct Discounted {
    /// Number of states S.
    pub states: usize,
    /// Number of actions A.
    pub actions: usize,
    /// Discount gamma in (0, 1).
    pub gamma: f64,
    /// Start distribution, `[S]`.
    pub start: Vec<f64>,
    /// Expected reward r(s, a), `[S, A]`.
    pub reward: Vec<f64>,
    /// Successors of each pair (s, a) with their probabilities; zeros are left out.
    pub successors: Vec<Vec<(usize, f64)>>,
}

/// Everything that is known of one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Solved {
    /// pi(a | s), `[S, A]`.
    pub pi: Vec<f64>,
    /// V(s) = [(I - gamma P_pi)^-1 r_pi]_s.
    pub v: Vec<f64>,
    /// Q(s, a) = r(s, a) + gamma sum_s' P(s' | s, a) V(s'), `[S, A]`.
    pub q: Vec<f64>,
    /// Discounted occupancy d(s) = [start^T (I - gamma P_pi)^-1]_s, which sums to 1 / (1 - gamma).
    pub d: Vec<f64>,
    /// (I - gamma P_pi)^-1.
    resolvent: DMatrix<f64>,
}

impl Discounted {
    /// The tables of `mdp`, its horizon set aside.
    pub fn new(mdp: &Tabular, gamma: f64) -> Discounted {
        let row = |k: usize| {
            let all = mdp.transition[k * mdp.states..(k + 1) * mdp.states].iter().enumerate();
            all.filter(|(_, p)| **p > 0.0).map(|(s, &p)| (s, p)).collect()
        };
        Discounted {
            states: mdp.states,
            actions: mdp.actions,
            gamma,
            start: mdp.start.clone(),
            reward: mdp.reward.clone(),
            successors: (0..mdp.states * mdp.actions).map(row).collect(),
        }
    }

    /// The same MDP with reward `r + bonus`, `[S, A]`.
    pub fn with_bonus(&self, bonus: &[f64]) -> Discounted {
        let reward = self.reward.iter().zip(bonus).map(|(r, b)| r + b).collect();
        Discounted { reward, ..self.clone() }
    }

    /// sum_s' P(s' | k) x(s').
    fn expected(&self, k: usize, x: &[f64]) -> f64 {
        self.successors[k].iter().map(|&(s, p)| p * x[s]).sum()
    }

    /// I - gamma P_pi.
    fn system(&self, pi: &[f64]) -> DMatrix<f64> {
        let mut system = DMatrix::identity(self.states, self.states);
        for (k, row) in self.successors.iter().enumerate() {
            for &(next, p) in row {
                system[(k / self.actions, next)] -= self.gamma * pi[k] * p;
            }
        }
        system
    }

    /// V of the policy `pi`, `[S]`.
    ///
    /// # Panics
    /// If gamma is not below one.
    pub fn values(&self, pi: &[f64]) -> Vec<f64> {
        let mut v = DVector::from_iterator(self.states, self.state_means(pi, &self.reward));
        assert!(self.system(pi).lu().solve_mut(&mut v), "gamma < 1 makes the system regular");
        v.as_slice().to_vec()
    }

    /// sum_a pi(a | s) x(s, a) for every s.
    fn state_means<'a>(&self, pi: &'a [f64], x: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        let rows = pi.chunks_exact(self.actions).zip(x.chunks_exact(self.actions));
        rows.map(|(pi, x)| pi.iter().zip(x).map(|(p, x)| p * x).sum())
    }

    /// Everything about the policy at `theta`.
    ///
    /// # Panics
    /// If gamma is not below one.
    pub fn solve(&self, theta: &[f64]) -> Solved {
        let pi = softmax(theta, self.actions);
        let resolvent = self.system(&pi).try_inverse().expect("gamma < 1 makes the system regular");
        let r = DVector::from_iterator(self.states, self.state_means(&pi, &self.reward));
        let v = (&resolvent * r).as_slice().to_vec();
        let d = resolvent.tr_mul(&DVector::from_column_slice(&self.start)).as_slice().to_vec();
        let q = (0..pi.len()).map(|k| self.reward[k] + self.gamma * self.expected(k, &v)).collect();
        Solved { pi, v, q, d, resolvent }
    }

    /// dJ/dtheta_sa = d(s) pi(a | s) (Q(s, a) - V(s)), `[S, A]`.
    pub fn gradient(&self, at: &Solved) -> Vec<f64> {
        let one = |k: usize| at.d[k / self.actions] * at.pi[k] * (at.q[k] - at.v[k / self.actions]);
        (0..at.pi.len()).map(one).collect()
    }

    /// d pi(a | s) along `direction`, `[S, A]`.
    fn policy_tangent(&self, at: &Solved, direction: &[f64]) -> Vec<f64> {
        let mean: Vec<f64> = self.state_means(&at.pi, direction).collect();
        (0..at.pi.len()).map(|k| at.pi[k] * (direction[k] - mean[k / self.actions])).collect()
    }

    /// d d(s) along the direction whose policy tangent is `pi_dot`: N^T (gamma sum_k d pi_dot P(. | k)), N the resolvent.
    fn occupancy_tangent(&self, at: &Solved, pi_dot: &[f64]) -> Vec<f64> {
        let mut moved = DVector::zeros(self.states);
        for (k, row) in self.successors.iter().enumerate() {
            for &(next, p) in row {
                moved[next] += self.gamma * at.d[k / self.actions] * pi_dot[k] * p;
            }
        }
        at.resolvent.tr_mul(&moved).as_slice().to_vec()
    }

    /// Hessian of J times `direction`, `[S, A]`: the derivative of [`Discounted::gradient`] along it.
    pub fn hessian_product(&self, at: &Solved, direction: &[f64]) -> Vec<f64> {
        let pi_dot = self.policy_tangent(at, direction);
        let d_dot = self.occupancy_tangent(at, &pi_dot);
        let v_dot = &at.resolvent * DVector::from_iterator(self.states, self.state_means(&pi_dot, &at.q));
        let v_dot = v_dot.as_slice();
        let one = |k: usize| {
            let s = k / self.actions;
            let advantage = at.q[k] - at.v[s];
            let advantage_dot = self.gamma * self.expected(k, v_dot) - v_dot[s];
            (d_dot[s] * at.pi[k] + at.d[s] * pi_dot[k]) * advantage + at.d[s] * at.pi[k] * advantage_dot
        };
        (0..at.pi.len()).map(one).collect()
    }

    /// `(d grad_theta J / d r)^T direction`, `[S, A]`, of the rewards: d(s) pi(a | s), which is dJ/dr, differentiated along it.
    pub fn reward_product(&self, at: &Solved, direction: &[f64]) -> Vec<f64> {
        let pi_dot = self.policy_tangent(at, direction);
        let d_dot = self.occupancy_tangent(at, &pi_dot);
        let one = |k: usize| d_dot[k / self.actions] * at.pi[k] + at.d[k / self.actions] * pi_dot[k];
        (0..at.pi.len()).map(one).collect()
    }

    /// `N^T x` with N = (I - gamma P_pi)^-1: cotangent of r_pi from a cotangent `x` of V, `[S]`.
    pub fn pull_back_values(&self, at: &Solved, x: &[f64]) -> Vec<f64> {
        at.resolvent.tr_mul(&DVector::from_column_slice(x)).as_slice().to_vec()
    }

    /// J and dJ/dtheta for any number type, by elimination without a library: what the oracle differentiates.
    ///
    /// `reward` is `[S, A]`, so that it may carry tangents too.
    pub fn value_and_gradient<S: Scalar>(&self, theta: &[S], reward: &[S]) -> (S, Vec<S>) {
        let (n, a) = (self.states, self.actions);
        let pi = softmax(theta, a);
        let zero = S::constant(0.0);
        let mut p = vec![zero; n * n];
        let mut r = vec![zero; n];
        for (k, row) in self.successors.iter().enumerate() {
            row.iter().for_each(|&(next, prob)| p[k / a * n + next] += pi[k].scale(self.gamma * prob));
            r[k / a] += pi[k] * reward[k];
        }
        let unit = |i: usize, j: usize| S::constant(if i == j { 1.0 } else { 0.0 });
        let mut system: Vec<S> = (0..n * n).map(|i| unit(i / n, i % n) - p[i]).collect();
        let mut transposed: Vec<S> = (0..n * n).map(|i| system[i % n * n + i / n]).collect();
        let (mut v, mut d) = (r, self.start.iter().map(|&x| S::constant(x)).collect::<Vec<S>>());
        linear::solve(&mut system, &mut v);
        linear::solve(&mut transposed, &mut d);
        let mut gradient = Vec::with_capacity(pi.len());
        for (k, row) in self.successors.iter().enumerate() {
            let mut advantage = reward[k] - v[k / a];
            row.iter().for_each(|&(next, prob)| advantage += v[next].scale(self.gamma * prob));
            gradient.push(d[k / a] * pi[k] * advantage);
        }
        let mut value = zero;
        self.start.iter().zip(&v).for_each(|(&x, &v)| value += v.scale(x));
        (value, gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::dual;

    fn model() -> (Discounted, Vec<f64>) {
        let params = serde_json::json!({"tasks": 1, "states": 4, "actions": 3, "concentration": 0.5, "seed": 3});
        let family = tasks::registry::build("liu-mdp", params.as_object().expect("object")).expect("a family");
        let model = Discounted::new(family.finite().expect("finite")[0].1, 0.8);
        (model, (0..12).map(|k| (f64::from(k) * 1.7).sin()).collect())
    }

    fn close(a: &[f64], b: &[f64]) {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{a} {b}"));
    }

    /// The library's inverse against our elimination, and every derivative against dual numbers through that.
    #[test]
    fn closed_forms_match_dual_numbers() {
        let (model, theta) = model();
        let at = model.solve(&theta);
        close(&model.values(&at.pi), &at.v);
        let constants = |x: &[f64]| -> Vec<dual::Dual<4>> { x.iter().map(|&r| Scalar::constant(r)).collect() };
        let (value, slope) =
            dual::gradient(&theta, |theta| model.value_and_gradient(theta, &constants(&model.reward)).0);
        close(&[value], &[at.v[0]]);
        close(&model.gradient(&at), &slope);
        close(&model.gradient(&at), &model.value_and_gradient(&theta, &model.reward).1);
        let (_, hessian) = dual::jacobian(&theta, |theta| model.value_and_gradient(theta, &constants(&model.reward)).1);
        let (_, mixed) = dual::jacobian(&model.reward, |r| model.value_and_gradient(&constants(&theta), r).1);
        let w: Vec<f64> = (0..12).map(|k| (f64::from(k) * 0.9).cos()).collect();
        let columns =
            |m: &[f64]| -> Vec<f64> { (0..12).map(|j| (0..12).map(|i| w[i] * m[i * 12 + j]).sum()).collect() };
        close(&model.hessian_product(&at, &w), &columns(&hessian));
        close(&model.reward_product(&at, &w), &columns(&mixed));
    }
}
