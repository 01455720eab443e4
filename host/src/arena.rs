//! The engine's memory: one mapping of fixed size. A runaway plugin ends in an exception instead of
//! exhausting the node's memory.
//!
//! New blocks come from the top. Freed blocks are kept in lists by size and are never merged: a
//! plugin exits before fragmentation matters. QuickJS carves small objects out of its own 4 KiB
//! blocks. The arena therefore receives only requests for those 4 KiB blocks and for larger ones.

use std::{
    io,
    ptr::{self, NonNull},
};

use rquickjs::allocator::Allocator;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// Size of the memory in bytes.
pub const SIZE: usize = 16 * 1024 * 1024;

/// Granularity of mappings in bytes: the largest page size that a kernel for this architecture may
/// use.
pub const PAGE: usize = page_size(cfg!(target_arch = "aarch64"));

/// Returns the largest page size of an architecture, which may differ from this process's.
pub const fn page_size(aarch64: bool) -> usize {
    if aarch64 { 65536 } else { 4096 }
}

/// Bytes reserved for the arena's own state if the arena lies in its own memory.
const STATE: usize = 4096;

/// Bytes that are handed out only after the rest is used up: room for the error that reports it.
const RESERVE: usize = 256 * 1024;

/// Bytes that every plugin uses. They are mapped at once, because a page fault costs more than its
/// page.
const POPULATED: usize = 768 * 1024;

/// A block's length, from its header to the next header, is a multiple of this many bytes.
const UNIT: usize = 16;

/// Bytes in front of a block's place. They hold the block's usable size. A place is a multiple of
/// the unit.
const HEADER: usize = size_of::<usize>();

/// When a block is cut, the rest is kept if it has at least this many units.
const WORTH_KEEPING: usize = 32;

/// Number of lists of free blocks: four for each power of two.
const LISTS: usize = list_of(SIZE / UNIT) + 1;

/// An allocator for the engine.
pub struct Arena {
    base: NonNull<u8>,
    /// Place of the next new block. A place is an offset from the base.
    top: usize,
    /// Nothing was ever written from this place on, so `calloc` need not clear it.
    clean: usize,
    /// New blocks must end at or before this place.
    limit: usize,
    /// Place of each list's first free block, or 0 if the list is empty. A free block begins with
    /// the place of the next one.
    free: [usize; LISTS],
    /// Bit mask of the lists that have blocks.
    occupied: u128,
}

