//! The suite of the metadata.

use std::future::Future;
use std::sync::Arc;

use gwbank_model::condition::{FlagState, Hazard, Scope, Severity, Transition};
use gwbank_model::{Day, GatewayId, Month, Parameter, QcTest, Seq, Timestamp, WellId};
use gwbank_registry::{AquiferCondition, BankType, Installation, PressureKind, Sampling, Well, WellStatus};

use super::{dead_letters, offices, outbox};
use crate::{
    ConditionFlag, ConversionCommit, ConvertedWell, DirtyMonth, FlagTransition, GatewayCounts, GatewayRecord,
    IndicatorRevision, IndicatorRow, IngestCommit, JudgedSeries, LookAgain, Metadata, QualityFinding, QualityLimit,
    QualityLimitKey, QualityLimitsChange, ReceivedContent, Review, ReviewAction, ReviewId, SecondLook,
    SecondLookCommit, SeriesFindings, WatchCommit, Withdrawal,
};

/// Tests an implementation of [`Metadata`]. `make` gives an empty one at each call.
///
/// # Panics
/// On the first broken rule.
pub async fn metadata_suite<F, Made>(make: F)
where
    F: Fn() -> Made,
    Made: Future<Output = Arc<dyn Metadata>>,
{
    an_ingest_commit_counts_once(&*make().await).await;
    dead_letters::are_one_entry_a_cause(&*make().await).await;
    dead_letters::share_a_payload_and_come_in_by_parts(&*make().await).await;
    dead_letters::can_be_filed_under_another_cause(&*make().await).await;
    dead_letters::leave_no_error_behind_with_the_last_one(&*make().await).await;
    dead_letters::are_read_page_by_page(&*make().await).await;
    contents_are_known_until_they_are_forgotten(&*make().await).await;
    wells_are_replaced_by_id(&*make().await).await;
    limits_of_quality_are_replaced_by_key(&*make().await).await;
    a_series_was_judged_as_the_last_commit_says(&*make().await).await;
    findings_are_replaced_series_by_series(&*make().await).await;
    a_second_look_is_set_back(&*make().await).await;
    reviews_keep_their_numbers(&*make().await).await;
    a_mark_goes_when_it_was_evaluated(&*make().await).await;
    months_of_sensors_wait_for_their_conversion(&*make().await).await;
    a_watch_commit_replaces_and_repeats(&*make().await).await;
    outbox::messages_are_leased_and_settled(&*make().await).await;
    outbox::a_stream_keeps_its_order(&*make().await).await;
    outbox::what_waits_goes_with_what_may_not(&*make().await).await;
    outbox::what_waits_for_a_digest_goes_with_what_may_not(&*make().await).await;
    outbox::a_digest_is_leased_whole(&*make().await).await;
    outbox::a_message_moves_into_a_digest(&*make().await).await;
    offices::are_versions(&*make().await).await;
    offices::an_invitation_is_taken_once(&*make().await).await;
    offices::what_people_did_is_kept(&*make().await).await;
}

pub(super) fn seq(n: i64) -> Seq {
    Seq::from_i64(n << 20)
}

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + secs)
}

pub(super) fn gateway(id: &str) -> GatewayId {
    GatewayId::new(id).expect("a valid id")
}

fn well_id(id: &str) -> WellId {
    WellId::new(id).expect("a valid id")
}

fn counts(received: u64, stored: u64, duplicate: u64, dead: u64) -> GatewayCounts {
    GatewayCounts { received, stored, duplicate, dead }
}

