//! Every pooling has its card in docs/layers, with a figure that is what the layer does.

use std::fs;
use std::path::{Path, PathBuf};

use catscan_models::POOLS;

#[allow(dead_code, reason = "its main writes the files that are compared here")]
#[path = "../../examples/pool_figures.rs"]
mod pool_figures;

fn layers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/layers")
}

#[test]
fn every_row_has_a_card_with_all_its_parts() {
    let index = fs::read_to_string(layers().join("README.md")).unwrap();
    for row in POOLS {
        let name = format!("{}.md", row.name);
        let card = fs::read_to_string(layers().join(&name))
            .unwrap_or_else(|error| panic!("docs/layers/{name}: {error}; write the card"));
        assert!(card.lines().next().unwrap().ends_with(&format!("(`{}`)", row.name)), "{name}");
        let code = "](../../crates/models/src/pool/";
        let figure = format!("]({}.svg)", row.name);
        for part in [code, &figure, "\nPaper", "\n## Sites\n", "\n## Cost\n", "\n## Deviations\n"] {
            assert!(card.contains(part), "docs/layers/{name}: no {part:?}; write that part");
        }
        assert!(index.contains(&format!("]({name})")), "docs/layers/README.md: lacks {name}");
    }
}

#[test]
fn every_figure_is_what_its_layer_does() {
    for row in POOLS {
        let name = format!("{}.svg", row.name);
        let drawn = fs::read_to_string(layers().join(&name)).unwrap_or_default();
        let same = drawn.replace("\r\n", "\n") == pool_figures::figure(row);
        let fix = "cargo run --release -p catscan-models --example pool_figures";
        assert!(same, "docs/layers/{name}: differs from what the layer does; run {fix}");
    }
}
