//! TensorBoard's event file, written by hand: scalars only.
//!
//! Own, because the crates that write such files bring a protobuf compiler or TensorFlow along,
//! and scalars need five fields. The framing is TFRecord's: length (u64), masked crc32c of it,
//! payload, masked crc32c of it; the payload is a protobuf `tensorflow.Event`:
//! `wall_time = 1 (double)`, `step = 2 (int64)`, `file_version = 3 (string)`,
//! `summary = 5 { value = 1 { tag = 1 (string), simple_value = 2 (float) } }`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::record::EpochRecord;

/// What the name of every event file contains; TensorBoard looks for it.
pub const MARK: &str = "tfevents";

/// An open event file.
#[derive(Debug)]
pub struct EventFile {
    file: File,
}

impl EventFile {
    /// Removes the event files of `folder` and begins a new one that holds `records`: a run that
    /// goes on after a stop would otherwise show its repeated epochs twice.
    pub fn restart(
        folder: &Path,
        started_s: u64,
        records: &[EpochRecord],
    ) -> io::Result<EventFile> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().contains(MARK) {
                fs::remove_file(entry.path())?;
            }
        }
        let name = format!("events.out.{MARK}.{started_s:010}.catscan");
        let mut events = EventFile { file: File::create(folder.join(name))? };
        let mut version = Vec::new();
        double(&mut version, 1, started_s as f64);
        bytes(&mut version, 3, b"brain.Event:2");
        events.file.write_all(&framed(&version))?;
        for record in records {
            events.append(record)?;
        }
        Ok(events)
    }

    /// The epoch's scalars, at the step the epoch ended with.
    pub fn append(&mut self, record: &EpochRecord) -> io::Result<()> {
        let mut text = Vec::new();
        for (tag, value) in scalars(record) {
            text.extend(framed(&scalar_event(record.unix_s, record.step, tag, value as f32)));
        }
        self.file.write_all(&text)?;
        self.file.flush()
    }
}

fn scalars(record: &EpochRecord) -> [(&'static str, f64); 6] {
    [
        ("loss/train", record.train_loss),
        ("loss/validation", record.val_loss),
        ("accuracy/train", record.train_accuracy),
        ("accuracy/validation", record.val_accuracy),
        ("lr", record.lr),
        ("images_per_s", record.images_per_s),
    ]
}

fn scalar_event(unix_s: f64, step: u64, tag: &str, scalar: f32) -> Vec<u8> {
    let mut value = Vec::new();
    bytes(&mut value, 1, tag.as_bytes());
    value.push(2 << 3 | 5);
    value.extend(scalar.to_le_bytes());
    let mut summary = Vec::new();
    bytes(&mut summary, 1, &value);
    let mut event = Vec::new();
    double(&mut event, 1, unix_s);
    event.push(2 << 3);
    varint(&mut event, step);
    bytes(&mut event, 5, &summary);
    event
}

fn double(out: &mut Vec<u8>, field: u8, value: f64) {
    out.push(field << 3 | 1);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend(value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let mut out = length.to_vec();
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(payload);
    out.extend(masked_crc(payload).to_le_bytes());
    out
}

/// TFRecord's mask: a checksum of data that holds checksums would be weak.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_protobufs() {
        let mut out = Vec::new();
        varint(&mut out, 300);
        varint(&mut out, 1);
        assert_eq!(out, [0xac, 0x02, 0x01]);
    }

    #[test]
    fn a_restart_leaves_one_file() {
        let folder = tempfile::tempdir().unwrap();
        EventFile::restart(folder.path(), 5, &[]).unwrap();
        EventFile::restart(folder.path(), 6, &[]).unwrap();
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["events.out.tfevents.0000000006.catscan"]);
    }
}
