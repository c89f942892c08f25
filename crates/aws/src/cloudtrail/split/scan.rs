//! Finds where a JSON value ends by its brackets alone: 64 bytes at a time, aware of strings and escapes.
//!
//! Each block becomes four bit masks (quotes, backslashes, opening and closing brackets). Quotes that are not escaped,
//! folded by a prefix-xor, mark what lies inside strings; brackets outside strings are counted. The method is that of
//! simdjson's first stage (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019, section 3.1).

use wide::u8x16;

/// A bracket-counting scan that can be continued from block to block.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    depth: u32,
    deepest: u32,
    /// All ones while inside a string.
    in_string: u64,
    /// One if the next byte is escaped.
    escaped: u64,
    backslash: bool,
}

/// How a scan of the bytes at hand ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scanned {
    /// The value is complete.
    End {
        /// Bytes, the closing bracket included.
        length: usize,
        /// The deepest nesting in it.
        deepest: u32,
        /// Whether it holds a backslash anywhere.
        backslash: bool,
    },
    /// The bytes ended first.
    Open,
}

const BLOCK: usize = 64;

/// One bit for each byte of a block.
struct Masks {
    quote: u64,
    backslash: u64,
    open: u64,
    close: u64,
}

impl Scan {
    /// A scan that ends when `depth` more brackets have been closed than opened.
    pub(crate) fn inside(depth: u32) -> Self {
        Self {
            depth,
            deepest: depth,
            in_string: 0,
            escaped: 0,
            backslash: false,
        }
    }

    /// Scans a value that begins with its opening bracket.
    pub(crate) fn value(bytes: &[u8]) -> Scanned {
        let mut scan = Self::inside(0);
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for (index, block) in blocks.iter().enumerate() {
            if let Some(offset) = scan.block(block) {
                return scan.end(index * BLOCK + offset);
            }
        }
        match scan.tail(rest) {
            Some(offset) => scan.end(blocks.len() * BLOCK + offset),
            None => Scanned::Open,
        }
    }

    /// Goes on over whole blocks only. `Ok`: the bytes up to the end of the value; `Err`: the bytes scanned, with the
    /// end still to come.
    pub(crate) fn whole_blocks(&mut self, bytes: &[u8]) -> Result<usize, usize> {
        let (blocks, _) = bytes.as_chunks::<BLOCK>();
        for (index, block) in blocks.iter().enumerate() {
            if let Some(offset) = self.block(block) {
                return Ok(index * BLOCK + offset);
            }
        }
        Err(blocks.len() * BLOCK)
    }

    /// Goes on over the last bytes that there are, fewer than a block.
    pub(crate) fn tail(&mut self, rest: &[u8]) -> Option<usize> {
        let mut padded = [b' '; BLOCK];
        padded.get_mut(..rest.len())?.copy_from_slice(rest);
        self.block(&padded)
    }

    fn end(&self, length: usize) -> Scanned {
        Scanned::End {
            length,
            deepest: self.deepest,
            backslash: self.backslash,
        }
    }

    /// Scans a block. Answers the number of bytes up to and with the bracket that ends the value.
    #[inline]
    fn block(&mut self, block: &[u8; BLOCK]) -> Option<usize> {
        let masks = Masks::of(block);
        let mut quote = masks.quote;
        if masks.backslash | self.escaped != 0 {
            self.backslash = true;
            quote &= !self.escaped_bytes(masks.backslash);
        }
        let in_string = prefix_xor(quote) ^ self.in_string;
        // The sign bit, spread over all bits: whether the block ends inside a string.
        self.in_string = 0u64.wrapping_sub(in_string >> 63);

        let mut brackets = (masks.open | masks.close) & !in_string;
        while brackets != 0 {
            let bit = brackets.trailing_zeros();
            let opens = (masks.open >> bit) & 1 == 1;
            // A closing bracket too many at depth zero cannot happen: the scan has ended by then.
            self.depth = if opens {
                self.depth + 1
            } else {
                self.depth.saturating_sub(1)
            };
            if self.depth == 0 {
                return Some(bit as usize + 1);
            }
            self.deepest = self.deepest.max(self.depth);
            brackets &= brackets - 1;
        }
        None
    }

