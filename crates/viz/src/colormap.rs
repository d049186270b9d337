//! From a number in 0..=1 to a colour. The tables are matplotlib's (CC0, by Stéfan van der Walt and
//! Nathaniel Smith; turbo by Anton Mikhailov, Google, Apache-2.0), 256 × RGB, written by
//! `scripts/golden/viz_tables.py`.

/// A table of 256 colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colormap {
    /// Dark blue to yellow, even steps in lightness: feature maps, as the study drew them.
    Viridis,
    /// Black over red to pale yellow, even steps in lightness: heat over a grey picture.
    Inferno,
    /// A rainbow without the false edges of `jet`, for those who are used to one.
    Turbo,
}

impl Colormap {
    /// All of them, by the names of matplotlib.
    pub const ALL: [(&'static str, Colormap); 3] = [
        ("viridis", Colormap::Viridis),
        ("inferno", Colormap::Inferno),
        ("turbo", Colormap::Turbo),
    ];

    /// The colour of `value`. Below 0 and above 1 count as 0 and 1, NaN as 0.
    pub fn colour(self, value: f32) -> [u8; 3] {
        let table: &[u8; 768] = match self {
            Colormap::Viridis => include_bytes!("colormap/viridis.rgb"),
            Colormap::Inferno => include_bytes!("colormap/inferno.rgb"),
            Colormap::Turbo => include_bytes!("colormap/turbo.rgb"),
        };
        // A float that is NaN becomes 0 when cast.
        let at = 3 * (value.clamp(0.0, 1.0) * 255.0).round() as usize;
        [table[at], table[at + 1], table[at + 2]]
    }
}

#[cfg(test)]
mod tests {
    use super::Colormap::*;

    #[test]
    fn ends_are_matplotlibs() {
        assert_eq!(Viridis.colour(0.0), [68, 1, 84]);
        assert_eq!(Viridis.colour(1.0), [253, 231, 37]);
        assert_eq!(Inferno.colour(0.0), [0, 0, 4]);
        assert_eq!(Turbo.colour(1.0), [122, 4, 3]);
    }

    #[test]
    fn values_outside_the_table_take_its_ends() {
        assert_eq!(Viridis.colour(-3.0), Viridis.colour(0.0));
        assert_eq!(Viridis.colour(f32::INFINITY), Viridis.colour(1.0));
        assert_eq!(Viridis.colour(f32::NAN), Viridis.colour(0.0));
    }

    #[test]
    fn viridis_grows_lighter_all_the_way() {
        let grey = |i: u32| {
            let [r, g, b] = Viridis.colour(i as f32 / 255.0).map(f32::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        assert!((0..255).step_by(5).all(|i| grey(i + 5) > grey(i)));
    }
}
