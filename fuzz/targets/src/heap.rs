//! How much memory something takes while it runs: an allocator that counts per thread, in programs that link this
//! crate. What other threads allocate meanwhile is not seen.
#![allow(unsafe_code, reason = "an allocator cannot be written otherwise; it passes everything on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Memory may grow by so many bytes for every byte of input (reliability.md §2, row 5).
pub const RATIO_MAX: usize = 4;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn taken(bytes: usize) {
    // Memory may be freed by another thread than took it, so a count alone may wrap; differences stay right.
    HELD.set(HELD.get().wrapping_add(bytes));
    let grown = HELD.get().wrapping_sub(PEAK.get());
    if grown <= isize::MAX as usize {
        PEAK.set(HELD.get());
    }
}

fn given_back(bytes: usize) {
    HELD.set(HELD.get().wrapping_sub(bytes));
}

// SAFETY: every call goes to the system's allocator with the arguments it came with; the counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        given_back(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // While bytes move, both places are held.
        taken(size);
        let moved = unsafe { System.realloc(pointer, layout, size) };
        given_back(layout.size());
        moved
    }
}

/// The result of something, and the bytes that were held at most, above what was held before.
pub fn peak_of<R>(act: impl FnOnce() -> R) -> (R, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = act();
    (result, PEAK.get().wrapping_sub(before))
}

/// Runs something that reads `input_bytes`, and panics if it holds more than [`RATIO_MAX`] times that and `constant`.
pub fn bounded<R>(what: &str, input_bytes: usize, constant: usize, act: impl FnOnce() -> R) -> R {
    let (result, peak) = peak_of(act);
    let allowed = RATIO_MAX * input_bytes + constant;
    assert!(peak <= allowed, "{what}: {peak} bytes are held for {input_bytes} bytes of input, {allowed} are allowed");
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_point_is_seen_and_not_the_end() {
        let (kept, peak) = peak_of(|| {
            drop(std::hint::black_box(vec![0_u8; 10_000]));
            std::hint::black_box(vec![0_u8; 3_000])
        });
        assert_eq!((kept.len(), peak), (3_000, 10_000));
        let (_, peak) = peak_of(|| drop(kept));
        assert_eq!(peak, 0);
        let ((), peak) = peak_of(|| {
            let mut growing = std::hint::black_box(Vec::<u8>::with_capacity(1_000));
            growing.reserve_exact(2_000);
        });
        assert_eq!(peak, 3_000, "both places while it moves");
    }

    #[test]
    #[should_panic(expected = "4001 are allowed")]
    fn who_takes_too_much_is_caught() {
        bounded("greed", 1_000, 1, || drop(std::hint::black_box(vec![0_u8; 4_002])));
    }
}
