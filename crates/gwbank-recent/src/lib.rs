//! gwbank-recent
