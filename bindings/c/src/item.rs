//! One thing that a stream says.

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

use xbkit_core::{Item, MemberId, MemberPath};

use crate::guard::{self, text};

/// Kind of an item: a member begins.
pub const XBK_ITEM_OPEN: u32 = 1;
/// Kind of an item: bytes of a member.
pub const XBK_ITEM_DATA: u32 = 2;
/// Kind of an item: bytes of a member that are all zero and need no disk space.
pub const XBK_ITEM_HOLE: u32 = 3;
/// Kind of an item: a member is complete. Bytes below its size that no item covered are zero.
pub const XBK_ITEM_CLOSE: u32 = 4;
/// Kind of an item: a closed member gets another path (MariaDB).
pub const XBK_ITEM_RENAME: u32 = 5;
/// Kind of an item: a closed member is taken back (MariaDB).
pub const XBK_ITEM_REMOVE: u32 = 6;
/// Kind of an item: a directory (tar). It may be told more than once, before or after what is in it.
pub const XBK_ITEM_DIRECTORY: u32 = 7;

/// One thing that a stream says. Members interleave. It belongs to its reader, and is valid until
/// the next call of xbk_reader_next() or xbk_reader_free().
/// Thread safety: may be read by several threads at once, none of which calls for the reader.
pub struct xbk_item {
    kind: u32,
    member: u64,
    path: Option<Arc<CString>>,
    new_path: Option<CString>,
    offset: u64,
    size: u64,
    replaces: bool,
    data: *const u8,
    len: usize,
}

impl xbk_item {
    pub(crate) const NONE: Self = Self {
        kind: 0,
        member: u64::MAX,
        path: None,
        new_path: None,
        offset: 0,
        size: 0,
        replaces: false,
        data: std::ptr::null(),
        len: 0,
    };
}

/// The paths of the members that are open.
pub(crate) type Names = HashMap<u64, Arc<CString>>;

/// What C sees of an item. `None` for what this version does not know.
pub(crate) fn describe(item: Item<'_>, names: &mut Names) -> Option<xbk_item> {
    let none = xbk_item::NONE;
    let shared = |path: &MemberPath| Arc::new(text(path.as_bytes()));
    Some(match item {
        Item::Open { id: MemberId(id), path, rewrite } => {
            let path = shared(&path);
            names.insert(id, Arc::clone(&path));
            let path = Some(path);
            xbk_item { kind: XBK_ITEM_OPEN, member: id, path, replaces: rewrite, ..none }
        }
        Item::Data { id: MemberId(id), offset, bytes } => xbk_item {
            kind: XBK_ITEM_DATA,
            member: id,
            path: names.get(&id).cloned(),
            offset,
            size: bytes.len() as u64,
            data: bytes.as_ptr(),
            len: bytes.len(),
            ..none
        },
        Item::Hole { id: MemberId(id), offset, len } => xbk_item {
            kind: XBK_ITEM_HOLE,
            member: id,
            path: names.get(&id).cloned(),
            offset,
            size: len,
            ..none
        },
        Item::Close { id: MemberId(id), path, size } => {
            let path = Some(names.remove(&id).unwrap_or_else(|| shared(&path)));
            xbk_item { kind: XBK_ITEM_CLOSE, member: id, path, size, ..none }
        }
        Item::Rename { from, to, replaces } => xbk_item {
            kind: XBK_ITEM_RENAME,
            path: Some(shared(&from)),
            new_path: Some(text(to.as_bytes())),
            replaces,
            ..none
        },
        Item::Remove { path } => {
            xbk_item { kind: XBK_ITEM_REMOVE, path: Some(shared(&path)), ..none }
        }
        Item::Directory { path } => {
            xbk_item { kind: XBK_ITEM_DIRECTORY, path: Some(shared(&path)), ..none }
        }
        _ => return None,
    })
}

