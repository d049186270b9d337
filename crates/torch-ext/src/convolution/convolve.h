// A convolution and its gradients, for every shim that needs them: one place decides how it is
// computed, once, so that backward goes the way that forward went.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <tuple>

namespace catscan {

/// How a convolution is computed.
enum class Way : int32_t {
  Pairs,    // our own kernels: sums of the processor's products of bf16 pairs
  Patches,  // the same, of its patches as pixels of a 1×1
  Product,  // one matrix product
  Library,  // libtorch's own convolution
};

/// A convolution before it is computed: `struct Plan` of ../convolution.rs.
struct Plan {
  Way way;
  int64_t stride, padding;
};

/// The cheapest way for such tensors. The weight is of the kind of x, or will be rounded to it.
Plan plan(const at::Tensor& x, const at::Tensor& weight, bool has_bias, int64_t stride,
          int64_t padding);

/// x.conv2d(weight, bias), in the graph. Tensors that the plan's way does not take are refused.
at::Tensor convolve(const Plan& plan, const at::Tensor& x, const at::Tensor& weight,
                    const std::optional<at::Tensor>& bias);

/// The gradients of x, of weight and of the bias, those that are wanted; that of weight is of either
/// kind.
std::tuple<at::Tensor, at::Tensor, at::Tensor> convolve_backward(
    const Plan& plan, const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight,
    std::array<bool, 3> wanted);

}  // namespace catscan