    /// The bytes of a block that a backslash before them escapes; carries over to the next block.
    fn escaped_bytes(&mut self, backslash: u64) -> u64 {
        const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
        let potential = backslash & !self.escaped;
        // The subtraction borrows through each series of backslashes, so that every other one of it escapes.
        let codes = ((potential << 1) | ODD).wrapping_sub(potential) ^ ODD;
        let escaped = codes ^ (backslash | self.escaped);
        self.escaped = (codes & backslash) >> 63;
        escaped
    }
}

impl Masks {
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut masks = Self {
            quote: 0,
            backslash: 0,
            open: 0,
            close: 0,
        };
        let (lanes, _) = block.as_chunks::<16>();
        for (index, lane) in lanes.iter().enumerate() {
            let bytes = u8x16::new(*lane);
            // Setting bit 5 makes `{` of `[` and `}` of `]`, and of nothing else that is legal outside a string.
            let folded = bytes | u8x16::splat(0x20);
            let shift = index * 16;
            masks.quote |= bits(bytes, b'"') << shift;
            masks.backslash |= bits(bytes, b'\\') << shift;
            masks.open |= bits(folded, b'{') << shift;
            masks.close |= bits(folded, b'}') << shift;
        }
        masks
    }
}

#[inline]
fn bits(bytes: u8x16, wanted: u8) -> u64 {
    u64::from(bytes.simd_eq(u8x16::splat(wanted)).to_bitmask())
}

/// Bit `i` of the answer: the parity of bits `0..=i`.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ (bits << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, one byte at a time.
    fn plainly(bytes: &[u8]) -> Scanned {
        let (mut depth, mut deepest, mut in_string, mut escaped, mut backslash) =
            (0u32, 0, false, false, false);
        for (index, byte) in bytes.iter().enumerate() {
            let was_escaped = std::mem::take(&mut escaped);
            match byte {
                b'\\' => {
                    backslash = true;
                    escaped = !was_escaped;
                }
                b'"' if !was_escaped => in_string = !in_string,
                b'{' | b'[' if !in_string => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b'}' | b']' if !in_string => {
                    depth -= 1;
                    if depth == 0 {
                        return Scanned::End {
                            length: index + 1,
                            deepest,
                            backslash,
                        };
                    }
                }
                _ => {}
            }
        }
        Scanned::Open
    }

    /// The scan may see a backslash in the rest of the last block; it must not miss one.
    fn agree(bytes: &[u8]) {
        match (Scan::value(bytes), plainly(bytes)) {
            (
                Scanned::End {
                    length,
                    deepest,
                    backslash,
                },
                Scanned::End {
                    length: plain_length,
                    deepest: plain_deepest,
                    backslash: plain_backslash,
                },
            ) => {
                assert_eq!((length, deepest), (plain_length, plain_deepest), "{bytes:?}");
                assert!(backslash || !plain_backslash, "{bytes:?}");
            }
            (scanned, plain) => assert_eq!(scanned, plain, "{bytes:?}"),
        }
    }

    #[test]
    fn blocks_agree_with_single_bytes() {
        // Backslash series of every length at every offset around the block boundary, then brackets in strings.
        for pad in 0..140 {
            for slashes in 0..5 {
                let text = format!("{{\"{}{}\"x{{}}\":[1]}} ,", "a".repeat(pad), "\\".repeat(slashes));
                agree(text.as_bytes());
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_soup_of_structure_agrees(soup in "\\{[\\\\\"{}\\[\\]a,:]{0,300}") {
            agree(soup.as_bytes());
        }
    }
}
