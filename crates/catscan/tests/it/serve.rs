//! `catscan serve`: over plain sockets what it answers and what it refuses, and the page in a
//! browser.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::chromium::Browser;
use super::support::{Running, run, start, succeed};

/// Two networks that have learnt next to nothing, trained once for all tests.
pub fn study() -> &'static Path {
    static STUDY: OnceLock<PathBuf> = OnceLock::new();
    STUDY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("serve");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for arm in ["avg", "max"] {
            let out = format!("study/{arm}/seed-1");
            let line = ["train", "--experiment", "smoke", "--max-steps", "1", "--arm", arm];
            succeed(&[&line[..], &["--out", &out]].concat(), &folder);
        }
        folder
    })
}

/// Their page.
struct Site {
    running: Running,
    address: String,
}

impl Site {
    fn open() -> Site {
        let line = ["serve", "study", "--listen", "127.0.0.1:0", "--max-mb", "1"];
        let mut running = start(&line, study());
        running.wait_for("2 networks at http://");
        running.wait_for("/, Ctrl-C");
        let address = running.said().split("http://").nth(1).unwrap();
        let address = address.split('/').next().unwrap().to_owned();
        Site { running, address }
    }

    /// Status, head and body of the answer to a request with these lines.
    fn ask(&self, line: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // A refusal may come before all is sent.
        let _ = stream.write_all(body);
        Site::answer(stream)
    }

    fn answer(mut stream: TcpStream) -> (u16, String, Vec<u8>) {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, answer[end + 4..].to_vec())
    }

    /// As the page would, with its own names.
    fn ours(&self, line: &str, body: &[u8]) -> (u16, Value) {
        let host = &self.address;
        let headers = format!("Host: {host}\r\nOrigin: http://{host}\r\n");
        let (status, _, body) = self.ask(line, &headers, body);
        (status, serde_json::from_slice(&body).unwrap())
    }
}

fn picture(folder: &Path) -> PathBuf {
    let path = folder.join("<img src=x onerror=alert(1)>.png");
    let pixel = |x: u32, y: u32| Rgb([(x * 5) as u8, (y * 5) as u8, 90]);
    RgbImage::from_fn(50, 40, pixel).save(&path).unwrap();
    path
}

#[test]
fn a_picture_is_answered_and_nothing_else() {
    let (site, folder) = (Site::open(), tempdir().unwrap());
    let png = fs::read(picture(folder.path())).unwrap();

    let (status, about) = site.ours("GET /about", b"");
    assert_eq!((status, &about["arms"][1]["name"]), (200, &json!("max")));
    let (status, answer) = site.ours("POST /explain?arm=1&method=grad-cam", &png);
    assert_eq!(status, 200, "{answer}");
    let shares: Vec<f64> = serde_json::from_value(answer["probabilities"].clone()).unwrap();
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{shares:?}");
    let frames = answer["frames"].as_array().unwrap();
    assert!(frames.len() > 3);
    for frame in frames {
        assert!(frame["picture"]["uri"].as_str().unwrap().starts_with("data:image/jpeg;base64,"));
    }

    for (line, body, status, word) in [
        ("POST /explain?arm=2&method=grad-cam", &png[..], 400, "arm"),
        ("POST /explain?arm=0&method=grad-cam&class=2", &png, 400, "want 0 to 1"),
        ("POST /explain?arm=0&method=grad-cam", &png[..99], 415, "not a picture"),
        ("POST /explain?arm=0&method=grad-cam", b"<html>", 415, "not a picture"),
        ("POST /explain?arm=0&method=grad-cam", &[0; 1_000_001], 413, "1000000"),
        ("POST /explain?arm=0&method=grad-cam&picture=/etc/passwd", &png, 400, "unknown field"),
        ("GET /../../etc/passwd", b"", 404, "nothing here"),
        ("GET /study/avg/seed-1/recipe.json", b"", 404, "nothing here"),
        ("PUT /about", b"", 405, "method"),
    ] {
        let (got, said) = site.ours(line, body);
        assert_eq!(got, status, "{line}: {said}");
        assert!(said["error"].as_str().unwrap().contains(word), "{line}: {said}");
    }
    // Other sites' pages, under whatever name.
    let host = &site.address;
    for headers in [
        "Host: evil.example\r\n".to_owned(),
        format!("Host: {host}\r\nOrigin: http://evil.example\r\n"),
        format!("Host: {host}\r\nOrigin: null\r\n"),
    ] {
        assert_eq!(site.ask("GET /about", &headers, b"").0, 403, "{headers}");
    }
    let (_, head, _) = site.ask("GET /", &format!("Host: {host}\r\n"), b"");
    assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
    assert_eq!(site.running.stop("-INT").0, -1, "a signal ends it");
}

