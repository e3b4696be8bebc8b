//! The paper-era emulator, ALE 0.6, as the crate `ale-sys` brings it: a second [`Emulator`] behind the feature `ale-sys`.
//!
//! It is linked into the program, not loaded, and lacks what our shim adds: its states leave out the last action, the
//! TIA's masks and the frame buffers, so that [`Emulator::save`] refuses, and a failure inside it ends the process.

use super::emulator::{Emulator, Frame, Ram};
use super::error::AtariError;
use super::games::Game;
use super::home;
use ale_sys::{
    ALE_del, ALE_new, ALEInterface, act, game_over, getLegalActionSet, getLegalActionSize, getMinimalActionSet,
    getMinimalActionSize, getRAM, getScreen, getScreenHeight, getScreenWidth, lives, loadROM, reset_game, setFloat,
    setInt, setLoggerMode,
};
use std::ffi::CString;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

// what ALE 0.6 itself is linked against; the crate leaves it to its users
#[link(name = "stdc++")]
#[link(name = "z")]
unsafe extern "C" {}

/// A game on ALE 0.6.
pub struct Ale06 {
    ale: *mut ALEInterface,
    minimal: Vec<u8>,
    all: Vec<u8>,
    size: (usize, usize),
    screen: Vec<u8>,
}

// SAFETY: as for our own library: an instance has no ties to the thread that made it, and all calls that change it take
// `&mut self`. Making and loading, which fill static tables, happen under one lock.
unsafe impl Send for Ale06 {}

impl Drop for Ale06 {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `ALE_new`, and nothing uses it after this.
        unsafe { ALE_del(self.ale) }
    }
}

fn text(text: &str) -> CString {
    CString::new(text).expect("no NUL in a constant")
}

impl Ale06 {
    /// Starts `game` from the ROM at `rom`; seed and sticky probability as in [`super::Library::start`], but seeds are
    /// below 2^31: the topmost bit is dropped.
    ///
    /// # Errors
    /// A ROM that is missing or not the one of the table.
    pub fn start(rom: &Path, game: &Game, sticky: f32, seed: u32) -> Result<Ale06, AtariError> {
        static MAKING: Mutex<()> = Mutex::new(());
        home::verify(rom, game)?;
        let path = rom.to_str().and_then(|p| CString::new(p).ok());
        let path = path.ok_or_else(|| AtariError::Usage(format!("{}: not a path for the emulator", rom.display())))?;
        let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: names and path are NUL-terminated; the ROM is a known one, which ALE 0.6 loads; sets are as long as it
        // says.
        unsafe {
            setLoggerMode(2);
            let ale = ALE_new();
            setFloat(ale, text("repeat_action_probability").as_ptr(), sticky);
            setInt(ale, text("random_seed").as_ptr(), (seed & 0x7fff_ffff) as i32);
            loadROM(ale, path.as_ptr());
            let mut minimal = vec![0i32; getMinimalActionSize(ale) as usize];
            getMinimalActionSet(ale, minimal.as_mut_ptr());
            let mut all = vec![0i32; getLegalActionSize(ale) as usize];
            getLegalActionSet(ale, all.as_mut_ptr());
            let bytes = |set: Vec<i32>| set.into_iter().map(|a| a as u8).collect();
            let size = (getScreenWidth(ale) as usize, getScreenHeight(ale) as usize);
            let screen = vec![0; size.0 * size.1];
            Ok(Ale06 { ale, minimal: bytes(minimal), all: bytes(all), size, screen })
        }
    }

    fn frame(&mut self, reward: i32) -> Frame {
        // SAFETY: the instance is live and ours alone; the screen has width × height bytes.
        unsafe {
            getScreen(self.ale, self.screen.as_mut_ptr());
            Frame { reward, lives: lives(self.ale), over: game_over(self.ale) }
        }
    }
}

impl Emulator for Ale06 {
    fn reset(&mut self) -> Result<Frame, AtariError> {
        // SAFETY: the instance is live and ours alone.
        unsafe { reset_game(self.ale) };
        Ok(self.frame(0))
    }

