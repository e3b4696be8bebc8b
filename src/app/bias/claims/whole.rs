//! Claims on all sources of error together, and on LIRPG.

use super::evidence::{Evidence, Rows, correlation, each};
use super::{Claim, Part, judge, list};
use crate::app::failure::Failure;
use crate::record::bias::Row;

/// Claims 14, 15 and 16.
pub(super) fn claims(evidence: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let parts = evidence.study(
        "decompose",
        200,
        &["trajectories=[8, 32, 128]", "tags=[\"eel\", \"lee\", \"ele\", \"lll\"]"],
    )?;
    Ok(vec![ordering(&parts, confidence), largest_source(&parts, confidence), lirpg(evidence, confidence)?])
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
fn lirpg(evidence: &Evidence<'_>, confidence: f64) -> Result<Claim, Failure> {
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
    Ok(judge(16, claim, &parts, confidence, found.repeats, shown))
}
