//! gwbank-quality
