//! Public sets from where they are published: resumed where it broke off, checked by SHA-256 before
//! anything may use it, and nothing half made.
//!
//! A file is written to `NAME.part` and renamed when its size and hash are right; archives stay
//! archives, since sources read them where they lie, so nothing is ever unpacked to disk. Whoever
//! fetches holds `NAME.lock`, so two processes fetch a file once. A mirror (`--url`) is another
//! folder with the same files; it needs no trust, since the hashes are the published ones.
//!
//! Kaggle's own download wants an account, whose keys are the user's business: put its `train.zip`
//! or `dogs-vs-cats.zip` anywhere and name it, `cats-vs-dogs:PATH`.

mod address;
mod sets;

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::http::StatusCode;

pub use sets::{FETCHABLE, Fetchable, RemoteFile};

use crate::error::{DataError, Doing};
use crate::lock;
use crate::progress::Progress;

/// How often and how patiently.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Tries in a row after which no more is there than once was, before giving up.
    pub tries: u32,
    /// Before the second try; doubled before each further one.
    pub pause: Duration,
    /// Without a byte, before a try is over.
    pub stall: Duration,
}

impl Default for Patience {
    /// Three tries, a second's pause, a minute's silence.
    fn default() -> Patience {
        let (pause, stall) = (Duration::from_secs(1), Duration::from_secs(60));
        Patience { tries: 3, pause, stall }
    }
}

/// Where fetched sets lie when nobody says otherwise.
pub fn default_folder(cache_dir: &Path, set: &str) -> PathBuf {
    cache_dir.join("sets").join(set)
}

/// All files of a set into `folder`, each from its published address or from `mirror`. Files that
/// are there and right are left alone.
///
/// # Errors
/// [`DataError::Mirror`] where `mirror` is no address on the web (exit 2); [`DataError::Download`]
/// where a file cannot be had, or is not the published one (exit 3); storage errors (exit 7).
pub fn fetch(
    set: &Fetchable,
    folder: &Path,
    mirror: Option<&str>,
    patience: Patience,
    progress: &dyn Progress,
) -> Result<(), DataError> {
    mirror.map_or(Ok(()), address::check)?;
    let storing = |error| DataError::storage(folder, Doing::Fetching, error);
    std::fs::create_dir_all(folder).map_err(storing)?;
    for file in set.files {
        let url = match mirror {
            Some(mirror) => address::below(mirror, file.name),
            None => file.url.to_owned(),
        };
        fetch_file(file, &url, folder, patience, progress)?;
    }
    Ok(())
}

fn fetch_file(
    file: &RemoteFile,
    url: &str,
    folder: &Path,
    patience: Patience,
    progress: &dyn Progress,
) -> Result<(), DataError> {
    let target = folder.join(file.name);
    let part = folder.join(format!("{}.part", file.name));
    let storing = |error| DataError::storage(&part, Doing::Fetching, error);
    let lock = folder.join(format!("{}.lock", file.name));
    let _lock = lock::take(&lock, &format!("fetches {}", file.name), progress).map_err(storing)?;
    if target.exists() {
        return check_known(file, &target);
    }
    let mut job = Job { file, url, part: &part, patience, progress };
    job.run()?;
    std::fs::rename(&part, &target).map_err(storing)
}

/// A file of the user's is never overwritten.
fn check_known(file: &RemoteFile, path: &Path) -> Result<(), DataError> {
    let (bytes, hash) = hash_of(path).map_err(|error| DataError::read(path, error))?;
    if (bytes, hash.as_str()) == (file.bytes, file.sha256) {
        return Ok(());
    }
    let what = format!(
        "is there and is not the published file ({bytes} bytes, want {}; SHA-256 {}…, want {}…)",
        file.bytes,
        &hash[..12],
        &file.sha256[..12]
    );
    Err(DataError::refused(path, what, "move it away and fetch again"))
}

