//! Fuzzes text from outside: a script's string, a file, a child's output.
#![no_main]

use std::{ffi::CString, fs::File, io::Write, os::fd::AsRawFd};

use host::{calls::files, text::Text};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};

fuzz_target!(|data: &[u8]| {
    let text = Text::from(data);
    assert_eq!(text.utf8().ok(), str::from_utf8(data).ok());
    let fits = str::from_utf8(data).is_ok() && !data.contains(&0);
    assert_eq!(text.c_string().ok(), fits.then(|| CString::new(data).unwrap()));
    assert_eq!(text.to_string(), String::from_utf8_lossy(data));

    // A path that is not valid text never reaches the kernel. A valid one either reads what exists
    // or fails.
    if !fits {
        for failed in [files::stat(&text, true).err(), files::read_link(&text).err()] {
            assert!(matches!(failed.unwrap().code().as_ref(), "EILSEQ" | "EINVAL"));
        }
    }

    // Returns all of a file or fails, for every limit.
    let mut file = File::from(memfd_create("input", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(data).unwrap();
    let path = Text::from(format!("/proc/self/fd/{}", file.as_raw_fd()).as_str());
    for limit in [0, data.len().saturating_sub(1), data.len(), data.len() + 1] {
        match files::read(&path, limit, true) {
            Ok(read) => assert!(read.as_bytes() == data && data.len() <= limit),
            Err(failure) => assert_eq!(failure.code(), if data.len() > limit { "EFBIG" } else { "EILSEQ" }),
        }
    }
});
