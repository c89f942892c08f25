//! Every control in both directions, and UNKNOWN for each reading that is missing.
