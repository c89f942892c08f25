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
        /// Where it holds `"eventSource"`.
        sources: Sources,
    },
    /// The bytes ended first.
    Open,
}

/// Where a record holds `"eventSource"`, at any depth. Found in passing: two quotes at the right distance are rare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sources {
    /// Nowhere.
    None,
    /// Only here.
    One(usize),
    /// In several places.
    Several,
}

/// The key that is looked for in passing.
pub(crate) const SOURCE_KEY: &[u8; 13] = b"\"eventSource\"";

/// From its first quote to its second.
const DISTANCE: u32 = SOURCE_KEY.len() as u32 - 1;

const BLOCK: usize = 64;

/// One bit for each byte of a block.
#[derive(Clone, Copy)]
struct Masks {
    quote: u64,
    /// Brackets, backslashes and the bar, which shares their range.
    special: u64,
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
        let mut sources = Sources::None;
        // The quotes of the block before, and where that began.
        let (mut before, mut start) = (0, 0);
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for (index, block) in blocks.iter().enumerate() {
            let masks = Masks::of(block);
            let pairs = before & ((before >> DISTANCE) | (masks.quote << (64 - DISTANCE)));
            if pairs != 0 {
                sources.look(bytes, start, pairs);
            }
            (before, start) = (masks.quote, index * BLOCK);
            if let Some(offset) = scan.block(block, masks) {
                return scan.end(bytes, start + offset, before, sources);
            }
        }
        let block = padded(rest);
        let masks = Masks::of(&block);
        sources.look(
            bytes,
            start,
            before & ((before >> DISTANCE) | (masks.quote << (64 - DISTANCE))),
        );
        match scan.block(&block, masks) {
            Some(offset) => scan.end(bytes, blocks.len() * BLOCK + offset, masks.quote, sources),
            None => Scanned::Open,
        }
    }

    /// Goes on over whole blocks only. `Ok`: the bytes up to the end of the value; `Err`: the bytes scanned, with the
    /// end still to come.
    pub(crate) fn whole_blocks(&mut self, bytes: &[u8]) -> Result<usize, usize> {
        let (blocks, _) = bytes.as_chunks::<BLOCK>();
        for (index, block) in blocks.iter().enumerate() {
            if let Some(offset) = self.block(block, Masks::of(block)) {
                return Ok(index * BLOCK + offset);
            }
        }
        Err(blocks.len() * BLOCK)
    }

    /// Goes on over the last bytes that there are, fewer than a block.
    pub(crate) fn tail(&mut self, rest: &[u8]) -> Option<usize> {
        let block = padded(rest);
        self.block(&block, Masks::of(&block))
    }

    /// The value ends in the block whose quotes are given.
    fn end(&self, bytes: &[u8], length: usize, quotes: u64, mut sources: Sources) -> Scanned {
        let start = (length - 1) / BLOCK * BLOCK;
        let value = bytes.get(..length).unwrap_or_default();
        sources.look(value, start, quotes & (quotes >> DISTANCE));
        Scanned::End {
            length,
            deepest: self.deepest,
            backslash: self.backslash,
            sources,
        }
    }

    /// Scans a block. Answers the number of bytes up to and with the bracket that ends the value.
    #[inline]
    fn block(&mut self, block: &[u8; BLOCK], masks: Masks) -> Option<usize> {
        if self.escaped != 0 {
            return self.block_with_escapes(block, masks);
        }
        let in_string = prefix_xor(masks.quote) ^ self.in_string;
        let (mut depth, mut deepest) = (self.depth, self.deepest);
        let mut rest = masks.special;
        while rest != 0 {
            let bit = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let byte = block[bit % BLOCK];
            if byte & 1 == 0 {
                // The bar means nothing; a backslash means that the quotes must be looked at again.
                if byte == b'\\' {
                    return self.block_with_escapes(block, masks);
                }
                continue;
            }
            if (in_string >> bit) & 1 == 1 {
                continue;
            }
            depth = deeper(depth, byte);
            if depth == 0 {
                self.deepest = deepest;
                return Some(bit + 1);
            }
            deepest = deepest.max(depth);
        }
        (self.depth, self.deepest) = (depth, deepest);
        self.in_string = last_bit_everywhere(in_string);
        None
    }

    /// The same for a block with backslashes, or after one.
    fn block_with_escapes(&mut self, block: &[u8; BLOCK], masks: Masks) -> Option<usize> {
        self.backslash = true;
        let (mut backslash, mut brackets) = (0, 0);
        let mut rest = masks.special;
        while rest != 0 {
            let bit = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            match block[bit % BLOCK] {
                b'\\' => backslash |= 1 << bit,
                b'|' => {}
                _ => brackets |= 1 << bit,
            }
        }
        let quote = masks.quote & !self.escaped_bytes(backslash);
        let in_string = prefix_xor(quote) ^ self.in_string;
        self.in_string = last_bit_everywhere(in_string);
        brackets &= !in_string;
        while brackets != 0 {
            let bit = brackets.trailing_zeros() as usize;
            brackets &= brackets - 1;
            self.depth = deeper(self.depth, block[bit % BLOCK]);
            if self.depth == 0 {
                return Some(bit + 1);
            }
            self.deepest = self.deepest.max(self.depth);
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

impl Sources {
    /// Looks at the places, counted from `start`, where a quote stands at the right distance from another.
    #[inline]
    fn look(&mut self, bytes: &[u8], start: usize, mut pairs: u64) {
        while pairs != 0 {
            let at = start + pairs.trailing_zeros() as usize;
            pairs &= pairs - 1;
            if bytes.get(at..at + SOURCE_KEY.len()) == Some(SOURCE_KEY) {
                *self = match self {
                    Self::None => Self::One(at),
                    Self::One(_) | Self::Several => Self::Several,
                };
            }
        }
    }
}

impl Masks {
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut masks = Self { quote: 0, special: 0 };
        let (lanes, _) = block.as_chunks::<16>();
        for (index, lane) in lanes.iter().enumerate() {
            let bytes = u8x16::new(*lane);
            // Bit 5 makes `{` of `[`, `|` of the backslash and `}` of `]`: the range from `{` to `}`.
            let above = (bytes | u8x16::splat(0x20)) - u8x16::splat(b'{');
            let special = above.min(u8x16::splat(b'}' - b'{')).simd_eq(above);
            let shift = index * 16;
            masks.quote |= bits(bytes, b'"') << shift;
            masks.special |= u64::from(special.to_bitmask()) << shift;
        }
        masks
    }
}

fn padded(rest: &[u8]) -> [u8; BLOCK] {
    let mut padded = [b' '; BLOCK];
    if let Some(target) = padded.get_mut(..rest.len()) {
        target.copy_from_slice(rest);
    }
    padded
}

/// One deeper for `{` and `[`, one less for `}` and `]`. One too many cannot happen: the scan has ended by then.
#[inline]
fn deeper(depth: u32, bracket: u8) -> u32 {
    if bracket & 4 == 0 {
        depth + 1
    } else {
        depth.saturating_sub(1)
    }
}

/// All ones if the last bit is one.
#[inline]
fn last_bit_everywhere(mask: u64) -> u64 {
    0u64.wrapping_sub(mask >> 63)
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
                            sources: plain_sources(&bytes[..=index]),
                        };
                    }
                }
                _ => {}
            }
        }
        Scanned::Open
    }

    fn plain_sources(bytes: &[u8]) -> Sources {
        let mut places = memchr::memmem::find_iter(bytes, SOURCE_KEY);
        match (places.next(), places.next()) {
            (None, _) => Sources::None,
            (Some(at), None) => Sources::One(at),
            (Some(_), Some(_)) => Sources::Several,
        }
    }

    /// The scan may see a backslash in the rest of the last block; it must not miss one.
    fn agree(bytes: &[u8]) {
        match (Scan::value(bytes), plainly(bytes)) {
            (
                Scanned::End {
                    length,
                    deepest,
                    backslash,
                    sources,
                },
                Scanned::End {
                    length: plain_length,
                    deepest: plain_deepest,
                    backslash: plain_backslash,
                    sources: plain_sources,
                },
            ) => {
                assert_eq!((length, deepest), (plain_length, plain_deepest), "{bytes:?}");
                assert_eq!(sources, plain_sources, "{bytes:?}");
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

    #[test]
    fn the_key_is_found_wherever_it_stands() {
        for pad in 0..140 {
            for (keys, more) in [(0, 0), (1, 0), (1, 90), (2, 0), (2, 50)] {
                let key = format!("\"eventSource\":1,{}", " ".repeat(more)).repeat(keys);
                let text = format!(
                    "{{{}{key}\"x\":\"\\\"eventSource\\\"\"}}\"eventSource\"",
                    " ".repeat(pad)
                );
                agree(text.as_bytes());
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_soup_of_structure_agrees(soup in "\\{[\\\\\"{}\\[\\]a,:|<]{0,300}") {
            agree(soup.as_bytes());
        }
    }
}
