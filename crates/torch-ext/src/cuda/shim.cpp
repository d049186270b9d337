// libtorch's switches for CUDA's numbers, which live in its CPU half. See ../cuda.rs.
#include <ATen/Context.h>

extern "C" void catscan_set_cuda(bool tf32, bool autotune) {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(tf32);
  context.setAllowTF32CuDNN(tf32);
  context.setBenchmarkCuDNN(autotune);
  // Sums of half numbers are kept in 32 bits, whatever a kernel would gain.
  context.setAllowFP16ReductionCuBLAS(false);
  context.setAllowBF16ReductionCuBLAS(false);
}

extern "C" bool catscan_tf32() {
  const at::Context& context = at::globalContext();
  return context.allowTF32CuBLAS() || context.allowTF32CuDNN();
}
