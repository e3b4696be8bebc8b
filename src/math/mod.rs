//! Pure mathematics: returns, advantages, statistics; values in, values out.

pub mod advantage;
pub mod aggregate;
pub mod baseline;
pub mod bias;
pub mod bootstrap;
pub mod dual;
pub mod gap;
pub mod groups;
pub mod hypothesis;
pub mod judgement;
pub mod optimal;
pub mod real;
pub mod returns;
pub mod series;
pub mod stratified;
pub mod summary;
pub mod targets;
pub mod theory;
