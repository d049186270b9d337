//! Addresses: of a mirror's files, of where a server sends on to, and as people are shown them.

use ureq::http::Uri;

use crate::error::DataError;

/// Refuses what is no folder on the web before anything is asked for.
pub(super) fn check(mirror: &str) -> Result<(), DataError> {
    let refused = |what: String| Err(DataError::Mirror { url: shown(mirror), what });
    match scheme(mirror).as_deref() {
        Some("http" | "https") if mirror.contains("://") => {}
        _ => return refused("begins with neither http:// nor https://".into()),
    }
    match below(mirror, "x").parse::<Uri>() {
        Ok(address) if address.host().is_some_and(|host| !host.is_empty()) => Ok(()),
        Ok(_) => refused("names no server".into()),
        Err(error) => refused(format!("is no address ({error})")),
    }
}

/// The file `name` of `mirror`. What follows a `?`, a token say, stays behind the path.
pub(super) fn below(mirror: &str, name: &str) -> String {
    let mirror = mirror.split('#').next().unwrap_or(mirror);
    let (folder, query) = mirror.split_at(mirror.find('?').unwrap_or(mirror.len()));
    format!("{}/{name}{query}", folder.trim_end_matches('/'))
}

/// Without what may be a password: what follows a `?`, and what stands before an `@`.
pub(super) fn shown(url: &str) -> String {
    let path = &url[..url.find(['?', '#']).unwrap_or(url.len())];
    let query = if path.len() < url.len() { "?…" } else { "" };
    let begin = path.find("://").map_or(0, |at| at + 3);
    let host = &path[begin..path[begin..].find('/').map_or(path.len(), |at| begin + at)];
    match host.rfind('@') {
        Some(at) => format!("{}…{}{query}", &path[..begin], &path[begin + at..]),
        None => format!("{path}{query}"),
    }
}

/// Where the answer of `url` leads to. A server may send on by http alone: what else it names, a file
/// of ours say, is never opened.
pub(super) fn sent_on(url: &str, to: &str) -> Result<String, String> {
    match scheme(to).as_deref() {
        Some("http" | "https") => return Ok(to.to_owned()),
        Some(_) => {
            let to = shown(to);
            return Err(format!("the server sends on to {to}; only http and https are followed"));
        }
        None => {}
    }
    let url = &url[..url.find(['?', '#']).unwrap_or(url.len())];
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let host = rest.split('/').next().unwrap_or(rest);
    let folder = rest.rfind('/').map_or(rest, |end| &rest[..end]);
    Ok(match to {
        to if to.starts_with("//") => format!("{scheme}:{to}"),
        to if to.starts_with('/') => format!("{scheme}://{host}{to}"),
        to => format!("{scheme}://{folder}/{to}"),
    })
}

/// Of an address that has one, in small letters.
fn scheme(url: &str) -> Option<String> {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.filter(|scheme| !scheme.contains(['/', '?', '#', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_an_address_on_the_web() {
        for good in ["http://a.example", "HTTPS://a.example/x/", "http://127.0.0.1:8811/?t=1"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for (bad, says) in [
            ("file:///etc", "--url file:///etc: begins with neither http:// nor https://; give"),
            ("127.0.0.1:8811", "begins with neither"),
            ("localhost:8811", "begins with neither"),
            ("mirror.example/mnist", "begins with neither"),
            ("http:a.example", "begins with neither"),
            ("", "begins with neither"),
            ("http://", "is no address"),
            ("http://a b/", "is no address"),
        ] {
            let error = check(bad).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{error}");
            assert!(error.to_string().contains(says), "{bad}: {error}");
        }
    }

    #[test]
    fn a_token_stays_behind_the_path_and_is_not_shown() {
        let url = below("http://a.example/sets/?token=abc#top", "x.gz");
        assert_eq!(url, "http://a.example/sets/x.gz?token=abc");
        assert_eq!(shown(&url), "http://a.example/sets/x.gz?…");
        assert_eq!(below("http://a.example//", "x.gz"), "http://a.example/x.gz");
        assert_eq!(shown("https://me:secret@a.example/x@y"), "https://…@a.example/x@y");
    }

    #[test]
    fn a_server_sends_on_by_http_alone() {
        let from = |to| sent_on("https://a.example/sets/mnist/x.gz", to);
        for (to, want) in [
            ("http://b.example/y", "http://b.example/y"),
            ("HTTPS://b.example/y?z=1:2", "HTTPS://b.example/y?z=1:2"),
            ("//b.example/y", "https://b.example/y"),
            ("/y/x.gz?at=1:2", "https://a.example/y/x.gz?at=1:2"),
            ("y.gz", "https://a.example/sets/mnist/y.gz"),
        ] {
            assert_eq!(from(to).as_deref(), Ok(want));
        }
        let signed = sent_on("http://a.example/x?to=b/c", "y.gz");
        assert_eq!(signed.as_deref(), Ok("http://a.example/y.gz"));
        for to in ["file:///etc/passwd", "file:/etc/passwd", "ftp://b.example/y", "javascript:x"] {
            let refusal = from(to).unwrap_err();
            assert!(refusal.contains(&format!("sends on to {to}; only http")), "{refusal}");
        }
    }
}
