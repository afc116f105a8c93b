//! The file system that SQLite sees: that of the platform, except that the simulated disk hears of every change first and
//! may refuse it. The only file of this crate with unsafe code; it decides nothing.
#![allow(unsafe_code, reason = "SQLite takes a file system as a table of C functions")]

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Arc, Mutex, OnceLock};

use rusqlite::ffi;

use super::files::{FileId, Files, Life, Refused};
use super::{disk_of, lock};

/// The name under which SQLite knows it.
pub const NAME: &str = "hongyan-sim-disk";
const C_NAME: &CStr = c"hongyan-sim-disk";

/// What SQLite takes for an open file. The platform's file follows in the same memory, which SQLite has allocated.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    handle: *mut Handle,
}

/// What the disk must know of an open file.
struct Handle {
    files: Arc<Mutex<Files>>,
    life: Life,
    id: FileId,
}

/// The platform's file system has all functions of the second version, which the write-ahead log needs.
const COMPLETE: &str = "the platform's file system is complete";

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock_file),
    xUnlock: Some(unlock_file),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Tells SQLite of the file system, once for the process.
pub(super) fn register() -> io::Result<()> {
    static REGISTERED: OnceLock<c_int> = OnceLock::new();
    match *REGISTERED.get_or_init(register_once) {
        ffi::SQLITE_OK => Ok(()),
        code => Err(io::Error::other(format!("SQLite takes no file system: {code}"))),
    }
}

fn register_once() -> c_int {
    let platform = platform();
    if platform.is_null() {
        return ffi::SQLITE_ERROR;
    }
    // SAFETY: the platform's table is never changed nor freed. What is copied with it, such as the look for a file or the
    // time, works for every table that has the platform's data.
    let vfs = ffi::sqlite3_vfs { pNext: ptr::null_mut(), ..unsafe { *platform } };
    let vfs = Box::new(ffi::sqlite3_vfs {
        szOsFile: vfs.szOsFile + size_of::<File>() as c_int,
        zName: C_NAME.as_ptr(),
        xOpen: Some(open),
        xDelete: Some(delete),
        ..vfs
    });
    // SAFETY: the table lives as long as the process.
    unsafe { ffi::sqlite3_vfs_register(Box::leak(vfs), 0) }
}

/// The platform's file system.
fn platform() -> *mut ffi::sqlite3_vfs {
    // SAFETY: a look-up; the name of the platform's file system for everybody but Windows.
    unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) }
}

/// Makes the numbers that SQLite salts its logs with the same in every run, so that files can be compared byte by byte.
/// They are drawn by the whole process: only for a process with one store at a time.
pub fn seed_salts(seed: u16) {
    // SAFETY: the operation takes an int, not 0, and a connection or null.
    unsafe {
        ffi::sqlite3_test_control(
            ffi::SQLITE_TESTCTRL_PRNG_SEED,
            c_int::from(seed) + 1,
            ptr::null_mut::<ffi::sqlite3>(),
        )
    };
}

/// The platform's file behind ours.
fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    file.cast::<File>().wrapping_add(1).cast()
}

/// Calls a function of the platform's file.
macro_rules! forward {
    ($file:ident, $method:ident $(, $argument:expr)*) => {{
        let real = real($file);
        // SAFETY: SQLite calls with a file that `open` has opened, so the platform's file behind it is open, too, and the
        // arguments are SQLite's own.
        unsafe { (*(*real).pMethods).$method.expect(COMPLETE)(real $(, $argument)*) }
    }};
}

/// Does what the disk says of an open file.
fn ask<T>(
    file: *mut ffi::sqlite3_file,
    question: impl FnOnce(&mut Files, Life, FileId) -> Result<T, Refused>,
) -> Result<T, c_int> {
    // SAFETY: SQLite calls with a file that `open` has opened and `close` has not closed; nobody changes a handle.
    let handle = unsafe { &*(*file.cast::<File>()).handle };
    question(&mut lock(&handle.files), handle.life, handle.id).map_err(code)
}

fn is_alive(file: *mut ffi::sqlite3_file) -> bool {
    ask(file, |files, life, _| Ok(files.is_alive(life))) == Ok(true)
}

