//! colormap
/// viridis, for feature maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colormap {
    Viridis,
    Inferno,
    Turbo,
}
impl Colormap {
    /// The colour of `value`, clamped to 0..=1.
    pub fn colour(self, _value: f32) -> [u8; 3] {
        todo!()
    }
}
