// Convolutions of bf16 maps by the processor's products of bf16 pairs, in as little as they can cost:
// no primitive is looked up, without a stride no patches are written to memory, no weight's gradient is
// reordered. dots.cpp and tiles.cpp hold the arithmetic of two kinds of processors, and are compiled for those
// alone: hence plain types only here.
#pragma once

#include <cstdint>

namespace catscan {
namespace pairs {

/// A convolution that keeps the size of its map: stride 1, an odd kernel, half of it as padding.
/// Maps are [n·h·w, channels], weights [outputs, size·size, inputs], both without gaps.
struct Shape {
  int64_t n, h, w, size, inputs, outputs;

  int64_t rows() const { return n * h * w; }
  int64_t taps() const { return size * size; }
};

/// Inputs and outputs must be multiples of it.
constexpr int64_t CHANNELS = 32;

/// Numbers of bf16, or of 32 bits which are rounded on the way.
struct Weight {
  const void* numbers;
  bool wide;
};

/// What each kind computes.
struct Kernels {
  /// y of x. `packed` has room for the weight.
  void (*forward)(const Shape& shape, const uint16_t* x, Weight weight, uint16_t* packed,
                  uint16_t* y);
  /// The gradient of x, from that of y; the rest as above.
  void (*gradient_of_x)(const Shape& shape, const uint16_t* gradient, Weight weight,
                        uint16_t* packed, uint16_t* result);
  /// The gradient of the weight, in 32 bits. `packed` has room for so many numbers as `room` says.
  /// Returns the largest number without its sign, NaN if any is.
  float (*gradient_of_weight)(const Shape& shape, const uint16_t* gradient, const uint16_t* x,
                             uint16_t* packed, float* result);
  int64_t (*room)(const Shape& shape);
};

/// AVX-512's dot products.
extern const Kernels dots;
/// AMX's tiles.
extern const Kernels tiles;

}  // namespace pairs
}  // namespace catscan
