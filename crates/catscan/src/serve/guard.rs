//! Who may ask, and how much they may send.
//!
//! A page of another site, open in the same browser, must not reach the networks: neither by a
//! request of its own (its `Origin` is another) nor under a name of its own that it lets point at
//! this machine (the `Host` is another; DNS rebinding).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::{Refused, busy};

/// How long an upload may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many times the longest picture is read and thrown away before the refusal: a browser that is
/// still sending would not see it.
const HEARD_OUT: u64 = 4;

/// So many of the longest pictures may be held at a time, arriving or waiting for an answer.
const HELD: u64 = 16;

pub struct Guard {
    /// The names under which this machine alone is reached; empty where others may come.
    hosts: Vec<String>,
    most_bytes: u64,
    /// Bytes of all uploads there are.
    held: Arc<AtomicU64>,
}

/// What somebody sent. It counts as held until it is dropped.
#[derive(Default)]
pub struct Upload {
    pub bytes: Vec<u8>,
    held: Arc<AtomicU64>,
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Upload {
    /// Takes more in, if all uploads together stay within `most` bytes.
    fn extend(&mut self, more: &[u8], most: u64) -> Result<(), Refused> {
        let length = more.len() as u64;
        if self.held.fetch_add(length, Ordering::Relaxed) + length > most {
            self.held.fetch_sub(length, Ordering::Relaxed);
            return Err(busy("too many pictures are on their way"));
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    fn clear(&mut self) {
        self.held.fetch_sub(self.bytes.len() as u64, Ordering::Relaxed);
        self.bytes.clear();
    }
}

impl Guard {
    pub fn new(address: SocketAddr, most_bytes: u64) -> Guard {
        if !address.ip().is_loopback() {
            return Guard { hosts: Vec::new(), most_bytes, held: Arc::default() };
        }
        let mut hosts = vec![address.to_string()];
        for name in ["127.0.0.1", "localhost", "[::1]"] {
            hosts.push(format!("{name}:{}", address.port()));
            // A browser leaves out the port that http has by default.
            hosts.extend((address.port() == 80).then(|| name.to_owned()));
        }
        Guard { hosts, most_bytes, held: Arc::default() }
    }

    /// Refuses a request that no page of ours has sent.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        self.allows(text("host"), text("origin"))
    }

    fn allows(&self, host: Option<&str>, origin: Option<&str>) -> Result<(), Refused> {
        let host = host.unwrap_or_default();
        if !self.hosts.is_empty() && !self.hosts.iter().any(|known| known == host) {
            return Err((403, "this page is for this machine, under its own name".into()));
        }
        match origin {
            Some(origin) if origin.strip_prefix("http://") != Some(host) => {
                Err((403, "another site's page may not ask".into()))
            }
            _ => Ok(()),
        }
    }

    /// The body, if it is not too long and comes in time. Its length is not taken on trust.
    pub async fn read(&self, body: Body) -> Result<Upload, Refused> {
        let too_slow =
            |_| (408, format!("not there after {} s; send it again", PATIENCE.as_secs()));
        timeout(PATIENCE, self.read_at_leisure(body)).await.map_err(too_slow)?
    }

    async fn read_at_leisure(&self, mut body: Body) -> Result<Upload, Refused> {
        let most = self.most_bytes;
        let too_long = || Err((413, format!("longer than {most} bytes; send a smaller picture")));
        let (mut length, heard_out) = (0, most.saturating_mul(HEARD_OUT));
        let mut upload = Upload { bytes: Vec::new(), held: self.held.clone() };
        while body.size_hint().lower() <= heard_out {
            let Some(frame) = body.frame().await else {
                return if length > most { too_long() } else { Ok(upload) };
            };
            let broke_off = |error| (400, format!("the picture broke off: {error}"));
            let Ok(data) = frame.map_err(broke_off)?.into_data() else { continue };
            length += data.len() as u64;
            match length {
                length if length > heard_out => break,
                length if length > most => upload.clear(),
                _ => upload.extend(&data, most.saturating_mul(HELD))?,
            }
        }
        too_long()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_page_may_ask() {
        let guard = Guard::new("127.0.0.1:8765".parse().unwrap(), 9);
        let allows = |host, origin| guard.allows(Some(host), origin).is_ok();
        assert!(allows("127.0.0.1:8765", None));
        assert!(allows("localhost:8765", Some("http://localhost:8765")));
        assert!(!allows("localhost:8765", Some("http://evil.example")));
        assert!(!allows("localhost:8765", Some("null")));
        assert!(!allows("evil.example:8765", Some("http://evil.example:8765")));
        assert!(guard.allows(None, None).is_err());
    }

    #[test]
    fn every_address_of_this_machine_can_be_listened_at() {
        let allows = |address: &str, host| {
            Guard::new(address.parse().unwrap(), 9).allows(Some(host), None).is_ok()
        };
        assert!(allows("127.0.0.2:8765", "127.0.0.2:8765"));
        assert!(allows("[::1]:8765", "[::1]:8765"));
        assert!(allows("127.0.0.1:80", "localhost"));
        assert!(!allows("127.0.0.1:8765", "localhost"));
    }

    #[test]
    fn uploads_together_hold_no_more_than_they_may() {
        let held = Arc::<AtomicU64>::default();
        let upload = || Upload { bytes: Vec::new(), held: held.clone() };
        let (mut first, mut second) = (upload(), upload());
        first.extend(&[1; 6], 10).unwrap();
        assert_eq!(second.extend(&[2; 5], 10).unwrap_err().0, 503);
        second.extend(&[2; 4], 10).unwrap();
        drop(first);
        second.extend(&[2; 6], 10).unwrap();
        drop(second);
        assert_eq!(held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn others_may_come_where_they_were_invited() {
        let guard = Guard::new("0.0.0.0:80".parse().unwrap(), 9);
        assert!(guard.allows(Some("lab"), Some("http://lab")).is_ok());
        assert!(guard.allows(Some("lab"), Some("http://evil.example")).is_err());
    }
}
