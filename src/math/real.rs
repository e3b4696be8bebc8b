//! The scalar of parameters and networks: `f32` for speed, `f64` for the theory.

/// A floating-point scalar that networks, policies and batches are generic over.
pub trait Real:
    num_traits::Float
    + num_traits::NumAssign
    + std::iter::Sum
    + Send
    + Sync
    + Default
    + std::fmt::Debug
    + std::fmt::Display
    + 'static
{
    /// `"f32"` or `"f64"`.
    const NAME: &'static str;
    /// Nearest value of this type.
    fn of(x: f64) -> Self;
    /// This value as `f64`.
    fn f64(self) -> f64;
}

impl Real for f32 {
    const NAME: &'static str = "f32";
    fn of(x: f64) -> f32 {
        x as f32
    }
    fn f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const NAME: &'static str = "f64";
    fn of(x: f64) -> f64 {
        x
    }
    fn f64(self) -> f64 {
        self
    }
}
