//! Convolutional networks: against PyTorch, against finite differences, and in parts.

mod derivatives;
mod problem;
mod pytorch;
mod rows;
