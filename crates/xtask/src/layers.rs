//! Which crate may depend on which, checked from what cargo knows.
//!
//! # Rules
//! - A crate of this workspace depends only on crates of the lines below its own in [`LINES`]. A new crate needs a line.
//! - Nothing depends on the crates in [`DEVELOPMENT`].
//! - A crate in [`EXCLUSIVE`] is named only by its owners, so that what it stands for stays in one place.
//! - Crates in [`PURE`] have no I/O and no runtime.
//! - What [`NEVER`] says.
//!
//! Dependencies of tests are free: a test may use a client that the program must not.

use std::collections::BTreeSet;
use std::fmt;
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

/// From the bottom upwards. Crates on one line do not depend on each other.
const LINES: &[&[&str]] = &[
    &["gwbank-model", "gwbank-runtime", "gwbank-door", "gwbank-dashboard"],
    &["gwbank-registry", "gwbank-wire", "gwbank-quality"],
    &["gwbank-indicator", "gwbank-sim"],
    &["gwbank-hindcast"],
    &["gwbank-journal"],
    &["gwbank-recent"],
    &["gwbank-store"],
    &["gwbank-delta", "gwbank-timescale", "gwbank-notice"],
    &["gwbank-ingest", "gwbank-bulletin"],
    &["gwbank-query"],
    &["gwbank-watch", "gwbank-conversion", "gwbank-review", "gwbank-courier"],
    &["gwbank-server", "gwbank-pgwire", "gwbank-flight"],
    &["gwbank"],
];

const DEVELOPMENT: &[&str] = &["gwbank-testkit", "xtask"];

const EXCLUSIVE: &[(&str, &[&str])] = &[
    ("rumqttc", &["gwbank-ingest"]),
    ("mqtt5", &["gwbank-ingest"]),
    ("tokio-postgres", &["gwbank-timescale"]),
    ("deltalake", &["gwbank-delta"]),
    ("rusqlite", &["gwbank-delta"]),
    // The second for Delta's table provider.
    ("datafusion", &["gwbank-query", "gwbank-delta"]),
    ("axum", &["gwbank-server"]),
    ("reqwest", &["gwbank-courier"]),
    ("lettre", &["gwbank-courier"]),
    ("tokio-rustls", &["gwbank-pgwire", "gwbank-flight"]),
    ("tonic", &["gwbank-flight"]),
    ("arrow-flight", &["gwbank-flight"]),
];

/// Same input, same output: no clock, no disk, no network.
const PURE: &[&str] = &[
    "gwbank-model",
    "gwbank-registry",
    "gwbank-wire",
    "gwbank-quality",
    "gwbank-indicator",
    "gwbank-sim",
    "gwbank-hindcast",
    "gwbank-notice",
    "gwbank-bulletin",
];
const IMPURE: &[&str] = &["tokio", "tokio-util", "gwbank-runtime"];

/// Allowed by the lines, but wrong.
const NEVER: &[(&str, &str, &str)] = &[
    ("gwbank-watch", "gwbank-query", "watch sees series through a port, no SQL"),
    ("gwbank-watch", "gwbank-ingest", "watch sees series through a port"),
    ("gwbank-conversion", "gwbank-query", "the conversion sees series through a port, no SQL"),
    ("gwbank-conversion", "gwbank-ingest", "the conversion sends levels through a port"),
    ("gwbank-review", "gwbank-query", "reviews see series through a port, no SQL"),
    ("gwbank-review", "gwbank-ingest", "reviews are kept through a port"),
    ("gwbank-query", "gwbank-ingest", "queries read what was published, not the pipeline"),
    ("gwbank-journal", "gwbank-wire", "the journal knows no meaning"),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    /// Of the program and its build, not of tests.
    pub dependencies: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub package: String,
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.package, self.problem)
    }
}

pub fn packages_of_workspace() -> anyhow::Result<Vec<Package>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    parse(&output.stdout)
}

