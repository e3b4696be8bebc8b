//! `evaluate` on a run of `online`: whole episodes of its one task under the trained policy, and the human-normalised score of a game.

use super::movie::Movie;
use super::{Failure, Request};
use crate::app::interrupt::Interrupt;
use crate::app::online::{self, games};
use crate::config::any;
use crate::config::online::{self as config, Choice, Control, Plan, Problem};
use crate::config::{Overrides, tree};
use crate::diff::Network;
use crate::learn::online::Snapshot;
use crate::learn::online::actor_critic::{CONDITION, convolutions, perceptron, trained};
use crate::math::real::Real;
use crate::math::summary::Estimate;
use crate::measure::play::{Played, Player, play};
use crate::policy::actor_critic::Heads;
use crate::record::run::Opened;
use crate::record::{self, online as run};
use crate::rng::{Address, Purpose, Rng};
use crate::rollout::atari::AtariWorld;
use crate::rollout::world::{Element, FamilyWorld, World};
use ::tasks::atari::games::Reference;
use rayon::prelude::*;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Episodes that play at a time in one thread.
const TOGETHER: usize = 8;
/// Games that are played side by side at most: a constant, so that scores do not depend on the number of threads.
const PLAYERS: usize = 64;
/// Most episodes.
const MAX_EPISODES: usize = 1_000_000;

/// Everything that is printed; with `--json` this is the object.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Report {
    run: String,
    task: String,
    /// Updates behind the parameters.
    update: u64,
    frames: u64,
    /// What the network saw.
    gamma: f64,
    lambda: f64,
    episodes: usize,
    /// Confidence of every interval; units are episodes of this one run, so it says nothing about other seeds.
    confidence: f64,
    #[serde(rename = "return")]
    achieved: Estimate,
    lowest: f64,
    highest: f64,
    /// 100 (score - random) / (human - random), per cent, for games that are played as those of random play and humans were.
    human_normalised: Option<Estimate>,
    /// Why a game has none.
    not_normalised: Option<String>,
    random: Option<f64>,
    human: Option<f64>,
    protocol: Option<String>,
}

/// What was trained.
pub(in crate::app) struct Subject<'a> {
    pub plan: &'a Plan,
    pub control: &'a Control,
    /// Parameters.
    pub snapshot: &'a Snapshot,
    /// File that the snapshot is from, for messages.
    pub state: &'a Path,
    /// Where a film of the first episode goes.
    pub gif: Option<&'a Path>,
    /// Whether playing is to end before its end.
    pub interrupt: &'a Interrupt,
}

/// Returns of all episodes, and where the run stands.
pub(in crate::app) struct Score {
    /// Undiscounted returns.
    pub returns: Vec<f64>,
    /// Environment steps that playing took.
    pub steps: u64,
    update: u64,
    frames: u64,
    seen: [f64; 2],
    task: String,
}

