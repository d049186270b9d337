// The largest number of a tensor, noted by whoever wrote it while the numbers were at hand: to look
// for it later is a walk through memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace catscan {

/// Notes it for all of the memory of `tensor`, which was written just now and which nobody else holds.
void note_largest(const at::Tensor& tensor, float largest);

/// What was noted, if `tensor` is all of that memory and was not written to since, by libtorch's count
/// of writes. That does not see writes through a tensor that was given the same memory (`set_data`,
/// `variable_data`), which nobody does to a gradient.
std::optional<float> noted_largest(const at::Tensor& tensor);

}  // namespace catscan
