//! How many cells a card holds: the next begins when what is free there suffices for one more.
//!
//! What a cell takes is measured, not guessed: it is what is free on the card before the cell
//! begins less what is free after its first steps have been read, by when activations, workspaces
//! and its graph are there. Until then no other begins. On a processor every cell may begin, and
//! so it is where the card cannot be asked.

use std::collections::HashMap;

/// Free for one more cell means this many times what the largest took so far.
const MARGIN: f64 = 1.2;

/// Asks how many bytes are free on the card.
pub type Meter = Box<dyn Fn() -> Option<u64>>;

/// Lets cells begin.
pub struct Admission {
    /// None on a processor.
    meter: Option<Meter>,
    /// Cells that have begun and not settled: what was free before each.
    starting: HashMap<usize, Option<u64>>,
    /// Of a settled cell, in bytes.
    largest: u64,
}

impl Admission {
    /// With `meter` on a card, without on a processor.
    pub fn new(meter: Option<Meter>) -> Admission {
        Admission { meter, starting: HashMap::new(), largest: 0 }
    }

    /// Whether one more cell may begin beside `running` others. The first always may.
    pub fn admits(&self, running: usize) -> bool {
        let Some(meter) = &self.meter else { return true };
        if running == 0 {
            return true;
        }
        if !self.starting.is_empty() {
            return false;
        }
        meter().is_none_or(|free| free as f64 >= MARGIN * self.largest as f64)
    }

    /// A cell is about to begin.
    pub fn begins(&mut self, cell: usize) {
        if let Some(meter) = &self.meter {
            self.starting.insert(cell, meter());
        }
    }

    /// A cell's steps were read: it holds what it will hold.
    pub fn stepped(&mut self, cell: usize) {
        let Some(before) = self.starting.remove(&cell) else { return };
        let now = self.meter.as_ref().and_then(|meter| meter());
        if let (Some(before), Some(now)) = (before, now) {
            self.largest = self.largest.max(before.saturating_sub(now));
        }
    }

    /// A cell has ended, perhaps before it settled.
    pub fn ended(&mut self, cell: usize) {
        self.starting.remove(&cell);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    const GB: u64 = 1 << 30;

    /// A card of 80 GB, and what is free on it.
    fn card() -> (Rc<Cell<u64>>, Admission) {
        let free = Rc::new(Cell::new(80 * GB));
        let meter = {
            let free = free.clone();
            move || Some(free.get())
        };
        (free, Admission::new(Some(Box::new(meter))))
    }

    #[test]
    fn as_many_begin_as_there_is_room_for_and_one_at_a_time() {
        let (free, mut admission) = card();
        let mut running = 0;
        while admission.admits(running) {
            admission.begins(running);
            assert!(!admission.admits(running + 1), "cell {running} has not settled");
            free.set(free.get() - 18 * GB);
            admission.stepped(running);
            running += 1;
        }
        // 80 − 3·18 = 26 ≥ 1.2·18 = 21.6, and 8 is not.
        assert_eq!(running, 4);
        free.set(free.get() + 18 * GB);
        admission.ended(0);
        assert!(admission.admits(3), "one has ended");
    }

    #[test]
    fn a_cell_that_dies_while_it_starts_does_not_block_the_others() {
        let (_, mut admission) = card();
        admission.begins(0);
        admission.ended(0);
        assert!(admission.admits(0) && admission.admits(1));
    }

    #[test]
    fn a_processor_and_a_card_that_cannot_be_asked_let_all_begin() {
        let mut processor = Admission::new(None);
        processor.begins(0);
        assert!(processor.admits(1));
        let mut silent = Admission::new(Some(Box::new(|| None)));
        silent.begins(0);
        silent.stepped(0);
        assert!(silent.admits(1));
    }
}
