//! Runs a plugin's bytecode and offers it system calls.
//!
//! The host knows nothing of CNI, KubeVirt or what a netlink message means: all of that is
//! TypeScript. What TypeScript
//! sees of it is declared in `lib/host.d.ts`, the contract that [`module`] keeps.

pub mod arena;
pub mod calls;
pub mod engine;
pub mod error;
pub mod freezing;
pub mod frozen;
pub mod heap;
pub mod module;
pub mod payload;
pub mod text;
pub mod trailer;
