//! Natural order of names: `cat.2.jpg` comes before `cat.10.jpg`, on every file system.

use std::cmp::Ordering;

/// Compares runs of digits by value and everything else byte by byte; ties (`01` and `1`) fall
/// back to plain order, so that different names are never equal.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a.as_bytes(), b.as_bytes());
    loop {
        match (x.first(), y.first()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(p), Some(q)) if p.is_ascii_digit() && q.is_ascii_digit() => {
                let (m, n) = (digits(x), digits(y));
                let ordering = by_value(&x[..m], &y[..n]);
                if ordering != Ordering::Equal {
                    return ordering;
                }
                (x, y) = (&x[m..], &y[n..]);
            }
            (Some(p), Some(q)) if p != q => return p.cmp(q),
            _ => (x, y) = (&x[1..], &y[1..]),
        }
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// By length without leading zeros, then by digits: no number is too long.
fn by_value(a: &[u8], b: &[u8]) -> Ordering {
    let strip = |text: &[u8]| text.iter().position(|d| *d != b'0').unwrap_or(text.len());
    let (a, b) = (&a[strip(a)..], &b[strip(b)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_by_value() {
        let mut names = ["cat.10.jpg", "dog.1.jpg", "cat.9.jpg", "cat.009.jpg", "cat", "Cat.1"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, ["Cat.1", "cat", "cat.009.jpg", "cat.9.jpg", "cat.10.jpg", "dog.1.jpg"]);
    }
}
