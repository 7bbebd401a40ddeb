//! Stage: probe.
