//! The online actor-critic on single tasks: exact meta-gradients, exact resumption, and learning cart-pole.

use stillpoint::config::{self, Overrides};
use stillpoint::estimator::online::{Eta, Rail, Setting, Tunable, Tunables};
use stillpoint::learn::online::actor_critic::{Learner, Options};
use stillpoint::optim::{Optimiser, Rule};
use stillpoint::rng::{Address, Purpose};

fn options(updates: u64) -> Options {
    let eta = Eta { value_cost: 0.5, entropy_cost: 0.01, ..Eta::reference(0.95, 0.95) };
    let mut tunables = Tunables::fixed(&eta);
    *tunables.get_mut(Tunable::Gamma) = Setting::meta(0.95);
    *tunables.get_mut(Tunable::Lambda) = Setting::meta(0.95);
    let adam = |beta: f64| Optimiser::Adam { beta, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    Options {
        actors: 16,
        length: 20,
        hidden: vec![32],
        embedding: 4,
        rule: Rule { optimiser: adam(5e-3), clip: Some(0.5) },
        tunables,
        reference: [0.99, 1.0],
        separate_critic: true,
        meta: adam(1e-2),
        rail: Rail::default(),
        updates,
    }
}

fn learner(family: &str, options: Options, seed: u64) -> Learner {
    let family = config::load(Some(family), &Overrides::default()).expect("a preset").family;
    let task = family.sample(&mut Address::new(seed, Purpose::Task).stream());
    Learner::new(task, options, seed)
}

#[test]
fn the_meta_gradient_is_that_of_the_update_it_makes() {
    for family in ["cartpole", "navigation/sgmrl", "garnet"] {
        for separate_critic in [true, false] {
            let mut learner = learner(family, Options { separate_critic, ..options(50) }, 3);
            for _ in 0..3 {
                learner.step().expect("finite");
                let size = learner.check_gradient().iter().fold(0.0, |m: f64, c| m.max(c.difference.abs()));
                for c in learner.check_gradient() {
                    let error = (c.exact - c.difference).abs() / size;
                    assert!(error < 1e-6 && size > 0.0, "{family} {c:?}");
                }
            }
        }
    }
}

#[test]
fn a_restored_learner_goes_on_as_if_it_had_not_stopped() {
    for family in ["cartpole", "navigation/sgmrl"] {
        let mut whole = learner(family, options(50), 2);
        (0..5).for_each(|_| drop(whole.step().expect("finite")));
        let text = serde_json::to_string(whole.state()).expect("JSON");
        let mut other = learner(family, options(50), 2);
        other.restore(serde_json::from_str(&text).expect("a state"));
        for _ in 0..5 {
            assert_eq!(whole.step(), other.step());
        }
        assert_eq!(whole.state(), other.state());
    }
}

#[test]
fn cart_pole_is_learned() {
    let mut learner = learner("cartpole", options(400), 1);
    let rows: Vec<_> = (0..400).map(|_| learner.step().expect("finite")).collect();
    let mean = |rows: &[stillpoint::learn::online::actor_critic::Row]| {
        let ended: Vec<f64> = rows.iter().filter_map(|r| r.achieved).collect();
        ended.iter().sum::<f64>() / ended.len() as f64
    };
    let [first, last] = [mean(&rows[..40]), mean(&rows[360..])];
    println!("cart-pole: return {first:.1}, then {last:.1}; gamma {:.4}", rows[399].gamma);
    assert!(last > 3.0 * first, "{first} {last}");
}
