//! Batches as multisets: every way to draw n items when order does not matter, with its multinomial coefficient.

/// Number of multisets of `n` items out of `m` kinds, C(m + n - 1, n), saturating at `u64::MAX`.
pub fn count(m: u64, n: u64) -> u64 {
    if m == 0 {
        return u64::from(n == 0);
    }
    let mut c: u128 = 1;
    for i in 1..=u128::from(n) {
        c = c * (u128::from(m) - 1 + i) / i;
        if c > u128::from(u64::MAX) {
            return u64::MAX;
        }
    }
    c as u64
}

/// Calls `visit(items, coefficient)` for every multiset of `n` items out of `0..m`; `items` is non-decreasing and
/// `coefficient` = n! / prod counts! is the number of ordered draws it stands for.
pub fn for_each(m: usize, n: usize, mut visit: impl FnMut(&[usize], f64)) {
    assert!(n > 0, "a batch holds at least one trajectory");
    for_each_from(m, n, 0..m, &mut visit);
}

/// As [`for_each`], restricted to multisets whose smallest item lies in `first` (a partition of the work).
pub fn for_each_from(m: usize, n: usize, first: std::ops::Range<usize>, visit: &mut impl FnMut(&[usize], f64)) {
    for smallest in first {
        let mut items = vec![smallest; n];
        loop {
            visit(&items, coefficient(&items));
            let Some(i) = (1..n).rev().find(|&i| items[i] + 1 < m) else { break };
            let next = items[i] + 1;
            items[i..].fill(next);
        }
    }
}

/// n! / prod counts! of a non-decreasing list.
pub fn coefficient(items: &[usize]) -> f64 {
    let (mut c, mut run) = (1.0, 0.0);
    for (i, item) in items.iter().enumerate() {
        run = if i > 0 && items[i - 1] == *item { run + 1.0 } else { 1.0 };
        c *= (i + 1) as f64 / run;
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_every_ordered_draw_once() {
        for (m, n) in [(1, 1), (1, 4), (3, 1), (3, 2), (4, 3), (2, 8)] {
            let (mut visits, mut draws) = (0, 0.0);
            let mut last: Option<Vec<usize>> = None;
            for_each(m, n, |items, c| {
                assert!(items.windows(2).all(|w| w[0] <= w[1]) && items.iter().all(|&i| i < m));
                assert!(last.as_deref().is_none_or(|l| l < items), "strictly increasing order");
                last = Some(items.to_vec());
                visits += 1;
                draws += c;
            });
            assert_eq!(visits, count(m as u64, n as u64));
            assert_eq!(draws, (m as f64).powi(n as i32));
        }
    }

    #[test]
    fn count_saturates() {
        assert_eq!(count(u64::MAX, 5), u64::MAX);
        assert_eq!(count(816, 1), 816);
    }
}
