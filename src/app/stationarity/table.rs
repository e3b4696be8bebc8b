//! A study as text: constants, one line per estimator, hitting times, bound, floor and rates.

use crate::app::learnt::shown;
use crate::math::summary::Estimate;
use crate::record::stationarity::{EstimatorRuns, Study};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// The text that stdout gets.
pub fn text(study: &Study, out: Option<&Path>) -> String {
    let mut text = format!("{} dynamics on {}\n", study.dynamics, study.source);
    let s = &study.setting;
    let _ = writeln!(
        text,
        "alpha {}, n {}, zeta {}, gamma {}, beta {}, B {}, n_o {}, K {}\n",
        s["alpha"],
        s["inner_batch"],
        s["inner_steps"],
        s["gamma"],
        s["beta"],
        s["tasks_per_batch"],
        s["outer_batch"],
        s["iterations"]
    );
    runs(&mut text, study);
    hitting(&mut text, study);
    theory(&mut text, study);
    if let Some(Value::Array(sweeps)) = &study.rates {
        rates(&mut text, sweeps);
    }
    if let Some(Value::Array(cells)) = study.floor.as_ref().map(|f| &f["cells"]) {
        floor(&mut text, cells);
    }
    if let Some(dir) = out {
        let _ = writeln!(text, "\nrecord {0}\nfigures: stillpoint report {0}", dir.display());
    }
    text
}

/// `1.234e-2`, or a dash.
fn number(x: Option<f64>) -> String {
    x.map_or("-".into(), |x| format!("{x:.3e}"))
}

fn gap(run: &EstimatorRuns) -> String {
    let end = &run.r#final;
    match end.gap {
        Some(gap) => format!("{gap:.3e}"),
        None => format!("below resolution (< {:.1e})", end.gap_squared_interval[1].max(0.0).sqrt()),
    }
}

fn runs(text: &mut String, study: &Study) {
    let _ = writeln!(
        text,
        "{:<16} {:>12} {:>14} {:>28} {:<14} outcome",
        "estimator", "V at end", "gap at end", "gap^2 interval", "measured by"
    );
    for run in &study.runs {
        let [low, high] = run.r#final.gap_squared_interval;
        let diverged = run.seeds.iter().filter(|s| s.outcome == "diverged").count();
        let outcome = match (diverged, run.seeds.len()) {
            (0, 1) => run.seeds[0].outcome.clone(),
            (0, n) => format!("{n} seeds, the first is shown"),
            (d, n) => format!("{d} of {n} seeds diverged"),
        };
        let _ = writeln!(
            text,
            "{:<16} {:>12.6} {:>14} {:>28} {:<14} {}",
            run.estimator,
            run.r#final.value,
            gap(run),
            format!("[{low:.2e}, {high:.2e}]"),
            run.method.name(),
            outcome
        );
    }
    for run in study.runs.iter().filter(|r| r.bias.is_some()) {
        let bias = run.bias.as_ref().expect("filtered");
        let bound = bias.bound.map_or(String::new(), |b| format!(", bound {b:.3e}"));
        let _ = writeln!(
            text,
            "{} ends where its expectation is {:.1e} and its bias |grad V - E| is {:.3e}{bound}",
            run.estimator, bias.drift, bias.bias
        );
    }
}

fn hitting(text: &mut String, study: &Study) {
    if study.runs.iter().all(|r| r.hitting.is_empty()) {
        return;
    }
    let _ = writeln!(text, "\nfirst iteration with gap <= epsilon (median over seeds), and what the theorem asks for");
    let _ = writeln!(
        text,
        "{:<16} {:>10} {:>12} {:>16} {:>16}",
        "estimator", "epsilon", "measured", "K large batch", "K any batch"
    );
    for run in &study.runs {
        for h in &run.hitting {
            let k = |r: &Option<crate::math::theory::Regime>| {
                r.map_or("-".into(), |r| format!("{:.2e}", r.iterations as f64))
            };
            let measured = h.iteration.map_or("never".into(), |k| k.to_string());
            let _ = writeln!(
                text,
                "{:<16} {:>10.1e} {:>12} {:>16} {:>16}",
                run.estimator,
                h.epsilon,
                measured,
                k(&h.large_batch),
                k(&h.any_batch)
            );
        }
    }
}

fn estimate(e: &Estimate) -> String {
    match (e.low, e.high) {
        (Some(low), Some(high)) if low < high => format!("{:.3e} [{low:.2e}, {high:.2e}]", e.mean),
        _ => format!("{:.3e}", e.mean),
    }
}

fn theory(text: &mut String, study: &Study) {
    text.push('\n');
    match (&study.constants, &study.assumption) {
        (Some(c), _) => {
            let f = |key: &str| number(c[key].as_f64());
            let _ = writeln!(
                text,
                "theory: R {}, G {}, L {}, rho {}, W {}, eta_g {}, eta_H {}, a {}, L_V {} ({}), L_V' {}, G_V {}",
                f("R"),
                f("G"),
                f("L"),
                f("rho"),
                f("W"),
                f("eta_g"),
                f("eta_H"),
                f("a"),
                f("L_V"),
                c["L_V_form"].as_str().unwrap_or(""),
                f("L_V_leave_one_out"),
                f("G_V")
            );
        }
        (None, Some(why)) => {
            let _ = writeln!(text, "theory: no constants ({why})");
        }
        (None, None) => {}
    }
    let _ = writeln!(text, "smoothness seen along the run: {} (a lower bound)", number(study.empirical_smoothness));
    for run in &study.runs {
        let Some(b) = &run.bound else { continue };
        let measured = estimate(&b.measured);
        let line = match &b.remark {
            Some(why) => format!("mean gap^2 {measured}; the theorem does not apply: {why}"),
            None => format!(
                "mean gap^2 {measured} <= {:.3e} = 2 Delta/(beta K) {:.3e} + L_V beta G_V^2/B {:.3e}; slack {}",
                b.bound.total,
                b.bound.start,
                b.bound.noise,
                b.slack.map_or("not resolved".into(), |s| format!("{s:.0} x"))
            ),
        };
        let _ = writeln!(text, "{:<16} {line}", run.estimator);
    }
}

fn rates(text: &mut String, sweeps: &[Value]) {
    text.push_str("\nlog-log slope of the mean gap^2 of sgmrl (95 % over seeds), and the order of the bound\n");
    for sweep in sweeps {
        let Ok(slope) = serde_json::from_value::<Estimate>(sweep["slope"].clone()) else { continue };
        let _ = writeln!(
            text,
            "{:<42} versus {}: {:<28} bound {}",
            sweep["regime"].as_str().unwrap_or(""),
            sweep["versus"].as_str().unwrap_or(""),
            shown(&slope),
            sweep["theorem_order"]
        );
    }
}

fn floor(text: &mut String, cells: &[Value]) {
    text.push_str("\nbias of MAML at the start\n");
    let _ = writeln!(text, "{:>8} {:>4} {:>8} {:>12} {:>12} {:>12}", "alpha", "n", "offset", "bias", "bound", "gap");
    for c in cells {
        let _ = writeln!(
            text,
            "{:>8} {:>4} {:>8} {:>12} {:>12} {:>12}",
            c["alpha"].to_string(),
            c["n"].to_string(),
            c["offset"].to_string(),
            number(c["bias"].as_f64()),
            number(c["bound"].as_f64()),
            number(c["gap"].as_f64())
        );
    }
}
