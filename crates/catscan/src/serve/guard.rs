//! Who may ask, and how much they may send.
//!
//! A page of another site, open in the same browser, must not reach the networks: neither by a
//! request of its own (its `Origin` is another) nor under a name of its own that it lets point at
//! this machine (the `Host` is another; DNS rebinding).

use std::io::Read;
use std::net::SocketAddr;

use tiny_http::Request;

use super::Refused;

pub struct Guard {
    /// The names under which this machine alone is reached; empty where others may come.
    hosts: Vec<String>,
    most_bytes: u64,
}

impl Guard {
    pub fn new(address: SocketAddr, most_bytes: u64) -> Guard {
        let port = address.port();
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let hosts = match address.ip().is_loopback() {
            true => names.iter().map(|name| format!("{name}:{port}")).collect(),
            false => Vec::new(),
        };
        Guard { hosts, most_bytes }
    }

    /// Refuses a request that no page of ours has sent.
    pub fn check(&self, request: &Request) -> Result<(), Refused> {
        self.allows(header(request, "Host"), header(request, "Origin"))
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

    /// The body, if it is not too long. Its length is not taken on trust.
    pub fn read(&self, request: &mut Request) -> Result<Vec<u8>, Refused> {
        let most = self.most_bytes;
        let too_long = || (413, format!("longer than {most} bytes; send a smaller picture"));
        if request.body_length().is_some_and(|length| length as u64 > most) {
            return Err(too_long());
        }
        let mut bytes = Vec::new();
        let read = request.as_reader().take(most + 1).read_to_end(&mut bytes);
        read.map_err(|error| (400, format!("the picture broke off: {error}")))?;
        if bytes.len() as u64 > most { Err(too_long()) } else { Ok(bytes) }
    }
}

fn header<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    let found = request.headers().iter().find(|header| header.field.equiv(name));
    found.map(|header| header.value.as_str())
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
    fn others_may_come_where_they_were_invited() {
        let guard = Guard::new("0.0.0.0:80".parse().unwrap(), 9);
        assert!(guard.allows(Some("lab"), Some("http://lab")).is_ok());
        assert!(guard.allows(Some("lab"), Some("http://evil.example")).is_err());
    }
}
