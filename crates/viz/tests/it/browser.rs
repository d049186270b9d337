//! The page in a real browser, where one is installed (Debian's `chromium`, or another Chrome): it
//! loads without a complaint, its script runs, the slider moves, and hostile names run nothing.

use super::support::page_of;
use catscan_viz::report;
use scraper::{Html, Selector};
use std::path::Path;
use std::process::Command;

/// The browser's program, or why the test says nothing.
fn browser() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok());
    if found.is_none() {
        println!("no chromium on this machine: the page was not tried in a browser");
        let required = std::env::var_os("CATSCAN_REQUIRE_BROWSER").is_some();
        assert!(!required, "CATSCAN_REQUIRE_BROWSER is set, and there is no browser");
    }
    found
}

/// The page as it stands after its script ran, and what the browser complained of.
fn open(browser: &str, folder: &Path, fragment: &str) -> (Html, Vec<String>) {
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--virtual-time-budget=2000", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}{fragment}", folder.join("report.html").display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // The page's own messages carry this mark; the browser's other worries are not ours.
    let complaints = said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned);
    (Html::parse_document(&String::from_utf8_lossy(&output.stdout)), complaints.collect())
}

fn count(document: &Html, selector: &str) -> usize {
    document.select(&Selector::parse(selector).unwrap()).count()
}

/// Names that mark the page if anything of them runs.
const HOSTILE: &str = "\"><img src=x onerror=\"document.documentElement.dataset.owned=1\">\
                       </script><script>document.documentElement.dataset.owned=1</script>\
                       <svg onload=\"document.documentElement.dataset.owned=1\">.jpg";

#[test]
fn the_page_works_in_a_browser_and_hostile_names_run_nothing() {
    let Some(browser) = browser() else { return };
    let folder = std::env::temp_dir().join(format!("catscan-browser-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let html = report::render(&page_of(HOSTILE)).unwrap();
    std::fs::write(folder.join("report.html"), html).unwrap();
    let (last, complaints) = open(browser, &folder, "");
    let (second, _) = open(browser, &folder, "#slide=2");
    std::fs::remove_dir_all(&folder).unwrap();

    assert_eq!(complaints, Vec::<String>::new());
    assert_eq!(count(&last, "html[data-owned]"), 0, "a name was run");
    assert_eq!(count(&last, "html.scripted"), 1, "our own script did not run");
    // Two copies of every block: charts can be saved twice over, tables as CSV, pictures as files.
    assert_eq!(count(&last, "button[aria-label$='as CSV']"), 2);
    assert!(count(&last, "button[aria-label*='as SVG']") >= 2);
    assert!(count(&last, "button[aria-label*='as PNG']") >= 2);
    // The slider shows one frame: the last, or the one that the address asks for.
    let hidden = |document: &Html, place: usize| {
        count(document, &format!(".frame:nth-of-type({place})[hidden]"))
    };
    assert_eq!(count(&last, "input[type=range]"), 2);
    assert_eq!(count(&last, ".frame:not([hidden])"), 2);
    assert_eq!([hidden(&last, 1), hidden(&last, 2), hidden(&last, 3)], [2, 2, 0]);
    assert_eq!([hidden(&second, 1), hidden(&second, 2), hidden(&second, 3)], [2, 0, 2]);
}