async fn an_ingest_commit_counts_once(metadata: &dyn Metadata) {
    assert_eq!(metadata.position().await.expect("position"), Seq::ZERO);
    let first = GatewayRecord {
        gateway_id: gateway("gw-1"),
        last_seen: Some(at(10)),
        counts: counts(5, 3, 1, 1),
        clock_offset_s: Some(25_200.0),
        clock_zone: None,
        last_error: Some("unknown_well".to_owned()),
    };
    let commit = IngestCommit { through: Some(seq(10)), gateways: vec![first.clone()], ..IngestCommit::default() };
    metadata.commit_ingest(commit.clone()).await.expect("commit");
    metadata.commit_ingest(commit).await.expect("the same commit");
    assert_eq!(metadata.gateways().await.expect("gateways"), std::slice::from_ref(&first), "counted once");
    assert_eq!(metadata.position().await.expect("position"), seq(10));

    let second = GatewayRecord {
        last_seen: Some(at(5)),
        counts: counts(2, 2, 0, 1u64.wrapping_neg()),
        clock_offset_s: None,
        clock_zone: Some("+07:00".to_owned()),
        last_error: None,
        ..first.clone()
    };
    let other = GatewayRecord { gateway_id: gateway("gw-0"), ..second.clone() };
    let other = GatewayRecord { counts: GatewayCounts::default(), last_seen: None, ..other };
    let commit = IngestCommit { through: None, gateways: vec![second, other.clone()], ..IngestCommit::default() };
    metadata.commit_ingest(commit).await.expect("commit without position");
    let expected = GatewayRecord { counts: counts(7, 5, 1, 0), clock_zone: Some("+07:00".to_owned()), ..first };
    assert_eq!(metadata.gateways().await.expect("gateways"), [other, expected], "sorted by id");
    assert_eq!(metadata.position().await.expect("position"), seq(10));
}

async fn contents_are_known_until_they_are_forgotten(metadata: &dyn Metadata) {
    let content = |gateway_id: &str, content_hash: u64, n: i64| ReceivedContent {
        gateway_id: gateway(gateway_id),
        content_hash,
        seq: seq(n),
    };
    let commit = |n: i64, received_contents: Vec<ReceivedContent>, forgotten: Option<i64>| IngestCommit {
        through: Some(seq(n)),
        received_contents,
        contents_forgotten_before: forgotten.map(|n| seq(n).received_at()),
        ..IngestCommit::default()
    };
    let known = async || metadata.received_contents().await.expect("contents");
    let first = vec![content("b", u64::MAX, 2), content("a", 7, 1), content("b", 7, 3)];
    metadata.commit_ingest(commit(3, first, None)).await.expect("commit");
    assert_eq!(known().await, [content("a", 7, 1), content("b", u64::MAX, 2), content("b", 7, 3)], "in order");
    metadata.commit_ingest(commit(5, vec![content("a", 7, 5)], Some(3))).await.expect("commit");
    assert_eq!(known().await, [content("b", 7, 3), content("a", 7, 5)]);
    metadata.commit_ingest(commit(5, vec![content("c", 1, 5)], None)).await.expect("a commit made before");
    assert_eq!(known().await.len(), 2);
}

fn full_well(id: &str) -> Well {
    Well {
        well_id: well_id(id),
        name: Some("Ban Nong".to_owned()),
        name_th: Some("บ้านหนอง".to_owned()),
        province_code: "30".to_owned(),
        district_code: Some("3001".to_owned()),
        subdistrict_code: Some("300101".to_owned()),
        lao_code: Some("05300101".to_owned()),
        aquifer: Some("Qcp".to_owned()),
        aquifer_condition: Some(AquiferCondition::SemiConfined),
        bank_type: BankType::Open,
        represents_aquifer: true,
        influenced: false,
        sampling: Sampling::Logger,
        latitude: Some(14.97),
        longitude: Some(102.1),
        ground_elevation: Some(187.25),
        vertical_datum: Some("MSL".to_owned()),
        depth: Some(60.0),
        screen_top: Some(40.0),
        screen_bottom: Some(58.0),
        specific_yield: Some(0.08),
        flood_warning_depth: Some(1.0),
        flood_danger_depth: Some(0.3),
        bank_area: Some(25.0),
        bank_volume: Some(50.0),
        fill_material: Some("rock".to_owned()),
        comparison_well_id: Some(well_id("C-1")),
        installed_on: Some(Day(19_000)),
        status: WellStatus::Active,
    }
}

