//! Every trajectory of a finite MDP: state and action sequences, rewards-to-go, and their probabilities under theta.

use super::dual::Scalar;
use super::model::{Model, softmax};
use tasks::tabular::Tabular;

/// One trajectory tau = (s_0, a_0, ..., s_H, a_H) that the dynamics allow.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Flat index s_h A + a_h of each decision, length T.
    pub pairs: Vec<usize>,
    /// mu(s_0) prod_{h<H} P(s_{h+1} | s_h, a_h): what does not depend on theta.
    pub dynamics: f64,
    /// R^h = sum_{t>=h} gamma^t r_t (absolute discount), length T.
    pub to_go: Vec<f64>,
}

/// Number of trajectories of positive probability, saturating at `u64::MAX`.
pub fn count(mdp: &Tabular) -> u64 {
    let mut ways: Vec<u64> = mdp.start.iter().map(|&p| u64::from(p > 0.0)).collect();
    for _ in 1..mdp.horizon {
        let mut next = vec![0u64; mdp.states];
        for s in 0..mdp.states {
            for (i, &p) in mdp.transition[s * mdp.actions * mdp.states..][..mdp.actions * mdp.states].iter().enumerate()
            {
                if p > 0.0 {
                    let s_next = i % mdp.states;
                    next[s_next] = next[s_next].saturating_add(ways[s]);
                }
            }
        }
        ways = next;
    }
    ways.iter().fold(0u64, |sum, &w| sum.saturating_add(w.saturating_mul(mdp.actions as u64)))
}

impl Model<'_> {
    /// Every trajectory of positive probability, in lexicographic order of (s_0, a_0, s_1, ...).
    pub fn trajectories(&self) -> Vec<Trajectory> {
        let mut out = Vec::new();
        let mut pairs = Vec::with_capacity(self.mdp.horizon);
        for s in 0..self.mdp.states {
            if self.mdp.start[s] > 0.0 {
                self.extend(s, self.mdp.start[s], &mut pairs, &mut out);
            }
        }
        out
    }

    fn extend(&self, s: usize, dynamics: f64, pairs: &mut Vec<usize>, out: &mut Vec<Trajectory>) {
        let n_s = self.mdp.states;
        for a in 0..self.mdp.actions {
            let k = s * self.mdp.actions + a;
            pairs.push(k);
            if pairs.len() == self.mdp.horizon {
                out.push(Trajectory { pairs: pairs.clone(), dynamics, to_go: self.to_go(pairs) });
            } else {
                for s_next in 0..n_s {
                    let p = self.mdp.transition[k * n_s + s_next];
                    if p > 0.0 {
                        self.extend(s_next, dynamics * p, pairs, out);
                    }
                }
            }
            pairs.pop();
        }
    }

    fn to_go(&self, pairs: &[usize]) -> Vec<f64> {
        let mut to_go: Vec<f64> =
            pairs.iter().scan(1.0, |d, &k| Some(std::mem::replace(d, *d * self.gamma) * self.mdp.reward[k])).collect();
        for h in (1..to_go.len()).rev() {
            to_go[h - 1] += to_go[h];
        }
        to_go
    }
}

/// Trajectories under one theta: probability and policy-gradient estimate of each.
#[derive(Clone, Debug)]
pub struct Sampled<S> {
    /// q(tau; theta), one per trajectory.
    pub probability: Vec<S>,
    /// g(tau; theta) = sum_h R^h grad log pi(a_h | s_h; theta), each flat `[S, A]`.
    pub gradient: Vec<Vec<S>>,
}

/// Probabilities and gradient estimates of all `trajectories` under theta (`actions` logits per state).
pub fn under<S: Scalar>(trajectories: &[Trajectory], theta: &[S], actions: usize) -> Sampled<S> {
    let pi = softmax(theta, actions);
    let mut sampled = Sampled { probability: Vec::new(), gradient: Vec::new() };
    for tau in trajectories {
        let mut q = S::constant(tau.dynamics);
        let mut g = vec![S::constant(0.0); theta.len()];
        for (&k, &r) in tau.pairs.iter().zip(&tau.to_go) {
            q = q * pi[k];
            let row = k / actions * actions;
            for b in row..row + actions {
                g[b] += pi[b].scale(-r);
            }
            g[k] += S::constant(r);
        }
        sampled.probability.push(q);
        sampled.gradient.push(g);
    }
    sampled
}
