//! Rules over events and controls over snapshots; pure and replayable.
