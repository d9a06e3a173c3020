//! The configuration: what `gwbank.toml` may say, with the defaults.
//!
//! # Rules
//! 1. Every key is documented in `gwbank.example.toml`, which holds the defaults; a test compares.
//! 2. An unknown key is an error, not a silence.
//! 3. File, then `GWBANK__SECTION__KEY` in the environment, then the command line: the later wins.
//! 4. An error names the place (file and line, variable, option), the key, and the mend.

mod auth;
mod check;
mod load;
mod places;
mod profiles;

use std::path::PathBuf;

use gwbank_door::TlsFiles;
use gwbank_ingest::embedded::EmbeddedTls;
use gwbank_ingest::external::ExternalConfig;
use gwbank_quality::overrides::QualityOverrides;
use serde::{Deserialize, Serialize};

pub use auth::AuthSection;
pub use check::{Problem, Weight, zone_seconds};
pub use load::{Loaded, Overrides, load};
pub use profiles::{DeviceProfileEntry, device_profiles};

/// The whole of `gwbank.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Everything that is kept lies below it.
    pub data_dir: PathBuf,
    /// Where people reach this server, for links in messages.
    pub public_url: String,
    /// Permits doors beyond loopback without credentials.
    pub insecure: bool,
    pub node: NodeSection,
    pub mqtt: MqttSection,
    pub http: DoorSection,
    pub postgres_wire: PostgresWireSection,
    pub flight_sql: FlightSqlSection,
    pub archive: ArchiveSection,
    pub journal: JournalSection,
    pub window: WindowSection,
    pub dead_letters: DeadLettersSection,
    pub query: QuerySection,
    pub ingest: IngestSection,
    pub indicators: IndicatorsSection,
    pub delivery: DeliverySection,
    pub email: EmailSection,
    pub webhook: WebhookSection,
    pub line: LineSection,
    pub cap: CapSection,
    pub contacts: ContactsSection,
    pub fleet: FleetSection,
    pub scorecard: ScorecardSection,
    pub dashboard: DashboardSection,
    pub bulletin: BulletinSection,
    /// Limits of the quality tests that differ from the defaults.
    pub quality: QualityOverrides,
    /// What vendors' fields mean.
    pub device_profiles: Vec<DeviceProfileEntry>,
    pub auth: AuthSection,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("gwbank-data"),
            public_url: String::new(),
            insecure: false,
            node: NodeSection::default(),
            mqtt: MqttSection::default(),
            http: DoorSection { listen: "127.0.0.1:8080".to_owned() },
            postgres_wire: PostgresWireSection::default(),
            flight_sql: FlightSqlSection::default(),
            archive: ArchiveSection::default(),
            journal: JournalSection::default(),
            window: WindowSection::default(),
            dead_letters: DeadLettersSection::default(),
            query: QuerySection::default(),
            ingest: IngestSection::default(),
            indicators: IndicatorsSection::default(),
            delivery: DeliverySection::default(),
            email: EmailSection::default(),
            webhook: WebhookSection::default(),
            line: LineSection::default(),
            cap: CapSection::default(),
            contacts: ContactsSection::default(),
            fleet: FleetSection::default(),
            scorecard: ScorecardSection::default(),
            dashboard: DashboardSection::default(),
            bulletin: BulletinSection::default(),
            quality: QualityOverrides::default(),
            device_profiles: Vec::new(),
            auth: AuthSection::default(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeSection {
    /// Part of every `seq`, so that nodes never give the same one.
    pub id: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MqttSection {
    /// The embedded broker; "" for none.
    pub listen: String,
    pub tls_listen: String,
    /// PEM files for `tls_listen`.
    pub tls_certificate: String,
    pub tls_key: String,
    /// Whether clients without credentials may connect although some are configured.
    pub anonymous: bool,
    pub external: Vec<ExternalEntry>,
}

impl Default for MqttSection {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:1883".to_owned(),
            tls_listen: String::new(),
            tls_certificate: String::new(),
            tls_key: String::new(),
            anonymous: false,
            external: Vec::new(),
        }
    }
}

