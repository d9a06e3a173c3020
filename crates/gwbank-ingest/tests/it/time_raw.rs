//! What was written for a time that was corrected.

use gwbank_ingest::Pipeline;
use gwbank_model::Parameter;

use crate::rig::{Rig, counts, gateway, json};

/// Texts of the window's winners, by time.
fn texts(rig: &Rig, pipeline: &Pipeline) -> Vec<Option<String>> {
    let series = rig.names.series.get("A", Parameter::DepthToWater).unwrap();
    let rows =
        pipeline.window().snapshot().series_rows(series, gwbank_model::Timestamp::MIN, gwbank_model::Timestamp::MAX);
    rows.iter().map(|row| row.time_form.map(|form| rig.names.time_forms.form(form).render(row.time))).collect()
}

#[tokio::test]
async fn texts_are_replayed_from_the_journal_and_archived() {
    let mut rig = Rig::new();
    rig.config.decode.clock_zones.insert(gateway("gw"), 7 * 3600);
    let pipeline = rig.open_with_wells(&["A"]).await;
    let reading = |time: &str| format!(r#"{{"well":"A","time":"{time}","depth_to_water":2.0}}"#);
    let endless = format!("2569-10-31T10:02:00.{}Z", "0".repeat(200));
    let times = ["2569-10-31T10:00:00+07:00", "2026-10-31 10:01", "2026-10-31T10:02:00+07:00", &endless];
    let message = times.map(reading).join(",");
    assert_eq!(counts(&pipeline.ingest(json("gw", format!("[{message}]"))).await.unwrap()), [4, 4, 0, 0, 0]);
    let expected = [Some(times[0].to_owned()), Some(times[1].to_owned()), None, None];
    assert_eq!(texts(&rig, &pipeline), expected);
    assert_eq!(rig.names.time_forms.refused(), 1, "what is too long to keep is counted");
    pipeline.halt().await.unwrap();

    let pipeline = rig.open().await;
    assert_eq!(texts(&rig, &pipeline), expected, "replayed");
    pipeline.shutdown().await.unwrap();
    let archived = rig.archived("A", Parameter::DepthToWater).await;
    let form = archived[0].time_form.unwrap();
    assert_eq!(rig.names.time_forms.form(form).render(archived[0].time), times[0]);
    let pipeline = rig.open().await;
    assert_eq!(texts(&rig, &pipeline), expected, "from the archive");
}
