//! A study's report in a real browser: at the width of a desk and of a phone, in both themes, by
//! keyboard, and looked through by axe.

use std::fs;

use serde_json::json;
use tempfile::tempdir;

use super::chromium::Browser;
use super::support::succeed;

/// More than that is too much to send to somebody.
const MOST_BYTES: u64 = 8_000_000;

#[test]
fn a_report_serves_every_reader() {
    let folder = tempdir().unwrap();
    let here = folder.path();
    succeed(&["experiment", "smoke"], here);
    let report = here.join("runs/smoke/report.html");
    assert!(fs::metadata(&report).unwrap().len() < MOST_BYTES);
    let Some(mut browser) = Browser::open(here, &format!("file://{}", report.display())) else {
        return;
    };
    browser.wait_for("document.querySelector('html.scripted') !== null");
    // The question, then the answer, then what one must know to believe it.
    let heads = "[...document.querySelectorAll('h1, h2')].slice(1, 3).map((h) => h.textContent)";
    assert_eq!(browser.value(heads), json!(["Answer", "Before you believe it"]));
    let answer = browser.value("document.getElementById('answer').textContent").to_string();
    assert!(answer.contains("95 % interval"), "{answer}");

    // Every figure, gallery and table can be saved.
    let figures = "[...document.querySelectorAll('main figure:not(.thumb), main .gallery-box')]";
    let unsaved = format!("{figures}.filter((f) => !f.querySelector('button, pre')).length");
    assert_eq!(browser.value(&unsaved), json!(0));
    // Every point of a chart says its numbers when pointed at: itself, or one unseen above it.
    let silent = "const at = (point) => `${point.getAttribute('cx')} ${point.getAttribute('cy')}`; \
                  [...document.querySelectorAll('main svg')].flatMap((svg) => { \
                    const points = [...svg.querySelectorAll('circle')]; \
                    const says = points.filter((point) => point.querySelector('title')).map(at); \
                    return points.filter((point) => !says.includes(at(point))); \
                  }).length";
    assert_eq!(browser.value(silent), json!(0));

    // The slider obeys the keyboard.
    let shown = "document.querySelector('.frame:not([hidden]) img').src";
    let last = browser.value(shown);
    browser.value("document.querySelector('input[type=range]').focus(); undefined");
    browser.press("ArrowLeft", 37);
    browser.wait_for("document.querySelector('.slide output').textContent.includes('(5 of 6)')");
    assert_ne!(browser.value(shown), last);
    assert_eq!(browser.complaints, Vec::<String>::new());

    tables_become_spreadsheets(&mut browser);
    let mut grounds = Vec::new();
    for (width_px, theme) in [(1200, "light"), (1200, "dark"), (375, "light"), (375, "dark")] {
        browser.show(width_px, theme);
        assert!(browser.fits(width_px), "the page scrolls sideways at {width_px} px");
        grounds.push(browser.value("getComputedStyle(document.body).backgroundColor"));
        assert_eq!(browser.accessibility_faults(), Vec::<String>::new(), "{width_px} px, {theme}");
    }
    assert_ne!(grounds[0], grounds[1], "light and dark");
}

/// A table is saved as a spreadsheet reads it: numbers as numbers, text of files as text
/// (`shared/CASES.md`, 26: a formula is none).
fn tables_become_spreadsheets(browser: &mut Browser) {
    browser.value(
        "URL.createObjectURL = (blob) => { \
           blob.arrayBuffer().then((bytes) => { window.saved = [...new Uint8Array(bytes)]; }); \
           return 'about:blank'; \
         }; \
         HTMLAnchorElement.prototype.click = () => {}; \
         window.figure = document.querySelector('figure:has(table)'); \
         figure.querySelector('tbody').replaceChildren(); \
         figure.querySelector('thead').replaceChildren(); \
         const line = (place, tag, cells) => { \
           const row = document.createElement('tr'); \
           cells.forEach((text, i) => { \
             const cell = document.createElement(tag); \
             cell.textContent = text; \
             if (i > 0) cell.className = 'number'; \
             row.append(cell); \
           }); \
           figure.querySelector(place).append(row); \
         }; \
         line('thead', 'th', ['arm', 'difference', 'over seeds', 'parameters', 'seconds']); \
         line('tbody', 'td', ['=cmd|calc', '−2.43 ± 2.52', '−4.95 to +0.09', '7,038,529', '9']); \
         line('tbody', 'td', ['-1+1', '+1.00 (n = 1)', 'one seed', '–', '12 (2 of 3 runs)']); \
         line('tbody', 'td', ['a \"b\", é', '=1+1', '=1 to 2', '+1+1', '@x']); \
         figure.querySelector('button[aria-label$=\"as CSV\"]').dispatchEvent(new Event('click')); \
         undefined",
    );
    browser.wait_for("window.saved !== undefined");
    let bytes: Vec<u8> = serde_json::from_value(browser.value("window.saved")).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let want = "\u{feff}\"arm\",\"difference\",\"difference, ±\",\"over seeds, low\",\"over seeds, \
                high\",\"parameters\",\"seconds\",\"seconds, note\"\r\n\
                \"'=cmd|calc\",-2.43,2.52,-4.95,0.09,7038529,9,\r\n\
                \"'-1+1\",1.00,\"(n = 1)\",\"one seed\",,,12,\"(2 of 3 runs)\"\r\n\
                \"a \"\"b\"\", é\",\"'=1+1\",,\"'=1 to 2\",,\"'+1+1\",\"'@x\",\r\n";
    assert_eq!(text, want);
}
