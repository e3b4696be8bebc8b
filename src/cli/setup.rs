//! `setup` on the command line.

use crate::app::setup::Request;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Shown behind the help.
pub const EXAMPLES: &str = "\
Examples:
  stillpoint setup atari                               download (11 MB), compile (half a minute), install
  stillpoint setup atari --status                      what is installed, and where
  stillpoint setup atari --from ale_py-0.12.1.tar.gz   on a machine without network
  stillpoint setup atari --roms ~/roms                 your own ROMs, recognised by their MD5

ALE, the Atari emulator, is licensed under GPL-2.0. It is compiled on your machine, into STILLPOINT_DATA or
~/.local/share/stillpoint, and loaded when a game is played; nothing else needs it. CXX, CXXFLAGS and LDFLAGS choose
the compiler, STILLPOINT_PYTHON the Python whose pip downloads. Run again, it does only what is missing.";

#[derive(Args, Debug)]
pub struct Setup {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// The Atari emulator (ALE 0.12.1, GPL-2.0) and its ROMs
    #[command(after_help = EXAMPLES)]
    Atari {
        /// Source archive of ale-py 0.12.1, for machines without network
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// Say what is installed; change nothing
        #[arg(long, conflicts_with_all = ["from", "roms"])]
        status: bool,
        /// Take ROMs from DIR where it has them
        #[arg(long, value_name = "DIR")]
        roms: Option<PathBuf>,
    },
}

impl Setup {
    /// What is asked.
    pub fn request(self, quiet: bool) -> Request {
        let What::Atari { from, status, roms } = self.what;
        Request { from, roms, status, quiet }
    }
}
