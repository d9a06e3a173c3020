//! What a well-formed configuration may still have wrong, found before anything starts.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use gwbank_ingest::{IngestError, check_ca_file};
use gwbank_model::{GatewayId, Timestamp, Zone};
use gwbank_quality::overrides::OverrideError;
use gwbank_runtime::{Clock, SystemClock};
use gwbank_timescale::DatabaseError;

use super::{Config, ContactsSection, ExternalEntry, device_profiles};

/// A message of LINE has room for them beside everything else.
const CONTACT_CHARS_MAX: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Warning,
    /// The server does not start.
    Error,
}

/// One thing that is wrong, where, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub weight: Weight,
    /// Such as `http.listen` or `auth.tokens[1]`.
    pub key: String,
    pub problem: String,
    pub mend: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.key, self.problem, self.mend)
    }
}

#[derive(Default)]
struct Findings(Vec<Problem>);

impl Findings {
    fn add(&mut self, weight: Weight, key: impl Into<String>, problem: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Problem { weight, key: key.into(), problem: problem.into(), mend: mend.into() });
    }
    fn error(&mut self, key: impl Into<String>, problem: impl Into<String>, mend: impl Into<String>) {
        self.add(Weight::Error, key, problem, mend);
    }
}

impl Config {
    /// Everything that is wrong, not only the first.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Findings::default();
        self.check_doors(&mut found);
        self.check_auth(&mut found);
        self.check_archive(&mut found);
        self.check_bounds(&mut found);
        self.check_ingest(&mut found);
        self.check_device_profiles(&mut found);
        self.check_indicators(&mut found);
        self.check_delivery(&mut found);
        for OverrideError { section, key, problem, mend } in self.quality.faults() {
            found.error(format!("quality.{section}.{key}"), problem, mend);
        }
        found.0
    }

    /// The doors that are to be opened: (key, address).
    fn doors(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("mqtt.listen", self.mqtt.listen.as_str()),
            ("mqtt.tls_listen", self.mqtt.tls_listen.as_str()),
            ("http.listen", self.http.listen.as_str()),
            ("postgres_wire.listen", self.postgres_wire.listen.as_str()),
            ("flight_sql.listen", self.flight_sql.listen.as_str()),
        ]
        .into_iter()
        .filter(|(_, address)| !address.is_empty())
    }

    /// Whether every door is reached from this machine only.
    pub fn is_on_loopback(&self) -> bool {
        self.doors().all(|(_, address)| door_address(address).is_ok_and(|door| door.loopback))
    }

    fn check_doors(&self, found: &mut Findings) {
        if self.data_dir.as_os_str().is_empty() {
            found.error("data_dir", "it is empty", "name a directory");
        }
        let takes_in = |key: &str| !key.starts_with("postgres_wire") && !key.starts_with("flight_sql");
        if !self.doors().any(|(key, _)| takes_in(key)) && self.mqtt.external.is_empty() {
            let mend = "set http.listen or mqtt.listen, or add [[mqtt.external]]";
            found.error("http.listen", "no door is open and no broker is named: nothing could come in", mend);
        }
        let mut taken: Vec<(&str, SocketAddr)> = Vec::new();
        for (key, address) in self.doors() {
            let Ok(socket) = address.parse::<SocketAddr>() else { continue };
            if socket.port() == 0 {
                continue;
            }
            match taken.iter().find(|(_, other)| *other == socket) {
                Some((other, _)) => found.error(key, format!("{other} has {address} already"), "give it another port"),
                None => taken.push((key, socket)),
            }
        }
        for (key, address) in self.doors() {
            let door = match door_address(address) {
                Ok(door) => door,
                Err(problem) => {
                    found.error(key, problem, "write it as \"127.0.0.1:8080\", or \"\" for none");
                    continue;
                }
            };
            if door.loopback || self.insecure {
                continue;
            }
            let mend = "add credentials under [auth], listen on 127.0.0.1, or set insecure = true";
            let is_mqtt = key.starts_with("mqtt");
            if self.auth.is_empty() {
                found.error(key, format!("{address} is reached from outside and no credentials are configured"), mend);
            } else if is_mqtt && self.mqtt.anonymous {
                let mend = "set mqtt.anonymous = false, listen on 127.0.0.1, or set insecure = true";
                found.error(key, format!("{address} is reached from outside and mqtt.anonymous is true"), mend);
            }
        }
        self.check_postgres_wire(found);
        self.check_flight_sql(found);
        let (certificate, tls_key) = (&self.mqtt.tls_certificate, &self.mqtt.tls_key);
        let mend = "give mqtt.tls_certificate and mqtt.tls_key, both PEM files";
        match self.mqtt.tls() {
            Some(_) if certificate.is_empty() || tls_key.is_empty() => {
                found.error("mqtt.tls_listen", "TLS needs a certificate and its key", mend);
            }
            Some(tls) => {
                if let Err(error) = tls.check() {
                    let is_key = matches!(&error, IngestError::Tls { file, .. } if *file == tls.key);
                    let key = if is_key { "mqtt.tls_key" } else { "mqtt.tls_certificate" };
                    found.error(key, error.to_string(), mend);
                }
            }
            None => {}
        }
        for (index, external) in self.mqtt.external.iter().enumerate() {
            let key = format!("mqtt.external[{index}]");
            let is_broker = |url: &url::Url| ["mqtt", "mqtts"].contains(&url.scheme()) && url.has_host();
            if !url::Url::parse(&external.url).is_ok_and(|url| is_broker(&url)) {
                found.error(format!("{key}.url"), "it is no address of a broker", "write mqtt://host:1883");
            }
            let ca_file = external.ca_file.as_str();
            if !ca_file.is_empty() && !external.url.starts_with("mqtts://") {
                found.error(
                    format!("{key}.ca_file"),
                    "only mqtts:// trusts anybody",
                    "write mqtts://, or leave it away",
                );
            } else if !ca_file.is_empty()
                && let Err(error) = check_ca_file(Path::new(ca_file))
            {
                let mend = "name a PEM file with the certificate of the broker's authority";
                found.error(format!("{key}.ca_file"), error.to_string(), mend);
            }
            let is_same =
                |other: &ExternalEntry| (&other.url, &other.client_id) == (&external.url, &external.client_id);
            if self.mqtt.external[..index].iter().any(is_same) {
                let problem = "another entry has it at the same broker; each would end the other's session";
                found.error(format!("{key}.client_id"), problem, "give each entry its own");
            }
            if external.client_id.is_empty() {
                let mend = "give each node its own, the same over restarts";
                found.error(format!("{key}.client_id"), "the broker keeps the session under it", mend);
            }
            for (field, problem) in external.source().topic_problems() {
                found.error(format!("{key}.{field}"), problem, "write gwbank/v1/+/readings, or leave it out");
            }
            if external.topics.is_empty() {
                found.error(format!("{key}.topics"), "nothing is subscribed to", "leave it out for the default topics");
            }
        }
        if !self.public_url.is_empty() && !["http://", "https://"].iter().any(|s| self.public_url.starts_with(s)) {
            found.error("public_url", "is not an http or https address", "write https://bank.example.org");
        }
    }

    fn check_postgres_wire(&self, found: &mut Findings) {
        let section = &self.postgres_wire;
        let mend = "give postgres_wire.tls_certificate and postgres_wire.tls_key, both PEM files";
        if section.tls_certificate.is_empty() != section.tls_key.is_empty() {
            found.error("postgres_wire.tls_certificate", "TLS needs a certificate and its key", mend);
        } else if let Some(files) = section.tls()
            && let Err(error) = files.check()
        {
            let is_key = error.file == files.key;
            let key = if is_key { "postgres_wire.tls_key" } else { "postgres_wire.tls_certificate" };
            found.error(key, error.to_string(), mend);
        }
        let beyond = door_address(&section.listen).is_ok_and(|door| !door.loopback);
        if beyond && section.tls().is_none() {
            let problem =
                format!("{} is reached from outside without TLS: whoever is between reads along", section.listen);
            found.add(Weight::Warning, "postgres_wire.listen", problem, mend);
        }
    }

    fn check_flight_sql(&self, found: &mut Findings) {
        let section = &self.flight_sql;
        let mend = "give flight_sql.tls_certificate and flight_sql.tls_key, both PEM files";
        if section.tls_certificate.is_empty() != section.tls_key.is_empty() {
            found.error("flight_sql.tls_certificate", "TLS needs a certificate and its key", mend);
        } else if let Some(files) = section.tls()
            && let Err(error) = files.check()
        {
            let is_key = error.file == files.key;
            let key = if is_key { "flight_sql.tls_key" } else { "flight_sql.tls_certificate" };
            found.error(key, error.to_string(), mend);
        }
        let beyond = door_address(&section.listen).is_ok_and(|door| !door.loopback);
        if beyond && section.tls().is_none() {
            let problem = format!(
                "{} is reached from outside without TLS: whoever is between reads along, passwords too",
                section.listen
            );
            found.add(Weight::Warning, "flight_sql.listen", problem, mend);
        }
    }

    fn check_auth(&self, found: &mut Findings) {
        if let Err(problems) = self.auth.credentials() {
            for (key, problem) in problems {
                found.error(key, problem, "see [auth] in gwbank.example.toml");
            }
        }
        if let Err(problems) = self.auth.sql_users() {
            for (key, problem) in problems {
                found.error(
                    key,
                    problem,
                    "write what `gwbank hash-password --scram` or `gwbank hash-token --scram` prints, each name once",
                );
            }
        }
        let scrams = self.auth.users.iter().map(|user| &user.scram);
        let has_sql_user =
            scrams.chain(self.auth.tokens.iter().map(|token| &token.scram)).any(|scram| !scram.is_empty());
        if !self.postgres_wire.listen.is_empty() && !self.auth.is_empty() && !has_sql_user {
            let mend =
                "add scram to [[auth.users]] (`gwbank hash-password --scram`), or set postgres_wire.listen = \"\"";
            found.add(Weight::Warning, "postgres_wire.listen", "no client of PostgreSQL can connect", mend);
        }
        let brokers = !self.mqtt.listen.is_empty() || !self.mqtt.tls_listen.is_empty();
        if brokers && !self.auth.is_empty() && self.auth.gateways.is_empty() && !self.mqtt.anonymous {
            let mend = "add [[auth.gateways]], or set mqtt.anonymous = true";
            found.add(Weight::Warning, "auth.gateways", "no gateway can connect to the broker", mend);
        }
    }

    fn check_archive(&self, found: &mut Findings) {
        match self.archive.kind.as_str() {
            "delta" => {
                if self.archive.url.contains("://") && !self.archive.url.starts_with("file://") {
                    let mend = "leave it \"\" for data_dir/archive, or name a directory";
                    found.error("archive.url", "object storage is not supported by this version", mend);
                }
            }
            "timescale" => {
                if let Err(error) = gwbank_timescale::Database::new(&crate::node::settings::database(self)) {
                    let (key, mend) = match &error {
                        DatabaseError::Certificates { .. } => {
                            ("archive.ca_file", "name a file of certificates in PEM form")
                        }
                        DatabaseError::Password { .. } => (
                            "archive.password_file",
                            "name a file that gwbank may read, with the password in its first line",
                        ),
                        _ => ("archive.url", "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require"),
                    };
                    found.error(key, error.to_string(), mend);
                }
            }
            other => {
                let mend = "set it to \"delta\" or \"timescale\"";
                found.error("archive.kind", format!("{other:?} is unknown"), mend);
            }
        }
    }

    fn check_bounds(&self, found: &mut Findings) {
        // The largest message that is taken, 16 MiB of what nobody can read, must fit: else it would wait for ever.
        let journal_bytes_min = self.journal.segment_bytes.saturating_mul(2).max(32 << 20);
        let at_least: [(&str, u64, u64); 19] = [
            ("archive.flush_interval_seconds", self.archive.flush_interval_seconds, 1),
            ("archive.connections_max", self.archive.connections_max as u64, 4),
            ("archive.statement_timeout_seconds", self.archive.statement_timeout_seconds, 1),
            ("archive.flush_rows", self.archive.flush_rows, 1),
            ("archive.chunk_days", self.archive.chunk_days.into(), 1),
            ("archive.refresh_minutes", self.archive.refresh_minutes.into(), 1),
            ("journal.segment_bytes", self.journal.segment_bytes, 1 << 16),
            ("journal.bytes_max", self.journal.bytes_max, journal_bytes_min),
            ("window.bytes_max", self.window.bytes_max as u64, 1 << 20),
            ("dead_letters.bytes_max", self.dead_letters.bytes_max, 1 << 16),
            ("dead_letters.bytes_max_per_gateway", self.dead_letters.bytes_max_per_gateway, 1 << 16),
            ("ingest.ledger_bytes_max", self.ingest.ledger_bytes_max as u64, 1 << 20),
            ("query.memory_bytes_per_query", self.query.memory_bytes_per_query as u64, 1 << 20),
            ("query.rows_max", self.query.rows_max, 1),
            ("query.seconds_max", self.query.seconds_max, 1),
            ("query.memory_bytes_for_all", self.query.memory_bytes_for_all as u64, 1 << 20),
            ("query.concurrent_max", self.query.concurrent_max as u64, 1),
            ("query.concurrent_per_user_max", self.query.concurrent_per_user_max as u64, 1),
            ("indicators.min_days_per_month", u64::from(self.indicators.min_days_per_month), 1),
        ];
        for (key, value, minimum) in at_least {
            if value < minimum {
                found.error(key, format!("{value} is too small"), format!("give at least {minimum}"));
            }
        }
        let zone = &self.query.time_zone;
        if Zone::named(zone).is_none() {
            let mend = "write a name such as Asia/Bangkok, or an offset such as +07:00";
            found.error("query.time_zone", format!("{zone:?} is no zone"), mend);
        }
        let at_most: [(&str, u64, u64); 2] = [
            ("query.threads", self.query.threads as u64, 256),
            ("indicators.min_days_per_month", u64::from(self.indicators.min_days_per_month), 28),
        ];
        for (key, value, maximum) in at_most {
            if value > maximum {
                found.error(key, format!("{value} is too large"), format!("give at most {maximum}"));
            }
        }
    }

    fn check_ingest(&self, found: &mut Findings) {
        let earliest = &self.ingest.earliest_time;
        let mend = "write 2015-01-01T00:00:00Z, or \"\" to accept any past";
        match Timestamp::parse_rfc3339(earliest) {
            None if !earliest.is_empty() => {
                found.error("ingest.earliest_time", format!("{earliest:?} is not RFC 3339"), mend);
            }
            Some(time) if time > Timestamp::from_micros(SystemClock.now_micros()) => {
                let problem = format!("{earliest} is in the future, so that every reading would be dead");
                found.error("ingest.earliest_time", problem, "write it in the common era");
            }
            _ => {}
        }
        if self.ingest.sentinels.iter().any(|sentinel| !sentinel.is_finite()) {
            found.error("ingest.sentinels", "a sentinel must be a finite number", "NaN is never a value anyway");
        }
        for (index, gateway) in self.ingest.gateways.iter().enumerate() {
            if let Err(error) = GatewayId::new(&gateway.id) {
                found.error(format!("ingest.gateways[{index}].id"), error.to_string(), "write it as in its topics");
            }
            if self.ingest.gateways[..index].iter().any(|other| other.id == gateway.id) {
                found.error(format!("ingest.gateways[{index}].id"), "it stands here twice", "keep one of the entries");
            }
            if zone_seconds(&gateway.clock_zone).is_none() {
                let problem = format!("{:?} is no zone", gateway.clock_zone);
                found.error(
                    format!("ingest.gateways[{index}].clock_zone"),
                    problem,
                    "write a fixed offset: \"+07:00\"",
                );
            }
        }
    }

    fn check_device_profiles(&self, found: &mut Findings) {
        for problem in device_profiles(&self.device_profiles).err().into_iter().flatten() {
            found.error(problem.key, problem.problem, problem.mend);
        }
    }

    fn check_delivery(&self, found: &mut Findings) {
        let delivery = &self.delivery;
        for (key, value, max) in [
            ("delivery.age_max_hours", delivery.age_max_hours, 24 * 366),
            ("delivery.messages_per_minute", delivery.messages_per_minute, 100_000),
            ("delivery.link_days", delivery.link_days, 366),
        ] {
            if value == 0 || value > max {
                found.error(key, format!("{value} is out of range"), format!("give 1 to {max}"));
            }
        }
        if !self.public_url.is_empty() {
            let url = url::Url::parse(&self.public_url).ok();
            let is_plain = |url: &url::Url| {
                url.query().is_none()
                    && url.fragment().is_none()
                    && url.username().is_empty()
                    && url.password().is_none()
            };
            if !url
                .is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some() && is_plain(&url))
            {
                found.error("public_url", format!("{:?} is no URL", self.public_url), "write it as https://host");
            }
        }
        if !self.email.smtp_url.is_empty()
            && let Err(problem) = crate::node::offices::email(self)
        {
            found.error("email", format!("{problem:#}"), "see [email] in gwbank.example.toml");
        }
        for (index, network) in self.webhook.allowed_networks.iter().enumerate() {
            if let Err(error) = network.parse::<gwbank_courier::Network>() {
                let key = format!("webhook.allowed_networks[{index}]");
                found.error(key, error.to_string(), "or leave it out");
            }
        }
        let line = &self.line;
        if line.channel_access_token_file.is_empty() != line.channel_secret_file.is_empty() {
            let mend = "name both files: the token sends, the secret tells LINE's own requests from others";
            found.error("line", "only one of channel_access_token_file and channel_secret_file is given", mend);
        }
        for (key, file) in [
            ("delivery.link_key_file", &delivery.link_key_file),
            ("line.channel_access_token_file", &line.channel_access_token_file),
            ("line.channel_secret_file", &line.channel_secret_file),
        ] {
            if !file.is_empty()
                && let Err(error) = std::fs::read(file)
            {
                found.error(key, format!("{file} cannot be read: {error}"), "name a file that this user can read");
            }
        }
        if !(0.0..=1.0).contains(&line.quota_low_share) {
            found.error("line.quota_low_share", format!("{} is no share", line.quota_low_share), "give 0 to 1");
        }
        let ContactsSection { drought_en, drought_th, flood_en, flood_th, operator_en, operator_th } = &self.contacts;
        for (key, text) in [
            ("contacts.drought_en", drought_en),
            ("contacts.drought_th", drought_th),
            ("contacts.flood_en", flood_en),
            ("contacts.flood_th", flood_th),
            ("contacts.operator_en", operator_en),
            ("contacts.operator_th", operator_th),
        ] {
            if text.trim().is_empty() || text.chars().count() > CONTACT_CHARS_MAX || text.chars().any(char::is_control)
            {
                let mend = format!("say whom to call on one line of at most {CONTACT_CHARS_MAX} characters");
                found.error(key, "every message asks its reader to call somebody", mend);
            }
        }
        let fleet = &self.fleet;
        if fleet.hour > 23 {
            found.error("fleet.hour", format!("{} is no hour", fleet.hour), "give 0 to 23");
        }
        for (key, value, max) in [
            ("fleet.battery_level_low", fleet.battery_level_low, 100.0),
            ("fleet.battery_days_left", fleet.battery_days_left, 366.0),
            ("fleet.voltage_share_low", fleet.voltage_share_low, 1.0),
        ] {
            if !(0.0..=max).contains(&value) {
                found.error(key, format!("{value} is out of range"), format!("give 0 to {max}"));
            }
        }
        for (key, value) in [("fleet.failing_days", fleet.failing_days), ("fleet.finding_days", fleet.finding_days)] {
            if value == 0 || value > 366 {
                found.error(key, format!("{value} is out of range"), "give 1 to 366");
            }
        }
        let card = &self.scorecard;
        let falls = [card.platinum, card.gold, card.silver, card.bronze].windows(2).all(|pair| pair[0] >= pair[1]);
        if !falls {
            let problem = "platinum, gold, silver and bronze do not fall in that order";
            found.error("scorecard", problem, "give each class a limit no higher than the one above it");
        }
        let weights = [card.reporting_weight, card.quality_weight, card.answered_weight];
        if weights.iter().any(|weight| !(0.0..=1e6).contains(weight)) || weights[0] + weights[1] <= 0.0 {
            let mend = "give weights from 0 on, one of the first two above 0";
            found.error("scorecard", format!("{weights:?} are no weights"), mend);
        }
        if !(0.0..=1.0).contains(&card.recharge_measured_share) {
            let problem = format!("{} is no share", card.recharge_measured_share);
            found.error("scorecard.recharge_measured_share", problem, "give 0 to 1");
        }
        for (index, code) in self.bulletin.provinces.iter().enumerate() {
            if gwbank_registry::places::province(code).is_none() {
                let key = format!("bulletin.provinces[{index}]");
                found.error(key, format!("{code:?} is no province"), "use DOPA codes of two digits, such as \"30\"");
            }
        }
        let has_space = |text: &str| text.chars().any(|c| c.is_whitespace() || matches!(c, ',' | '<' | '&'));
        if has_space(&self.cap.sender) {
            let mend = "CAP allows no spaces, commas, < and & in it";
            found.error("cap.sender", format!("{:?} is no sender", self.cap.sender), mend);
        }
    }

    fn check_indicators(&self, found: &mut Findings) {
        let zone = &self.indicators.calendar_zone;
        if zone_seconds(zone).is_none() {
            let mend = "write Asia/Bangkok, UTC, or a fixed offset such as +07:00";
            found.error("indicators.calendar_zone", format!("{zone:?} is no zone known here"), mend);
        }
        if let Some(evaporation) = self.indicators.evaporation_mm_per_day
            && !(0.0..=30.0).contains(&evaporation)
        {
            let problem = format!("{evaporation} mm a day is no evaporation of open water");
            found.error("indicators.evaporation_mm_per_day", problem, "give 0 to 30, or leave it out");
        }
        let qualities = &self.indicators.qualities;
        if qualities.is_empty() || qualities.iter().any(|quality| ![1, 2, 3, 4, 9].contains(quality)) {
            let mend = "use QARTOD flags: 1 pass, 2 not evaluated, 3 suspect, 4 fail, 9 missing";
            found.error("indicators.qualities", format!("{qualities:?} are not quality flags"), mend);
        }
    }
}