async fn wells_are_replaced_by_id(metadata: &dyn Metadata) {
    let plain = Well {
        influenced: true,
        sampling: Sampling::Manual,
        status: WellStatus::Abandoned,
        ..Well::new(well_id("A-1"), "30", BankType::Closed)
    };
    metadata.put_wells(vec![full_well("B-1"), plain.clone()], seq(1)).await.expect("put");
    let first = plain.clone();
    assert_eq!(metadata.wells().await.expect("wells"), [plain, full_well("B-1")], "sorted by id");
    let changed = Well { depth: Some(61.5), ..full_well("A-1") };
    metadata.put_wells(vec![changed.clone()], seq(2)).await.expect("put");
    metadata.put_wells(vec![changed.clone()], seq(3)).await.expect("put the same");
    assert_eq!(metadata.wells().await.expect("wells"), [changed.clone(), full_well("B-1")]);
    assert!(metadata.wells_before(seq(1)).await.expect("wells").is_empty());
    let before = metadata.wells_before(seq(2)).await.expect("wells");
    assert_eq!(before, [first, full_well("B-1")], "as they were registered then");
    assert_eq!(metadata.wells_before(seq(3)).await.expect("wells"), [changed, full_well("B-1")]);

    let installation = Installation {
        well_id: well_id("A-1"),
        device_id: Some("70B3D57ED0001234".to_owned()),
        sensor_model: Some("P-100".to_owned()),
        parameter: Some(Parameter::WaterPressureGauge),
        sensor_depth_below_mp: Some(30.0),
        measuring_point_height: Some(0.55),
        pressure_kind: Some(PressureKind::Gauge),
        barometer_id: Some("BARO-1".to_owned()),
        offset: Some(-0.02),
        valid_from: at(0),
        valid_to: None,
        reason: Some("first".to_owned()),
    };
    let bare = Installation {
        device_id: None,
        sensor_model: None,
        parameter: None,
        sensor_depth_below_mp: None,
        measuring_point_height: None,
        pressure_kind: None,
        barometer_id: None,
        offset: None,
        valid_to: Some(at(50)),
        reason: None,
        ..installation.clone()
    };
    let later = Installation { valid_from: at(100), ..installation.clone() };
    let all = vec![installation.clone(), bare.clone(), later.clone()];
    metadata.put_installations(all, seq(4)).await.expect("put");
    let ended = Installation { valid_to: Some(at(100)), reason: Some("moved".to_owned()), ..installation.clone() };
    let ended_bare = Installation { reason: Some("unknown".to_owned()), ..bare.clone() };
    metadata.put_installations(vec![ended.clone(), ended_bare.clone()], seq(5)).await.expect("put");
    let mut found = metadata.installations().await.expect("installations");
    found.sort_by_key(|row| (row.device_id.clone(), row.valid_from));
    assert_eq!(found, [ended_bare, ended, later.clone()]);
    let mut before = metadata.installations_before(seq(5)).await.expect("installations");
    before.sort_by_key(|row| (row.device_id.clone(), row.valid_from));
    assert_eq!(before, [bare, installation, later], "as they were registered then");
}

async fn a_mark_goes_when_it_was_evaluated(metadata: &dyn Metadata) {
    let mark = |well: &str, month: i32, n: i64| DirtyMonth {
        well_id: well_id(well),
        parameter: Parameter::DepthToWater,
        month: Month::from_index(month),
        seq: seq(n),
    };
    let dirty = |through, marks: Vec<DirtyMonth>| IngestCommit {
        through: Some(seq(through)),
        dirty_months: marks,
        ..IngestCommit::default()
    };
    metadata
        .commit_ingest(dirty(3, vec![mark("A", 600, 3), mark("B", 600, 1), mark("A", -600, 2)]))
        .await
        .expect("commit");
    let found = metadata.dirty_months(10).await.expect("marks");
    assert_eq!(found, [mark("B", 600, 1), mark("A", -600, 2), mark("A", 600, 3)], "longest dirty first");
    assert_eq!(metadata.dirty_months(1).await.expect("marks").len(), 1);
    // Dirtied again while it was evaluated: the mark stays.
    metadata.commit_ingest(dirty(4, vec![mark("A", 600, 4)])).await.expect("commit");
    let evaluated = WatchCommit { evaluated: found, ..WatchCommit::default() };
    metadata.commit_watch(evaluated).await.expect("commit");
    assert_eq!(metadata.dirty_months(10).await.expect("marks"), [mark("A", 600, 4)]);
}