fn parse(metadata: &[u8]) -> anyhow::Result<Vec<Package>> {
    let metadata: Value = serde_json::from_slice(metadata).context("cargo metadata is no JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    packages.iter().map(parse_package).collect()
}

fn parse_package(package: &Value) -> anyhow::Result<Package> {
    let name = package["name"].as_str().context("a package has no name")?.to_owned();
    let dependencies = package["dependencies"].as_array().context("a package has no dependencies")?;
    let of_program = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
    let dependencies = of_program
        .map(|dependency| dependency["name"].as_str().map(str::to_owned).context("a dependency has no name"))
        .collect::<anyhow::Result<_>>()?;
    Ok(Package { name, dependencies })
}

pub fn violations(packages: &[Package]) -> Vec<Violation> {
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    packages.iter().flat_map(|package| problems_of(package, &ours)).collect()
}

fn problems_of(package: &Package, ours: &BTreeSet<&str>) -> Vec<Violation> {
    let name = package.name.as_str();
    let mut problems = Vec::new();
    let own_line = line_of(name);
    if own_line.is_none() && !DEVELOPMENT.contains(&name) {
        problems.push("has no line in crates/xtask/src/layers.rs; give it one".to_owned());
    }
    for dependency in package.dependencies.iter().map(String::as_str) {
        if DEVELOPMENT.contains(&dependency) {
            problems.push(format!("depends on {dependency}, which is for tests only"));
        } else if ours.contains(dependency) && own_line.is_some() && line_of(dependency) >= own_line {
            problems.push(format!("depends on {dependency}, which is not below it"));
        }
        if let Some((_, owners)) = EXCLUSIVE.iter().find(|(exclusive, _)| *exclusive == dependency)
            && !owners.contains(&name)
        {
            problems.push(format!("names {dependency}, which belongs to {}", owners.join(" and ")));
        }
        if PURE.contains(&name) && IMPURE.contains(&dependency) {
            problems.push(format!("depends on {dependency}, but is pure"));
        }
        if let Some((_, _, why)) = NEVER.iter().find(|(from, to, _)| *from == name && *to == dependency) {
            problems.push(format!("depends on {dependency}: {why}"));
        }
    }
    problems.into_iter().map(|problem| Violation { package: name.to_owned(), problem }).collect()
}

fn line_of(package: &str) -> Option<usize> {
    LINES.iter().position(|line| line.contains(&package))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, dependencies: &[&str], expected: &[&str]) {
        let package = |name: &str, dependencies: &[&str]| Package {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
        };
        let mut packages = vec![package(name, dependencies)];
        packages
            .extend(LINES.iter().copied().flatten().filter(|other| **other != name).map(|other| package(other, &[])));
        packages.extend(DEVELOPMENT.iter().map(|name| package(name, &[])));
        let found: Vec<String> = violations(&packages).iter().map(Violation::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_workspace_keeps_its_layers() {
        let packages = packages_of_workspace().expect("cargo metadata");
        assert!(packages.iter().any(|package| package.name == "gwbank-model"));
        let violations = violations(&packages);
        let listed: Vec<String> = violations.iter().map(Violation::to_string).collect();
        assert!(listed.is_empty(), "{}", listed.join("\n"));
    }

    #[test]
    fn only_lines_below() {
        check("gwbank-store", &["gwbank-model", "gwbank-registry", "arrow"], &[]);
        check("gwbank-model", &["gwbank-store"], &["gwbank-model: depends on gwbank-store, which is not below it"]);
        check("gwbank-wire", &["gwbank-quality"], &["gwbank-wire: depends on gwbank-quality, which is not below it"]);
        check("gwbank-new", &[], &["gwbank-new: has no line in crates/xtask/src/layers.rs; give it one"]);
    }

    #[test]
    fn nothing_depends_on_what_is_for_tests() {
        check(
            "gwbank-journal",
            &["gwbank-testkit"],
            &["gwbank-journal: depends on gwbank-testkit, which is for tests only"],
        );
    }

    #[test]
    fn libraries_stay_with_their_owners() {
        check("gwbank-ingest", &["rumqttc", "mqtt5"], &[]);
        check("gwbank", &["axum"], &["gwbank: names axum, which belongs to gwbank-server"]);
        check(
            "gwbank-recent",
            &["datafusion"],
            &["gwbank-recent: names datafusion, which belongs to gwbank-query and gwbank-delta"],
        );
    }

    #[test]
    fn pure_crates_have_no_runtime() {
        check("gwbank-quality", &["tokio"], &["gwbank-quality: depends on tokio, but is pure"]);
        check("gwbank-sim", &["gwbank-runtime"], &["gwbank-sim: depends on gwbank-runtime, but is pure"]);
    }

    #[test]
    fn watch_sees_no_sql() {
        check(
            "gwbank-watch",
            &["gwbank-query"],
            &["gwbank-watch: depends on gwbank-query: watch sees series through a port, no SQL"],
        );
    }

    #[test]
    fn dependencies_of_tests_are_free() {
        let metadata = br#"{"packages": [{"name": "gwbank-wire", "dependencies": [
            {"name": "tokio", "kind": "dev"}, {"name": "serde", "kind": null}, {"name": "cc", "kind": "build"}]}]}"#;
        let packages = parse(metadata).expect("metadata");
        assert_eq!(packages[0].dependencies, ["cc".to_owned(), "serde".to_owned()].into());
    }
}