/// A door's address, as far as it tells who can reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    pub loopback: bool,
}

/// Understands `host:port`. Only loopback addresses and `localhost` count as loopback.
pub fn door_address(address: &str) -> Result<Door, String> {
    if let Ok(socket) = address.parse::<SocketAddr>() {
        return Ok(Door { loopback: socket.ip().is_loopback() });
    }
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err(format!("{address:?} has no port"));
    };
    if port.parse::<u16>().is_err() {
        return Err(format!("{port:?} is no port"));
    }
    if host.is_empty() || host.parse::<IpAddr>().is_ok() {
        return Err(format!("{address:?} is no address"));
    }
    Ok(Door { loopback: host.eq_ignore_ascii_case("localhost") })
}

/// Seconds east of UTC of a zone whose clocks never change.
pub fn zone_seconds(zone: &str) -> Option<i32> {
    Zone::named(zone)?.fixed_seconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::config::FlightSqlSection;
    use crate::config::auth::UserEntry;

    fn errors(config: &Config) -> Vec<String> {
        config.problems().iter().filter(|p| p.weight == Weight::Error).map(|p| p.key.clone()).collect()
    }

    #[test]
    fn a_door_to_the_outside_needs_credentials_or_a_word() {
        let mut config = Config::default();
        assert!(errors(&config).is_empty() && config.is_on_loopback());
        config.http.listen = "0.0.0.0:8080".into();
        assert_eq!(errors(&config), ["http.listen"]);
        assert!(!config.is_on_loopback());
        config.mqtt.listen = "[::]:1883".into();
        assert_eq!(errors(&config), ["mqtt.listen", "http.listen"]);
        config.insecure = true;
        assert!(errors(&config).is_empty());
        config.insecure = false;
        config.auth.users.push(UserEntry {
            name: "a".into(),
            role: "admin".into(),
            scram: String::new(),
            password: gwbank_server::auth::password_hash("x").unwrap(),
        });
        assert!(errors(&config).is_empty());
        config.mqtt.anonymous = true;
        assert_eq!(errors(&config), ["mqtt.listen"]);
    }

    #[test]
    fn doors_of_sql_have_their_certificates_or_none() {
        let mut config = Config::default();
        config.flight_sql.tls_key = "key.pem".into();
        assert_eq!(errors(&config), ["flight_sql.tls_certificate"]);
        config.flight_sql.tls_certificate = "no such file".into();
        assert_eq!(errors(&config), ["flight_sql.tls_certificate"]);
        config.flight_sql = FlightSqlSection { listen: "0.0.0.0:50051".into(), ..FlightSqlSection::default() };
        assert_eq!(errors(&config), ["flight_sql.listen"]);
        config.insecure = true;
        let problems = config.problems();
        assert_eq!((problems.len(), problems[0].key.as_str()), (1, "flight_sql.listen"));
        assert_eq!(problems[0].weight, Weight::Warning);
    }

    #[test]
    fn addresses() {
        for good in ["127.0.0.1:0", "[::1]:1883", "localhost:80"] {
            assert!(door_address(good).unwrap().loopback, "{good}");
        }
        for outside in ["0.0.0.0:1", "192.168.1.2:1883", "bank.example.org:80", "[::]:0"] {
            assert!(!door_address(outside).unwrap().loopback, "{outside}");
        }
        for bad in ["8080", ":8080", "127.0.0.1", "127.0.0.1:99999", "::1:80:x"] {
            assert!(door_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn zones() {
        assert_eq!(zone_seconds("Asia/Bangkok"), Some(25_200));
        assert_eq!(zone_seconds("+07:00"), Some(25_200));
        assert_eq!(zone_seconds("-03:30"), Some(-12_600));
        for bad in ["", "+7", "07:00", "+07:60", "+15:00", "Mars", "+0a:00", "é7:00"] {
            assert_eq!(zone_seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_no_version_knows_is_refused() {
        let mut config = Config::default();
        config.archive.kind = "clickhouse".into();
        config.indicators.qualities = vec![7];
        config.ingest.earliest_time = "yesterday".into();
        assert_eq!(errors(&config), ["archive.kind", "ingest.earliest_time", "indicators.qualities"]);
    }

    #[test]
    fn entries_that_contradict_each_other_are_refused() {
        let gateway = "[[ingest.gateways]]\nid = \"gw\"\nclock_zone = \"+07:00\"\n";
        let external = "[[mqtt.external]]\nurl = \"mqtt://a\"\nclient_id = \"one\"\n";
        let config: Config = toml::from_str(&[gateway, gateway, external, external].concat()).unwrap();
        assert_eq!(errors(&config), ["mqtt.external[1].client_id", "ingest.gateways[1].id"]);
        let other = external.replace("one", "two");
        let config: Config = toml::from_str(&[gateway, external, &other].concat()).unwrap();
        assert!(errors(&config).is_empty());
    }

    #[test]
    fn what_could_never_work_is_refused() {
        let wrong = |text: &str| errors(&toml::from_str(text).unwrap());
        assert_eq!(wrong("data_dir = \"\""), ["data_dir"]);
        assert_eq!(wrong("http.listen = \"127.0.0.1:1883\""), ["http.listen"]);
        assert_eq!(wrong("http.listen = \"127.0.0.1:0\"\nmqtt.listen = \"127.0.0.1:0\""), [""; 0]);
        assert_eq!(wrong("http.listen = \"\"\nmqtt.listen = \"\""), ["http.listen"]);
        assert_eq!(wrong("ingest.earliest_time = \"2558-01-01T00:00:00Z\""), ["ingest.earliest_time"]);
        assert_eq!(wrong("query.threads = 10000"), ["query.threads"]);
        assert_eq!(wrong("query.time_zone = \"Mars/Olympus\""), ["query.time_zone"]);
        assert_eq!(wrong("query.concurrent_per_user_max = 0"), ["query.concurrent_per_user_max"]);
        assert_eq!(wrong("query.memory_bytes_for_all = 1000"), ["query.memory_bytes_for_all"]);
        assert_eq!(wrong("query.waiting_max = 0\nquery.spill_bytes_for_all = 0"), [""; 0]);
        assert_eq!(wrong("indicators.min_days_per_month = 32"), ["indicators.min_days_per_month"]);
        assert_eq!(wrong("indicators.evaporation_mm_per_day = -1.0"), ["indicators.evaporation_mm_per_day"]);
    }

    #[test]
    fn topics_of_a_broker_are_filters_that_gateways_publish_under() {
        let head = "[[mqtt.external]]\nurl = \"mqtt://a\"\nclient_id = \"one\"\n";
        let config: Config = toml::from_str(&format!(
            "{head}topics = [\"\", \"a/#/b\", \"sensors/#\", \"#\", \"gwbank/v1/+/readings\"]\nshared_group = \"a/b\"\n"
        ))
        .unwrap();
        let expected = ["topics[0]", "topics[1]", "topics[2]", "shared_group"];
        assert_eq!(errors(&config), expected.map(|field| format!("mqtt.external[0].{field}")));
    }

    #[test]
    fn device_profiles_say_what_is_wrong_with_them() {
        let wrong = |text: &str| -> String {
            let config: Config = toml::from_str(text).unwrap();
            config.problems().iter().map(|problem| format!("{problem}\n")).collect()
        };
        let head = "[[device_profiles]]\nname = \"v\"\ngateways = [\"gw-30*\"]\n";
        let field = |field: &str| wrong(&format!("{head}fields = {{ {field} }}\n"));
        assert_eq!(field(r#"lvl = { parameter = "depth_to_water", unit = "cm" }, fw = { ignore = true }"#), "");
        for (text, expected) in [
            (r#"lvl = { parameter = "level" }"#, r#"device_profiles[0].fields.lvl: "level" is no parameter of gwbank"#),
            (
                r#"lvl = { parameter = "ph", unit = "cm" }"#,
                r#"unit "cm" does not belong to ph, which takes 1, pH; name one"#,
            ),
            (
                r#"lvl = { parameter = "ph", ignore = true }"#,
                "it is both read and ignored; write { ignore = true } alone",
            ),
            ("lvl = {}", "it says neither parameter nor ignore; name a parameter"),
            ("well = { ignore = true }", r#"device_profiles[0]: field "well" has a meaning of its own"#),
        ] {
            let said = field(text);
            assert!(said.contains(expected) && said.lines().count() == 1, "{text}: {said}");
        }
        let other = head.replace("gw-30*", "*-02").replace("\"v\"", "\"w\"");
        let twice = format!("{head}fields.a.ignore = true\n{other}fields.a.ignore = true\n");
        assert!(wrong(&twice).starts_with("device_profiles[1]: it speaks of field \"a\""), "{}", wrong(&twice));
    }
}
