//! `gwbank serve`

use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{General, ServeArguments, load_or_explain};
use crate::failure::Outcome;
use crate::node::Node;
use crate::node::offline::runtime;

pub fn run(general: &General, asked: &ServeArguments) -> Outcome {
    let mut overrides = general.overrides()?;
    overrides.option("--mqtt-listen", "mqtt.listen", asked.mqtt_listen.clone());
    overrides.option("--http-listen", "http.listen", asked.http_listen.clone());
    overrides.option("--postgres-listen", "postgres_wire.listen", asked.postgres_listen.clone());
    overrides.option("--flight-listen", "flight_sql.listen", asked.flight_listen.clone());
    let loaded = load_or_explain(&overrides)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    if loaded.config.insecure && loaded.config.auth.is_empty() && !loaded.config.is_on_loopback() {
        tracing::warn!("insecure = true: everybody who reaches this machine may do everything");
    }
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        // Listened for from the start: a signal while recovering ends it in order too.
        let stopping = stop_signal()?;
        tokio::pin!(stopping);
        let data_dir = loaded.config.data_dir.clone();
        let node = tokio::select! {
            started = Node::start(loaded.config) => started?,
            _ = &mut stopping => return Ok(()),
        };
        let shown = |address: &Option<String>| address.clone().unwrap_or_else(|| "none".to_owned());
        let (mqtt, http) = (shown(&node.addresses.mqtt), shown(&node.addresses.http));
        let postgres_wire = shown(&node.addresses.postgres_wire);
        let flight_sql = shown(&node.addresses.flight_sql);
        tracing::info!(%mqtt, %http, %postgres_wire, %flight_sql, data_dir = %data_dir.display(), "ready");
        let name = stopping.await;
        tracing::info!(signal = name, "stopping");
        node.stop().await;
        tracing::info!("stopped");
        Ok(())
    });
    // What still runs (a query that never yields) may not hold the end up.
    runtime.shutdown_background();
    outcome
}

/// Resolves with the name of the signal that asks for the end.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}