fn code(refused: Refused) -> c_int {
    match refused {
        Refused::Dead => ffi::SQLITE_IOERR,
        Refused::Full => ffi::SQLITE_FULL,
        Refused::Sync => ffi::SQLITE_IOERR_FSYNC,
    }
}

/// A path as SQLite hands it over, and its disk. There are no files without a name: temporary tables are in memory.
fn place(name: *const c_char) -> Option<(PathBuf, Arc<Mutex<Files>>)> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite's names end with a zero and live as long as the call.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes();
    let path = Path::new(OsStr::from_bytes(bytes)).to_owned();
    let files = disk_of(&path)?;
    Some((path, files))
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives memory for a file. Without methods it is not open, whatever happens below.
    unsafe { (*file).pMethods = ptr::null() };
    let Some((path, files)) = place(name) else {
        return ffi::SQLITE_CANTOPEN;
    };
    let present = {
        let files = lock(&files);
        if files.is_dead() {
            return ffi::SQLITE_CANTOPEN;
        }
        if files.knows(&path) { None } else { std::fs::read(&path).ok() }
    };
    let platform = platform();
    // SAFETY: the platform's file gets the memory behind ours, which is as large as it asked for, and SQLite's arguments.
    let opened = unsafe { (*platform).xOpen.expect(COMPLETE)(platform, name, real(file), flags, flags_out) };
    if opened != ffi::SQLITE_OK {
        return opened;
    }
    match lock(&files).open(&path, present, flags & ffi::SQLITE_OPEN_MAIN_DB == 0) {
        Ok((life, id)) => {
            let handle = Box::into_raw(Box::new(Handle { files: Arc::clone(&files), life, id }));
            // SAFETY: as above; from here on the file is open, and `close` takes the handle back.
            unsafe { file.cast::<File>().write(File { base: ffi::sqlite3_file { pMethods: &METHODS }, handle }) };
            ffi::SQLITE_OK
        }
        Err(refused) => {
            forward!(file, xClose);
            code(refused)
        }
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    let Some((path, files)) = place(name) else {
        return ffi::SQLITE_IOERR_DELETE;
    };
    if let Err(refused) = lock(&files).delete(&path, sync_folder != 0) {
        return code(refused);
    }
    let platform = platform();
    // SAFETY: SQLite's own arguments.
    unsafe { (*platform).xDelete.expect(COMPLETE)(platform, name, 0) }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let closed = forward!(file, xClose);
    // SAFETY: `open` made the handle, and SQLite closes a file once.
    drop(unsafe { Box::from_raw((*file.cast::<File>()).handle) });
    closed
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, length: c_int, at: i64) -> c_int {
    if is_alive(file) { forward!(file, xRead, to, length, at) } else { ffi::SQLITE_IOERR }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, length: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives that many bytes for the time of the call.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), length as usize) };
    match ask(file, |files, life, id| files.write(life, id, at as u64, bytes)) {
        Ok(()) => forward!(file, xWrite, from, length, at),
        Err(code) => code,
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: i64) -> c_int {
    match ask(file, |files, life, id| files.truncate(life, id, length as u64)) {
        Ok(()) => forward!(file, xTruncate, length),
        Err(code) => code,
    }
}

/// The platform is not asked: what is durable is decided by the simulated disk, and the real one would only be slow.
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    ask(file, Files::sync).err().unwrap_or(ffi::SQLITE_OK)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    forward!(file, xFileSize, size)
}

/// A dead process gets no lock: SQLite asks for one before it tidies up, too.
unsafe extern "C" fn lock_file(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    if is_alive(file) { forward!(file, xLock, level) } else { ffi::SQLITE_IOERR }
}

unsafe extern "C" fn unlock_file(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    forward!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, reserved: *mut c_int) -> c_int {
    forward!(file, xCheckReservedLock, reserved)
}

unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    forward!(file, xFileControl, operation, argument)
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    forward!(file, xSectorSize)
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    forward!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    length: c_int,
    extend: c_int,
    memory: *mut *mut c_void,
) -> c_int {
    forward!(file, xShmMap, region, length, extend, memory)
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 || is_alive(file) {
        forward!(file, xShmLock, offset, count, flags)
    } else {
        ffi::SQLITE_IOERR
    }
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    forward!(file, xShmBarrier)
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    let delete = if is_alive(file) { delete } else { 0 };
    forward!(file, xShmUnmap, delete)
}
