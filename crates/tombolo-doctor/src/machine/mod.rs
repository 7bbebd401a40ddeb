//! Stage: machine.
