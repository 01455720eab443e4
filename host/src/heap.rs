//! The only heap of the host, shared by Rust and the engine, at the same address in every process.
//! The builder can therefore evaluate a plugin, and every process can start from the resulting
//! memory.
//!
//! ```text
//! ADDRESS | the arena's own state | blocks ...
//! ```

use std::{
    alloc::{GlobalAlloc, Layout},
    hint,
    os::fd::AsFd,
    process, slice,
    sync::atomic::{
        AtomicBool,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use rquickjs::allocator::Allocator;
use rustix::{
    io::Errno,
    mm::{MapFlags, ProtFlags, mmap, mmap_anonymous},
};

use crate::arena::{Arena, PAGE, SIZE};

/// The heap's address: far from any address that the kernel chooses, and below 2^38 for 39-bit
/// address spaces.
const ADDRESS: usize = 0x20_0000_0000;

/// Flags that make the kernel map exactly there or fail. Before Linux 4.17 the address is only a
/// hint.
const THERE: MapFlags = MapFlags::PRIVATE.union(MapFlags::FIXED_NOREPLACE);

static MAPPED: AtomicBool = AtomicBool::new(false);
static BUSY: AtomicBool = AtomicBool::new(false);

/// The heap: for `#[global_allocator]`, and for the engine.
pub struct Heap;

/// Calls `work` with exclusive access to the arena.
fn arena<T>(work: impl FnOnce(&mut Arena) -> T) -> T {
    while BUSY.compare_exchange_weak(false, true, Acquire, Relaxed).is_err() {
        hint::spin_loop();
    }
    let arena = ADDRESS as *mut Arena;
    if !MAPPED.load(Relaxed) {
        if map_anonymous(ADDRESS, SIZE).is_err() {
            process::abort();
        }
        // SAFETY: the mapping's first page.
        unsafe { arena.write(Arena::within(ADDRESS)) };
        MAPPED.store(true, Relaxed);
    }
    // SAFETY: the arena exists, and no other code accesses it while `BUSY` is set.
    let result = work(unsafe { &mut *arena });
    BUSY.store(false, Release);
    result
}

fn map_anonymous(address: usize, size: usize) -> rustix::io::Result<()> {
    let flags = THERE | MapFlags::NORESERVE;
    // SAFETY: a new mapping that replaces no other.
    let there = unsafe { mmap_anonymous(address as *mut _, size, ProtFlags::READ | ProtFlags::WRITE, flags) }?;
    if there.addr() == address {
        Ok(())
    } else {
        Err(Errno::EXIST)
    }
}

/// Returns the part of the heap that was ever written, in whole pages, as words.
///
/// # Safety
///
/// Nothing may use the heap as long as it is borrowed.
pub unsafe fn contents() -> &'static mut [usize] {
    let length = arena(|arena| arena.written()).next_multiple_of(PAGE);
    // SAFETY: within the mapping, which is never unmapped. The caller ensures that nothing else
    // uses the heap.
    unsafe { slice::from_raw_parts_mut(ADDRESS as *mut usize, length / size_of::<usize>()) }
}

/// Maps the heap from a file, starting at `offset`, which must be a multiple of the page size.
///
/// A page is read when it is first accessed, and copied when it is first written.
///
/// # Safety
///
/// Nothing may have been allocated yet. The file must hold the `contents` of the same executable's
/// heap.
pub unsafe fn restore(file: impl AsFd, offset: u64, length: usize) -> rustix::io::Result<()> {
    // SAFETY: a new mapping that replaces no other.
    let there = unsafe {
        mmap(
            ADDRESS as *mut _,
            length,
            ProtFlags::READ | ProtFlags::WRITE,
            THERE,
            file,
            offset,
        )
    }?;
    if there.addr() != ADDRESS {
        return Err(Errno::EXIST);
    }
    map_anonymous(ADDRESS + length, SIZE - length)?;
    MAPPED.store(true, Relaxed);
    Ok(())
}

// SAFETY: blocks are aligned to 16 bytes, do not overlap, and hold at least the requested size.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > 16 {
            return std::ptr::null_mut();
        }
        arena(|arena| arena.alloc(layout.size()))
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the block belongs to this arena.
        arena(|arena| unsafe { arena.dealloc(block) });
    }

    unsafe fn realloc(&self, block: *mut u8, _: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block belongs to this arena.
        arena(|arena| unsafe { arena.realloc(block, size) })
    }
}

// SAFETY: as for the arena.
unsafe impl Allocator for Heap {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        arena(|arena| arena.alloc(size))
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        arena(|arena| arena.calloc(count, size))
    }

    unsafe fn dealloc(&mut self, block: *mut u8) {
        // SAFETY: the block belongs to this arena.
        arena(|arena| unsafe { arena.dealloc(block) });
    }

    unsafe fn realloc(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the block belongs to this arena.
        arena(|arena| unsafe { arena.realloc(block, size) })
    }

    unsafe fn usable_size(block: *mut u8) -> usize {
        // SAFETY: the block belongs to an arena.
        unsafe { Arena::usable_size(block) }
    }
}