fn hash_of(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let bytes = io::copy(&mut BufReader::new(File::open(path)?), &mut hasher)?;
    let hash = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, hash))
}

/// Why a try ended without the file.
enum Failed {
    /// Another try may do better.
    Again(String),
    /// No try will.
    Never(String),
    Storage(io::Error),
}

/// The wrong bytes came. Where some were `kept` from an earlier try, those may be what is wrong; a
/// file that came in one go will be the same the next time.
fn other_file(kept: u64, what: String) -> Failed {
    if kept > 0 { Failed::Again(what) } else { Failed::Never(what) }
}

struct Job<'a> {
    file: &'a RemoteFile,
    url: &'a str,
    part: &'a Path,
    patience: Patience,
    progress: &'a dyn Progress,
}

const MEGABYTE: u64 = 1_000_000;
const MOST_REDIRECTS: usize = 5;

/// How long the whole file is, by the head of an answer that gives it or knows no such range.
fn announced(response: &ureq::http::Response<ureq::Body>) -> Option<u64> {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let total = match response.status() {
        StatusCode::OK => header("content-length"),
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
            header("content-range").and_then(|range| range.rsplit('/').next())
        }
        _ => None,
    };
    total?.trim().parse().ok()
}

impl Job<'_> {
    /// Until the part file is the published one.
    fn run(&mut self) -> Result<(), DataError> {
        let storing = |error| DataError::storage(self.part, Doing::Fetching, error);
        let free = fs4::available_space(self.part.parent().unwrap_or(Path::new(".")));
        let free = free.map_err(storing)?;
        let needed = self.file.bytes.saturating_sub(self.have());
        if free < needed {
            let doing = Doing::Fetching;
            return Err(DataError::NoRoom { path: self.part.into(), doing, needed, free });
        }
        let megabytes = self.file.bytes.div_ceil(MEGABYTE);
        self.progress.stage(&format!("fetching {} (MB)", self.file.name), megabytes);
        self.progress.advance(self.have() / MEGABYTE);
        let (mut most, mut fruitless, mut pause) = (self.have(), 0, self.patience.pause);
        loop {
            let why = match self.attempt() {
                Ok(()) => return Ok(()),
                Err(Failed::Storage(error)) => return Err(storing(error)),
                Err(Failed::Never(why)) => return Err(self.gives_up(why)),
                Err(Failed::Again(why)) => why,
            };
            // A try that brought more than was ever there may be followed by as many as before.
            (fruitless, pause) = match self.have() > most {
                true => (0, self.patience.pause),
                false => (fruitless + 1, pause),
            };
            most = most.max(self.have());
            if fruitless >= self.patience.tries {
                return Err(self.gives_up(why));
            }
            let name = self.file.name;
            self.progress.note(&format!("{name}: {why}; trying again in {pause:?}"));
            std::thread::sleep(pause);
            pause = pause.saturating_mul(2).min(Duration::from_secs(60));
        }
    }

    fn have(&self) -> u64 {
        std::fs::metadata(self.part).map_or(0, |meta| meta.len())
    }

    fn gives_up(&self, why: String) -> DataError {
        let hint = match self.have() {
            0 => "name a mirror by --url, or try again later".into(),
            _ => {
                let part = self.part.display();
                format!("run it again to go on with {part}, or name a mirror by --url")
            }
        };
        DataError::Download { url: address::shown(self.url), what: why, hint }
    }

    fn forget(&self) -> Result<(), Failed> {
        match std::fs::remove_file(self.part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failed::Storage(error)),
            _ => Ok(()),
        }
    }

    /// One request for what is missing, then the check of the whole.
    fn attempt(&mut self) -> Result<(), Failed> {
        let mut have = self.have();
        if have > self.file.bytes {
            self.forget()?;
            have = 0;
        }
        let kept = if have < self.file.bytes { self.request(have)? } else { have };
        let (bytes, hash) = hash_of(self.part).map_err(Failed::Storage)?;
        let want = self.file.bytes;
        if bytes < want {
            return Err(Failed::Again(format!(
                "the connection ended after {bytes} of {want} bytes"
            )));
        }
        if hash == self.file.sha256 {
            return Ok(());
        }
        self.forget()?;
        let (is, want) = (&hash[..12], &self.file.sha256[..12]);
        let what = format!("SHA-256 is {is}…, want {want}…: it is not the published file");
        Err(other_file(kept, what))
    }

    /// Gives the bytes of earlier tries that were kept, 0 where the server began anew.
    fn request(&self, have: u64) -> Result<u64, Failed> {
        let mut response = self.answer(have)?;
        let status = response.status();
        let resumed = status == StatusCode::PARTIAL_CONTENT;
        let want = self.file.bytes;
        if let Some(total) = announced(&response).filter(|total| *total != want) {
            let what = format!("the server's file has {total} bytes, the published one {want}");
            return Err(Failed::Never(what));
        }
        match status {
            StatusCode::OK => {}
            StatusCode::PARTIAL_CONTENT if self.continues(&response, have) => {}
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                self.forget()?;
                return Err(Failed::Again(format!("the server cannot go on from byte {have}")));
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Failed::Again(format!("the server answers {status}")));
            }
            status => return Err(Failed::Never(format!("the server answers {status}"))),
        }
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(resumed).truncate(!resumed);
        let mut file = options.open(self.part).map_err(Failed::Storage)?;
        let begun = if resumed { have } else { 0 };
        // One byte more than there should be tells that it is something else.
        let most = want + 1 - begun;
        let copied = self.copy(&mut response.body_mut().as_reader().take(most), &mut file, begun);
        file.sync_all().map_err(Failed::Storage)?;
        let bytes = begun + copied?;
        if bytes > want {
            self.forget()?;
            let what = format!("the server sends more than the {want} bytes it should");
            return Err(other_file(begun, what));
        }
        Ok(begun)
    }

    /// To a request for the file from byte `have` on, of whatever server it is sent on to.
    fn answer(&self, have: u64) -> Result<ureq::http::Response<ureq::Body>, Failed> {
        let (agent, mut url) = (self.agent(), self.url.to_owned());
        for _ in 0..=MOST_REDIRECTS {
            let mut request = agent.get(&url);
            if have > 0 {
                request = request.header("Range", format!("bytes={have}-"));
            }
            let response = request.call().map_err(|error| match error {
                ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failed::Never(error.to_string()),
                other => Failed::Again(other.to_string()),
            })?;
            let to = response.headers().get("location").and_then(|to| to.to_str().ok());
            match to.filter(|_| response.status().is_redirection()) {
                Some(to) => url = address::sent_on(&url, to).map_err(Failed::Never)?,
                None => return Ok(response),
            }
        }
        let last = address::shown(&url);
        Err(Failed::Never(format!("more than {MOST_REDIRECTS} redirects, the last to {last}")))
    }

    /// True if a partial answer begins where our part ends.
    fn continues(&self, response: &ureq::http::Response<ureq::Body>, have: u64) -> bool {
        let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
        range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
    }

    fn copy(&self, from: &mut impl Read, to: &mut File, begun: u64) -> Result<u64, Failed> {
        let mut buffer = vec![0; 1 << 16];
        let mut copied = 0;
        loop {
            let n = match from.read(&mut buffer) {
                Ok(0) => return Ok(copied),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(Failed::Again(format!("the connection broke off ({error})")));
                }
            };
            to.write_all(&buffer[..n]).map_err(Failed::Storage)?;
            let (before, now) = (begun + copied, begun + copied + n as u64);
            copied += n as u64;
            self.progress.advance(now / MEGABYTE - before / MEGABYTE);
        }
    }

    fn agent(&self) -> Agent {
        Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(self.patience.stall))
            .timeout_recv_response(Some(self.patience.stall))
            .timeout_per_read(Some(self.patience.stall))
            .user_agent(concat!("catscan/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent()
    }
}
