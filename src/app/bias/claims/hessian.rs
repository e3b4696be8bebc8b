//! Claims on the Hessian that an estimator implies: only the inner Jacobian is sampled, or an error is put into the exact one.

use super::evidence::{Evidence, Rows, correlation, each, relative, squared};
use super::{Claim, Part, exact, judge, list, over_units, rising};
use crate::app::failure::Failure;
use crate::exact::discounted::Discounted;
use crate::math::judgement::power;
use crate::math::returns::mean;
use crate::record::bias::Row;

/// Claims 7, 9 and 13.
pub(super) fn samples(evidence: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let samples = evidence.study("hessian-samples", 400, &[])?;
    Ok(vec![not_cured(&samples, confidence), unbiased(&samples, confidence), best_single(&samples, confidence)])
}

/// Claims 10 and 11.
pub(super) fn steps(evidence: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let steps = evidence.study("hessian-steps", 200, &[])?;
    Ok(vec![lowest(&steps, confidence)?, grows(&steps, confidence)])
}

/// Claim 7: at the most samples it is above nine tenths of that at the fewest.
fn not_cured(samples: &Rows, confidence: f64) -> Claim {
    let maml = samples.of("ele", "maml");
    let bias = each(&maml, squared);
    let scaled = |(x, e): (f64, f64)| (0.81 * x, 0.81 * e);
    let mut parts: Vec<Part> = bias.iter().map(|b| Part { value: b.0, error: b.1 }).collect();
    if let [first, .., last] = bias.as_slice() {
        parts.push(Part::difference(*last, scaled(*first)));
    }
    let shown = format!(
        "bias at n = 4, 16, 64, 256 (K 2, alpha 3): {}; lvc {}",
        list(&each(&maml, relative)),
        list(&each(&samples.of("ele", "lvc"), relative))
    );
    judge(7, "the naive Hessian is biased, and more samples do not cure it", &parts, confidence, samples.repeats, shown)
}

/// Claim 8, in closed form along a random path: E[H2] = sum_s d(s) sum_a pi(a | s) A(s, a) hess log pi(a | s).
pub(super) fn naive_is_zero(_: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let family =
        ::tasks::registry::build("gmrl-mdps", &serde_json::Map::new()).map_err(|e| Failure::Internal(e.to_string()))?;
    let gamma = family.gamma();
    let mut largest = 0.0_f64;
    let mut scale = 0.0_f64;
    for (i, (_, mdp)) in family.finite().into_iter().flatten().enumerate() {
        let model = Discounted::new(mdp, gamma);
        let theta: Vec<f64> = (0..model.reward.len()).map(|k| ((k * 37 + i * 11) as f64).sin()).collect();
        let at = model.solve(&theta);
        for s in 0..model.states {
            // hess log pi(a | s) = pi pi^T - diag pi whatever a is, so the sum over a is E_a[A] times that
            let expected: f64 =
                (s * model.actions..(s + 1) * model.actions).map(|k| at.pi[k] * (at.q[k] - at.v[s])).sum();
            largest = largest.max((at.d[s] * expected).abs());
            scale = scale.max(at.d[s] * at.q[s * model.actions].abs());
        }
    }
    let shown =
        format!("largest |d(s) E_a[A(s, a)]| on ten MDPs at random theta: {largest:.1e} (d Q up to {scale:.1})");
    let claim = "the expectation of the naive Hessian is zero for a table with exact baseline";
    Ok(vec![exact(8, claim, largest < 1e-12 * scale, confidence, shown)])
}

/// Claim 9: |bias| below 5 % of the gradient's norm for both, by the upper end of the square's interval.
fn unbiased(samples: &Rows, confidence: f64) -> Claim {
    const MARGIN: f64 = 0.05;
    let last = |name: &str| samples.of("ele", name).last().map_or((0.0, 0.0), |row| squared(row));
    let parts = ["dice", "loaded"].map(|name| {
        let (value, error) = last(name);
        Part { value: MARGIN * MARGIN - value, error }
    });
    let shown = format!(
        "n = 256: relative bias {:.3} (dice), {:.3} (loaded); within 5 % of the gradient's norm counts as none (a horizon of 20 leaves 1.2 %)",
        samples.of("ele", "dice").last().map_or(0.0, |r| r.rel_bias),
        samples.of("ele", "loaded").last().map_or(0.0, |r| r.rel_bias),
    );
    judge(
        9,
        "the Hessians of dice and loaded are unbiased (up to the horizon)",
        &parts,
        confidence,
        samples.repeats,
        shown,
    )
}

