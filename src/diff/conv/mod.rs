//! Convolutional actor-critic networks on images of bytes, with kernels of our own.
//!
//! A torso of convolutions (module `plan`: what is computed where; `correlate`, `outer`: the two kernels that do nearly all of the
//! work; `torso`: the passes) ends in ReLU; its features, pixel by pixel, enter a hidden layer with ReLU and linear heads (`head`); the
//! values may have a hidden layer of their own above that (`branch`).
//! Everything is linear or piecewise so, hence the tangent of the reverse pass is exact except on a kink.

mod back;
mod branch;
mod correlate;
mod dense;
mod head;
mod init;
mod network;
mod outer;
mod pixels;
mod plan;
mod simd;
#[cfg(test)]
mod tests;
mod torso;
mod weights;

pub use init::ConvInit;
pub use network::{Architecture, ConvNet, ConvTape};
pub use plan::{Frame, Stage};
