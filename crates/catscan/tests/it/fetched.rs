//! `catscan data fetch mnist` to its good end: the files that are published, to the byte, from a
//! server in this process that breaks off once; then the set by its name alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use catscan_data::fetch::{FETCHABLE, RemoteFile};

use super::fetching;
use super::support::catscan;

/// When the file within was last written, which gzip keeps with its name.
const WRITTEN: [(&str, u32); 4] = [
    ("train-images-idx3-ubyte.gz", 848_331_386),
    ("train-labels-idx1-ubyte.gz", 848_331_398),
    ("t10k-images-idx3-ubyte.gz", 885_827_245),
    ("t10k-labels-idx1-ubyte.gz", 885_827_268),
];

/// The four published files, packed anew by GNU's gzip from digits beside the project; `None`
/// with a message where these or such a gzip are not to be had.
fn published() -> Option<BTreeMap<String, Vec<u8>>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let root = std::env::var_os("CATSCAN_SHARED_DATA").map_or(beside, PathBuf::from).join("mnist");
    let set = FETCHABLE.iter().find(|set| set.name == "mnist").unwrap();
    let packed = |(name, written): &(&str, u32)| {
        let folder = tempfile::tempdir().unwrap();
        let (gz, plain) = (root.join(name), name.trim_end_matches(".gz"));
        let unpacked = Command::new("gzip").args(["-d", "-c"]).arg(&gz).output().ok()?;
        std::fs::write(folder.path().join(plain), unpacked.stdout).unwrap();
        let again = Command::new("gzip").args(["-6", "-c", plain]).current_dir(&folder).output();
        let mut bytes = again.ok()?.stdout;
        // Its header: ten bytes, of which four tell the time, and the name, which had a point.
        bytes.get_mut(4..8)?.copy_from_slice(&written.to_le_bytes());
        *bytes.get_mut(10 + plain.find("-idx")?)? = b'.';
        // Another gzip may pack in another way; the hash is asked by `fetch`.
        let long = |file: &RemoteFile| file.name == *name && file.bytes == bytes.len() as u64;
        set.files.iter().any(long).then(|| (format!("/{name}"), bytes))
    };
    let files: Option<_> = WRITTEN.iter().map(packed).collect();
    if files.is_none() {
        eprintln!("skipped: no mnist under {}, or a gzip that packs otherwise", root.display());
    }
    files
}

/// Path and first byte of each request.
type Asked = Arc<Mutex<Vec<(String, usize)>>>;

/// Serves `files`, from the byte that is asked for; the first answer breaks off in the middle.
fn serve(files: BTreeMap<String, Vec<u8>>) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let log = asked.clone();
    std::thread::spawn(move || {
        for (i, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let (path, range) = fetching::read(&stream);
            let from = range.as_deref().map_or(0, begin);
            let (bytes, all) = (&files[&path][from..], files[&path].len());
            log.lock().unwrap().push((path, from));
            let status = match from {
                0 => "200 OK".to_owned(),
                _ => format!("206 Partial\r\nContent-Range: bytes {from}-{}/{all}", all - 1),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", bytes.len());
            let sent = if i == 0 { &bytes[..bytes.len() / 2] } else { bytes };
            stream.write_all(&[head.as_bytes(), sent].concat()).unwrap();
        }
    });
    (address, asked)
}

/// The first byte that is asked for, of `bytes=300-`.
fn begin(range: &str) -> usize {
    range.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap()
}

#[test]
fn the_published_mnist_is_fetched_and_then_a_set_by_its_name() {
    let Some(files) = published() else { return };
    let half = files["/train-images-idx3-ubyte.gz"].len() / 2;
    let (address, asked) = serve(files);
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = catscan(args, folder.path());
        let output = command.env("CATSCAN_CACHE", folder.path().join("cache")).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        (String::from_utf8(output.stdout).unwrap(), stderr)
    };
    let fetch = ["data", "fetch", "mnist", "--url", &address];
    let (stdout, stderr) = run(&fetch);
    let printed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(printed["data"], "mnist");
    assert!(stderr.contains("use it as --data mnist"), "{stderr}");
    let want: Vec<(String, usize)> = [
        ("train-images-idx3", 0),
        ("train-images-idx3", half),
        ("train-labels-idx1", 0),
        ("t10k-images-idx3", 0),
        ("t10k-labels-idx1", 0),
    ]
    .map(|(name, from)| (format!("/{name}-ubyte.gz"), from))
    .to_vec();
    assert_eq!(*asked.lock().unwrap(), want);
    // What is there and right is not asked for again.
    run(&fetch);
    assert_eq!(*asked.lock().unwrap(), want);
    let (stdout, _) = run(&["data", "audit", "--data", "mnist", "--json"]);
    let audit: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(audit["readable"], 70_000);
}
