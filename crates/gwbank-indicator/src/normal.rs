//! The inverse of the standard normal distribution function.
//!
//! Algorithm AS 241, routine PPND16 (Wichura 1988, Applied Statistics 37, 477–484): rational approximations on three
//! ranges, relative accuracy about 1e-16. It is antisymmetric to the last bit where `1 − p` is exact.

const CENTRE_HALF_WIDTH: f64 = 0.425;
const CENTRE_SHIFT: f64 = 0.180625;
const TAIL_SPLIT: f64 = 5.0;
const NEAR_TAIL_SHIFT: f64 = 1.6;

// Coefficients from the highest power down, as Horner's scheme takes them. The last digits exceed a double's on purpose:
// they are the published ones.
#[allow(clippy::excessive_precision, reason = "the published constants")]
mod coefficients {
    pub const CENTRE_NUMERATOR: [f64; 8] = [
        2.509_080_928_730_122_672_7e3,
        3.343_057_558_358_812_810_5e4,
        6.726_577_092_700_870_085_3e4,
        4.592_195_393_154_987_145_7e4,
        1.373_169_376_550_946_112_5e4,
        1.971_590_950_306_551_442_7e3,
        1.331_416_678_917_843_774_5e2,
        3.387_132_872_796_366_608_0e0,
    ];
    pub const CENTRE_DENOMINATOR: [f64; 8] = [
        5.226_495_278_852_854_561_0e3,
        2.872_908_573_572_194_267_4e4,
        3.930_789_580_009_271_061_0e4,
        2.121_379_430_158_659_586_7e4,
        5.394_196_021_424_751_107_7e3,
        6.871_870_074_920_579_083_0e2,
        4.231_333_070_160_091_125_2e1,
        1.0,
    ];
    pub const NEAR_NUMERATOR: [f64; 8] = [
        7.745_450_142_783_414_076_40e-4,
        2.272_384_498_926_918_458_33e-2,
        2.417_807_251_774_506_117_70e-1,
        1.270_458_252_452_368_382_58e0,
        3.647_848_324_763_204_605_04e0,
        5.769_497_221_460_691_405_50e0,
        4.630_337_846_156_545_295_90e0,
        1.423_437_110_749_683_577_34e0,
    ];
    pub const NEAR_DENOMINATOR: [f64; 8] = [
        1.050_750_071_644_416_843_24e-9,
        5.475_938_084_995_344_946_00e-4,
        1.519_866_656_361_645_719_66e-2,
        1.481_039_764_274_800_745_90e-1,
        6.897_673_349_851_000_045_50e-1,
        1.676_384_830_183_803_849_40e0,
        2.053_191_626_637_758_821_87e0,
        1.0,
    ];
    pub const FAR_NUMERATOR: [f64; 8] = [
        2.010_334_399_292_288_132_65e-7,
        2.711_555_568_743_487_578_15e-5,
        1.242_660_947_388_078_438_60e-3,
        2.653_218_952_657_612_309_30e-2,
        2.965_605_718_285_048_912_30e-1,
        1.784_826_539_917_291_335_80e0,
        5.463_784_911_164_114_369_90e0,
        6.657_904_643_501_103_777_20e0,
    ];
    pub const FAR_DENOMINATOR: [f64; 8] = [
        2.044_263_103_389_939_785_64e-15,
        1.421_511_758_316_445_888_70e-7,
        1.846_318_317_510_054_681_80e-5,
        7.868_691_311_456_132_591_00e-4,
        1.487_536_129_085_061_485_25e-2,
        1.369_298_809_227_358_053_10e-1,
        5.998_322_065_558_879_376_90e-1,
        1.0,
    ];
}

/// Φ⁻¹(p): the value below which a standard normal variable lies with probability `p`.
/// Infinite at 0 and 1, NaN outside.
///
/// - **Source**: Wichura 1988, algorithm AS 241 (PPND16); relative accuracy some 1e-16.
/// - **Weak**: above p = 1/2 digits are lost to 1 − p before they come here; hand in the smaller tail and mirror.
///
/// ```
/// assert!((gwbank_indicator::normal_quantile(0.025) + 1.959_963_984_540_054).abs() < 1e-14);
/// ```
pub fn normal_quantile(p: f64) -> f64 {
    use coefficients::*;
    if p.is_nan() || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let from_centre = p - 0.5;
    if from_centre.abs() <= CENTRE_HALF_WIDTH {
        let r = CENTRE_SHIFT - from_centre * from_centre;
        return from_centre * horner(&CENTRE_NUMERATOR, r) / horner(&CENTRE_DENOMINATOR, r);
    }
    let tail = if from_centre < 0.0 { p } else { 1.0 - p };
    if tail == 0.0 {
        return f64::INFINITY.copysign(from_centre);
    }
    let r = (-tail.ln()).sqrt();
    let magnitude = if r <= TAIL_SPLIT {
        let r = r - NEAR_TAIL_SHIFT;
        horner(&NEAR_NUMERATOR, r) / horner(&NEAR_DENOMINATOR, r)
    } else {
        let r = r - TAIL_SPLIT;
        horner(&FAR_NUMERATOR, r) / horner(&FAR_DENOMINATOR, r)
    };
    magnitude.copysign(from_centre)
}

fn horner(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From Python's `statistics.NormalDist().inv_cdf` and tables; the last from the paper's test (PPND16(1e-20)).
    #[test]
    #[allow(clippy::excessive_precision, reason = "published values")]
    fn known_values() {
        for (p, expected) in [
            (0.5, 0.0),
            (0.25, -0.674_489_750_196_081_7),
            (0.001, -3.090_232_306_167_813_5),
            (1e-20, -9.262_340_089_798_405),
            (0.975, 1.959_963_984_540_054),
            (0.9, 1.281_551_565_544_600_4),
            (0.5 / 22.0, -2.000_423_569_105_979_7),
        ] {
            let found = normal_quantile(p);
            assert!((found - expected).abs() <= 1e-14 * expected.abs().max(1.0), "{p}: {found:.17} {expected:.17}");
        }
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        assert!(normal_quantile(1.5).is_nan() && normal_quantile(f64::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn rises_and_mirrors(k in 1u32..4095, n in 1u32..4095) {
            // Multiples of 2^-12: 1 − p is exact.
            let (p, q) = (f64::from(k) / 4096.0, f64::from(n) / 4096.0);
            prop_assert_eq!(normal_quantile(p), -normal_quantile(1.0 - p));
            prop_assert_eq!(p < q, normal_quantile(p) < normal_quantile(q));
        }
    }
}
