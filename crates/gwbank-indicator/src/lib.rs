//! gwbank-indicator
