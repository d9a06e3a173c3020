//! Malformed payloads as senders wrote them, one file each: `corpus/NNN-reason[-keepsN].ext`.
//!
//! Each must end in at least one fault of the reason in its name and in exactly the readings that it keeps (none unless
//! said). The extension names the format: `.json`, `.senml.json`, `.senml.cbor`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{NOW, show};
use gwbank_wire::{Context, Format, Reason, decode, fuzz};

const CASES_MIN: usize = 100;

#[test]
fn every_malformed_payload_ends_as_its_name_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut contents: BTreeMap<Vec<u8>, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let (stem, extension) = file.split_once('.').unwrap();
        let format = match extension {
            "json" => Format::Json,
            "senml.json" => Format::SenmlJson,
            "senml.cbor" => Format::SenmlCbor,
            other => panic!("{file}: unknown extension {other}"),
        };
        let mut parts = stem.split('-').skip(1);
        let reason = Reason::from_name(parts.next().unwrap()).unwrap_or_else(|| panic!("{file}: no such reason"));
        let kept: usize = parts.next().map_or(0, |keeps| keeps.strip_prefix("keeps").unwrap().parse().unwrap());
        let payload = std::fs::read(&path).unwrap();
        let decoded = decode(format, &payload, &Context::live(NOW));
        let named = decoded.faults.iter().any(|fault| fault.reason == reason);
        if !named || decoded.readings.len() != kept {
            wrong.push(format!("{file}:\n{}", show(&decoded)));
        }
        fuzz::decode_any(&payload);
        if let Some(other) = contents.insert(payload, file.clone()) {
            wrong.push(format!("{file} is the same as {other}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(contents.len() >= CASES_MIN, "only {} cases", contents.len());
}
