//! One case of each section of the oracle's vectors, computed by our own functions.

use super::vectors::Check;
use crate::fixtures::numbers;
use serde_json::Value;
use stillpoint::batch::Actions;
use stillpoint::diff::{Activation, Along, At, ConditionedMlp, Network};
use stillpoint::estimator::online::{
    Arms, Chain, Eta, Inner, Learned, Objective, Outer, OuterReturn, Reduction, Setting, Step, Tunable, Unroll,
    outer_gradient,
};
use stillpoint::math::dual::Dual;
use stillpoint::math::groups::{SquaredNorm, half_product};
use stillpoint::math::real::Real;
use stillpoint::math::targets::{Bootstrap, Knobs, Param, Steps, Target, VTrace, adjoint, targets};
use stillpoint::optim::{Differential, Moving, Optimiser, RmsPropDialect, Rule, State};
use stillpoint::policy::actor_critic::{ActionHead, Heads};

fn floats<F: Real>(v: &Value) -> Vec<F> {
    numbers(v).into_iter().map(F::of).collect()
}

#[track_caller]
fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("`{key}`: a number, not {}", case[key]))
}

fn duals<F: Real>(v: &Value) -> Vec<Dual<F>> {
    floats(v).into_iter().map(Dual::constant).collect()
}

fn re<F: Real>(x: &[Dual<F>]) -> Vec<F> {
    x.iter().map(|x| x.re).collect()
}

fn du<F: Real>(x: &[Dual<F>]) -> Vec<F> {
    x.iter().map(|x| x.du).collect()
}

/// Fails on keys that nothing here looks at.
fn known(name: &str, v: &Value, keys: &[&str]) {
    for key in v.as_object().unwrap_or_else(|| panic!("{name}: an object")).keys() {
        assert!(keys.contains(&key.as_str()), "{name}: `{key}` is unknown");
    }
}

fn bar(case: &Value, key: &str) -> f64 {
    case.get(key).map_or(1.0, |v| v.as_f64().unwrap_or(f64::INFINITY))
}

fn vtrace(case: &Value, pg: &str) -> Target {
    let bootstrap = match pg {
        "vs" => Bootstrap::Vs,
        "mix" => Bootstrap::Mix,
        other => panic!("pg `{other}` is unknown"),
    };
    Target::VTrace(VTrace {
        rho_bar: bar(case, "rho_bar"),
        c_bar: bar(case, "c_bar"),
        pg_rho_bar: bar(case, "pg_rho_bar"),
        bootstrap,
    })
}

