//! The emulator library, loaded at run time: the one file with unsafe code, all of it calls into our C shim.

use super::emulator::{Emulator, Frame, Ram};
use super::error::AtariError;
use super::games::Game;
use super::home::{self, Home};
use super::manifest::Manifest;
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The shim's interface version that this program speaks (`SP_ABI` in `native/atari.cpp`).
pub const ABI: i32 = 1;

/// The shim's source, for `stillpoint setup atari`.
pub const SHIM: &str = include_str!("../native/atari.cpp");

type Handle = *mut c_void;

#[repr(C)]
#[derive(Default)]
struct RawFrame {
    reward: i32,
    lives: i32,
    over: i32,
}

/// The shim's functions. The pointers stay valid as long as `_library` is loaded.
struct Calls {
    version: unsafe extern "C" fn() -> *const c_char,
    error: unsafe extern "C" fn() -> *const c_char,
    new: unsafe extern "C" fn(*const c_char, f32, u32) -> Handle,
    free: unsafe extern "C" fn(Handle),
    seed: unsafe extern "C" fn(Handle, u32) -> i32,
    reset: unsafe extern "C" fn(Handle, *mut RawFrame) -> i32,
    act: unsafe extern "C" fn(Handle, i32, *mut RawFrame) -> i32,
    actions: unsafe extern "C" fn(Handle, i32, *mut i32) -> i32,
    size: unsafe extern "C" fn(Handle, *mut i32, *mut i32) -> i32,
    screen: unsafe extern "C" fn(Handle) -> *const u8,
    palette: unsafe extern "C" fn(Handle, *mut u32) -> i32,
    ram: unsafe extern "C" fn(Handle, *mut u8) -> i32,
    save: unsafe extern "C" fn(Handle, *mut u8, u64) -> i64,
    restore: unsafe extern "C" fn(Handle, *const u8, u64) -> i32,
    making: Mutex<()>,
    _library: libloading::Library,
}

/// The loaded emulator. Cloning shares it.
#[derive(Clone)]
pub struct Library {
    calls: Arc<Calls>,
    home: Home,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Library({})", self.home.library().display())
    }
}

fn load(path: &Path) -> Result<Calls, AtariError> {
    let unloadable = |e: libloading::Error| AtariError::Unloadable { path: path.to_path_buf(), why: e.to_string() };
    // SAFETY: loading runs the library's initialisers, which are those of ALE and of our shim: the user built the file
    // by `setup atari` in a directory of their own, and it has just been found to be that file. Symbols are looked up under the types that the shim of this
    // interface version declares; the version is asked first, through a function whose type never changes.
    unsafe {
        let library = libloading::Library::new(path).map_err(unloadable)?;
        let abi = *library.get::<unsafe extern "C" fn() -> i32>(b"sp_abi\0").map_err(unloadable)?;
        let found = abi();
        if found != ABI {
            return Err(AtariError::WrongVersion { path: path.to_path_buf(), found, wanted: ABI });
        }
        macro_rules! symbol {
            ($name:literal) => {
                *library.get($name).map_err(unloadable)?
            };
        }
        Ok(Calls {
            version: symbol!(b"sp_version\0"),
            error: symbol!(b"sp_error\0"),
            new: symbol!(b"sp_new\0"),
            free: symbol!(b"sp_free\0"),
            seed: symbol!(b"sp_seed\0"),
            reset: symbol!(b"sp_reset\0"),
            act: symbol!(b"sp_act\0"),
            actions: symbol!(b"sp_actions\0"),
            size: symbol!(b"sp_size\0"),
            screen: symbol!(b"sp_screen\0"),
            palette: symbol!(b"sp_palette\0"),
            ram: symbol!(b"sp_ram\0"),
            save: symbol!(b"sp_save\0"),
            restore: symbol!(b"sp_restore\0"),
            making: Mutex::new(()),
            _library: library,
        })
    }
}

impl Calls {
    /// The last error on this thread.
    fn failure(&self) -> AtariError {
        // SAFETY: the shim returns a pointer to a thread-local, NUL-terminated string, valid until its next failure on
        // this thread; it is copied at once.
        let text = unsafe { CStr::from_ptr((self.error)()) };
        AtariError::Emulator(text.to_string_lossy().into_owned())
    }

    fn checked(&self, status: i32) -> Result<i32, AtariError> {
        if status < 0 { Err(self.failure()) } else { Ok(status) }
    }
}

impl Library {
    /// Loads the library of `home`, if it is the file that was built.
    ///
    /// # Errors
    /// As [`Manifest::verify`]; [`AtariError::WrongVersion`] or [`AtariError::Unloadable`].
    pub fn open(home: &Home) -> Result<Library, AtariError> {
        Manifest::verify(home)?;
        Ok(Library { calls: Arc::new(load(&home.library())?), home: home.clone() })
    }

    /// Loads the library of this user (see [`Home::of_user`]).
    ///
    /// # Errors
    /// As [`Library::open`].
    pub fn of_user() -> Result<Library, AtariError> {
        Library::open(&Home::of_user())
    }

    /// Version of the emulator, e.g. `0.12.1`.
    pub fn version(&self) -> String {
        // SAFETY: the shim returns a string literal.
        unsafe { CStr::from_ptr((self.calls.version)()) }.to_string_lossy().into_owned()
    }

