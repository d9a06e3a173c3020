//! Wells and installations, as versions that stay.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use futures::future::try_join_all;
use gwbank_model::{Parameter, Seq, WellId};
use gwbank_registry::{Installation, Well};
use tokio_postgres::Row;

use crate::error::WorkError;
use crate::values::{Columns, Date, Instant, StrangeValue};

const WELL_COLUMNS: &str = "well_id, name, name_th, province_code, district_code, subdistrict_code, lao_code, aquifer,
    aquifer_condition, bank_type, represents_aquifer, influenced, sampling, latitude, longitude, ground_elevation,
    vertical_datum, depth, screen_top, screen_bottom, specific_yield, flood_warning_depth, flood_danger_depth, bank_area,
    bank_volume, fill_material, comparison_well_id, installed_on, status";

fn well(row: &Row) -> Result<Well, StrangeValue> {
    let mut columns = Columns::of(row);
    Ok(Well {
        well_id: columns.parsed()?,
        name: columns.get()?,
        name_th: columns.get()?,
        province_code: columns.get()?,
        district_code: columns.get()?,
        subdistrict_code: columns.get()?,
        lao_code: columns.get()?,
        aquifer: columns.get()?,
        aquifer_condition: columns.parsed_opt()?,
        bank_type: columns.parsed()?,
        represents_aquifer: columns.get()?,
        influenced: columns.get()?,
        sampling: columns.parsed()?,
        latitude: columns.get()?,
        longitude: columns.get()?,
        ground_elevation: columns.get()?,
        vertical_datum: columns.get()?,
        depth: columns.get()?,
        screen_top: columns.get()?,
        screen_bottom: columns.get()?,
        specific_yield: columns.get()?,
        flood_warning_depth: columns.get()?,
        flood_danger_depth: columns.get()?,
        bank_area: columns.get()?,
        bank_volume: columns.get()?,
        fill_material: columns.get()?,
        comparison_well_id: columns.parsed_opt()?,
        installed_on: columns.get::<Option<Date>>()?.map(|date| date.0),
        status: columns.parsed()?,
    })
}

/// Versions are only ever added and ended.
pub(super) async fn version(transaction: &Transaction<'_>) -> Result<Seq, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT coalesce(max(greatest(valid_from_seq, valid_to_seq)), 0) FROM (
                SELECT valid_from_seq, valid_to_seq FROM well_versions
                UNION ALL SELECT valid_from_seq, valid_to_seq FROM installation_versions) v",
        )
        .await?;
    Ok(Seq::from_i64(transaction.query_one(&statement, &[]).await?.get(0)))
}

pub(super) async fn wells(transaction: &Transaction<'_>) -> Result<Vec<Well>, WorkError> {
    let statement =
        transaction.prepare_cached(&format!("SELECT {WELL_COLUMNS} FROM wells ORDER BY well_id COLLATE \"C\"")).await?;
    let rows = transaction.query(&statement, &[]).await?;
    Ok(rows.iter().map(well).collect::<Result<_, _>>()?)
}

/// A version that was there before a position, and had not ended yet.
const KNOWN_BEFORE: &str = "valid_from_seq < $1 AND (valid_to_seq IS NULL OR valid_to_seq >= $1)";

pub(super) async fn wells_before(transaction: &Transaction<'_>, before: Seq) -> Result<Vec<Well>, WorkError> {
    let statement = transaction
        .prepare_cached(&format!(
            "SELECT {WELL_COLUMNS} FROM well_versions WHERE {KNOWN_BEFORE} ORDER BY well_id COLLATE \"C\""
        ))
        .await?;
    let rows = transaction.query(&statement, &[&before.as_i64()]).await?;
    Ok(rows.iter().map(well).collect::<Result<_, _>>()?)
}