/// Returns with all derivatives and adjoints.
pub fn returns<F: Real>(name: &str, case: &Value, check: &mut Check) {
    let batch = case["rewards"][0].as_array().expect("rewards [T][B]").len();
    let (rewards, not_done) = (floats::<F>(&case["rewards"]), floats::<F>(&case["not_done"]));
    let (values, ratio) = (duals::<F>(&case["values"]), duals::<F>(&case["ratio"]));
    let steps =
        Steps { batch, rewards: &rewards, not_done: &not_done, successors: None, values: &values, ratio: Some(&ratio) };
    let (gamma, lambda) = (F::of(number(case, "gamma")), F::of(number(case, "lambda")));
    let moving = |by: usize| {
        let seed = |k: usize| if k == by { F::one() } else { F::zero() };
        Knobs {
            gamma: Param::Global(Dual::new(gamma, seed(0))),
            lambda: Param::Global(Dual::new(lambda, seed(1))),
            leak: Dual::constant(F::one()),
        }
    };
    let (gamma_t, lambda_t) = (duals::<F>(&case["gamma_t"]), duals::<F>(&case["lambda_t"]));
    let per_step =
        Knobs { gamma: Param::PerStep(&gamma_t), lambda: Param::PerStep(&lambda_t), leak: Dual::constant(F::one()) };
    let weights = floats::<F>(&case["weights"]);
    let zero = vec![F::zero(); weights.len()];
    let one = |target: &Target, at: &str, expected: &Value, check: &mut Check| {
        let [by_gamma, by_lambda] = [0, 1].map(|by| targets(target, &moving(by), &steps));
        let (on_value, on_advantage) = match expected.get("adjoint_weights_adv") {
            Some(adv) => (&weights, floats::<F>(adv)),
            None => (&weights, zero.clone()),
        };
        let reverse = adjoint(target, &per_step, &steps, on_value, &on_advantage);
        for (key, expected) in expected.as_object().expect("expected arrays") {
            let found = match key.as_str() {
                "value" | "vs" => re(&by_gamma.value),
                "adv" => re(&by_gamma.advantage),
                "d_gamma" | "d_vs_d_gamma" => du(&by_gamma.value),
                "d_lambda" | "d_vs_d_lambda" => du(&by_lambda.value),
                "d_adv_d_gamma" => du(&by_gamma.advantage),
                "d_adv_d_lambda" => du(&by_lambda.advantage),
                "adjoint_d_gamma_t" => reverse.gamma.clone(),
                "adjoint_d_lambda_t" => reverse.lambda.clone(),
                "adjoint_weights_adv" => continue,
                other => panic!("{at}: `{other}` is unknown"),
            };
            check.array(&format!("{at}.{key}"), &found, expected);
        }
    };
    for (key, expected) in case.as_object().expect("a case") {
        match key.as_str() {
            "lambda_return" | "gae" => one(&Target::Lambda, &format!("{name}.{key}"), expected, check),
            "n_step" => {
                for (n, expected) in expected.as_object().expect("one entry per n") {
                    let steps = n.parse().unwrap_or_else(|_| panic!("{name}.n_step: `{n}` is not a number"));
                    one(&Target::NStep { n: steps }, &format!("{name}.n_step.{n}"), expected, check);
                }
            }
            "vtrace" => {
                for (pg, expected) in expected.as_object().expect("one entry per pg") {
                    one(&vtrace(case, pg), &format!("{name}.vtrace.{pg}"), expected, check);
                }
            }
            "seed" | "T" | "B" | "gamma" | "lambda" | "rewards" | "not_done" | "values" | "ratio" | "weights" => {}
            "rho_bar" | "c_bar" | "pg_rho_bar" | "gamma_t" | "lambda_t" => {}
            other => panic!("{name}: `{other}` is unknown"),
        }
    }
}

/// The oracle's network, and for each of our parameters the place of the oracle's.
///
/// The oracle lays out We[E, K], W1[H, D + E], b1, Wp[A, H], bp, wv, bv; ours is We[K, E], W1e[E, H], W1x[D, H], b1,
/// [Wp^T | wv] [H, A + 1], [bp, bv].
fn network(case: &Value) -> (ConditionedMlp, Vec<usize>, [usize; 2]) {
    let net = &case["net"];
    known("net", net, &["D", "K", "E", "H", "A", "order", "activation"]);
    let size = |key: &str| net[key].as_u64().unwrap_or_else(|| panic!("net.{key}")) as usize;
    let [d, k, e, h, a] = ["D", "K", "E", "H", "A"].map(size);
    assert_eq!(net["order"], serde_json::json!(["We", "W1", "b1", "Wp", "bp", "wv", "bv"]), "net.order");
    let activation = match net.get("activation").and_then(Value::as_str) {
        None | Some("tanh") => Activation::Tanh,
        Some("relu") => Activation::Relu,
        Some(other) => panic!("net.activation `{other}` is unknown"),
    };
    let w1 = e * k;
    let b1 = w1 + h * (d + e);
    let wp = b1 + h;
    let bp = wp + a * h;
    let wv = bp + a;
    let mut places = Vec::new();
    places.extend((0..k).flat_map(|j| (0..e).map(move |i| i * k + j)));
    let first = |input: usize| (0..h).map(move |j| w1 + j * (d + e) + input);
    places.extend((d..d + e).flat_map(first));
    places.extend((0..d).flat_map(first));
    places.extend(b1..b1 + h);
    places.extend((0..h).flat_map(|j| (0..a).map(move |i| wp + i * h + j).chain([wv + j])));
    places.extend((bp..bp + a).chain([wv + h]));
    (ConditionedMlp::new(vec![d, h, a + 1], activation, k, e), places, [a, k])
}

