//! The calls without their JavaScript side: they have plain Rust parameters and results, and fail
//! with a `HostError`.

pub mod children;
pub mod confinement;
pub mod directories;
pub mod executables;
pub mod files;
pub mod labelled_tap;
pub mod locks;
pub mod namespaces;
pub mod netlink;
pub mod process;
mod streams;
pub mod taps;
