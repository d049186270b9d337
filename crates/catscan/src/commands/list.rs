//! `catscan list`: the tables that names come from.

use anyhow::Result;
use catscan_data::SOURCES;
use catscan_models::{Cost, MODELS, ModelRow, POOLS, PoolRow, Summary};
use catscan_viz::cam::{CAMS, CamRow};
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::experiment::{Arm, EXPERIMENTS, Experiment, Profile};
use crate::output::{print, print_json};
use crate::recipes::{RECIPES, RecipeRow};
use crate::study::print::thousands;
use crate::table::Table;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which table; all of them by default
    #[arg(value_enum)]
    pub what: Option<What>,
    /// Print the tables as JSON; recipes with all their numbers
    #[arg(long)]
    pub json: bool,
}

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    Models,
    Pools,
    Sources,
    Experiments,
    Arms,
    Cams,
    Recipes,
}

/// Prints one table, or all of them under their names.
pub fn run(args: &Args) -> Result<u8> {
    let all = What::value_variants();
    let wanted = args.what.as_ref().map_or(all, std::slice::from_ref);
    if args.json {
        let tables: Map<String, Value> =
            wanted.iter().map(|what| (what.name(), what.json())).collect();
        print_json(&tables)?;
        return Ok(0);
    }
    let text = match wanted {
        [what] => what.table().to_string(),
        all => {
            let section = |what: &What| format!("{}\n\n{}", what.name(), what.table());
            all.iter().map(section).collect::<Vec<_>>().join("\n")
        }
    };
    print(text)?;
    Ok(0)
}

/// Where a pooling can stand, in the words of a recipe.
fn sites(row: &PoolRow) -> &'static str {
    match (row.windows, row.global) {
        (true, true) => "stem, transition, head",
        (true, false) => "stem, transition",
        (false, _) => "head",
    }
}

impl What {
    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Column titles, then a line a row.
    fn lines(self) -> (Vec<&'static str>, Vec<Vec<String>>) {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        match self {
            What::Models => {
                let head =
                    vec!["name", "about", "#parameters", "#outputs", "#multiply-adds, G", "#px"];
                (head.into_iter().chain(["paper"]).collect(), MODELS.iter().map(model).collect())
            }
            What::Pools => {
                let row = |row: &PoolRow| texts(&[row.name, row.about, sites(row), row.paper]);
                (vec!["name", "about", "sites", "paper"], POOLS.iter().map(row).collect())
            }
            What::Cams => {
                let row =
                    |row: &CamRow| texts(&[row.name, row.about, row.formula, row.cost, row.paper]);
                (vec!["name", "about", "map", "cost", "paper"], CAMS.iter().map(row).collect())
            }
            What::Sources => {
                let row = |row: &catscan_data::SourceRow| texts(&[row.name, row.usage, row.about]);
                (vec!["name", "usage", "about"], SOURCES.iter().map(row).collect())
            }
            What::Experiments => {
                let row = |row: &Experiment| {
                    let factors = row.factorial.map(|design| {
                        let names: Vec<&str> = design.factors.iter().map(|f| f.name).collect();
                        names.join(" × ")
                    });
                    let arms = row.default_arms.join(", ");
                    texts(&[row.name, row.question, &arms, factors.as_deref().unwrap_or("–")])
                };
                let head = vec!["name", "question", "arms by default", "factorial"];
                (head, EXPERIMENTS.iter().map(row).collect())
            }
            What::Arms => {
                let rows = |row: &'static Experiment| {
                    row.arms.iter().map(move |arm| {
                        let asked = row.default_arms.contains(&arm.name);
                        texts(&[row.name, arm.name, if asked { "yes" } else { "no" }, arm.about])
                    })
                };
                let head = vec!["experiment", "arm", "by default", "about"];
                (head, EXPERIMENTS.iter().flat_map(rows).collect())
            }
            What::Recipes => {
                let row = |row: &RecipeRow| texts(&[row.name, row.about]);
                (vec!["name", "about"], RECIPES.iter().map(row).collect())
            }
        }
    }

    fn table(self) -> Table {
        let (head, rows) = self.lines();
        let mut table = Table::new(&head);
        rows.into_iter().for_each(|row| table.row(row));
        table
    }

    fn json(self) -> Value {
        match self {
            // Numbers as numbers, lists as lists.
            What::Models => MODELS.iter().map(model_json).collect(),
            What::Experiments => EXPERIMENTS.iter().map(experiment_json).collect(),
            What::Arms => EXPERIMENTS.iter().flat_map(arms_json).collect(),
            // A recipe's numbers are what one wants of it.
            What::Recipes => {
                let row = |row: &RecipeRow| {
                    let recipe = (row.make)();
                    json!({ "name": row.name, "about": row.about, "recipe": recipe })
                };
                RECIPES.iter().map(row).collect()
            }
            What::Pools | What::Cams | What::Sources => self.texts_json(),
        }
    }

    /// The table's texts under its titles.
    fn texts_json(self) -> Value {
        let (head, rows) = self.lines();
        let object = |row: Vec<String>| -> Value {
            head.iter()
                .zip(row)
                .map(|(key, cell)| ((*key).to_owned(), Value::from(cell)))
                .collect::<Map<_, _>>()
                .into()
        };
        rows.into_iter().map(object).collect()
    }
}

