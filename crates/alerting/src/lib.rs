//! The alert book: group, dedupe, route, repeat, resolve; what a message says. Pure.
