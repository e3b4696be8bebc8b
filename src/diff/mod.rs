//! Networks over a flat parameter vector: forward, VJP, JVP, gradient and HVP in one pass.

/// Non-linearity (placeholder until the network layer lands).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Hyperbolic tangent.
    Tanh,
    /// Rectifier.
    Relu,
}

/// Initial weights (placeholder until the network layer lands).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform on +-sqrt(6 / (in + out)).
    GlorotUniform,
    /// Orthonormal times `gain`.
    Orthogonal {
        /// Factor.
        gain: f64,
    },
}
