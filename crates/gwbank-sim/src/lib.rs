//! gwbank-sim
