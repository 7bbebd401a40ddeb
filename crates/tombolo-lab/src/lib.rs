//! tombolo-lab
