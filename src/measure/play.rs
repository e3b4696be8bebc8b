//! Whole episodes under fixed parameters: the score of an online run.

use crate::batch::Actions;
use crate::diff::{At, Network};
use crate::math::real::Real;
use crate::policy::actor_critic::{ActionHead, Heads};
use crate::rng::Rng;
use crate::rollout::action_at;
use crate::rollout::world::World;

/// One world with its stream and what it still has to play.
pub struct Player<W> {
    /// The environment, at the start of an episode.
    pub world: W,
    /// Its random stream.
    pub rng: Rng,
    /// Episodes to play.
    pub episodes: usize,
}

/// What was played.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Played {
    /// Undiscounted returns, by player.
    pub returns: Vec<Vec<f64>>,
    /// Environment steps that it took.
    pub steps: u64,
}

/// Plays the episodes of every player with sampled actions.
///
/// Each player plays a fixed number of episodes to their end, so that short ones are not preferred. `watch` sees the first player's world
/// before every step of its first episode. `None` if `stop` said so before the end.
///
/// # Errors
/// An environment failed, in words.
pub fn play<F: Real, W: World, N: Network<F, Obs = W::Obs>>(
    (net, heads): (&N, &Heads),
    [theta, condition]: [&[F]; 2],
    mut players: Vec<Player<W>>,
    mut watch: impl FnMut(&W),
    stop: impl Fn() -> bool,
) -> Result<Option<Played>, String> {
    let mut returns: Vec<Vec<f64>> = players.iter().map(|_| Vec::new()).collect();
    let mut steps = 0;
    let mut tape = N::Tape::default();
    let (mut obs, mut buffer) = (Vec::new(), Vec::new());
    loop {
        let active: Vec<usize> = (0..players.len()).filter(|b| returns[*b].len() < players[*b].episodes).collect();
        if active.is_empty() {
            return Ok(Some(Played { returns, steps }));
        }
        if stop() {
            return Ok(None);
        }
        if active[0] == 0 && returns[0].is_empty() {
            watch(&players[0].world);
        }
        steps += active.len() as u64;
        obs.clear();
        active.iter().for_each(|b| players[*b].world.observe(&mut obs));
        net.forward(At { theta, obs: &obs, condition }, &mut tape);
        for (row, &b) in net.output(&tape).chunks_exact(heads.width()).zip(&active) {
            let Player { world, rng, .. } = &mut players[b];
            let mut actions = match heads.policy {
                ActionHead::Softmax { .. } => Actions::Discrete(Vec::new()),
                ActionHead::Gaussian { width } => Actions::Continuous { values: Vec::new(), width },
            };
            heads.sample(row, std::slice::from_mut(rng), &mut actions);
            let found = world.step(action_at(&actions, 0, &mut buffer), rng)?;
            returns[b].extend(found.finished);
        }
    }
}
