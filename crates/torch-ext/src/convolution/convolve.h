// A convolution and its gradients, for every shim that needs them: one place decides how it is
// computed, so that a forward and its repetition give the same bits.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <tuple>

namespace catscan {

/// x.conv2d(weight, bias), in the graph; the weight is of the kind of x, or rounded to it.
at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight,
                    const std::optional<at::Tensor>& bias, int64_t stride, int64_t padding);

/// The gradients of x, of weight and of the bias, those that are wanted; that of weight is of either
/// kind.
std::tuple<at::Tensor, at::Tensor, at::Tensor> convolve_backward(
    const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight, int64_t stride,
    int64_t padding, std::array<bool, 3> wanted);

}  // namespace catscan
