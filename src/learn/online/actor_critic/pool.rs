//! Actor threads that run ahead of the learner (IMPALA): they act with the newest published parameters and queue their unrolls.
//!
//! Every group of actors has a queue of its own, and the learner takes one unroll from each: groups stay balanced and independent of
//! one another. What is given up is determinism: which parameters acted depends on timing.

use super::gather::{Gathered, Which, gather};
use crate::diff::Network;
use crate::estimator::online::Unroll;
use crate::math::real::Real;
use crate::policy::actor_critic::Heads;
use crate::rollout::actors::Group;
use crate::rollout::world::World;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Parameters that actors may use.
pub(super) struct Published<F> {
    pub theta: Vec<F>,
    pub condition: Vec<F>,
    /// Updates that made them.
    pub update: u64,
}

/// What learner and actors share.
struct Shared<F> {
    newest: Mutex<Arc<Published<F>>>,
    stop: AtomicBool,
}

impl<F> Shared<F> {
    fn newest(&self) -> Arc<Published<F>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One unroll from the queue.
pub(super) struct Delivery<F, O> {
    pub unroll: Unroll<F, O>,
    pub finished: Vec<f64>,
    pub frames: u64,
    /// Updates that had made the parameters that acted.
    pub update: u64,
}

type Message<F, O> = Result<Delivery<F, O>, String>;

/// The actor threads and their queues.
pub(super) struct Pool<F, O> {
    shared: Arc<Shared<F>>,
    queues: Vec<Receiver<Message<F, O>>>,
    threads: Vec<JoinHandle<()>>,
}

/// One group in the hands of a thread.
struct Share<F, W: World> {
    /// Number of the group.
    number: usize,
    group: Group<W>,
    queue: SyncSender<Message<F, W::Obs>>,
}

/// What an actor thread needs.
struct Actor<F, W: World, N> {
    net: Arc<N>,
    heads: Heads,
    shared: Arc<Shared<F>>,
    groups: Vec<Share<F, W>>,
}

impl<F: Real, W: World, N: Network<F, Obs = W::Obs>> Actor<F, W, N> {
    /// Acts until the learner goes away; `which` is the next unroll.
    fn run(mut self, mut which: Which) {
        let mut tape = N::Tape::default();
        loop {
            for Share { number, group, queue } in &mut self.groups {
                if self.shared.stop.load(Ordering::Relaxed) {
                    return;
                }
                let Published { theta, condition, update } = &*self.shared.newest();
                let network = (&*self.net, &self.heads);
                let found = gather((*number, group), network, [theta, condition], which, Vec::new(), &mut tape);
                let message = found.map(|Gathered { unroll, finished, frames, .. }| Delivery {
                    unroll,
                    finished,
                    frames,
                    update: *update,
                });
                let failed = message.is_err();
                if queue.send(message).is_err() || failed {
                    return;
                }
            }
            which.index += 1;
        }
    }
}

/// How many threads act, and how far ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Actor threads.
    pub threads: usize,
    /// Unrolls that may wait in the queue of a group.
    pub queue: usize,
}

impl<F: Real, O: crate::rollout::world::Element> Pool<F, O> {
    /// Starts the threads; each takes every `threads`-th group. `which` is their first unroll.
    pub fn start<W: World<Obs = O> + 'static, N: Network<F, Obs = O> + Send + 'static>(
        (net, heads): (&Arc<N>, Heads),
        groups: Vec<Group<W>>,
        first: Published<F>,
        ahead: Ahead,
        which: Which,
    ) -> Pool<F, O> {
        let shared = Arc::new(Shared { newest: Mutex::new(Arc::new(first)), stop: AtomicBool::new(false) });
        let threads = ahead.threads.clamp(1, groups.len());
        let mut queues = Vec::new();
        let mut shares: Vec<Vec<Share<F, W>>> = (0..threads).map(|_| Vec::new()).collect();
        for (g, group) in groups.into_iter().enumerate() {
            let (sender, receiver) = sync_channel(ahead.queue.max(1));
            queues.push(receiver);
            shares[g % threads].push(Share { number: g, group, queue: sender });
        }
        let spawn = |groups| {
            let actor = Actor { net: net.clone(), heads, shared: shared.clone(), groups };
            std::thread::spawn(move || actor.run(which))
        };
        let threads = shares.into_iter().map(spawn).collect();
        Pool { shared, queues, threads }
    }

    /// Gives the actors new parameters.
    pub fn publish(&self, parameters: Published<F>) {
        *self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(parameters);
    }

    /// The next unroll of every group, in the order of the groups.
    ///
    /// # Errors
    /// An environment failed, in words.
    pub fn take(&self) -> Result<Vec<Delivery<F, O>>, String> {
        let gone = || "an actor thread stopped without a word".to_string();
        self.queues.iter().map(|queue| queue.recv().unwrap_or_else(|_| Err(gone()))).collect()
    }
}

impl<F, O> Drop for Pool<F, O> {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.queues.clear(); // actors that wait for room find nobody listening
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // a panic in an actor has been told as a missing delivery
        }
    }
}
