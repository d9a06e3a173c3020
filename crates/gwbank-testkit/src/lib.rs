//! gwbank-testkit