fn unroll<F: Real>(tau: &Value) -> Unroll<F, F> {
    known("tau", tau, &["r", "nd", "X", "a", "logmu"]);
    Unroll {
        batch: tau["r"][0].as_array().expect("r [T][B]").len(),
        obs: floats(&tau["X"]),
        actions: Actions::Discrete(numbers(&tau["a"]).into_iter().map(|a| a as u32).collect()),
        rewards: floats(&tau["r"]),
        not_done: floats(&tau["nd"]),
        successors: None,
        behaviour: floats(&tau["logmu"]),
    }
}

fn reduction(case: &Value, key: &str) -> Reduction {
    match case[key].as_str() {
        Some("sum") => Reduction::Sum,
        Some("mean") => Reduction::Mean,
        other => panic!("{key} {other:?} is unknown"),
    }
}

fn target(case: &Value) -> Target {
    match case["target"].as_str() {
        Some("lambda" | "gae") => Target::Lambda,
        Some("nstep" | "n_step") => {
            let n = ["n", "n_step", "nstep"].iter().find_map(|k| case.get(*k)).and_then(Value::as_u64);
            Target::NStep { n: n.expect("target nstep needs `n` or `n_step`") as usize }
        }
        Some("vtrace") => vtrace(case, case["pg"].as_str().expect("pg")),
        other => panic!("target {other:?} is unknown"),
    }
}

/// Rule and state before the step. Ours ascends: first moments have the other sign.
fn rule<F: Real>(case: &Value, places: &[usize]) -> (Rule, State<F>) {
    let o = &case["optimizer"];
    known("optimizer", o, &["kind", "lr", "b1", "b2", "decay", "eps", "frozen"]);
    let beta = number(o, "lr");
    let rms = |dialect: RmsPropDialect| {
        let (decay, epsilon) = (number(o, "decay"), number(o, "eps"));
        Optimiser::RmsProp { beta, decay, epsilon, dialect, initial: dialect.initial() }
    };
    let optimiser = match o["kind"].as_str() {
        Some("sgd") => Optimiser::Sgd { beta },
        Some("rmsprop_tf") => rms(RmsPropDialect::TensorFlow),
        Some("rmsprop_torch" | "rmsprop_pt" | "rmsprop_pytorch") => rms(RmsPropDialect::PyTorch),
        Some("adam") => {
            let (beta1, beta2) = (number(o, "b1"), number(o, "b2"));
            Optimiser::Adam { beta, beta1, beta2, epsilon: number(o, "eps") }
        }
        other => panic!("optimizer.kind {other:?} is unknown"),
    };
    let mut state = optimiser.start::<F>(places.len());
    if let Some(given) = case["optimizer_state"].as_object() {
        for (key, v) in given {
            match key.as_str() {
                "ms" | "v" | "s" => state.second = ours(&numbers(v), places, 1.0),
                "m" => state.first = ours(&numbers(v), places, -1.0),
                "t" => state.steps = v.as_u64().expect("t"),
                other => panic!("optimizer_state.{other} is unknown"),
            }
        }
    }
    let clip = match &case["clip"] {
        Value::Null => None,
        v => Some(v.as_f64().expect("clip: null or a number")),
    };
    (Rule { optimiser, clip }, state)
}

fn ours<F: Real>(theirs: &[f64], places: &[usize], sign: f64) -> Vec<F> {
    assert_eq!(theirs.len(), places.len(), "parameters");
    places.iter().map(|p| F::of(sign * theirs[*p])).collect()
}

fn theirs<F: Real>(ours: &[F], places: &[usize], sign: f64) -> Vec<f64> {
    let mut out = vec![0.0; ours.len()];
    places.iter().zip(ours).for_each(|(p, x)| out[*p] = sign * x.f64());
    out
}

