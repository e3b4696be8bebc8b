//! The tables' metrics from the library's own draws, each with its standard error given the ten MDPs.

use super::reference::Entry;
use rayon::prelude::*;
use std::collections::BTreeMap;
use stillpoint::estimator::tabular::Surrogate;
use stillpoint::exact::kstep::{Chain, Instance, Oracle};
use stillpoint::learn::kstep::{Draw, HessianError, Part, Parts, Sampling, Task};
use stillpoint::math::bias::Bias;
use stillpoint::measure::bias::{oracles, tasks};
use stillpoint::rng::{Address, Purpose};

/// A mean over the MDPs and the standard error that the repeats leave in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    pub value: f64,
    pub error: f64,
}

/// What the tables leave unsaid or have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Problem {
    pub instance: Instance,
    /// Error of the baseline in units of ||V|| / S.
    pub noise: f64,
    /// Spread of the injected error of the Hessian.
    pub spread: f64,
    pub seed: u64,
}

/// As the specification has it.
pub const MAML_RL: Problem = Problem { instance: Instance::Maml, noise: 1.0, spread: 0.3, seed: 1 };
pub const LIRPG: Problem = Problem { instance: Instance::Lirpg, ..MAML_RL };

/// The ten MDPs.
pub fn mdps() -> Vec<Task> {
    let family = ::tasks::registry::build("gmrl-mdps", &serde_json::Map::new()).expect("embedded");
    let all: Vec<_> = family.finite().expect("finite").into_iter().map(|(_, mdp)| mdp.clone()).collect();
    tasks(&all, 0.8)
}

pub fn sampling(problem: &Problem, entry: &Entry) -> Sampling {
    let part = |sampled: bool| match (&entry.estimator, entry.n) {
        (Some(name), Some(n)) if sampled => {
            let (_, surrogate) = Surrogate::ALL.into_iter().find(|(s, _)| s == name).expect("an estimator");
            Part::Estimated { surrogate, n }
        }
        _ => Part::Exact,
    };
    let is_sampled: Vec<bool> = entry.tag.bytes().map(|c| c == b'l').collect();
    Sampling {
        chain: Chain { instance: problem.instance, alpha: entry.alpha, steps: entry.steps },
        parts: Parts { inner: part(is_sampled[0]), jacobian: part(is_sampled[1]), outer: part(is_sampled[2]) },
        noise: problem.noise,
        lambda: if problem.instance == Instance::Lirpg { 0.9 } else { 1.0 },
        error: entry.hessian_error.map(|size| HessianError { size, spread: problem.spread }),
    }
}

/// Mean over MDPs and entries of g*^2.
pub fn oracle_squares(problem: &Problem, entry: &Entry, tasks: &[Task]) -> f64 {
    let all = oracles(tasks, &sampling(problem, entry).chain);
    let squares: Vec<f64> = all.iter().flat_map(|oracle| oracle.gradient.iter().map(|g| g * g)).collect();
    squares.iter().sum::<f64>() / squares.len() as f64
}

/// Our numbers at one point, by metric.
pub type Found = BTreeMap<&'static str, Number>;

/// Every metric at one point.
pub fn measure(problem: &Problem, entry: &Entry, tasks: &[Task]) -> Found {
    let (sampling, repeats) = (sampling(problem, entry), entry.repeats.expect("filled in"));
    let oracles = oracles(tasks, &sampling.chain);
    let all: Vec<Vec<Draw>> = tasks
        .par_iter()
        .enumerate()
        .map(|(i, task)| {
            let at = Address::new(problem.seed, Purpose::Bias).task(i);
            let one = |j| sampling.draw(task, &oracles[i].gradient, at.iteration(j as u64));
            (0..repeats).into_par_iter().map(one).collect()
        })
        .collect();
    let each: Vec<_> = all.par_iter().zip(&oracles).map(|(draws, oracle)| on_mdp(draws, oracle)).collect();
    each[0].keys().map(|&name| (name, pool(each.iter().map(|mdp| mdp[name])))).collect()
}

/// Mean over MDPs; their errors are independent, the MDPs themselves are given.
fn pool(all: impl Iterator<Item = Number> + Clone) -> Number {
    let n = all.clone().count() as f64;
    let squares: f64 = all.clone().map(|x| x.error * x.error).sum();
    Number { value: all.map(|x| x.value).sum::<f64>() / n, error: squares.sqrt() / n }
}

/// Mean of independent terms with its standard error.
fn mean(terms: &[f64]) -> Number {
    let n = terms.len() as f64;
    let value = terms.iter().sum::<f64>() / n;
    let variance = terms.iter().map(|x| (x - value).powi(2)).sum::<f64>() / (n - 1.0);
    Number { value, error: (variance / n).sqrt() }
}

