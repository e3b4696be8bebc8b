//! Trains arms x seeds of `navigation/sgmrl` in this process, keeps one CSV per run, then prints the table and draws the figure.
//!
//! `cargo run --release --example learning_study -- [--out DIR] [--seeds N] [--iterations N] [--arms A,B,…]`
//! An arm is an estimator name, for `sgmrl-lgo` followed by `/FORM/GROUPS`, e.g. `sgmrl-lgo/importance/4`. Runs already in
//! DIR are not done again, so the study can be stopped and continued.

mod support;

use plotters::prelude::*;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillpoint::config;
use stillpoint::learn::meta::Learner;
use stillpoint::math::returns::mean;
use stillpoint::math::summary::Estimate;
use stillpoint::policy::Policy;
use support::cpu_seconds;

const ARMS: &str = "maml,sgmrl,sgmrl-loo,sgmrl-tasks,sgmrl-lgo/importance/2,sgmrl-lgo/importance/4,sgmrl-lgo/importance/10,\
                    sgmrl-lgo/importance/20,sgmrl-lgo/resimulated/2,sgmrl-lgo/resimulated/4,sgmrl-lgo/resimulated/10,\
                    sgmrl-lgo/resimulated/20";

/// One iteration of one run.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Point {
    iteration: u64,
    environment_steps: u64,
    cpu_seconds: f64,
    before: f64,
    after: f64,
}

/// What a curve is drawn against.
type Axis = fn(&Point) -> f64;

struct Study {
    out: PathBuf,
    seeds: u64,
    iterations: u64,
    arms: Vec<String>,
}

fn arguments() -> Study {
    let mut study = Study { out: "runs/learning-study".into(), seeds: 5, iterations: 120, arms: Vec::new() };
    let mut arms = ARMS.to_string();
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        match flag.as_str() {
            "--out" => study.out = value.into(),
            "--seeds" => study.seeds = value.parse().expect("--seeds takes a number"),
            "--iterations" => study.iterations = value.parse().expect("--iterations takes a number"),
            "--arms" => arms = value,
            other => panic!("unknown flag {other}: use --out, --seeds, --iterations, --arms"),
        }
    }
    study.arms = arms.split(',').map(|a| a.trim().to_string()).collect();
    study
}

/// Trains one run, or reads it back if it is there. A run that diverges keeps the points before.
fn run(study: &Study, arm: &str, seed: u64) -> Result<Vec<Point>, Box<dyn Error>> {
    let path = study.out.join(format!("{}-seed-{seed}.csv", arm.replace('/', "-")));
    if path.exists() {
        let rows = csv::Reader::from_path(&path)?.deserialize().collect::<Result<Vec<Point>, _>>()?;
        if rows.len() as u64 >= study.iterations {
            return Ok(rows);
        }
    }
    let mut parts = arm.split('/');
    let mut set = vec![format!("outer.estimator={}", parts.next().unwrap_or_default())];
    set.extend(parts.next().map(|form| format!("outer.form={form}")));
    set.extend(parts.next().map(|groups| format!("outer.groups={groups}")));
    set.push(format!("seed={seed}"));
    let plan = config::load(Some("navigation/sgmrl"), &config::Overrides { set, ..Default::default() })?.plan;
    let family: Arc<dyn tasks::family::Family> = tasks::registry::build(&plan.family.name, &plan.family.params)?.into();
    let policy = Policy::build(&plan.policy, &family.observation_space(), &family.action_space())?;
    let mut learner = Learner::<f32>::new(family, policy, plan.options.clone(), plan.seed);
    let (start, mut points) = (cpu_seconds(), Vec::new());
    for _ in 0..study.iterations {
        let row = match learner.step() {
            Ok(row) => row,
            Err(diverged) => {
                eprintln!("{arm} seed {seed}: diverged at iteration {}: {}", diverged.iteration, diverged.what);
                break;
            }
        };
        let (first, last) = (row.returns[0].mean, row.returns[row.returns.len() - 1].mean);
        let environment_steps = row.budget.environment_steps;
        points.push(Point {
            iteration: row.iteration,
            environment_steps,
            cpu_seconds: cpu_seconds() - start,
            before: first,
            after: last,
        });
    }
    let mut writer = csv::Writer::from_path(&path)?;
    points.iter().try_for_each(|p| writer.serialize(p))?;
    writer.flush()?;
    eprintln!("{arm} seed {seed}: {:.2}", last_ten(&points));
    Ok(points)
}

