//! Drawings, tables and the HTML page made from what runs left behind.

pub mod axis;
pub mod draw;
pub mod figure;
pub mod paths;
