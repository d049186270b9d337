//! Downloads from a server in this process that misbehaves in every way a network does.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catscan_data::fetch::{Fetchable, Patience, RemoteFile, fetch};
use catscan_data::{DataError, Progress};
use sha2::{Digest, Sha256};
use tempfile::tempdir;

/// How one request is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    /// The file, from the byte that is asked for.
    Whole,
    /// The same, cut after so many bytes.
    Cut(usize),
    /// All of it, whatever range is asked for.
    NoRanges,
    /// A page that says 200.
    Page,
    /// As many bytes as wanted, but others.
    Other,
    /// More than it should be.
    More,
    Status(&'static str),
    /// A redirect to here.
    To(&'static str),
    /// So many bytes, without their number and without ranges.
    Unsaid(usize),
    /// The first 319 bytes as the whole file, with ranges; told by a length, or by ranges alone.
    Short {
        length: bool,
    },
    /// A partial answer that begins elsewhere.
    WrongRange,
}

struct Server {
    address: String,
    /// The `Range` of each request.
    asked: Arc<Mutex<Vec<Option<String>>>>,
}

fn content() -> Vec<u8> {
    (0..100_000u32).map(|i| (i.wrapping_mul(i) % 251) as u8).collect()
}

/// Answers one request after the other; the last answer is repeated.
fn serve(answers: &'static [Answer]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    std::thread::spawn(move || {
        for (i, stream) in listener.incoming().enumerate() {
            let answer = answers[i.min(answers.len() - 1)];
            // A client that has had enough hangs up.
            let _ = answer_one(stream.unwrap(), answer, &log);
        }
    });
    Server { address, asked }
}

fn answer_one(
    mut stream: TcpStream,
    answer: Answer,
    log: &Mutex<Vec<Option<String>>>,
) -> std::io::Result<()> {
    let mut range = None;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?.to_ascii_lowercase();
        if let Some(asked) = line.strip_prefix("range: bytes=") {
            range = Some(asked.trim_end_matches('-').to_owned());
        }
        if line.is_empty() {
            break;
        }
    }
    log.lock().unwrap().push(range.clone());
    let file = content();
    let from: usize = range.as_deref().map_or(0, |range| range.parse().unwrap());
    let partial = format!("206 Partial Content\r\nContent-Range: bytes {from}-99999/100000");
    let status = if range.is_some() { partial.as_str() } else { "200 OK" };
    let (status, length, body) = match answer {
        Answer::Whole => (status, 100_000 - from, file[from..].to_vec()),
        Answer::Cut(at) => (status, 100_000 - from, file[from..(from + at).min(100_000)].to_vec()),
        Answer::NoRanges => ("200 OK", 100_000, file),
        Answer::Page => ("200 OK", 24, b"<html>not found</html>\r\n".to_vec()),
        Answer::Other => ("200 OK", 100_000, vec![7; 100_000]),
        Answer::More => ("200 OK", 200_000, vec![7; 200_000]),
        Answer::Status(status) => (status, 4, b"sry\n".to_vec()),
        Answer::To(_) => ("302 Found", 0, Vec::new()),
        Answer::WrongRange => (
            "206 Partial Content\r\nContent-Range: bytes 5-99999/100000",
            99_995,
            file[5..].to_vec(),
        ),
        Answer::Unsaid(bytes) => ("200 OK", 0, file.into_iter().cycle().take(bytes).collect()),
        Answer::Short { .. } if from >= 319 => {
            ("416 Range Not Satisfiable\r\nContent-Range: bytes */319", 0, Vec::new())
        }
        Answer::Short { .. } => ("200 OK", 319, file[..319].to_vec()),
    };
    let to =
        if let Answer::To(to) = answer { format!("Location: {to}\r\n") } else { String::new() };
    let length = match answer {
        Answer::Unsaid(_) | Answer::Short { length: false } => String::new(),
        _ => format!("Content-Length: {length}\r\n"),
    };
    let head = format!("HTTP/1.1 {status}\r\n{to}{length}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

/// The set `test` of one file, whose hash is that of [`content`].
fn set() -> Fetchable {
    let hash: String = Sha256::digest(content()).iter().map(|b| format!("{b:02x}")).collect();
    let url = "http://127.0.0.1:1/unused";
    let sha256: &'static str = hash.leak();
    let file = RemoteFile { name: "set.bin", url, bytes: 100_000, sha256 };
    let files: &'static [RemoteFile] = vec![file].leak();
    Fetchable { name: "mnist", terms: "a test's", files, open: None }
}

const PATIENCE: Patience =
    Patience { tries: 3, pause: Duration::from_millis(1), stall: Duration::from_secs(5) };

fn run(folder: &Path, server: &Server) -> Result<(), DataError> {
    fetch(&set(), folder, Some(&server.address), PATIENCE, &())
}

/// What lies in the folder besides locks.
fn left(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".lock")).collect();
    names.sort();
    names
}

