//! Noise by key instead of by turn: the same (seed, well, day) gives the same number whatever was asked before, so that any
//! instant can be simulated on its own. SplitMix64's finaliser; written here because a library's generator may change its
//! numbers between versions, and then every recorded demo would change.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A point in the space of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noise(u64);

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

    /// Uniform in [from, to).
    pub fn between(self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    pub fn chance(self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform in 0..count.
    pub const fn below(self, count: u64) -> u64 {
        ((self.0 as u128 * count as u128) >> 64) as u64
    }

    /// Standard normal (Box and Muller).
    pub fn normal(self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.key(1).unit()).cos()
    }

    /// Nearly standard normal, without logarithm: the sum of four 16-bit numbers. For sensor noise.
    pub fn rough_normal(self) -> f64 {
        let parts = [0, 16, 32, 48].map(|shift| (self.0 >> shift) & 0xffff);
        let sum: u64 = parts.iter().sum();
        // Four uniforms on [0, 1) have mean 2 and variance 1/3.
        (sum as f64 / 65_536.0 - 2.0) * 1.732_050_8
    }
}

const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The standard normal distribution function (Abramowitz and Stegun 26.2.17, error below 7.5e-8).
pub(crate) fn normal_cdf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly =
        t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-0.5 * x * x).exp() / (std::f64::consts::TAU).sqrt() * poly;
    if x >= 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(of: impl Fn(u64) -> f64) -> (f64, f64) {
        let count = 20_000;
        let values: Vec<f64> = (0..count).map(of).collect();
        let mean = values.iter().sum::<f64>() / count as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count as f64;
        (mean, variance)
    }

    #[test]
    fn distributions_have_their_moments() {
        let noise = Noise::new(7);
        let (mean, variance) = moments(|key| noise.key(key).unit());
        assert!((mean - 0.5).abs() < 0.01 && (variance - 1.0 / 12.0).abs() < 0.005, "{mean} {variance}");
        for (mean, variance) in [moments(|key| noise.key(key).normal()), moments(|key| noise.key(key).rough_normal())] {
            assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        }
        assert!((0..1000).all(|key| noise.key(key).below(7) < 7));
    }

    #[test]
    fn the_normal_distribution_at_known_points() {
        for (x, p) in [(0.0, 0.5), (1.0, 0.841_344_7), (-2.0, 0.022_750_1), (3.0, 0.998_650_1)] {
            assert!((normal_cdf(x) - p).abs() < 1e-6, "{x}");
        }
    }
}
