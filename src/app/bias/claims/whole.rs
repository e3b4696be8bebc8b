//! Claims on all sources of error together, on LIRPG, and on off-policy correction.

use super::evidence::{Evidence, Rows, correlation, each};
use super::{Claim, Part, judge, list, over_units};
use crate::app::failure::Failure;
use crate::math::returns::mean;
use crate::measure::bias::OnMdp;
use crate::record::bias::Row;

/// Entries of a gradient on the ten MDPs: 20 states, 5 actions.
const ENTRIES: f64 = 100.0;

/// Claims 14 and 15.
pub(super) fn parts(evidence: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let parts = evidence.study(
        "decompose",
        200,
        &["trajectories=[8, 32, 128]", "tags=[\"eel\", \"lee\", \"ele\", \"lll\"]"],
    )?;
    Ok(vec![ordering(&parts, confidence), largest_source(&parts, confidence)])
}

fn at(rows: &Rows, tag: &str, estimator: &str, n: u64) -> (f64, f64) {
    rows.of(tag, estimator)
        .into_iter()
        .find(|row| row.trajectories == Some(n))
        .map_or((f64::NAN, f64::NAN), correlation)
}

/// Claim 14.
fn ordering(rows: &Rows, confidence: f64) -> Claim {
    let order = ["lvc", "loaded", "maml", "dice"].map(|name| at(rows, "lll", name, 32));
    let parts: Vec<Part> = order.windows(2).map(|pair| Part::difference(pair[0], pair[1])).collect();
    let shown = format!("correlation at n = 32 (K 1, alpha 10): {}", list(&order));
    judge(14, "with everything sampled lvc is best, then loaded, maml, dice", &parts, confidence, rows.repeats, shown)
}

/// Claim 15.
fn largest_source(rows: &Rows, confidence: f64) -> Claim {
    let (mut parts, mut worst) = (Vec::new(), (f64::INFINITY, String::new()));
    for name in ["maml", "lvc", "loaded", "dice"] {
        for n in [8, 32, 128] {
            let outer = at(rows, "eel", name, n);
            for other in ["lee", "ele"] {
                let part = Part::difference(at(rows, other, name, n), outer);
                if part.value < worst.0 {
                    let both = (at(rows, other, name, n).0, outer.0);
                    worst = (
                        part.value,
                        format!("{name}, n = {n}: correlation {:.3} ({other}), {:.3} (eel)", both.0, both.1),
                    );
                }
                parts.push(part);
            }
        }
    }
    let shown = format!(
        "outer sampling against inner and Jacobian at n = 8, 32, 128, four estimators; its closest case is {}",
        worst.1
    );
    judge(
        15,
        "sampling the outer gradient is the largest source of error (K 1, alpha 10)",
        &parts,
        confidence,
        rows.repeats,
        shown,
    )
}

/// Claim 16.
pub(super) fn lirpg(evidence: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let found = evidence.study("lirpg-step", 200, &["trajectories=64"])?;
    let (maml, lvc) = (found.of("ele", "maml"), found.of("ele", "lvc"));
    let same = |a: &Row, b: &Row| (a.corr - b.corr).abs();
    let apart = maml.first().zip(lvc.first()).map_or(f64::NAN, |(a, b)| same(a, b));
    let mut parts: Vec<Part> =
        maml.iter().zip(&lvc).skip(1).map(|(m, l)| Part::difference(correlation(l), correlation(m))).collect();
    parts.push(Part { value: if apart < 1e-9 { 1.0 } else { -1.0 }, error: 0.0 });
    let shown = format!(
        "correlation for K = 1 to 5 (n 64, alpha 10): maml {}, lvc {}; difference at K = 1: {apart:.1e}",
        list(&each(&maml, correlation)),
        list(&each(&lvc, correlation))
    );
    let claim = "LIRPG: maml and lvc are the same with one inner step, and lvc is better with more";
    Ok(vec![judge(16, claim, &parts, confidence, found.repeats, shown)])
}

/// Squared bias and variance of each MDP's estimates over the gradient's squared norm.
fn errors(row: &Row) -> Vec<[f64; 2]> {
    let one = |m: &OnMdp| {
        let entries = m.bias.entry_variance * ENTRIES;
        [m.bias.bias_squared / m.bias.norm_squared, entries / m.bias.norm_squared]
    };
    row.mdps.iter().map(one).collect()
}

/// Claim 20 on tables: of what a buffer takes off the mean squared error of a meta-gradient, the larger part is squared bias of the value path.
pub(super) fn recycled(evidence: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let set = ["buffer=[32, 256]", "drift=0.25", "correction=\"plain\""];
    let found = evidence.study("off-policy", 400, &set)?;
    let (value, jacobian) = (found.of("lee", "dice"), found.of("ele", "dice"));
    let gain = |rows: &[&Row]| -> Vec<[f64; 2]> {
        let pair: Vec<Vec<[f64; 2]>> = rows.iter().map(|row| errors(row)).collect();
        match pair.as_slice() {
            [fresh, buffer] => fresh.iter().zip(buffer).map(|(a, b)| [a[0] - b[0], a[1] - b[1]]).collect(),
            _ => Vec::new(),
        }
    };
    let (of_value, of_jacobian) = (gain(&value), gain(&jacobian));
    let pairs = of_value.iter().zip(&of_jacobian);
    let lead: Vec<f64> = pairs.map(|(v, j)| v[0] - (v[1] + j[0] + j[1])).collect();
    let average = |gains: &[[f64; 2]], i: usize| mean(&gains.iter().map(|g| g[i]).collect::<Vec<_>>());
    let shown = format!(
        "tables, dice, 32 fresh of 256 trajectories (drift 0.25): squared error over the gradient's falls by {:.2} of bias and {:.2} of variance \
         on the value path, {:.2} and {:.2} on the Jacobian path; correlation {} (value), {} (Jacobian)",
        average(&of_value, 0),
        average(&of_value, 1),
        average(&of_jacobian, 0),
        average(&of_jacobian, 1),
        list(&each(&value, correlation)),
        list(&each(&jacobian, correlation)),
    );
    let claim = "off-policy correction helps because it reduces compositional bias";
    Ok(vec![judge(20, claim, &[over_units(&lead)], confidence, found.repeats, shown)])
}