const META_KEYS: [&str; 26] = [
    "seed",
    "target",
    "pg",
    "n",
    "n_step",
    "nstep",
    "optimizer",
    "optimizer_state",
    "clip",
    "value_cost",
    "entropy_cost",
    "loss_reduction",
    "outer_reduction",
    "outer_value_cost",
    "outer_entropy_cost",
    "gamma_bar",
    "lambda_bar",
    "net",
    "theta",
    "x_logits",
    "tau",
    "tau_prime",
    "expect",
    "rho_bar",
    "c_bar",
    "pg_rho_bar",
];

/// Logits of gamma and lambda, and the meta-parameters of the inner and the outer loss.
fn etas(case: &Value) -> (Vec<f64>, [Eta; 2]) {
    let x = numbers(&case["x_logits"]);
    let sigmoid = Setting::meta(0.5);
    let mut eta = Eta::reference(sigmoid.value(x[0]), sigmoid.value(x[1]));
    (eta.value_cost, eta.entropy_cost) = (number(case, "value_cost"), number(case, "entropy_cost"));
    let mut reference = Eta::reference(number(case, "gamma_bar"), number(case, "lambda_bar"));
    (reference.value_cost, reference.entropy_cost) =
        (number(case, "outer_value_cost"), number(case, "outer_entropy_cost"));
    (x, [eta, reference])
}

fn differential(case: &Value) -> Differential {
    match &case["optimizer"]["frozen"] {
        Value::Null | Value::Bool(false) => Differential::Exact,
        Value::Bool(true) => Differential::Frozen,
        other => panic!("optimizer.frozen {other} is unknown"),
    }
}

/// A whole meta-gradient, each stage on our own results of the stage before.
pub fn meta<F: Real>(name: &str, case: &Value, check: &mut Check) {
    meta_from::<F>(name, case, false, check);
}

/// The same, each stage on the oracle's results of the stage before: g_hat, theta', u and w.
pub fn meta_stages<F: Real>(name: &str, case: &Value, check: &mut Check) {
    meta_from::<F>(name, case, true, check);
}

