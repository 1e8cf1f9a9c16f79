//! The hash by which packets of one flow take the same one of several paths.

/// A hash of addresses, protocol and ports; the same for all packets of a flow, whatever their length. `ports` are the first four
/// bytes behind the IP header, 0 where the protocol has none or the packet is a fragment.
#[inline]
#[must_use]
pub fn of(source: u128, destination: u128, protocol: u8, ports: u32) -> u32 {
    // Multiply and fold: every bit of the input reaches every bit of the upper half.
    const A: u64 = 0x9e37_79b9_7f4a_7c15;
    const B: u64 = 0xd6e8_feb8_6659_fd93;
    let fold = |x: u64, k: u64| {
        let wide = u128::from(x) * u128::from(k);
        (wide >> 64) as u64 ^ wide as u64
    };
    let source = fold(source as u64 ^ A, B) ^ fold((source >> 64) as u64 ^ B, A);
    let destination = fold(destination as u64 ^ B, A) ^ fold((destination >> 64) as u64 ^ A, B);
    let rest = u64::from(ports) << 8 | u64::from(protocol);
    let mixed = fold(source.rotate_left(17) ^ destination ^ rest, A);
    (mixed >> 32) as u32 ^ mixed as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_spread_evenly_over_paths() {
        let mut buckets = [0u32; 16];
        for port in 0..16_000u32 {
            let hash = of(0x0a00_0001, 0x0a00_0002, 17, port << 16 | 53);
            buckets[hash as usize % 16] += 1;
        }
        // Three sigma of a fair distribution over 16 paths is about 92.
        assert!(buckets.iter().all(|b| (900..1100).contains(b)), "{buckets:?}");
    }

    #[test]
    fn each_field_matters() {
        let base = of(1, 2, 6, 80);
        for other in [of(2, 1, 6, 80), of(1, 2, 17, 80), of(1, 2, 6, 81), of(1 << 64, 2, 6, 80)] {
            assert_ne!(base, other);
        }
    }
}
