//! Progress for people, on standard error; nothing when that is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// One line that says what is going on and how far it is.
pub struct Progress {
    bar: ProgressBar,
    name: &'static str,
}

impl Progress {
    /// Of one measurement.
    pub fn new(name: &'static str) -> Self {
        let style = ProgressStyle::with_template("{msg:<34} {bar:32} {pos}/{len} {elapsed}");
        let bar = ProgressBar::new(0).with_style(style.expect("the template is a constant"));
        Self { bar, name }
    }

    /// The next step, of so many units.
    pub fn begin(&self, step: &str, units: u64) {
        self.bar.reset();
        self.bar.set_length(units);
        self.bar.set_message(format!("{}: {step}", self.name));
    }

    /// So many units are done.
    pub fn at(&self, units: u64) {
        self.bar.set_position(units);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
