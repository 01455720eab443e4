//! The host's one heap, Rust's as well as the engine's, at an address that is the same in every
//! process: so that a
//! plugin can be evaluated when its executable is built, and started from the memory that this
//! left.
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

/// Far from where the kernel puts anything by itself, and below 2^38 for the sake of 39-bit address
/// spaces.
const ADDRESS: usize = 0x20_0000_0000;

/// What the kernel needs to put a mapping there or not at all (from Linux 4.17 on; before, it is a
/// mere hint).
const THERE: MapFlags = MapFlags::PRIVATE.union(MapFlags::FIXED_NOREPLACE);

static MAPPED: AtomicBool = AtomicBool::new(false);
static BUSY: AtomicBool = AtomicBool::new(false);

/// The heap: for `#[global_allocator]`, and for the engine.
pub struct Heap;

/// Does something with the arena, alone.
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
    // SAFETY: it is there, and nobody else has it while the heap is busy.
    let result = work(unsafe { &mut *arena });
    BUSY.store(false, Release);
    result
}

fn map_anonymous(address: usize, size: usize) -> rustix::io::Result<()> {
    let flags = THERE | MapFlags::NORESERVE;
    // SAFETY: a new mapping, where none is.
    let there = unsafe { mmap_anonymous(address as *mut _, size, ProtFlags::READ | ProtFlags::WRITE, flags) }?;
    if there.addr() == address {
        Ok(())
    } else {
        Err(Errno::EXIST)
    }
}

/// All of the heap that was ever written, in whole pages, as words.
///
/// # Safety
///
/// Nothing may use the heap as long as it is borrowed.
pub unsafe fn contents() -> &'static mut [usize] {
    let length = arena(|arena| arena.written()).next_multiple_of(PAGE);
    // SAFETY: within the mapping, which lasts for ever, and nobody else's meanwhile.
    unsafe { slice::from_raw_parts_mut(ADDRESS as *mut usize, length / size_of::<usize>()) }
}

/// Takes what a file has from `offset` on, a multiple of the page size, for the heap. Each page is
/// read when it is first
/// looked at, and copied when it is first written.
///
/// # Safety
///
/// Nothing may have been allocated yet, and the file must have the `contents` of the same
/// executable's heap.
pub unsafe fn restore(file: impl AsFd, offset: u64, length: usize) -> rustix::io::Result<()> {
    // SAFETY: a new mapping, where none is.
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

// SAFETY: blocks are aligned to 16 bytes, do not overlap, and hold at least what was asked for.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > 16 {
            return std::ptr::null_mut();
        }
        arena(|arena| arena.alloc(layout.size()))
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: it is a block of this arena.
        arena(|arena| unsafe { arena.dealloc(block) });
    }

    unsafe fn realloc(&self, block: *mut u8, _: Layout, size: usize) -> *mut u8 {
        // SAFETY: it is a block of this arena.
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
        // SAFETY: it is a block of this arena.
        arena(|arena| unsafe { arena.dealloc(block) });
    }

    unsafe fn realloc(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: it is a block of this arena.
        arena(|arena| unsafe { arena.realloc(block, size) })
    }

    unsafe fn usable_size(block: *mut u8) -> usize {
        // SAFETY: it is a block of an arena.
        unsafe { Arena::usable_size(block) }
    }
}
