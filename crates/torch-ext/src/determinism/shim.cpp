// libtorch's switches for determinism, which tch does not have. See determinism.rs.
#include <ATen/Context.h>

extern "C" void catscan_set_deterministic(bool on) {
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(on, /*warn_only=*/false);
  context.setDeterministicCuDNN(on);
  context.setDeterministicMkldnn(on);
  if (on) {
    // Timing kernels chooses another one whenever the machine is busy.
    context.setBenchmarkCuDNN(false);
  }
}

extern "C" bool catscan_deterministic() {
  return at::globalContext().deterministicAlgorithms();
}
