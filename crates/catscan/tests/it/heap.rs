//! The real program's memory, as the system sees it: asked to be in huge pages, all of it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use super::support::catscan;

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn the_heap_is_advised_to_be_huge_and_costs_no_memory_before_it_is_used() {
    if fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap().trim() == "2" {
        println!("skipped: addresses count as memory here, so the heap is not grown ahead");
        return;
    }
    if !fs::exists("/sys/kernel/mm/transparent_hugepage").unwrap() {
        println!("skipped: this kernel has no huge pages");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = catscan(&["bench"], folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let request = r#"{"model":"densenet-mini","work":"step","batch":2,"size_px":32,
        "precision":"fp32","layout":"channels_last","memory":"keep","repeat":1}"#;
    writeln!(input, "{}", request.replace('\n', " ")).unwrap();
    let mut answer = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut answer).unwrap();
    assert!(answer.contains("seconds"), "{answer}");
    let maps = fs::read_to_string(format!("/proc/{}/smaps", child.id())).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());

    // The range that is advised, by far the largest: how large, how much of it is there.
    let number = |text: &str, key: &str| -> u64 {
        let rest = text.split(&format!("{key}:")).nth(1).unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    let huge = maps.split_inclusive("VmFlags:").collect::<Vec<_>>();
    let advised = huge.windows(2).filter(|pair| {
        let flags = pair[1].lines().next().unwrap();
        flags.split_whitespace().any(|flag| flag == "hg")
    });
    let (size, rss) = advised
        .map(|pair| (number(pair[0], "\nSize"), number(pair[0], "\nRss")))
        .max()
        .expect("no part of the memory is advised to be huge");
    assert!(size > 256 << 10, "{size} KiB are advised");
    assert!(0 < rss && rss < 512 << 10, "{rss} KiB are there");
}
