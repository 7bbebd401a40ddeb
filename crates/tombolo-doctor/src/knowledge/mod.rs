//! Stage: knowledge.
