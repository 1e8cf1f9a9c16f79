//! From weights to buckets.

use super::MAX_BUCKETS;

/// Sum of the differences between given and wanted shares that is good enough, in parts of the whole.
const TOLERANCE: f64 = 0.01;

/// How many of a power-of-two number of buckets each path gets, in proportion to its weight: the smallest number of
/// buckets for which the shares are within 1 % of the weights', or the largest there is. Each path gets one at least.
/// Weights are above 0; there are no more than [`MAX_BUCKETS`].
pub(super) fn buckets(weights: &[u32]) -> Vec<u32> {
    debug_assert!(weights.len() <= MAX_BUCKETS && weights.iter().all(|&weight| weight > 0));
    let total: f64 = weights.iter().copied().map(f64::from).sum();
    let mut size = weights.len().next_power_of_two();
    loop {
        let shares = apportion(weights, total, size);
        let error: f64 = shares
            .iter()
            .zip(weights)
            .map(|(&share, &weight)| {
                (f64::from(share) / size as f64 - f64::from(weight) / total).abs()
            })
            .sum();
        if error <= TOLERANCE || size >= MAX_BUCKETS {
            return shares;
        }
        size *= 2;
    }
}

/// Gives `size` seats to the weights: one to each, then always to the one that is furthest below its share.
fn apportion(weights: &[u32], total: f64, size: usize) -> Vec<u32> {
    let wanted: Vec<f64> =
        weights.iter().map(|&weight| f64::from(weight) / total * size as f64).collect();
    let mut shares: Vec<u32> = wanted.iter().map(|&want| (want as u32).max(1)).collect();
    let mut given: usize = shares.iter().map(|&share| share as usize).sum();
    let lack = |shares: &[u32], i: usize| wanted[i] - f64::from(shares[i]);
    while given != size {
        let by_lack = |&a: &usize, &b: &usize| lack(&shares, a).total_cmp(&lack(&shares, b));
        let all = 0..weights.len();
        // Of equals the first: which path has the odd bucket must not change from one call to the next.
        let (chosen, step) = if given < size {
            (all.rev().max_by(by_lack), 1)
        } else {
            (all.filter(|&i| shares[i] > 1).min_by(by_lack), -1)
        };
        let Some(chosen) = chosen else { break };
        shares[chosen] = shares[chosen].wrapping_add_signed(step);
        given = given.wrapping_add_signed(step as isize);
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_weights_share_equally_and_simple_ratios_exactly() {
        assert_eq!(buckets(&[1, 1]), [1, 1]);
        assert_eq!(buckets(&[7; 8]), [1; 8]);
        assert_eq!(buckets(&[3, 1]), [3, 1]);
        assert_eq!(buckets(&[1, 3, 4]), [1, 3, 4]);
        assert_eq!(buckets(&[255, 1]).iter().sum::<u32>(), 128, "within 1 % at 128 buckets");
        let thirds = buckets(&[1, 1, 1]);
        assert!(thirds.iter().sum::<u32>().is_power_of_two());
        assert!(thirds.iter().max().unwrap() - thirds.iter().min().unwrap() <= 1);
    }

    proptest! {
        #[test]
        fn buckets_are_a_power_of_two_and_follow_the_weights(
            weights in prop::collection::vec(1..256_u32, 2..64),
        ) {
            let shares = buckets(&weights);
            let size: u32 = shares.iter().sum();
            prop_assert!(size.is_power_of_two() && size as usize <= MAX_BUCKETS);
            prop_assert_eq!(shares.len(), weights.len());
            let total: u32 = weights.iter().sum();
            for (&share, &weight) in shares.iter().zip(&weights) {
                prop_assert!(share >= 1);
                let wanted = f64::from(weight) / f64::from(total) * f64::from(size);
                // A path that had to be given its one bucket takes it from the others.
                prop_assert!((f64::from(share) - wanted).abs() <= 1.0 + 0.02 * f64::from(size));
            }
        }
    }
}