    /// Where it is installed.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Starts `game` with the random stream of `seed`; `sticky` is the probability per frame of repeating the last
    /// action.
    ///
    /// # Errors
    /// A ROM that is missing or not the one of the table; an emulator that refuses it.
    pub fn start(&self, game: &Game, sticky: f32, seed: u32) -> Result<Ale, AtariError> {
        let path = self.home.rom(game);
        home::verify(&path, game)?;
        let unreadable = || AtariError::Usage(format!("{}: not a path that the emulator can take", path.display()));
        let rom = CString::new(path.to_str().ok_or_else(unreadable)?).map_err(|_| unreadable())?;
        let calls = self.calls.clone();
        // ALE fills static tables while the first console is made: one at a time.
        let _one_at_a_time = calls.making.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // SAFETY: `rom` is a NUL-terminated path to a file that was just read and is a known ROM.
        let handle = unsafe { (calls.new)(rom.as_ptr(), sticky, seed) };
        if handle.is_null() {
            return Err(calls.failure());
        }
        let mut made = Ale {
            calls: self.calls.clone(),
            handle,
            minimal: Vec::new(),
            all: Vec::new(),
            size: (0, 0),
            palette: [0; 256],
        };
        made.minimal = made.actions(true)?;
        made.all = made.actions(false)?;
        let (mut width, mut height) = (0, 0);
        // SAFETY: the handle is live, and the pointers are to locals of the right type and, below, length.
        unsafe {
            calls.checked((calls.size)(handle, &mut width, &mut height))?;
            calls.checked((calls.palette)(handle, made.palette.as_mut_ptr()))?;
        }
        made.size = (width as usize, height as usize);
        Ok(made)
    }
}

/// A game on ALE.
pub struct Ale {
    calls: Arc<Calls>,
    handle: Handle,
    minimal: Vec<u8>,
    all: Vec<u8>,
    size: (usize, usize),
    palette: [u32; 256],
}

// SAFETY: an ALE instance has no ties to the thread that made it and shares only constant tables with other instances;
// ALE's own vector environment moves them between threads likewise. It is not `Sync`: `screen` reads what `act` writes,
// and the borrow checker keeps the two apart because `act` needs `&mut`.
unsafe impl Send for Ale {}

impl Drop for Ale {
    fn drop(&mut self) {
        // SAFETY: the handle came from `sp_new`, and nothing uses it after this.
        unsafe { (self.calls.free)(self.handle) }
    }
}

impl Ale {
    fn actions(&self, minimal: bool) -> Result<Vec<u8>, AtariError> {
        let mut set = [0i32; 18];
        // SAFETY: the handle is live; the shim writes at most 18 numbers.
        let count =
            self.calls.checked(unsafe { (self.calls.actions)(self.handle, minimal.into(), set.as_mut_ptr()) })?;
        Ok(set[..count as usize].iter().map(|&a| a as u8).collect())
    }

    fn frame(&self, call: impl FnOnce(&mut RawFrame) -> i32) -> Result<Frame, AtariError> {
        let mut raw = RawFrame::default();
        self.calls.checked(call(&mut raw))?;
        Ok(Frame { reward: raw.reward, lives: raw.lives, over: raw.over != 0 })
    }
}

impl Emulator for Ale {
    fn reset(&mut self) -> Result<Frame, AtariError> {
        // SAFETY: the handle is live and ours alone (`&mut self`); the frame is a local of the shim's layout.
        self.frame(|raw| unsafe { (self.calls.reset)(self.handle, raw) })
    }

    fn act(&mut self, action: u8) -> Result<Frame, AtariError> {
        if action >= 18 {
            return Err(AtariError::Usage(format!("there is no Atari action {action}; 0..=17 are")));
        }
        // SAFETY: as in `reset`; the action is one of ALE's for player A.
        self.frame(|raw| unsafe { (self.calls.act)(self.handle, action.into(), raw) })
    }

    fn seed(&mut self, seed: u32) -> Result<(), AtariError> {
        // SAFETY: the handle is live and ours alone.
        self.calls.checked(unsafe { (self.calls.seed)(self.handle, seed) }).map(drop)
    }

    fn minimal_actions(&self) -> &[u8] {
        &self.minimal
    }

    fn all_actions(&self) -> &[u8] {
        &self.all
    }

    fn size(&self) -> (usize, usize) {
        self.size
    }

    fn screen(&self) -> &[u8] {
        // SAFETY: the frame buffer has room for 160 × 300 pixels, `sp_new` checked that the screen is not larger, and it
        // changes only under calls that take `&mut self`, which end this borrow.
        unsafe { std::slice::from_raw_parts((self.calls.screen)(self.handle), self.size.0 * self.size.1) }
    }

    fn palette(&self) -> &[u32; 256] {
        &self.palette
    }

    fn ram(&mut self) -> Result<Ram, AtariError> {
        let mut ram = [0; 128];
        // SAFETY: the handle is live and ours alone; the shim writes 128 bytes.
        self.calls.checked(unsafe { (self.calls.ram)(self.handle, ram.as_mut_ptr()) })?;
        Ok(ram)
    }

    fn save(&mut self) -> Result<Vec<u8>, AtariError> {
        let mut state = vec![0u8; 128 * 1024];
        loop {
            // SAFETY: the handle is live and ours alone; the shim writes at most the length that it is told.
            let length = unsafe { (self.calls.save)(self.handle, state.as_mut_ptr(), state.len() as u64) };
            let length = usize::try_from(length).map_err(|_| self.calls.failure())?;
            let fits = length <= state.len();
            state.resize(length, 0);
            if fits {
                return Ok(state);
            }
        }
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), AtariError> {
        // SAFETY: the handle is live and ours alone; the shim reads `state.len()` bytes and checks what it finds.
        let status = unsafe { (self.calls.restore)(self.handle, state.as_ptr(), state.len() as u64) };
        self.calls.checked(status).map(drop)
    }
}
