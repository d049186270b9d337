//! A Python 3 with a pip new enough to fetch wheels for another Python.

use std::process::Command;

use crate::failure::Failure;

/// `pip` by way of the interpreter that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pip {
    /// The interpreter and what must follow it, such as `py -3`.
    words: Vec<String>,
    /// `23.2.1`.
    pub version: String,
}

/// The first pip that takes several `--platform`s.
const OLDEST: (u32, u32) = (20, 3);

/// Where interpreters are. The full path serves an active virtual environment without pip.
const INTERPRETERS: &[&str] = if cfg!(windows) {
    &["py -3", "python", "python3"]
} else {
    &["python3", "python", "/usr/bin/python3"]
};

impl Pip {
    /// Looks for it, and says what to install if there is none.
    pub fn find() -> Result<Self, Failure> {
        find_among(INTERPRETERS)
    }

    /// `python -m pip`, ready for its arguments.
    pub fn command(&self) -> Command {
        let mut command = python(&self.words);
        command.args(["-m", "pip"]);
        command
    }

    /// As one would type it.
    pub fn name(&self) -> String {
        format!("{} -m pip", self.words.join(" "))
    }
}

fn python(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

fn find_among(interpreters: &[&str]) -> Result<Pip, Failure> {
    // The best reason so far why none will do; a Python without pip beats none at all.
    let mut without_pip = None;
    let mut too_old = None;
    for name in interpreters {
        let words: Vec<String> = name.split(' ').map(str::to_owned).collect();
        match output(python(&words).args(["-m", "pip", "--version"])) {
            Some(text) => match pip_version(&text) {
                Some((version, number)) if number >= OLDEST => return Ok(Pip { words, version }),
                Some((version, _)) => too_old = too_old.or(Some((*name, version))),
                None => {}
            },
            None if output(python(&words).arg("--version")).is_some() => {
                without_pip = without_pip.or(Some(*name));
            }
            None => {}
        }
    }
    let (problem, remedy) = if let Some((name, version)) = too_old {
        let remedy = format!("{name} -m pip install --upgrade pip");
        (format!("{name} has pip {version}, want {}.{} or later", OLDEST.0, OLDEST.1), remedy)
    } else if let Some(name) = without_pip {
        (format!("{name} has no pip"), install("python3-pip"))
    } else {
        let tried = interpreters.join(", ");
        (format!("no Python 3 (tried {tried})"), install("python3 and python3-pip"))
    };
    Err(Failure::usage(format!(
        "libtorch is not on this machine, and {problem} to fetch it with; {remedy}, or set \
         LIBTORCH to a libtorch 2.11 folder"
    )))
}

fn install(packages: &str) -> String {
    let list = packages.replace(" and ", " ");
    format!(
        "install {packages} (Debian, Ubuntu: apt-get install {list}; Fedora: dnf install {list})"
    )
}

/// What a program prints if it starts and succeeds.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `pip 23.2.1 from … (python 3.11)`, as text and as a number; nothing for Python 2's.
fn pip_version(text: &str) -> Option<(String, (u32, u32))> {
    if text.contains("(python 2") {
        return None;
    }
    let version = text.strip_prefix("pip ")?.split_whitespace().next()?;
    let mut parts = version.split('.').map(|part| part.parse().ok());
    let number = (parts.next()??, parts.next().flatten().unwrap_or(0));
    Some((version.to_owned(), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pips_words_are_understood() {
        let words = "pip 23.2.1 from /usr/lib/python3/dist-packages/pip (python 3.11)\n";
        assert_eq!(pip_version(words), Some(("23.2.1".to_owned(), (23, 2))));
        let words = "pip 24 from /x (python 3.12)";
        assert_eq!(pip_version(words), Some(("24".to_owned(), (24, 0))));
        assert_eq!(pip_version("pip 20.3.4 from /x (python 2.7)"), None);
        assert_eq!(pip_version("No module named pip"), None);
    }

    #[test]
    fn nothing_found_says_what_to_install() {
        let failure = find_among(&["no-such-python"]).unwrap_err();
        assert_eq!(failure.exit, 2);
        for part in ["no Python 3", "apt-get install python3 python3-pip", "LIBTORCH"] {
            assert!(failure.message.contains(part), "{}", failure.message);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_python_without_pip_and_one_too_old_are_told_apart() {
        let temp = tempfile::tempdir().unwrap();
        let script = |name: &str, pip: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = temp.path().join(name);
            let text = format!("#!/bin/sh\n[ \"$1\" = --version ] && exit 0\n{pip}\n");
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let none = script("none", "exit 1");
        let old = script("old", "echo pip 19.3.1 from /x '(python 3.7)'");
        let good = script("good", "echo pip 23.0 from /x '(python 3.11)'");
        let message = |names: &[&str]| find_among(names).unwrap_err().message;
        assert!(message(&[&none]).contains("has no pip"), "{}", message(&[&none]));
        assert!(message(&[&none, &old]).contains("pip 19.3.1, want 20.3"));
        assert_eq!(find_among(&[&none, &old, &good]).unwrap().version, "23.0");
    }
}
