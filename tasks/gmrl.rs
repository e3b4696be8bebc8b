//! Ten fixed MDPs of the kind Liu et al. (2022) draw: those behind the reference numbers of the bias lab.

use crate::mdps::{Built, TabularFamily};
use crate::params::Params;
use crate::tabular::Tabular;
use serde::Deserialize;

/// Sparse transition rows `[s, a, s', p]` (entries below 1e-12 dropped) and rewards `[s][a]`, as an independent program wrote them.
const TEXT: &str = include_str!("gmrl-mdps.json");

const STATES: usize = 20;
const ACTIONS: usize = 5;

/// Keys of `gmrl-mdps`.
pub(crate) const KEYS: &[&str] = &["horizon", "gamma"];

#[derive(Deserialize)]
struct File {
    mdps: Vec<Tables>,
}

#[derive(Deserialize)]
struct Tables {
    transition: Vec<(usize, usize, usize, f64)>,
    reward: Vec<Vec<f64>>,
}

impl Tables {
    /// The MDP: start state 0, no termination, rows of the kernel brought to sum one.
    fn mdp(&self, horizon: usize) -> Tabular {
        let mut transition = vec![0.0; STATES * ACTIONS * STATES];
        for &(s, a, next, p) in &self.transition {
            transition[(s * ACTIONS + a) * STATES + next] = p;
        }
        for row in transition.chunks_mut(STATES) {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|p| *p /= sum);
        }
        let mut start = vec![0.0; STATES];
        start[0] = 1.0;
        let reward = self.reward.concat();
        Tabular { states: STATES, actions: ACTIONS, horizon, start, reward, transition, reward_noise: 0.0 }
    }
}

/// Builds `gmrl-mdps`.
pub(crate) fn build(name: &'static str, p: &Params) -> Built {
    let (horizon, gamma) = (p.horizon(20)?, p.gamma(0.8)?);
    let file: File = serde_json::from_str(TEXT).expect("the embedded tables are whole");
    let tasks: Vec<Tabular> = file.mdps.iter().map(|tables| tables.mdp(horizon)).collect();
    Ok(Box::new(TabularFamily::new(name, gamma, vec![1.0; tasks.len()], tasks)?))
}

#[cfg(test)]
mod tests {
    use crate::registry;
    use serde_json::Map;

    #[test]
    fn there_are_ten_and_every_row_is_a_distribution() {
        let family = registry::build("gmrl-mdps", &Map::new()).expect("embedded");
        let finite = family.finite().expect("finite");
        assert_eq!((finite.len(), family.horizon(), family.gamma()), (10, 20, 0.8));
        for (_, mdp) in finite {
            assert!(mdp.reward.len() == 100 && mdp.reward.iter().all(|r| (0.0..1.0).contains(r)));
            assert!(mdp.transition.chunks(20).all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-14));
        }
    }
}