pub(super) async fn installations_before(
    transaction: &Transaction<'_>,
    before: Seq,
) -> Result<Vec<Installation>, WorkError> {
    let statement = transaction
        .prepare_cached(&format!(
            "SELECT {INSTALLATION_COLUMNS} FROM installation_versions WHERE {KNOWN_BEFORE}
             ORDER BY well_id COLLATE \"C\", device_id COLLATE \"C\", parameter COLLATE \"C\", valid_from"
        ))
        .await?;
    let rows = transaction.query(&statement, &[&before.as_i64()]).await?;
    Ok(rows.iter().map(installation).collect::<Result<_, _>>()?)
}

/// `INSERT` of one row whose key may be there: two versions of one instant are one, as nobody could tell them apart.
fn replace(table: &str, columns: &str, key: &[&str]) -> String {
    let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
    let places: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
    let set = columns.iter().filter(|name| !key.contains(name)).map(|name| format!("{name} = excluded.{name}"));
    let set: Vec<String> = set.chain(["valid_to_seq = NULL".to_owned()]).collect();
    format!(
        "INSERT INTO {table} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}",
        columns.join(", "),
        places.join(", "),
        key.join(", "),
        set.join(", ")
    )
}

pub(super) async fn put_wells(transaction: &Transaction<'_>, wells: &[Well], at: Seq) -> Result<(), WorkError> {
    // Of two rows of one well the later one counts.
    let latest: HashMap<&WellId, &Well> = wells.iter().map(|well| (&well.well_id, well)).collect();
    let ids: Vec<&str> = latest.keys().map(|id| id.as_str()).collect();
    // Whoever puts wells waits for others that do: what is compared here must not change meanwhile.
    transaction.batch_execute("LOCK TABLE well_versions IN SHARE ROW EXCLUSIVE MODE").await?;
    let statement =
        transaction.prepare_cached(&format!("SELECT {WELL_COLUMNS} FROM wells WHERE well_id = ANY($1)")).await?;
    let rows = transaction.query(&statement, &[&ids]).await?;
    let known: Vec<Well> = rows.iter().map(well).collect::<Result<_, _>>()?;
    let known: HashMap<&WellId, &Well> = known.iter().map(|well| (&well.well_id, well)).collect();
    let changed: Vec<&Well> =
        latest.into_values().filter(|well| known.get(&well.well_id).is_none_or(|known| known != well)).collect();
    let ids: Vec<&str> = changed.iter().map(|well| well.well_id.as_str()).collect();
    let statement = transaction
        .prepare_cached("UPDATE well_versions SET valid_to_seq = $2 WHERE well_id = ANY($1) AND valid_to_seq IS NULL")
        .await?;
    transaction.execute(&statement, &[&ids, &at.as_i64()]).await?;
    let columns = format!("{WELL_COLUMNS}, valid_from_seq");
    let statement =
        transaction.prepare_cached(&replace("well_versions", &columns, &["well_id", "valid_from_seq"])).await?;
    try_join_all(changed.into_iter().map(async |new| {
        transaction
            .execute(
                &statement,
                &[
                    &new.well_id.as_str(),
                    &new.name,
                    &new.name_th,
                    &new.province_code,
                    &new.district_code,
                    &new.subdistrict_code,
                    &new.lao_code,
                    &new.aquifer,
                    &new.aquifer_condition.map(|condition| condition.name()),
                    &new.bank_type.name(),
                    &new.represents_aquifer,
                    &new.influenced,
                    &new.sampling.name(),
                    &new.latitude,
                    &new.longitude,
                    &new.ground_elevation,
                    &new.vertical_datum,
                    &new.depth,
                    &new.screen_top,
                    &new.screen_bottom,
                    &new.specific_yield,
                    &new.flood_warning_depth,
                    &new.flood_danger_depth,
                    &new.bank_area,
                    &new.bank_volume,
                    &new.fill_material,
                    &new.comparison_well_id.as_ref().map(|id| id.as_str()),
                    &new.installed_on.map(Date),
                    &new.status.name(),
                    &at.as_i64(),
                ],
            )
            .await
    }))
    .await?;
    Ok(())
}

