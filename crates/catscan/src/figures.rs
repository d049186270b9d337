//! Numbers as text, with a minus (not a hyphen) where they lie below zero; what rounds to zero has
//! no sign.

/// With so many digits behind the point.
pub fn rounded(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    match text.strip_prefix('-') {
        Some(zero) if !zero.contains(|digit: char| ('1'..='9').contains(&digit)) => zero.to_owned(),
        _ => minus(&text),
    }
}

/// The same, with a plus where it lies above zero.
pub fn signed(value: f64, digits: usize) -> String {
    let text = rounded(value, digits);
    match value > 0.0 && text != rounded(0.0, digits) {
        true => format!("+{text}"),
        false => text,
    }
}

/// A number's text with minus signs, in its exponent too.
pub fn minus(text: &str) -> String {
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounds_to_zero_has_no_sign() {
        assert_eq!([-1.25, 0.5].map(|v| rounded(v, 1)), ["−1.2", "0.5"]);
        assert_eq!([-0.0004, 0.0004, 0.0].map(|v| rounded(v, 3)), ["0.000"; 3]);
        assert_eq!([-0.004, 0.004, -0.0].map(|v| signed(v, 2)), ["0.00"; 3]);
        assert_eq!([12.0, -12.0, 10.06].map(|v| signed(v, 1)), ["+12.0", "−12.0", "+10.1"]);
        assert_eq!(signed(0.6, 0), "+1");
        assert_eq!(minus("1.2e-5"), "1.2e−5");
    }
}
