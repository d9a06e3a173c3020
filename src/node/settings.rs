//! The configuration as each crate wants it.

use std::time::Duration;

use anyhow::Context as _;
use gwbank_delta::SqliteConfig;
use gwbank_ingest::embedded::{Anonymous, EmbeddedConfig, GatewayCredentials};
use gwbank_ingest::external::ExternalConfig;
use gwbank_ingest::{DecodeConfig, PipelineConfig};
use gwbank_journal::JournalConfig;
use gwbank_model::{GatewayId, Timestamp};
use gwbank_query::{LevelRules, QueryConfig};
use gwbank_timescale::{DatabaseConfig, DeadLetterBounds, Policies};
use gwbank_watch::{Contacts, FleetRules, WatchConfig};

use crate::config::{Config, ContactsSection, ExternalEntry, device_profiles, zone_seconds};
use crate::failure::Outcome;

/// How messages are decoded; checked when the configuration was loaded.
pub fn decode(config: &Config) -> Outcome<DecodeConfig> {
    let mut clock_zones = std::collections::HashMap::new();
    for gateway in &config.ingest.gateways {
        let id = GatewayId::new(&gateway.id).context("ingest.gateways")?;
        clock_zones.extend(zone_seconds(&gateway.clock_zone).map(|zone| (id, zone)));
    }
    Ok(DecodeConfig {
        clock_zones,
        earliest_time: Timestamp::parse_rfc3339(&config.ingest.earliest_time),
        sentinels: config.ingest.sentinels.clone(),
        profiles: device_profiles(&config.device_profiles).unwrap_or_default(),
        ..DecodeConfig::default()
    })
}

pub fn pipeline(config: &Config) -> Outcome<PipelineConfig> {
    let mut journal = JournalConfig::new(config.data_dir.join("journal"), config.node.id);
    journal.bytes_max = config.journal.bytes_max;
    journal.segment_bytes = config.journal.segment_bytes;
    let in_database = config.archive.kind == "timescale";
    Ok(PipelineConfig {
        last_known_dir: in_database.then(|| config.data_dir.join("last_known")),
        journal_kept_for: Duration::from_secs(if in_database { config.journal.keep_seconds } else { 0 }),
        window_bytes_max: config.window.bytes_max,
        ledger_bytes_max: config.ingest.ledger_bytes_max,
        warm_bytes_max: config.window.bytes_max / 2,
        flush_interval: Duration::from_secs(config.archive.flush_interval_seconds),
        flush_rows: config.archive.flush_rows,
        calendar_offset_seconds: config.calendar_offset_seconds(),
        decode: decode(config)?,
        quality: config.quality.clone().into(),
        ..PipelineConfig::new(journal)
    })
}

pub fn metadata(config: &Config) -> SqliteConfig {
    SqliteConfig {
        dead_letters_bytes_max: config.dead_letters.bytes_max,
        dead_letters_bytes_max_per_gateway: config.dead_letters.bytes_max_per_gateway,
        ..SqliteConfig::new(config.data_dir.join("metadata.sqlite"))
    }
}

/// The database of `archive.kind = "timescale"`.
pub fn database(config: &Config) -> DatabaseConfig {
    let section = &config.archive;
    DatabaseConfig {
        password_file: (!section.password_file.is_empty()).then(|| section.password_file.clone().into()),
        ca_file: (!section.ca_file.is_empty()).then(|| section.ca_file.clone().into()),
        node_id: config.node.id,
        connections_max: section.connections_max,
        statement_timeout: Duration::from_secs(section.statement_timeout_seconds),
        ..DatabaseConfig::new(&section.url)
    }
}

pub fn policies(config: &Config) -> Policies {
    let section = &config.archive;
    Policies {
        chunk_days: section.chunk_days,
        compress_after_days: section.compress_after_days,
        retention_days: section.retention_days,
        refresh_minutes: section.refresh_minutes,
    }
}

pub fn dead_letter_bounds(config: &Config) -> DeadLetterBounds {
    DeadLetterBounds {
        bytes_max: config.dead_letters.bytes_max,
        bytes_max_per_gateway: config.dead_letters.bytes_max_per_gateway,
    }
}

