// Convolutions of bf16 maps by the processor's dot products of bf16 pairs, in as little as they can
// cost: no primitive is looked up, no patches are gathered, and no weight's gradient is reordered.
// dots.cpp holds the arithmetic, and is compiled for processors with AVX-512 and its bf16 alone:
// hence plain types only here.
#pragma once

#include <algorithm>
#include <cstdint>

namespace catscan {
namespace dots {

/// Pairs of pixels that are packed at once for a weight's gradient, if a map is not larger: they stay
/// in a cache until they are used.
constexpr int64_t PAIRS = 1024;

/// A convolution that keeps the size of its map: stride 1, an odd kernel, half of it as padding.
/// Maps are [n·h·w, channels], weights [outputs, size·size, inputs], both without gaps.
struct Shape {
  int64_t n, h, w, size, inputs, outputs;

  int64_t rows() const { return n * h * w; }
  int64_t taps() const { return size * size; }
  int64_t weights() const { return taps() * inputs * outputs; }
  /// Pixels of pairs of pictures; the last of an odd number of pictures is paired with zeros.
  int64_t pairs() const { return (n + 1) / 2 * h * w; }

  /// The pictures from `first` on that are packed at once.
  Shape part(int64_t first) const {
    Shape part = *this;
    part.n = std::min(n - first, 2 * std::max<int64_t>(1, PAIRS / (h * w)));
    return part;
  }
};

/// Inputs and outputs must be multiples of it.
constexpr int64_t CHANNELS = 32;

/// y of x. `packed` has room for the weight, which is of bf16, or of 32 bits and rounded.
template <typename Weight>
void forward(const Shape& shape, const uint16_t* x, const Weight* weight, uint16_t* packed,
             uint16_t* y);

/// The gradient of x, from that of y; the rest as above.
template <typename Weight>
void gradient_of_x(const Shape& shape, const uint16_t* gradient, const Weight* weight,
                   uint16_t* packed, uint16_t* result);

/// The gradient of the weight, in 32 bits. `packed` has room for the pairs of both maps of the first
/// part.
void gradient_of_weight(const Shape& shape, const uint16_t* gradient, const uint16_t* x,
                        uint16_t* packed, float* result);

}  // namespace dots
}  // namespace catscan