async fn months_of_sensors_wait_for_their_conversion(metadata: &dyn Metadata) {
    let mark = |parameter: Parameter, month: i32, n: i64| DirtyMonth {
        well_id: well_id("A"),
        parameter,
        month: Month::from_index(month),
        seq: seq(n),
    };
    let (distance, air) = (Parameter::DistanceToWater, Parameter::BarometricPressure);
    let dirty = |through, dirty_months: Vec<DirtyMonth>| IngestCommit {
        through: Some(seq(through)),
        dirty_months,
        ..IngestCommit::default()
    };
    let marks = vec![mark(distance, 600, 3), mark(air, 600, 1), mark(Parameter::DepthToWater, 600, 2)];
    metadata.commit_ingest(dirty(3, marks)).await.expect("commit");
    let found = metadata.unconverted_months(10).await.expect("marks");
    assert_eq!(found, [mark(air, 600, 1), mark(distance, 600, 3)], "levels need no conversion");
    let evaluated = metadata.dirty_months(10).await.expect("marks");
    metadata.commit_watch(WatchCommit { evaluated, ..WatchCommit::default() }).await.expect("commit");
    assert_eq!(metadata.unconverted_months(10).await.expect("marks"), found, "of no concern to the watch");

    metadata.commit_ingest(dirty(4, vec![mark(distance, 600, 4)])).await.expect("commit");
    let well = |id: &str, fingerprint: u64| ConvertedWell { well_id: well_id(id), fingerprint };
    let commit = ConversionCommit { converted: found, wells: vec![well("A", 1), well("B", u64::MAX)] };
    metadata.commit_conversion(commit).await.expect("commit");
    assert_eq!(metadata.unconverted_months(10).await.expect("marks"), [mark(distance, 600, 4)], "marked meanwhile");
    let again = ConversionCommit { wells: vec![well("A", 2)], ..ConversionCommit::default() };
    metadata.commit_conversion(again).await.expect("commit");
    let mut wells = metadata.converted_wells().await.expect("wells");
    wells.sort_by(|one, other| one.well_id.cmp(&other.well_id));
    assert_eq!(wells, [well("A", 2), well("B", u64::MAX)]);
}

async fn limits_of_quality_are_replaced_by_key(metadata: &dyn Metadata) {
    let limit = |well: Option<&str>, parameter: Option<Parameter>, name: &str, value: f64, secs: i64| QualityLimit {
        key: QualityLimitKey { well_id: well.map(well_id), parameter, limit: name.to_owned() },
        value,
        changed_at: at(secs),
    };
    let depth = Some(Parameter::DepthToWater);
    let change = async |removed: Vec<QualityLimitKey>, put: Vec<QualityLimit>| {
        metadata.change_quality_limits(QualityLimitsChange { removed, put }).await.expect("change");
        metadata.quality_limits().await.expect("limits")
    };
    let of_all = limit(None, depth, "spike.suspect", 0.25, 1);
    let of_well = limit(Some("B"), None, "gap.silence_max_hours", 3.0, 1);
    let of_series = limit(Some("B"), depth, "climatology.april.min", -0.1, 1);
    let put = vec![of_series.clone(), of_well.clone(), of_all.clone()];
    assert_eq!(change(vec![], put).await, [of_all.clone(), of_well.clone(), of_series.clone()], "in order");
    let same = limit(None, depth, "spike.suspect", 0.25, 2);
    let other = limit(Some("B"), None, "gap.silence_max_hours", 4.0, 2);
    let known = change(vec![], vec![same, other.clone()]).await;
    assert_eq!(known, [of_all.clone(), other.clone(), of_series.clone()], "an equal value stays as old as it is");
    assert_eq!(change(vec![of_well.key, of_series.key], vec![]).await, std::slice::from_ref(&of_all));
    assert_eq!(change(vec![other.key], vec![]).await, [of_all], "one that is not there");
}

async fn a_series_was_judged_as_the_last_commit_says(metadata: &dyn Metadata) {
    let judged = |well: &str, fingerprint: u64, since: Option<i64>| JudgedSeries {
        well_id: well_id(well),
        parameter: Parameter::Ph,
        fingerprint,
        under_way_since: since.map(seq),
    };
    let commit = async |judged_series: Vec<JudgedSeries>| {
        metadata.commit_ingest(IngestCommit { judged_series, ..IngestCommit::default() }).await.expect("commit");
        let mut known = metadata.judged_series().await.expect("series");
        known.sort_by(|one, other| one.well_id.as_str().cmp(other.well_id.as_str()));
        known
    };
    let first = vec![judged("A", u64::MAX, Some(1)), judged("B", 7, None)];
    assert_eq!(commit(first.clone()).await, first);
    assert_eq!(commit(vec![judged("A", 8, None)]).await, [judged("A", 8, None), judged("B", 7, None)]);
}

