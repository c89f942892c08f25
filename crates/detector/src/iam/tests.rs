//! The evaluator against policies in the documented shapes.
