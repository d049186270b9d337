//! libtorch by pip: into a temporary folder beside its place, checked, then renamed into it.

pub(super) mod trim;

use std::fs;
use std::io::stderr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Wanted;
use super::cache::{self, Lock};
use super::find::Found;
use super::inspect::inspect;
use super::platform::{self, Platform};
use super::python::Pip;
use super::version::{FETCHED, Version};
use crate::failure::Failure;
use crate::say::{say, timed};

/// Fetches the wanted set into the cache, unless another setup did so while we waited.
pub fn fetch(root: &Path, wanted: Wanted) -> Result<Found, Failure> {
    let place = cache::copy(wanted.cuda)?;
    if wanted.offline {
        return Err(Failure::usage(format!(
            "libtorch {FETCHED} is not on this machine and --offline forbids fetching it; {}",
            by_hand(&place)
        )));
    }
    let platform = platform::current()?;
    let size = platform.size(wanted.cuda)?;
    let pip = Pip::find()?;
    let folder = cache::folder()?;
    let lock = Lock::take(&folder)?;
    if let Ok(libtorch) = inspect(&place) {
        return Ok(Found { libtorch, how: "fetched meanwhile into" });
    }
    let partial = lock.fresh_partial(&folder)?;
    enough_room(&folder, size.peak_mb)?;
    say(format!(
        "libtorch {FETCHED}: fetching about {} MB by {} (pip {}) into {}, once",
        size.fetched_mb,
        pip.name(),
        pip.version,
        place.display()
    ));
    let job = Job { root, pip, platform, cuda: wanted.cuda, partial: partial.path.clone() };
    timed("fetching libtorch", || job.fill())?;
    trim::trim(&job.site(), wanted.cuda)?;
    state_version(&job.site().join("torch"))?;
    inspect(&job.site().join("torch")).map_err(|problem| {
        Failure::step(format!("what pip fetched will not do: {problem}; {}", by_hand(&place)))
    })?;
    let done = place.parent().expect("a copy lies in a folder of its own");
    if done.exists() {
        // It was looked at above and is damaged.
        fs::remove_dir_all(done).map_err(|error| Failure::cache(done, &error))?;
    }
    fs::rename(job.site(), done).map_err(|error| Failure::cache(done, &error))?;
    let libtorch = inspect(&place)
        .map_err(|problem| Failure::step(format!("{}: {problem}", place.display())))?;
    Ok(Found { libtorch, how: "fetched into" })
}

/// The ways without a network.
fn by_hand(place: &Path) -> String {
    format!(
        "set LIBTORCH to a libtorch 2.11 folder, or copy {} from a machine that has it",
        place.parent().unwrap_or(place).display()
    )
}

/// One fetch: who, what, where to.
struct Job<'a> {
    root: &'a Path,
    pip: Pip,
    platform: &'a Platform,
    cuda: bool,
    partial: PathBuf,
}

impl Job<'_> {
    /// Where pip puts the packages.
    fn site(&self) -> PathBuf {
        self.partial.join("site")
    }

    /// The user's own index first if there is one, then the pinned wheels.
    fn fill(&self) -> Result<(), Failure> {
        if let (Ok(index), false) = (std::env::var("CATSCAN_TORCH_INDEX"), self.cuda) {
            if self.fill_from(&index) {
                return Ok(());
            }
            say("CATSCAN_TORCH_INDEX: no fitting libtorch from there; falling back to the pins");
            let _ = fs::remove_dir_all(self.site());
        }
        let mut command = self.pip_install()?;
        command.arg("--require-hashes").arg("-r").arg(self.platform.pins(self.root, self.cuda));
        if succeeds(&mut command)? {
            return Ok(());
        }
        let place = cache::copy(self.cuda)?;
        enough_room(&self.partial, 200)?;
        Err(Failure::step(format!(
            "{} could not fetch libtorch {FETCHED}, its own words stand above; is there a network \
             (a proxy or a mirror goes into pip's settings)? Without one: {}",
            self.pip.name(),
            by_hand(&place)
        )))
    }

    /// A smaller CPU build from an index the user trusts: checked by its version, not by digest.
    fn fill_from(&self, index: &str) -> bool {
        say(format!("trying {index} for a CPU build first (CATSCAN_TORCH_INDEX)"));
        let local = if cfg!(target_os = "macos") { "" } else { "+cpu" };
        let Ok(mut command) = self.pip_install() else {
            return false;
        };
        command.args(["--retries", "0", "--timeout", "15", "--index-url", index]);
        command.arg(format!("torch=={FETCHED}{local}"));
        succeeds(&mut command).is_ok_and(|fetched| fetched)
            && inspect(&self.site().join("torch")).is_ok()
    }

    fn pip_install(&self) -> Result<Command, Failure> {
        pip_install(&self.pip, self.platform, &self.partial, &self.site())
    }
}