#[test]
fn neither_a_length_that_lies_nor_silent_uploads_stop_the_page() {
    let site = Site::open();
    let head = |length: &str| {
        format!(
            "POST /explain?arm=0&method=grad-cam HTTP/1.1\r\nHost: {}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n",
            site.address
        )
    };
    let send = |text: &str| {
        let mut stream = TcpStream::connect(&site.address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let mut answer = String::new();
    send(&head("4000000000000000")).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let silent: Vec<TcpStream> = (0..20).map(|_| send(&head("999"))).collect();
    assert_eq!(site.ours("GET /about", b"").0, 200);
    drop(silent);
    assert_eq!(site.ours("GET /about", b"").0, 200);
}

/// Of many questions at once a few wait and the rest are sent away at once; of those who hang up
/// nobody is waited for.
#[test]
fn more_questions_than_can_wait_are_sent_away() {
    let (site, folder) = (Site::open(), tempdir().unwrap());
    let png = fs::read(picture(folder.path())).unwrap();
    let line = "POST /explain?arm=0&method=occlusion";
    let length = png.len();
    let head = format!("{line} HTTP/1.1\r\nHost: {}\r\n", site.address);
    let head = format!("{head}Connection: close\r\nContent-Length: {length}\r\n\r\n");
    let (last, before) = png.split_last().unwrap();
    // All but one byte of each is there; then they come faster than one can be answered.
    let mut asking: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(&site.address).unwrap();
            stream.write_all(&[head.as_bytes(), before].concat()).unwrap();
            stream
        })
        .collect();
    assert_eq!(site.ours("GET /about", b"").0, 200, "nobody is waited for");
    for stream in &mut asking {
        stream.write_all(&[*last]).unwrap();
    }
    let answers = asking.into_iter().map(Site::answer);
    let (good, busy): (Vec<_>, Vec<_>) = answers.partition(|(status, ..)| *status == 200);
    assert!(
        good.len() >= 8,
        "eight can wait, whether one is being answered or not: {}",
        good.len()
    );
    assert!(!busy.is_empty(), "40 questions waited");
    for (status, _, said) in busy {
        let said: Value = serde_json::from_slice(&said).unwrap();
        assert_eq!(status, 503, "{said}");
        assert!(said["error"].as_str().unwrap().contains("ask again"), "{said}");
    }

    for _ in 0..9 {
        let mut stream = TcpStream::connect(&site.address).unwrap();
        stream.write_all(&[head.as_bytes(), &png].concat()).unwrap();
    }
    assert_eq!(site.ours("GET /about", b"").0, 200, "the page answers meanwhile");
    let began = Instant::now();
    while site.ours(line, &png).0 != 200 {
        assert!(began.elapsed() < Duration::from_secs(60), "still busy for those who left");
    }
}

/// Methods that run the network for every channel make one map; what that costs is known before.
#[test]
fn slow_methods_look_at_the_last_block_and_say_what_they_cost() {
    let (site, folder) = (Site::open(), tempdir().unwrap());
    let png = fs::read(picture(folder.path())).unwrap();
    let (_, about) = site.ours("GET /about", b"");
    assert!(about["arms"][0]["channels"].as_u64().unwrap() > 8, "{about}");
    assert!(about["arms"][0]["at_most_s"].as_f64().unwrap() > 0.0, "{about}");
    let slow = |method: &&Value| method["slow"] == json!(true);
    let slow: Vec<&Value> = about["methods"].as_array().unwrap().iter().filter(slow).collect();
    assert_eq!(slow.len(), 2, "{about}");
    for method in slow {
        let line = format!("POST /explain?arm=0&method={}", method["name"].as_str().unwrap());
        let (status, answer) = site.ours(&line, &png);
        assert_eq!((status, answer["frames"].as_array().unwrap().len()), (200, 1), "{answer}");
    }
}

