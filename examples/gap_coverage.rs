//! How often the 95 % interval of the measured gap holds the true one: replications on families whose gradient is known exactly.
//!
//! `cargo run --release --example gap_coverage -- [REPLICATIONS [FAMILY]]` prints a table (Markdown); 4000 replications of every
//! family by default.

use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use stillpoint::exact::expectation::theory_inner;
use stillpoint::exact::objective::Problem;
use stillpoint::learn::options::Inner;
use stillpoint::math::gap::{Gap, Method};
use stillpoint::measure::gap::{GapPlan, Gauge};
use stillpoint::optim::norm;
use stillpoint::policy::{Policy, TabularSoftmax};
use tasks::family::Family;

/// Groups, and tasks per group.
const SIZES: [[usize; 2]; 2] = [[40, 10], [20, 20]];

/// A family and the adaptation it is judged by.
struct Case {
    name: &'static str,
    params: serde_json::Value,
    alpha: f64,
    batch: usize,
    steps: usize,
}

impl Case {
    fn family(&self) -> Box<dyn Family> {
        let serde_json::Value::Object(map) = &self.params else { unreachable!("an object") };
        tasks::registry::build(self.name, map).expect("a family of ours")
    }

    fn inner(&self, gamma: f64) -> Inner {
        let advantage = theory_inner(gamma);
        Inner { steps: self.steps, episodes: self.batch, alpha: self.alpha, learn_alpha: false, advantage }
    }

    fn problem(&self, family: &dyn Family) -> Problem {
        Problem::new(family.finite().expect("finite"), family.gamma(), self.alpha, self.steps, self.batch)
    }
}

/// The draw of smallest gap among 2000 standard normal ones.
fn smallest(problem: &Problem) -> Vec<f64> {
    let mut rng = stillpoint::rng::Address::new(1, stillpoint::rng::Purpose::Statistics).stream();
    let draws = (0..2000).map(|_| (0..problem.dim()).map(|_| StandardNormal.sample(&mut rng)).collect::<Vec<f64>>());
    let gaps = draws.map(|theta| (norm(&problem.v_zeta_gradient(&theta).gradient), theta));
    gaps.min_by(|a, b| a.0.total_cmp(&b.0)).expect("draws").1
}

/// Exact ascent from `theta` until the gap is below `gap` (or 20 000 steps).
fn ascend(problem: &Problem, mut theta: Vec<f64>, gap: f64) -> Vec<f64> {
    for _ in 0..20_000 {
        let g = problem.v_zeta_gradient(&theta).gradient;
        if g.iter().map(|g| g * g).sum::<f64>().sqrt() < gap {
            break;
        }
        theta.iter_mut().zip(&g).for_each(|(x, g)| *x += g);
    }
    theta
}

fn report(case: &Case, theta: &[f64], label: &str, [groups, tasks]: [usize; 2], method: Method, replications: u64) {
    let family = case.family();
    let (problem, inner) = (case.problem(family.as_ref()), case.inner(family.gamma()));
    let mdp = &problem.tasks[0].1;
    let policy = Policy::Tabular(TabularSoftmax::new(mdp.states, mdp.actions));
    let truth = norm(&problem.v_zeta_gradient(theta).gradient).powi(2);
    let plan = GapPlan { method: Some(method), groups, tasks, episodes: 20, limit: 0 };
    let gauge = Gauge::new(family.as_ref(), &policy, family.gamma(), &inner, plan, 1).expect("feasible");
    let alpha = vec![case.alpha; theta.len()];
    let gaps: Vec<Gap> = (0..replications).into_par_iter().map(|k| gauge.measure(theta, &alpha, k).gap).collect();
    let count = |f: &dyn Fn(&Gap) -> bool| gaps.iter().filter(|g| f(g)).count() as f64 / gaps.len() as f64;
    let covered = count(&|g| g.gap_squared_interval[0] <= truth && truth <= g.gap_squared_interval[1]);
    let error = 1.96 * (covered * (1.0 - covered) / gaps.len() as f64).sqrt();
    let noise = gaps.iter().map(|g| g.noise).sum::<f64>() / gaps.len() as f64;
    println!(
        "| {} | {label} | {} | {groups} x {tasks} | {:.3e} | {:.2} | {:.1} ± {:.1} | {:.1} |",
        case.name,
        method.name(),
        truth.sqrt(),
        if noise > 0.0 { truth / noise } else { f64::INFINITY },
        100.0 * covered,
        100.0 * error,
        100.0 * count(&|g| g.gap.is_none()),
    );
}

fn main() {
    let replications = std::env::args().nth(1).map_or(4000, |n| n.parse().expect("a number of replications"));
    let cases = [
        Case { name: "analytic/a", params: serde_json::json!({}), alpha: 4.0, batch: 2, steps: 1 },
        Case { name: "analytic/b", params: serde_json::json!({}), alpha: 4.0, batch: 8, steps: 1 },
        Case {
            name: "garnet",
            params: serde_json::json!({"states": 2, "actions": 2, "horizon": 2, "branching": 2, "tasks": 3}),
            alpha: 1.0,
            batch: 2,
            steps: 1,
        },
        Case {
            name: "garnet",
            params: serde_json::json!({"states": 2, "actions": 2, "horizon": 2, "branching": 2, "tasks": 3}),
            alpha: 0.5,
            batch: 1,
            steps: 2,
        },
    ];
    println!("{replications} replications, nominal 95 %; ± is the Monte-Carlo error of the coverage\n");
    println!("| family | point | method | groups | gap | gap² / noise | coverage % | below resolution % |");
    println!("|---|---|---|---|---|---|---|---|");
    let only = std::env::args().nth(2);
    for case in cases.iter().filter(|c| only.as_ref().is_none_or(|name| name == c.name)) {
        let family = case.family();
        let problem = case.problem(family.as_ref());
        let start: Vec<f64> = (0..problem.dim()).map(|k| if k % 2 == 0 { 0.6 } else { -0.4 }).collect();
        let top = norm(&problem.v_zeta_gradient(&start).gradient);
        let mut points = vec![("medium", start.clone())];
        if problem.tasks[0].1.states == 1 {
            // the stationary point lies inside; elsewhere ascent runs to a corner, where sampling sees rare events only
            points.push(("small", ascend(&problem, start.clone(), top / 8.0)));
            points.push(("zero", ascend(&problem, start, 1e-9)));
        } else {
            points.push(("small", smallest(&problem)));
        }
        for (label, theta) in &points {
            for method in [Method::RaoBlackwell, Method::UStatistic] {
                for groups in SIZES {
                    report(case, theta, label, groups, method, replications);
                }
            }
        }
    }
}
