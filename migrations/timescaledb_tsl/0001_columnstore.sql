-- TimescaleDB under its own licence: chunks that are old enough become columns. When that is, is configured: the program sets
-- the policies. Batches are found by series and by their least and greatest time, so one late reading opens one batch.
ALTER TABLE reading_rows SET (
    timescaledb.enable_columnstore = true,
    timescaledb.segmentby = 'series_id',
    timescaledb.orderby = 'time'
);
