//! Networks over a flat parameter vector: forward, VJP, JVP, gradient and HVP in one pass.
