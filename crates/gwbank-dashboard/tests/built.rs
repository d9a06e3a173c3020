//! What is committed is what its sources give, is small, and keeps the rules of the server's policy.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a browser loads until the country is there, compressed.
const FIRST_VIEW_MAX: usize = 250 << 10;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(under: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![under.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    let name = path.strip_prefix(under).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}

#[test]
fn sources_give_what_is_committed() {
    let web = folder().join("web");
    assert!(web.join("node_modules").is_dir(), "run the tests through scripts/test, which installs what builds it");
    let out = tempfile::tempdir().unwrap();
    let tool = |name: &str, arguments: &[&str]| {
        let ran =
            Command::new("node").arg(web.join(name)).args(arguments).current_dir(&web).output().expect("node runs");
        let told = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{name}: {told}");
    };
    tool("node_modules/typescript/bin/tsc", &["--noEmit"]);
    tool("node_modules/vite/bin/vite.js", &["build", "--outDir", out.path().to_str().unwrap(), "--emptyOutDir"]);
    let (committed, made) = (files(&folder().join("built")), files(out.path()));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&committed),
        names(&made),
        "run `npm run build` in crates/gwbank-dashboard/web and commit `built`"
    );
    for (name, bytes) in &committed {
        assert!(*bytes == made[name], "{name}: run `npm run build` in crates/gwbank-dashboard/web and commit `built`");
    }
    let embedded: Vec<String> = gwbank_dashboard::paths().map(|path| path.into_owned()).collect();
    assert_eq!(embedded.len(), committed.len());
    for (name, bytes) in &committed {
        assert!(*gwbank_dashboard::asset(name).unwrap().bytes == **bytes, "{name}");
    }
}

/// Names of files that a text names.
fn named<'a>(text: &'a str, files: &'a BTreeMap<String, Vec<u8>>) -> impl Iterator<Item = &'a String> {
    files.keys().filter(move |name| text.contains(name.rsplit('/').next().unwrap()))
}

/// The page, what it names, and what a script imports before it runs; of what comes later nothing.
#[test]
fn the_first_view_is_small() {
    let files = files(&folder().join("built"));
    let text = |name: &str| String::from_utf8_lossy(&files[name]).into_owned();
    let mut wanted = vec!["index.html".to_owned()];
    let page = text("index.html");
    wanted.extend(named(&page, &files).cloned());
    let mut at = 0;
    while let Some(name) = wanted.get(at).cloned() {
        at += 1;
        let content = text(&name);
        let loads = match name.rsplit('.').next() {
            Some("css") => content.clone(),
            // Static imports stand before everything else.
            Some("js") => content.split(';').take_while(|part| part.starts_with("import")).collect(),
            _ => continue,
        };
        for more in named(&loads, &files) {
            if !wanted.contains(more) {
                wanted.push(more.clone());
            }
        }
    }
    assert!(wanted.iter().any(|name| name.ends_with(".css")) && wanted.iter().any(|name| name.ends_with(".js")));
    let compressed = |bytes: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap().len()
    };
    let bytes: usize = wanted
        .iter()
        .map(|name| if name.ends_with(".woff2") { files[name].len() } else { compressed(&files[name]) })
        .sum();
    assert!(bytes <= FIRST_VIEW_MAX, "{bytes} bytes: {wanted:?}");
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    let page = String::from_utf8(gwbank_dashboard::page().bytes.into_owned()).unwrap();
    assert!(!page.contains("<style") && !page.contains("style=") && !page.contains("onload="), "{page}");
    for script in page.split("<script").skip(1) {
        let (tag, rest) = script.split_once('>').unwrap();
        assert!(tag.contains("src=\"/assets/") && rest.starts_with("</script>"), "{script}");
    }
    for path in gwbank_dashboard::paths().filter(|path| path.ends_with(".css") || path.ends_with(".html")) {
        let text = String::from_utf8(gwbank_dashboard::asset(&path).unwrap().bytes.into_owned()).unwrap();
        for foreign in ["http://", "https://", "//", "data:"] {
            assert!(
                !text.contains(&format!("url({foreign}")) && !text.contains(&format!("\"{foreign}")),
                "{path}: {foreign}"
            );
        }
    }
}

/// The dashboard has its own copy of the words that messages use: they are the same, both of each pair.
#[test]
fn words_are_those_of_the_messages() {
    use gwbank_model::condition::{FlagState, Hazard, Severity, Transition};
    use gwbank_notice::{action_words, hazard_words, severity_words, state_words, transition_words};
    use gwbank_store::FlagAction;

    let source = std::fs::read_to_string(folder().join("web/src/words.ts")).unwrap();
    let line = |table: &str, name: &str| {
        let rest = source.split_once(&format!("const {table}: ")).unwrap_or_else(|| panic!("{table}")).1;
        let table = rest.split_once("};").unwrap().0;
        let found = table.lines().find(|line| line.trim_start().starts_with(&format!("{name}: [")));
        found.unwrap_or_else(|| panic!("{name}")).trim().to_owned()
    };
    let pair = |name: &str, english: &str, thai: &str| format!("{name}: [\"{thai}\", \"{english}\"],");
    for hazard in Hazard::ALL {
        let (english, thai) = hazard_words(*hazard);
        assert_eq!(line("HAZARDS", hazard.name()), pair(hazard.name(), english, thai));
    }
    for severity in Severity::ALL {
        let (english, thai) = severity_words(*severity);
        assert_eq!(line("SEVERITIES", severity.name()), pair(severity.name(), english, thai));
    }
    for state in FlagState::ALL {
        let (english, thai) = state_words(*state);
        assert_eq!(line("STATES", state.name()), pair(state.name(), english, thai));
    }
    for action in FlagAction::ALL {
        let (english, thai) = action_words(*action);
        assert_eq!(line("ACTIONS", action.name()), pair(action.name(), english, thai));
    }
    for transition in Transition::ALL {
        let words = transition_words(*transition);
        assert_eq!(line("TRANSITIONS", transition.name()), pair(transition.name(), words.en, words.th));
    }
}
