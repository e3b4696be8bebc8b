//! A study as text: constants, one line per estimator, hitting times, bound, floor and rates.

use crate::app::learnt::shown;
use crate::math::gap::{Method, upper_squared};
use crate::math::summary::Estimate;
use crate::math::theory::Regime;
use crate::record::stationarity::{EstimatorRuns, Study};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// Longest line of running text.
const WIDTH: usize = 80;

/// The text that stdout gets.
pub fn text(study: &Study, out: Option<&Path>) -> String {
    let mut text = format!("{} dynamics on {}\n", study.dynamics, study.source);
    let s = &study.setting;
    let mut setting = format!(
        "alpha {}, n {}, zeta {}, gamma {}, beta {}, K {}",
        s["alpha"], s["inner_batch"], s["inner_steps"], s["gamma"], s["beta"], s["iterations"]
    );
    if study.dynamics == "sampled" {
        let _ = write!(setting, ", B {}, n_o {}, seeds {}", s["tasks_per_batch"], s["outer_batch"], s["seeds"]);
    }
    let _ = writeln!(text, "{setting}\n");
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

/// Adds `words` in lines of at most [`WIDTH`], all but the first indented by two.
fn wrap(text: &mut String, words: &str) {
    let mut column = 0;
    for word in words.split(' ') {
        let width = word.chars().count();
        if column == 0 {
            column = width;
        } else if column + 1 + width > WIDTH {
            text.push_str("\n  ");
            column = 2 + width;
        } else {
            text.push(' ');
            column += 1 + width;
        }
        text.push_str(word);
    }
    text.push('\n');
}

/// `1.234e-2`, or a dash.
fn number(x: Option<f64>) -> String {
    x.map_or("-".into(), |x| format!("{x:.3e}"))
}

/// The gap at the end, or what it is below.
fn gap(run: &EstimatorRuns) -> String {
    let end = &run.r#final;
    match end.gap {
        Some(gap) => format!("{gap:.3e}"),
        None => format!("< {:.1e}", upper_squared(end.gap_squared_interval).sqrt()),
    }
}

fn runs(text: &mut String, study: &Study) {
    let header = ["estimator", "V at end", "gap at end", "gap^2, 95 % interval", "measured by"];
    let _ = writeln!(text, "{:<16}{:>11}{:>12}{:>23}  {}", header[0], header[1], header[2], header[3], header[4]);
    for run in &study.runs {
        let [low, high] = run.r#final.gap_squared_interval;
        let interval = if low == high { "exact".into() } else { format!("[{low:.2e}, {high:.2e}]") };
        let method = run.method.name();
        let _ =
            writeln!(text, "{:<16}{:>11.6}{:>12}{interval:>23}  {method}", run.estimator, run.r#final.value, gap(run));
    }
    if study.runs.iter().any(|r| r.r#final.gap.is_none()) {
        wrap(
            text,
            "< x: below resolution, the interval of gap^2 reaches below zero; x is the root of its upper end, or of half its \
             width where that is larger",
        );
    }
    if study.runs.iter().any(|r| r.r#final.gap_squared_interval[1] < 0.0) {
        wrap(text, "an interval of gap^2 that lies below zero as a whole is unlucky: other --seed, more --gap-groups");
    }
    if study.runs.iter().any(|r| r.seeds.len() > 1) {
        text.push_str("the end shown is that of the first seed\n");
    }
    for run in &study.runs {
        let count = run.seeds.iter().filter(|s| s.outcome == "diverged").count();
        if count > 0 {
            let _ = writeln!(text, "{}: {count} of {} seeds diverged", run.estimator, run.seeds.len());
        }
    }
    for (run, bias) in study.runs.iter().filter_map(|r| Some((r, r.bias.as_ref()?))) {
        let bound = bias.bound.map_or(String::new(), |b| format!(", bound {b:.3e}"));
        let line = format!(
            "{} ends where its expectation is {:.1e} and its bias |grad V - E| is {:.3e}{bound}",
            run.estimator, bias.drift, bias.bias
        );
        wrap(text, &line);
    }
}

fn hitting(text: &mut String, study: &Study) {
    if study.runs.iter().all(|r| r.hitting.is_empty()) {
        return;
    }
    let exact = study.runs.iter().all(|r| r.method == Method::Enumerated);
    let how = if exact {
        ""
    } else {
        " by the upper limit of its interval; each errs in about 1 of 40 looks, and the errors accumulate over looks"
    };
    let several = if study.runs.iter().any(|r| r.seeds.len() > 1) { " (median over seeds)" } else { "" };
    text.push('\n');
    wrap(
        text,
        &format!("first measured iteration with gap <= epsilon{how}{several}, and the K that the theorem asks for"),
    );
    let _ = writeln!(
        text,
        "{:<16}{:>10}{:>12}{:>16}{:>16}",
        "estimator", "epsilon", "measured", "K large batch", "K any batch"
    );
    for (run, h) in study.runs.iter().flat_map(|r| r.hitting.iter().map(move |h| (r, h))) {
        let k = |r: &Option<Regime>| r.map_or("-".into(), |r| format!("{:.2e}", r.iterations as f64));
        let measured = h.iteration.map_or("never".into(), |k| k.to_string());
        let (large, any) = (k(&h.large_batch), k(&h.any_batch));
        let _ = writeln!(text, "{:<16}{:>10.1e}{measured:>12}{large:>16}{any:>16}", run.estimator, h.epsilon);
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
            let f = |key: &str| format!("{key} {}", number(c[key].as_f64()));
            let keys = ["R", "G", "L", "rho", "W", "eta_g", "eta_H", "a", "L_V", "G_V"];
            let form = c["L_V_form"].as_str().unwrap_or("");
            let other = number(c["L_V_leave_one_out"].as_f64());
            wrap(text, &format!("theory: {}; L_V is the {form} form, L_V' {other}", keys.map(f).join(", ")));
        }
        (None, Some(why)) => wrap(text, &format!("theory: no constants ({why})")),
        (None, None) => {}
    }
    if let Some(smoothness) = study.empirical_smoothness {
        let first = study.runs.first().map_or("", |r| &r.estimator);
        wrap(text, &format!("smoothness seen along the first run of {first}: {smoothness:.3e} (a lower bound)"));
    }
    for run in &study.runs {
        let Some(b) = &run.bound else { continue };
        let what = match &b.remark {
            Some(why) => format!("; the theorem does not apply: {why}"),
            None => {
                // the theorem is about the expectation: a sample may lie above it, and is not shown as if it did not
                let sign = if b.measured.mean <= b.bound.total { "<=" } else { "above the bound" };
                let slack = match b.slack {
                    Some(slack) => format!("{} x", digits(slack)),
                    None if b.measured.low.is_none() => {
                        "not claimed: one run gives no interval (--seeds 2 or more)".into()
                    }
                    None => "not resolved".into(),
                };
                format!(
                    " {sign} {:.3e} = 2 Delta/(beta K) {:.3e} + L_V beta G_V^2/B {:.3e}; slack {slack}",
                    b.bound.total, b.bound.start, b.bound.noise
                )
            }
        };
        wrap(text, &format!("{}: mean gap^2 {}{what}", run.estimator, estimate(&b.measured)));
    }
}

/// Two digits below ten, whole numbers above.
fn digits(x: f64) -> String {
    if x < 10.0 { format!("{x:.1}") } else { format!("{x:.0}") }
}

fn rates(text: &mut String, sweeps: &[Value]) {
    text.push_str("\nlog-log slope of sgmrl's mean gap^2, 95 % over seeds, and order of the bound\n");
    for sweep in sweeps {
        let Ok(slope) = serde_json::from_value::<Estimate>(sweep["slope"].clone()) else { continue };
        let name = sweep["regime"].as_str().unwrap_or("");
        let versus = sweep["versus"].as_str().unwrap_or("");
        let _ = writeln!(text, "{name:<40} in {versus}: {:<25}{:>5}", shown(&slope), sweep["theorem_order"]);
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
