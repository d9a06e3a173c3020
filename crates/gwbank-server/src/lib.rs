//! gwbank-server
