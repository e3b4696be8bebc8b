//! Random streams addressed by (seed, purpose, iteration, task, episode): thread count cannot change a result.

use rand::SeedableRng;
pub use tasks::env::Rng;

/// What a stream is used for; each purpose has its own key space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Initial parameters.
    Init = 1,
    /// Task draws.
    Task = 2,
    /// Inner rollouts; the inner step t is added through [`Address::step`].
    Inner = 3,
    /// Outer rollouts (after adaptation). Re-simulated batches reuse this purpose: common random numbers.
    Outer = 4,
    /// Evaluation rollouts and task draws.
    Evaluate = 5,
    /// Bootstrap resampling and other statistics.
    Statistics = 6,
    /// Probing a learner from outside (never touches the training streams).
    Measure = 7,
}

/// Address of one stream. The 256-bit ChaCha key *is* the address, so distinct addresses never share a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The user's seed.
    pub seed: u64,
    /// What for.
    pub purpose: Purpose,
    /// Step inside the purpose (inner step t, replication, ...).
    pub step: u32,
    /// Outer iteration.
    pub iteration: u64,
    /// Index of the task in its meta-batch.
    pub task: u32,
    /// Index of the episode in its batch.
    pub episode: u32,
}

impl Address {
    /// Address of `purpose` at iteration, task, episode and step zero.
    pub fn new(seed: u64, purpose: Purpose) -> Address {
        Address { seed, purpose, step: 0, iteration: 0, task: 0, episode: 0 }
    }

    /// Same address at another outer iteration.
    pub fn iteration(self, iteration: u64) -> Address {
        Address { iteration, ..self }
    }

    /// Same address for another task of the meta-batch.
    pub fn task(self, task: usize) -> Address {
        Address { task: task as u32, ..self }
    }

    /// Same address for another episode.
    pub fn episode(self, episode: usize) -> Address {
        Address { episode: episode as u32, ..self }
    }

    /// Same address at another step inside the purpose.
    pub fn step(self, step: usize) -> Address {
        Address { step: step as u32, ..self }
    }

    /// The stream at this address, from its beginning.
    pub fn stream(self) -> Rng {
        let mut key = [0u8; 32];
        key[0..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..12].copy_from_slice(&(self.purpose as u32).to_le_bytes());
        key[12..16].copy_from_slice(&self.step.to_le_bytes());
        key[16..24].copy_from_slice(&self.iteration.to_le_bytes());
        key[24..28].copy_from_slice(&self.task.to_le_bytes());
        key[28..32].copy_from_slice(&self.episode.to_le_bytes());
        Rng::from_seed(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    #[test]
    fn value_stability() {
        let address = Address::new(7, Purpose::Inner).iteration(3).task(2).episode(1);
        let mut rng = address.stream();
        let draws: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(draws, address.stream_draws(3));
        assert_ne!(draws[0], address.episode(2).stream_draws(1)[0]);
        assert_ne!(draws[0], address.step(1).stream_draws(1)[0]);
    }

    impl Address {
        fn stream_draws(self, n: usize) -> Vec<u64> {
            let mut rng = self.stream();
            (0..n).map(|_| rng.next_u64()).collect()
        }
    }
}
