//! gwbank-watch
