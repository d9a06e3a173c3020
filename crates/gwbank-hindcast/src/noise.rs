//! Noise by key: the same (seed, place, well, month) gives the same number whatever was asked before. SplitMix64's finaliser,
//! written here because a library's generator may change its numbers between versions.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A point in the space of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noise(u64);

impl Noise {
    pub const fn new(seed: u64) -> Self {
        Noise(mix(seed ^ GOLDEN))
    }

    /// The point below this one that the key names.
    #[must_use]
    pub const fn key(self, key: u64) -> Self {
        Noise(mix(self.0.wrapping_add(key.wrapping_mul(GOLDEN)).wrapping_add(GOLDEN)))
    }

    /// Uniform in [0, 1).
    pub fn unit(self) -> f64 {
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box and Muller).
    pub fn normal(self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.key(1).unit()).cos()
    }
}

const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_their_moments() {
        let noise = Noise::new(7);
        let values: Vec<f64> = (0..20_000).map(|key| noise.key(key).normal()).collect();
        let mean = values.iter().sum::<f64>() / 20_000.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 20_000.0;
        let kurtosis = values.iter().map(|value| (value - mean).powi(4)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05 && (kurtosis - 3.0).abs() < 0.3);
    }
}
