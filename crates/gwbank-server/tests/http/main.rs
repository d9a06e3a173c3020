//! The server as a client sees it: real connections to a router whose doors are fakes.

mod auth;
mod errors;
mod export;
mod fakes;
mod hosts;
mod offices;
mod pages;
mod readings;
mod registry;
mod session;
mod sql;
