//! Order, memory and bad files.
