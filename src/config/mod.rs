//! The only module that knows the configuration format: raw file to validated plan.

pub mod plan;