/// Runs the command on an opened run.
pub(super) fn run(request: &Request, opened: &Opened) -> Result<(), Failure> {
    let source = opened.config_path().display().to_string();
    let plan = config::parse(&opened.config, &source, tree::Format::Toml, &Overrides::default())?;
    let shown = request.run.display();
    let Choice::ActorCritic(control) = &plan.learner else {
        let text = format!(
            "{shown}: is a run of `online` on a small task, which has no policy to play with; `stillpoint report {shown}` shows what \
             there is"
        );
        return Err(Failure::Usage(text));
    };
    for (flag, is_given) in request.flags_of_training_runs() {
        if is_given {
            return Err(Failure::Usage(format!(
                "{flag} has no meaning for a run of `online`, which does not adapt to tasks"
            )));
        }
    }
    let episodes = request.count.unwrap_or(30);
    if episodes == 0 || episodes > MAX_EPISODES {
        return Err(Failure::Usage(format!("--count: must be from 1 to {MAX_EPISODES}, found {episodes}")));
    }
    let path = request.run.join(run::STATE);
    let missing =
        || Failure::Usage(format!("{}: missing; the run was stopped before its first state stood", path.display()));
    let snapshot = record::snapshot::load(&path)?.ok_or_else(missing)?;
    let gif = request.gif.as_deref();
    let interrupt = Interrupt::default(); // a signal ends this command at once
    let subject = Subject { plan: &plan, control, snapshot: &snapshot, state: &path, gif, interrupt: &interrupt };
    let report = report(shown.to_string(), control, &subject.score(episodes)?);
    let text = if request.json { json(&report)? } else { table(&report) };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

impl Subject<'_> {
    /// Plays `episodes` in all.
    ///
    /// # Errors
    /// The state does not fit the configuration, the emulator is missing, an environment failed, or the user interrupted.
    pub fn score(&self, episodes: usize) -> Result<Score, Failure> {
        match &self.control.problem {
            Problem::Family(family, shape) => {
                if self.gif.is_some() {
                    return Err(Failure::Usage("--gif is for Atari games".into()));
                }
                let task = online::task(family, self.plan.seed)?;
                let (net, heads) = perceptron(&task, shape, self.control.options.outer.separate_critic);
                let task = Arc::new(task);
                let start = |rng: &mut Rng| Ok(FamilyWorld::<f64>::start(task.clone(), rng));
                let score = self.play::<f64, _, _>((net, heads), episodes, start, |_| {})?;
                Ok(Score { task: family.name.clone(), ..score })
            }
            Problem::Atari(atari, shape) => {
                let players = episodes.min(PLAYERS);
                games::ready(self.plan, &self.state.with_file_name(any::RESOLVED).display().to_string())?;
                let mut games = games::start(atari, players, self.plan.seed ^ u64::MAX)?;
                let separate = self.control.options.outer.separate_critic;
                let (net, heads) = convolutions(&atari.protocol, games[0].actions(), *shape, separate);
                let mut movie = self.gif.map(Movie::create).transpose()?;
                let mut failed = None;
                let watch = |world: &AtariWorld| {
                    if let Some(movie) = movie.as_mut().filter(|_| failed.is_none()) {
                        failed = movie.take(world.env()).err();
                    }
                };
                games.reverse();
                let start = |rng: &mut Rng| AtariWorld::start(games.pop().ok_or("one game per player")?, rng);
                let score = self.play::<f32, _, _>((net, heads), episodes, start, watch)?;
                if let Some(failure) = failed {
                    return Err(failure);
                }
                if let Some(movie) = movie {
                    movie.finish()?;
                }
                Ok(Score { task: format!("atari/{}", atari.game.name), ..score })
            }
        }
    }

    /// Plays `episodes` in all, cut among players; the first player is watched.
    fn play<F: Real + Element, W: World, N: Network<F, Obs = W::Obs>>(
        &self,
        (net, heads): (N, Heads),
        episodes: usize,
        mut start: impl FnMut(&mut Rng) -> Result<W, String>,
        mut watch: impl FnMut(&W) + Send,
    ) -> Result<Score, Failure> {
        let bad = |why: String| {
            let path = self.state.display();
            Failure::Usage(format!("{path}: not the state of a run with its config.toml: {why}"))
        };
        let (theta, standing) = trained::<F>(self.snapshot, net.n_params()).map_err(bad)?;
        let options = &self.control.options;
        if standing.logits.len() != options.tunables.learned().len() {
            return Err(bad("other meta-parameters are learned".into()));
        }
        let progress = standing.update as f64 / options.updates.max(1) as f64;
        let eta = options.tunables.eta(&standing.logits, progress);
        let seen = CONDITION.map(|t| eta.get(t));
        let condition: Vec<F> = seen[..net.conditioning()].iter().map(|x| F::of(*x)).collect();
        let count = episodes.min(PLAYERS);
        let failed = |why: String| Failure::Internal(format!("the environment failed: {why}"));
        let mut groups: Vec<Vec<Player<W>>> = Vec::new();
        for b in 0..count {
            let mut rng = Address::new(self.plan.seed, Purpose::Evaluate).task(b).stream();
            let world = start(&mut rng).map_err(failed)?;
            let player = Player { world, rng, episodes: episodes / count + usize::from(b < episodes % count) };
            match groups.last_mut().filter(|group| group.len() < TOGETHER) {
                Some(group) => group.push(player),
                None => groups.push(vec![player]),
            }
        }
        let watched = groups.remove(0);
        let at = [theta.as_slice(), condition.as_slice()];
        let stop = || self.interrupt.requested();
        let (first, others) = rayon::join(
            || play((&net, &heads), at, watched, &mut watch, stop),
            || {
                let one = |g| play((&net, &heads), at, g, |_| {}, stop);
                groups.into_par_iter().map(one).collect::<Result<Option<Vec<_>>, String>>()
            },
        );
        let (first, others) = (first.map_err(failed)?, others.map_err(failed)?);
        let (Some(first), Some(others)) = (first, others) else {
            return Err(Failure::Interrupted("interrupted while playing".into()));
        };
        let all: Vec<Played> = std::iter::once(first).chain(others).collect();
        Ok(Score {
            steps: all.iter().map(|played| played.steps).sum(),
            returns: all.into_iter().flat_map(|played| played.returns).flatten().collect(),
            update: standing.update,
            frames: standing.frames,
            seen,
            task: String::new(),
        })
    }
}