async fn findings_are_replaced_series_by_series(metadata: &dyn Metadata) {
    let finding = |well: &str, parameter: Parameter, test: QcTest, from: i64| QualityFinding {
        well_id: well_id(well),
        parameter,
        test,
        from: at(from),
        to: at(from + 10),
        detail: format!("{test} of \u{b1}0.4 m"),
        found_at: at(99),
    };
    let of = |well: &str, parameter: Parameter, findings: &[QualityFinding]| SeriesFindings {
        well_id: well_id(well),
        parameter,
        findings: findings.to_vec(),
    };
    let commit = async |series: Vec<SeriesFindings>| {
        metadata.commit_second_look(SecondLookCommit { series, ..Default::default() }).await.expect("commit");
        metadata.quality_findings().await.expect("findings")
    };
    let (depth, ph) = (Parameter::DepthToWater, Parameter::Ph);
    let shift = finding("A", depth, QcTest::LevelShift, 5);
    let (early, late) = (finding("A", depth, QcTest::Neighbour, -20), finding("A", depth, QcTest::Neighbour, 8));
    let drift = finding("A", ph, QcTest::Drift, 0);
    let other = finding("B", depth, QcTest::Neighbour, 8);
    let all = vec![
        of("B", depth, std::slice::from_ref(&other)),
        of("A", ph, std::slice::from_ref(&drift)),
        of("A", depth, &[late, shift.clone(), early.clone()]),
    ];
    assert_eq!(commit(all).await.len(), 5);
    let replaced = commit(vec![of("A", depth, &[early.clone(), shift.clone()]), of("C", depth, &[])]).await;
    assert_eq!(replaced, [shift, early, drift.clone(), other.clone()], "in order");
    assert_eq!(commit(vec![of("A", depth, &[])]).await, [drift, other]);
}

async fn reviews_keep_their_numbers(metadata: &dyn Metadata) {
    let review = |well: &str, action: ReviewAction| Review {
        id: ReviewId(0),
        well_id: well_id(well),
        parameter: Parameter::DepthToWater,
        from: Some(at(-5)),
        to: None,
        action,
        amount: action.corrects().then_some(-0.25),
        amount_end: (action == ReviewAction::Drift).then_some(1e-3),
        author: "\u{0e2a}\u{0e21}\u{0e0a}\u{0e32}\u{0e22}".to_owned(),
        reason: "sensor hung 25 cm too deep".to_owned(),
        seq: Seq::from_i64(77),
        created_at: at(100),
        readings: 3,
        done_at: None,
        withdrawal: None,
    };
    let month = |month: i32| DirtyMonth {
        well_id: well_id("A"),
        parameter: Parameter::DepthToWater,
        month: Month::from_index(month),
        seq: Seq::from_i64(77),
    };
    let known = async || metadata.reviews().await.expect("reviews");
    assert_eq!(known().await, []);
    let first = metadata.add_review(review("A", ReviewAction::Drift), vec![month(600), month(601)]).await.expect("add");
    let second = metadata.add_review(review("B", ReviewAction::Approve), Vec::new()).await.expect("add");
    assert_eq!((first, second), (ReviewId(1), ReviewId(2)));
    let first = Review { id: first, ..review("A", ReviewAction::Drift) };
    let second = Review { id: second, ..review("B", ReviewAction::Approve) };
    assert_eq!(known().await, [first.clone(), second.clone()]);
    let marks = metadata.dirty_months(usize::MAX).await.expect("marks");
    assert_eq!(marks.iter().map(|mark| mark.month.index()).collect::<Vec<_>>(), [600, 601]);

    let done = Review { done_at: Some(at(101)), ..first };
    metadata.put_review(done.clone(), Vec::new()).await.expect("put");
    let withdrawal = Withdrawal {
        author: "malee".to_owned(),
        reason: "of another well".to_owned(),
        seq: Seq::from_i64(99),
        at: at(103),
        done_at: Some(at(104)),
    };
    let withdrawn = Review { withdrawal: Some(withdrawal), from: None, to: Some(at(7)), ..second };
    metadata.put_review(withdrawn.clone(), vec![month(602)]).await.expect("put");
    assert_eq!(known().await, [done, withdrawn]);
    assert_eq!(metadata.dirty_months(usize::MAX).await.expect("marks").len(), 3);
}

