//! Networks over a flat parameter vector: forward, VJP, JVP, gradient and HVP in one pass.
//!
//! This layer knows neither tasks nor estimators, and it is the only door to the matrix library. Everything runs on the
//! calling thread in a fixed order, so equal inputs give equal bits whatever the number of threads around it.

pub mod conditioned;
pub mod conv;
mod embedding;
pub mod free;
pub mod init;
mod kernels;
mod lanes;
mod matmul;
pub mod mlp;
pub mod network;
mod reverse;
pub mod separate;
pub mod tape;

pub use conditioned::ConditionedMlp;
pub use conv::{Architecture, ConvInit, ConvNet, ConvTape, Frame, Stage};
pub use free::Free;
pub use init::Init;
pub use mlp::{Activation, Layer, Mlp};
pub use network::{Along, At, Gradient, Network};
pub use separate::Separate;
pub use tape::{Tape, Workspace};

pub(crate) use kernels::exp_in_place;
