//! Tells which libtorch, processor and CUDA a program would run on: the crate used alone.

use catscan_torch_ext::{DeviceSpec, allocator, cpu, cuda, libtorch};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    allocator::tune();
    println!("cuda      {}", cuda::load());
    println!(
        "libtorch  {} in {:?}",
        libtorch::version().unwrap_or_default(),
        libtorch::library_folder()
    );
    println!("cpu       {:?}", cpu::describe());
    println!("device    {:?}", DeviceSpec::Auto.resolve()?);
    Ok(())
}
