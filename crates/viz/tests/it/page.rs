//! The page as a whole: order, policy, accessibility.

use super::support::{count, page_of, parsed};
use scraper::Selector;

#[test]
fn the_answer_stands_before_everything_else() {
    let (html, document) = parsed(&page_of("words"));
    let place = |needle: &str| html.find(needle).unwrap_or_else(|| panic!("no {needle}"));
    assert!(place("<h1>") < place("id=\"answer\""));
    assert!(place("id=\"answer\"") < place("class=\"notices\""));
    assert!(place("class=\"notices\"") < place("<nav"));
    assert_eq!(count(&document, "main > section"), 4);
    assert_eq!(count(&document, "nav a"), 2);
    assert_eq!(count(&document, "details:not(.values)"), 1);
}

#[test]
fn the_policy_comes_first_and_forbids_all_but_our_style_and_pictures() {
    let (html, document) = parsed(&page_of("words"));
    let meta = Selector::parse("meta[http-equiv='Content-Security-Policy']").unwrap();
    let policy = document.select(&meta).next().unwrap().value().attr("content").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("'; script-src 'sha256-"), "{policy}");
    assert!(policy.contains("img-src data:") && !policy.contains("unsafe"));
    assert!(html.find("Content-Security-Policy") < html.find("<style>"));
    // Nothing is fetched: every address but SVG's name space is inside the page.
    let outside = html.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http://") && !outside.contains("https://"));
}

#[test]
fn everything_has_a_name_for_those_who_do_not_see_it() {
    let (_, document) = parsed(&page_of("words"));
    for (all, named) in [
        ("img", "img[alt]:not([alt=''])"),
        ("svg", "svg[role=img][aria-label]:not([aria-label=''])"),
        (".scroll", ".scroll[tabindex='0'][role=region][aria-label]"),
        ("thead th", "thead th[scope=col]"),
        ("tbody th", "tbody th[scope=row]"),
        ("main > section", "main > section[aria-labelledby]"),
    ] {
        assert_eq!(count(&document, all), count(&document, named), "{all}");
        assert!(count(&document, all) > 0, "{all}");
    }
    assert_eq!(count(&document, "a.skip[href='#answer']"), 1);
    assert_eq!(count(&document, "html[lang]"), 1);
    assert_eq!(count(&document, "h1"), 1);
    for labelled in document.select(&Selector::parse("[aria-labelledby]").unwrap()) {
        let id = labelled.value().attr("aria-labelledby").unwrap();
        assert_eq!(count(&document, &format!("#{id}")), 1, "{id}");
    }
}
