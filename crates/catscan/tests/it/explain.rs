//! `catscan explain` by the command line: several networks side by side, with all of its options,
//! and the page it writes, in a browser.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use serde_json::Value;
use tempfile::tempdir;

use super::chromium::Browser;
use super::serve::study;
use super::support::{run, succeed};

/// Two pictures, and masks of them.
fn pictures(here: &Path) {
    fs::create_dir(here.join("masks")).unwrap();
    for (name, red) in [("a", 20), ("b", 200)] {
        let pixel = |x: u32, y: u32| Rgb([red, (x * 5) as u8, (y * 6) as u8]);
        RgbImage::from_fn(50, 40, pixel).save(here.join(format!("{name}.png"))).unwrap();
        let mask = |x: u32, _| Rgb([if x < 25 { 255 } else { 0 }; 3]);
        RgbImage::from_fn(50, 40, mask).save(here.join(format!("masks/{name}.png"))).unwrap();
    }
}

/// A middle block of the two networks, which are alike but for their pooling.
fn block(here: &Path, weights: &str) -> String {
    let line = ["explain", "a.png", "--weights", weights, "--at", "all", "--json"];
    let told: Value = serde_json::from_str(&succeed(&line, here).stdout).unwrap();
    told[0]["taps"][2].as_str().unwrap().to_owned()
}

#[test]
fn networks_stand_side_by_side_and_each_says_what_it_says() {
    let folder = tempdir().unwrap();
    let here = folder.path();
    pictures(here);
    let study = study().join("study").display().to_string();
    let tap = block(here, &study);
    let drawn = |weights: &[&str], out: &str| -> Value {
        let mut line = vec!["explain", "a.png", "b.png", "--class", "dog", "--at", &tap, "--json"];
        for weights in weights {
            line.extend(["--weights", weights]);
        }
        line.extend(["--masks", "masks", "--channels", &tap, "--sort", "weight"]);
        line.extend(["--scale", "row", "--colormap", "cividis", "--out", out]);
        serde_json::from_str(&succeed(&line, here).stdout).unwrap()
    };
    let avg = format!("{study}/avg/seed-1");
    let one = drawn(&[&avg], "one");
    // An experiment stands for its arms; a run for itself.
    let two = drawn(&[&study], "two");
    let same = drawn(&[&avg, &format!("{study}/max/seed-1")], "same");
    assert_eq!((one.as_array().unwrap().len(), two.as_array().unwrap().len()), (2, 4));
    assert_eq!((&two[1]["network"], &two[1]["picture"]), (&"max".into(), &"a.png".into()));
    assert_eq!(same[0]["network"], "avg, seed-1");
    for told in two.as_array().unwrap() {
        let p = |name: &str| told[name].as_f64().unwrap();
        let want = match told["predicted"] == "dog" {
            true => p("probability"),
            false => 1.0 - p("probability"),
        };
        assert!((p("predicted_probability") - want).abs() < 1e-5 && want >= 0.5, "{told}");
        assert_eq!(told["class"], "dog");
        let energy = told["on_mask"]["taps"][0]["energy"].as_f64();
        assert!(energy.is_none_or(|energy| (0.0..=1.0).contains(&energy)), "{told}");
        assert_eq!(told["on_mask"]["covered"], 0.5);
    }
    // What the first network says does not depend on who stands beside it.
    assert_eq!(one[0]["probability"], two[0]["probability"]);
    assert_eq!(one[1]["on_mask"], two[2]["on_mask"]);

    let open = |path: &Value| image::open(here.join(path.as_str().unwrap())).unwrap().to_rgb8();
    let cut =
        ["a.png", "--weights", &avg, "--at", &tap, "--threshold", "0.8", "--html", "cut.html"];
    succeed(&[&["explain"][..], &cut].concat(), here);
    let page = fs::read_to_string(here.join("cut.html")).unwrap();
    assert!(page.contains("grad-cam from 80 % of its hottest"), "a cut map does not say so");

    let kind = "activation_maps";
    let (alone, beside) = (open(&one[0][kind]), open(&two[0][kind]));
    assert_eq!(beside.dimensions(), (2 * alone.width() + 18, alone.height() + 26));
    // A row of channels is shared among the networks, so that it is as wide as one's.
    let kind = "channels";
    let (alone, beside) = (open(&one[0][kind]), open(&two[0][kind]));
    assert_eq!(beside.width(), alone.width() + 6 + 18);
    assert!(beside.height() > alone.height());
    assert_eq!(open(&same[0][kind]).dimensions(), beside.dimensions());
    // The colours asked for: the bar begins with the darkest.
    let channels = open(&one[0]["channels"]);
    assert_eq!(channels.get_pixel(156, 24).0, [0, 34, 78], "cividis");

    let table = ["explain", "a.png", "--weights", &study, "--class", "cat", "--masks", "masks"];
    let table = succeed(&table, here).stdout;
    for words in ["predicted", "its probability", "network", "energy"] {
        assert!(table.contains(words), "{table}");
    }
}

#[test]
fn slips_are_told_before_anything_is_drawn() {
    let folder = tempdir().unwrap();
    let here = folder.path();
    pictures(here);
    let study = study().join("study").display().to_string();
    let tap = block(here, &study);
    fs::remove_dir_all(here.join("scans")).unwrap();
    for (more, words) in [
        (&["--at", "nosuch"][..], "avg: tap nosuch"),
        (&["--class", "bird"], "class bird: no such class"),
        (&["--channels", &tap, "--colormap", "viridiss"], "nearest is viridis"),
        (&["--channels", "nosuch"], "tap nosuch"),
        (&["--colormap", "magma"], "--channels"),
        (&["--weights", "nothing"], "nothing: no such file or folder"),
    ] {
        let line = [&["explain", "a.png", "--weights", &study][..], more].concat();
        let said = run(&line, here);
        assert_eq!(said.code, 2, "{more:?}: {}", said.stderr);
        assert!(said.stderr.contains(words), "{more:?}: {}", said.stderr);
    }
    assert!(!here.join("scans").exists(), "something was drawn");
}

#[test]
fn the_page_holds_all_networks_for_every_reader() {
    let folder = tempdir().unwrap();
    let here = folder.path();
    pictures(here);
    let study = study().join("study").display().to_string();
    let tap = block(here, &study);
    let line = ["explain", "a.png", "b.png", "--weights", &study, "--class", "dog", "--at", "all"];
    let more = ["--html", "page.html", "--masks", "masks", "--channels", &tap, "--most", "9"];
    succeed(&[&line[..], &more].concat(), here);
    let page = fs::read_to_string(here.join("page.html")).unwrap();
    for words in ["enlarged bilinearly", "the networks side by side", "for dog, whose probability"]
    {
        assert!(page.contains(words), "{words}");
    }
    let url = format!("file://{}", here.join("page.html").display());
    let Some(mut browser) = Browser::open(here, &url) else { return };
    browser.wait_for("document.querySelector('html.scripted') !== null");
    let answer = browser.value("document.getElementById('answer').textContent").to_string();
    assert!(answer.contains("a.png, avg: ") && answer.contains("b.png, max: "), "{answer}");
    assert_eq!(browser.value("document.querySelectorAll('.slider').length"), 2);
    for (width_px, theme) in [(1200, "light"), (375, "dark")] {
        browser.show(width_px, theme);
        assert!(browser.fits(width_px), "the page scrolls sideways at {width_px} px");
        assert_eq!(browser.accessibility_faults(), Vec::<String>::new(), "{width_px} px, {theme}");
    }
    assert_eq!(browser.complaints, Vec::<String>::new());
}
