//! Which version a libtorch folder holds, by its own files.

use std::fmt;
use std::fs;
use std::path::Path;

/// What `tch` 0.24.0 was made for, and what pip is asked for.
pub const FETCHED: &str = "2.11.0";

/// A libtorch version, `2.11.0+cu130`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    text: String,
}

impl Version {
    /// Reads `build-version` (libtorch archives, our cache) or `version.py` (Python's wheels).
    pub fn of(folder: &Path) -> Option<Self> {
        let archive = fs::read_to_string(folder.join("build-version")).ok();
        let text = archive.or_else(|| {
            let python = fs::read_to_string(folder.join("version.py")).ok()?;
            python_version(&python).map(str::to_owned)
        })?;
        Some(Self { text: text.trim().to_owned() })
    }

    /// Whether our `tch` builds against it: 2.11, any patch, any build (`+cpu`, `+cu130`).
    pub fn fits(&self) -> bool {
        let number = self.text.split('+').next().unwrap_or_default();
        let mut parts = number.split('.');
        (parts.next(), parts.next()) == (Some("2"), Some("11"))
            && parts.next().is_some_and(|patch| patch.parse::<u32>().is_ok())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `__version__ = '2.11.0+cu130'` in a wheel's `version.py`.
fn python_version(python: &str) -> Option<&str> {
    let line = python.lines().find(|line| line.starts_with("__version__"))?;
    line.split(['\'', '"']).nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version { text: text.to_owned() }
    }

    #[test]
    fn only_2_11_fits() {
        for fits in ["2.11.0", "2.11.0+cpu", "2.11.1+cu130"] {
            assert!(version(fits).fits(), "{fits}");
        }
        for other in ["2.1.0", "2.110.0", "2.12.0", "1.11.0", "2.11", "2.11.0a0", "", "two"] {
            assert!(!version(other).fits(), "{other}");
        }
    }

    #[test]
    fn a_wheel_states_it_in_python() {
        let python = "from typing import Optional\n\n__all__ = ['__version__', 'debug']\n\
                      __version__ = '2.11.0+cu130'\ndebug = False\n";
        assert_eq!(python_version(python), Some("2.11.0+cu130"));
        assert_eq!(python_version("debug = False\n"), None);
    }
}
