//! Where the keys of a TOML text stand.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Every key and every item of a list, also of lists in lists and of tables in a line.
pub(super) struct Places<'t> {
    text: &'t str,
    keys: Vec<Place>,
}

struct Place {
    /// Such as `mqtt.external[0].url`.
    key: String,
    /// Of the key itself; of an item without one the whole.
    name: Range<usize>,
    /// Of the value; of a table with a header the header.
    value: Range<usize>,
}

impl<'t> Places<'t> {
    /// Of a text with mistakes, those that can be told.
    pub(super) fn of(text: &'t str) -> Self {
        let (table, _mistakes) = DeTable::parse_recoverable(text);
        let mut keys = Vec::new();
        note_table("", table.get_ref(), &mut keys);
        Self { text, keys }
    }

    /// The line, from 1, of a key; where it is not written, of what it belongs to.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        let holds = |place: &&Place| {
            key.strip_prefix(&place.key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let nearest = self.keys.iter().filter(holds).max_by_key(|place| place.key.len())?;
        Some(self.line_at(nearest.name.start))
    }

    /// The line, from 1, of a place in the text.
    pub(super) fn line_at(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    /// The whole of the innermost `key = value` that a place in the text belongs to.
    pub(super) fn entry_at(&self, offset: usize) -> Option<Range<usize>> {
        let is_in = |place: &&Place| place.name.contains(&offset) || place.value.contains(&offset);
        let innermost = self.keys.iter().filter(is_in).max_by_key(|place| place.key.len())?;
        let between = self.text.get(innermost.name.end..innermost.value.start)?;
        between.contains('=').then_some(innermost.name.start..innermost.value.end)
    }

    /// The key that a place in the text belongs to.
    pub(super) fn key_at(&self, offset: usize) -> Option<&str> {
        let is_in = |place: &&Place| place.name.contains(&offset) || place.value.contains(&offset);
        let innermost = self.keys.iter().filter(is_in).max_by_key(|place| place.key.len());
        let line = self.line_at(offset);
        let on_its_line = || self.keys.iter().find(|place| self.line_at(place.name.start) == line);
        innermost.or_else(on_its_line).map(|place| place.key.as_str())
    }
}

fn note_table(prefix: &str, table: &DeTable<'_>, keys: &mut Vec<Place>) {
    for (name, value) in table.iter() {
        let dot = if prefix.is_empty() { "" } else { "." };
        let key = format!("{prefix}{dot}{}", name.get_ref());
        keys.push(Place { key: key.clone(), name: name.span(), value: value.span() });
        note_inner(&key, value.get_ref(), keys);
    }
}

fn note_inner(key: &str, value: &DeValue<'_>, keys: &mut Vec<Place>) {
    match value {
        DeValue::Table(table) => note_table(key, table, keys),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let key = format!("{key}[{index}]");
                keys.push(Place { key: key.clone(), name: item.span(), value: item.span() });
                note_inner(&key, item.get_ref(), keys);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"data_dir = "x"
[mqtt]
external = [
  { url = "mqtt://a", client_id = "a" },
  { url = "b",
    client_id = "" },
]
[[device_profiles]]
name = "v"
fields.lvl.parameter = "ph"
[[device_profiles]]
name = "w"
[device_profiles.fields]
"a.b" = { ignore = true }
[device_profiles.fields.deep]
unit = "cm"
"#;

    #[test]
    fn keys_are_found_however_they_are_written() {
        let places = Places::of(TEXT);
        for (key, line) in [
            ("data_dir", 1),
            ("mqtt.tls_key", 2),
            ("mqtt.external", 3),
            ("mqtt.external[0].url", 4),
            ("mqtt.external[1]", 5),
            ("mqtt.external[1].client_id", 6),
            ("mqtt.external[1].topics", 5),
            ("device_profiles[0]", 8),
            ("device_profiles[0].fields.lvl", 10),
            ("device_profiles[1]", 11),
            ("device_profiles[1].fields.a.b", 14),
            ("device_profiles[1].fields.deep", 15),
            ("device_profiles[1].fields.deep.unit", 16),
        ] {
            assert_eq!(places.line_of(key), Some(line), "{key}");
        }
        assert_eq!(places.line_of("http.listen"), None);
    }

    #[test]
    fn places_lead_to_their_keys() {
        let places = Places::of(TEXT);
        let key_at = |text: &str| places.key_at(TEXT.find(text).unwrap());
        assert_eq!(key_at("\"b\""), Some("mqtt.external[1].url"));
        assert_eq!(key_at("[[device_profiles]]\nname = \"w"), Some("device_profiles[1]"));
        assert_eq!(key_at("ignore"), Some("device_profiles[1].fields.a.b.ignore"));
    }
}