/// Mean post-adaptation return of the last ten iterations.
fn last_ten(points: &[Point]) -> f64 {
    mean(&points.iter().rev().take(10).map(|p| p.after).collect::<Vec<_>>())
}

/// Mean over seeds of a curve, thinned to every third iteration: (x, mean, low, high).
fn curve(runs: &[Vec<Point>], x: impl Fn(&Point) -> f64) -> Vec<[f64; 4]> {
    let length = runs.iter().map(Vec::len).min().unwrap_or(0);
    let at = |i: usize| {
        let e = Estimate::of(&runs.iter().map(|r| r[i].after).collect::<Vec<_>>());
        let x = mean(&runs.iter().map(|r| x(&r[i])).collect::<Vec<_>>());
        [x, e.mean, e.low.unwrap_or(e.mean), e.high.unwrap_or(e.mean)]
    };
    (0..length).filter(|i| i % 3 == 2).map(at).collect()
}

fn draw(path: &Path, results: &BTreeMap<String, Vec<Vec<Point>>>, seeds: u64) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (1200, 560)).into_drawing_area();
    root.fill(&WHITE)?;
    let panels = root.split_evenly((1, 2));
    let axes: [(&str, Axis); 2] =
        [("environment steps (millions)", |p| p.environment_steps as f64 * 1e-6), ("CPU-seconds", |p| p.cpu_seconds)];
    for (panel, (label, x)) in panels.iter().zip(axes) {
        let curves: Vec<_> = results.iter().map(|(arm, runs)| (arm, curve(runs, x))).collect();
        let right = curves.iter().filter_map(|(_, c)| c.last().map(|p| p[0])).fold(0.0, f64::max);
        let mut chart = ChartBuilder::on(panel)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..right, -45.0..-10.0)?;
        chart
            .configure_mesh()
            .x_desc(label)
            .y_desc(format!("return after adaptation (undiscounted), n = {seeds} seeds, 95 % band"))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (i, (arm, points)) in curves.iter().enumerate() {
            let color = ViridisRGB.get_color_normalized(i as f64, 0.0, curves.len() as f64);
            let band = points.iter().map(|p| (p[0], p[3])).chain(points.iter().rev().map(|p| (p[0], p[2])));
            chart.draw_series([Polygon::new(band.collect::<Vec<_>>(), color.mix(0.15))])?;
            chart
                .draw_series(LineSeries::new(points.iter().map(|p| (p[0], p[1])), color.stroke_width(2)))?
                .label(arm.as_str())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.8))
            .draw()?;
    }
    root.present()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let study = arguments();
    std::fs::create_dir_all(&study.out)?;
    let mut results = BTreeMap::new();
    // seed by seed, so that an interrupted study has every arm at equal seeds
    for seed in 1..=study.seeds {
        for arm in &study.arms {
            results.entry(arm.clone()).or_insert_with(Vec::new).push(run(&study, arm, seed)?);
        }
    }
    println!(
        "arm,seeds,return,low,high,paired_difference_to_maml,low,high,environment_steps_per_iteration,cpu_seconds_per_iteration"
    );
    for (arm, runs) in &results {
        let last: Vec<f64> = runs.iter().map(|r| last_ten(r)).collect();
        let e = Estimate::of(&last);
        let paired = results
            .get("maml")
            .map(|maml| Estimate::of(&last.iter().zip(maml).map(|(a, m)| a - last_ten(m)).collect::<Vec<_>>()));
        let per = |f: &dyn Fn(&Point) -> f64| {
            mean(&runs.iter().filter_map(|r| r.last().map(|p| f(p) / p.iteration as f64)).collect::<Vec<_>>())
        };
        let show =
            |e: Estimate| format!("{:.2},{:.2},{:.2}", e.mean, e.low.unwrap_or(f64::NAN), e.high.unwrap_or(f64::NAN));
        println!(
            "{arm},{},{},{},{:.0},{:.3}",
            last.len(),
            show(e),
            paired.map_or(",,".to_string(), show),
            per(&|p| p.environment_steps as f64),
            per(&|p| p.cpu_seconds)
        );
    }
    draw(&study.out.join("learning.svg"), &results, study.seeds)
}
