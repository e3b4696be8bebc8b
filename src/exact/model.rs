//! The value J of a tabular softmax policy on one finite MDP, with gradient and Hessian, by dynamic programming.

use super::dual::{self, Scalar};
use crate::math::optimal;
use tasks::tabular::Tabular;

/// One finite MDP under a discount; parameters theta are logits, flat row-major `[S, A]`.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    /// Tables.
    pub mdp: &'a Tabular,
    /// Discount gamma in (0, 1].
    pub gamma: f64,
}

/// pi(a | s; theta) = exp(theta_sa) / sum_b exp(theta_sb), flat `[S, A]`.
pub fn softmax<S: Scalar>(theta: &[S], actions: usize) -> Vec<S> {
    let mut pi = Vec::with_capacity(theta.len());
    for row in theta.chunks_exact(actions) {
        let top = row.iter().map(|x| x.value()).fold(f64::NEG_INFINITY, f64::max);
        let e: Vec<S> = row.iter().map(|&x| (x - S::constant(top)).exp()).collect();
        let mut sum = S::constant(0.0);
        for &x in &e {
            sum += x;
        }
        pi.extend(e.iter().map(|&x| x / sum));
    }
    pi
}

impl Model<'_> {
    /// Highest J of any policy that sees state and time.
    pub fn best(&self) -> f64 {
        let Tabular { states, actions, start, reward, transition, horizon, .. } = self.mdp;
        let tables = optimal::Tables { states: *states, actions: *actions, start, reward, transition };
        optimal::value(&tables, *horizon, self.gamma)
    }

    /// J(theta) = E sum_{h<T} gamma^h r(s_h, a_h), by backward recursion.
    pub fn value<S: Scalar>(&self, theta: &[S]) -> S {
        let pi = softmax(theta, self.mdp.actions);
        let v = self.values(&pi);
        let mut j = S::constant(0.0);
        for s in 0..self.mdp.states {
            j += v[0][s].scale(self.mdp.start[s]);
        }
        j
    }

    /// dJ/dtheta_sa = sum_h gamma^h d_h(s) pi(a|s) (Q_h(s,a) - v_h(s)), flat `[S, A]`; d_h is the state distribution.
    pub fn gradient<S: Scalar>(&self, theta: &[S]) -> Vec<S> {
        let (n_s, n_a) = (self.mdp.states, self.mdp.actions);
        let pi = softmax(theta, n_a);
        let v = self.values(&pi);
        let mut grad = vec![S::constant(0.0); theta.len()];
        let mut d: Vec<S> = self.mdp.start.iter().map(|&p| S::constant(p)).collect();
        let mut discount = 1.0;
        for h in 0..self.mdp.horizon {
            let mut next = vec![S::constant(0.0); n_s];
            for s in 0..n_s {
                for a in 0..n_a {
                    let k = s * n_a + a;
                    let flow = d[s] * pi[k];
                    grad[k] += (flow * (self.q(k, &v[h + 1]) - v[h][s])).scale(discount);
                    for (s_next, &p) in self.mdp.transition[k * n_s..(k + 1) * n_s].iter().enumerate() {
                        next[s_next] += flow.scale(p);
                    }
                }
            }
            d = next;
            discount *= self.gamma;
        }
        grad
    }

    /// Hessian of J, flat `[S A, S A]`: the dual-number derivative of [`Model::gradient`].
    pub fn hessian(&self, theta: &[f64]) -> Vec<f64> {
        dual::jacobian(theta, |theta| self.gradient(theta)).1
    }

    /// v_h(s) for h = 0..=T (v_T = 0), time-relative discount: v_h = E sum_{t>=h} gamma^(t-h) r_t.
    fn values<S: Scalar>(&self, pi: &[S]) -> Vec<Vec<S>> {
        let (n_s, n_a) = (self.mdp.states, self.mdp.actions);
        let mut v = vec![vec![S::constant(0.0); n_s]; self.mdp.horizon + 1];
        for h in (0..self.mdp.horizon).rev() {
            for s in 0..n_s {
                let mut sum = S::constant(0.0);
                for a in 0..n_a {
                    let k = s * n_a + a;
                    sum += pi[k] * self.q(k, &v[h + 1]);
                }
                v[h][s] = sum;
            }
        }
        v
    }

    /// r(s, a) + gamma sum_s' P(s' | s, a) v(s') at flat index `k = s A + a`.
    fn q<S: Scalar>(&self, k: usize, v: &[S]) -> S {
        let n_s = self.mdp.states;
        let mut q = S::constant(self.mdp.reward[k]);
        for (&p, &v_s) in self.mdp.transition[k * n_s..(k + 1) * n_s].iter().zip(v) {
            q += v_s.scale(self.gamma * p);
        }
        q
    }
}
