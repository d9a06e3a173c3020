//! Patterns of ids: `*` stands for any characters, also none; everything else for itself.

use std::fmt;

/// Longest pattern: twice the longest id, and short enough that comparing two of them is nothing.
const PATTERN_BYTES_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob(Box<str>);

impl Glob {
    /// `None` for a pattern that can match no id.
    pub fn new(pattern: &str) -> Option<Self> {
        (!pattern.is_empty() && pattern.len() <= PATTERN_BYTES_MAX).then(|| Self(pattern.into()))
    }

    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut at, mut from) = (0, 0);
        // Where the last star stood, and up to where it swallowed the text.
        let mut star: Option<(usize, usize)> = None;
        while from < text.len() {
            match (pattern.get(at), star) {
                (Some(b'*'), _) => {
                    star = Some((at, from));
                    at += 1;
                }
                (Some(byte), _) if *byte == text[from] => {
                    at += 1;
                    from += 1;
                }
                (_, Some((place, swallowed))) => {
                    star = Some((place, swallowed + 1));
                    at = place + 1;
                    from = swallowed + 1;
                }
                (_, None) => return false,
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }

    /// Whether some text matches both.
    pub fn overlaps(&self, other: &Glob) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        // reachable[j]: the rests a[i..] and b[j..] are to be compared.
        let mut reachable = vec![false; b.len() + 1];
        reachable[0] = true;
        for i in 0..=a.len() {
            let mut next = vec![false; b.len() + 1];
            for j in 0..=b.len() {
                if !reachable[j] {
                    continue;
                }
                let (in_a, in_b) = (a.get(i).copied(), b.get(j).copied());
                if in_a.is_none() && in_b.is_none() {
                    return true;
                }
                if in_a == Some(b'*') {
                    next[j] = true; // the star is over
                    if in_b.is_some() {
                        reachable[j + 1] = true; // or swallows one more
                    }
                }
                if in_b == Some(b'*') {
                    reachable[j + 1] = true;
                    if in_a.is_some() {
                        next[j] = true;
                    }
                }
                if in_a.is_some() && in_a == in_b {
                    next[j + 1] = true;
                }
            }
            reachable = next;
        }
        false
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn glob(pattern: &str) -> Glob {
        Glob::new(pattern).unwrap()
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, good, bad) in [
            ("gw-30*", vec!["gw-30", "gw-3001-02"], vec!["gw-3", "xgw-30"]),
            ("*", vec!["", "a"], vec![]),
            ("a*b*c", vec!["abc", "a-b-b-c", "abcbc"], vec!["acb", "ab"]),
            ("gw-1", vec!["gw-1"], vec!["gw-10", "gw-"]),
        ] {
            for text in good {
                assert!(glob(pattern).matches(text), "{pattern} {text}");
            }
            for text in bad {
                assert!(!glob(pattern).matches(text), "{pattern} {text}");
            }
        }
        assert_eq!(Glob::new(""), None);
    }

    #[test]
    fn overlaps_are_found() {
        for (a, b, expected) in [
            ("gw-30*", "gw-3001*", true),
            ("*-02", "gw-30*", true),
            ("gw-30*", "gw-31*", false),
            ("a*b", "b*", false),
            ("a", "a", true),
            ("a", "b", false),
            ("*", "anything", true),
        ] {
            assert_eq!(glob(a).overlaps(&glob(b)), expected, "{a} {b}");
            assert_eq!(glob(b).overlaps(&glob(a)), expected, "{b} {a}");
        }
    }

    proptest! {
        #[test]
        fn what_matches_both_is_an_overlap(a in "[ab*]{1,6}", b in "[ab*]{1,6}", text in "[ab]{0,6}") {
            let (a, b) = (glob(&a), glob(&b));
            prop_assert!(!(a.matches(&text) && b.matches(&text)) || a.overlaps(&b), "{a} {b} {text}");
        }

        /// Whatever overlaps has a short witness, as the patterns are short.
        #[test]
        fn an_overlap_has_a_witness(a in "[ab*]{1,4}", b in "[ab*]{1,4}") {
            let (a, b) = (glob(&a), glob(&b));
            let texts = (0..=8u32).flat_map(|length| (0..1u32 << length).map(move |bits| {
                (0..length).map(|at| if bits >> at & 1 == 1 { 'a' } else { 'b' }).collect::<String>()
            }));
            let mut texts = texts;
            prop_assert_eq!(a.overlaps(&b), texts.any(|text| a.matches(&text) && b.matches(&text)));
        }

        #[test]
        fn matching_agrees_with_splitting(text in "[ab]{0,8}", head in "[ab]{0,3}", tail in "[ab]{0,3}") {
            let expected = text.len() >= head.len() + tail.len() && text.starts_with(&head) && text.ends_with(&tail);
            prop_assert_eq!(glob(&format!("{head}*{tail}")).matches(&text), expected);
        }
    }
}
