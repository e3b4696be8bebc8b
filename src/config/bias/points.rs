//! The points of a study: every combination of its lists, without those that would be the same.

use super::raw::{self, Estimator, Raw, Source};
use super::{MAX, MAX_COUNT, some};
use crate::config::Fault;
use crate::config::checks::{self, Checked};
use crate::estimator::tabular::Surrogate;
use crate::exact::kstep::Instance;
use crate::learn::kstep::{Part, Parts};

/// One point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Inner step size.
    pub alpha: f64,
    /// Inner steps K.
    pub steps: usize,
    /// Where the parts come from.
    pub parts: Parts,
    /// Error put into the exact Hessian.
    pub hessian_error: Option<f64>,
}

/// Names of a point's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// `e` or `l` for inner, Jacobian, outer.
    pub tag: String,
    /// Name of each part's estimator, or `exact`.
    pub parts: [&'static str; 3],
    /// Trajectories, if any part is estimated.
    pub trajectories: Option<usize>,
}

impl Point {
    /// The parts in order.
    fn all(&self) -> [Part; 3] {
        [self.parts.inner, self.parts.jacobian, self.parts.outer]
    }

    /// Names of the parts.
    pub fn label(&self) -> Label {
        let letter = |part: &Part| if *part == Part::Exact { 'e' } else { 'l' };
        let name = |part| if let Part::Estimated { surrogate, .. } = part { surrogate.name() } else { "exact" };
        let n = |part| if let Part::Estimated { n, .. } = part { Some(n) } else { None };
        let all = self.all();
        Label { tag: all.iter().map(letter).collect(), parts: all.map(name), trajectories: all.into_iter().find_map(n) }
    }

    /// Trajectories of one estimate.
    pub fn sampled(&self) -> usize {
        let n = |part| if let Part::Estimated { n, .. } = part { n } else { 0 };
        let [inner, jacobian, outer] = self.all().map(n);
        self.steps * (inner + jacobian) + outer
    }
}

/// Lambda of an instance where none is given.
pub fn lambda(instance: Instance) -> f64 {
    if instance == Instance::Lirpg { 0.9 } else { 1.0 }
}

fn surrogate(estimator: Estimator) -> Surrogate {
    match estimator {
        Estimator::Dice => Surrogate::Dice,
        Estimator::Loaded => Surrogate::Loaded,
        Estimator::Lvc => Surrogate::Lvc,
        Estimator::Maml => Surrogate::Maml,
    }
}

fn source(source: Source) -> Option<Surrogate> {
    match source {
        Source::Exact => None,
        Source::Dice => Some(Surrogate::Dice),
        Source::Loaded => Some(Surrogate::Loaded),
        Source::Lvc => Some(Surrogate::Lvc),
        Source::Maml => Some(Surrogate::Maml),
    }
}

/// Which of the three parts a tag says are estimated.
fn tag(key: &str, text: &str) -> Checked<[bool; 3]> {
    let letters: Vec<char> = text.chars().collect();
    match letters.as_slice() {
        [a, b, c] if [a, b, c].into_iter().all(|l| "el".contains(*l)) => Ok([*a == 'l', *b == 'l', *c == 'l']),
        _ => Err(Fault::new(
            key,
            format!(
                "must be three letters, `e` for exact or `l` for estimated, in the order inner, Jacobian, outer (eel, lee, ele, ell, \
                 lle, lel, lll or eee); found `{text}`"
            ),
        )),
    }
}

/// What each combination of parts estimates by what, with the key to blame.
fn combinations(raw: &mut Raw) -> Checked<Vec<(String, [Option<Surrogate>; 3])>> {
    if let Some(parts) = &raw.parts {
        for (key, is_given) in [("tags", raw.tags.is_some()), ("estimators", raw.estimators.is_some())] {
            if is_given {
                return Err(Fault::new(
                    key,
                    "has no effect beside `parts`, which names every part's estimator; leave it out",
                ));
            }
        }
        some("parts", Some(parts.clone()), raw::Parts::default())?;
        let one = |(i, p): (usize, &raw::Parts)| (format!("parts[{i}]"), [p.inner, p.jacobian, p.outer].map(source));
        return Ok(parts.iter().enumerate().map(one).collect());
    }
    let tags = some("tags", raw.tags.take(), "lll".to_string())?;
    let estimators = some("estimators", raw.estimators.take(), Estimator::Lvc)?;
    let mut all = Vec::new();
    for (i, text) in tags.iter().enumerate() {
        let estimated = tag(&format!("tags[{i}]"), text)?;
        for (j, &estimator) in estimators.iter().enumerate() {
            let parts = estimated.map(|is| is.then(|| surrogate(estimator)));
            all.push((format!("estimators[{j}]"), parts));
        }
    }
    (raw.tags, raw.estimators) = (Some(tags), Some(estimators));
    Ok(all)
}

/// Every point; the lists of `raw` are filled in with their defaults.
pub(super) fn points(raw: &mut Raw, instance: Instance) -> Checked<Vec<Point>> {
    let alphas = some("alpha", raw.alpha.take(), 10.0)?;
    let steps = some("steps", raw.steps.take(), 1)?;
    let trajectories = some("trajectories", raw.trajectories.take(), 32)?;
    let errors: Vec<Option<f64>> = match &raw.hessian_error {
        Some(list) => some("hessian_error", Some(list.clone()), 0.0)?.into_iter().map(Some).collect(),
        None => vec![None],
    };
    let at = |key: &str, i: usize| format!("{key}[{i}]");
    for (i, &alpha) in alphas.iter().enumerate() {
        checks::positive(&at("alpha", i), alpha, MAX)?;
    }
    for (key, list, most) in [("steps", &steps, 1000), ("trajectories", &trajectories, MAX_COUNT)] {
        for (i, &n) in list.iter().enumerate() {
            checks::count(&at(key, i), n as usize, most)?;
        }
    }
    for (i, error) in errors.iter().flatten().enumerate() {
        checks::within(&at("hessian_error", i), *error, -MAX, MAX)?;
    }
    let mut all = Vec::new();
    for (key, parts) in combinations(raw)? {
        if instance == Instance::Lirpg
            && parts[..2].iter().flatten().any(|s| matches!(s, Surrogate::Dice | Surrogate::Loaded))
        {
            let why = "must be lvc or maml for the inner parts of `lirpg`: its advantages have a lambda, which dice and loaded have not";
            return Err(Fault::new(key, why));
        }
        if parts[1].is_some() && errors[0].is_some() {
            return Err(Fault::new(
                "hessian_error",
                "belongs to an exact Jacobian (the second letter of the tag is `e`)",
            ));
        }
        for &alpha in &alphas {
            for &k in &steps {
                for &error in &errors {
                    for &n in &trajectories {
                        let part = |s: Option<Surrogate>| {
                            s.map_or(Part::Exact, |surrogate| Part::Estimated { surrogate, n: n as usize })
                        };
                        let [inner, jacobian, outer] = parts.map(part);
                        let parts = Parts { inner, jacobian, outer };
                        let point = Point { alpha, steps: k as usize, parts, hessian_error: error };
                        if !all.contains(&point) {
                            all.push(point); // where nothing is estimated, neither estimator nor trajectories count
                        }
                    }
                }
            }
        }
    }
    (raw.alpha, raw.steps, raw.trajectories) = (Some(alphas), Some(steps), Some(trajectories));
    Ok(all)
}