/// log of the ratio of two rows' entry variances, mean over MDPs with its standard error.
fn log_ratio(a: &Row, b: &Row) -> Part {
    let logs: Vec<f64> =
        a.mdps.iter().zip(&b.mdps).map(|(a, b)| (a.bias.entry_variance / b.bias.entry_variance).ln()).collect();
    over_units(&logs)
}

/// Claim 10, K = 2.
fn lowest(steps: &Rows, confidence: f64) -> Result<Claim, Failure> {
    let at = |name: &str| steps.of("ele", name).into_iter().find(|row| row.steps == 2);
    let (Some(maml), Some(lvc), Some(loaded), Some(dice)) = (at("maml"), at("lvc"), at("loaded"), at("dice")) else {
        return Err(Failure::Internal("hessian-steps lacks an estimator at K = 2".into()));
    };
    let mut parts = vec![Part::difference(squared(maml), squared(lvc))];
    parts.extend([maml, loaded, dice].map(|other| log_ratio(other, lvc)));
    let ratio = |other: &Row| log_ratio(other, lvc).value.exp();
    let shown = format!(
        "K 2, n 32: bias {:.3} (lvc), {:.3} (naive); variance against lvc's: naive {:.1}, loaded {:.1}, dice {:.0} times (geometric mean over MDPs)",
        lvc.rel_bias,
        maml.rel_bias,
        ratio(maml),
        ratio(loaded),
        ratio(dice)
    );
    let claim = "lvc has less bias than naive differentiation, and the lowest variance of all";
    Ok(judge(10, claim, &parts, confidence, steps.repeats, shown))
}

/// Claim 11.
fn grows(steps: &Rows, confidence: f64) -> Claim {
    let (maml, lvc) = (steps.of("ele", "maml"), steps.of("ele", "lvc"));
    let parts = [rising(&each(&maml, squared)), rising(&each(&lvc, squared))].concat();
    let shown =
        format!("K = 1 to 5: bias {} (naive), {} (lvc)", list(&each(&maml, relative)), list(&each(&lvc, relative)));
    judge(
        11,
        "the effect of Hessian bias grows with the number of inner steps",
        &parts,
        confidence,
        steps.repeats,
        shown,
    )
}

/// Claim 12: nothing is sampled, so MDPs are the units.
pub(super) fn polynomial(evidence: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let found = evidence.study("hessian-bias-steps", 2, &["hessian_error_spread=0"])?;
    let sizes = [0.5, 1.0, 2.0, 4.0];
    let exponents = |k: u64| -> Vec<f64> {
        let rows: Vec<&Row> = found.rows.iter().filter(|row| row.steps == k).collect();
        let of = |i: usize| {
            power(&sizes, &rows.iter().map(|row| row.mdps[i].bias.bias_squared.max(0.0).sqrt()).collect::<Vec<_>>())
        };
        (0..rows.first().map_or(0, |row| row.mdps.len())).map(of).collect()
    };
    let all: Vec<Vec<f64>> = (1..=4).map(exponents).collect();
    let rises = |pair: &[Vec<f64>]| {
        let differences: Vec<f64> = pair[1].iter().zip(&pair[0]).map(|(b, a)| b - a).collect();
        over_units(&differences)
    };
    let parts: Vec<Part> = all.windows(2).map(rises).collect();
    let shown = format!(
        "exponent of the bias in the error's size over c = 0.5 to 4 (alpha Delta = 0.03 to 0.24), K = 1 to 4: {}: convex, more so with K, but \
         far from the (K - 1)-th power of the bound in this range",
        all.iter().map(|x| format!("{:.2}", mean(x))).collect::<Vec<_>>().join(" ")
    );
    let claim = "... like a polynomial of the Hessian's error whose degree grows with K";
    Ok(vec![judge(12, claim, &parts, confidence, found.repeats, shown)])
}

/// Claim 13.
fn best_single(samples: &Rows, confidence: f64) -> Claim {
    let lvc = samples.of("ele", "lvc");
    let mut parts = Vec::new();
    for other in ["maml", "loaded", "dice"] {
        let others = samples.of("ele", other);
        parts.extend(lvc.iter().zip(others).map(|(l, o)| Part::difference(correlation(l), correlation(o))));
    }
    let shown = format!(
        "correlation at n = 4, 16, 64, 256: lvc {}, loaded {}, naive {}",
        list(&each(&lvc, correlation)),
        list(&each(&samples.of("ele", "loaded"), correlation)),
        list(&each(&samples.of("ele", "maml"), correlation))
    );
    judge(
        13,
        "a single estimate correlates best with the exact gradient under lvc, whatever n",
        &parts,
        confidence,
        samples.repeats,
        shown,
    )
}
