//! The contract of an emulator: one 60 Hz frame at a time, exact states, nothing of preprocessing.

use super::error::AtariError;

/// What one frame brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Points scored in this frame.
    pub reward: i32,
    /// Lives left as the game counts them; 0 where it counts none.
    pub lives: i32,
    /// The game is over: nothing moves until the next reset.
    pub over: bool,
}

/// The bytes of the console's memory.
pub type Ram = [u8; 128];

/// A game on an emulator. Same seed and same calls, same frames, on any thread.
///
/// Actions are ALE's: 0 noop, 1 fire, 2 up, 3 right, 4 left, 5 down, 6..=9 diagonals, 10..=17 the same with fire.
pub trait Emulator: Send {
    /// Starts a new game; the random stream goes on.
    ///
    /// # Errors
    /// [`AtariError::Emulator`], here and below, if the emulator refuses.
    fn reset(&mut self) -> Result<Frame, AtariError>;

    /// Emulates one frame with `action` held. Sticky actions are the emulator's: with the probability it was made with
    /// it holds the last frame's action instead.
    ///
    /// # Errors
    /// As [`Emulator::reset`].
    fn act(&mut self, action: u8) -> Result<Frame, AtariError>;

    /// Restarts the random stream behind sticky actions.
    ///
    /// # Errors
    /// As [`Emulator::reset`].
    fn seed(&mut self, seed: u32) -> Result<(), AtariError>;

    /// The actions that do something in this game, in ALE's order.
    fn minimal_actions(&self) -> &[u8];

    /// All actions of the console, in ALE's order.
    fn all_actions(&self) -> &[u8];

    /// Width and height of the screen in pixels.
    fn size(&self) -> (usize, usize);

    /// Palette index of every pixel of the current screen, row by row.
    fn screen(&self) -> &[u8];

    /// Colours 0xRRGGBB by palette index. Pixels have even indices; index + 1 holds the colour's grey in its low byte.
    fn palette(&self) -> &[u32; 256];

    /// Current memory.
    ///
    /// # Errors
    /// As [`Emulator::reset`].
    fn ram(&mut self) -> Result<Ram, AtariError>;

    /// Everything that the next frames depend on: machine, game, screens, random stream, last (sticky) action.
    ///
    /// # Errors
    /// As [`Emulator::reset`].
    fn save(&mut self) -> Result<Vec<u8>, AtariError>;

    /// Continues from [`Emulator::save`] of the same game on the same emulator.
    ///
    /// # Errors
    /// [`AtariError::Emulator`] if the bytes are not such a state; the emulator must then be reset or dropped.
    fn restore(&mut self, state: &[u8]) -> Result<(), AtariError>;
}
