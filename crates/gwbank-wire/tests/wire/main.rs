//! The decoders from outside.

mod support;

mod native_json;
mod senml;

mod corpus;
mod profiles;
mod properties;
mod time_forms;
