//! The engine's memory: one mapping of fixed size, so that a run-away plugin ends in an exception
//! and not in a swap storm.
//!
//! New blocks come off the top; freed ones wait in lists by size and are never merged, because a
//! plugin ends before
//! that would pay. QuickJS carves its small objects out of 4 KiB blocks itself: what it asks for
//! here is those, and
//! whatever is larger.

use std::{
    io,
    ptr::{self, NonNull},
};

use rquickjs::allocator::Allocator;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// How much there is.
pub const SIZE: usize = 16 * 1024 * 1024;

/// What memory is mapped in: the largest page that a kernel for this architecture may have.
pub const PAGE: usize = page_size(cfg!(target_arch = "aarch64"));

/// The same for an architecture that need not be this one's.
pub const fn page_size(aarch64: bool) -> usize {
    if aarch64 { 65536 } else { 4096 }
}

/// Room for the arena's own state, where it is within its memory.
const STATE: usize = 4096;

/// How much of it is only given out once the rest has run out: room for the error that says so.
const RESERVE: usize = 256 * 1024;

/// How much of it a plugin uses anyway: mapped in one go, because a page fault costs more than its
/// page.
const POPULATED: usize = 768 * 1024;

/// Blocks are as many units long, from one header to the next.
const UNIT: usize = 16;

/// Just before a block's place, which is a multiple of the unit: how many bytes it has room for.
const HEADER: usize = size_of::<usize>();

/// What is left of a block that was too large is worth keeping from this many units on.
const WORTH_KEEPING: usize = 32;

/// Four lists of free blocks for each power of two.
const LISTS: usize = list_of(SIZE / UNIT) + 1;

/// An allocator for the engine.
pub struct Arena {
    base: NonNull<u8>,
    /// The next new block's place: an offset from the base, as all places are.
    top: usize,
    /// From here on nothing was ever written, and calloc need not clear it.
    clean: usize,
    /// Where new blocks must end.
    limit: usize,
    /// The place of each list's first free block, 0 for none. A free block begins with the next
    /// one's place.
    free: [usize; LISTS],
    /// Which lists have blocks, by bit.
    occupied: u128,
}

impl Arena {
    /// Maps the memory.
    pub fn new() -> io::Result<Self> {
        // SAFETY: a new mapping, wherever the kernel likes.
        let base = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                SIZE,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }?;
        // SAFETY: it stays as it is, all zeros. Before Linux 5.14 this fails, and the pages come
        // one by one.
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

    /// One in memory that is mapped already and all zeros, whose first page is left alone. Must not
    /// be dropped.
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

    /// How many bytes from the base on were ever written.
    pub(crate) fn written(&self) -> usize {
        self.clean
    }

    /// A block of at least so many units: a free one of about that size, else a new one, else a
    /// larger free one's part.
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

    /// Gives a block back: to the top if it is the last one, to its list otherwise.
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

    /// Takes a list's first block off it.
    fn pop(&mut self, list: usize) -> usize {
        let place = self.free[list];
        self.free[list] = self.read(place);
        if self.free[list] == 0 {
            self.occupied &= !(1 << list);
        }
        place
    }

    /// Cuts a block down to so many units, where the rest is worth keeping.
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

    /// Makes the top's block end there.
    fn set_end(&mut self, place: usize, end: usize) {
        self.write(place - HEADER, end - place - HEADER);
        self.top = end;
        self.clean = self.clean.max(end);
    }

    /// Where the next block's place is.
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
        // SAFETY: an aligned word within the mapping, which is this arena's alone.
        unsafe { self.word(place).read() }
    }

    fn write(&mut self, place: usize, value: usize) {
        // SAFETY: an aligned word within the mapping, which is this arena's alone.
        unsafe { self.word(place).write(value) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is this arena's, and so ends all that was allocated in it. A failure
        // leaves it mapped.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), SIZE) };
    }
}

// SAFETY: blocks are aligned to a unit of 16 bytes, do not overlap, and hold at least what was
// asked for; their size is
// in front of them.
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
            // SAFETY: the block is that large.
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
                // SAFETY: two blocks, of which the old one is the smaller.
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

/// How many units a block must have to hold so many bytes; `None` where the arena has not as many.
const fn units_for(size: usize) -> Option<usize> {
    if size > SIZE - UNIT {
        None
    } else {
        Some((size + HEADER).div_ceil(UNIT))
    }
}

/// The list for blocks of so many units: in it are those up to the next list's least.
const fn list_of(units: usize) -> usize {
    if units < 4 {
        return units;
    }
    let power = units.ilog2() as usize;
    (power - 1) * 4 + ((units >> (power - 2)) & 3)
}
