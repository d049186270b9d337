//! Tells how much memory there is, and how much of it can be taken.

fn main() {
    let gb = |bytes: Option<u64>| match bytes {
        Some(bytes) => format!("{:.1} GB", bytes as f64 / 1e9),
        None => "not told by this system".to_owned(),
    };
    println!("memory    {}", gb(catscan_machine::total_memory()));
    println!("free      {}", gb(catscan_machine::free_memory()));
}
