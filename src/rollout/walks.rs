//! Trajectories of fixed length through a finite MDP under a tabular policy: state–action pairs only, no observations, no objects.
//!
//! The same episodes as [`super::collect`] would give on such a task, for studies that need millions of them.

use crate::rng::Rng;
use rand::RngExt as _;
use tasks::tabular::Tabular;

/// Cumulative tables of a finite MDP.
#[derive(Clone, Debug)]
pub struct Dynamics {
    /// Number of states S.
    pub states: usize,
    /// Number of actions A.
    pub actions: usize,
    /// Decisions per trajectory T.
    pub horizon: usize,
    start: Vec<(f64, u32)>,
    /// `(P(s' <= this | pair), s')` of every pair, one behind the other.
    successors: Vec<(f64, u32)>,
    /// Where each pair's successors begin, `[S A + 1]`.
    first: Vec<usize>,
}

/// `n` trajectories, flat `[n, T]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Walks {
    /// Index `s A + a` of every decision.
    pub pairs: Vec<u32>,
    /// State after the last decision of each trajectory, `[n]`.
    pub last: Vec<u32>,
}

impl Walks {
    /// Rows of trajectory `e` of `horizon` decisions.
    pub fn rows(&self, e: usize, horizon: usize) -> std::ops::Range<usize> {
        e * horizon..(e + 1) * horizon
    }
}

/// Cumulative form of the positive entries of `p`; the last is infinite, so that rounding never leaves them.
fn cumulate(p: &[f64], out: &mut Vec<(f64, u32)>) {
    let mut sum = 0.0;
    for (i, &p) in p.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        sum += p;
        out.push((sum, i as u32));
    }
    if let Some(last) = out.last_mut() {
        last.0 = f64::INFINITY;
    }
}

fn pick(table: &[(f64, u32)], u: f64) -> u32 {
    let mut i = 0;
    while table[i].0 <= u {
        i += 1;
    }
    table[i].1
}

impl Dynamics {
    /// The tables of `mdp`.
    pub fn new(mdp: &Tabular) -> Dynamics {
        let (mut start, mut successors, mut first) = (Vec::new(), Vec::new(), vec![0]);
        cumulate(&mdp.start, &mut start);
        for row in mdp.transition.chunks_exact(mdp.states) {
            cumulate(row, &mut successors);
            first.push(successors.len());
        }
        let Tabular { states, actions, horizon, .. } = *mdp;
        Dynamics { states, actions, horizon, start, successors, first }
    }

    /// Draws `n` trajectories under `pi` `[S, A]` in place of those in `out`: the first k of n are those that n = k would give.
    pub fn sample(&self, pi: &[f64], n: usize, rng: &mut Rng, out: &mut Walks) {
        out.pairs.clear();
        out.last.clear();
        self.extend(pi, n, rng, out);
    }

    /// Draws `n` more trajectories behind those in `out`.
    pub fn extend(&self, pi: &[f64], n: usize, rng: &mut Rng, out: &mut Walks) {
        let a = self.actions;
        let mut policy = Vec::with_capacity(pi.len());
        for row in pi.chunks_exact(a) {
            let mut sum = 0.0;
            policy.extend(row.iter().map(|p| {
                sum += p;
                sum
            }));
        }
        out.pairs.reserve(n * self.horizon);
        for _ in 0..n {
            let mut s = pick(&self.start, rng.random()) as usize;
            for _ in 0..self.horizon {
                let [u, w]: [f64; 2] = [rng.random(), rng.random()];
                let row = &policy[s * a..(s + 1) * a];
                // counting has no branch to mispredict
                let action = row[..a - 1].iter().map(|&c| usize::from(c <= u)).sum::<usize>();
                let pair = s * a + action;
                out.pairs.push(pair as u32);
                s = pick(&self.successors[self.first[pair]..self.first[pair + 1]], w) as usize;
            }
            out.last.push(s as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// Occupancy of every pair against the recursion d_{h+1} = d_h P_pi: binomial counts, |z| < 5 for all (alpha < 1e-4 over 120 cells),
    /// and the same counts against another policy fail.
    #[test]
    fn visits_follow_the_tables() {
        let params = serde_json::json!({"tasks": 1, "states": 4, "actions": 3, "concentration": 0.5, "horizon": 10});
        let family = tasks::registry::build("liu-mdp", params.as_object().expect("object")).expect("a family");
        let mdp = family.finite().expect("finite")[0].1.clone();
        let pi: Vec<f64> = [0.2, 0.5, 0.3, 1.0, 0.0, 0.0, 0.1, 0.1, 0.8, 0.4, 0.4, 0.2].to_vec();
        let (dynamics, n) = (Dynamics::new(&mdp), 20_000);
        let mut walks = Walks::default();
        dynamics.sample(&pi, n, &mut Rng::seed_from_u64(1), &mut walks);
        let worst = |pi: &[f64]| {
            let (mut d, mut worst) = (mdp.start.clone(), 0.0_f64);
            for h in 0..10 {
                let mut next = vec![0.0; 4];
                for k in 0..12 {
                    let p = d[k / 3] * pi[k];
                    let count = (0..n).filter(|e| walks.pairs[e * 10 + h] == k as u32).count() as f64;
                    let error = (n as f64 * p * (1.0 - p)).sqrt().max(1e-9);
                    worst = worst.max(((count - n as f64 * p) / error).abs());
                    (0..4).for_each(|s| next[s] += p * mdp.transition[k * 4 + s]);
                }
                d = next;
            }
            worst
        };
        assert!(worst(&pi) < 5.0, "{}", worst(&pi));
        assert!(worst(&[1.0 / 3.0; 12]) > 5.0);
        let mut fewer = Walks::default();
        dynamics.sample(&pi, 7, &mut Rng::seed_from_u64(1), &mut fewer);
        assert_eq!(fewer.pairs, walks.pairs[..70]);
    }
}
