//! Closed forms and enumeration on tabular MDPs: J and its derivatives, both meta-objectives by name, estimator expectations.

pub mod discounted;
pub mod dual;
pub mod dynamics;
pub mod expectation;
pub mod floor;
pub mod game;
pub mod kstep;
mod linear;
pub mod model;
pub mod multiset;
pub mod objective;
pub mod trajectory;
