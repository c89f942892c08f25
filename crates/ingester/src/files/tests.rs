//! Order, bounded memory, bad files.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::fakes::Words;
use crate::files::expand::{PathProblem, expand};

/// A folder that is removed at the end of the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("keyvigil-ingester-{}-{name}", std::process::id()));
        let _absent = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

/// What came out, as lines.
fn decode(paths: &[PathBuf], decoder: &dyn Decoder, settings: FileSettings) -> Vec<String> {
    let mut lines = Vec::new();
    decode_files(paths, decoder, settings, |result| {
        let name = result.path.file_name().unwrap().to_string_lossy().into_owned();
        lines.push(match result.part {
            FilePart::Piece(piece) => {
                let ids: Vec<&str> = piece.events.iter().map(|event| event.id.as_str()).collect();
                format!("{name}: {} +{}", ids.join(" "), piece.quarantined.len())
            }
            FilePart::Done(summary) => format!("{name}: {} records", summary.records),
            FilePart::Unreadable(error) => format!("{name}: {error}"),
            FilePart::Died => format!("{name}: died"),
        });
    });
    lines
}

fn settings(workers: usize) -> FileSettings {
    FileSettings::new(workers, ActionSet::keys_and_secrets())
}

#[test]
fn the_order_is_that_of_the_files_however_many_workers() {
    let folder = Folder::new("order");
    let mut paths = Vec::new();
    for number in 0..60 {
        // Files of very different length, so that workers overtake each other.
        let words: Vec<String> = (0..number * 37 % 100)
            .map(|word| format!("{number}-{word}"))
            .collect();
        paths.push(folder.write(&format!("{number:02}.json"), words.join(" ").as_bytes()));
    }
    let one = decode(&paths, &Words, settings(1));
    assert_eq!(one.iter().filter(|line| line.ends_with("records")).count(), 60);
    for _ in 0..5 {
        assert_eq!(decode(&paths, &Words, settings(4)), one);
    }
    // A byte budget smaller than most files: one at a time, and no deadlock.
    let narrow = FileSettings {
        bytes: 50,
        ..settings(4)
    };
    assert_eq!(decode(&paths, &Words, narrow), one);
}

#[test]
fn bad_files_cost_their_neighbours_nothing() {
    let folder = Folder::new("bad");
    let paths = [
        folder.write("a", b"1 2 3"),
        folder.write("b", b"4 5 boom 6"),
        folder.0.join("c-missing"),
        folder.write("d", b"7 junk"),
        folder.write("e", &[b'x'; 200]),
        folder.write("f", &[0x1f, 0x8b, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        folder.0.clone(),
        folder.write("h", b""),
        folder.write("i", b"8"),
    ];
    let limits = FileLimits {
        compressed: 10,
        plain: 100,
    };
    for workers in [1, 3] {
        let lines = decode(
            &paths,
            &Words,
            FileSettings {
                limits,
                ..settings(workers)
            },
        );
        let folder_name = folder.0.file_name().unwrap().to_string_lossy().into_owned();
        let expected = [
            "a: 1 2 +0",
            "a: 3 +0",
            "a: 3 records",
            "b: 4 5 +0",
            "b: died",
            "c-missing: cannot be read: No such file or directory (os error 2)",
            "d: 7 +1",
            "d: 2 records",
            "e: larger than 100 bytes",
            "f: larger than 10 bytes",
            &format!("{folder_name}: cannot be read: not a regular file"),
            "h: 0 records",
            "i: 8 +0",
            "i: 1 records",
        ];
        assert_eq!(lines, expected);
    }
}

/// Makes many pieces and counts those that nobody has taken yet.
struct Endless {
    made: AtomicUsize,
}

impl Decoder for Endless {
    fn decode(&self, _object: &EncodedObject<'_>, sink: &mut dyn FnMut(Decoded)) -> DecodeSummary {
        for _ in 0..500 {
            self.made.fetch_add(1, Ordering::SeqCst);
            sink(Decoded::default());
        }
        DecodeSummary::default()
    }
}

#[test]
fn pieces_are_handed_over_while_decoding_and_few_wait() {
    let folder = Folder::new("pieces");
    let paths: Vec<PathBuf> = (0..20)
        .map(|number| folder.write(&format!("{number:02}"), b"x"))
        .collect();
    let decoder = Endless {
        made: AtomicUsize::new(0),
    };
    let workers = 3;
    let mut taken = 0;
    let mut most = 0;
    decode_files(&paths, &decoder, settings(workers), |result| {
        if let FilePart::Piece(_) = result.part {
            most = most.max(decoder.made.load(Ordering::SeqCst) - taken);
            taken += 1;
        }
    });
    assert_eq!(taken, 20 * 500);
    // What is in the channel of each worker's file and the piece in its hands; and the end of the file drained now,
    // whose worker has gone on.
    let bound = (workers + 1) * (PIECES_AHEAD + 1);
    assert!(most <= bound, "{most} pieces waited");
}

#[test]
fn paths_are_expanded() {
    let folder = Folder::new("expand");
    for name in [
        "b/2.json.gz",
        "b/1.json",
        "a.json",
        "c/d/3.json.gz",
        "c/.hidden",
        ".git/x.json",
        "odd*name",
    ] {
        folder.write(name, b"x");
    }
    let check = |patterns: &[&str], expected: &[&str], problems: usize| {
        let paths: Vec<PathBuf> = patterns.iter().map(|name| folder.0.join(name)).collect();
        let (found, trouble) = expand(&paths);
        let relative: Vec<&str> = found
            .iter()
            .map(|path| path.strip_prefix(&folder.0).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(relative, expected, "{patterns:?}");
        assert_eq!(trouble.len(), problems, "{patterns:?} {trouble:?}");
    };
    // A file without the name of a log is only read when it is named itself.
    let all = ["a.json", "b/1.json", "b/2.json.gz", "c/d/3.json.gz"];
    check(&[""], &all, 0);
    check(&["b", "b/1.json", "b/*.json"], &["b/1.json", "b/2.json.gz"], 0);
    check(&["**/*.gz"], &["b/2.json.gz", "c/d/3.json.gz"], 0);
    check(&["c/**"], &["c/d/3.json.gz"], 0);
    check(&["?/?.json"], &["b/1.json"], 0);
    check(&["odd*name"], &["odd*name"], 0);
    check(&["c/.hidden"], &["c/.hidden"], 0);
    check(&["*.xml", "nothing", "a.json"], &["a.json"], 2);
    let (_, problems) = expand(&[folder.0.join("*.xml")]);
    assert!(matches!(problems[..], [PathProblem::NoMatch { .. }]));
}

#[test]
fn a_reader_that_panics_ends_the_workers() {
    let folder = Folder::new("panic");
    let paths: Vec<PathBuf> = (0..20)
        .map(|number| folder.write(&format!("{number:02}"), b"x"))
        .collect();
    let decoder = Endless {
        made: AtomicUsize::new(0),
    };
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            decode_files(&paths, &decoder, settings(2), |_| panic!("the consumer died"));
        }));
        done.send(broken.is_err()).unwrap();
    });
    assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Ok(true));
}
