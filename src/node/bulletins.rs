//! Writes the bulletins of provinces, each once when its month has closed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gwbank_runtime::Shutdown;
use gwbank_server::{App, latest_bulletin};

use crate::config::Config;

/// How often it is looked whether a month has closed. The first look waits as long, so that a start comes to rest.
const LOOK_INTERVAL: Duration = Duration::from_secs(600);

pub async fn run(config: Config, app: Arc<App>, shutdown: Shutdown) {
    let section = &config.bulletin;
    let root = match section.directory.as_str() {
        "" => config.data_dir.join("bulletins"),
        directory => PathBuf::from(directory),
    };
    loop {
        tokio::select! {
            () = shutdown.ended() => return,
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
        for code in &section.provinces {
            if let Err(problem) = write(&root, &app, code).await {
                tracing::warn!(province = code, problem, "the bulletin cannot be written now");
            }
        }
    }
}

async fn write(root: &std::path::Path, app: &App, code: &str) -> Result<(), String> {
    let path_of = |month: &dyn std::fmt::Display| root.join(month.to_string()).join(format!("{code}.html"));
    if path_of(&app.closed_month(code)).exists() {
        return Ok(());
    }
    let (month, html) = latest_bulletin(app, code).await?;
    let path = path_of(&month);
    let draft = path.with_extension("new");
    let written = async {
        if let Some(dir) = path.parent() {
            tokio::fs::create_dir_all(dir).await?;
        }
        tokio::fs::write(&draft, html).await?;
        tokio::fs::rename(&draft, &path).await
    };
    written.await.map_err(|error| format!("{}: {error}", path.display()))?;
    tracing::info!(file = %path.display(), "a bulletin was written");
    Ok(())
}
