//! Where the numbers come from: pictures left out, the exact command, the machine, the recipes.

use anyhow::Result;
use catscan_data::Rejected;
use catscan_viz::report::{Block, Section};

use super::{FirstRun, section, table};
use crate::study::Study;
use crate::table::Table;

/// Everything needed to have the study again.
pub fn origin(study: &Study, shown: &[FirstRun]) -> Result<Section> {
    let mut blocks = rejected(&study.split.rejected);
    blocks.push(Block::Code {
        title: "Command, in a checkout of this commit".into(),
        text: format!(
            "cargo xtask {}",
            command(study.request.command.get(1..).unwrap_or_default())
        ),
    });
    blocks
        .push(table(varied(shown), "What the arms vary; everything else is equal in all of them."));
    blocks.push(table(environment(study), "Where the first run was made."));
    for FirstRun { run, .. } in shown {
        let text = run.record.recipe.to_json_pretty();
        let title = format!("recipe.json of {}", run.name);
        blocks.push(Block::Details {
            summary: format!("The whole recipe of arm {}", run.name.arm),
            blocks: vec![Block::Code { title, text }],
        });
    }
    Ok(section("origin", "How to have it again", blocks))
}

fn rejected(rejected: &[Rejected]) -> Vec<Block> {
    if rejected.is_empty() {
        return vec![Block::Paragraph("No picture was left out.".into())];
    }
    let count = rejected.len();
    let mut rows = Table::new(&["picture", "reason"]);
    rejected.iter().for_each(|bad| rows.row([&bad.name, &bad.reason]));
    let caption = format!("The {count} pictures that could not be used, in none of the parts.");
    let summary = format!("{count} pictures left out");
    vec![Block::Details { summary, blocks: vec![table(rows, &caption)] }]
}

/// The command as a shell takes it: words with special characters in quotes.
fn command(words: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./:,=+@%".contains(c))
    };
    let quote = |word: &String| match plain(word) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn varied(shown: &[FirstRun]) -> Table {
    let arms: Vec<&str> = shown.iter().map(|shown| &*shown.run.name.arm).collect();
    let head: Vec<&str> = std::iter::once("field").chain(arms.iter().copied()).collect();
    let mut rows = Table::new(&head);
    let recipe = |shown: &FirstRun| shown.run.record.recipe.clone();
    let first = recipe(&shown[0]);
    let mut fields: Vec<String> = Vec::new();
    for other in &shown[1..] {
        for difference in first.differences(&recipe(other)) {
            if !fields.contains(&difference.field) {
                fields.push(difference.field);
            }
        }
    }
    for field in fields {
        let value = |shown: &FirstRun| {
            let value = serde_json::to_value(recipe(shown)).expect("a recipe is plain data");
            let pointer = format!("/{}", field.replace('.', "/"));
            value.pointer(&pointer).map_or("–".into(), ToString::to_string)
        };
        rows.row(std::iter::once(field.clone()).chain(shown.iter().map(value)));
    }
    rows
}

fn environment(study: &Study) -> Table {
    let e = &study.environment;
    let mut rows = Table::new(&["what", "value"]);
    for (what, value) in [
        ("catscan", format!("{} (commit {})", e.catscan_version, e.git_commit)),
        ("libtorch", e.libtorch_version.clone()),
        ("processor", format!("{} ({})", e.cpu_name, e.cpu_features.join(", "))),
        ("system", e.os.clone()),
        ("device", e.device.clone()),
        ("threads of a run", e.threads.to_string()),
        ("started (UTC)", e.started.clone()),
    ] {
        rows.row([what.to_owned(), value]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let words = ["catscan", "train", "--data", "folder:my cats", "it's"].map(String::from);
        assert_eq!(command(&words), r"catscan train --data 'folder:my cats' 'it'\''s'");
    }

    #[test]
    fn pictures_left_out_are_all_listed() {
        let bad = |i: u32| Rejected { name: format!("{i}.jpg"), reason: "cut short".into() };
        let blocks = rejected(&[bad(1), bad(2)]);
        let Block::Details { summary, blocks } = &blocks[0] else { panic!("{blocks:?}") };
        let Block::Table(table) = &blocks[0] else { panic!("{blocks:?}") };
        assert_eq!((summary.as_str(), table.rows.len()), ("2 pictures left out", 2));
    }
}
