//! What a long command shows: bars on a terminal that can draw them, plain lines in a log and on a
//! dumb terminal. All of it on standard error, so that tables and JSON on standard output stay
//! clean.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use catscan_data::shown::{shown, shown_lines};
use catscan_train::Event;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::output;

mod trend;

use trend::Trend;

const CELL_BAR: &str = "{prefix:<14!} {bar:20} {msg}";
const TREND_BAR: &str = "{prefix:<14!} {msg}";
const TOTAL_BAR: &str = "{prefix:<14!} {bar:20} {msg}";
const STAGE_BAR: &str = "{prefix:<14!} {bar:20} {pos}/{len} {msg}";
/// Of a stage that nobody knows the length of.
const STAGE: &str = "{prefix:<14!} {msg} …";

/// All lines of one command, and the total under them.
pub struct Board {
    bars: Option<MultiProgress>,
    total: Option<ProgressBar>,
    cells: usize,
    ended: usize,
    /// Cells skipped before anything ran say nothing about the time left.
    ended_before: usize,
    /// How far each running cell is, 0 to 1.
    moving: Vec<(usize, f64)>,
    began: Instant,
}

impl Board {
    /// An empty board; the total has a bar where there are several cells and bars can be drawn.
    pub fn new(cells: usize) -> Board {
        let bars = Some(MultiProgress::new()).filter(|bars| !bars.is_hidden());
        let total = bars.as_ref().filter(|_| cells > 1).map(|bars| {
            bars.add(ProgressBar::new(1000).with_style(style(TOTAL_BAR)).with_prefix("all"))
        });
        let began = Instant::now();
        Board { bars, total, cells, ended: 0, ended_before: 0, moving: Vec::new(), began }
    }

    /// A line that stays.
    pub fn say(&self, text: &str) {
        say(self.bars.as_ref(), text);
    }

    /// A line for a cell that begins.
    pub fn line(&self, label: &str) -> Line {
        let bar = self.bars.as_ref().map(|bars| {
            // Whole before it joins: a bar that is changed alone would draw itself alone.
            let bar = ProgressBar::new(1)
                .with_style(style(CELL_BAR))
                .with_prefix(label.to_owned())
                .with_message("starting");
            match &self.total {
                Some(total) => bars.insert_before(total, bar),
                None => bars.add(bar),
            }
        });
        let (label, bars, under) = (label.to_owned(), self.bars.clone(), None);
        Line { label, bars, bar, trend: Trend::default(), under }
    }

    /// A cell has done this share of its steps.
    pub fn cell_moved(&mut self, index: usize, share: f64) {
        match self.moving.iter_mut().find(|(moving, _)| *moving == index) {
            Some((_, before)) => *before = share,
            None => self.moving.push((index, share)),
        }
        self.draw_total();
    }

    /// A cell has ended, or needed no run.
    pub fn cell_ended(&mut self) {
        self.ended += 1;
        if self.moving.is_empty() {
            self.ended_before += 1;
        }
        self.draw_total();
    }

    fn draw_total(&self) {
        let Some(bar) = &self.total else { return };
        let open: f64 = self.moving.iter().map(|(_, share)| share).sum::<f64>();
        let to_run = (self.cells - self.ended_before).max(1) as f64;
        let share = (open / to_run).min(1.0);
        bar.set_position((1000.0 * share) as u64);
        let left = match share > 0.02 {
            true => duration(self.began.elapsed().mul_f64((1.0 - share) / share)) + " left",
            false => String::new(),
        };
        bar.set_message(format!("{} of {} cells done  {left}", self.ended, self.cells));
    }

    /// Takes all bars away.
    pub fn clear(&self) {
        if let Some(bars) = &self.bars {
            // Only a closed terminal can refuse, and then nobody reads.
            let _ = bars.clear();
        }
    }
}

/// The line of one cell.
pub struct Line {
    label: String,
    bars: Option<MultiProgress>,
    bar: Option<ProgressBar>,
    trend: Trend,
    /// Under the bar, from the first epoch on.
    under: Option<ProgressBar>,
}

impl Line {
    /// Draws what happened; in a log, only what is worth a line.
    pub fn on_event(&mut self, event: &Event) {
        if let Some(bar) = &self.bar {
            draw(bar, event);
        }
        if let Event::Epoch(epoch) = event {
            self.trend.add(epoch);
            self.draw_trend();
        }
        if let Some(text) = in_words(event, self.bar.is_some()) {
            self.say(&text);
        }
    }

    fn draw_trend(&mut self) {
        let Some((bars, bar)) = self.bars.as_ref().zip(self.bar.as_ref()) else { return };
        let text = self.trend.text();
        match &self.under {
            Some(under) => under.set_message(text),
            None => {
                let under = ProgressBar::new(1).with_style(style(TREND_BAR)).with_message(text);
                self.under = Some(bars.insert_after(bar, under));
            }
        }
    }

    /// A line that stays, under the cell's name.
    pub fn say(&self, text: &str) {
        say(self.bars.as_ref(), &format!("{}: {text}", self.label));
    }

    /// The cell has ended; its bar goes, one line stays.
    pub fn end(&self, text: &str) {
        for bar in self.bar.iter().chain(&self.under) {
            bar.finish_and_clear();
        }
        self.say(text);
    }
}

fn say(bars: Option<&MultiProgress>, text: &str) {
    match bars {
        // A terminal that is gone is no reason to stop a training.
        Some(bars) => drop(bars.println(shown_lines(text))),
        None => output::say(text),
    }
}