pub fn query(config: &Config) -> QueryConfig {
    let default = QueryConfig::default();
    let section = &config.query;
    QueryConfig {
        memory_bytes_per_query: section.memory_bytes_per_query,
        memory_bytes_for_all: section.memory_bytes_for_all,
        rows_max: section.rows_max,
        seconds_max: section.seconds_max,
        concurrent_max: section.concurrent_max,
        concurrent_per_user_max: section.concurrent_per_user_max,
        waiting_max: section.waiting_max,
        wait_seconds_max: section.wait_seconds_max,
        spill_bytes_max: section.spill_bytes_max,
        spill_bytes_for_all: section.spill_bytes_for_all,
        threads: if section.threads == 0 { default.threads } else { section.threads },
        spill_dir: Some(config.data_dir.join("spill")),
        levels: levels(config),
        time_zone: section.time_zone.clone(),
    }
}

/// For SQL, the same as for the watch.
fn levels(config: &Config) -> LevelRules {
    let WatchConfig { qualities, days_min_logger, days_min_manual, .. } = watch(config);
    LevelRules { qualities, days_min_logger, days_min_manual }
}

pub fn watch(config: &Config) -> WatchConfig {
    let mut watch = WatchConfig::default();
    watch.closing.offset_seconds = config.calendar_offset_seconds();
    watch.qualities = config.indicators.qualities.clone();
    watch.days_min_logger = config.indicators.min_days_per_month;
    watch.days_min_manual = watch.days_min_manual.min(config.indicators.min_days_per_month);
    watch.rapid.offset_seconds = watch.closing.offset_seconds;
    watch.record.salinity.offset_seconds = watch.closing.offset_seconds;
    watch.record.evaporation_mm_per_day = config.indicators.evaporation_mm_per_day;
    let ContactsSection { drought_en, drought_th, flood_en, flood_th, operator_en, operator_th } =
        config.contacts.clone();
    watch.contacts = Contacts { drought_en, drought_th, flood_en, flood_th, operator_en, operator_th };
    let fleet = &config.fleet;
    // Bounded by the check of the configuration.
    let days = |days: u32| i32::try_from(days).unwrap_or(i32::MAX);
    watch.fleet = FleetRules {
        hour: fleet.hour,
        battery_level_low: fleet.battery_level_low,
        battery_days_left: fleet.battery_days_left,
        voltage_share_low: fleet.voltage_share_low,
        failing_days: days(fleet.failing_days),
        finding_days: days(fleet.finding_days),
    };
    watch.message_age_max = Duration::from_secs(u64::from(config.delivery.age_max_hours) * 3600);
    watch
}

pub fn scorecard(config: &Config) -> gwbank_server::ScorecardRules {
    let card = &config.scorecard;
    gwbank_server::ScorecardRules {
        platinum: card.platinum,
        gold: card.gold,
        silver: card.silver,
        bronze: card.bronze,
        reporting_weight: card.reporting_weight,
        quality_weight: card.quality_weight,
        answered_weight: card.answered_weight,
        answer_hours: card.answer_hours,
        recharge_measured_share: card.recharge_measured_share,
    }
}

/// `None` when no broker is wanted.
pub fn embedded(config: &Config) -> Outcome<Option<EmbeddedConfig>> {
    let section = &config.mqtt;
    if section.listen.is_empty() && section.tls_listen.is_empty() {
        return Ok(None);
    }
    // The broker always has a plain door; where only TLS is wanted it is one that nobody is told of.
    let listen = if section.listen.is_empty() { "127.0.0.1:0" } else { &section.listen };
    let mut settings = EmbeddedConfig::new(listen);
    settings.tls = section.tls();
    settings.anonymous =
        if section.anonymous || config.auth.is_empty() { Anonymous::Allowed } else { Anonymous::Refused };
    for gateway in &config.auth.gateways {
        let id = GatewayId::new(&gateway.id).context("auth.gateways")?;
        settings.gateways.push(GatewayCredentials { gateway: id, password_hash: gateway.password.clone() });
    }
    Ok(Some(settings))
}

pub fn external(config: &Config) -> Vec<ExternalConfig> {
    config.mqtt.external.iter().map(ExternalEntry::source).collect()
}
