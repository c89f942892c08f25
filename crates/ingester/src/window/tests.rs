//! The window algorithm against a simulated log: random lateness, faults at any page, crashes at any point.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// A small generator of pseudo-random numbers (splitmix64): the same seed, the same run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

const START: i64 = 1_700_000_000;
const SETTLE: u64 = 1_200;

fn pace() -> Pace {
    Pace {
        settle: Duration::from_secs(SETTLE),
        settle_max: Duration::from_secs(7_200),
        overlap: Duration::from_secs(1_800),
        first_lookback: Duration::from_secs(600),
        lost_lookback: Duration::from_secs(48 * 3_600),
        max_window: Duration::from_secs(3_600),
    }
}

struct Event {
    id: u64,
    time: Timestamp,
    visible: Timestamp,
}

/// What survives a crash.
#[derive(Default)]
struct Disk {
    seen: BTreeSet<u64>,
    checkpoint: Option<String>,
}

fn log(dice: &mut Dice, count: u64, most_late: u64) -> Vec<Event> {
    let mut events = Vec::new();
    for id in 0..count {
        let time = Timestamp::from_secs(START).plus(Duration::from_secs(dice.roll(12 * 3_600)));
        // Most records are a few minutes late, some as late as is allowed.
        let late = if dice.roll(5) == 0 {
            dice.roll(most_late + 1)
        } else {
            dice.roll(most_late.min(300) + 1)
        };
        let visible = time.plus(Duration::from_secs(late));
        events.push(Event { id, time, visible });
    }
    events.sort_by_key(|event| event.time);
    events
}

/// One process: reads passes until it crashes or gives up on a fault. A page holds seven records.
fn live(disk: &mut Disk, events: &[Event], now: Timestamp, dice: &mut Dice) {
    let pace = pace();
    let mut state = match &disk.checkpoint {
        Some(text) => WindowState::decode(text).unwrap(),
        None => WindowState::first(&pace, now),
    };
    let (mut pass, trust) = state.plan(&pace, now);
    assert_eq!(trust, Trust::Kept);
    while let Some(window) = pass.next_window() {
        assert!(window.end <= now.minus(HOLD_BACK) && window.start < window.end);
        let from = events.partition_point(|event| event.time < window.start);
        let to = events.partition_point(|event| event.time < window.end);
        let visible: Vec<&Event> = events[from..to]
            .iter()
            .filter(|event| event.visible <= now)
            .collect();
        for page in visible.chunks(7) {
            if dice.roll(40) == 0 {
                return;
            }
            disk.seen.extend(page.iter().map(|event| event.id));
        }
        if dice.roll(10) == 0 {
            return;
        }
        let after = state.after(&pace, &window);
        assert!(after.floor >= state.floor, "the floor moved back");
        assert!(after.floor <= window.limit.minus(after.settle).max(state.floor));
        disk.checkpoint = Some(after.encode());
        state = after;
    }
}

/// No record older than the floor is missing, unless it was later than the settle time.
fn check_floor(disk: &Disk, events: &[Event], seed: u64) {
    let Some(text) = &disk.checkpoint else { return };
    let state = WindowState::decode(text).unwrap();
    for event in events {
        if event.time < state.floor && event.time >= state.origin {
            assert!(
                disk.seen.contains(&event.id),
                "seed {seed}: {:?} is before the floor {:?} and was never seen",
                event.time,
                state.floor
            );
        }
    }
}

#[test]
fn nothing_is_lost_to_lateness_faults_and_crashes() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let events = log(&mut dice, 400, SETTLE);
        let mut disk = Disk::default();
        let mut now = Timestamp::from_secs(START).plus(Duration::from_secs(60));
        let end = Timestamp::from_secs(START).plus(Duration::from_secs(16 * 3_600));
        while now < end {
            live(&mut disk, &events, now, &mut dice);
            if dice.roll(8) == 0 {
                check_floor(&disk, &events, seed);
            }
            // Now and then nobody runs for up to three hours.
            let pause = if dice.roll(30) == 0 {
                dice.roll(3 * 3_600)
            } else {
                30 + dice.roll(120)
            };
            now = now.plus(Duration::from_secs(pause));
        }
        assert_eq!(disk.seen.len(), events.len(), "seed {seed}");
    }
}

#[test]
fn the_test_above_can_fail() {
    // Records later than the settle time are missed by the regular windows: the simulation notices.
    let mut missed = 0;
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let events = log(&mut dice, 400, 6 * SETTLE);
        let mut disk = Disk::default();
        for step in 0..600 {
            let now = Timestamp::from_secs(START).plus(Duration::from_secs(60 + step * 100));
            live(&mut disk, &events, now, &mut dice);
        }
        missed += events.len() - disk.seen.len();
    }
    assert!(missed > 0);
}

#[test]
fn a_long_absence_is_read_in_pieces_oldest_first() {
    let pace = pace();
    let start = Timestamp::from_secs(START);
    let mut state = WindowState::first(&pace, start);
    let now = start.plus(Duration::from_secs(30 * 3_600));
    let (mut pass, _) = state.plan(&pace, now);
    let mut windows = 0;
    let mut last_end = state.floor;
    while let Some(window) = pass.next_window() {
        assert_eq!(window.start, last_end);
        assert!(window.end.since(window.start) <= pace.max_window);
        last_end = window.end;
        let before = state.floor;
        state = state.after(&pace, &window);
        let settled = now.minus(HOLD_BACK).minus(pace.settle);
        assert!(
            state.floor > before || before == settled,
            "every committed piece is progress that a crash does not undo"
        );
        windows += 1;
    }
    assert_eq!(windows, 31);
    assert_eq!(state.floor, now.minus(HOLD_BACK).minus(pace.settle));
}

#[test]
fn a_floor_in_the_future_is_taken_back() {
    let pace = pace();
    let real = Timestamp::from_secs(START);
    let mut state = WindowState::first(&pace, real.plus(Duration::from_secs(86_400)));
    let (pass, trust) = state.plan(&pace, real);
    assert_eq!(trust, Trust::ClockWasWrong);
    assert!(!pass.is_done());
    assert_eq!(state.floor, real.minus(HOLD_BACK).minus(pace.lost_lookback));
    // A clock that steps back by a little leaves everything as it is.
    let mut state = WindowState::first(&pace, real);
    state.floor = real;
    let before = state.clone();
    let (pass, trust) = state.plan(&pace, real.minus(Duration::from_secs(10)));
    assert_eq!((trust, &state), (Trust::Kept, &before));
    assert!(!pass.is_done(), "the overlap is still read");
}

#[test]
fn stored_positions_round_trip_and_others_are_refused() {
    let mut state = WindowState::first(&pace(), Timestamp::from_secs(START));
    state.lateness.observe(Duration::from_secs(77), 5);
    assert_eq!(WindowState::decode(&state.encode()).unwrap(), state);
    let cases = BTreeMap::from([
        ("", "not readable"),
        ("{}", "not readable"),
        ("[1]", "not readable"),
        (
            r#"{"v":2,"floor":1,"origin":1,"settle":1,"late":[]}"#,
            "version 2",
        ),
    ]);
    for (text, expected) in cases {
        let error = WindowState::decode(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
