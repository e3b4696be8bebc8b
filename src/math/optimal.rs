//! Best expected return of a finite MDP over a finite horizon, by backward induction.

/// Tables of a finite MDP, flat and row-major.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    /// Number of states S.
    pub states: usize,
    /// Number of actions A.
    pub actions: usize,
    /// Start distribution, `[S]`.
    pub start: &'a [f64],
    /// Expected reward r(s, a), `[S, A]`.
    pub reward: &'a [f64],
    /// P(s' | s, a), `[S, A, S]`.
    pub transition: &'a [f64],
}

/// `max over policies of E[sum_{t<T} gamma^t r_t]`, policies that see state and time:
/// `V_T = 0`, `V_t(s) = max_a r(s, a) + gamma sum_s' P(s' | s, a) V_{t+1}(s')`.
pub fn value(mdp: &Tables<'_>, horizon: usize, gamma: f64) -> f64 {
    let Tables { states, actions, start, reward, transition } = *mdp;
    let mut v = vec![0.0; states];
    for _ in 0..horizon {
        let q = |s: usize, a: usize| {
            let row = s * actions + a;
            let next = &transition[row * states..(row + 1) * states];
            reward[row] + gamma * next.iter().zip(&v).map(|(p, v)| p * v).sum::<f64>()
        };
        v = (0..states).map(|s| (0..actions).map(|a| q(s, a)).fold(f64::NEG_INFINITY, f64::max)).collect();
    }
    start.iter().zip(&v).map(|(p, v)| p * v).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// State 0: action 0 pays 1 and stays, action 1 pays 0 and moves to state 1, which pays 3 per step for ever.
    #[test]
    fn patience_pays_when_there_is_time() {
        let transition = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0];
        let mdp = Tables {
            states: 2,
            actions: 2,
            start: &[1.0, 0.0],
            reward: &[1.0, 0.0, 3.0, 3.0],
            transition: &transition,
        };
        assert_eq!(value(&mdp, 0, 1.0), 0.0);
        assert_eq!(value(&mdp, 1, 1.0), 1.0);
        assert_eq!(value(&mdp, 2, 1.0), 3.0);
        assert_eq!(value(&mdp, 4, 1.0), 9.0);
        assert_eq!(value(&mdp, 2, 0.5), 1.5);
    }
}
