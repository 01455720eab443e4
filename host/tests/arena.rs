//! Tests of the engine's allocator.

use host::arena::{Arena, SIZE};
use rquickjs::allocator::Allocator;

/// The largest block that a new arena can allocate: a 64th is reserved, and blocks have headers.
const MOST: usize = SIZE - SIZE / 64 - 64;

fn usable(block: *mut u8) -> usize {
    // SAFETY: the tests pass only blocks that an arena returned.
    unsafe { Arena::usable_size(block) }
}

fn free(arena: &mut Arena, block: *mut u8) {
    // SAFETY: the tests free only blocks that the same arena returned.
    unsafe { arena.dealloc(block) }
}

fn resize(arena: &mut Arena, block: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: the tests resize only blocks that the same arena returned.
    unsafe { arena.realloc(block, size) }
}

fn fill(block: *mut u8, size: usize, byte: u8) {
    // SAFETY: the tests fill at most the requested size.
    unsafe { block.write_bytes(byte, size) }
}

fn bytes<'a>(block: *mut u8, size: usize) -> &'a [u8] {
    // SAFETY: the tests read at most the requested size, and drop the arena last.
    unsafe { std::slice::from_raw_parts(block, size) }
}

#[test]
fn blocks_are_aligned_large_enough_and_apart() {
    let mut arena = Arena::new().unwrap();
    let sizes = (1..2000).step_by(7).chain([4096, 10_000, 65_536, 1_000_000]);
    let mut blocks: Vec<_> = sizes.map(|size| (arena.alloc(size), size)).collect();
    for (index, (block, size)) in blocks.iter().enumerate() {
        assert_eq!(block.addr() % 16, 0);
        assert!(usable(*block) >= *size);
        fill(*block, *size, index as u8);
    }
    for (index, (block, size)) in blocks.iter().enumerate() {
        assert!(bytes(*block, *size).iter().all(|byte| *byte == index as u8));
    }
    blocks.sort();
    assert!(
        blocks
            .windows(2)
            .all(|pair| pair[0].0.addr() + usable(pair[0].0) <= pair[1].0.addr())
    );
}

#[test]
fn a_freed_block_is_used_again() {
    let mut arena = Arena::new().unwrap();
    let first = arena.alloc(4000);
    let _second = arena.alloc(4000);
    free(&mut arena, first);
    assert_eq!(arena.alloc(3990), first);
}

#[test]
fn the_last_block_is_given_back_whole() {
    let mut arena = Arena::new().unwrap();
    let block = arena.alloc(500_000);
    free(&mut arena, block);
    assert_eq!(arena.alloc(MOST), block);
}

#[test]
fn the_rest_of_a_large_freed_block_is_used_too() {
    let mut arena = Arena::new().unwrap();
    let large = arena.alloc(MOST / 2);
    let _last = arena.alloc(MOST / 2);
    free(&mut arena, large);
    let end = large.addr() + MOST / 2;
    for _ in 0..100 {
        let part = arena.alloc(70_000);
        assert!((large.addr()..end).contains(&part.addr()));
    }
}

#[test]
fn the_last_block_grows_and_shrinks_in_place() {
    let mut arena = Arena::new().unwrap();
    let block = arena.alloc(1000);
    fill(block, 1000, 7);
    assert_eq!(resize(&mut arena, block, 100_000), block);
    assert!(usable(block) >= 100_000);
    assert!(bytes(block, 1000).iter().all(|byte| *byte == 7));
    assert_eq!(resize(&mut arena, block, 500), block);
    let next = arena.alloc(16);
    assert!(next.addr() < block.addr() + 1000);
}

#[test]
fn another_block_moves_to_grow_and_keeps_its_content() {
    let mut arena = Arena::new().unwrap();
    let block = arena.alloc(1000);
    fill(block, 1000, 7);
    let _last = arena.alloc(16);
    let moved = resize(&mut arena, block, 5000);
    assert_ne!(moved, block);
    assert!(bytes(moved, 1000).iter().all(|byte| *byte == 7));
    assert_eq!(arena.alloc(1000), block);
}

#[test]
fn what_a_block_shrinks_by_is_used_again() {
    let mut arena = Arena::new().unwrap();
    let block = arena.alloc(100_000);
    let last = arena.alloc(16);
    assert_eq!(resize(&mut arena, block, 1000), block);
    assert!(usable(block) < 2000);
    let part = arena.alloc(90_000);
    assert!((block.addr()..last.addr()).contains(&part.addr()));
}

#[test]
fn calloc_clears_what_was_used_before() {
    let mut arena = Arena::new().unwrap();
    let last = arena.alloc(10_000);
    fill(last, 10_000, 7);
    free(&mut arena, last);
    let again = arena.calloc(100, 200);
    assert_eq!(again, last);
    assert!(bytes(again, 20_000).iter().all(|byte| *byte == 0));

    fill(again, 20_000, 7);
    let _last = arena.alloc(16);
    free(&mut arena, again);
    let again = arena.calloc(200, 100);
    assert_eq!(again, last);
    assert!(bytes(again, 20_000).iter().all(|byte| *byte == 0));
}

#[test]
fn exhaustion_is_a_null_pointer_and_leaves_a_reserve() {
    let mut arena = Arena::new().unwrap();
    let mut count = 0;
    while !arena.alloc(4000).is_null() {
        count += 1;
    }
    assert!((4000..=4200).contains(&count), "{count}");
    let mut reserve = 0;
    while !arena.alloc(4000).is_null() {
        reserve += 1;
    }
    assert!((60..=70).contains(&reserve), "{reserve}");
}

#[test]
fn what_no_arena_could_hold_is_refused() {
    let mut arena = Arena::new().unwrap();
    for size in [SIZE, usize::MAX, usize::MAX - 16] {
        assert!(arena.alloc(size).is_null());
    }
    assert!(arena.calloc(usize::MAX, 2).is_null());
    let block = arena.alloc(100);
    assert!(resize(&mut arena, block, usize::MAX).is_null());
    assert!(usable(block) >= 100);
}

#[test]
fn a_long_random_life_keeps_every_block_intact() {
    let mut arena = Arena::new().unwrap();
    let mut live: Vec<(*mut u8, usize, u8)> = Vec::new();
    let mut seed = 1_u64;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below) as usize
    };
    for step in 0..100_000 {
        let size = 1 + random(1 << (4 + step % 11));
        let index = random(600);
        match live.get(index).copied() {
            Some((block, old, byte)) if random(3) == 0 => {
                assert!(bytes(block, old).iter().all(|other| *other == byte), "step {step}");
                let new = resize(&mut arena, block, size);
                let kept = old.min(size);
                assert!(bytes(new, kept).iter().all(|other| *other == byte), "step {step}");
                fill(new, size, byte);
                live[index] = (new, size, byte);
            }
            Some((block, old, byte)) => {
                assert!(bytes(block, old).iter().all(|other| *other == byte), "step {step}");
                free(&mut arena, block);
                live.swap_remove(index);
            }
            None => {
                let block = if random(2) == 0 {
                    arena.alloc(size)
                } else {
                    arena.calloc(1, size)
                };
                assert!(!block.is_null());
                fill(block, size, step as u8);
                live.push((block, size, step as u8));
            }
        }
    }
}
