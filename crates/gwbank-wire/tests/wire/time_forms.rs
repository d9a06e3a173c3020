//! Every time that is corrected can be shown again as it was written, by a form that texts written alike share.

use gwbank_model::{TimeForm, Timestamp};
use gwbank_wire::Context;
use gwbank_wire::time::resolve_text;
use proptest::prelude::*;

use crate::support::NOW;

/// How a sender writes times.
#[derive(Debug, Clone)]
struct Layout {
    buddhist: bool,
    separator: char,
    /// How many digits of the fraction; `None` is no seconds.
    seconds: Option<usize>,
    offset: String,
}

/// What it says, but for the fraction: year of the common era, month, day, hour, minute, second.
type Fields = (i32, u32, u32, u32, u32, u32);

fn layout(fraction_max: usize) -> impl Strategy<Value = Layout> {
    let sign_hour_minute = (prop_oneof![Just('+'), Just('-')], 0u32..15, prop_oneof![Just(0u32), 0u32..60]);
    let offset = (0..5, sign_hour_minute).prop_map(|(form, (sign, hour, minute))| match form {
        0 => String::new(),
        1 => "Z".to_owned(),
        2 => format!("{sign}{hour:02}:{minute:02}"),
        3 => format!("{sign}{hour:02}{minute:02}"),
        _ => format!("{sign}{hour:02}"),
    });
    let separator = prop_oneof![Just('T'), Just('t'), Just(' ')];
    (any::<bool>(), separator, proptest::option::of(0..=fraction_max), offset)
        .prop_map(|(buddhist, separator, seconds, offset)| Layout { buddhist, separator, seconds, offset })
}

fn fields() -> impl Strategy<Value = Fields> {
    (1900i32..2026, 1u32..=12, 1u32..=31, 0u32..24, 0u32..60, 0u32..=60)
}

impl Layout {
    fn text(&self, fields: Fields, fraction: u32) -> String {
        let Layout { buddhist, separator, seconds, offset } = self;
        let (year, month, day, hour, minute, second) = fields;
        let year = if *buddhist { year + 543 } else { year };
        let mut text = format!("{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}");
        if let Some(digits) = seconds {
            text.push_str(&format!(":{second:02}"));
            if *digits > 0 {
                text.push_str(&format!(".{}", &format!("{fraction:09}000")[..*digits]));
            }
        }
        text + offset
    }
}

/// `None` where the text is no time, or is kept as none of its own.
fn corrected(text: &str, zone: i32) -> Option<Timestamp> {
    let context = Context { clock_zone: Some(zone), ..Context::import(NOW) };
    resolve_text(text, &context).ok().filter(|resolved| resolved.is_corrected()).map(|resolved| resolved.time)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_corrected_time_is_written_again(
        layout in layout(12),
        fields in fields(),
        fraction in 0u32..1_000_000_000,
        zone_minutes in -720i32..840,
    ) {
        let text = layout.text(fields, fraction);
        if let Some(time) = corrected(&text, zone_minutes * 60) {
            prop_assert_eq!(TimeForm::derive(&text, time).render(time), text);
        }
    }

    #[test]
    fn texts_written_alike_have_one_form(
        layout in layout(6),
        fields in (fields(), fields()),
        fractions in (0u32..1_000_000_000, 0u32..1_000_000_000),
        zone_minutes in -720i32..840,
    ) {
        let texts = [layout.text(fields.0, fractions.0), layout.text(fields.1, fractions.1)];
        let leap_second = layout.seconds.is_some() && (fields.0.5 == 60 || fields.1.5 == 60);
        let times = texts.each_ref().map(|text| corrected(text, zone_minutes * 60));
        if let ([Some(first), Some(second)], false) = (times, leap_second) {
            prop_assert_eq!(TimeForm::derive(&texts[0], first), TimeForm::derive(&texts[1], second), "{:?}", texts);
        }
    }

    #[test]
    fn any_text_is_given_again(text in ".{0,40}", micros in any::<i64>()) {
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(TimeForm::derive(&text, time).render(time), text);
    }

    #[test]
    fn texts_like_times_are_given_again(text in "[0-9]{1,4}[-/. ][0-9%]{1,2}[-/. ][0-9]{1,14}[T ]?[0-9]{0,2}[:.]?[0-9]{0,4} ?(AM|pm|MAR|may|Sunday)?[+-]?[0-9]{0,4}", secs in 0i64..2_000_000_000) {
        let time = Timestamp::from_secs(secs);
        prop_assert_eq!(TimeForm::derive(&text, time).render(time), text);
    }
}
