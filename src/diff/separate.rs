//! Actor and critic as two networks side by side: the critic alone may be conditioned.

use super::network::{Along, At, Gradient, Network};
use crate::math::real::Real;
use std::ops::Range;

/// Two networks on the same observations; an output row is the actor's followed by the critic's.
///
/// The flat parameter vector holds the actor's parameters, then the critic's. Both see the same conditioning vector, and one that
/// is not conditioned ignores it: with an unconditioned actor, `eta` reaches the values only (critic-only conditioning, as in
/// Theoretical-GMRL, but without a shared torso).
#[derive(Clone, Debug, PartialEq)]
pub struct Separate<A, C> {
    /// Gives the logits.
    pub actor: A,
    /// Gives the values.
    pub critic: C,
}

/// Tapes of both networks, and their outputs side by side.
#[derive(Clone, Debug, Default)]
pub struct SeparateTape<A, C, F> {
    actor: A,
    critic: C,
    output: Vec<F>,
    tangent: Vec<F>,
}

/// Appends `[rows, a + c]` from `[rows, a]` and `[rows, c]`.
fn join<F: Real>([a, c]: [usize; 2], left: &[F], right: &[F], out: &mut Vec<F>) {
    for (l, r) in left.chunks_exact(a).zip(right.chunks_exact(c)) {
        out.extend_from_slice(l);
        out.extend_from_slice(r);
    }
}

/// The two parts of `[rows, a + c]`.
fn split<F: Real>([a, c]: [usize; 2], rows: &[F]) -> [Vec<F>; 2] {
    let rows = || rows.chunks_exact(a + c);
    [rows().flat_map(|r| &r[..a]).copied().collect(), rows().flat_map(|r| &r[a..]).copied().collect()]
}

impl<A, C> Separate<A, C> {
    fn widths<F: Real>(&self) -> [usize; 2]
    where
        A: Network<F>,
        C: Network<F>,
    {
        [self.actor.outputs(), self.critic.outputs()]
    }
}

/// The same point (or direction) for the network whose parameters are the first or second part.
fn parts<'a, F, O>(at: At<'a, F, O>, n: usize) -> [At<'a, F, O>; 2] {
    let (actor, critic) = at.theta.split_at(n);
    [At { theta: actor, ..at }, At { theta: critic, obs: at.obs, condition: at.condition }]
}

fn directions<F>(along: Along<'_, F>, n: usize) -> [Along<'_, F>; 2] {
    let theta = along.theta.map(|x| x.split_at(n));
    [
        Along { theta: theta.map(|t| t.0), condition: along.condition },
        Along { theta: theta.map(|t| t.1), condition: along.condition },
    ]
}

impl<F: Real, A: Network<F>, C: Network<F, Obs = A::Obs>> Network<F> for Separate<A, C> {
    type Obs = A::Obs;
    type Tape = SeparateTape<A::Tape, C::Tape, F>;

    fn n_params(&self) -> usize {
        self.actor.n_params() + self.critic.n_params()
    }

    fn obs_width(&self) -> usize {
        self.actor.obs_width()
    }

    fn outputs(&self) -> usize {
        self.actor.outputs() + self.critic.outputs()
    }

    fn conditioning(&self) -> usize {
        self.actor.conditioning().max(self.critic.conditioning())
    }

    fn forward(&self, at: At<'_, F, A::Obs>, tape: &mut Self::Tape) {
        self.forward_rows(at, 0..at.obs.len() / self.obs_width(), tape);
    }

    fn forward_rows(&self, at: At<'_, F, A::Obs>, rows: Range<usize>, tape: &mut Self::Tape) {
        let [actor, critic] = parts(at, self.actor.n_params());
        self.actor.forward_rows(actor, rows.clone(), &mut tape.actor);
        self.critic.forward_rows(critic, rows.clone(), &mut tape.critic);
        let SeparateTape { actor, critic, output, .. } = tape;
        let [a, c] = self.widths();
        output.truncate(rows.start * (a + c));
        let [actor, critic] = [self.actor.output(actor), self.critic.output(critic)];
        join([a, c], &actor[rows.start * a..], &critic[rows.start * c..], output);
    }

    fn reserve(&self, rows: usize, tape: &mut Self::Tape) {
        self.actor.reserve(rows, &mut tape.actor);
        self.critic.reserve(rows, &mut tape.critic);
    }

    fn output<'t>(&self, tape: &'t Self::Tape) -> &'t [F] {
        &tape.output
    }

    fn vjp(&self, at: At<'_, F, A::Obs>, cotangents: &[F], out: Gradient<'_, F>, tape: &mut Self::Tape) {
        let [actor, critic] = parts(at, self.actor.n_params());
        let [d_actor, d_critic] = split(self.widths(), cotangents);
        let (left, right) = out.theta.split_at_mut(self.actor.n_params());
        let condition = out.condition;
        self.actor.vjp(actor, &d_actor, Gradient { theta: left, condition: &mut *condition }, &mut tape.actor);
        self.critic.vjp(critic, &d_critic, Gradient { theta: right, condition }, &mut tape.critic);
    }

    fn jvp(&self, at: At<'_, F, A::Obs>, along: Along<'_, F>, tape: &mut Self::Tape) {
        let n = self.actor.n_params();
        let ([actor, critic], [along_actor, along_critic]) = (parts(at, n), directions(along, n));
        self.actor.jvp(actor, along_actor, &mut tape.actor);
        self.critic.jvp(critic, along_critic, &mut tape.critic);
        let SeparateTape { actor, critic, tangent, .. } = tape;
        tangent.clear();
        join(self.widths(), self.actor.tangent(actor), self.critic.tangent(critic), tangent);
    }

    fn tangent<'t>(&self, tape: &'t Self::Tape) -> &'t [F] {
        &tape.tangent
    }

    fn vjp_tangent(
        &self,
        at: At<'_, F, A::Obs>,
        along: Along<'_, F>,
        cotangents: [&[F]; 2],
        out: Gradient<'_, F>,
        tape: &mut Self::Tape,
    ) {
        let n = self.actor.n_params();
        let ([actor, critic], [along_actor, along_critic]) = (parts(at, n), directions(along, n));
        let [[d_actor, d_critic], [e_actor, e_critic]] = cotangents.map(|d| split(self.widths(), d));
        let (left, right) = out.theta.split_at_mut(n);
        let condition = out.condition;
        let gradient = Gradient { theta: left, condition: &mut *condition };
        self.actor.vjp_tangent(actor, along_actor, [&d_actor, &e_actor], gradient, &mut tape.actor);
        let gradient = Gradient { theta: right, condition };
        self.critic.vjp_tangent(critic, along_critic, [&d_critic, &e_critic], gradient, &mut tape.critic);
    }
}
