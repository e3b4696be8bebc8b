//! Claims on the compositional bias: only the inner gradient is sampled.

use super::evidence::{Evidence, correlation, each, relative, squared};
use super::{Claim, Part, exact, falling, judge, list, needed, rising};
use crate::app::failure::Failure;
use crate::math::judgement::{Verdict, power_interval};
use crate::record::bias::Row;
use crate::rng::{Address, Purpose};

/// Claims 1 and 2.
pub(super) fn samples(evidence: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let found = evidence.study("comp-sample", 2000, &["trajectories=[4, 16, 64]"])?;
    let (maml, dice) = (found.of("lee", "maml"), found.of("lee", "dice"));
    let parts: Vec<Part> = [falling(&each(&maml, squared)), falling(&each(&dice, squared))].concat();
    let said = |rows: &[&Row]| list(&each(rows, relative));
    let shown =
        format!("n = 4, 16, 64 (K 2, alpha 3): bias {} with a baseline, {} without (dice)", said(&maml), said(&dice));
    let falls =
        judge(1, "compositional bias falls with the inner sample size", &parts, confidence, found.repeats, shown);
    let squares: Vec<Vec<f64>> =
        maml.iter().map(|row| row.mdps.iter().map(|m| m.bias.bias_squared).collect()).collect();
    let mut rng = Address::new(evidence.seed, Purpose::Statistics).stream();
    let (slope, [low, high], lost) = power_interval(&[4.0, 16.0, 64.0], &squares, confidence, &mut rng);
    let verdict = if high < -0.5 && lost < 0.01 {
        Verdict::Holds
    } else if low > -0.5 {
        Verdict::DoesNotHold
    } else {
        Verdict::NotResolved
    };
    let factor = (verdict == Verdict::NotResolved).then(|| ((high - low) / 2.0 / (slope + 0.5).abs()).powi(2).max(1.0));
    let shown = format!(
        "log-log slope of the bias norm over n = 4, 16, 64: {slope:.2} [{low:.2}, {high:.2}] (bootstrap over MDPs): the bound is respected \
         where it lies below -0.5, and bias falls faster than the bound where it excludes it"
    );
    let margin = -0.5 - slope;
    let rate = Claim {
        number: 2,
        claim: "... at least as fast as n^(-1/2), the upper bound".into(),
        verdict,
        confidence,
        margin: margin.is_finite().then_some(margin),
        margin_interval: (lost < 0.01).then_some([-0.5 - high, -0.5 - low]),
        parts: 1,
        repeats: Some(found.repeats),
        needs_repeats: factor.map(|f| needed(f, found.repeats)),
        evidence: shown,
    };
    Ok(vec![falls, rate])
}

/// Claim 3.
pub(super) fn alphas(evidence: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let found = evidence.study("comp-lr", 400, &["alpha=[1, 3, 5, 7, 9, 11, 13]"])?;
    let (maml, dice) = (found.of("lee", "maml"), found.of("lee", "dice"));
    let mut parts = [falling(&each(&maml, correlation)), falling(&each(&dice, correlation))].concat();
    parts.extend(rising(&each(&maml[..4], squared))); // beyond alpha 7 the gradient itself vanishes on some MDPs
    let largest = maml.iter().max_by(|a, b| a.bias_squared.total_cmp(&b.bias_squared)).map_or(0.0, |row| row.alpha);
    let shown = format!(
        "alpha = 1, 3, ..., 13 (K 6, n 32): correlation {} with a baseline, {} without; relative bias with a baseline, alpha 1 to 7, {}; the \
         absolute bias is largest at alpha {largest}",
        list(&each(&maml, correlation)),
        list(&each(&dice, correlation)),
        list(&each(&maml[..4], relative)),
    );
    let claim = "... grows with the inner step size (by correlation; by relative bias to alpha 7)";
    Ok(vec![judge(3, claim, &parts, confidence, found.repeats, shown)])
}

/// Claims 4, 5 and 6.
pub(super) fn steps(evidence: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let found = evidence.study("comp-step-num", 400, &[])?;
    let (maml, dice) = (found.of("lee", "maml"), found.of("lee", "dice"));
    let parts = [rising(&each(&maml, squared)), rising(&each(&dice, squared))].concat();
    let shown = format!(
        "K = 1 to 6 (alpha 3, n 32): bias {} with a baseline, {} without",
        list(&each(&maml, relative)),
        list(&each(&dice, relative))
    );
    let grows = judge(4, "... grows with the number of inner steps", &parts, confidence, found.repeats, shown);
    let parts: Vec<Part> = maml.iter().zip(&dice).map(|(m, d)| Part::difference(squared(d), squared(m))).collect();
    let error = |rows: &[&Row]| rows.first().and_then(|row| row.inner_error.first()).copied().unwrap_or(0.0);
    let shown = format!(
        "dice beside estimators with a baseline at the same n: inner error {:.1e} and {:.1e}, bias as under claim 4",
        error(&dice),
        error(&maml)
    );
    let variance =
        judge(5, "... grows with the variance of the inner gradient", &parts, confidence, found.repeats, shown);
    let apart = |other: &str| {
        let other = found.of("lee", other);
        let pairs = maml.iter().zip(other).map(|(a, b)| (a.corr - b.corr).abs().max((a.rel_bias - b.rel_bias).abs()));
        pairs.fold(0.0, f64::max)
    };
    let (lvc, loaded) = (apart("lvc"), apart("loaded"));
    let shown =
        format!("largest difference in correlation or bias over K = 1 to 6: lvc {lvc:.1e}, loaded {loaded:.1e}");
    let claim = "maml, lvc and loaded are the same as inner estimators";
    Ok(vec![grows, variance, exact(6, claim, lvc.max(loaded) < 1e-9, confidence, shown)])
}