impl Arena {
    /// Maps the memory.
    pub fn new() -> io::Result<Self> {
        // SAFETY: a new mapping at an address that the kernel chooses.
        let base = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                SIZE,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }?;
        // SAFETY: the memory stays all zeros. Before Linux 5.14 this fails, and the pages are
        // mapped one at a time.
        let _ = unsafe { madvise(base, POPULATED, Advice::LinuxPopulateWrite) };
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?,
            top: UNIT,
            clean: UNIT,
            limit: SIZE - RESERVE,
            free: [0; LISTS],
            occupied: 0,
        })
    }

    /// Returns an arena in memory that is already mapped and all zeros. It leaves the first page
    /// alone. It must not be dropped.
    pub(crate) fn within(address: usize) -> Self {
        Self {
            base: NonNull::new(address as *mut u8).expect("no null pointer"),
            top: STATE,
            clean: STATE,
            limit: SIZE - RESERVE,
            free: [0; LISTS],
            occupied: 0,
        }
    }

    /// Returns how many bytes were ever written, counted from the base.
    pub(crate) fn written(&self) -> usize {
        self.clean
    }

    /// Allocates a block of at least `units` units. Prefers a free block of about that size, then a
    /// new block, then a part of a larger free block.
    fn take(&mut self, units: usize) -> Option<usize> {
        let list = list_of(units);
        if self.free[list] != 0 && self.units(self.free[list]) >= units {
            return Some(self.pop(list));
        }
        // Every block of a later list is large enough.
        let larger = (self.occupied & (u128::MAX << (list + 1))).trailing_zeros() as usize;
        if larger > list + 4 && self.top + units * UNIT <= self.limit {
            let place = self.top;
            self.set_end(place, place + units * UNIT);
            return Some(place);
        }
        if larger >= LISTS {
            self.limit = SIZE;
            return None;
        }
        let place = self.pop(larger);
        self.trim(place, units);
        Some(place)
    }

    /// Frees a block: the last one is returned to the top, any other is put into its list.
    fn give(&mut self, place: usize) {
        if self.end(place) == self.top {
            self.top = place;
            return;
        }
        let list = list_of(self.units(place));
        self.write(place, self.free[list]);
        self.free[list] = place;
        self.occupied |= 1 << list;
    }

    /// Removes the first block from a list.
    fn pop(&mut self, list: usize) -> usize {
        let place = self.free[list];
        self.free[list] = self.read(place);
        if self.free[list] == 0 {
            self.occupied &= !(1 << list);
        }
        place
    }

    /// Cuts a block down to `units` units if the rest is worth keeping.
    fn trim(&mut self, place: usize, units: usize) {
        let (end, cut) = (self.end(place), place + units * UNIT);
        if end == self.top {
            self.top = cut;
        } else if end - cut < WORTH_KEEPING * UNIT {
            return;
        } else {
            self.write(cut - HEADER, end - cut - HEADER);
            self.give(cut);
        }
        self.write(place - HEADER, cut - place - HEADER);
    }

    /// Sets the end of the topmost block.
    fn set_end(&mut self, place: usize, end: usize) {
        self.write(place - HEADER, end - place - HEADER);
        self.top = end;
        self.clean = self.clean.max(end);
    }

    /// Returns the place of the next block.
    fn end(&self, place: usize) -> usize {
        place + self.read(place - HEADER) + HEADER
    }

    fn units(&self, place: usize) -> usize {
        (self.end(place) - place) / UNIT
    }

    fn place(&self, block: *mut u8) -> usize {
        block.addr() - self.base.addr().get()
    }

    fn block(&self, place: Option<usize>) -> *mut u8 {
        place.map_or(ptr::null_mut(), |place| self.base.as_ptr().wrapping_add(place))
    }

    fn word(&self, place: usize) -> *mut usize {
        debug_assert!(
            place.is_multiple_of(HEADER) && place + HEADER <= SIZE,
            "{place} is no word's place"
        );
        self.base.as_ptr().wrapping_add(place).cast()
    }

    fn read(&self, place: usize) -> usize {
        // SAFETY: an aligned word within the mapping, which belongs to this arena alone.
        unsafe { self.word(place).read() }
    }

    fn write(&mut self, place: usize, value: usize) {
        // SAFETY: an aligned word within the mapping, which belongs to this arena alone.
        unsafe { self.word(place).write(value) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping belongs to this arena, and its allocations end with it. If this
        // fails, the memory stays mapped.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), SIZE) };
    }
}

// SAFETY: blocks are aligned to a unit of 16 bytes and do not overlap. Each holds at least the
// requested size, and its usable size is in front of it.
unsafe impl Allocator for Arena {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        let place = units_for(size).and_then(|units| self.take(units));
        self.block(place)
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        let Some(size) = count.checked_mul(size) else {
            return ptr::null_mut();
        };
        let clean = self.clean;
        let block = self.alloc(size);
        if !block.is_null() && self.place(block) < clean {
            // SAFETY: the block holds `size` bytes.
            unsafe { block.write_bytes(0, size) };
        }
        block
    }

    unsafe fn dealloc(&mut self, block: *mut u8) {
        self.give(self.place(block));
    }

    unsafe fn realloc(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        let Some(units) = units_for(size) else {
            return ptr::null_mut();
        };
        let place = self.place(block);
        let old = self.units(place);
        let end = place + units * UNIT;
        if units <= old {
            self.trim(place, units);
        } else if self.end(place) == self.top && end <= self.limit {
            self.set_end(place, end);
        } else {
            let new = self.alloc(size);
            if !new.is_null() {
                // SAFETY: two distinct blocks, of which the old one is smaller.
                unsafe { ptr::copy_nonoverlapping(block, new, old * UNIT - HEADER) };
                self.give(place);
            }
            return new;
        }
        block
    }

    unsafe fn usable_size(block: *mut u8) -> usize {
        // SAFETY: each block has its header in front of it.
        unsafe { block.sub(HEADER).cast::<usize>().read() }
    }
}

/// Returns how many units a block needs to hold `size` bytes, or `None` if that exceeds the arena.
const fn units_for(size: usize) -> Option<usize> {
    if size > SIZE - UNIT {
        None
    } else {
        Some((size + HEADER).div_ceil(UNIT))
    }
}

/// Returns the list for blocks of `units` units. It holds all sizes below the smallest size of the
/// next list.
const fn list_of(units: usize) -> usize {
    if units < 4 {
        return units;
    }
    let power = units.ilog2() as usize;
    (power - 1) * 4 + ((units >> (power - 2)) & 3)
}
