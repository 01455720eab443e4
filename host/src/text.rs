//! Text from JavaScript, which must be checked before it reaches a system call.

use std::{
    borrow::Cow,
    ffi::{CStr, CString},
    fmt,
};

use rustix::{
    io::{Errno, Result},
    path::Arg,
};

/// A JavaScript string as bytes. They are invalid UTF-8 if the string had a lone surrogate. They
/// may include NUL.
///
/// rustix refuses such a path with EILSEQ or EINVAL, so that the error names the system call.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Vec<u8>);

impl Text {
    /// Returns the text. EILSEQ if it is not UTF-8.
    pub fn utf8(&self) -> Result<&str> {
        str::from_utf8(&self.0).map_err(|_| Errno::ILSEQ)
    }

    /// Returns the text as a C string. EILSEQ if it is not UTF-8, EINVAL if it contains a NUL byte.
    pub fn c_string(&self) -> Result<CString> {
        CString::new(self.utf8()?).map_err(|_| Errno::INVAL)
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl Arg for &Text {
    fn as_str(&self) -> Result<&str> {
        self.utf8()
    }

    fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    fn as_cow_c_str(&self) -> Result<Cow<'_, CStr>> {
        self.c_string().map(Cow::Owned)
    }

    fn into_c_str<'b>(self) -> Result<Cow<'b, CStr>>
    where
        Self: 'b,
    {
        self.c_string().map(Cow::Owned)
    }

    fn into_with_c_str<T, F>(self, f: F) -> Result<T>
    where
        Self: Sized,
        F: FnOnce(&CStr) -> Result<T>,
    {
        self.utf8()?.into_with_c_str(f)
    }
}
