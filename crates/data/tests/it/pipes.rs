//! A pipe that is called like a set is refused, and not waited at.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use tempfile::tempdir;

use crate::help::{jpeg, open, put};
use crate::shards::{file, tar_of};

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_pipe_is_refused_before_it_is_opened() {
    let root = tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let good = [file("a/0.jpg", &jpeg(0)), file("b/1.jpg", &jpeg(1))];
    put(&at("shards/a.tar"), &tar_of(&good));
    for name in ["shards/b.tar", "pictures.zip", "list.csv", "cifar-10-binary.tar.gz"] {
        pipe(&at(name));
    }
    let sources = [
        ("shards:", "shards", "b.tar"),
        ("shards:", "shards/b.tar", "b.tar"),
        ("cats-vs-dogs:", "pictures.zip", "pictures.zip"),
        ("csv:", "list.csv", "list.csv"),
        ("cifar10:", "cifar-10-binary.tar.gz", "cifar-10-binary.tar.gz"),
    ];
    for (usage, path, named) in sources {
        let source = format!("{usage}{}", at(path).display());
        let (tell, told) = mpsc::channel();
        let asked = source.clone();
        // Whoever waits at the pipe waits for good: this test does not.
        std::thread::spawn(move || {
            let cache = tempdir().unwrap();
            let error = open(&asked, cache.path()).unwrap_err();
            let _ = tell.send((error.exit_code(), error.to_string()));
        });
        let answer = told.recv_timeout(Duration::from_secs(20));
        let (code, error) = answer.unwrap_or_else(|_| panic!("{source}: waits, or opens"));
        assert!(error.contains(named), "{error}");
        assert!(error.contains("is a device or a pipe, want a file"), "{error}");
        assert_eq!(code, 3, "{error}");
    }
}
