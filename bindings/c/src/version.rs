//! Which version this is.

use std::ffi::c_char;

use crate::guard;

/// Major version of this header; compare with xbk_version_number().
pub const XBK_VERSION_MAJOR: u32 = 0;
/// Minor version of this header.
pub const XBK_VERSION_MINOR: u32 = 1;
/// Patch version of this header.
pub const XBK_VERSION_PATCH: u32 = 0;
/// Version of this header as one number: major * 1000000 + minor * 1000 + patch.
pub const XBK_VERSION_NUMBER: u32 = 1000;

/// The version of the library that runs, such as "0.1.0".
/// \return a static string
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn xbk_version() -> *const c_char {
    guard::value("xbk_version", c"".as_ptr(), || {
        concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
    })
}

/// The version of the library that runs, as XBK_VERSION_NUMBER is made.
/// \return major * 1000000 + minor * 1000 + patch
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn xbk_version_number() -> u32 {
    guard::value("xbk_version_number", 0, || {
        let part = |text: &str| text.parse::<u32>().unwrap_or(0);
        part(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
            + part(env!("CARGO_PKG_VERSION_MINOR")) * 1000
            + part(env!("CARGO_PKG_VERSION_PATCH"))
    })
}