/// What kind of item it is.
/// \param item  may be NULL, which gives 0
/// \return XBK_ITEM_OPEN, XBK_ITEM_DATA, XBK_ITEM_HOLE, XBK_ITEM_CLOSE, XBK_ITEM_RENAME,
///         XBK_ITEM_REMOVE or XBK_ITEM_DIRECTORY
/// Thread safety: as xbk_item. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_item_kind(item: *const xbk_item) -> u32 {
    guard::value("xbk_item_kind", 0, || guard::peek!(item).map_or(0, |it| it.kind))
}

/// The member's number in its stream, in order of appearance from 0.
/// \param item  may be NULL, which gives UINT64_MAX
/// \return the number; UINT64_MAX for rename, remove and directory, which go by path
/// Thread safety: as xbk_item. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_item_member(item: *const xbk_item) -> u64 {
    guard::value("xbk_item_member", u64::MAX, || {
        guard::peek!(item).map_or(u64::MAX, |it| it.member)
    })
}

/// The member's path, its bytes as they are: relative, without ".." and empty components.
/// \param item  may be NULL, which gives NULL
/// \return a string that lives as long as the item; of a rename, the path so far
/// Thread safety: as xbk_item. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_item_path(item: *const xbk_item) -> *const c_char {
    guard::value("xbk_item_path", std::ptr::null(), || {
        guard::peek!(item)
            .and_then(|it| it.path.as_ref())
            .map_or(std::ptr::null(), |path| path.as_ptr())
    })
}

/// Rename: the path from now on.
/// \param item  may be NULL, which gives NULL
/// \return a string that lives as long as the item; NULL for other kinds
/// Thread safety: as xbk_item. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_item_new_path(item: *const xbk_item) -> *const c_char {
    guard::value("xbk_item_new_path", std::ptr::null(), || {
        guard::peek!(item)
            .and_then(|it| it.new_path.as_ref())
            .map_or(std::ptr::null(), |path| path.as_ptr())
    })
}

/// Open, rename: whether it replaces a closed member of that path (MariaDB).
/// \param item  may be NULL, which gives 0
/// \return 1 or 0
/// Thread safety: as xbk_item. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_item_replaces(item: *const xbk_item) -> i32 {
    guard::value("xbk_item_replaces", 0, || {
        guard::peek!(item).map_or(0, |it| i32::from(it.replaces))
    })
}

/// Data, hole: where the bytes belong, from the member's beginning.
/// \param item  may be NULL, which gives 0
/// \return bytes; 0 for other kinds
/// Thread safety: as xbk_item. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_item_offset(item: *const xbk_item) -> u64 {
    guard::value("xbk_item_offset", 0, || guard::peek!(item).map_or(0, |it| it.offset))
}

/// Data, hole: how many bytes. Close: the member's size, holes included.
/// \param item  may be NULL, which gives 0
/// \return bytes; 0 for other kinds
/// Thread safety: as xbk_item. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_item_size(item: *const xbk_item) -> u64 {
    guard::value("xbk_item_size", 0, || guard::peek!(item).map_or(0, |it| it.size))
}

/// Data: the bytes, without a copy. They are provisional: the checksum over them is compared at the
/// end of their chunk, so trust them once their member was closed.
/// \param item    may be NULL, which gives NULL
/// \param len     receives how many there are, 0 for other kinds; may be NULL
/// \param offset  receives where they belong, from the member's beginning; may be NULL
/// \return the bytes, which live as long as the item; NULL for other kinds
/// Thread safety: as xbk_item. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_item_data(
    item: *const xbk_item,
    len: *mut usize,
    offset: *mut u64,
) -> *const c_void {
    guard::value("xbk_item_data", std::ptr::null(), || {
        let item = guard::peek!(item).filter(|item| item.kind == XBK_ITEM_DATA);
        guard::give!(len, Some(item.map_or(0, |item| item.len)));
        guard::give!(offset, Some(item.map_or(0, |item| item.offset)));
        item.map_or(std::ptr::null(), |item| item.data.cast())
    })
}
