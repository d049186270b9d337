//! Tables on the terminal: columns lined up, numbers to the right, no colours.

use std::fmt;

use catscan_data::shown::shown;
use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, TableComponent, Width, presets,
};

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
}

impl Table {
    /// Below it a column would cut names in two; a very long word is cut all the same.
    fn longest_word(&self, column: usize) -> u16 {
        let cells = std::iter::once(&self.head).chain(&self.rows).map(|line| &line[column]);
        let words = cells.flat_map(|cell| cell.split_whitespace());
        words.map(console::measure_text_width).max().unwrap_or(0).min(40) as u16
    }

    /// The text, its columns narrowed to fit into `width` characters where one is given.
    fn within(&self, width: Option<u16>) -> String {
        let mut drawn = comfy_table::Table::new();
        drawn.load_preset(presets::NOTHING).set_header(&self.head).add_rows(&self.rows);
        drawn.set_style(TableComponent::HeaderLines, '─');
        let between = [TableComponent::VerticalLines, TableComponent::MiddleHeaderIntersections];
        for part in between {
            drawn.set_style(part, ' ');
        }
        if let Some(width) = width {
            drawn.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        let last = self.head.len().saturating_sub(1);
        for (at, column) in drawn.column_iter_mut().enumerate() {
            let padding = u16::from(at != last);
            column.set_padding((0, padding));
            let word = Width::Fixed(self.longest_word(at) + padding);
            column.set_constraint(ColumnConstraint::LowerBoundary(word));
            if self.numeric.contains(&at) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        drawn.trim_fmt() + "\n"
    }
}

/// Lines as long as they are, but on a terminal, where columns are narrowed to fit.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let terminal = console::Term::stdout();
        let width = terminal.is_term().then(|| terminal.size().1);
        f.write_str(&self.within(width))
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
                    ──────── ──────────\n\
                    avg      86.9 ± 1.2\n\
                    maximum           9\n";
        assert_eq!(table.within(None), want);
    }

    #[test]
    fn columns_fit_a_terminal() {
        let mut table = Table::new(&["name", "about", "#px"]);
        table.row([
            "densenet121",
            "the paper's smallest, of four dense blocks and 121 layers",
            "224",
        ]);
        let got = table.within(Some(40));
        assert!(got.lines().all(|line| line.chars().count() <= 40), "{got}");
        for word in
            "densenet121 the paper's smallest, of four dense blocks and 121 layers".split(' ')
        {
            assert!(got.contains(word), "{word} is cut: {got}");
        }
    }
}