fn report(run: String, control: &Control, score: &Score) -> Report {
    let returns = &score.returns;
    let fold = |f: fn(f64, f64) -> f64| returns.iter().copied().reduce(f).unwrap_or(f64::NAN);
    let normalised = |r: Reference| Estimate::of(&returns.iter().map(|x| 100.0 * r.normalised(*x)).collect::<Vec<_>>());
    let (protocol, known) = match &control.problem {
        Problem::Atari(atari, _) => (Some(atari.preset.clone()), Some(atari.references())),
        Problem::Family(..) => (None, None),
    };
    let (reference, not_normalised) = match known {
        Some(Ok(reference)) => (Some(reference), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    Report {
        run,
        task: score.task.clone(),
        update: score.update,
        frames: score.frames,
        gamma: score.seen[0],
        lambda: score.seen[1],
        episodes: returns.len(),
        confidence: 0.95,
        achieved: Estimate::of(returns),
        lowest: fold(f64::min),
        highest: fold(f64::max),
        human_normalised: reference.map(normalised),
        not_normalised,
        random: reference.map(|r| r.random),
        human: reference.map(|r| r.human),
        protocol,
    }
}

fn json(report: &Report) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(report).map_err(|e| Failure::Internal(e.to_string()))?;
    Ok(format!("{text}\n"))
}

fn shown(e: &Estimate) -> String {
    match (e.low, e.high) {
        (Some(low), Some(high)) => format!("{:.2} [{low:.2}, {high:.2}]", e.mean),
        _ => format!("{:.2} (one episode: no interval)", e.mean),
    }
}

fn table(r: &Report) -> String {
    let mut text = format!("{}: {} after {} updates, {} frames\n", r.run, r.task, r.update, r.frames);
    let _ = writeln!(
        text,
        "  episodes          {}, sampled actions, gamma {:.5}, lambda {:.5}",
        r.episodes, r.gamma, r.lambda
    );
    let _ = writeln!(text, "  return            {}, from {:.2} to {:.2}", shown(&r.achieved), r.lowest, r.highest);
    if let (Some(score), Some(random), Some(human)) = (&r.human_normalised, r.random, r.human) {
        let _ = writeln!(text, "  human-normalised  {} %, random {random}, human {human} (no-op starts)", shown(score));
    }
    if let Some(why) = &r.not_normalised {
        let _ = writeln!(text, "  human-normalised  none: {why}");
    }
    if let Some(protocol) = &r.protocol {
        let _ = writeln!(text, "  protocol          {protocol}, as config.toml says");
    }
    text += "  intervals: 95 %, over episodes of this one run; other seeds may differ by more\n";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pong(set: &[&str]) -> Report {
        let set = set.iter().map(ToString::to_string).collect();
        let plan = config::load("atari-pong", &Overrides { set, ..Overrides::default() }).expect("valid");
        let Choice::ActorCritic(control) = &plan.learner else { panic!("a game") };
        let (returns, task) = (vec![-20.0, -18.0, -19.0], "atari/pong".to_string());
        report("run".into(), control, &Score { returns, steps: 1, update: 2, frames: 3, seen: [0.99, 1.0], task })
    }

    #[test]
    fn scores_are_held_against_humans_only_under_their_rules() {
        let whole = pong(&[]);
        let score = whole.human_normalised.expect("whole games");
        assert!((score.mean - 100.0 * 1.7 / 35.3).abs() < 1e-9, "{score:?}");
        assert!(table(&whole).contains("%, random -20.7, human 14.6 (no-op starts)"));
        for (set, key) in [
            ("atari.max_frames=400", "`atari.max_frames` is 400, theirs 108000"),
            ("atari.protocol=machado2018", "`atari.noop_max` is 0, theirs 30, `atari.sticky` is 0.25, theirs 0"),
        ] {
            let other = pong(&[set]);
            let text = table(&other);
            assert!(text.contains("return            -19.00 [") && text.contains("human-normalised  none: "), "{text}");
            assert!(text.contains(key) && !text.contains("no-op starts"), "{text}");
            let json: serde_json::Value = serde_json::from_str(&json(&other).expect("JSON")).expect("JSON");
            for absent in ["human_normalised", "random", "human"] {
                assert!(json[absent].is_null(), "{absent}: {json}");
            }
            assert!(json["not_normalised"].as_str().is_some_and(|why| why.contains(key)), "{json}");
        }
    }
}
