//! [`near_partition_point`]: looking things up in path order, for who asks in path order.

/// As [`slice::partition_point`], faster the nearer the answer is to `near`.
pub(crate) fn near_partition_point<T>(
    all: &[T],
    near: usize,
    is_before: impl Fn(&T) -> bool,
) -> usize {
    let near = near.min(all.len());
    let (mut low, mut high, mut step) = (near, near, 1);
    while high < all.len() && is_before(&all[high]) {
        low = high + 1;
        high = all.len().min(high + step);
        step *= 2;
    }
    if high == near {
        while low > 0 && !is_before(&all[low - 1]) {
            high = low - 1;
            low = low.saturating_sub(step);
            step *= 2;
        }
    }
    low + all[low..high].partition_point(is_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_point_is_the_same_from_wherever_it_is_looked_for() {
        for length in 0..20_usize {
            let all: Vec<usize> = (0..length).collect();
            for point in 0..=length {
                for near in 0..length + 3 {
                    let found = near_partition_point(&all, near, |&at| at < point);
                    assert_eq!(found, point, "{near} of {length}");
                }
            }
        }
    }
}
