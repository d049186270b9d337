//! An SVG picture that is safe to put into a page as it is.
/// SVG markup made by this crate: its text is escaped, it holds no script, no style and no links.
/// Only this crate can make one, which is why the report may print it unescaped.
#[derive(Debug, Clone, PartialEq)]
pub struct Svg(String);
impl Svg {
    /// The markup, as a file of its own would hold it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
