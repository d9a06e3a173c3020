//! gwbank-journal
