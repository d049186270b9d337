//! The same page as Markdown, to be read where no browser is, and to be put into an issue or a
//! repository. Pictures and charts stay in the HTML: what a chart says aloud stands in its place.

use super::{Block, Page, Table};

/// Writes `page` as Markdown. Text stays text: what Markdown or HTML would obey is escaped.
pub fn markdown(page: &Page) -> String {
    let mut out = format!("# {}\n\n", plain(&page.title));
    let mut paragraph = |text: &str| {
        if !text.is_empty() {
            out += &format!("{}\n\n", plain(text));
        }
    };
    paragraph(&page.question);
    for text in &page.answer {
        paragraph(text);
    }
    if !page.notices.is_empty() {
        out += "**Before you believe it**\n\n";
        list(&mut out, &page.notices);
    }
    for section in &page.sections {
        out += &format!("## {}\n\n", plain(&section.title));
        blocks(&mut out, &section.blocks);
    }
    out += &format!("---\n\n{}\n", plain(&page.footer));
    out
}

fn blocks(out: &mut String, all: &[Block]) {
    for block in all {
        match block {
            Block::Paragraph(text) => *out += &format!("{}\n\n", plain(text)),
            Block::List(items) => list(out, items),
            Block::Table(one) => table(out, one),
            Block::Chart { caption, panels } => {
                *out += &format!("{}\n\n", plain(caption));
                list(out, &panels.iter().map(|panel| panel.said()).collect::<Vec<_>>());
            }
            Block::Picture { caption, alt, .. } => {
                *out += &format!("_{}_ {}\n\n", plain(alt), plain(caption));
            }
            Block::Slider { caption, frames } => {
                let names: Vec<&str> = frames.iter().map(|frame| &*frame.name).collect();
                *out += &format!("_{}_ {}\n\n", plain(&names.join(", ")), plain(caption));
            }
            Block::Gallery { caption, pictures } => {
                *out += &format!("{}\n\n", plain(caption));
                list(out, &pictures.iter().map(|thumb| thumb.lines.join(", ")).collect::<Vec<_>>());
            }
            Block::Code { title, text } => {
                // Four spaces make text of anything, fences included.
                let lines = text.lines().map(|line| format!("    {line}\n")).collect::<String>();
                *out += &format!("{}\n\n{lines}\n", plain(title));
            }
            Block::Details { summary, blocks: inner } => {
                *out += &format!("**{}**\n\n", plain(summary));
                blocks(out, inner);
            }
        }
    }
}

fn list(out: &mut String, items: &[String]) {
    items.iter().for_each(|item| *out += &format!("- {}\n", plain(item)));
    out.push('\n');
}

fn table(out: &mut String, table: &Table) {
    let row = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| plain(cell)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    *out += &format!("{}\n\n{}", plain(&table.caption), row(&table.head));
    let rule = |column| if table.numeric.contains(&column) { "---:" } else { "---" };
    let rules: Vec<&str> = (0..table.head.len()).map(rule).collect();
    *out += &format!("| {} |\n", rules.join(" | "));
    table.rows.iter().for_each(|cells| *out += &row(cells));
    out.push('\n');
}

/// Text in one line, with a backslash before whatever Markdown could take for its own, and without
/// the characters that could open a tag.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::Section;
    use super::*;

    fn page(text: &str) -> Page {
        let table = Table {
            caption: text.into(),
            head: vec![text.into(), "n".into()],
            rows: vec![vec![text.into(), "1".into()]],
            numeric: vec![1],
        };
        let code = Block::Code { title: text.into(), text: format!("```\n{text}") };
        Page {
            title: text.into(),
            answer: vec![text.into()],
            sections: vec![Section {
                id: "s".into(),
                title: text.into(),
                blocks: vec![Block::Table(table), Block::List(vec![text.into()]), code],
            }],
            ..Page::default()
        }
    }

    #[test]
    fn a_table_is_a_table_with_its_numbers_to_the_right() {
        let text = markdown(&page("arm"));
        assert!(text.contains("| arm | n |\n| --- | ---: |\n| arm | 1 |"), "{text}");
        assert!(text.starts_with("# arm\n"));
    }

    #[test]
    fn names_cannot_become_markup() {
        let text = markdown(&page("a|b\n<img src=x onerror=1> [x](javascript:1) **b** `c`"));
        let outside_code: Vec<&str> =
            text.lines().filter(|line| !line.starts_with("    ")).collect();
        for line in outside_code {
            assert!(
                !line.contains('<') && !line.contains("[x](") && !line.contains(" **b**"),
                "{line}"
            );
        }
        assert!(text.contains("| a\\|b &lt;img"), "{text}");
    }
}