    fn act(&mut self, action: u8) -> Result<Frame, AtariError> {
        if action >= 18 {
            return Err(AtariError::Usage(format!("there is no Atari action {action}; 0..=17 are")));
        }
        // SAFETY: the instance is live and ours alone; the action is one of ALE's for player A.
        let reward = unsafe { act(self.ale, action.into()) };
        Ok(self.frame(reward))
    }

    fn seed(&mut self, _: u32) -> Result<(), AtariError> {
        Err(AtariError::Emulator("ALE 0.6 takes its seed at the start only".into()))
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
        &self.screen
    }

    fn palette(&self) -> &[u32; 256] {
        &NTSC
    }

    fn ram(&mut self) -> Result<Ram, AtariError> {
        let mut ram = [0; 128];
        // SAFETY: the instance is live and ours alone; the console has 128 bytes.
        unsafe { getRAM(self.ale, ram.as_mut_ptr()) };
        Ok(ram)
    }

    fn save(&mut self) -> Result<Vec<u8>, AtariError> {
        Err(AtariError::Emulator("ALE 0.6 has no exact states: runs on it cannot be resumed".into()))
    }

    fn restore(&mut self, _: &[u8]) -> Result<(), AtariError> {
        Err(AtariError::Emulator("ALE 0.6 has no exact states".into()))
    }
}

