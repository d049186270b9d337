//! How long work tells that it goes on; the program draws bars from it, tests pass `&()`.

/// Told from worker threads, hence `Sync`.
pub trait Progress: Sync {
    /// A stage of `total` steps begins (0: nobody knows how many).
    fn stage(&self, what: &str, total: u64);
    /// `n` more steps of the stage are done.
    fn advance(&self, n: u64);
    /// Something happened that is worth a line that stays, such as why a download is tried again.
    fn note(&self, _what: &str) {}
}

/// Silence.
impl Progress for () {
    fn stage(&self, _what: &str, _total: u64) {}
    fn advance(&self, _n: u64) {}
}
