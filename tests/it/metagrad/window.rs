//! Windows of K inner steps against central differences of the surrogates' own paths, and against the forward trace.

use super::problem::{Problem, dot, error, optimisers, targets};
use stillpoint::diff::{At, Gradient, Network};
use stillpoint::estimator::online::{Eta, Evaluation, Recorded, Step, Surrogate, Trace};
use stillpoint::math::dual::Dual;
use stillpoint::optim::{Differential, Moving, State};
use stillpoint::policy::actor_critic::StepWeights;

/// The nominal path: parameters and states before each step, and the steps.
struct Path {
    starts: Vec<(Vec<f64>, State<f64>)>,
    steps: Vec<Step<f64>>,
    end: Vec<f64>,
}

fn path(p: &Problem) -> Path {
    let (mut theta, mut state) = (p.theta.clone(), p.state.clone());
    let (mut starts, mut steps) = (Vec::new(), Vec::new());
    for k in 0..p.batches.len() - 1 {
        starts.push((theta.clone(), state.clone()));
        let step;
        (theta, state, step) = p.advance(k, &theta, &state, &p.eta, &p.eta);
        steps.push(step);
    }
    Path { starts, steps, end: theta }
}

/// Gradient at `theta` of the surrogate of step k: targets at `eta` from the nominal parameters, constant in theta.
fn surrogate_gradient(p: &Problem, path: &Path, k: usize, theta: &[f64], eta: &Eta, surrogate: Surrogate) -> Vec<f64> {
    let batch = &p.batches[k];
    let condition = p.vector(&p.eta);
    let nominal = At { theta: &path.starts[k].0, obs: &batch.obs, condition: &condition };
    let at = At { theta, ..nominal };
    let mut tape = Default::default();
    let fixed = p.inner().step(nominal, batch, eta, &mut tape);
    let auxiliary = p.objective.auxiliary.expect("a second critic");
    let mut other = p.inner();
    (other.objective.critic, other.objective.auxiliary) = (auxiliary.head, None);
    let second = other.step(nominal, batch, &auxiliary.eta, &mut tape).targets;
    p.net.forward(at, &mut tape);
    let here = Evaluation::of(&p.heads, p.net.output(&tape), &batch.actions);
    let scale = 1.0 / p.objective.reduction.divisor(batch.steps());
    let policy = |i: usize| {
        let ratio = match surrogate {
            Surrogate::LogProb => 1.0,
            Surrogate::Lvc => (here.log_prob[i] - fixed.evaluation.log_prob[i]).exp(),
        };
        Dual::constant(scale * eta.policy_cost * fixed.targets.advantage[i].re * ratio)
    };
    let value = |cost: f64, y: &[Dual<f64>], head: usize| {
        y.iter().zip(&here.values[head]).map(|(y, v)| Dual::constant(scale * cost * (y.re - v))).collect::<Vec<_>>()
    };
    let weights = StepWeights {
        log_prob: (0..batch.steps()).map(policy).collect(),
        entropy: Dual::constant(scale * eta.entropy_cost),
        values: vec![
            value(eta.value_cost, &fixed.targets.value, 0),
            value(auxiliary.eta.value_cost, &second.value, auxiliary.head),
        ],
    };
    let rows = here.values[0].len();
    let d = p.heads.cotangents(&here.distribution, &batch.actions, &weights, rows);
    let (mut gradient, mut by_condition) = (vec![0.0; theta.len()], vec![0.0; condition.len()]);
    p.net.vjp(at, &d, Gradient { theta: &mut gradient, condition: &mut by_condition }, &mut tape);
    gradient
}

fn finish(p: &Problem, path: &Path, eta: &Eta, surrogate: Surrogate) -> Vec<f64> {
    let (mut theta, mut state) = path.starts[0].clone();
    for k in 0..path.steps.len() {
        let mut gradient = surrogate_gradient(p, path, k, &theta, eta, surrogate);
        p.rule.apply(&mut state, &mut gradient, &mut theta);
    }
    theta
}

fn window(p: &Problem, path: &Path, u: &[f64], surrogate: Surrogate) -> Vec<f64> {
    let condition = p.vector(&p.eta);
    let recorded: Vec<Recorded<'_, f64, f64>> = (0..path.steps.len())
        .map(|k| Recorded {
            at: At { theta: &path.starts[k].0, obs: &p.batches[k].obs, condition: &condition },
            before: &path.starts[k].1,
            gradient: &path.steps[k].gradient,
            unroll: &p.batches[k],
        })
        .collect();
    p.inner().window(&recorded, &p.eta, &p.tunables, Differential::Exact, surrogate, u, &mut Default::default())
}

fn forward(p: &Problem, path: &Path, u: &[f64], surrogate: Surrogate) -> Vec<f64> {
    let options =
        Trace { decay: 1.0, differential: Differential::Exact, surrogate, targets: false, embedding: Vec::new() };
    let condition = p.vector(&p.eta);
    let mut z = vec![Moving::of(vec![0.0; p.theta.len()], &p.state); p.tunables.len()];
    let mut tape = Default::default();
    for (k, (theta, before)) in path.starts.iter().enumerate() {
        let batch = &p.batches[k];
        let at = At { theta, obs: &batch.obs, condition: &condition };
        let step = p.inner().step(at, batch, &p.eta, &mut tape);
        let (evaluation, gradient) = (&step.evaluation, &step.gradient);
        p.inner().push_trace(&options, at, batch, &p.eta, &p.tunables, evaluation, before, gradient, &mut z, &mut tape);
    }
    z.iter().map(|z| dot(&z.theta, u)).collect()
}

#[test]
fn windows_are_exact() {
    let mut differ = 0;
    for (i, target) in targets().into_iter().enumerate() {
        for (j, optimiser) in optimisers().into_iter().enumerate() {
            let clip = [None, Some(0.1)][(i + j) % 2];
            let p = Problem::random((10 * i + j) as u64, target, optimiser, clip, 3);
            let path = path(&p);
            let u = p.outer(&path.end);
            let mut found = Vec::new();
            for surrogate in [Surrogate::LogProb, Surrogate::Lvc] {
                let exact = window(&p, &path, &u, surrogate);
                let e = error(&exact, &p.differences(&u, |eta| finish(&p, &path, eta, surrogate)));
                assert!(e < 2e-8, "{surrogate:?} {:?} {:?}: {e:e}", p.objective, p.rule);
                let e = error(&exact, &forward(&p, &path, &u, surrogate));
                assert!(e < 1e-11, "{surrogate:?} {:?}, forwards: {e:e}", p.rule);
                found.push(exact);
            }
            differ += usize::from(error(&found[0], &found[1]) > 1e-4);
        }
    }
    assert!(differ > 8, "the control: surrogates differ for K = 3 ({differ} of 16)");
}

/// For one step there is no Hessian: both surrogates give the JVP identity.
#[test]
fn surrogates_agree_for_one_step() {
    let p = Problem::random(3, targets()[0], optimisers()[1], Some(0.1), 1);
    let path = path(&p);
    let u = p.outer(&path.end);
    let [a, b] = [Surrogate::LogProb, Surrogate::Lvc].map(|s| window(&p, &path, &u, s));
    assert_eq!(a, b);
}