/// pip, about to unpack wheels of `platform` into `site`; what to fetch is for the caller to add.
pub(super) fn pip_install(
    pip: &Pip,
    platform: &Platform,
    partial: &Path,
    site: &Path,
) -> Result<Command, Failure> {
    let temporary = partial.join("tmp");
    fs::create_dir_all(&temporary).map_err(|error| Failure::cache(&temporary, &error))?;
    let mut command = pip.command();
    command.args(["install", "--no-deps", "--no-compile", "--no-cache-dir"]);
    // Any Python will do: the wheels of this one are taken for their libraries and headers.
    command.args(["--only-binary=:all:", "--python-version", "3.11"]);
    command.args(["--implementation", "cp", "--abi", "cp311"]);
    for tag in platform.tags {
        command.args(["--platform", tag]);
    }
    command.arg("--target").arg(site);
    // Unpack beside the target: a full disk is then the cache's, and moving costs nothing.
    for name in ["TMPDIR", "TMP", "TEMP"] {
        command.env(name, &temporary);
    }
    // pip's own settings (index, proxy, certificates) stay; these would only get in the way.
    command.env("PIP_USER", "0").env("PIP_REQUIRE_VIRTUALENV", "0");
    command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_NO_INPUT", "1");
    command.env("PIP_ROOT_USER_ACTION", "ignore");
    // stdout belongs to the program that is started later; pip draws its progress on stderr.
    command.stdin(Stdio::null()).stdout(stderr());
    Ok(command)
}

pub(super) fn succeeds(command: &mut Command) -> Result<bool, Failure> {
    let status = command.status();
    status
        .map(|status| status.success())
        .map_err(|error| Failure::step(format!("python: cannot be started: {error}")))
}

/// Writes the version where torch-sys looks for it, so that it checks it as well.
fn state_version(folder: &Path) -> Result<(), Failure> {
    let path = folder.join("build-version");
    let Some(version) = Version::of(folder) else {
        return Ok(());
    };
    fs::write(&path, format!("{version}\n")).map_err(|error| Failure::cache(&path, &error))
}

/// Refuses before fetching what will not fit.
pub(super) fn enough_room(folder: &Path, needed_mb: u32) -> Result<(), Failure> {
    match free_mb(folder) {
        Some(free) if free < u64::from(needed_mb) => Err(Failure::storage(format!(
            "{}: {free} MB free, want {needed_mb} MB; make room, or set CATSCAN_CACHE to a folder \
             on another disk",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// Free space by POSIX `df`; `None` where there is no such program.
fn free_mb(folder: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    free_mb_in(&String::from_utf8_lossy(&output.stdout))
}

fn free_mb_in(df: &str) -> Option<u64> {
    let kibibytes: u64 = df.lines().last()?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kibibytes * 1024 / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dfs_words_are_understood() {
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
                  /dev/vda 264212084 22130224 73155664 24% /\n";
        assert_eq!(free_mb_in(df), Some(74_911));
        assert_eq!(free_mb_in(""), None);
    }

    #[test]
    fn no_room_is_refused_with_both_numbers() {
        let failure = match free_mb(Path::new("/")) {
            Some(_) => enough_room(Path::new("/"), u32::MAX).unwrap_err(),
            None => return println!("skipped: no df here"),
        };
        assert_eq!(failure.exit, 7);
        assert!(failure.message.contains("want 4294967295 MB"), "{}", failure.message);
    }
}