impl MqttSection {
    /// The TLS door, where one is wanted.
    pub fn tls(&self) -> Option<EmbeddedTls> {
        (!self.tls_listen.is_empty()).then(|| EmbeddedTls {
            listen: self.tls_listen.clone(),
            certificate: PathBuf::from(&self.tls_certificate),
            key: PathBuf::from(&self.tls_key),
        })
    }
}

/// One broker that is not ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalEntry {
    /// `mqtt://host:1883` or `mqtts://host:8883`.
    pub url: String,
    /// Must stay the same over restarts: the broker keeps the session under it.
    pub client_id: String,
    /// Name of a shared subscription; "" for none.
    #[serde(default)]
    pub shared_group: String,
    #[serde(default = "ExternalEntry::default_topics")]
    pub topics: Vec<String>,
    #[serde(default)]
    pub username: String,
    #[serde(default)]
    pub password: String,
    /// PEM file of the authorities that `mqtts` trusts; "" for the system's.
    #[serde(default)]
    pub ca_file: String,
}

impl ExternalEntry {
    /// The session that it describes.
    pub fn source(&self) -> ExternalConfig {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        ExternalConfig {
            user: given(&self.username),
            password: given(&self.password),
            ca_file: given(&self.ca_file).map(PathBuf::from),
            shared_group: given(&self.shared_group),
            topics: self.topics.clone(),
            ..ExternalConfig::new(&self.url, &self.client_id)
        }
    }

