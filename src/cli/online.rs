//! `online` on the command line.

use crate::app::online::Request;
use clap::Args;
use std::path::PathBuf;

/// Shown behind the help.
pub const EXAMPLES: &str = "\
Examples:
  stillpoint online signal-noise                 one discount per state of a chain, in a second
  stillpoint online cartpole                     an actor-critic that learns gamma and lambda
  stillpoint online cartpole --twin              the same seed with fixed gamma and lambda beside it
  stillpoint online cartpole --check-gradient    its meta-gradient beside finite differences
  stillpoint online five-arm-control --out arms
  stillpoint online five-arm-control --set meta.optimiser=sgd --set meta.beta=1
  stillpoint online atari-pong --set atari=seaquest --twin
  stillpoint online my.toml --seed 2 --set inner.alpha=0.2
  stillpoint online --resume --out arms

Shipped configurations: atari-breakout, atari-pong, atari-xu2018, cartpole, five-arm-biased-critic, five-arm-control,
five-arm-fixed, navigation, negated-pairs, signal-noise, theoretical-gmrl;
configs/README.md says what each shows and explains the keys.";

#[derive(Args, Debug)]
pub struct Online {
    /// Configuration file (TOML or JSON) or name of a shipped one
    #[arg(required_unless_present = "resume")]
    config: Option<String>,
    /// Change one key, e.g. --set meta.beta=0.5 (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Run directory [default: a fresh runs/NAME-SEED-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seed of every random stream
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Continue the run in --out under its own configuration
    #[arg(long, requires = "out", conflicts_with_all = ["force", "config", "set", "seed", "smoke"])]
    resume: bool,
    /// Replace the run in --out
    #[arg(long)]
    force: bool,
    /// A few updates only; explicit flags win
    #[arg(long)]
    smoke: bool,
    /// Also run the same seed with gamma, lambda and all costs fixed, into OUT-twin
    #[arg(long, conflicts_with_all = ["resume", "check_gradient"])]
    twin: bool,
    /// Print the actor-critic's meta-gradient beside finite differences; writes nothing
    #[arg(long, conflicts_with_all = ["resume", "out", "force"])]
    check_gradient: bool,
}

impl Online {
    /// What is asked.
    pub fn request(self, quiet: bool) -> Request {
        let Online { config, set, out, seed, resume, force, smoke, twin, check_gradient } = self;
        Request { config, set, out, seed, resume, force, smoke, twin, check_gradient, quiet }
    }
}
