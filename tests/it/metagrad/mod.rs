//! Online meta-gradients: oracle vectors, central differences through whole updates, the small examples of Xu et al. 2018.

//C
//C
//C
//C
mod vector_cases;
mod vectors;
//C
