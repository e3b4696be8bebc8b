//! `lola`: estimators against enumeration, acceptance of the exact runs, seeds, resumption, configurations, refusals, the report.

mod command;
mod estimates;
mod learning;