const INSTALLATION_COLUMNS: &str = "well_id, nullif(device_id, ''), sensor_model, nullif(parameter, ''),
    sensor_depth_below_mp, measuring_point_height, pressure_kind, barometer_id, offset_value, valid_from, valid_to, reason";

fn installation(row: &Row) -> Result<Installation, StrangeValue> {
    let mut columns = Columns::of(row);
    Ok(Installation {
        well_id: columns.parsed()?,
        device_id: columns.get()?,
        sensor_model: columns.get()?,
        parameter: columns.parsed_opt()?,
        sensor_depth_below_mp: columns.get()?,
        measuring_point_height: columns.get()?,
        pressure_kind: columns.parsed_opt()?,
        barometer_id: columns.get()?,
        offset: columns.get()?,
        valid_from: columns.time()?,
        valid_to: columns.time_opt()?,
        reason: columns.get()?,
    })
}

pub(super) async fn installations(transaction: &Transaction<'_>) -> Result<Vec<Installation>, WorkError> {
    let statement = transaction
        .prepare_cached(&format!(
            "SELECT {INSTALLATION_COLUMNS} FROM installations
             ORDER BY well_id COLLATE \"C\", device_id COLLATE \"C\", parameter COLLATE \"C\", valid_from"
        ))
        .await?;
    let rows = transaction.query(&statement, &[]).await?;
    Ok(rows.iter().map(installation).collect::<Result<_, _>>()?)
}

pub(super) async fn put_installations(
    transaction: &Transaction<'_>,
    installations: &[Installation],
    at: Seq,
) -> Result<(), WorkError> {
    transaction.batch_execute("LOCK TABLE installation_versions IN SHARE ROW EXCLUSIVE MODE").await?;
    let key = "well_id = $1 AND device_id = $2 AND parameter = $3 AND valid_from = $4";
    let present =
        transaction.prepare_cached(&format!("SELECT {INSTALLATION_COLUMNS} FROM installations WHERE {key}")).await?;
    let end = transaction
        .prepare_cached(&format!(
            "UPDATE installation_versions SET valid_to_seq = $5 WHERE {key} AND valid_to_seq IS NULL"
        ))
        .await?;
    let columns = "well_id, device_id, parameter, valid_from, valid_from_seq, sensor_model, sensor_depth_below_mp,
        measuring_point_height, pressure_kind, barometer_id, offset_value, valid_to, reason";
    let insert = replace(
        "installation_versions",
        columns,
        &["well_id", "device_id", "parameter", "valid_from", "valid_from_seq"],
    );
    let insert = transaction.prepare_cached(&insert).await?;
    for new in installations {
        let well_id = new.well_id.as_str();
        let device_id = new.device_id.as_deref().unwrap_or_default();
        let parameter = new.parameter.map(Parameter::name).unwrap_or_default();
        let valid_from = Instant(new.valid_from);
        let known = transaction.query_opt(&present, &[&well_id, &device_id, &parameter, &valid_from]).await?;
        if known.as_ref().map(installation).transpose()?.as_ref() == Some(new) {
            continue;
        }
        transaction.execute(&end, &[&well_id, &device_id, &parameter, &valid_from, &at.as_i64()]).await?;
        transaction
            .execute(
                &insert,
                &[
                    &well_id,
                    &device_id,
                    &parameter,
                    &valid_from,
                    &at.as_i64(),
                    &new.sensor_model,
                    &new.sensor_depth_below_mp,
                    &new.measuring_point_height,
                    &new.pressure_kind.map(|kind| kind.name()),
                    &new.barometer_id,
                    &new.offset,
                    &new.valid_to.map(Instant),
                    &new.reason,
                ],
            )
            .await?;
    }
    Ok(())
}
