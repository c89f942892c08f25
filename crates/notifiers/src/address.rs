//! Which addresses may stand in a message as links.

/// https, short, and nothing but visible ASCII without the characters that end an address in some markup.
pub(crate) fn is_safe_address(address: &str) -> bool {
    address.starts_with("https://")
        && address.len() <= 500
        && address
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'|' | b'"' | b'\\' | b'`'))
}
