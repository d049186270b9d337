//! Decode once: the memory-mapped pixel cache.

use std::path::PathBuf;

/// Where caches live.
pub fn default_cache_dir() -> PathBuf {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(chosen) = folder("CATSCAN_CACHE") {
        return chosen;
    }
    if let Some(xdg) = folder("XDG_CACHE_HOME") {
        return xdg.join("catscan");
    }
    if cfg!(windows) && let Some(local) = folder("LOCALAPPDATA") {
        return local.join("catscan").join("cache");
    }
    match folder("HOME") {
        Some(home) if cfg!(target_os = "macos") => home.join("Library/Caches/catscan"),
        Some(home) => home.join(".cache").join("catscan"),
        None => std::env::temp_dir().join("catscan-cache"),
    }
}
