//! The C library's unwinder, replaced by functions that do nothing.
//!
//! A panic prints its message and its place, then aborts: nothing unwinds. Without these functions
//! the standard library's backtraces would link a reader of debug information and the unwinder,
//! some 250 kB, although a released executable has no debug information to read.
#![cfg(panic = "abort")]

use std::{ffi::c_int, process::abort};

/// `_URC_END_OF_STACK`: there are no frames to visit.
const END_OF_STACK: c_int = 5;

macro_rules! unused {
    ($($name:ident($($argument:ty),*) $(-> $result:ty = $value:expr)?;)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name($(_: $argument),*) $(-> $result)? {
                $($value)?
            }
        )*
    };
}

unused! {
    _Unwind_Backtrace(usize, usize) -> c_int = END_OF_STACK;
    _Unwind_FindEnclosingFunction(usize) -> usize = 0;
    _Unwind_GetCFA(usize) -> usize = 0;
    _Unwind_GetDataRelBase(usize) -> usize = 0;
    _Unwind_GetIP(usize) -> usize = 0;
    _Unwind_GetIPInfo(usize, usize) -> usize = 0;
    _Unwind_GetLanguageSpecificData(usize) -> usize = 0;
    _Unwind_GetRegionStart(usize) -> usize = 0;
    _Unwind_GetTextRelBase(usize) -> usize = 0;
    _Unwind_Resume(usize) -> usize = abort();
    _Unwind_SetGR(usize, c_int, usize);
    _Unwind_SetIP(usize, usize);
}
