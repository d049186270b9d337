//! Where pictures come from: one table.

/// A row of SOURCES.
pub struct SourceRow {
    pub name: &'static str,
    pub usage: &'static str,
    pub about: &'static str,
}

pub static SOURCES: &[SourceRow] = &[];