#[test]
fn a_file_that_is_right_is_there_and_fetched_once() {
    let (folder, server) = (tempdir().unwrap(), serve(&[Answer::Whole]));
    run(folder.path(), &server).unwrap();
    run(folder.path(), &server).unwrap();
    assert_eq!(std::fs::read(folder.path().join("set.bin")).unwrap(), content());
    assert_eq!(left(folder.path()), ["set.bin"]);
    assert_eq!(*server.asked.lock().unwrap(), [None]);
    std::fs::write(folder.path().join("set.bin"), b"mine").unwrap();
    let error = run(folder.path(), &server).unwrap_err();
    assert!(
        error.to_string().contains("is not the published file (4 bytes, want 100000"),
        "{error}"
    );
    assert_eq!(std::fs::read(folder.path().join("set.bin")).unwrap(), b"mine", "never overwritten");
}

#[test]
fn a_cut_connection_is_gone_on_with_as_long_as_something_comes() {
    use Answer::{Cut, Status, Whole};
    static ANSWERS: &[Answer] = &[
        Cut(30_000),
        Status("503 Service Unavailable"),
        Cut(1),
        Status("429 Too Many Requests"),
        Cut(20_000),
        Cut(0),
        Whole,
    ];
    let (folder, server) = (tempdir().unwrap(), serve(ANSWERS));
    run(folder.path(), &server).unwrap();
    assert_eq!(std::fs::read(folder.path().join("set.bin")).unwrap(), content());
    let asked: Vec<String> = server
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|range| range.clone().unwrap_or_default())
        .collect();
    assert_eq!(asked, ["", "30000", "30000", "30001", "30001", "50001", "50001"]);
}

#[test]
fn a_killed_fetch_is_gone_on_with_and_never_taken_for_whole() {
    let (folder, server) = (tempdir().unwrap(), serve(&[Answer::Whole]));
    std::fs::write(folder.path().join("set.bin.part"), &content()[..70_000]).unwrap();
    run(folder.path(), &server).unwrap();
    assert_eq!(server.asked.lock().unwrap()[0].as_deref(), Some("70000"));
    assert_eq!(left(folder.path()), ["set.bin"]);
    // A part of something else is noticed by the hash, and begun anew.
    let (folder, server) = (tempdir().unwrap(), serve(&[Answer::Whole]));
    std::fs::write(folder.path().join("set.bin.part"), [9; 70_000]).unwrap();
    run(folder.path(), &server).unwrap();
    let asked = server.asked.lock().unwrap().clone();
    assert_eq!(asked, [Some("70000".into()), None]);
}

#[test]
fn a_redirect_is_followed_and_asked_for_the_rest_too() {
    let (folder, server) = (tempdir().unwrap(), serve(&[Answer::To("/other/set"), Answer::Whole]));
    std::fs::write(folder.path().join("set.bin.part"), &content()[..70_000]).unwrap();
    run(folder.path(), &server).unwrap();
    assert_eq!(std::fs::read(folder.path().join("set.bin")).unwrap(), content());
    assert_eq!(*server.asked.lock().unwrap(), [Some("70000".into()), Some("70000".into())]);
}

#[test]
fn servers_without_ranges_or_with_wrong_ones_are_begun_anew() {
    for answers in [&[Answer::NoRanges][..], &[Answer::WrongRange, Answer::Whole][..]] {
        let (folder, server) = (tempdir().unwrap(), serve(answers));
        std::fs::write(folder.path().join("set.bin.part"), &content()[..10]).unwrap();
        run(folder.path(), &server).unwrap();
        assert_eq!(std::fs::read(folder.path().join("set.bin")).unwrap(), content());
    }
}

