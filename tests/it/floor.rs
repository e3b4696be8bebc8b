//! The MAML floor: its oracle values, its law in alpha, n and the reward offset, and the gap at which MAML stops.

use crate::fixtures;
use stillpoint::estimator::choice::{Estimator, LeaveGroupOutForm};
use stillpoint::exact::dynamics::Dynamics;
use stillpoint::exact::floor::{maml_floor, maml_floors, with_offset};
use stillpoint::exact::model::Model;
use stillpoint::exact::objective::Problem;
use stillpoint::exact::trajectory;

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// Specification 1.7: the bias stays as n grows while grad V_1 tends to the gradient of the exact-inner objective.
#[test]
fn the_bias_does_not_vanish_with_the_inner_batch() {
    let family = &fixtures::families()[0];
    let printed = [(0.0639, 0.0142), (0.0622, 0.0084), (0.0617, 0.0062), (0.0614, 0.0049)];
    for (n, (bias, to_bar)) in (1..).zip(printed) {
        let problem = family.problem(1, n);
        let floor = maml_floor(&problem, &family.theta, 0.0);
        assert!((floor.bias - bias).abs() < 0.51e-4, "n {n}: {floor:?}");
        let exact = problem.v_zeta_gradient(&family.theta).gradient;
        let bar = problem.exact_inner_gradient(&family.theta).gradient;
        assert!((distance(&exact, &bar) - to_bar).abs() < 0.51e-4, "n {n}");
    }
}

/// alpha E_i[E[grad log q grad nu^T] grad J_i] of 1.7, by enumeration.
fn first_order_bias(problem: &Problem, theta: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; theta.len()];
    for (i, (weight, mdp)) in problem.tasks.iter().enumerate() {
        let model = problem.model(i);
        let (all, j) = (model.trajectories(), model.gradient(theta));
        let ones: Vec<_> = (all.iter())
            .map(|tau| trajectory::Trajectory { to_go: vec![1.0; tau.to_go.len()], ..tau.clone() })
            .collect();
        // with every return one, the policy gradient of a trajectory is its score
        let (under, score) =
            (trajectory::under(&all, theta, mdp.actions), trajectory::under(&ones, theta, mdp.actions));
        for ((q, g), s) in under.probability.iter().zip(&under.gradient).zip(&score.gradient) {
            let along: f64 = g.iter().zip(&j).map(|(g, j)| g * j).sum();
            sum.iter_mut().zip(s).for_each(|(sum, s)| *sum += weight * q * problem.alpha * along * s);
        }
    }
    sum
}

#[test]
fn for_small_steps_the_bias_is_the_missing_half_of_the_policy_hessian() {
    let family = &fixtures::families()[1];
    let errors: Vec<f64> = [1e-2, 1e-3]
        .into_iter()
        .map(|alpha| {
            let problem = Problem { alpha, ..family.problem(1, 2) };
            let expected = first_order_bias(&problem, &family.theta);
            let found = maml_floor(&problem, &family.theta, 0.0).bias;
            (found - distance(&expected, &vec![0.0; expected.len()])).abs() / alpha
        })
        .collect();
    assert!(errors[1] < 1e-3 && (errors[0] / errors[1] / 10.0 - 1.0).abs() < 0.1, "O(alpha): {errors:?}");
}

#[test]
fn an_offset_moves_the_value_and_the_bias_but_not_the_gradient() {
    let family = &fixtures::families()[0];
    let (problem, moved) = (family.problem(1, 2), with_offset(&family.problem(1, 2), 2.0));
    let [before, after] = [&problem, &moved].map(|p| Model { mdp: &p.tasks[0].1, gamma: p.gamma });
    let shift = after.value(&family.theta) - before.value(&family.theta);
    assert!((shift - 2.0 * 1.9).abs() < 1e-13, "{shift}");
    fixtures::close(&after.gradient(&family.theta), &before.gradient(&family.theta), 1e-14);

    let cells = maml_floors(&problem, &family.theta, &[0.03, 0.3, 1.0], &[1, 2], &[-4.0, -1.0, 0.0, 1.0, 4.0]);
    assert_eq!(cells.len(), 30);
    for c in &cells {
        assert!(c.floor.bias <= c.floor.bound.expect("one step"), "{c:?}");
    }
    // grows with the offset, in proportion to alpha where alpha is small
    for row in cells.chunks(5) {
        let bias: Vec<f64> = row.iter().map(|c| c.floor.bias).collect();
        assert!(bias[4] > bias[3] && bias[3] > bias[2] && bias[0] > bias[1], "{row:?}");
    }
    let share = cells[10].floor.bias / cells[0].floor.bias;
    assert!(share > 5.0 && share < 11.0, "{share}");
}

/// At rest MAML's gap is its bias, and SG-MRL's gap passes below it.
#[test]
fn maml_stops_at_its_floor_and_sgmrl_goes_through_it() {
    for (name, alpha, batch) in [("analytic/a", 4.0, 2), ("analytic/b", 4.0, 8), ("analytic/c", 1.0, 8)] {
        let family = tasks::registry::build(name, &serde_json::Map::new()).expect("a registered family");
        let tasks = family.finite().expect("finite").into_iter().map(|(w, mdp)| (w, mdp.clone())).collect();
        let problem = Problem { tasks, gamma: 1.0, alpha, steps: 1, batch };
        let run = |name: &str| {
            let estimator = Estimator::named(name, 1, LeaveGroupOutForm::Importance).expect("a known name");
            let mut dynamics = Dynamics::new(problem.clone(), estimator, 1, vec![0.0; 2], 2.0);
            let rests = dynamics.settle(1e-12, 500).expect("finite");
            (rests, dynamics.here().clone())
        };
        let (maml_rests, maml) = run("maml");
        let floor = maml_floor(&problem, &maml.theta, 0.0);
        assert!(maml_rests && floor.drift <= 1e-12 && floor.gap == maml.gap, "{maml:?}");
        assert!((floor.bias - floor.gap).abs() < 1e-11 && floor.gap > 1e-3, "{floor:?}");
        let (_, sgmrl) = run("sgmrl");
        assert!(sgmrl.gap < 0.1 * floor.gap && sgmrl.value > maml.value, "{sgmrl:?} {maml:?}");
    }
}
