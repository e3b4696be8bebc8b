//! Drawings, tables and the HTML page made from what runs left behind.

pub mod axis;
pub mod comparison;
pub mod curve;
pub mod draw;
pub mod figure;
pub mod page;
pub mod paths;
pub mod suite;