fn meta_from<F: Real>(name: &str, case: &Value, stages: bool, check: &mut Check) {
    known(name, case, &META_KEYS);
    let (net, places, [actions, k]) = network(case);
    assert_eq!(k, 2, "{name}: conditioning on gamma and lambda");
    let heads = Heads { policy: ActionHead::Softmax { actions }, values: 1 };
    let (x, [eta, reference]) = etas(case);
    let sigmoid = Setting::meta(0.5);
    let objective =
        |key: &str| Objective { target: target(case), reduction: reduction(case, key), critic: 0, auxiliary: None };
    let (rule, before) = rule::<F>(case, &places);
    let inner = Inner { net: &net, heads, objective: objective("loss_reduction"), rule };
    let outer = Outer { objective: objective("outer_reduction"), eta: reference };

    let tunables = [Tunable::Gamma, Tunable::Lambda];
    let (tau, later) = (unroll::<F>(&case["tau"]), unroll::<F>(&case["tau_prime"]));
    let theta = ours::<F>(&numbers(&case["theta"]), &places, 1.0);
    let condition = eta.condition::<F>(&tunables);
    let at = At { theta: &theta, obs: &tau.obs, condition: &condition };
    let (mut tape, mut outer_tape) = Default::default();
    let step = inner.step(at, &tau, &eta, &mut tape);
    let outputs = net.output(&tape).to_vec();

    let given = |own: &[F], key: &str, sign: f64| match case["expect"].get(key) {
        Some(expected) if stages => ours(&numbers(expected), &places, sign),
        _ => own.to_vec(),
    };
    let used = given(&step.gradient, "g_hat", -1.0);
    let (mut after, mut state, mut clipped) = (theta.clone(), before.clone(), used.clone());
    rule.apply(&mut state, &mut clipped, &mut after);
    let start = given(&after, "theta_prime", 1.0);
    let there = At { theta: &start, obs: &later.obs, condition: &condition };
    let u = outer_gradient(&net, &heads, &outer, there, &later, None, &mut outer_tape);
    let mut cotangent = Moving::of(given(&u.ascent, "u", -1.0), &before);
    let w = rule.pull_back(&before, &used, differential(case), &mut cotangent);
    let direction = given(&w, "w", -1.0);
    let found = inner.along(at, &tau, &eta, &tunables, &step.evaluation, &direction, &mut tape);
    net.jvp(at, Along { theta: Some(&direction), condition: None }, &mut tape);
    let dots = heads.tangents(&step.evaluation.distribution, &tau.actions, net.tangent(&tape));
    let embedded = inner.through_embedding(at, &tau, &eta, &step.evaluation, &direction, &mut tape);
    let Step { evaluation, targets, gradient } = step;
    let negative = |x: &[F]| x.iter().map(|x| -x.f64()).collect::<Vec<_>>();
    let by_logits =
        |d: &mut dyn Iterator<Item = f64>| d.zip(&x).map(|(d, x)| -d * sigmoid.slope(*x)).collect::<Vec<_>>();
    for (key, expected) in case["expect"].as_object().expect("expect") {
        let numbers_found: Vec<f64> = match key.as_str() {
            "logits" => outputs.chunks(actions + 1).flat_map(|row| &row[..actions]).map(|x| x.f64()).collect(),
            "values" => evaluation.values[0].iter().map(|x| x.f64()).collect(),
            "Y" => re(&targets.value).iter().map(|x| x.f64()).collect(),
            "A" => re(&targets.advantage).iter().map(|x| x.f64()).collect(),
            "g_hat" => theirs(&gradient, &places, -1.0),
            "theta_prime" => theirs(&after, &places, 1.0),
            "u" => theirs(&u.ascent, &places, -1.0),
            "w" => theirs(&w, &places, -1.0),
            "lp_dot" => negative(&dots.log_prob),
            "v_dot" => negative(&dots.values[0][..tau.steps()]),
            "dJ_deta" => found.total.iter().map(|x| -x).collect(),
            "dJ_dx" | "dJ_dx_autodiff" => by_logits(&mut found.total.iter().copied()),
            "dJ_deta_per_trajectory" => found.per_trajectory.iter().flatten().map(|x| -x).collect(),
            "dJ_dx_with_embedding_path" => by_logits(&mut found.total.iter().zip(&embedded).map(|(a, b)| a + b)),
            "J_prime" => vec![u.loss],
            other => panic!("{name}: expected `{other}` is unknown"),
        };
        check.numbers(&format!("{name}.{key}"), &numbers_found, &numbers(expected));
    }
}

/// Squared norms from groups; they are statistics of recorded numbers and exist in f64 only.
pub fn gap(name: &str, case: &Value, check: &mut Check) {
    let groups: Vec<Vec<f64>> = case["groups"].as_array().expect("groups").iter().map(numbers).collect();
    for (key, expected) in case.as_object().expect("a case") {
        let found = match key.as_str() {
            "u_statistic" => SquaredNorm::of_groups(&groups).squared,
            "half_product" => half_product(&groups),
            "groups" => continue,
            other => panic!("{name}: `{other}` is unknown"),
        };
        check.array(&format!("{name}.{key}"), &[found], expected);
    }
}

