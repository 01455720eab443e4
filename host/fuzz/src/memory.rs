//! Fuzzes the allocator, which holds all input: blocks keep their contents while other blocks are
//! allocated and freed.
#![no_main]

use host::arena::Arena;
use libfuzzer_sys::fuzz_target;
use rquickjs::allocator::Allocator;

/// A block, its requested size, and the byte that fills it.
type Block = (*mut u8, usize, u8);

fn holds(&(block, size, byte): &Block) -> bool {
    // SAFETY: the block has the requested size and is filled.
    unsafe { std::slice::from_raw_parts(block, size) }
        .iter()
        .all(|found| *found == byte)
}

fuzz_target!(|data: &[u8]| {
    let mut arena = Arena::new().unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    for (index, word) in data.chunks_exact(4).enumerate() {
        let [what, scale, low, high] = <[u8; 4]>::try_from(word).unwrap();
        // Mostly small sizes, as the engine requests, and up to 16 MiB, for which there is no room.
        let size = usize::from(u16::from_le_bytes([low, high])) >> (scale % 16) << (if scale > 250 { 8 } else { 0 });
        let (byte, which) = (index as u8, usize::from(scale) % blocks.len().max(1));
        let (block, kept) = match what % 4 {
            0 => (arena.alloc(size), 0),
            1 => (arena.calloc(1, size), 0),
            2 if !blocks.is_empty() => {
                let old = blocks.swap_remove(which);
                assert!(holds(&old));
                // SAFETY: the arena returned this block, and it is not used afterwards.
                unsafe { arena.dealloc(old.0) };
                continue;
            }
            3 if !blocks.is_empty() => {
                let old = blocks.swap_remove(which);
                assert!(holds(&old));
                // SAFETY: the arena returned this block.
                let block = unsafe { arena.realloc(old.0, size) };
                if block.is_null() {
                    if size > 0 {
                        blocks.push(old);
                    }
                    continue;
                }
                let kept = old.1.min(size);
                assert!(holds(&(block, kept, old.2)));
                (block, kept)
            }
            _ => continue,
        };
        if block.is_null() {
            continue;
        }
        assert_eq!(block.addr() % 16, 0);
        // SAFETY: the block is allocated.
        assert!(unsafe { Arena::usable_size(block) } >= size);
        assert!(what % 4 != 1 || kept > 0 || holds(&(block, size, 0)));
        // SAFETY: the block has the requested size.
        unsafe { block.write_bytes(byte, size) };
        blocks.push((block, size, byte));
    }
    assert!(blocks.iter().all(holds));
});
