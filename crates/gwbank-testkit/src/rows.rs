use gwbank_model::{GatewayIndex, Origin, QcTests, QualityFlag, Row, Seq, SeriesId, TimeSource, Timestamp};

/// A plain row as the first gateway brings it; NaN is a missing value. What a test wants otherwise it writes over.
pub fn received_row(series: SeriesId, time: Timestamp, value: f64, seq: Seq) -> Row {
    Row {
        series,
        gateway: GatewayIndex(1),
        time,
        value,
        seq,
        revision: 0,
        qc_tests: QcTests::NONE,
        quality: if value.is_nan() { QualityFlag::Missing } else { QualityFlag::Pass },
        site_status: None,
        time_source: TimeSource::Device,
        origin: Origin::Received,
        time_form: None,
    }
}
