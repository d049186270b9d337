//! Tables on the terminal: columns lined up, numbers to the right, no colours.

use std::fmt;

use catscan_data::shown::shown;

/// A table of ready-made text.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Column titles.
    pub head: Vec<String>,
    /// Each as long as the head.
    pub rows: Vec<Vec<String>>,
    /// Columns that hold numbers and are set right.
    pub numeric: Vec<usize>,
}

impl Table {
    /// An empty table with these column titles; a title that begins with `#` is a column of
    /// numbers.
    pub fn new(head: &[&str]) -> Table {
        let numeric = (0..head.len()).filter(|&column| head[column].starts_with('#')).collect();
        let head = head.iter().map(|title| title.trim_start_matches('#').to_owned()).collect();
        Table { head, rows: Vec::new(), numeric }
    }

    /// Adds a line; one cell a column, each on one line.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let shown = |cell: String| shown(&cell).into_owned();
        self.rows.push(cells.into_iter().map(|cell| shown(cell.into())).collect());
    }

    fn widths(&self) -> Vec<usize> {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let widest = |column: usize| lines().map(|line| width(&line[column])).max().unwrap_or(0);
        (0..self.head.len()).map(widest).collect()
    }
}

/// Characters, not bytes: intervals hold `±` and `–`.
fn width(text: &str) -> usize {
    text.chars().count()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let widths = self.widths();
        let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        for line in [&self.head, &rule].into_iter().chain(&self.rows) {
            let mut text = String::new();
            for (column, cell) in line.iter().enumerate() {
                let space = " ".repeat(widths[column] - width(cell));
                let (before, after) =
                    if self.numeric.contains(&column) { (&*space, "") } else { ("", &*space) };
                text.push_str(&format!("{before}{cell}{after}  "));
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_cell() {
        let mut table = Table::new(&["class", "#n"]);
        table.row(["\x1b[31mcat\n", "1"]);
        assert_eq!(table.to_string().lines().last(), Some("\\u{1b}[31mcat\\u{a}  1"));
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["arm", "#accuracy"]);
        table.row(["avg", "86.9 ± 1.2"]);
        table.row(["maximum", "9"]);
        let want = "arm        accuracy\n\
                    ───────  ──────────\n\
                    avg      86.9 ± 1.2\n\
                    maximum           9\n";
        assert_eq!(table.to_string(), want);
    }
}
