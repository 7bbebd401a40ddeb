//! Stage: mount.
