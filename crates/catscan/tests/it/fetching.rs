//! `catscan data fetch` as a process: every set by its name, and killed in the middle.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catscan_data::fetch::FETCHABLE;

use super::support::{catscan, run};

/// Path and `Range` of each request.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// Answers the first request with `begin` bytes of a file that is announced as `announced` bytes
/// long, and then with silence; every later one with 404.
fn serve(begin: usize, announced: u64) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let log = asked.clone();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = read(&stream);
            log.lock().unwrap().push(request);
            if silent.is_empty() && begin > 0 {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {announced}\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(&vec![7; begin]).unwrap();
                silent.push(stream);
            } else {
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
    (address, asked)
}

/// Path and `Range` of a request.
pub fn read(stream: &TcpStream) -> (String, Option<String>) {
    let (mut path, mut range) = (String::new(), None);
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next().unwrap_or_default().to_owned();
        } else if let Some(asked) = line.to_ascii_lowercase().strip_prefix("range: ") {
            range = Some(asked.to_owned());
        } else if line.is_empty() {
            break;
        }
    }
    (path, range)
}

#[test]
fn every_set_is_asked_for_by_its_files_and_refused_where_they_are_not() {
    for set in FETCHABLE {
        let folder = tempfile::tempdir().unwrap();
        let (address, asked) = serve(0, 0);
        let args = ["data", "fetch", set.name, "--to", "here", "--url", &address];
        let said = run(&args, folder.path());
        assert_eq!(said.code, 3, "{}", said.stderr);
        let first = set.files[0].name;
        for want in [format!("{address}/{first}: the server answers 404"), "--url".into()] {
            assert!(said.stderr.contains(&want), "no {want:?} in\n{}", said.stderr);
        }
        assert_eq!(*asked.lock().unwrap(), [(format!("/{first}"), None)]);
        assert!(!folder.path().join("here").join(first).exists());
    }
}

#[test]
fn an_address_without_http_is_a_wrong_command_line_and_a_token_goes_with_each_file() {
    let folder = tempfile::tempdir().unwrap();
    let (address, asked) = serve(0, 0);
    let fetch =
        |url: &str| run(&["data", "fetch", "mnist", "--to", "here", "--url", url], folder.path());
    let said = fetch(address.strip_prefix("http://").unwrap());
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("begins with neither http:// nor https://"), "{}", said.stderr);
    assert!(asked.lock().unwrap().is_empty() && !folder.path().join("here").exists());
    let said = fetch(&format!("{address}/?token=abc"));
    assert_eq!(said.code, 3, "{}", said.stderr);
    let path = "/train-images-idx3-ubyte.gz?token=abc".to_owned();
    assert_eq!(*asked.lock().unwrap(), [(path, None)]);
    assert!(!said.stderr.contains("abc"), "{}", said.stderr);
}

#[test]
fn a_killed_fetch_keeps_its_part_and_goes_on_from_there() {
    let set = FETCHABLE.iter().find(|set| set.name == "mnist").unwrap();
    let file = &set.files[0];
    let begin = 300_000;
    let folder = tempfile::tempdir().unwrap();
    let (address, asked) = serve(begin, file.bytes);
    let args = ["data", "fetch", "mnist", "--to", "here", "--url", &address];
    let part = folder.path().join("here").join(format!("{}.part", file.name));
    let mut child = catscan(&args, folder.path()).stderr(Stdio::null()).spawn().unwrap();
    let (began, length) = (Instant::now(), || fs::metadata(&part).map_or(0, |meta| meta.len()));
    while length() < begin as u64 {
        assert!(began.elapsed() < Duration::from_secs(120), "{} bytes came", length());
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    assert!(!part.with_extension("").exists(), "half a file is never under its name");
    let said = run(&args, folder.path());
    assert_eq!(said.code, 3, "{}", said.stderr);
    let path = format!("/{}", file.name);
    let range = Some(format!("bytes={begin}-"));
    assert_eq!(*asked.lock().unwrap(), [(path.clone(), None), (path, range)]);
    assert_eq!(length(), begin as u64, "what came is kept for the next time");
}
