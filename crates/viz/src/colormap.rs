//! From a number in 0..=1 to a colour. The tables are matplotlib's (CC0, by Stéfan van der Walt and
//! Nathaniel Smith, cividis by Jamie Nuñez and others; turbo by Anton Mikhailov, Google,
//! Apache-2.0), 256 × RGB, written by `scripts/golden/viz_tables.py`; grey needs none.

/// A table of 256 colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colormap {
    /// Dark blue to yellow, even steps in lightness: feature maps, as the study drew them.
    Viridis,
    /// Dark blue over red to yellow, even steps in lightness, more colourful.
    Plasma,
    /// Black over red to pale yellow, even steps in lightness: heat over a grey picture.
    Inferno,
    /// Black over purple to white, even steps in lightness.
    Magma,
    /// Dark blue to yellow, the same to those who cannot tell red from green.
    Cividis,
    /// A rainbow without the false edges of `jet`, for those who are used to one.
    Turbo,
    /// Black to white: for print, and for those who trust no colour.
    Grey,
}

impl Colormap {
    /// All of them, by the names of matplotlib.
    pub const ALL: [(&'static str, Colormap); 7] = [
        ("viridis", Colormap::Viridis),
        ("plasma", Colormap::Plasma),
        ("inferno", Colormap::Inferno),
        ("magma", Colormap::Magma),
        ("cividis", Colormap::Cividis),
        ("turbo", Colormap::Turbo),
        ("grey", Colormap::Grey),
    ];

    /// The colour of `value`. Below 0 and above 1 count as 0 and 1, NaN as 0.
    pub fn colour(self, value: f32) -> [u8; 3] {
        // A float that is NaN becomes 0 when cast.
        let step = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        let table: &[u8; 768] = match self {
            Colormap::Viridis => include_bytes!("colormap/viridis.rgb"),
            Colormap::Plasma => include_bytes!("colormap/plasma.rgb"),
            Colormap::Inferno => include_bytes!("colormap/inferno.rgb"),
            Colormap::Magma => include_bytes!("colormap/magma.rgb"),
            Colormap::Cividis => include_bytes!("colormap/cividis.rgb"),
            Colormap::Turbo => include_bytes!("colormap/turbo.rgb"),
            Colormap::Grey => return [step; 3],
        };
        let at = 3 * usize::from(step);
        [table[at], table[at + 1], table[at + 2]]
    }
}

#[cfg(test)]
mod tests {
    use super::Colormap::{self, *};

    #[test]
    fn ends_are_matplotlibs() {
        assert_eq!(Viridis.colour(0.0), [68, 1, 84]);
        assert_eq!(Viridis.colour(1.0), [253, 231, 37]);
        assert_eq!(Inferno.colour(0.0), [0, 0, 4]);
        assert_eq!(Turbo.colour(1.0), [122, 4, 3]);
        assert_eq!((Plasma.colour(0.0), Plasma.colour(1.0)), ([13, 8, 135], [240, 249, 33]));
        assert_eq!((Magma.colour(0.0), Magma.colour(1.0)), ([0, 0, 4], [252, 253, 191]));
        assert_eq!((Cividis.colour(0.0), Cividis.colour(1.0)), ([0, 34, 78], [254, 232, 56]));
        assert_eq!((Grey.colour(0.0), Grey.colour(0.5)), ([0; 3], [128; 3]));
    }

    #[test]
    fn values_outside_the_table_take_its_ends() {
        assert_eq!(Viridis.colour(-3.0), Viridis.colour(0.0));
        assert_eq!(Viridis.colour(f32::INFINITY), Viridis.colour(1.0));
        assert_eq!(Viridis.colour(f32::NAN), Viridis.colour(0.0));
    }

    #[test]
    fn all_but_the_rainbow_grow_lighter_all_the_way() {
        for (name, colours) in Colormap::ALL.iter().filter(|(_, colours)| *colours != Turbo) {
            let grey = |i: u32| {
                let [r, g, b] = colours.colour(i as f32 / 255.0).map(f32::from);
                0.2126 * r + 0.7152 * g + 0.0722 * b
            };
            assert!((0..255).step_by(5).all(|i| grey(i + 5) > grey(i)), "{name}");
        }
    }
}
