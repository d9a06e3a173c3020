//! gwbank-ingest
