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

/// Inner product, accumulated in `f64` in eight partial sums: in lanes, and the same on every machine.
pub fn inner_product<F: Real>(a: &[F], b: &[F]) -> f64 {
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a.f64() * b.f64()).sum();
    for (a, b) in a8.zip(b8) {
        for k in 0..8 {
            sums[k] += a[k].f64() * b[k].f64();
        }
    }
    sums.iter().sum::<f64>() + rest
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