async fn a_second_look_is_set_back(metadata: &dyn Metadata) {
    let looked = |well: &str, month: i32, fingerprint: u64| SecondLook {
        well_id: well_id(well),
        looked_through: Month::from_index(month),
        fingerprint,
    };
    let again = |well: &str, month: i32| LookAgain { well_id: well_id(well), from: Month::from_index(month) };
    let known = async || {
        let mut known = metadata.second_looks().await.expect("looks");
        known.sort_by(|one, other| one.well_id.as_str().cmp(other.well_id.as_str()));
        known
    };
    let looks = vec![looked("A", 600, u64::MAX), looked("B", 600, 1)];
    let commit = SecondLookCommit { looks, ..Default::default() };
    metadata.commit_second_look(commit).await.expect("commit");
    let look_again = vec![again("A", 601), again("A", 598), again("A", 599), again("B", 601), again("C", 5)];
    metadata.commit_watch(WatchCommit { look_again, ..WatchCommit::default() }).await.expect("commit");
    assert_eq!(known().await, [looked("A", 597, u64::MAX), looked("B", 600, 1)]);
    let looks = vec![looked("A", 601, 7)];
    metadata.commit_second_look(SecondLookCommit { looks, ..Default::default() }).await.expect("commit");
    assert_eq!(known().await, [looked("A", 601, 7), looked("B", 600, 1)]);
}

