//! Rules of the protocols, on a toy emulator.
