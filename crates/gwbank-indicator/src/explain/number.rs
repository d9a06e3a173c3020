//! Numbers of an explanation, in as many digits as a check by hand needs.

/// Ten digits at most: a level to less than a micrometre, and no digit that only the machine's arithmetic made.
///
/// ```
/// use gwbank_indicator::explain::number;
///
/// assert_eq!(number(1.0 / 3.0), "0.3333333333");
/// assert_eq!(number(0.1 + 0.2), "0.3");
/// assert_eq!(number(-1234.5), "-1234.5");
/// assert_eq!(number(0.0000012345), "1.2345e-6");
/// ```
pub fn number(value: f64) -> String {
    const SMALL: f64 = 1e-4;
    const LARGE: f64 = 1e15;
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { value.to_string() };
    }
    let rounded: f64 = format!("{value:.9e}").parse().unwrap_or(value);
    if (SMALL..LARGE).contains(&rounded.abs()) { rounded.to_string() } else { format!("{rounded:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_read_back_is_the_number_to_a_billionth(value in proptest::num::f64::NORMAL) {
            let read: f64 = number(value).parse().unwrap();
            prop_assert!((read - value).abs() <= 1e-9 * value.abs(), "{value:e} {read:e}");
            prop_assert_eq!(number(read), number(value));
        }
    }
}
