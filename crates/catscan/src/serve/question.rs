//! What was asked: an arm, a method, a class, a picture.

use catscan_viz::cam::CamRow;

use super::Refused;

pub struct Question {
    /// Its place among the arms.
    pub arm: usize,
    pub method: &'static CamRow,
    /// By default the one that the network predicts.
    pub class: Option<usize>,
    /// A file's bytes, of any format that can be decoded.
    pub picture: Vec<u8>,
}

impl Question {
    /// Reads `arm=0&method=grad-cam&class=1`; the picture comes after.
    pub fn parse(query: &str, arms: usize) -> Result<Question, Refused> {
        let (mut arm, mut method, mut class) = (None, None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "arm" => arm = value.parse().ok().filter(|arm| *arm < arms),
                "method" => method = CamRow::find(value),
                "class" => class = Some(value.parse().map_err(|_| (400, bad("class")))?),
                _ => return Err((400, "want arm, method and class only".into())),
            }
        }
        let arm = arm.ok_or_else(|| (400, bad("arm")))?;
        let method = method.ok_or_else(|| (400, bad("method")))?;
        Ok(Question { arm, method, class, picture: Vec::new() })
    }
}

fn bad(key: &str) -> String {
    format!("{key}: none of this name; /about lists what there is")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_or_refused() {
        let question = Question::parse("method=grad-cam&arm=1&class=0", 2).ok().unwrap();
        assert_eq!((question.arm, question.class), (1, Some(0)));
        assert_eq!(question.method.name, "grad-cam");
        for query in [
            "",
            "arm=0",
            "arm=2&method=grad-cam",
            "arm=-1&method=grad-cam",
            "arm=0&method=grad-kam",
            "arm=0&method=grad-cam&class=cat",
            "arm=0&method=grad-cam&file=/etc/passwd",
        ] {
            assert_eq!(Question::parse(query, 2).err().unwrap().0, 400, "{query}");
        }
    }
}
