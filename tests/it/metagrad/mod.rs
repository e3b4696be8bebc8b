//! Online meta-gradients: oracle vectors, central differences through whole updates, the small examples of Xu et al. 2018.

mod chains;
mod differences;
mod network;
mod problem;
mod vector_cases;
mod vectors;
mod window;
