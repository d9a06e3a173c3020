//! `provinces`, `districts`, `subdistricts`: built in.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use gwbank_registry::places::{self, District, Province, Subdistrict};

use super::batch::BatchOf;
use super::small::{Rows, Then, Wanted, internal};
use crate::error::QueryError;
use crate::known_at::KnownAt;

#[derive(Debug)]
pub(super) struct Provinces;

fn of_provinces(rows: &[Province]) -> BatchOf<'_, Province> {
    BatchOf::new(rows)
        .text("province_code", |p| Some(p.code))
        .text("iso_code", |p| Some(p.iso_code.as_str()))
        .text("name_en", |p| Some(p.name_en))
        .text("name_th", |p| Some(p.name_th))
        .text("region", |p| Some(p.region))
        .number("latitude", |p| Some(p.latitude))
        .number("longitude", |p| Some(p.longitude))
}

#[async_trait]
impl Rows for Provinces {
    fn schema(&self) -> SchemaRef {
        of_provinces(&[]).schema()
    }
    fn as_known_at(&self, _: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::AsNow)
    }
    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        of_provinces(places::provinces()).finish().map_err(internal)
    }
}

#[derive(Debug)]
pub(super) struct Districts;

fn of_districts(rows: &[District]) -> BatchOf<'_, District> {
    BatchOf::new(rows)
        .text("district_code", |d| Some(d.code))
        .text("province_code", |d| Some(d.province_code()))
        .text("name_en", |d| Some(d.name_en))
        .text("name_th", |d| Some(d.name_th))
}

#[async_trait]
impl Rows for Districts {
    fn schema(&self) -> SchemaRef {
        of_districts(&[]).schema()
    }
    fn as_known_at(&self, _: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::AsNow)
    }
    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        of_districts(places::districts()).finish().map_err(internal)
    }
}

#[derive(Debug)]
pub(super) struct Subdistricts;

fn of_subdistricts(rows: &[Subdistrict]) -> BatchOf<'_, Subdistrict> {
    BatchOf::new(rows)
        .text("subdistrict_code", |s| Some(s.code))
        .text("district_code", |s| Some(s.district_code()))
        .text("province_code", |s| Some(s.province_code()))
        .text("name_en", |s| Some(s.name_en))
        .text("name_th", |s| Some(s.name_th))
}

#[async_trait]
impl Rows for Subdistricts {
    fn schema(&self) -> SchemaRef {
        of_subdistricts(&[]).schema()
    }
    fn as_known_at(&self, _: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::AsNow)
    }
    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        of_subdistricts(places::subdistricts()).finish().map_err(internal)
    }
}