    fn default_topics() -> Vec<String> {
        vec!["gwbank/v1/+/readings".to_owned(), "gwbank/v1/+/senml".to_owned()]
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DoorSection {
    /// Address and port; port 0 takes a free one; "" for none.
    pub listen: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PostgresWireSection {
    /// Address and port; port 0 takes a free one; "" for none.
    pub listen: String,
    /// PEM files; "" for a door without TLS.
    pub tls_certificate: String,
    pub tls_key: String,
    /// With a certificate, whether clients without TLS are refused.
    pub tls_required: bool,
}

impl Default for PostgresWireSection {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:5433".to_owned(),
            tls_certificate: String::new(),
            tls_key: String::new(),
            tls_required: true,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlightSqlSection {
    /// Address and port; port 0 takes a free one; "" for none.
    pub listen: String,
    /// PEM files; with them every client speaks TLS, without them none.
    pub tls_certificate: String,
    pub tls_key: String,
}

impl Default for FlightSqlSection {
    fn default() -> Self {
        Self { listen: "127.0.0.1:50051".to_owned(), tls_certificate: String::new(), tls_key: String::new() }
    }
}

impl FlightSqlSection {
    /// The certificate of the door, where it has one.
    pub fn tls(&self) -> Option<TlsFiles> {
        let is_wanted = !self.tls_certificate.is_empty() || !self.tls_key.is_empty();
        is_wanted
            .then(|| TlsFiles { certificate: PathBuf::from(&self.tls_certificate), key: PathBuf::from(&self.tls_key) })
    }
}

impl PostgresWireSection {
    /// The certificate of the door, where it has one.
    pub fn tls(&self) -> Option<TlsFiles> {
        (!self.tls_certificate.is_empty() || !self.tls_key.is_empty())
            .then(|| TlsFiles { certificate: PathBuf::from(&self.tls_certificate), key: PathBuf::from(&self.tls_key) })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArchiveSection {
    pub kind: String,
    /// Where the archive is: a directory, "" for `data_dir/archive`; or the database.
    pub url: String,
    /// File whose first line is the password of the database; "" where the URL has it.
    pub password_file: String,
    /// PEM file of the authority that the database's certificate is of; "" for the public ones.
    pub ca_file: String,
    /// Connections to the database at most.
    pub connections_max: usize,
    /// Longest statement of the writers.
    pub statement_timeout_seconds: u64,
    /// Whether a start applies missing migrations.
    pub migrate_on_start: bool,
    /// Of TimescaleDB's chunks.
    pub chunk_days: u32,
    /// When TimescaleDB compresses a chunk; 0 is never.
    pub compress_after_days: u32,
    /// When TimescaleDB drops readings; 0 is never.
    pub retention_days: u32,
    /// How often TimescaleDB brings hours and days up to date.
    pub refresh_minutes: u32,
    /// Readings are archived at the latest so long after receipt.
    pub flush_interval_seconds: u64,
    /// Readings are archived at once when so many wait.
    pub flush_rows: u64,
}

impl Default for ArchiveSection {
    fn default() -> Self {
        let policies = gwbank_timescale::Policies::default();
        Self {
            kind: "delta".to_owned(),
            url: String::new(),
            password_file: String::new(),
            ca_file: String::new(),
            connections_max: 10,
            statement_timeout_seconds: 60,
            migrate_on_start: false,
            chunk_days: policies.chunk_days,
            compress_after_days: policies.compress_after_days,
            retention_days: policies.retention_days,
            refresh_minutes: policies.refresh_minutes,
            flush_interval_seconds: 5,
            flush_rows: 500_000,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalSection {
    /// When so much is not archived yet, acknowledgements wait.
    pub bytes_max: u64,
    pub segment_bytes: u64,
    /// With a database as archive the journal keeps what was archived so long ago.
    pub keep_seconds: u64,
}

impl Default for JournalSection {
    fn default() -> Self {
        Self { bytes_max: 4 << 30, segment_bytes: 64 << 20, keep_seconds: 60 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WindowSection {
    /// Memory of the recent window.
    pub bytes_max: usize,
}

impl Default for WindowSection {
    fn default() -> Self {
        Self { bytes_max: 1 << 30 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLettersSection {
    /// What is kept, compressed; beyond it the oldest payloads expire, and are counted.
    pub bytes_max: u64,
    /// The same of one gateway.
    pub bytes_max_per_gateway: u64,
}

impl Default for DeadLettersSection {
    fn default() -> Self {
        Self { bytes_max: 1 << 30, bytes_max_per_gateway: 64 << 20 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuerySection {
    pub memory_bytes_per_query: usize,
    pub memory_bytes_for_all: usize,
    pub rows_max: u64,
    pub seconds_max: u64,
    pub concurrent_max: usize,
    pub concurrent_per_user_max: usize,
    pub waiting_max: usize,
    pub wait_seconds_max: u64,
    pub spill_bytes_max: u64,
    pub spill_bytes_for_all: u64,
    /// 0 for half of the machine's cores, at least two.
    pub threads: usize,
    /// Where days begin and what a time without an offset means, where a connection does not say.
    pub time_zone: String,
}

impl Default for QuerySection {
    fn default() -> Self {
        let default = gwbank_query::QueryConfig::default();
        Self {
            memory_bytes_per_query: default.memory_bytes_per_query,
            memory_bytes_for_all: default.memory_bytes_for_all,
            rows_max: default.rows_max,
            seconds_max: default.seconds_max,
            concurrent_max: default.concurrent_max,
            concurrent_per_user_max: default.concurrent_per_user_max,
            waiting_max: default.waiting_max,
            wait_seconds_max: default.wait_seconds_max,
            spill_bytes_max: default.spill_bytes_max,
            spill_bytes_for_all: default.spill_bytes_for_all,
            threads: 0,
            time_zone: default.time_zone,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestSection {
    /// Live readings before this day are dead letters `clock`; "" accepts any past.
    pub earliest_time: String,
    /// Values, as sent, that mean "no value".
    pub sentinels: Vec<f64>,
    /// Memory of dead letters and marks that wait for archive and metadata; beyond it acknowledgements wait.
    pub ledger_bytes_max: usize,
    pub gateways: Vec<GatewayEntry>,
}

impl Default for IngestSection {
    fn default() -> Self {
        Self {
            earliest_time: "2015-01-01T00:00:00Z".to_owned(),
            sentinels: vec![-9999.0, 65535.0],
            ledger_bytes_max: 256 << 20,
            gateways: Vec::new(),
        }
    }
}

/// What is known of one gateway's habits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayEntry {
    pub id: String,
    /// Offset of its clock, such as `+07:00`, for times that it sends without one.
    pub clock_zone: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndicatorsSection {
    /// `Asia/Bangkok`, `UTC` or a fixed offset.
    pub calendar_zone: String,
    /// Days with values that make a month of a logger's series; a manual series needs one.
    pub min_days_per_month: u32,
    /// Quality flags whose values count.
    pub qualities: Vec<u8>,
    /// Of open banks beside which nobody measures it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaporation_mm_per_day: Option<f64>,
}

impl Default for IndicatorsSection {
    fn default() -> Self {
        Self {
            calendar_zone: "Asia/Bangkok".to_owned(),
            min_days_per_month: 15,
            qualities: vec![1, 2],
            evaporation_mm_per_day: None,
        }
    }
}

/// Messages of condition flags to offices, whatever the channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliverySection {
    /// What could not be delivered for so long is not worth telling any more.
    pub age_max_hours: u32,
    /// To all contacts of an office together, where the office names no pace of its own.
    pub messages_per_minute: u32,
    /// How long links in messages are good.
    pub link_days: u32,
    /// 32 bytes or more that sign them; "" for `data_dir/link.key`, which is made.
    pub link_key_file: String,
}

impl Default for DeliverySection {
    fn default() -> Self {
        Self { age_max_hours: 72, messages_per_minute: 60, link_days: 14, link_key_file: String::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmailSection {
    /// `smtps://host:465` or `smtp://host:587?tls=required`; "" for no e-mail.
    pub smtp_url: String,
    pub user: String,
    /// File whose first line is the password.
    pub password_file: String,
    /// Such as `gwbank <no-reply@bank.example.org>`.
    pub from: String,
    pub timeout_seconds: u64,
}

impl Default for EmailSection {
    fn default() -> Self {
        let (smtp_url, user, password_file, from) = Default::default();
        Self { smtp_url, user, password_file, from, timeout_seconds: 30 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSection {
    /// Private networks that URLs may lead into, such as `10.0.0.0/8`.
    pub allowed_networks: Vec<String>,
    /// Whether `http://` is sent to beyond them, too.
    pub plain_http: bool,
    pub timeout_seconds: u64,
}

impl Default for WebhookSection {
    fn default() -> Self {
        Self { allowed_networks: Vec::new(), plain_http: false, timeout_seconds: 15 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LineSection {
    pub base_url: String,
    /// Files with the channel's access token and its secret; "" for no LINE.
    pub channel_access_token_file: String,
    pub channel_secret_file: String,
    /// Below this share of the month's quota what can wait goes into digests.
    pub quota_low_share: f64,
    pub timeout_seconds: u64,
}

impl Default for LineSection {
    fn default() -> Self {
        Self {
            base_url: "https://api.line.me".to_owned(),
            channel_access_token_file: String::new(),
            channel_secret_file: String::new(),
            quota_low_share: 0.1,
            timeout_seconds: 15,
        }
    }
}

/// Documents of the Common Alerting Protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CapSection {
    /// Who sends: a name that is its own all over the world; "" for `gwbank@` and the host of `public_url`.
    pub sender: String,
    pub sender_name_en: String,
    pub sender_name_th: String,
    /// Who may read a document that is not approved yet.
    pub restriction: String,
}

impl Default for CapSection {
    fn default() -> Self {
        Self {
            sender: String::new(),
            sender_name_en: "Groundwater bank monitoring".to_owned(),
            sender_name_th: "ระบบติดตามธนาคารน้ำใต้ดิน".to_owned(),
            restriction: "officers of the province".to_owned(),
        }
    }
}

/// Whom messages ask their readers to call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContactsSection {
    pub drought_en: String,
    pub drought_th: String,
    pub flood_en: String,
    pub flood_th: String,
    /// Who looks after sensors and gateways.
    pub operator_en: String,
    pub operator_th: String,
}

impl Default for ContactsSection {
    fn default() -> Self {
        let gwbank_watch::Contacts { drought_en, drought_th, flood_en, flood_th, operator_en, operator_th } =
            gwbank_watch::Contacts::default();
        Self { drought_en, drought_th, flood_en, flood_th, operator_en, operator_th }
    }
}

/// When the daily report of a province's equipment names a battery or a sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FleetSection {
    /// Hour of the report, Bangkok time.
    pub hour: u32,
    /// Percent.
    pub battery_level_low: f64,
    /// At its present pace.
    pub battery_days_left: f64,
    /// Of its own voltage before.
    pub voltage_share_low: f64,
    pub failing_days: u32,
    pub finding_days: u32,
}

impl Default for FleetSection {
    fn default() -> Self {
        let rules = gwbank_watch::FleetRules::default();
        Self {
            hour: rules.hour,
            battery_level_low: rules.battery_level_low,
            battery_days_left: rules.battery_days_left,
            voltage_share_low: rules.voltage_share_low,
            failing_days: rules.failing_days.unsigned_abs(),
            finding_days: rules.finding_days.unsigned_abs(),
        }
    }
}

/// What those may see who are not logged in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DashboardSection {
    /// Wells, series, indicators, provinces and flags, without names of people.
    pub public: bool,
    /// Of one address; 0: no bound.
    pub public_requests_per_minute: u32,
}

impl Default for DashboardSection {
    fn default() -> Self {
        Self { public: false, public_requests_per_minute: 600 }
    }
}

/// Bulletins that are written when a month has closed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BulletinSection {
    /// Codes of provinces; none, and nothing is written.
    pub provinces: Vec<String>,
    /// "" for `data_dir/bulletins`.
    pub directory: String,
}

/// The yearly scorecard of local administrative organisations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScorecardSection {
    /// Scores from which a class is given, of 100.
    pub platinum: f64,
    pub gold: f64,
    pub silver: f64,
    pub bronze: f64,
    pub reporting_weight: f64,
    pub quality_weight: f64,
    pub answered_weight: f64,
    /// A flag is answered in time within so many hours.
    pub answer_hours: u32,
    /// Recharge is ranked where so many of the banks measure it.
    pub recharge_measured_share: f64,
}

impl Default for ScorecardSection {
    fn default() -> Self {
        let rules = gwbank_server::ScorecardRules::default();
        Self {
            platinum: rules.platinum,
            gold: rules.gold,
            silver: rules.silver,
            bronze: rules.bronze,
            reporting_weight: rules.reporting_weight,
            quality_weight: rules.quality_weight,
            answered_weight: rules.answered_weight,
            answer_hours: rules.answer_hours,
            recharge_measured_share: rules.recharge_measured_share,
        }
    }
}

impl Config {
    /// Seconds east of UTC of the indicators' calendar; checked when the configuration was loaded.
    pub fn calendar_offset_seconds(&self) -> i32 {
        check::zone_seconds(&self.indicators.calendar_zone).unwrap_or(gwbank_model::BANGKOK_OFFSET_SECONDS)
    }

    /// Where the embedded archive lies.
    pub fn archive_dir(&self) -> PathBuf {
        let url = self.archive.url.strip_prefix("file://").unwrap_or(&self.archive.url);
        if url.is_empty() { self.data_dir.join("archive") } else { PathBuf::from(url) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../gwbank.example.toml");

    fn keys(prefix: &str, table: &toml::Table, into: &mut Vec<String>) {
        for (key, value) in table {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                toml::Value::Table(inner) => keys(&path, inner, into),
                _ => into.push(path),
            }
        }
    }

    #[test]
    fn the_example_holds_every_key_with_its_default() {
        let example: Config = toml::from_str(EXAMPLE).unwrap();
        assert_eq!(example, Config::default());

        let (mut documented, mut known) = (Vec::new(), Vec::new());
        keys("", &EXAMPLE.parse::<toml::Table>().unwrap(), &mut documented);
        keys("", &toml::Table::try_from(Config::default()).unwrap(), &mut known);
        // Lists of tables stand in the example as comments, because their default is empty.
        for list in
            ["mqtt.external", "ingest.gateways", "device_profiles", "auth.users", "auth.tokens", "auth.gateways"]
        {
            assert!(EXAMPLE.contains(&format!("# [[{list}]]")), "{list}");
            known.retain(|key| key != list);
        }
        documented.sort();
        known.sort();
        assert_eq!(documented, known);
    }

    #[test]
    fn the_commented_lists_of_the_example_parse() {
        let text: String = EXAMPLE
            .lines()
            .skip_while(|line| !line.starts_with("# [["))
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.starts_with('[') || line.contains(" = "))
            .map(|line| format!("{line}\n"))
            .collect();
        let config: Config = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(config.mqtt.external.len(), 1);
        assert_eq!(config.auth.tokens.len(), 2);
        assert_eq!((config.quality.parameters.len(), config.quality.wells.len()), (1, 1));
        assert_eq!(config.device_profiles[0].fields.len(), 3);
        assert!(config.auth.credentials().is_ok());
        let errors: Vec<_> = config.problems().into_iter().filter(|p| p.weight == Weight::Error).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}
