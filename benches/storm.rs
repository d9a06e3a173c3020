//! A storm: all 77 provinces change at once, and 5,005 contacts are told. How long until all of it is owed (in one transaction, on
//! disk), against one transaction a message; how long until couriers that answer at once have brought it; how long another
//! writer of the metadata, as ingest is one, waits meanwhile, against how long it waits otherwise; and how long gateways wait for
//! their PUBACK while a storm is brought at the offices' own pace, against how long they wait without one.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use gwbank_courier::{Courier, DeliveryCounts, DispatchConfig, Dispatcher, Outcome, Parcel};
use gwbank_delta::{SqliteConfig, SqliteMetadata};
use gwbank_model::Timestamp;
use gwbank_model::condition::{FlagState, Hazard, Scope, Severity, Transition};
use gwbank_notice::{Notice, Told, notice_key, route};
use gwbank_registry::office::{Channel, Contact, Office, OfficeLevel, Offices};
use gwbank_registry::places;
use gwbank_runtime::{Clock, SystemClock};
use gwbank_store::{ConditionFlag, DeliveryState, FlagTransition, IngestCommit, Metadata, OutboxMessage, WatchCommit};
use support::load::{self, Load, Pace};
use support::ours::Ours;
use support::readings::Shape;
use support::{Error, Settings, runtime};

const CONTACTS_A_PROVINCE: usize = 65;
const ROUNDS: usize = 5;
/// Of an office, so high that it holds nothing up.
const AT_ONCE: u32 = 100_000;
/// Of an office where its pace is what is looked at.
const PER_MINUTE: u32 = 60;
/// A minute's messages go at once, the rest one by one.
const OWN_PACE: Duration =
    Duration::from_secs(60 * (CONTACTS_A_PROVINCE as u64 - PER_MINUTE as u64) / PER_MINUTE as u64);
/// Ten times what 10,801 wells send with three parameters every 15 minutes.
const READINGS_PER_SECOND: f64 = 360.0;

fn offices(messages_per_minute: u32) -> Offices {
    let (mut offices, mut contacts) = (Vec::new(), Vec::new());
    for province in places::provinces() {
        let office_id = format!("office-{}", province.code);
        offices.push(Office {
            office_id: office_id.clone(),
            level: OfficeLevel::Province,
            place_code: Some(province.code.to_owned()),
            name: province.name_en.to_owned(),
            name_th: Some(province.name_th.to_owned()),
            phone: None,
            messages_per_minute: Some(messages_per_minute),
        });
        contacts.extend((0..CONTACTS_A_PROVINCE).map(|n| Contact {
            address: Some(format!("officer-{n}@{}.example.org", province.code)),
            ..Contact::new(&format!("{}-{n}", province.code), &office_id, Channel::Email)
        }));
    }
    Offices::new(offices, contacts)
}

fn flag(province: &str, at: Timestamp) -> ConditionFlag {
    ConditionFlag {
        id: format!("flood-province-{province}-{}", at.as_secs()),
        scope: Scope::Province,
        place: province.to_owned(),
        province_code: province.to_owned(),
        district_code: None,
        subdistrict_code: None,
        well_id: None,
        hazard: Hazard::Flood,
        severity: Severity::Severe,
        state: FlagState::Open,
        raised_at: at,
        changed_at: at,
        closed_at: None,
        confidence: 1.0,
        wells_in: 5,
        wells_out: 7,
        coverage: 0.9,
        rule: "flood_districts_in_danger".to_owned(),
        limit_value: Some(3.0),
        observed: Some(4.0),
        what_would_clear_it: "no well at danger depth".to_owned(),
        headline_en: "High groundwater, severe".to_owned(),
        headline_th: "น้ำใต้ดินสูงใกล้ผิวดิน เสี่ยงน้ำท่วมขัง ระดับรุนแรง".to_owned(),
        detail_en: "detail ".repeat(40),
        detail_th: "รายละเอียด ".repeat(40),
        acknowledged_by: None,
        acknowledged_at: None,
    }
}

