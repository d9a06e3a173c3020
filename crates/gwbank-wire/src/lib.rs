//! gwbank-wire
