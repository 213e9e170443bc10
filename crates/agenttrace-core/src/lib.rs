//! The trace format of AgentTrace.

#![forbid(unsafe_code)]

mod base;
pub mod checksum;
pub mod compact;
mod conversation;
pub mod error;
pub mod event;
pub mod expand;
pub mod json;
pub mod line;
pub mod output;
mod pack;
pub mod reader;
pub mod scan;
pub mod select;
pub mod unpack;
pub mod verify;
pub mod writer;
mod xxh64;
