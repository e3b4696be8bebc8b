//! Online meta-gradients of an actor-critic: one inner step, the outer gradient, and how the step moves with its meta-parameters.
//!
//! Signs: everything ascends, as in the rest of the crate. The inner objective is minus the actor-critic loss, `g = -g_hat`,
//! `theta' = theta + f(clip(g))`; the outer gradient is that of `-J'`; meta-gradients are of `-J'` too. Every meta-gradient here
//! is exact (no sampling, no finite differences) given the batches, the networks' passes being exact.
//!
//! | function | what | specification metagrad-atari |
//! |---|---|---|
//! | [`Inner::step`] | forward, targets, gradient of the inner objective | 1.4, 2.2 |
//! | [`outer_gradient`] | gradient of -J' on later data | 1.2 |
//! | [`Inner::along`] | derivatives of the step by every tunable, in one direction | 2.2 |
//! | [`Inner::through_embedding`] | the part through the conditioning of the network | 2.4 |
//! | [`Inner::window`], [`Inner::back_through`] | K steps, backwards | gradient-bias 4 |
//! | [`Inner::push_trace`], [`Inner::add_trace_tangent`] | the trace z of the whole update map, forwards | 2.5 |

mod arms;
mod chain;
mod eta;
mod meta;
mod objective;
mod outer;
mod rail;
mod trace;
mod tunables;
mod unroll;
mod window;

pub use arms::{Arms, OuterReturn};
pub use chain::{Chain, ChainStep, Learned};
pub use eta::{Eta, Tunable};
pub use meta::Contribution;
pub use objective::{Auxiliary, Evaluation, Inner, Objective, Reduction, Step, Surrogate};
pub use outer::{Outer, OuterGradient, OuterKl, add_outer_gradient, outer_gradient};
pub use rail::{Fallback, Rail, RailState, Verdict};
pub use trace::Trace;
pub use tunables::{Mode, Setting, Tunables};
pub use unroll::Unroll;
pub use window::Recorded;
