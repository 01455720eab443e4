//! The calls themselves, free of JavaScript: each takes and gives plain Rust values and fails with
//! a `HostError`.

pub mod children;
pub mod executables;
pub mod files;
pub mod labelled_tap;
pub mod namespaces;
pub mod netlink;
pub mod process;
mod streams;
pub mod taps;
