//! The page itself: one document with its style and script inside, under the report's kind of
//! policy. All that the script adds is text and pictures; it never parses markup.

use catscan_viz::report::policy;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The document and its Content-Security-Policy.
pub fn page() -> (String, String) {
    let page = PAGE.replace("{{ style }}", STYLE).replace("{{ script }}", SCRIPT);
    (page, policy(STYLE, SCRIPT, "connect-src 'self'; frame-ancestors 'none'"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn style_and_script_stand_in_the_page_as_hashed() {
        let (page, policy) = super::page();
        for part in [super::STYLE, super::SCRIPT] {
            assert!(page.contains(part));
        }
        assert!(policy.starts_with("default-src 'none'") && policy.contains("connect-src 'self'"));
        assert!(!policy.contains("unsafe") && !super::SCRIPT.contains("innerHTML"));
    }
}