async fn a_watch_commit_replaces_and_repeats(metadata: &dyn Metadata) {
    let indicator = |place: &str, value: Option<f64>| IndicatorRow {
        scope: Scope::Well,
        place: place.to_owned(),
        province_code: "30".to_owned(),
        period: Month::new(2026, 3).start(0),
        indicator: "sgi".to_owned(),
        value,
        class: value.is_none().then(|| "not_enough_record".to_owned()),
        confidence: Some(0.5),
        n: Some(12),
        years: Some(1.0),
        approved_share: value.map(|_| 0.25),
        quality_share: Some(0.75),
        computed_at: at(1),
    };
    let flag = ConditionFlag {
        id: "drought-well-A-1700000000".to_owned(),
        scope: Scope::Well,
        place: "A".to_owned(),
        province_code: "30".to_owned(),
        district_code: Some("3001".to_owned()),
        subdistrict_code: None,
        well_id: Some(well_id("A")),
        hazard: Hazard::Drought,
        severity: Severity::Severe,
        state: FlagState::Open,
        raised_at: at(0),
        changed_at: at(0),
        closed_at: None,
        confidence: 0.8,
        wells_in: 3,
        wells_out: 1,
        coverage: 0.75,
        rule: "sgi <= -1.5".to_owned(),
        limit_value: Some(-1.5),
        observed: Some(-1.7),
        what_would_clear_it: "sgi > -1".to_owned(),
        headline_en: "Low groundwater".to_owned(),
        headline_th: "น้ำบาดาลต่ำ".to_owned(),
        detail_en: String::new(),
        detail_th: String::new(),
        acknowledged_by: None,
        acknowledged_at: None,
    };
    let raised = FlagTransition {
        flag_id: flag.id.clone(),
        at: at(0),
        transition: Transition::Raised,
        severity: Severity::Severe,
        evidence: "{\"sgi\":-1.7}".to_owned(),
    };
    let commit = WatchCommit {
        at: Some(at(0)),
        indicators: vec![indicator("A", Some(-1.7)), indicator("B", None)],
        flags: vec![flag.clone()],
        transitions: vec![raised.clone()],
        ..WatchCommit::default()
    };
    metadata.commit_watch(commit.clone()).await.expect("commit");
    metadata.commit_watch(commit).await.expect("the same commit");
    let again = WatchCommit { indicators: vec![indicator("A", Some(-1.2))], ..WatchCommit::default() };
    metadata.commit_watch(again).await.expect("commit");
    assert_eq!(metadata.indicators(Some("A")).await.expect("rows"), [indicator("A", Some(-1.2))]);
    assert_eq!(metadata.indicators(None).await.expect("rows").len(), 2);
    assert_eq!(metadata.indicators(Some("B")).await.expect("rows"), [indicator("B", None)]);
    // One goes, one comes back in the same commit, one was never there.
    let elsewhere = IndicatorRow { period: Month::new(2026, 4).start(0), ..indicator("B", None) };
    let gone = WatchCommit {
        at: Some(at(4)),
        removed_indicators: vec![indicator("A", None).key(), indicator("B", None).key(), elsewhere.key()],
        indicators: vec![indicator("A", Some(-1.1))],
        ..WatchCommit::default()
    };
    metadata.commit_watch(gone).await.expect("commit");
    assert_eq!(metadata.indicators(None).await.expect("rows"), [indicator("A", Some(-1.1))]);
    let revision = |row: IndicatorRow, n: i64| IndicatorRevision { row, superseded_at: at(n) };
    let mut found = metadata.indicator_revisions(None).await.expect("revisions");
    found.sort_by_key(|it| (it.row.place.clone(), it.superseded_at));
    let expected = [
        revision(indicator("A", Some(-1.7)), 1),
        revision(indicator("A", Some(-1.2)), 4),
        revision(indicator("B", None), 4),
    ];
    assert_eq!(found, expected, "what was replaced and what was removed, and nothing that was put again");
    assert_eq!(metadata.indicator_revisions(Some("B")).await.expect("revisions"), expected[2..]);
    assert_eq!(metadata.history_since().await.expect("an instant"), Timestamp::MIN, "the store was made with it");
    metadata.begin_history(at(3)).await.expect("an instant");
    assert_eq!(metadata.history_since().await.expect("an instant"), at(3));

    assert_eq!(metadata.flags(true).await.expect("flags"), std::slice::from_ref(&flag));
    assert_eq!(metadata.flag_transitions(None).await.expect("transitions"), std::slice::from_ref(&raised));
    let opened = flag.clone();
    let closed = ConditionFlag {
        state: FlagState::Closed,
        closed_at: Some(at(9)),
        changed_at: at(9),
        acknowledged_by: Some("officer".to_owned()),
        acknowledged_at: Some(at(5)),
        ..flag
    };
    let cleared = FlagTransition { at: at(9), transition: Transition::Cleared, ..raised.clone() };
    let commit =
        WatchCommit { flags: vec![closed.clone()], transitions: vec![cleared.clone()], ..WatchCommit::default() };
    metadata.commit_watch(commit).await.expect("commit");
    assert!(metadata.flags(true).await.expect("flags").is_empty());
    assert_eq!(metadata.flags(false).await.expect("flags"), std::slice::from_ref(&closed));
    assert!(metadata.flags_at(at(-1)).await.expect("flags").is_empty());
    for (n, then) in [(0, &opened), (8, &opened), (9, &closed), (99, &closed)] {
        assert_eq!(metadata.flags_at(at(n)).await.expect("flags"), std::slice::from_ref(then), "at {n}");
    }
    assert_eq!(
        metadata.flag_transitions(Some(&closed.id)).await.expect("transitions"),
        [raised.clone(), cleared.clone()]
    );
    assert!(metadata.flag_transitions(Some("none")).await.expect("transitions").is_empty());

    let numbered = metadata.transitions_after(0, 10).await.expect("transitions");
    let transitions: Vec<_> = numbered.iter().map(|it| it.transition.clone()).collect();
    assert_eq!(transitions, [raised, cleared.clone()]);
    assert!(numbered[0].number < numbered[1].number);
    assert_eq!(metadata.last_transition().await.expect("number"), numbered[1].number);
    let later = metadata.transitions_after(numbered[0].number, 1).await.expect("transitions");
    assert_eq!(later, numbered[1..]);
    assert!(metadata.transitions_after(numbered[1].number, 10).await.expect("transitions").is_empty());
}