#[test]
fn what_is_not_the_file_is_never_used() {
    use Answer::{More, Other, Page, Short, Status, To, Unsaid};
    let cases: [(&'static [Answer], &str, usize); 15] = [
        (&[Other], "it is not the published file", 1),
        (&[Page], "the server's file has 24 bytes, the published one 100000", 1),
        (&[More], "the server's file has 200000 bytes, the published one 100000", 1),
        (&[Unsaid(200_000)], "more than the 100000 bytes it should", 1),
        (&[Short { length: true }], "the server's file has 319 bytes", 1),
        (&[Short { length: false }], "the server's file has 319 bytes", 2),
        // At 24, 0, 24 … bytes: more than nothing, and no more than was there.
        (&[Unsaid(24)], "the connection ended after 24 of 100000 bytes", 4),
        (&[Unsaid(400), Unsaid(500), Unsaid(400), Unsaid(500)], "after 500 of 100000 bytes", 5),
        (&[Status("404 Not Found")], "the server answers 404", 1),
        (&[Status("500 Internal Server Error")], "the server answers 500", 3),
        (
            &[To("file:///etc/passwd")],
            "sends on to file:///etc/passwd; only http and https are followed",
            1,
        ),
        (&[To("file://localhost/etc/passwd")], "only http and https are followed", 1),
        (&[To("ftp://127.0.0.1/set.bin")], "only http and https are followed", 1),
        (&[To("/again")], "more than 5 redirects, the last to http://", 6),
        (&[To("/elsewhere"), Status("404 Not Found")], "the server answers 404", 2),
    ];
    for (answers, says, requests) in cases {
        let (folder, server) = (tempdir().unwrap(), serve(answers));
        let outcome = run(folder.path(), &server);
        let error = outcome.unwrap_err();
        assert_eq!(error.exit_code(), 3, "{error}");
        assert!(error.to_string().contains(says), "{answers:?}: {error}, want {says}");
        assert!(error.to_string().contains("--url"), "{error}");
        assert!(!folder.path().join("set.bin").exists(), "{answers:?}");
        let asked = server.asked.lock().unwrap().len();
        assert_eq!(asked, requests, "{answers:?}");
    }
}

/// What is told while it is fetched.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn stage(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn note(&self, what: &str) {
        self.0.lock().unwrap().push(what.into());
    }
}

#[test]
fn wrong_bytes_are_asked_for_again_only_where_some_were_there_before() {
    use Answer::{Cut, Other, Whole};
    // What came of two tries may be of two files.
    let (folder, server) = (tempdir().unwrap(), serve(&[Cut(10), Whole]));
    std::fs::write(folder.path().join("set.bin.part"), [9; 70_000]).unwrap();
    let (notes, mirror) = (Notes::default(), Some(server.address.as_str()));
    fetch(&set(), folder.path(), mirror, PATIENCE, &notes).unwrap();
    let notes = notes.0.into_inner().unwrap();
    assert_eq!(notes.len(), 2, "{notes:?}");
    let ended = |note: &str| note.starts_with("set.bin: the connection broke off (");
    assert!(ended(&notes[0]) && notes[0].ends_with("; trying again in 1ms"), "{notes:?}");
    assert!(notes[1].contains("it is not the published file"), "{notes:?}");
    // Who makes way need not wait longer each time.
    let (folder, server) = (tempdir().unwrap(), serve(&[Cut(10), Cut(10), Cut(10), Whole]));
    let notes = Notes::default();
    let mirror = Some(server.address.as_str());
    fetch(&set(), folder.path(), mirror, PATIENCE, &notes).unwrap();
    let notes = notes.0.into_inner().unwrap();
    assert!(notes.len() == 3 && notes.iter().all(|note| note.ends_with(" in 1ms")), "{notes:?}");
    // What came in one go is no better the next time; and no part is left to go on with.
    let (folder, server) = (tempdir().unwrap(), serve(&[Other, Whole]));
    let error = run(folder.path(), &server).unwrap_err().to_string();
    assert!(error.ends_with("; name a mirror by --url, or try again later"), "{error}");
    assert_eq!((server.asked.lock().unwrap().len(), left(folder.path()).len()), (1, 0));
    let (folder, server) = (tempdir().unwrap(), serve(&[Cut(10), Cut(0)]));
    let error = run(folder.path(), &server).unwrap_err().to_string();
    assert!(error.contains("run it again to go on with ") && error.contains(".part,"), "{error}");
}

#[test]
fn what_is_no_address_is_refused_before_anything_is_made() {
    let folder = tempdir().unwrap();
    for mirror in ["file:///etc", "127.0.0.1:8811", "http://"] {
        let to = folder.path().join("new");
        let error = fetch(&set(), &to, Some(mirror), PATIENCE, &()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(!to.exists());
    }
}

#[test]
fn a_part_outlives_a_server_whose_file_is_another() {
    let (folder, server) = (tempdir().unwrap(), serve(&[Answer::Short { length: true }]));
    std::fs::write(folder.path().join("set.bin.part"), &content()[..70_000]).unwrap();
    let error = run(folder.path(), &server).unwrap_err().to_string();
    assert!(error.contains("the server's file has 319 bytes"), "{error}");
    assert_eq!(server.asked.lock().unwrap().len(), 1);
    assert_eq!(std::fs::read(folder.path().join("set.bin.part")).unwrap(), content()[..70_000]);
}

#[test]
fn nobody_there_is_told() {
    let folder = tempdir().unwrap();
    let nobody = Some("http://127.0.0.1:1");
    let error = fetch(&set(), folder.path(), nobody, PATIENCE, &()).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().starts_with("http://127.0.0.1:1/set.bin: "), "{error}");
}

#[test]
fn several_at_once_fetch_it_once() {
    let (folder, server) = (tempdir().unwrap(), serve(&[Answer::Whole]));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| run(folder.path(), &server).unwrap());
        }
    });
    assert_eq!(server.asked.lock().unwrap().len(), 1);
}