#[test]
fn the_page_works_in_a_browser() {
    let (site, folder) = (Site::open(), tempdir().unwrap());
    let folder = folder.path();
    let Some(mut browser) = Browser::open(folder, &format!("http://{}/", site.address)) else {
        return;
    };
    browser.wait_for("document.querySelectorAll('#arms figure').length === 2");
    assert_eq!(browser.value("document.getElementById('method').options.length > 10"), json!(true));
    let shown = "[...document.querySelectorAll('#arms img')].map((image) => image.src).join()";

    browser.choose("#file", &picture(folder));
    browser.wait_for("/ ms$/.test(document.getElementById('status').textContent)");
    let head = browser.value(shown);
    // The policy lets the pictures in.
    browser.wait_for("[...document.images].every((image) => image.naturalWidth === 32)");
    let texts = browser.value("document.body.innerText").to_string();
    assert!(texts.contains("<img src=x onerror"), "the file's name is text: {texts}");

    // The slider moves to the stem without asking anybody.
    let to_stem = "const layer = document.getElementById('layer'); layer.value = 0; \
                   layer.dispatchEvent(new Event('input')); undefined";
    browser.value(to_stem);
    assert_ne!(browser.value(shown), head);
    assert!(
        browser
            .value("document.querySelector('figcaption').textContent")
            .to_string()
            .contains("(1 of")
    );
    let says = browser.value("document.getElementById('layer').getAttribute('aria-valuetext')");
    assert!(says.to_string().contains("(1 of"), "{says}");

    // Every method that the page offers is answered.
    let methods =
        browser.value("[...document.getElementById('method').options].map((o) => o.text)");
    for method in methods.as_array().unwrap() {
        browser.value(&format!(
            "{{ const offered = document.getElementById('method'); offered.value = {method}; \
             offered.dispatchEvent(new Event('change')); }} undefined"
        ));
        let said = "document.getElementById('status').textContent";
        if ["score-cam", "ablation-cam"].contains(&method.as_str().unwrap()) {
            // What it costs is said first, and nobody is asked before it was read.
            let told = browser.value("document.getElementById('about').textContent").to_string();
            assert!(told.contains("at the last block only, forwards: avg "), "{told}");
            assert!(browser.value(said).to_string().contains("press Look"), "{method}");
            browser.value("document.getElementById('go').click(); undefined");
        }
        browser.wait_for(&format!("!{said}.startsWith('Looking')"));
        let said = browser.value(said).to_string();
        assert!(said.ends_with(" ms\""), "{method}: {said}");
    }

    for (width_px, theme) in [(1200, "light"), (375, "dark")] {
        browser.show(width_px, theme);
        assert!(browser.fits(width_px), "the page scrolls sideways at {width_px} px");
        assert_eq!(browser.accessibility_faults(), Vec::<String>::new(), "{width_px} px, {theme}");
    }

    // A picture that is dropped is taken like one that is chosen.
    let pixel = |x: u32, y: u32| Rgb([90, (x * 7) as u8, (y * 3) as u8]);
    RgbImage::from_fn(30, 30, pixel).save(folder.join("dragged.png")).unwrap();
    let before = browser.value(shown);
    browser.drop_file("dragged.png", &fs::read(folder.join("dragged.png")).unwrap());
    browser.wait_for("/^dragged.png: .* ms$/.test(document.getElementById('status').textContent)");
    assert_ne!(browser.value(shown), before);
    assert_eq!(browser.value("document.body.matches('.over')"), json!(false));

    // What is no picture is said in words.
    fs::write(folder.join("no.jpg"), "no").unwrap();
    browser.choose("#file", &folder.join("no.jpg"));
    browser.wait_for("/not a picture/.test(document.getElementById('status').textContent)");
    let stale = "[...document.querySelectorAll('#arms img')].filter((image) => !image.hidden)";
    assert_eq!(browser.value(&format!("{stale}.length")), json!(0), "an old answer stands");
    // The browser itself logs an answer of 415; nothing else was complained of.
    browser.complaints.retain(|line| !line.contains("415"));
    assert_eq!(browser.complaints, Vec::<String>::new());
    site.running.stop("-TERM");
}

#[test]
fn what_is_no_run_is_refused() {
    let folder = tempdir().unwrap();
    let said = run(&["serve", "."], folder.path());
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("neither a run's folder nor an experiment's"), "{}", said.stderr);
}
