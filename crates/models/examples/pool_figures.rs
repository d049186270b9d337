//! Draws what each pooling does to one small map, by the layer itself, for its card.
//!
//!     cargo run --release -p catscan-models --example pool_figures
//!
//! Writes `docs/layers/<name>.svg` for every row of POOLS. Each shows the map, its pooling by 2×2
//! windows and, beside that, what tells this pooling from others: two draws where it draws in
//! training, two settings where it learns, otherwise the same map moved right by one pixel and by
//! two. The tests draw the figures again and compare them with the files.

use std::fmt::Write;
use std::path::Path;

use catscan_models::{Draws, Extent, Mode, POOLS, Pool, PoolRow, Site};
use tch::{Device, Tensor};

/// Windows that rise, peak, are even, sink, are even, are all negative, hold an edge, are even and
/// are mixed.
const MAP: [[f64; 6]; 6] = [
    [1.0, 3.0, 0.0, 0.0, 2.0, 2.0],
    [5.0, 7.0, 0.0, 8.0, 2.0, 2.0],
    [-4.0, 0.0, 5.0, 5.0, -1.0, -3.0],
    [0.0, 0.0, 5.0, 5.0, -2.0, -6.0],
    [0.0, 4.0, 4.0, 4.0, 1.0, 0.0],
    [0.0, 4.0, 4.0, 4.0, -1.0, 6.0],
];

/// Side of a panel, and from one panel to the next, in pixels.
const SIDE_PX: f64 = 192.0;
const STEP_PX: f64 = SIDE_PX + 24.0;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/layers");
    for row in POOLS {
        let path = folder.join(format!("{}.svg", row.name));
        std::fs::write(&path, figure(row))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The figure of one row.
pub fn figure(row: &PoolRow) -> String {
    let map = Tensor::from_slice2(&MAP).view([1, 1, 6, 6]);
    let mut panels = vec![(String::from("the map"), map.shallow_clone())];
    if row.windows {
        panels.extend(pooled(row.pool, &map));
    } else {
        panels.push(("mean and maximum".into(), run(row.pool, Extent::Global, &map, 0, None)));
    }
    let width = STEP_PX * 4.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} 236\" \
         font-family=\"sans-serif\" font-size=\"12\" text-anchor=\"middle\" role=\"img\">\n\
         <title>{}: {}</title>\n<rect width=\"{width}\" height=\"236\" fill=\"#fff\"/>\n",
        row.name, row.about
    );
    for (i, (title, values)) in panels.iter().enumerate() {
        panel(&mut svg, 12.0 + STEP_PX * i as f64, title, values);
    }
    if row.windows {
        let (third, all) = (SIDE_PX / 3.0, SIDE_PX); // the windows' edges
        svg += &format!(
            "<path d=\"M12 {}h{all}m0 {third}h-{all}M{} 32v{all}m{third} 0v-{all}\" \
             stroke=\"#222\" stroke-width=\"2\"/>\n",
            32.0 + third,
            12.0 + third
        );
    }
    svg + "</svg>\n"
}

/// The pooled map as it is in evaluation, and two that differ from it.
fn pooled(pool: Pool, map: &Tensor) -> [(String, Tensor); 3] {
    let windows =
        |map: &Tensor, sample, learned| run(pool, Extent::TRANSITION, map, sample, learned);
    let plain = windows(map, 0, None);
    let moved = |pixels: i64| windows(&map.roll([pixels], [3]), 0, None);
    let set = |value| windows(map, 0, Some(value));
    let [start, a, b]: [(&str, Tensor); 3] = match pool {
        Pool::Stochastic | Pool::S3 => [
            ("in evaluation", plain),
            ("a draw in training", windows(map, 1, None)),
            ("another draw", windows(map, 2, None)),
        ],
        Pool::Mixed => [("α = 0, its start", plain), ("α = 2", set(2.0)), ("α = -2", set(-2.0))],
        Pool::Gated => {
            [("ω = 0, its start", plain), ("ω = 0.2", set(0.2)), ("ω = -0.2", set(-0.2))]
        }
        Pool::Gem => [("p = 3, its start", plain), ("p = 1", set(1.0)), ("p = 20", set(20.0))],
        _ => [
            ("pooled", plain),
            ("of the map moved right by 1", moved(1)),
            ("of the map moved right by 2", moved(2)),
        ],
    };
    [start, a, b].map(|(title, y)| (title.to_string(), y))
}

/// The layer's output: in evaluation for sample 0, in training for others; what it learns is set
/// to `learned`.
fn run(pool: Pool, extent: Extent, map: &Tensor, sample: u32, learned: Option<f64>) -> Tensor {
    let site = Site { name: "pool", channels: 1, extent };
    let (layer, weights) = pool.layer(site, Device::Cpu).expect("its row serves this extent");
    tch::no_grad(|| {
        for weight in &weights {
            if let Some(value) = learned {
                let _ = weight.tensor.shallow_clone().fill_(value);
            }
        }
        let samples = [sample];
        let mode = match sample {
            0 => Mode::Eval,
            _ => Mode::Train(Draws { seed: 1, epoch: 0, samples: &samples }),
        };
        let y = layer.forward(map, mode);
        if extent == Extent::Global { y.view([1, 1, 1, -1]) } else { y }
    })
}

/// A grid of numbered cells under its title, `left` pixels from the left.
fn panel(svg: &mut String, left: f64, title: &str, values: &Tensor) {
    let (_, _, rows, columns) = values.size4().expect("[1, 1, H, W]");
    let cell = SIDE_PX / columns.max(rows) as f64;
    let middle = left + SIDE_PX / 2.0;
    writeln!(svg, "<text x=\"{middle}\" y=\"22\">{title}</text>").expect("a string takes all");
    for row in 0..rows {
        for column in 0..columns {
            let value = values.double_value(&[0, 0, row, column]);
            let (x, y) = (left + cell * column as f64, 32.0 + cell * row as f64);
            writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{cell}\" height=\"{cell}\" fill=\"{}\" \
                 stroke=\"#999\"/><text x=\"{}\" y=\"{}\">{}</text>",
                colour(value),
                x + cell / 2.0,
                y + cell / 2.0 + 4.0,
                number(value)
            )
            .expect("a string takes all");
        }
    }
}

/// White at 0, orange above, blue below, full at ±8.
fn colour(value: f64) -> String {
    let full: [f64; 3] = if value > 0.0 { [238.0, 134.0, 40.0] } else { [70.0, 130.0, 210.0] };
    let share = (value.abs() / 8.0).min(1.0);
    let [r, g, b] = full.map(|channel| (255.0 + share * (channel - 255.0)).round() as u8);
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// One digit behind the point where there is something to say.
fn number(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0 + 0.0;
    if tenths.fract() == 0.0 { format!("{tenths:.0}") } else { format!("{tenths:.1}") }
}
