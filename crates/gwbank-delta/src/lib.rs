//! gwbank-delta
