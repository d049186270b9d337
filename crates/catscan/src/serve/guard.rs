//! Who may ask, and how much they may send.
//!
//! A page of another site, open in the same browser, must not reach the networks: neither by a
//! request of its own (its `Origin` is another) nor under a name of its own that it lets point at
//! this machine (the `Host` is another; DNS rebinding).

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::Refused;

/// How long an upload may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many times the longest picture is read and thrown away before the refusal: a browser that is
/// still sending would not see it.
const HEARD_OUT: u64 = 4;

pub struct Guard {
    /// The names under which this machine alone is reached; empty where others may come.
    hosts: Vec<String>,
    most_bytes: u64,
}

impl Guard {
    pub fn new(address: SocketAddr, most_bytes: u64) -> Guard {
        if !address.ip().is_loopback() {
            return Guard { hosts: Vec::new(), most_bytes };
        }
        let mut hosts = vec![address.to_string()];
        for name in ["127.0.0.1", "localhost", "[::1]"] {
            hosts.push(format!("{name}:{}", address.port()));
            // A browser leaves out the port that http has by default.
            hosts.extend((address.port() == 80).then(|| name.to_owned()));
        }
        Guard { hosts, most_bytes }
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
    pub async fn read(&self, body: Body) -> Result<Vec<u8>, Refused> {
        let too_slow =
            |_| (408, format!("not there after {} s; send it again", PATIENCE.as_secs()));
        timeout(PATIENCE, self.read_at_leisure(body)).await.map_err(too_slow)?
    }

    async fn read_at_leisure(&self, mut body: Body) -> Result<Vec<u8>, Refused> {
        let most = self.most_bytes;
        let too_long = || Err((413, format!("longer than {most} bytes; send a smaller picture")));
        let (mut bytes, mut length, heard_out) = (Vec::new(), 0, most.saturating_mul(HEARD_OUT));
        while body.size_hint().lower() <= heard_out {
            let Some(frame) = body.frame().await else {
                return if length > most { too_long() } else { Ok(bytes) };
            };
            let broke_off = |error| (400, format!("the picture broke off: {error}"));
            let Ok(data) = frame.map_err(broke_off)?.into_data() else { continue };
            length += data.len() as u64;
            match length {
                length if length > heard_out => break,
                length if length > most => bytes.clear(),
                _ => bytes.extend_from_slice(&data),
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
    fn others_may_come_where_they_were_invited() {
        let guard = Guard::new("0.0.0.0:80".parse().unwrap(), 9);
        assert!(guard.allows(Some("lab"), Some("http://lab")).is_ok());
        assert!(guard.allows(Some("lab"), Some("http://evil.example")).is_err());
    }
}
