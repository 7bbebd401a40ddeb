//! Stage: topology.
