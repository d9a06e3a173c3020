//! Chores of the workspace: `cargo run -p xtask -- layers`.

mod layers;

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let chore = std::env::args().nth(1);
    match chore.as_deref() {
        Some("layers") => {
            let packages = layers::packages_of_workspace()?;
            let violations = layers::violations(&packages);
            for violation in &violations {
                eprintln!("{violation}");
            }
            if !violations.is_empty() {
                return Ok(ExitCode::FAILURE);
            }
            println!("{} crates, each depends only on layers below its own", packages.len());
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("usage: cargo run -p xtask -- layers");
            Ok(ExitCode::FAILURE)
        }
    }
}
