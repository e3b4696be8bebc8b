//! Smoothness seen along a run, for where the theory's constant is not available or too loose to be of use.

/// The largest |grad V(x) - grad V(y)| / |x - y| over `pairs`: a **lower** bound of V's smoothness constant.
///
/// Unlike L_V it promises nothing: V may bend more anywhere that was not looked at, so a theorem that needs beta <= 1 / L is
/// not established by putting this in the place of L. With pairs of consecutive parameters of a run it says how much V bent
/// along the way. `gradient` must be noiseless or use the same random numbers at every call: noise of size s adds up to
/// 2 s / |x - y|. Each pair costs two gradients, one where its first point is the previous pair's second. Pairs of equal points
/// are passed over; `None` if no pair is left; NaN where a gradient is not finite.
///
/// # Panics
/// If the points of a pair differ in length.
pub fn empirical_smoothness<'a>(
    gradient: &mut dyn FnMut(&[f64]) -> Vec<f64>,
    pairs: impl IntoIterator<Item = (&'a [f64], &'a [f64])>,
) -> Option<f64> {
    let mut last: Option<(&[f64], Vec<f64>)> = None;
    let mut largest: Option<f64> = None;
    for (x, y) in pairs {
        assert_eq!(x.len(), y.len(), "a pair is two points of one space");
        let length = distance(x, y);
        if length == 0.0 {
            continue;
        }
        let at_x = match last.take() {
            Some((point, gradient)) if point == x => gradient,
            _ => gradient(x),
        };
        let at_y = gradient(y);
        let slope = distance(&at_x, &at_y) / length;
        largest =
            Some(largest.map_or(slope, |top| if slope.is_nan() || top.is_nan() { f64::NAN } else { top.max(slope) }));
        last = Some((y, at_y));
    }
    largest
}

/// The pairs of consecutive points of a trajectory.
pub fn consecutive(thetas: &[Vec<f64>]) -> impl Iterator<Item = (&[f64], &[f64])> {
    thetas.windows(2).map(|pair| (&pair[0][..], &pair[1][..]))
}

fn distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// V = (x_0^2 + 3 x_1^2) / 2 + x_0^4 / 4: curvature 1 + 3 x_0^2 and 3.
    fn gradient(x: &[f64]) -> Vec<f64> {
        vec![x[0] + x[0].powi(3), 3.0 * x[1]]
    }

    #[test]
    fn it_finds_the_curvature_along_the_path_and_not_elsewhere() {
        let path = [vec![0.0, 0.0], vec![0.0, 1.0], vec![0.0, 1.0], vec![0.5, 1.0], vec![0.5, 0.0]];
        let mut calls = 0;
        let mut counted = |x: &[f64]| {
            calls += 1;
            gradient(x)
        };
        // along the second axis the slope is 3; along the first it is at most 1 + 3/4 here, though 1 + 3 x_0^2 is unbounded
        assert_eq!(empirical_smoothness(&mut counted, consecutive(&path)), Some(3.0));
        assert_eq!(calls, 4, "shared points are evaluated once and the standing pair not at all");
        let first = empirical_smoothness(&mut gradient, [(&[0.0, 0.0][..], &[0.5, 0.0][..])]);
        assert_eq!(first, Some(1.25));
    }

    #[test]
    fn it_never_exceeds_the_constant() {
        // on |x_0| <= 1 the constant is 4
        let path: Vec<Vec<f64>> = (0..200).map(|k| vec![(k as f64).sin(), (3.0 * k as f64).cos()]).collect();
        let found = empirical_smoothness(&mut gradient, consecutive(&path)).unwrap();
        assert!(found <= 4.0 && found > 2.9, "{found}");
    }

    #[test]
    fn nothing_to_see_is_not_zero() {
        assert_eq!(empirical_smoothness(&mut gradient, consecutive(&[vec![1.0, 1.0]])), None);
        assert_eq!(empirical_smoothness(&mut gradient, consecutive(&[vec![1.0, 1.0], vec![1.0, 1.0]])), None);
        let mut broken = |_: &[f64]| vec![f64::NAN];
        assert!(empirical_smoothness(&mut broken, [(&[0.0][..], &[1.0][..])]).unwrap().is_nan());
    }
}
