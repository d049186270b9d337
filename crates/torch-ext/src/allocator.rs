//! Keeps freed memory inside the process and asks for huge pages.
//!
//! One training step of DenseNet-121 allocates and frees several hundred tensors, many of them
//! megabytes. By default glibc maps and unmaps each of these, so the kernel zeroes and faults in
//! the same pages every step. We tell it to keep what it once got, and libtorch to ask for huge
//! pages. An allocator setting changes speed only, never a result.

/// Sets the allocator up. Call it first in `main`, before any thread or tensor exists; later calls
/// do no harm but reach only memory that is not yet allocated. A variable that the user has set
/// (`MALLOC_…`, `THP_MEM_ALLOC_ENABLE`) is left as it is.
pub fn tune() {
    keep_freed_memory();
    ask_for_huge_pages();
}

/// libtorch reads this variable once, at its first large allocation.
fn ask_for_huge_pages() {
    const SWITCH: &str = "THP_MEM_ALLOC_ENABLE";
    if std::env::var_os(SWITCH).is_none() {
        // SAFETY: by contract the process still has one thread, so nobody reads the environment.
        unsafe { std::env::set_var(SWITCH, "1") };
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_freed_memory() {
    /// The largest value that `mallopt` takes: in effect, never.
    const NEVER: libc::c_int = libc::c_int::MAX;
    /// Growing the heap by this much at a time keeps the number of system calls small.
    const GROWTH_BYTES: libc::c_int = 64 << 20;
    let set_by_user = |name: &str| std::env::var_os(name).is_some();
    // SAFETY: mallopt only changes the allocator's own settings, and no other thread runs yet.
    unsafe {
        if !set_by_user("MALLOC_MMAP_MAX_") {
            libc::mallopt(libc::M_MMAP_MAX, 0);
        }
        if !set_by_user("MALLOC_TRIM_THRESHOLD_") {
            libc::mallopt(libc::M_TRIM_THRESHOLD, NEVER);
        }
        if !set_by_user("MALLOC_TOP_PAD_") {
            libc::mallopt(libc::M_TOP_PAD, GROWTH_BYTES);
        }
        if !set_by_user("MALLOC_ARENA_MAX") {
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_freed_memory() {}
