//! Tests of unpacking, where windows begin and end.

use super::*;

/// Consumes some bytes of each window, and remembers everything.
struct Recorder {
    fresh: Vec<u8>,
    windows: Vec<u8>,
    held_back: usize,
    tails: Vec<Tail>,
}

impl Consumer for Recorder {
    fn fresh(&mut self, bytes: &[u8]) {
        self.fresh.extend(bytes);
    }

    fn window(&mut self, window: &[u8], tail: Tail) -> usize {
        self.tails.push(tail);
        let done = match tail {
            Tail::More => window.len() - self.held_back,
            Tail::End | Tail::Cut => window.len(),
        };
        self.windows.extend(&window[..done]);
        done
    }
}

#[test]
fn windows_add_up_to_the_whole() {
    let text: Vec<u8> = (0..10_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(1).unwrap());
    let mut packed = vec![0; compressor.gzip_compress_bound(text.len())];
    let length = compressor.gzip_compress(&text, &mut packed).unwrap();
    packed.truncate(length);
    let streaming = Limits {
        in_one_piece: 0,
        ..Limits::default()
    };
    for (limits, windows) in [(Limits::default(), 1), (streaming, 3)] {
        for held_back in [0, 1, 1_000_000] {
            let mut recorder = Recorder {
                fresh: Vec::new(),
                windows: Vec::new(),
                held_back,
                tails: Vec::new(),
            };
            Unpacker::new().unpack(&packed, &limits, &mut recorder).unwrap();
            assert!(recorder.fresh == text && recorder.windows == text, "{held_back}");
            assert!(
                recorder.tails.len() >= windows,
                "{held_back}: {:?}",
                recorder.tails
            );
            assert_eq!(recorder.tails.last(), Some(&Tail::End));
        }
    }
}