/// What a network costs with the pictures and the outputs it was made for.
fn cost(row: &ModelRow) -> Cost {
    let summary = Summary::of(&row.natural_config(), row.shape.natural().size_px);
    summary.expect("every network takes the pictures it was made for").cost
}

fn model(row: &ModelRow) -> Vec<String> {
    let cost = cost(row);
    vec![
        row.name.to_owned(),
        row.about.to_owned(),
        thousands(cost.parameters),
        row.shape.natural().outputs.to_string(),
        format!("{:.3}", cost.multiply_adds as f64 / 1e9),
        row.shape.natural().size_px.to_string(),
        row.paper.to_owned(),
    ]
}

fn model_json(row: &ModelRow) -> Value {
    let (cost, natural) = (cost(row), row.shape.natural());
    json!({
        "name": row.name,
        "about": row.about,
        "paper": row.paper,
        "size_px": natural.size_px,
        "channels": natural.channels,
        "outputs": natural.outputs,
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "activation_bytes": cost.activation_bytes,
    })
}

fn experiment_json(row: &Experiment) -> Value {
    let factors = row.factorial.iter().flat_map(|design| design.factors);
    json!({
        "name": row.name,
        "question": row.question,
        "default_arms": row.default_arms,
        "factors": factors.map(|factor| factor.name).collect::<Vec<_>>(),
    })
}

/// With the network that an arm trains in the quick profile.
fn arms_json(row: &Experiment) -> Vec<Value> {
    let arm = |arm: &Arm| {
        json!({
            "experiment": row.name,
            "arm": arm.name,
            "network": (arm.change)((row.plan)(Profile::Quick).recipe).model.name,
            "by_default": row.default_arms.contains(&arm.name),
            "about": arm.about,
        })
    };
    row.arms.iter().map(arm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_make_a_map_is_explained_to_readers() {
        let page = include_str!("../../../../docs/scans.md");
        for row in CAMS {
            let start = format!("| `{}` |", row.name);
            assert!(page.lines().any(|line| line.starts_with(&start)), "no line for {}", row.name);
        }
    }

    #[test]
    fn every_source_is_explained_to_readers() {
        let page = include_str!("../../../../docs/data.md");
        let mut lines = page.lines().skip_while(|line| !line.starts_with("| source |"));
        let table: Vec<&str> = lines.by_ref().take_while(|line| line.starts_with('|')).collect();
        for row in SOURCES {
            let spans = [":", "["].map(|after| format!("`{}{after}", row.name));
            let said = table.iter().any(|line| spans.iter().any(|span| line.contains(span)));
            assert!(said, "docs/data.md: no line for {}; write it", row.name);
        }
    }

    #[test]
    fn no_table_is_empty_and_no_row_lacks_a_cell() {
        for what in What::value_variants() {
            let (head, rows) = what.lines();
            assert!(!rows.is_empty(), "{}", what.name());
            for row in rows {
                assert_eq!(row.len(), head.len());
                assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
            }
        }
    }
}
