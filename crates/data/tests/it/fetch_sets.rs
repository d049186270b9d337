//! Every row of FETCHABLE, from a server in this process: fetched under its own file names, cut in
//! the middle and gone on with, then opened by its name alone. The files are small ones of the same
//! kind, so the rows' sizes and hashes are replaced by theirs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catscan_data::fetch::{FETCHABLE, Fetchable, Patience, RemoteFile, default_folder, fetch};
use sha2::{Digest, Sha256};
use tempfile::tempdir;
use zip::CompressionMethod;

use crate::help::{gzip, jpeg, open, zip_of};

/// Pictures of each class in each file.
const EACH: u32 = 3;

fn idx(magic: u32, sizes: &[u32], body: Vec<u8>) -> Vec<u8> {
    let head = std::iter::once(&magic).chain(sizes).flat_map(|number| number.to_be_bytes());
    gzip(&head.chain(body).collect::<Vec<u8>>())
}

fn batch(seed: u32) -> Vec<u8> {
    let record = |i: u32| {
        let values = (0..3072u32).map(move |j| (seed * 31 + i * 7 + j * (i + 3)) as u8);
        std::iter::once((i % 10) as u8).chain(values)
    };
    (0..10 * EACH).flat_map(record).collect()
}

fn cifar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let names = (1..6).map(|i| format!("data_batch_{i}")).chain(["test_batch".to_owned()]);
    for (name, seed) in names.zip(0..) {
        let bytes = batch(seed);
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let path = format!("cifar-10-batches-bin/{name}.bin");
        builder.append_data(&mut header, path, bytes.as_slice()).unwrap();
    }
    gzip(&builder.into_inner().unwrap())
}

fn photographs() -> Vec<u8> {
    let file = |i: u32| {
        let (class, seed) = if i.is_multiple_of(2) { ("Cat", i) } else { ("Dog", 100 + i) };
        (format!("PetImages/{class}/{}.jpg", i / 2), jpeg(seed))
    };
    zip_of(&(0..20).map(file).collect::<Vec<_>>(), CompressionMethod::Stored)
}

/// A small file of the kind that is published under this name.
fn content(name: &str) -> Vec<u8> {
    let n = 10 * EACH;
    match name {
        "kagglecatsanddogs_5340.zip" => photographs(),
        "cifar-10-binary.tar.gz" => cifar(),
        name if name.contains("images-idx3") => {
            idx(2051, &[n, 28, 28], (0..n * 784).map(|i| (i * i / 97) as u8).collect())
        }
        name if name.contains("labels-idx1") => {
            idx(2049, &[n], (0..n).map(|i| (i % 10) as u8).collect())
        }
        name => panic!("{name}: a file of a new set; say here what it is like"),
    }
}

/// The row with the sizes and hashes of our files.
fn row(set: &Fetchable, files: &BTreeMap<String, Vec<u8>>) -> Fetchable {
    let small = |file: &RemoteFile| {
        let bytes = &files[file.name];
        let hash: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        let url = "http://127.0.0.1:1/not-asked";
        RemoteFile { url, bytes: bytes.len() as u64, sha256: hash.leak(), ..*file }
    };
    let files: Vec<RemoteFile> = set.files.iter().map(small).collect();
    Fetchable { files: files.leak(), ..*set }
}

/// Serves the files by name; the first answer for each breaks off in the middle.
fn serve(files: BTreeMap<String, Vec<u8>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/mirror/", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(stream.unwrap(), &files, &log);
        }
    });
    (address, asked)
}

fn answer(
    mut stream: TcpStream,
    files: &BTreeMap<String, Vec<u8>>,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (mut path, mut from) = (String::new(), 0);
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if let Some(rest) = line.strip_prefix("GET /mirror/") {
            path = rest.split(' ').next().unwrap_or_default().to_owned();
        } else if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        } else if line.is_empty() {
            break;
        }
    }
    log.lock().unwrap().push(format!("{path} from {from}"));
    let Some(file) = files.get(&path) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    let n = file.len();
    let (status, body) = match from {
        0 => ("200 OK".to_owned(), &file[..n / 2]),
        from => (
            format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{n}", n - 1),
            &file[from..],
        ),
    };
    let length = n - from;
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

#[test]
fn every_set_is_fetched_in_two_halves_and_opens_by_its_name() {
    let patience =
        Patience { tries: 3, pause: Duration::from_millis(1), stall: Duration::from_secs(5) };
    for set in FETCHABLE {
        let files: BTreeMap<String, Vec<u8>> =
            set.files.iter().map(|file| (file.name.to_owned(), content(file.name))).collect();
        let (mirror, asked) = serve(files.clone());
        let cache = tempdir().unwrap();
        let place = default_folder(cache.path(), set.name);
        let error = open(set.name, cache.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("catscan data fetch {}", set.name)), "{error}");
        fetch(&row(set, &files), &place, Some(&mirror), patience, &()).unwrap();
        let twice = |file: &RemoteFile| {
            let half = files[file.name].len() / 2;
            [format!("{} from 0", file.name), format!("{} from {half}", file.name)]
        };
        let want: Vec<String> = set.files.iter().flat_map(twice).collect();
        assert_eq!(*asked.lock().unwrap(), want);
        for (name, bytes) in &files {
            assert_eq!(&std::fs::read(place.join(name)).unwrap(), bytes, "{name}");
        }
        let opened = open(set.name, cache.path()).unwrap();
        let want = if set.name == "cats-vs-dogs" { 2 } else { 10 };
        assert_eq!(opened.classes.len(), want, "{}", set.name);
        assert!(opened.samples.len() >= 20, "{opened:?}");
    }
}
