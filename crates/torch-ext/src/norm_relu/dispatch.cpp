// Chooses the kernels for this processor, once, and hands Rust plain functions.

#include <cstdlib>

#include "kernels.h"

namespace catscan {

extern const Kernels baseline;
#ifdef CATSCAN_X86
extern const Kernels avx2;
extern const Kernels avx512;
#endif

static const Kernels& chosen() {
#ifdef CATSCAN_X86
  static const Kernels& best =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
          ? avx512
          : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? avx2 : baseline;
  return best;
#else
  return baseline;
#endif
}

}  // namespace catscan

using namespace catscan;

extern "C" void catscan_norm_copy(const Problem* problem, Rows from, Rows to) {
  chosen().copy(*problem, from, to);
}

extern "C" void catscan_norm_moments(const Problem* problem, Rows x, Rows copy, void* mean,
                                     void* var) {
  chosen().moments(*problem, x, copy, mean, var);
}

extern "C" void catscan_norm_relu(const Problem* problem, Rows x, Rows addend, Rows y) {
  chosen().forward(*problem, x, addend, y);
}

extern "C" void catscan_norm_relu_reduce(const Problem* problem, Rows x, Rows y, Rows grad,
                                         void* gamma, void* beta) {
  chosen().reduce(*problem, x, y, grad, gamma, beta);
}

extern "C" void catscan_norm_relu_backward(const Problem* problem, Rows x, Rows y, Rows grad,
                                           const void* gamma, const void* beta, Rows base,
                                           Split grad_x, Rows grad_addend) {
  chosen().backward(*problem, x, y, grad, gamma, beta, base, grad_x, grad_addend);
}