fn draw(bar: &ProgressBar, event: &Event) {
    match event {
        Event::Started { steps_target, resumed_from, .. } => {
            bar.set_length(*steps_target);
            bar.set_position(resumed_from.unwrap_or(0));
        }
        Event::Step { epoch, epochs, step, loss, accuracy, images_per_s, remaining_s, .. } => {
            bar.set_position(*step);
            bar.set_message(format!(
                "epoch {epoch}/{epochs}  loss {loss:.3}  accuracy {:.1} %  {images_per_s:.0} \
                 images/s  {} left",
                accuracy * 100.0,
                duration(Duration::from_secs_f64(remaining_s.clamp(0.0, 1e7))),
            ));
        }
        Event::Evaluating { part, done, total } => {
            bar.set_message(format!("{part} {done}/{total}"));
        }
        _ => {}
    }
}

/// What stays in the log: on a terminal only what a bar cannot show.
fn in_words(event: &Event, has_bar: bool) -> Option<String> {
    match event {
        Event::Warning { text } => Some(format!("warning: {text}")),
        Event::Tested { pictures, loss, accuracy, macro_f1, calibration_error, images_per_s } => {
            Some(format!(
                "test accuracy {:.2} %, loss {loss:.4}, F1 {:.2} %, calibration error {:.2} % on \
                 {pictures} pictures ({images_per_s:.0} images/s)",
                accuracy * 100.0,
                macro_f1 * 100.0,
                calibration_error * 100.0
            ))
        }
        Event::OnDevice { pictures, bytes } => Some(format!(
            "{pictures} pictures to train on lie on the device, {:.0} MB",
            *bytes as f64 / 1e6
        )),
        Event::StoppedEarly { epoch, best } => Some(format!(
            "validation no longer gets better: finished after epoch {epoch}, best was epoch {best}"
        )),
        Event::Started { resumed_from: Some(step), steps_total, .. } => {
            Some(format!("goes on from step {step} of {steps_total}"))
        }
        Event::Loaded { path, tensors, random } => {
            let fresh = match random.is_empty() {
                true => String::new(),
                false => format!("; {} at random, a fresh head", random.join(", ")),
            };
            Some(format!("begins with {tensors} tensors of {path}{fresh}"))
        }
        Event::Started { parameters, frozen, steps_target, epochs, .. } if !has_bar => {
            let frozen =
                if *frozen > 0 { format!(" (and {frozen} frozen)") } else { String::new() };
            Some(format!(
                "{parameters} parameters{frozen}, {steps_target} steps in {epochs} epochs"
            ))
        }
        Event::Epoch(epoch) if !has_bar => Some(format!(
            "epoch {}: loss {:.4}, accuracy {:.2} %, validation loss {:.4}, accuracy {:.2} %, \
             {:.0} images/s",
            epoch.epoch,
            epoch.train_loss,
            epoch.train_accuracy * 100.0,
            epoch.val_loss,
            epoch.val_accuracy * 100.0,
            epoch.images_per_s
        )),
        _ => None,
    }
}

/// A bar for each stage of one piece of work, such as reading the data.
pub struct Stages {
    work: &'static str,
    bar: Mutex<Option<ProgressBar>>,
}

impl Stages {
    /// No stage yet of `work`, which each line begins with.
    pub fn of(work: &'static str) -> Stages {
        Stages { work, bar: Mutex::new(None) }
    }

    /// Takes the last bar away.
    pub fn clear(&self) {
        if let Some(bar) = self.bar.lock().expect("drawing does not panic").take() {
            bar.finish_and_clear();
        }
    }
}

impl catscan_data::Progress for Stages {
    fn stage(&self, what: &str, total: u64) {
        self.clear();
        let bar = ProgressBar::new(total);
        if bar.is_hidden() {
            output::say(format_args!("{}: {what}", self.work));
            return;
        }
        bar.set_style(style(if total == 0 { STAGE } else { STAGE_BAR }));
        bar.set_prefix(self.work);
        bar.set_message(shown(what).into_owned());
        *self.bar.lock().expect("drawing does not panic") = Some(bar);
    }

    fn note(&self, what: &str) {
        let bar = self.bar.lock().expect("drawing does not panic");
        match &*bar {
            Some(bar) => {
                bar.println(shown_lines(&format!("{}: {what}", self.work)));
            }
            _ => output::say(format_args!("{}: {what}", self.work)),
        }
    }

    fn advance(&self, n: u64) {
        if let Some(bar) = &*self.bar.lock().expect("drawing does not panic") {
            bar.inc(n);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates above are valid")
}

/// Whole seconds, minutes or hours, as one would say them.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_said() {
        let say = |seconds| duration(Duration::from_secs_f64(seconds));
        assert_eq!(
            [say(3.21), say(59.0), say(605.0), say(9000.0)],
            ["3.2 s", "59 s", "10 min", "2.5 h"]
        );
    }

    #[test]
    fn a_log_has_a_line_an_epoch_and_no_line_a_step() {
        let step = Event::Step {
            epoch: 1,
            epochs: 2,
            step: 3,
            steps_total: 9,
            loss: 0.5,
            accuracy: 0.75,
            images_per_s: 40.0,
            remaining_s: 12.0,
        };
        assert_eq!(in_words(&step, false), None);
        let placed = Event::OnDevice { pictures: 4000, bytes: 602_112_000 };
        let words = "4000 pictures to train on lie on the device, 602 MB";
        assert_eq!(in_words(&placed, true).unwrap(), words);
        let warning = Event::Warning { text: "step-3 is damaged".into() };
        assert_eq!(in_words(&warning, true).unwrap(), "warning: step-3 is damaged");
    }
}
