//! gwbank-query
