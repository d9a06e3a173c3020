//! Wells and installations, as versions that stay.

use gwbank_model::{Day, Parameter, Seq};
use gwbank_registry::{Installation, Well};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::values::Columns;

const WELL_COLUMNS: &str = "well_id, name, name_th, province_code, district_code, subdistrict_code, lao_code, aquifer,
    aquifer_condition, bank_type, represents_aquifer, influenced, sampling, latitude, longitude, ground_elevation,
    vertical_datum, depth, screen_top, screen_bottom, specific_yield, flood_warning_depth, flood_danger_depth, bank_area,
    bank_volume, fill_material, comparison_well_id, installed_on, status";

fn well(row: &Row) -> rusqlite::Result<Well> {
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
        installed_on: columns.get::<Option<i32>>()?.map(Day),
        status: columns.parsed()?,
    })
}

/// A version that was there before a position, and had not ended yet.
const KNOWN_BEFORE: &str = "valid_from_seq < ?1 AND (valid_to_seq IS NULL OR valid_to_seq >= ?1)";

pub(super) fn wells_before(connection: &Connection, before: Seq) -> rusqlite::Result<Vec<Well>> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {WELL_COLUMNS} FROM well_versions WHERE {KNOWN_BEFORE} ORDER BY well_id"))?;
    statement.query_map([before.as_i64()], well)?.collect()
}

pub(super) fn installations_before(connection: &Connection, before: Seq) -> rusqlite::Result<Vec<Installation>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {INSTALLATION_COLUMNS} FROM installation_versions WHERE {KNOWN_BEFORE}
         ORDER BY well_id, device_id, parameter, valid_from"
    ))?;
    statement.query_map([before.as_i64()], installation)?.collect()
}

pub(super) fn wells(connection: &Connection) -> rusqlite::Result<Vec<Well>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {WELL_COLUMNS} FROM wells ORDER BY well_id"))?;
    statement.query_map([], well)?.collect()
}

pub(super) fn put_wells(connection: &Connection, wells: &[Well], at: Seq) -> rusqlite::Result<()> {
    let mut present = connection.prepare_cached(&format!("SELECT {WELL_COLUMNS} FROM wells WHERE well_id = ?1"))?;
    let mut end = connection
        .prepare_cached("UPDATE well_versions SET valid_to_seq = ?2 WHERE well_id = ?1 AND valid_to_seq IS NULL")?;
    // Two versions of one instant are one: nobody could tell them apart.
    let mut insert = connection.prepare_cached(&format!(
        "INSERT OR REPLACE INTO well_versions ({WELL_COLUMNS}, valid_from_seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
            ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)"
    ))?;
    for new in wells {
        let known = present.query_row([new.well_id.as_str()], well).optional()?;
        if known.as_ref() == Some(new) {
            continue;
        }
        end.execute(params![new.well_id.as_str(), at.as_i64()])?;
        insert.execute(params![
            new.well_id.as_str(),
            new.name,
            new.name_th,
            new.province_code,
            new.district_code,
            new.subdistrict_code,
            new.lao_code,
            new.aquifer,
            new.aquifer_condition.map(|condition| condition.name()),
            new.bank_type.name(),
            new.represents_aquifer,
            new.influenced,
            new.sampling.name(),
            new.latitude,
            new.longitude,
            new.ground_elevation,
            new.vertical_datum,
            new.depth,
            new.screen_top,
            new.screen_bottom,
            new.specific_yield,
            new.flood_warning_depth,
            new.flood_danger_depth,
            new.bank_area,
            new.bank_volume,
            new.fill_material,
            new.comparison_well_id.as_ref().map(|id| id.as_str()),
            new.installed_on.map(|day| day.0),
            new.status.name(),
            at.as_i64()
        ])?;
    }
    Ok(())
}

const INSTALLATION_COLUMNS: &str = "well_id, nullif(device_id, ''), sensor_model, nullif(parameter, ''),
    sensor_depth_below_mp, measuring_point_height, pressure_kind, barometer_id, offset_value, valid_from, valid_to, reason";

fn installation(row: &Row) -> rusqlite::Result<Installation> {
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

pub(super) fn installations(connection: &Connection) -> rusqlite::Result<Vec<Installation>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {INSTALLATION_COLUMNS} FROM installations ORDER BY well_id, device_id, parameter, valid_from"
    ))?;
    statement.query_map([], installation)?.collect()
}

pub(super) fn put_installations(
    connection: &Connection,
    installations: &[Installation],
    at: Seq,
) -> rusqlite::Result<()> {
    let key = "well_id = ?1 AND device_id = ?2 AND parameter = ?3 AND valid_from = ?4";
    let mut present =
        connection.prepare_cached(&format!("SELECT {INSTALLATION_COLUMNS} FROM installations WHERE {key}"))?;
    let mut end = connection.prepare_cached(&format!(
        "UPDATE installation_versions SET valid_to_seq = ?5 WHERE {key} AND valid_to_seq IS NULL"
    ))?;
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO installation_versions (well_id, device_id, parameter, valid_from, valid_from_seq,
            sensor_model, sensor_depth_below_mp, measuring_point_height, pressure_kind, barometer_id, offset_value, valid_to,
            reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for new in installations {
        let well_id = new.well_id.as_str();
        let device_id = new.device_id.as_deref().unwrap_or_default();
        let parameter = new.parameter.map(Parameter::name).unwrap_or_default();
        let valid_from = new.valid_from.as_micros();
        let known = present.query_row(params![well_id, device_id, parameter, valid_from], installation).optional()?;
        if known.as_ref() == Some(new) {
            continue;
        }
        end.execute(params![well_id, device_id, parameter, valid_from, at.as_i64()])?;
        insert.execute(params![
            well_id,
            device_id,
            parameter,
            valid_from,
            at.as_i64(),
            new.sensor_model,
            new.sensor_depth_below_mp,
            new.measuring_point_height,
            new.pressure_kind.map(|kind| kind.name()),
            new.barometer_id,
            new.offset,
            new.valid_to.map(|time| time.as_micros()),
            new.reason
        ])?;
    }
    Ok(())
}
