//! Drawings, tables and the HTML page made from what runs left behind.

pub mod axis;
pub mod bias;
pub mod bias_study;
pub mod claims;
pub mod comparison;
pub mod curve;
pub mod draw;
pub mod figure;
pub mod groups;
pub mod html;
pub mod input;
pub mod lola;
pub mod online;
pub mod page;
pub mod paths;
pub mod rows;
pub mod stationarity;
pub mod suite;
pub mod train;
