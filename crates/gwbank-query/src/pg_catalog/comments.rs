//! What tables and columns are, in a line, for `\dt+`, `\d+` and the trees of graphical clients.

const TABLES: &[(&str, &str)] = &[
    ("condition_flags", "drought, flood, salinity and other conditions of wells and places, open and closed"),
    ("contacts", "how offices are reached and what they want to hear; without addresses"),
    ("dead_letters", "what gateways sent and could not be stored, and why"),
    ("deliveries", "messages of condition flags, and what became of each"),
    ("delivery_attempts", "every attempt to deliver a message, with its receipt or the reason why not"),
    ("districts", "districts (amphoe) by DOPA code"),
    ("drills", "messages as of flags that there were not"),
    ("flag_actions", "who saw, remarked on, approved or took back a condition flag, and when"),
    ("flag_holds", "what kept flags as they were: suppressions, maintenance, flags that officers took back"),
    ("flag_transitions", "what became of each condition flag, with its evidence"),
    ("gateways", "who sends readings, and what became of them"),
    ("gwbank_functions", "functions of hydrology: form, formula, source and an example"),
    ("indicator_revisions", "indicators that were computed anew or are no more, as they were"),
    ("indicators", "SGI, percentiles and other indicators of wells and places, by month"),
    ("installations", "what stood in the wells when"),
    ("levels_monthly", "monthly water levels, up is wetter"),
    ("offices", "who is told of condition flags"),
    ("provinces", "the 77 provinces by DOPA code"),
    (
        "reviews",
        "what people decided on stretches of series: approvals, rejections, corrections, and who withdrew them",
    ),
    ("quality_findings", "stretches of time to which a second look at closed months objects"),
    ("quality_limits", "limits of the quality tests as they hold, and where each is from"),
    ("reading_revisions", "superseded values of readings"),
    ("readings", "one value a well, parameter and time, recent and historical"),
    ("readings_daily", "readings by civil day of Thailand"),
    ("subdistricts", "subdistricts (tambon) by DOPA code"),
    ("wells", "wells and groundwater banks as registered"),
];

/// Of every table that has a column of the name.
const COLUMNS: &[(&str, &str)] = &[
    ("well_id", "the well's id"),
    ("parameter", "what was measured, such as depth_to_water"),
    ("value", "in the parameter's canonical unit; NULL where missing"),
    ("quality", "QARTOD: 1 pass, 2 not evaluated, 3 suspect, 4 fail, 9 missing"),
    ("qc_tests", "the quality tests that did not pass"),
    ("site_status", "how the site was: ok, dry, pumping, …"),
    ("time_source", "where the time is from: device, gateway, received, corrected"),
    ("time_raw", "the time as it was written, where it was corrected"),
    ("approval", "provisional or approved"),
    ("gateway_id", "who sent it"),
    ("received_at", "when it was received"),
    ("seq", "position in the order of receipt"),
    ("revision", "the sender's revision of the value"),
    ("province_code", "DOPA code of the province"),
    ("district_code", "DOPA code of the district"),
    ("subdistrict_code", "DOPA code of the subdistrict"),
    ("bank_type", "observation, open or closed"),
    ("ground_elevation", "m above the vertical datum"),
    ("depth", "m"),
    ("screen_top", "m below ground"),
    ("screen_bottom", "m below ground"),
    ("latitude", "degrees north, WGS 84"),
    ("longitude", "degrees east, WGS 84"),
];

pub(super) fn of_table(table: &str) -> Option<&'static str> {
    TABLES.iter().find(|(name, _)| *name == table).map(|(_, comment)| *comment)
}

pub(super) fn of_column(table: &str, column: &str) -> Option<&'static str> {
    if (table, column) == ("readings", "time") {
        return Some("when it was measured");
    }
    COLUMNS.iter().find(|(name, _)| *name == column).map(|(_, comment)| *comment)
}