/// ALE's NTSC palette (`Palettes.hpp`, the same in 0.6 and 0.12.1): colour and its grey in turn.
#[rustfmt::skip]
const NTSC: [u32; 256] = [
    0x00_0000, 0x00_0000, 0x4a_4a4a, 0x4a_4a4a, 0x6f_6f6f, 0x6f_6f6f, 0x8e_8e8e, 0x8e_8e8e,
    0xaa_aaaa, 0xaa_aaaa, 0xc0_c0c0, 0xc0_c0c0, 0xd6_d6d6, 0xd6_d6d6, 0xec_ecec, 0xec_ecec,
    0x48_4800, 0x40_4040, 0x69_690f, 0x5f_5f5f, 0x86_861d, 0x7a_7a7a, 0xa2_a22a, 0x94_9494,
    0xbb_bb35, 0xac_acac, 0xd2_d240, 0xc1_c1c1, 0xe8_e84a, 0xd6_d6d6, 0xfc_fc54, 0xe9_e9e9,
    0x7c_2c00, 0x3f_3f3f, 0x90_4811, 0x57_5757, 0xa2_6221, 0x6e_6e6e, 0xb4_7a30, 0x83_8383,
    0xc3_903d, 0x96_9696, 0xd2_a44a, 0xa7_a7a7, 0xdf_b755, 0xb8_b8b8, 0xec_c860, 0xc7_c7c7,
    0x90_1c00, 0x3b_3b3b, 0xa3_3915, 0x55_5555, 0xb5_5328, 0x6b_6b6b, 0xc6_6c3a, 0x81_8181,
    0xd5_824a, 0x94_9494, 0xe3_9759, 0xa7_a7a7, 0xf0_aa67, 0xb7_b7b7, 0xfc_bc74, 0xc7_c7c7,
    0x94_0000, 0x2c_2c2c, 0xa7_1a1a, 0x44_4444, 0xb8_3232, 0x5a_5a5a, 0xc8_4848, 0x6e_6e6e,
    0xd6_5c5c, 0x80_8080, 0xe4_6f6f, 0x92_9292, 0xf0_8080, 0xa1_a1a1, 0xfc_9090, 0xb0_b0b0,
    0x84_0064, 0x33_3333, 0x97_197a, 0x4a_4a4a, 0xa8_308f, 0x5f_5f5f, 0xb8_46a2, 0x73_7373,
    0xc6_59b3, 0x84_8484, 0xd4_6cc3, 0x95_9595, 0xe0_7cd2, 0xa4_a4a4, 0xec_8ce0, 0xb2_b2b2,
    0x50_0084, 0x27_2727, 0x68_199a, 0x3f_3f3f, 0x7d_30ad, 0x55_5555, 0x92_46c0, 0x6b_6b6b,
    0xa4_59d0, 0x7d_7d7d, 0xb5_6ce0, 0x8f_8f8f, 0xc5_7cee, 0x9f_9f9f, 0xd4_8cfc, 0xae_aeae,
    0x14_0090, 0x16_1616, 0x33_1aa3, 0x31_3131, 0x4e_32b5, 0x49_4949, 0x68_48c6, 0x60_6060,
    0x7f_5cd5, 0x74_7474, 0x95_6fe3, 0x88_8888, 0xa9_80f0, 0x99_9999, 0xbc_90fc, 0xa9_a9a9,
    0x00_0094, 0x11_1111, 0x18_1aa7, 0x29_2929, 0x2d_32b8, 0x40_4040, 0x42_48c8, 0x55_5555,
    0x54_5cd6, 0x68_6868, 0x65_6fe4, 0x79_7979, 0x75_80f0, 0x89_8989, 0x84_90fc, 0x99_9999,
    0x00_1c88, 0x20_2020, 0x18_3b9d, 0x3c_3c3c, 0x2d_57b0, 0x55_5555, 0x42_72c2, 0x6d_6d6d,
    0x54_8ad2, 0x82_8282, 0x65_a0e1, 0x96_9696, 0x75_b5ef, 0xa8_a8a8, 0x84_c8fc, 0xba_baba,
    0x00_3064, 0x28_2828, 0x18_5080, 0x45_4545, 0x2d_6d98, 0x5f_5f5f, 0x42_88b0, 0x78_7878,
    0x54_a0c5, 0x8d_8d8d, 0x65_b7d9, 0xa2_a2a2, 0x75_cceb, 0xb6_b6b6, 0x84_e0fc, 0xc8_c8c8,
    0x00_4030, 0x2b_2b2b, 0x18_624e, 0x4a_4a4a, 0x2d_8169, 0x65_6565, 0x42_9e82, 0x7f_7f7f,
    0x54_b899, 0x97_9797, 0x65_d1ae, 0xad_adad, 0x75_e7c2, 0xc1_c1c1, 0x84_fcd4, 0xd4_d4d4,
    0x00_4400, 0x28_2828, 0x1a_661a, 0x47_4747, 0x32_8432, 0x62_6262, 0x48_a048, 0x7c_7c7c,
    0x5c_ba5c, 0x93_9393, 0x6f_d26f, 0xa9_a9a9, 0x80_e880, 0xbd_bdbd, 0x90_fc90, 0xcf_cfcf,
    0x14_3c00, 0x29_2929, 0x35_5f18, 0x4a_4a4a, 0x52_7e2d, 0x68_6868, 0x6e_9c42, 0x84_8484,
    0x87_b754, 0x9d_9d9d, 0x9e_d065, 0xb5_b5b5, 0xb4_e775, 0xcb_cbcb, 0xc8_fc84, 0xdf_dfdf,
    0x30_3800, 0x2f_2f2f, 0x50_5916, 0x4f_4f4f, 0x6d_762b, 0x6b_6b6b, 0x88_923e, 0x85_8585,
    0xa0_ab4f, 0x9d_9d9d, 0xb7_c25f, 0xb3_b3b3, 0xcc_d86e, 0xc8_c8c8, 0xe0_ec7c, 0xdc_dcdc,
    0x48_2c00, 0x2f_2f2f, 0x69_4d14, 0x4f_4f4f, 0x86_6a26, 0x6b_6b6b, 0xa2_8638, 0x85_8585,
    0xbb_9f47, 0x9d_9d9d, 0xd2_b656, 0xb3_b3b3, 0xe8_cc63, 0xc8_c8c8, 0xfc_e070, 0xdc_dcdc,
];
