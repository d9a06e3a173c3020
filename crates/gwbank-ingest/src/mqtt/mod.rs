//! MQTT: the embedded broker, sessions at external brokers, a publishing client.
//!
//! # Invariant
//! No type of mqtt5 or rumqttc is seen outside this module.

mod auth;
mod broker_problem;
mod dispatch;
pub mod embedded;
pub mod external;
mod options;
pub mod publisher;
mod tls;
mod tls_door;

pub use broker_problem::BrokerProblem;
pub use tls::check_ca_file;