fn on_mdp(draws: &[Draw], oracle: &Oracle) -> Found {
    let gradients: Vec<Vec<f64>> = draws.iter().map(|d| d.gradient.clone()).collect();
    let bias = Bias::of(&gradients, &oracle.gradient);
    let (m, d) = (draws.len() as f64, oracle.gradient.len());
    let column = |k: usize| mean(&gradients.iter().map(|g| g[k]).collect::<Vec<_>>());
    // centre and sample variance per entry; the standard errors of both sums over entries are those of the means of their influence
    let entries: Vec<(f64, f64)> = (0..d).map(column).map(|x| (x.value, x.error * x.error * m)).collect();
    let squares = |weight: &dyn Fn(f64) -> f64| {
        let one = |g: &Vec<f64>| g.iter().zip(&entries).map(|(x, (c, s))| (x - c) * (x - c) * weight(*s)).sum();
        mean(&gradients.iter().map(one).collect::<Vec<f64>>()).error
    };
    let spread = |s: f64| if s > 0.0 { 0.5 / s.sqrt() } else { 0.0 };
    let last = oracle.thetas.len() - 1;
    let squared = |draw: &Draw| {
        let pairs = draw.thetas[last].iter().zip(&oracle.thetas[last]);
        pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / d as f64
    };
    let root = signed_root(bias.bias_squared, bias.bias_squared_error);
    let norm = bias.norm_squared.sqrt();
    let naive = (bias.grad_mse * d as f64).sqrt();
    // how far the squared bias is above what "n.r." asks for: the variance of the mean of the repeats
    let excess = (bias.bias_squared - bias.entry_variance * d as f64 / m) / bias.norm_squared;
    BTreeMap::from([
        ("rel_bias", Number { value: root.value / norm, error: root.error / norm }),
        ("excess", Number { value: excess, error: bias.bias_squared_error / bias.norm_squared }),
        (
            "entry_bias_squared",
            Number { value: bias.bias_squared / d as f64, error: bias.bias_squared_error / d as f64 },
        ),
        ("naive_rel_bias", Number { value: naive / norm, error: bias.bias_squared_error / (2.0 * naive * norm) }),
        ("corr", Number { value: bias.corr, error: bias.corr_error }),
        ("entry_variance", Number { value: bias.entry_variance, error: squares(&|_| 1.0 / d as f64) }),
        ("var", Number { value: bias.var, error: squares(&spread) }),
        ("inner_error", mean(&draws.iter().map(squared).collect::<Vec<_>>())),
    ])
}

/// sign(x) sqrt|x| of the debiased squared bias, and its standard deviation if x is normal about its value: linearised, it would be far off
/// where x is noise.
fn signed_root(x: f64, error: f64) -> Number {
    let root = |x: f64| x.abs().sqrt() * x.signum();
    let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
    for i in -240..=240 {
        let z = f64::from(i) / 40.0;
        let (weight, y) = ((-0.5 * z * z).exp(), root(x + error * z));
        (mass, first, second) = (mass + weight, first + weight * y, second + weight * y * y);
    }
    let centre = first / mass;
    Number { value: root(x), error: (second / mass - centre * centre).max(0.0).sqrt() }
}

/// The draws are those that `measure::bias` sums up.
#[test]
fn the_draws_are_the_library_s_own() {
    use stillpoint::measure::bias::{Setting, measure as whole};
    let entry = super::reference::table("a").into_iter().find(|e| e.n == Some(4)).expect("n = 4");
    let entry = Entry { repeats: Some(6), ..entry };
    let (tasks, sampling) = (mdps(), sampling(&MAML_RL, &entry));
    let known = oracles(&tasks, &sampling.chain);
    let all = whole(&Setting { sampling, repeats: 6, seed: 1 }, &tasks, &known, &|| false).expect("whole");
    let average = |f: &dyn Fn(&stillpoint::measure::bias::OnMdp) -> f64| all.iter().map(f).sum::<f64>() / 10.0;
    let ours = measure(&MAML_RL, &entry, &tasks);
    for (name, theirs) in [
        ("rel_bias", average(&|m| m.bias.relative())),
        ("corr", average(&|m| m.bias.corr)),
        ("var", average(&|m| m.bias.var)),
        ("entry_variance", average(&|m| m.bias.entry_variance)),
        ("inner_error", average(&|m| m.inner_error[1])),
    ] {
        assert!((ours[name].value / theirs - 1.0).abs() < 1e-9, "{name}: {} {theirs}", ours[name].value);
    }
}