/// Everything that all provinces owe.
fn storm(offices: &Offices, at: Timestamp) -> WatchCommit {
    let mut commit = WatchCommit { at: Some(at), ..WatchCommit::default() };
    for province in places::provinces() {
        let flag = flag(province.code, at);
        let (flag_id, severity) = (flag.id.clone(), flag.severity);
        let evidence = "{\"wells_in_danger\":5}".to_owned();
        let transition = FlagTransition { flag_id, at, transition: Transition::Raised, severity, evidence };
        let told =
            Told { flag: &flag, transition: Transition::Raised, severity_before: None, at, laos: &[], is_drill: false };
        let (key, body) = (notice_key(&flag.id, &transition), Notice::of(&flag, &transition, None).to_bytes());
        commit.outbox.extend(route(offices, &told).into_iter().map(|listener| OutboxMessage {
            flag_id: Some(flag.id.clone()),
            office_id: Some(listener.office.office_id.clone()),
            contact_id: Some(listener.contact.contact_id.clone()),
            stream: Some(format!("{} {}", flag.id, listener.contact.contact_id)),
            not_before: listener.not_before,
            ..OutboxMessage::new(
                format!("{key}@{}", listener.contact.contact_id),
                "email",
                listener.contact.address.clone().unwrap_or_default(),
                body.clone(),
                at,
            )
        }));
        commit.flags.push(flag);
        commit.transitions.push(transition);
    }
    commit
}

struct AtOnce;

#[async_trait]
impl Courier for AtOnce {
    fn channel(&self) -> &'static str {
        "email"
    }

    async fn deliver(&self, _: &Parcel) -> Outcome {
        Outcome::Delivered("250".to_owned())
    }
}

fn now() -> Timestamp {
    Timestamp::from_micros(SystemClock.now_micros())
}

/// How long a writer beside it waited for each of its commits, one every 20 ms until told to end.
async fn waits(metadata: SqliteMetadata, mut end: tokio::sync::oneshot::Receiver<()>) -> Vec<Duration> {
    let mut waits = Vec::new();
    while end.try_recv().is_err() {
        let began = Instant::now();
        metadata.commit_ingest(IngestCommit::default()).await.expect("a commit");
        waits.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    waits
}

fn share(mut values: Vec<Duration>, share: f64) -> Duration {
    values.sort_unstable();
    values[((values.len() - 1) as f64 * share) as usize]
}

async fn run() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let offices = offices(AT_ONCE);
    let (mut queued, mut brought, mut single) = (Vec::new(), Vec::new(), Vec::new());
    let (mut beside, mut idle) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let metadata = SqliteMetadata::open(SqliteConfig::new(dir.path().join(format!("{round}.sqlite")))).await?;
        anyhow::ensure!(metadata.put_offices(offices.clone(), 0, now()).await?, "nobody else is here");
        let (quiet, ended) = tokio::sync::oneshot::channel();
        let alone = tokio::spawn(waits(metadata.clone(), ended));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let _ = quiet.send(());
        idle.extend(alone.await.context("the writer")?);

        let (done, ended) = tokio::sync::oneshot::channel();
        let writer = tokio::spawn(waits(metadata.clone(), ended));
        let began = Instant::now();
        let commit = storm(&offices, now());
        let messages = commit.outbox.clone();
        metadata.commit_watch(commit).await?;
        queued.push(began.elapsed());
        let config = DispatchConfig { messages_at_once: 500, concurrent: 16, ..DispatchConfig::default() };
        let shared: Arc<dyn Metadata> = Arc::new(metadata.clone());
        let counts = Arc::<DeliveryCounts>::default();
        let dispatcher = Dispatcher::new(Arc::new(AtOnce), shared, Arc::new(SystemClock), config, counts);
        let began = Instant::now();
        while dispatcher.run_once().await? > 0 {}
        brought.push(began.elapsed());
        let _ = done.send(());
        beside.extend(writer.await.context("the writer")?);
        let counts = metadata.outbox_counts().await?;
        anyhow::ensure!(counts.iter().all(|count| count.state == DeliveryState::Delivered), "{counts:?}");
        anyhow::ensure!(messages.len() == CONTACTS_A_PROVINCE * 77, "{} messages", messages.len());

        // The peer: a transaction a message, of a tenth of them.
        let peer = SqliteMetadata::open(SqliteConfig::new(dir.path().join(format!("{round}-single.sqlite")))).await?;
        let began = Instant::now();
        for message in messages.into_iter().step_by(10) {
            peer.commit_watch(WatchCommit { outbox: vec![message], ..WatchCommit::default() }).await?;
        }
        single.push(began.elapsed() * 10);
    }
    println!("77 provinces, {} contacts, medians of {ROUNDS} rounds", CONTACTS_A_PROVINCE * 77);
    println!("queued, in one transaction      {:>8.0} ms", share(queued, 0.5).as_secs_f64() * 1e3);
    println!("queued, a transaction a message {:>8.0} ms", share(single, 0.5).as_secs_f64() * 1e3);
    println!("brought by couriers that answer at once {:>8.0} ms", share(brought, 0.5).as_secs_f64() * 1e3);
    for (when, waits) in [("alone", idle), ("beside the storm", beside)] {
        let (median, high) = (share(waits.clone(), 0.5), share(waits, 0.99));
        println!("another writer waits, {when}: median {median:.1?}, p99 {high:.1?}");
    }
    Ok(())
}

