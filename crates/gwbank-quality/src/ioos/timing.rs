//! Time gaps and density inversions as ioos_qc has them.

use gwbank_model::{QualityFlag, Timestamp};

/// Fails the reading after a silence of more than so many hours, cut to whole seconds. The first reading has the flag of
/// the second; a single one is good. (There, a series of one reading is an error.)
///
/// Strict mode has another view: [`crate::Gap`].
///
/// ```
/// use gwbank_model::{QualityFlag, Timestamp};
///
/// let times = [0, 3_600, 10_801].map(Timestamp::from_secs);
/// let flags = gwbank_quality::ioos::time_gap(&times, 2.0);
/// assert_eq!(flags, [QualityFlag::Pass, QualityFlag::Pass, QualityFlag::Fail]);
/// ```
pub fn time_gap(times: &[Timestamp], fail_hours: f64) -> Vec<QualityFlag> {
    let fail_micros = ((fail_hours * 3_600.0) as i64).saturating_mul(1_000_000);
    let mut flags = vec![QualityFlag::Pass; times.len()];
    for (pair, flag) in times.windows(2).zip(flags.iter_mut().skip(1)) {
        if pair[1].micros_since(pair[0]) > fail_micros {
            *flag = QualityFlag::Fail;
        }
    }
    if let [first, second, ..] = &mut flags[..] {
        *first = *second;
    }
    flags
}

/// Potential density along a profile of depths: both readings of a pair whose density falls with depth by more than a
/// (negative) limit. Of profiles in the sea; for a well, of salt water beneath fresh. NaN is missing, and so is the reading
/// after a missing one.
///
/// ```
/// use gwbank_model::QualityFlag;
///
/// let flags = gwbank_quality::ioos::density_inversion(&[1000.0, 1001.0, 1000.5], &[1.0, 2.0, 3.0], Some(-0.1), Some(-0.6));
/// assert_eq!(flags, [QualityFlag::Pass, QualityFlag::Suspect, QualityFlag::Suspect]);
/// ```
pub fn density_inversion(
    densities: &[f64],
    depths: &[f64],
    suspect: Option<f64>,
    fail: Option<f64>,
) -> Vec<QualityFlag> {
    let length = densities.len().min(depths.len());
    let mut flags = vec![QualityFlag::Pass; length];
    if length < 2 {
        flags.fill(QualityFlag::NotEvaluated);
        return flags;
    }
    for (limit, found) in [(suspect, QualityFlag::Suspect), (fail, QualityFlag::Fail)] {
        let Some(limit) = limit else { continue };
        for at in 1..length {
            if sign(depths[at] - depths[at - 1]) * (densities[at] - densities[at - 1]) < limit {
                (flags[at - 1], flags[at]) = (found, found);
            }
        }
    }
    let mut before_is_missing = false;
    for (flag, (density, depth)) in flags.iter_mut().zip(densities.iter().zip(depths)) {
        let is_missing = density.is_nan() || depth.is_nan();
        if is_missing || before_is_missing {
            *flag = QualityFlag::Missing;
        }
        before_is_missing = is_missing;
    }
    flags
}

/// 0 for 0, as numpy's.
fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}
