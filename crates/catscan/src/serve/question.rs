//! What was asked: an arm, a method, a class, a picture.

use axum::extract::Query;
use axum::http::Uri;
use catscan_viz::cam::CamRow;
use serde::Deserialize;

use super::Refused;
use super::guard::Upload;

pub struct Question {
    /// Its place among the arms.
    pub arm: usize,
    pub method: &'static CamRow,
    /// By default the one that the network predicts.
    pub class: Option<usize>,
    /// A file's bytes, of any format that can be decoded.
    pub picture: Upload,
}

/// What stands in an address, and nothing else may.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    arm: usize,
    method: String,
    class: Option<usize>,
}

impl Question {
    /// Reads `?arm=0&method=grad-cam%2B%2B&class=1`; the picture comes after.
    pub fn parse(address: &Uri, arms: usize) -> Result<Question, Refused> {
        let Query(Named { arm, method, class }) =
            Query::try_from_uri(address).map_err(|error| (400, error.body_text()))?;
        if arm >= arms {
            return Err((400, format!("arm {arm}: there are {arms}, from 0 on")));
        }
        let method = CamRow::find(&method)
            .ok_or_else(|| (400, format!("method {method}: /about lists what there is")))?;
        Ok(Question { arm, method, class, picture: Upload::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_or_refused() {
        let parse = |query: &str| Question::parse(&format!("/?{query}").parse().unwrap(), 2);
        let question = parse("method=grad-cam%2B%2B&arm=1&class=0").ok().unwrap();
        assert_eq!((question.arm, question.class), (1, Some(0)));
        assert_eq!(question.method.name, "grad-cam++");
        for query in [
            "",
            "arm=0",
            "arm=2&method=grad-cam",
            "arm=-1&method=grad-cam",
            "arm=0&method=grad-kam",
            "arm=0&method=grad-cam&class=cat",
            "arm=0&method=grad-cam&file=/etc/passwd",
        ] {
            assert_eq!(parse(query).err().unwrap().0, 400, "{query}");
        }
    }
}
