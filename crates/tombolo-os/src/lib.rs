//! tombolo-os
