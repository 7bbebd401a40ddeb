//! Stage 5: from evidence to findings and verdicts.
