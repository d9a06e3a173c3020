//! The database's numbers of series and gateways, and this process's.

use std::collections::HashMap;

use deadpool_postgres::{GenericClient, Transaction};
use gwbank_model::{GatewayId, GatewayIndex, Parameter, SeriesId, WellId};
use gwbank_store::RowNames;

use crate::error::WorkError;
use crate::values::Columns;

/// Numbers never change once they are committed, so that they are asked for once.
#[derive(Debug, Default, Clone)]
pub(crate) struct Numbers {
    series: HashMap<SeriesId, i32>,
    series_back: HashMap<i32, SeriesId>,
    gateways: HashMap<GatewayIndex, i32>,
    gateways_back: HashMap<i32, GatewayIndex>,
    /// Up to where every number that is there is known.
    series_scanned: i32,
    gateways_scanned: i32,
}

impl Numbers {
    pub fn series(&self, series: SeriesId) -> Option<i32> {
        self.series.get(&series).copied()
    }
    pub fn series_back(&self, number: i32) -> Option<SeriesId> {
        self.series_back.get(&number).copied()
    }
    pub fn gateway(&self, gateway: GatewayIndex) -> Option<i32> {
        self.gateways.get(&gateway).copied()
    }
    pub fn gateway_back(&self, number: i32) -> Option<GatewayIndex> {
        self.gateways_back.get(&number).copied()
    }

    pub fn add_series(&mut self, series: SeriesId, number: i32) {
        self.series.insert(series, number);
        self.series_back.insert(number, series);
    }
    pub fn add_gateway(&mut self, gateway: GatewayIndex, number: i32) {
        self.gateways.insert(gateway, number);
        self.gateways_back.insert(number, gateway);
    }

    pub fn is_empty(&self) -> bool {
        self.series.is_empty() && self.gateways.is_empty()
    }

    /// Takes over what another commit or scan has found out meanwhile.
    pub fn merge(&mut self, other: Numbers) {
        other.series.into_iter().for_each(|(series, number)| self.add_series(series, number));
        other.gateways.into_iter().for_each(|(gateway, number)| self.add_gateway(gateway, number));
        self.series_scanned = self.series_scanned.max(other.series_scanned);
        self.gateways_scanned = self.gateways_scanned.max(other.gateways_scanned);
    }
}

/// Gives numbers to series and gateways that have none. Returns them with all that others gave meanwhile, as a stored row may
/// be of any gateway; they count only if the transaction is committed.
pub(super) async fn give(
    transaction: &Transaction<'_>,
    names: &RowNames,
    known: &Numbers,
    series: &[SeriesId],
    gateways: &[GatewayIndex],
) -> Result<Numbers, WorkError> {
    let series: Vec<SeriesId> = series.iter().copied().filter(|series| known.series(*series).is_none()).collect();
    if !series.is_empty() {
        let keys: Vec<_> = series.iter().map(|series| names.series.key(*series)).collect();
        let wells: Vec<&str> = keys.iter().map(|key| key.well.as_str()).collect();
        let parameters: Vec<&str> = keys.iter().map(|key| key.parameter.name()).collect();
        let statement = transaction
            .prepare_cached(
                "INSERT INTO series (well_id, parameter)
                 SELECT k.well_id, k.parameter FROM unnest($1::text[], $2::text[]) k(well_id, parameter)
                 WHERE NOT EXISTS (SELECT 1 FROM series s WHERE (s.well_id, s.parameter) = (k.well_id, k.parameter))
                 ORDER BY 1, 2 ON CONFLICT DO NOTHING",
            )
            .await?;
        transaction.execute(&statement, &[&wells, &parameters]).await?;
    }
    let gateways: Vec<GatewayIndex> =
        gateways.iter().copied().filter(|gateway| known.gateway(*gateway).is_none()).collect();
    if !gateways.is_empty() {
        let ids: Vec<GatewayId> = gateways.iter().map(|gateway| names.gateways.id(*gateway)).collect();
        let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
        let statement = transaction
            .prepare_cached(
                "INSERT INTO reading_gateways (gateway_id)
                 SELECT id FROM unnest($1::text[]) k(id)
                 WHERE NOT EXISTS (SELECT 1 FROM reading_gateways g WHERE g.gateway_id = k.id)
                 ORDER BY 1 ON CONFLICT DO NOTHING",
            )
            .await?;
        transaction.execute(&statement, &[&ids]).await?;
    }
    newer(transaction, names, known).await
}

/// The names that the database has and `known` lacks, with this process's numbers. A stored row may be of any.
///
/// Commits come one after the other and numbers rise, so whoever knows one knows every smaller one that is there.
pub(super) async fn newer(
    client: &impl GenericClient,
    names: &RowNames,
    known: &Numbers,
) -> Result<Numbers, WorkError> {
    let mut found = Numbers::default();
    let statement =
        client.prepare_cached("SELECT series_id, well_id, parameter FROM series WHERE series_id > $1").await?;
    for row in &client.query(&statement, &[&known.series_scanned]).await? {
        let mut columns = Columns::of(row);
        let number = columns.get()?;
        let (well, parameter): (WellId, Parameter) = (columns.parsed()?, columns.parsed()?);
        found.add_series(names.series.intern(&well, parameter), number);
    }
    let statement = client
        .prepare_cached("SELECT gateway_number, gateway_id FROM reading_gateways WHERE gateway_number > $1")
        .await?;
    for row in &client.query(&statement, &[&known.gateways_scanned]).await? {
        let mut columns = Columns::of(row);
        let number = columns.get()?;
        let gateway: GatewayId = columns.parsed()?;
        found.add_gateway(names.gateways.intern(&gateway), number);
    }
    found.series_scanned = found.series_back.keys().copied().max().unwrap_or(0);
    found.gateways_scanned = found.gateways_back.keys().copied().max().unwrap_or(0);
    Ok(found)
}
