//! Runs a plugin's bytecode and offers it system calls.
//!
//! The host knows nothing of CNI, KubeVirt or the meaning of a netlink message: TypeScript
//! implements these. The contract with TypeScript is declared in `lib/host.d.ts` and implemented by
//! [`module`].

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
