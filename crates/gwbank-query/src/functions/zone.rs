//! Zones by name or offset. Only zones whose offset never changed since measurements began are known by name, because a
//! day of such a zone is always 24 hours.

/// Seconds east of UTC.
pub(crate) fn offset_seconds(zone: &str) -> Option<i32> {
    match zone {
        "Asia/Bangkok" => Some(gwbank_model::BANGKOK_OFFSET_SECONDS),
        "UTC" | "Etc/UTC" | "Z" => Some(0),
        _ => parse_offset(zone),
    }
}

/// `+07:00`, `-0330`, `+07`.
fn parse_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replacen(':', "", 1);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = match digits.len() {
        2 => (digits.parse::<i32>().ok()?, 0),
        4 => (digits[..2].parse::<i32>().ok()?, digits[2..].parse::<i32>().ok()?),
        _ => return None,
    };
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::offset_seconds;

    #[test]
    fn zones() {
        assert_eq!(offset_seconds("Asia/Bangkok"), Some(25_200));
        assert_eq!(offset_seconds("+07:00"), Some(25_200));
        assert_eq!(offset_seconds("-0330"), Some(-12_600));
        assert_eq!(offset_seconds("+07"), Some(25_200));
        for bad in ["", "+", "Europe/Berlin", "07:00", "+7", "+99:00", "+07:60", "+é7:0"] {
            assert_eq!(offset_seconds(bad), None, "{bad}");
        }
    }
}
