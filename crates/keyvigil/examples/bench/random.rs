//! Numbers that look random and are the same in every run: SplitMix64 (Steele, Lea, Flood, 2014).

/// A stream of numbers.
pub(crate) struct Random(u64);

impl Random {
    /// The stream of these coordinates.
    pub(crate) fn at(coordinates: [u64; 4]) -> Self {
        let mut random = Self(0x6B65_7976_6967_696C);
        for coordinate in coordinates {
            random.0 ^= coordinate;
            random.0 = random.next();
        }
        random
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// From 0 up to, not including, `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// As [`Self::below`], small numbers more often than large ones: a few principals make most of the calls.
    pub(crate) fn skewed(&mut self, end: u64) -> u64 {
        let first = self.below(end);
        first.min(self.below(end)).min(self.below(end))
    }

    /// One of several.
    pub(crate) fn pick<'a>(&mut self, several: &[&'a str]) -> &'a str {
        several[self.below(several.len() as u64) as usize]
    }
}

/// A UUID.
pub(crate) fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

/// Text that cannot be compressed much: tokens and ids.
pub(crate) fn opaque(random: &mut Random, length: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(length);
    for _ in 0..length {
        text.push(char::from(DIGITS[random.below(64) as usize]));
    }
    text
}
