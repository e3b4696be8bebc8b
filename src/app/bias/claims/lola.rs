//! Claims on LOLA-DiCE and on Atari.

use super::evidence::Evidence;
use super::{Claim, Part, exact, judge, over_units};
use crate::app::failure::Failure;
use crate::config::Overrides;
use crate::config::lola as config;
use crate::learn::lola::{Learner, Row};
use crate::learn::updates::Updates as _;
use crate::math::judgement::Verdict;
use crate::math::returns::mean;

/// Updates of the sampled variants, and of the exact one.
const UPDATES: [u64; 2] = [200, 300];
/// Updates under `--smoke`.
const SMOKE: u64 = 4;
/// Seeds of the sampled variants.
const SEEDS: u64 = 10;
/// Last updates that scores are averaged over.
const LAST: usize = 20;
/// First updates that correlations are averaged over.
const FIRST: usize = 100;

/// Claims 18 and 19.
pub(super) fn sampled(evidence: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let sampled = run(evidence, "ipd-sampled", UPDATES[0])?;
    let better = |name: &str| run(evidence, name, UPDATES[0]);
    let (fixed, larger, buffer) = (better("ipd-inner-exact")?, better("ipd-inner-1024")?, better("ipd-off-policy")?);
    let lead = |rows: &[Row]| over_units(&differences(&scores(rows), &scores(&sampled)));
    let shown = format!(
        "reward per step at update {}, {SEEDS} seeds: 128 episodes {:.2}, 1024 {:.2}, exact {:.2}",
        UPDATES[0],
        mean(&scores(&sampled)),
        mean(&scores(&larger)),
        mean(&scores(&fixed))
    );
    let claim = "LOLA: an exact or larger inner batch beats 128 episodes";
    let batch = judge(18, claim, &[lead(&fixed), lead(&larger)], confidence, SEEDS, shown);
    let correlations = Part::difference(correlation(&buffer), correlation(&sampled));
    let shown = format!(
        "at equal fresh episodes, off-policy against on-policy: correlation of the meta-gradient with exact outer part {:.2} and {:.2} (first \
         {FIRST} updates), reward per step {:.2} and {:.2}",
        correlation(&buffer).0,
        correlation(&sampled).0,
        mean(&scores(&buffer)),
        mean(&scores(&sampled))
    );
    let claim = "LOLA: off-policy correction improves the meta-gradient and the return";
    let history = judge(19, claim, &[correlations, lead(&buffer)], confidence, SEEDS, shown);
    Ok(vec![batch, history])
}

/// Claim 17.
pub(super) fn tit_for_tat(evidence: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let rows = run(evidence, "ipd-exact", UPDATES[1])?;
    let Some(last) = rows.last() else { return Err(Failure::Internal("no update".into())) };
    let reward = last.standing.reward_per_step.mean;
    let [start, dd, dc, cd, cc] = last.standing.defect[0][0];
    let shown = format!(
        "reward per step {reward:.3} at update {}; P(defect) {start:.2} at the start, after own and other's moves DD {dd:.2}, DC {dc:.2}, \
         CD {cd:.2}, CC {cc:.2}",
        last.update
    );
    let claim = "LOLA with everything exact ends near -1 per step, like tit for tat";
    let holds = (reward + 1.0).abs() <= 0.02 && cd > 0.5 && cc < 0.05 && start < 0.05;
    Ok(vec![exact(17, claim, holds, confidence, shown)])
}

/// Claim 21.
pub(super) fn atari(_: &Evidence<'_>, confidence: f64) -> Result<Vec<Claim>, Failure> {
    let evidence = "not run: `stillpoint online theoretical-gmrl` is the configuration, 160 million frames per run with and without LVC; \
                    five paired runs are the least that gives an interval";
    let claim = "LVC improves learned discounts on Atari";
    let open = exact(21, claim, false, confidence, evidence.into());
    Ok(vec![Claim { verdict: Verdict::NotResolved, ..open }])
}

/// The rows of a shipped configuration without its control.
fn run(evidence: &Evidence<'_>, name: &str, updates: u64) -> Result<Vec<Row>, Failure> {
    evidence.tell(&format!("playing {name}"));
    let updates = if evidence.smoke { SMOKE } else { updates };
    let mut set = vec!["control=false".to_string(), "probe.every=0".into()];
    if name != "ipd-exact" {
        set.extend([format!("seeds={SEEDS}"), "value.target=\"reward\"".into()]);
    }
    let plan = config::load(name, &Overrides { set, seed: Some(evidence.seed), ..Overrides::default() })?;
    let mut learner = Learner::new(plan.options, plan.seed);
    let mut rows = Vec::new();
    while learner.done() < updates {
        if evidence.interrupt.requested() {
            return Err(Failure::Interrupted(super::STOPPED.into()));
        }
        let diverged = |_| Failure::Diverged(format!("{name} diverged"));
        rows.push(learner.update().map_err(diverged)?);
    }
    Ok(rows)
}

/// Each seed's reward per step, mean over players and the last updates.
fn scores(rows: &[Row]) -> Vec<f64> {
    let last = &rows[rows.len().saturating_sub(LAST)..];
    let seeds = last.first().map_or(0, |row| row.standing.rewards.len());
    let of = |k: usize| mean(&last.iter().map(|row| mean(&row.standing.rewards[k])).collect::<Vec<_>>());
    (0..seeds).map(of).collect()
}

fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Mean over the first updates of the correlation with an exact outer part; its standard error is that over seeds at a typical update, which
/// errs on the wide side: updates of a run are not the same draw.
fn correlation(rows: &[Row]) -> (f64, f64) {
    let all: Vec<_> = rows.iter().take(FIRST).filter_map(|row| row.correlation_outer_exact).collect();
    let centre = mean(&all.iter().map(|e| e.mean).collect::<Vec<_>>());
    let half = mean(&all.iter().filter_map(|e| Some((e.high? - e.low?) / 2.0)).collect::<Vec<_>>());
    (centre, half / crate::math::summary::t975(SEEDS as usize - 1))
}