/// State-dependent gamma or lambda by plain gradient descent on logits.
pub fn chain<F: Real>(name: &str, case: &Value, check: &mut Check) {
    let keys = ["chain", "alpha", "beta", "episodes_statistical_test", "rewards", "trace", "statistical"];
    known(name, case, &keys);
    let learned = match case["chain"].as_str() {
        Some("signal_noise") => Learned::Gamma { lambda: 1.0 },
        Some("negated_pairs") => Learned::Lambda { gamma: 1.0 },
        other => panic!("{name}: chain {other:?} is unknown"),
    };
    let chain = Chain { alpha: number(case, "alpha"), learned };
    let sgd = Optimiser::Sgd { beta: number(case, "beta") };
    let episodes: Vec<Vec<f64>> = case["rewards"].as_array().expect("rewards").iter().map(numbers).collect();
    let states: Vec<usize> = (0..episodes[0].len()).collect();
    let sigmoid = Setting::meta(0.5);
    let mut values = vec![F::zero(); states.len()];
    let mut x = values.clone();
    let mut state = sgd.start::<F>(x.len());
    for (k, expected) in case["trace"].as_array().expect("trace").iter().enumerate() {
        let eta: Vec<F> = x.iter().map(|x| F::of(sigmoid.value(x.f64()))).collect();
        let step = chain.step(&values, &eta, [&states, &states], [&episodes[k], &episodes[k + 1]]);
        let ascent: Vec<F> = step.d_eta.iter().zip(&x).map(|(d, x)| -*d * F::of(sigmoid.slope(x.f64()))).collect();
        sgd.ascend(&mut state, &ascent, &mut x);
        values = step.values;
        let at = format!("{name}.trace[{k}]");
        known(&at, expected, &["v", "x", "dJ_deta"]);
        check.array(&format!("{at}.v"), &values, &expected["v"]);
        check.array(&format!("{at}.x"), &x, &expected["x"]);
        check.array(&format!("{at}.dJ_deta"), &step.d_eta, &expected["dJ_deta"]);
    }
}

/// The five arms, three variants; a quantity over the recorded steps of a variant is one array.
pub fn control<F: Real>(name: &str, case: &Value, check: &mut Check) {
    known(name, case, &["delays", "rewards", "alpha", "entropy", "adam", "gamma0", "runs"]);
    let arms = Arms {
        delays: numbers(&case["delays"]),
        rewards: numbers(&case["rewards"]),
        alpha: number(case, "alpha"),
        entropy: number(case, "entropy"),
    };
    let adam = &case["adam"];
    let [beta, beta1, beta2, epsilon] = ["lr", "b1", "b2", "eps"].map(|k| number(adam, k));
    let adam = Optimiser::Adam { beta, beta1, beta2, epsilon };
    let sigmoid = Setting::meta(0.5);
    for (variant, expected) in case["runs"].as_object().expect("runs") {
        let (outer, moves) = match variant.as_str() {
            "meta" => (OuterReturn::Unbiased, true),
            "fixed_gamma" => (OuterReturn::Unbiased, false),
            "biased_outer_critic" => (OuterReturn::InnerCritic, true),
            other => panic!("{name}: run `{other}` is unknown"),
        };
        let recorded = expected.as_array().expect("recorded steps");
        let mut theta = vec![F::zero(); arms.delays.len()];
        let mut x = vec![F::of(sigmoid.logit(number(case, "gamma0")))];
        let mut state = adam.start::<F>(1);
        let (mut found, mut wanted): ([Vec<f64>; 4], [Vec<f64>; 4]) = Default::default();
        let last = recorded.iter().map(|r| number(r, "step") as usize).max().unwrap_or(0);
        for k in 1..=last {
            let gamma = F::of(sigmoid.value(x[0].f64()));
            let d_x = arms.step(&mut theta, gamma, outer).f64() * sigmoid.slope(x[0].f64());
            if moves {
                adam.ascend(&mut state, &[F::of(-d_x)], &mut x);
            }
            for row in recorded.iter().filter(|r| number(r, "step") as usize == k) {
                known(name, row, &["step", "gamma", "dJ_dx", "theta", "true_return"]);
                let gamma = sigmoid.value(x[0].f64());
                let quantities = [vec![gamma], vec![d_x], theta.iter().map(|x| x.f64()).collect()];
                let mean = vec![arms.true_return(&theta).f64()];
                found.iter_mut().zip(quantities.into_iter().chain([mean])).for_each(|(f, q)| f.extend(q));
                let keys = ["gamma", "dJ_dx", "theta", "true_return"];
                wanted.iter_mut().zip(keys).for_each(|(w, key)| w.extend(numbers(&row[key])));
            }
        }
        for ((key, found), wanted) in ["gamma", "dJ_dx", "theta", "true_return"].iter().zip(found).zip(wanted) {
            check.numbers(&format!("{name}.{variant}.{key}"), &found, &wanted);
        }
    }
}
