//! The door as clients meet it: the library's own client over loopback, an engine of the test's making behind.

mod calls;
mod hostile;
mod lifetimes;
mod support;
mod who;