/// PUBACKs of live readings alone, and while a storm goes out beside them; in milliseconds, of 50 and 99 %.
fn beside() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    let (dir, runtime) = (settings.scratch()?, runtime("broker")?);
    let ours = runtime.block_on(Ours::start(dir.path(), Shape::SINGLE.registry()))?;
    let load = |start_days: i64, run: Duration| Load {
        address: ours.broker.address(),
        shape: Shape::SINGLE,
        start: now().plus_secs(-start_days * 86_400),
        run,
        in_flight: 4,
        pace: Pace::ReadingsPerSecond(READINGS_PER_SECOND),
    };
    let paced = OWN_PACE + Duration::from_secs(10);
    let mut alone = load::run(load(4000, paced))?;
    let metadata = ours.stores.metadata.clone();
    let storm = runtime.spawn(async move {
        let offices = offices(PER_MINUTE);
        anyhow::ensure!(metadata.put_offices(offices.clone(), 0, now()).await?, "nobody else is here");
        let began = Instant::now();
        metadata.commit_watch(storm(&offices, now())).await?;
        let queued = began.elapsed();
        let config = DispatchConfig { messages_at_once: 500, concurrent: 16, ..DispatchConfig::default() };
        let counts = Arc::<DeliveryCounts>::default();
        let dispatcher = Dispatcher::new(Arc::new(AtOnce), metadata.clone(), Arc::new(SystemClock), config, counts);
        loop {
            if dispatcher.run_once().await? > 0 {
                continue;
            }
            let counts = metadata.outbox_counts().await?;
            if counts.iter().all(|count| count.state == DeliveryState::Delivered) {
                return anyhow::Ok((queued, began.elapsed()));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut stormy = load::run(load(2000, paced))?;
    let (queued, brought) = runtime.block_on(storm)??;
    println!(
        "\nat {PER_MINUTE} messages a minute an office: queued after {:.0} ms, brought after {:.1} s; the pace alone takes {:.0} s",
        queued.as_secs_f64() * 1e3,
        brought.as_secs_f64(),
        OWN_PACE.as_secs_f64(),
    );
    println!("{READINGS_PER_SECOND} readings/s, PUBACK ms of 50 / 99 %");
    println!("  alone             {}  ({} messages)", alone.acknowledgements.summary(), alone.messages);
    println!("  beside the storm  {}  ({} messages)", stormy.acknowledgements.summary(), stormy.messages);
    runtime.block_on(ours.stop())
}

fn main() -> Result<(), Error> {
    runtime("storm")?.block_on(run())?;
    beside()
}
