//! Returns and advantages of one episode, and their normalisation over a batch.

/// Discounted return per episode, `R(tau) = sum_h gamma^h r_h`. The SG-MRL coefficient accepts nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct Returns(pub Vec<f64>);

impl Returns {
    /// Mean over the episodes.
    pub fn mean(&self) -> f64 {
        mean(&self.0)
    }
}

/// One weight per batch row: the coefficient of that decision's score. Not a return, and never accepted as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Advantages(pub Vec<f64>);

/// Arithmetic mean; 0 for an empty slice.
pub fn mean(x: &[f64]) -> f64 {
    if x.is_empty() { 0.0 } else { x.iter().sum::<f64>() / x.len() as f64 }
}

/// `sum_h gamma^h r_h`.
pub fn discounted_return(rewards: impl DoubleEndedIterator<Item = f64>, gamma: f64) -> f64 {
    rewards.rev().fold(0.0, |tail, r| r + gamma * tail)
}

/// Reward-to-go with the **absolute** discount, `R^h = sum_{t >= h} gamma^t r_t`, written over `rewards`.
///
/// Unbiased weights for the gradient of the discounted return (spec 1.1); the relative form drops `gamma^h`.
pub fn reward_to_go(rewards: &mut [f64], gamma: f64) {
    relative_reward_to_go(rewards, gamma);
    let mut discount = 1.0;
    for r in rewards {
        *r *= discount;
        discount *= gamma;
    }
}

/// Reward-to-go with the relative discount, `G_h = sum_{t >= h} gamma^(t - h) r_t`, written over `rewards`.
pub fn relative_reward_to_go(rewards: &mut [f64], gamma: f64) {
    let mut tail = 0.0;
    for r in rewards.iter_mut().rev() {
        tail = *r + gamma * tail;
        *r = tail;
    }
}

/// Generalised advantage estimates (Schulman et al. 2016), written over `rewards`.
///
/// `delta_h = r_h + gamma v_{h+1} - v_h`, `A_h = sum_l (gamma lambda)^l delta_{h+l}`. `values` has one entry more than
/// `rewards`: the last is the bootstrap value, 0 after termination.
pub fn gae(rewards: &mut [f64], values: &[f64], gamma: f64, lambda: f64) {
    assert_eq!(values.len(), rewards.len() + 1, "one value per decision and the bootstrap value");
    let mut tail = 0.0;
    for h in (0..rewards.len()).rev() {
        tail = rewards[h] + gamma * values[h + 1] - values[h] + gamma * lambda * tail;
        rewards[h] = tail;
    }
}

/// Shifts and scales to mean 0 and standard deviation 1 (population form, plus 1e-8); returns the factor `1 / (std + 1e-8)`.
pub fn normalise(x: &mut [f64]) -> f64 {
    let centre = mean(x);
    let variance = x.iter().map(|&v| (v - centre) * (v - centre)).sum::<f64>() / x.len().max(1) as f64;
    let scale = 1.0 / (variance.sqrt() + 1e-8);
    x.iter_mut().for_each(|v| *v = (*v - centre) * scale);
    scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewards_to_go_by_hand() {
        let mut x = [1.0, 2.0, 4.0];
        reward_to_go(&mut x, 0.5);
        assert_eq!(x, [1.0 + 1.0 + 1.0, 1.0 + 1.0, 1.0]);
        let mut x = [1.0, 2.0, 4.0];
        relative_reward_to_go(&mut x, 0.5);
        assert_eq!(x, [3.0, 4.0, 4.0]);
        assert_eq!(discounted_return([1.0, 2.0, 4.0].into_iter(), 0.5), 3.0);
    }

    #[test]
    fn gae_interpolates_between_td_and_monte_carlo() {
        let (r, v, gamma) = ([1.0, -2.0, 0.5], [0.3, 0.7, -0.2, 0.9], 0.9);
        let mut td = r;
        gae(&mut td, &v, gamma, 0.0);
        for h in 0..3 {
            assert!((td[h] - (r[h] + gamma * v[h + 1] - v[h])).abs() < 1e-15);
        }
        let mut mc = r;
        gae(&mut mc, &v, gamma, 1.0);
        let mut to_go = r;
        to_go[2] += gamma * v[3];
        relative_reward_to_go(&mut to_go, gamma);
        for h in 0..3 {
            assert!((mc[h] - (to_go[h] - v[h])).abs() < 1e-14);
        }
    }

    #[test]
    fn normalised_batches_have_mean_zero_and_unit_variance() {
        let mut x = [1.0, 2.0, 3.0, 10.0];
        normalise(&mut x);
        assert!(mean(&x).abs() < 1e-15);
        assert!((mean(&x.map(|v| v * v)) - 1.0).abs() < 1e-7);
    }
}
