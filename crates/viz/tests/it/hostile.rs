//! Case 26: hostile class, file and arm names must come out as text, everywhere in the page.

use super::support::{count, page_of, parsed};

const HOSTILE: [&str; 7] = [
    "\"><img src=x onerror=alert(1)>.jpg",
    "</script><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</style><svg onload=alert(1)>",
    "{{ 7919 * 7919 }} {% raw %} &lt; & \u{0}\u{202e}",
    "</title></textarea><iframe src=//evil>",
];

#[test]
fn hostile_names_make_no_element_and_no_attribute() {
    // A page of harmless text is the measure: the same elements, neither more nor fewer.
    let (_, harmless) = parsed(&page_of("harmless"));
    let kinds = ["script", "iframe", "img", "svg", "style", "a", "title", "text", "path", "*"];
    for name in HOSTILE {
        let (html, document) = parsed(&page_of(name));
        for kind in kinds {
            let (got, want) = (count(&document, kind), count(&harmless, kind));
            assert_eq!(got, want, "{kind} elements with {name}");
        }
        assert_eq!(count(&document, "script"), 1, "our own");
        for element in document.select(&scraper::Selector::parse("*").unwrap()) {
            for (attribute, value) in element.value().attrs() {
                assert!(!attribute.starts_with("on"), "{attribute} with {name}");
                assert_ne!(attribute, "style", "inline styles are forbidden by our policy");
                if attribute == "href" {
                    assert!(value.starts_with('#'), "a link out: {value}");
                }
                if attribute == "src" {
                    assert!(value.starts_with("data:image/"), "a picture from outside: {value}");
                }
            }
        }
        assert!(!html.contains("62710561"), "template text in a name was evaluated");
    }
}

#[test]
fn a_hostile_name_is_still_readable() {
    let (_, document) = parsed(&page_of(HOSTILE[0]));
    let heading = scraper::Selector::parse("h1").unwrap();
    let text: String = document.select(&heading).flat_map(|h| h.text()).collect();
    assert_eq!(text, HOSTILE[0]);
}
