//! `online`: one task, one lifetime; a run, its twin with fixed meta-parameters, or a check of its meta-gradient.

mod check;
pub mod games;
mod shown;

use super::clock::Clock;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::lifetime::Lifetime;
use super::runs;
use crate::config::online::{self as config, Choice, Plan, Problem};
use crate::config::plan::FamilyChoice;
use crate::config::{Overrides, tree};
use crate::learn::online::{Guarded, Learner, actor_critic};
use crate::math::real::Real;
use crate::record::online as record;
use crate::record::run::{self, Session};
use crate::rng::{Address, Purpose};
use crate::rollout::world::Element;
use ::tasks::task::Task;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shown::Shown;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What the command line asks of `online`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Path of a configuration or name of a shipped one.
    pub config: Option<String>,
    /// `key=value` changes.
    pub set: Vec<String>,
    /// Run directory.
    pub out: Option<PathBuf>,
    /// Seed.
    pub seed: Option<u64>,
    /// Continue the run in `out`.
    pub resume: bool,
    /// Replace the run in `out`.
    pub force: bool,
    /// A few updates only.
    pub smoke: bool,
    /// Also run the same seed with all meta-parameters fixed.
    pub twin: bool,
    /// Hold the meta-gradient against finite differences instead of running.
    pub check_gradient: bool,
    /// No progress and no remarks.
    pub quiet: bool,
}

/// A run that is claimed, and whether it is new.
struct Claimed {
    session: Session,
    plan: Plan,
    is_new: bool,
}

/// Runs the command.
///
/// # Errors
/// A configuration or directory that cannot be used, divergence, interruption, or a system that refuses to write.
pub fn run(request: Request) -> Result<(), Failure> {
    if request.check_gradient {
        return check::run(request);
    }
    let interrupt = Interrupt::listen(request.quiet)?;
    let quiet = request.quiet;
    let claimed = if request.resume { reopen(&request)? } else { claim(request)? };
    for Claimed { session, plan, is_new } in claimed {
        let job = Job { plan: &plan, life: lifetime(&plan, &interrupt, quiet), session, is_new };
        match &plan.learner {
            Choice::Small(options) => job.run(Learner::new(options.as_ref().clone(), plan.seed))?,
            Choice::ActorCritic(control) => match &control.problem {
                Problem::Family(family, net) => job.run(on_family((family, net), &control.options, plan.seed)?)?,
                Problem::Atari(atari, net) => job.run(on_atari::<f32>((atari, net), &control.options, plan.seed)?)?,
            },
        }
    }
    Ok(())
}

/// The life of a run of `plan`.
pub(super) fn lifetime<'a>(plan: &Plan, interrupt: &'a Interrupt, quiet: bool) -> Lifetime<'a> {
    Lifetime {
        command: "online",
        config: config::resolved(plan),
        updates: plan.updates(),
        remedy: "a smaller inner step size",
        quiet,
        interrupt,
        clock: Clock::start,
    }
}

/// A run to be, whatever learns.
struct Job<'a> {
    plan: &'a Plan,
    life: Lifetime<'a>,
    session: Session,
    is_new: bool,
}

impl Job<'_> {
    /// Runs it to its end and prints what was learned.
    fn run<L: Guarded>(self, learner: L) -> Result<(), Failure>
    where
        L::Row: Serialize + DeserializeOwned + Shown,
    {
        let Job { plan, life, session, is_new } = self;
        let (dir, learner) = life.run(session, is_new, learner, Shown::line)?;
        let rows: Vec<L::Row> =
            record::last(&dir, plan.average as usize)?.into_iter().map(|logged| logged.row).collect();
        let text = shown::report(plan, &rows, learner.done(), learner.rail(), &dir);
        Ok(std::io::stdout().write_all(text.as_bytes())?)
    }
}

/// The one task that the seed draws from a family.
pub(super) fn task(family: &FamilyChoice, seed: u64) -> Result<Task, Failure> {
    let family = ::tasks::registry::build(&family.name, &family.params);
    let family = family.map_err(|e| Failure::Internal(e.to_string()))?; // the configuration has built it before
    Ok(family.sample(&mut Address::new(seed, Purpose::Task).stream()))
}

/// The actor-critic on one task of a family.
pub(super) fn on_family(
    (family, network): (&FamilyChoice, &actor_critic::MlpShape),
    options: &actor_critic::Options,
    seed: u64,
) -> Result<actor_critic::FamilyLearner, Failure> {
    actor_critic::on_family(task(family, seed)?, network, options.clone(), seed).map_err(Failure::Internal)
}

/// The actor-critic on an Atari game.
pub(super) fn on_atari<F: Real + Element>(
    (atari, network): (&config::Atari, &actor_critic::ConvShape),
    options: &actor_critic::Options,
    seed: u64,
) -> Result<actor_critic::AtariLearner<F>, Failure> {
    let games = games::start(atari, options.actors, seed)?;
    actor_critic::on_atari(games, *network, options.clone(), seed).map_err(Failure::Internal)
}

/// Directories of a new run and of its twin, before anything is computed.
fn claim(request: Request) -> Result<Vec<Claimed>, Failure> {
    let Request { config, mut set, out, seed, force, smoke, twin, quiet, .. } = request;
    let Some(name) = config else { return Err(Failure::Usage("a configuration is needed".into())) };
    if twin {
        set.push("twin=true".into());
    }
    let asked = games::asked(&name, &set);
    let plan = config::load(&name, &Overrides { set, seed, smoke, ..Overrides::default() })?;
    games::ready(&plan, &asked)?; // before a directory is made
    let session = runs::claim(out, &plan.name, plan.seed, force)?;
    runs::remark(quiet, &format!("run directory {}", session.dir().display()));
    let mut claimed = Vec::new();
    if let Some(twin) = plan.twin() {
        let session = run::claim(&run::twin_of(session.dir()), force)?;
        claimed.push(Claimed { session, plan: twin, is_new: true });
    }
    claimed.insert(0, Claimed { session, plan, is_new: true });
    Ok(claimed)
}

/// The run to go on with, and its twin, which may not have been started.
fn reopen(request: &Request) -> Result<Vec<Claimed>, Failure> {
    let Some(dir) = &request.out else {
        return Err(Failure::Usage("--resume needs --out DIR, the run to continue".into()));
    };
    let resume = |dir: &Path| -> Result<Claimed, Failure> {
        let (session, opened) = Session::resume(dir)?;
        runs::expect(&opened, "online")?;
        let source = opened.config_path().display().to_string();
        let plan = config::parse(&opened.config, &source, tree::Format::Toml, &Overrides::default())?;
        games::ready(&plan, &source)?;
        Ok(Claimed { session, plan, is_new: false })
    };
    let first = resume(dir)?;
    let mut claimed = Vec::new();
    if let Some(plan) = first.plan.twin() {
        let dir = run::twin_of(dir);
        claimed.push(match run::contents(&dir)? {
            run::Contents::Missing | run::Contents::Empty => {
                Claimed { session: run::claim(&dir, false)?, plan, is_new: true }
            }
            _ => resume(&dir)?,
        });
    }
    claimed.insert(0, first);
    Ok(claimed)
}
