// The table of one instruction set's kernels; kernels.cpp fills it, dispatch.cpp chooses.
#pragma once

#include <cstdint>

namespace catscan {

enum Kind : int32_t { FLOAT32, BFLOAT16, FLOAT64 };

/// A map as rows of channels: `rows` of `channels` values each, neighbours in a row side by side,
/// one row `stride` values after the other.
struct Rows {
  void* data;
  int64_t stride;
};

/// A map in two places: the first channels here, the others there. Either may be none.
struct Split {
  Rows first, rest;
  int64_t first_channels;
};

/// What one call works on. `P` below is double for FLOAT64 and float otherwise.
struct Problem {
  Kind kind;
  int64_t rows, channels;
  double eps;
  const void *weight, *bias, *mean, *var;  // P[channels]; the variance is the biased one
};

struct Kernels {
  /// to = from.
  void (*copy)(const Problem&, Rows from, Rows to);
  /// mean, var: P[channels], written; and copy = x, unless copy.data is null.
  void (*moments)(const Problem&, Rows x, Rows copy, void* mean, void* var);
  /// y = relu(norm(x) [+ addend]); addend.data may be null.
  void (*forward)(const Problem&, Rows x, Rows addend, Rows y);
  /// gamma, beta: P[channels], the gradients of weight and bias, written. The ReLU was open where
  /// y > 0, or, with y.data null, where norm(x) > 0.
  void (*reduce)(const Problem&, Rows x, Rows y, Rows grad, void* gamma, void* beta);
  /// grad_x = [base +] the gradient of x; base.data may be null, and may be grad_x. gamma and beta:
  /// of `reduce`, or null where mean and var did not come from x. grad_addend.data may be null, and
  /// may be grad.
  void (*backward)(const Problem&, Rows x, Rows y, Rows grad, const void* gamma, const void* beta,
                   Rows base, Split grad_x, Rows grad_addend);
};

}  // namespace catscan
