//! The points of a study: every combination of its lists, without those that would be the same.

use super::raw::{self, Estimator, Raw, Source};
use super::{MAX, MAX_COUNT, some};
use crate::config::Fault;
use crate::config::checks::{self, Checked};
use crate::estimator::tabular::{Correction, Surrogate};
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
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// `e` or `l` for inner, Jacobian, outer.
    pub tag: String,
    /// Name of each part's estimator, or `exact`.
    pub parts: [&'static str; 3],
    /// Trajectories, if any part is estimated.
    pub trajectories: Option<usize>,
    /// The buffer that inner parts draw on.
    pub buffer: Option<Buffered>,
}

/// A buffer of trajectories of the current and earlier policies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Buffered {
    /// Trajectories in all.
    pub size: usize,
    /// Distance of neighbouring policies in logits.
    pub drift: f64,
    /// What is done to the products of ratios.
    pub correction: Correction,
}

impl Point {
    /// The parts in order.
    fn all(&self) -> [Part; 3] {
        [self.parts.inner, self.parts.jacobian, self.parts.outer]
    }

    /// Names of the parts.
    pub fn label(&self) -> Label {
        let letter = |part: &Part| if *part == Part::Exact { 'e' } else { 'l' };
        let name = |part| match part {
            Part::Exact => "exact",
            Part::Estimated { surrogate, .. } => surrogate.name(),
            Part::Recycled { .. } => Surrogate::Dice.name(),
        };
        let n = |part| match part {
            Part::Exact => None,
            Part::Estimated { n, .. } | Part::Recycled { n, .. } => Some(n),
        };
        let buffer = |part| match part {
            Part::Recycled { n, batches, drift, correction } => Some(Buffered { size: n * batches, drift, correction }),
            _ => None,
        };
        let all = self.all();
        Label {
            tag: all.iter().map(letter).collect(),
            parts: all.map(name),
            trajectories: all.into_iter().find_map(n),
            buffer: all.into_iter().find_map(buffer),
        }
    }

    /// Trajectories of one estimate.
    pub fn sampled(&self) -> usize {
        let n = |part| match part {
            Part::Exact => 0,
            Part::Estimated { n, .. } => n,
            Part::Recycled { n, batches, .. } => n * batches,
        };
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

/// Every buffer that is asked for; `None` stands for fresh trajectories alone.
fn buffers(raw: &mut Raw, instance: Instance, steps: &[u64], trajectories: &[u64]) -> Checked<Vec<Option<Buffered>>> {
    let Some(sizes) = raw.buffer.take() else {
        for (key, is_given) in
            [("drift", raw.drift.is_some()), ("correction", raw.correction.is_some()), ("clip", raw.clip.is_some())]
        {
            if is_given {
                return Err(Fault::new(key, "has no effect without a `buffer`; leave it out"));
            }
        }
        return Ok(vec![None]);
    };
    let sizes = some("buffer", Some(sizes), 0)?;
    if instance != Instance::Maml || steps != [1] {
        return Err(Fault::new(
            "buffer",
            "needs `problem = \"maml-rl\"` and `steps = 1`: earlier policies are those before the first inner step",
        ));
    }
    if raw.estimators.as_deref() != Some(&[Estimator::Dice]) {
        return Err(Fault::new(
            "estimators",
            "must be dice beside a `buffer`: only it is corrected for other policies",
        ));
    }
    for (i, &size) in sizes.iter().enumerate() {
        let key = format!("buffer[{i}]");
        checks::count(&key, size as usize, MAX_COUNT)?;
        if let Some(n) = trajectories.iter().find(|&&n| size < n || size % n != 0) {
            let why = format!(
                "must be a multiple of the batch, whose `trajectories` are {n}: it holds whole batches, the fresh one first; found {size}"
            );
            return Err(Fault::new(key, why));
        }
    }
    let drifts = some("drift", raw.drift.take(), 0.25)?;
    for (i, &drift) in drifts.iter().enumerate() {
        checks::within(&format!("drift[{i}]"), drift, 0.0, MAX)?;
    }
    let corrections = some("correction", raw.correction.take(), raw::Correction::Plain)?;
    let clip = match raw.clip {
        Some(_) if !corrections.contains(&raw::Correction::Clipped) => {
            return Err(Fault::new("clip", "has no effect: no `correction` is `clipped`; leave it out"));
        }
        clip => checks::positive("clip", clip.unwrap_or(2.0), MAX)?,
    };
    let meaning = |c: raw::Correction| match c {
        raw::Correction::Plain => Correction::Plain,
        raw::Correction::SelfNormalised => Correction::SelfNormalised,
        raw::Correction::Clipped => Correction::Clipped(clip),
    };
    let mut all = Vec::new();
    for &drift in &drifts {
        for &c in &corrections {
            all.extend(sizes.iter().map(|&size| Some(Buffered { size: size as usize, drift, correction: meaning(c) })));
        }
    }
    raw.clip = corrections.contains(&raw::Correction::Clipped).then_some(clip);
    (raw.buffer, raw.drift, raw.correction) = (Some(sizes), Some(drifts), Some(corrections));
    Ok(all)
}

/// The parts that a point estimates.
fn parts_of(kinds: [Option<Surrogate>; 3], n: usize, buffer: Option<Buffered>) -> Parts {
    let fresh = |s: Option<Surrogate>| s.map_or(Part::Exact, |surrogate| Part::Estimated { surrogate, n });
    let recycled = |s: Option<Surrogate>| match (s, buffer) {
        (Some(_), Some(b)) => Part::Recycled { n, batches: b.size / n, drift: b.drift, correction: b.correction },
        _ => fresh(s),
    };
    let [inner, jacobian, outer] = kinds;
    Parts { inner: recycled(inner), jacobian: recycled(jacobian), outer: fresh(outer) }
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
    let combinations = combinations(raw)?;
    let buffers = buffers(raw, instance, &steps, &trajectories)?;
    let mut all = Vec::new();
    for (key, kinds) in combinations {
        if instance == Instance::Lirpg
            && kinds[..2].iter().flatten().any(|s| matches!(s, Surrogate::Dice | Surrogate::Loaded))
        {
            let why = "must be lvc or maml for the inner parts of `lirpg`: its advantages have a lambda, which dice and loaded have not";
            return Err(Fault::new(key, why));
        }
        if kinds[1].is_some() && errors[0].is_some() {
            let why = "belongs to an exact Jacobian (the second letter of the tag is `e`)";
            return Err(Fault::new("hessian_error", why));
        }
        for (&alpha, &k) in alphas.iter().flat_map(|a| steps.iter().map(move |k| (a, k))) {
            for (&hessian_error, &buffer) in errors.iter().flat_map(|e| buffers.iter().map(move |b| (e, b))) {
                for &n in &trajectories {
                    let parts = parts_of(kinds, n as usize, buffer);
                    let point = Point { alpha, steps: k as usize, parts, hessian_error };
                    if !all.contains(&point) {
                        all.push(point); // where nothing is estimated, neither estimator nor trajectories count
                    }
                }
            }
        }
    }
    (raw.alpha, raw.steps, raw.trajectories) = (Some(alphas), Some(steps), Some(trajectories));
    Ok(all)
}
