//! A study's report in a real browser: at the width of a desk and of a phone, in both themes, by
//! keyboard, and looked through by axe.

use std::fs;
use std::path::Path;

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

    every_button_saves_what_it_says(&mut browser, here);
    // Every chart's values can be read without pointing, and those of the tables hold its points.
    let untold = "[...document.querySelectorAll('.panels')].filter((panels) => \
                  panels.querySelectorAll('svg').length !== \
                  panels.parentElement.querySelectorAll('.values table').length).length";
    assert_eq!(browser.value(untold), json!(0));
    assert_eq!(browser.value("document.querySelector('.values table').rows.length > 1"), true);
    browser.value("document.querySelectorAll('details').forEach((d) => { d.open = true; })");

    let mut grounds = Vec::new();
    for (width_px, theme) in [(1200, "light"), (1200, "dark"), (375, "light"), (375, "dark")] {
        browser.show(width_px, theme);
        assert!(browser.fits(width_px), "the page scrolls sideways at {width_px} px");
        grounds.push(browser.value("getComputedStyle(document.body).backgroundColor"));
        assert_eq!(browser.accessibility_faults(), Vec::<String>::new(), "{width_px} px, {theme}");
    }
    assert_ne!(grounds[0], grounds[1], "light and dark");
    it_prints(&mut browser);
    tables_become_spreadsheets(&mut browser);
}

/// The bytes of what the buttons save: tables that no spreadsheet obeys, charts that stand alone,
/// pictures of whatever is shown.
fn every_button_saves_what_it_says(browser: &mut Browser, here: &Path) {
    // Case 26: a name that a spreadsheet would run.
    let name = "=cmd|' /C calc'!A0";
    browser.value(&format!(
        "{{ const cells = document.querySelector('#result table').tBodies[0].rows[0].cells; \
         cells[0].textContent = {}; cells[1].textContent = '\u{2212}1.5'; \
         cells[2].textContent = '\"a\", b'; }} undefined",
        json!(name)
    ));
    let mut save = |label: &str, name: &str| {
        browser.save(&format!("button[aria-label='Save {label}']"), here, name)
    };
    let csv = String::from_utf8(save("result-1 as CSV", "result-1.csv")).unwrap();
    let lines: Vec<&str> = csv.split("\r\n").collect();
    let head = "\u{feff}\"arm\",";
    assert!(lines.len() == 4 && lines[0].starts_with(head), "a head and two arms: {csv}");
    assert!(lines[1].starts_with(&format!("\"'{name}\",")), "{csv}");
    assert!(lines[1].contains("-1.5") && lines[1].contains("\"\"\"a\"\", b\""), "{csv}");
    let csv = String::from_utf8(save("result-2 as CSV 1", "result-2-1.csv")).unwrap();
    let head = "\u{feff}\"arm\",\"seed\",\"test accuracy (%)\"\r\n\"avg\",\"1\",";
    assert!(csv.starts_with(head), "{csv}");

    let svg = String::from_utf8(save("curves-1 as SVG 2", "curves-1-2.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"), "{svg}");
    assert!(svg.contains("fill=\"#ffffff\"") && svg.contains("color=\"#1b1e23\""), "{svg}");
    assert!(!svg.contains("<script") && svg.contains("Accuracy (%)"), "{svg}");
    let open = |bytes: Vec<u8>| image::load_from_memory(&bytes).unwrap().to_rgb8();
    let png = save("curves-1 as PNG 2", "curves-1-2.png");
    assert_eq!(image::guess_format(&png).unwrap(), image::ImageFormat::Png);
    let png = open(png);
    assert_eq!(png.dimensions(), (940, 700), "twice as fine as on the page");
    assert!(png.pixels().any(|pixel| pixel.0 != [255; 3]), "an empty picture");

    // Pictures that the page holds as JPEG: the slider's layer that is shown (the keyboard left it
    // at the fifth), then all of them.
    let last = save("cams-2 as PNG", "cams-2-5.png");
    assert_eq!(image::guess_format(&last).unwrap(), image::ImageFormat::Png);
    let last = open(last);
    let all = open(save("cams-2 as PNG, all layers", "cams-2-all.png"));
    assert_eq!(all.width(), 3 * (last.width() + 10) - 10);
    assert_eq!(all.height(), 2 * (last.height() + 32) - 10);
    let jpeg = save("cams-2 as JPG", "cams-2-5.jpg");
    assert_eq!(image::guess_format(&jpeg).unwrap(), image::ImageFormat::Jpeg);
    assert_eq!(open(jpeg).dimensions(), last.dimensions());
    let gallery = "document.querySelector('.gallery-box button')?.getAttribute('aria-label')";
    assert!(browser.value(gallery).to_string().contains("as PNG"));
}

/// On paper: all of it, no control, nothing beyond the edge.
fn it_prints(browser: &mut Browser) {
    let pdf = browser.print();
    assert!(pdf.starts_with(b"%PDF-"));
    let pages = pdf.windows(11).filter(|bytes| *bytes == b"/Type /Page").count();
    let trees = pdf.windows(12).filter(|bytes| *bytes == b"/Type /Pages").count();
    assert!((4..100).contains(&(pages - trees)), "{pages} pages");
    browser.show_printed(700);
    assert!(browser.fits(700), "something is cut off on paper");
    let seen = "const seen = (what) => [...document.querySelectorAll(what)].filter((part) => \
                part.getClientRects().length > 0).length; ";
    let controls = format!("{{ {seen} seen('button, input, nav, .values') }}");
    assert_eq!(browser.value(&controls), json!(0));
    let frames =
        format!("{{ {seen} seen('.frame') === document.querySelectorAll('.frame').length }}");
    assert_eq!(browser.value(&frames), json!(true), "layers are left out on paper");
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
