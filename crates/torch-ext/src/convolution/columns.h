// A convolution's patches as the rows of a matrix ("im2col"), and back. A map [N, C, H, W] in
// channels_last with a kernel of size·size gives [N·H'·W', size·size·C]: one row for each place of
// the kernel, in the order in which a channels_last weight [C', C, size, size] lies.
#pragma once

#include <ATen/Dispatch.h>
#include <ATen/OpMathType.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

namespace catscan {

/// A square kernel, and how it moves.
struct Kernel {
  int64_t size, stride, padding;

  /// Places along a side of so many pixels.
  int64_t places(int64_t side) const { return (side + 2 * padding - size) / stride + 1; }
};

/// The shape of a map, and of the places of a kernel on it.
struct Places {
  int64_t n, channels, h, w, places_h, places_w;

  Places(const at::Tensor& x, const Kernel& kernel)
      : n(x.size(0)), channels(x.size(1)), h(x.size(2)), w(x.size(3)),
        places_h(kernel.places(h)), places_w(kernel.places(w)) {}

  int64_t count() const { return n * places_h * places_w; }
};

/// Patches that one thread takes at least: less is not worth waking another for.
inline int64_t grain(int64_t patch) { return std::max<int64_t>(1, 32768 / patch); }

/// The patches of `x`, which lies in channels_last without gaps; zeros beyond its edges.
inline at::Tensor columns(const at::Tensor& x, const Kernel& kernel) {
  const Places at(x, kernel);
  const int64_t size = kernel.size, patch = size * size * at.channels;
  at::Tensor result = at::empty({at.count(), patch}, x.options());
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, x.scalar_type(), "columns", [&] {
    const scalar_t* from = x.const_data_ptr<scalar_t>();
    scalar_t* to = result.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, at.count(), grain(patch), [&](int64_t begin, int64_t end) {
      for (int64_t place = begin; place < end; ++place) {
        const int64_t left = place % at.places_w * kernel.stride - kernel.padding;
        const int64_t top = place / at.places_w % at.places_h * kernel.stride - kernel.padding;
        const int64_t picture = place / (at.places_w * at.places_h);
        scalar_t* row = to + place * patch;
        for (int64_t i = 0; i < size * size; ++i, row += at.channels) {
          const int64_t y = top + i / size, x = left + i % size;
          if (y < 0 || y >= at.h || x < 0 || x >= at.w) {
            std::fill_n(row, at.channels, scalar_t(0));
          } else {
            std::copy_n(from + ((picture * at.h + y) * at.w + x) * at.channels, at.channels, row);
          }
        }
      }
    });
  });
  return result;
}

/// The map of which each pixel is the sum of its copies in `columns`: the gradient of `columns(x)`
/// turned into that of `x`. Sums are taken in 32 bits at least, in one order whatever the threads.
inline at::Tensor sum_of_columns(const at::Tensor& columns, const at::Tensor& like,
                                 const Kernel& kernel) {
  const Places at(like, kernel);
  const int64_t size = kernel.size, patch = size * size * at.channels;
  at::Tensor result = at::empty({at.n, at.h, at.w, at.channels}, like.options());
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, like.scalar_type(), "sum_of_columns", [&] {
    using sum_t = at::opmath_type<scalar_t>;
    const scalar_t* from = columns.const_data_ptr<scalar_t>();
    scalar_t* to = result.mutable_data_ptr<scalar_t>();
    const int64_t pixels = at.n * at.h * at.w;
    at::parallel_for(0, pixels, grain(patch), [&](int64_t begin, int64_t end) {
      std::vector<sum_t> sum(at.channels);
      for (int64_t pixel = begin; pixel < end; ++pixel) {
        const int64_t x = pixel % at.w, y = pixel / at.w % at.h, picture = pixel / (at.w * at.h);
        std::fill(sum.begin(), sum.end(), sum_t(0));
        for (int64_t i = 0; i < size * size; ++i) {
          // The place of the kernel whose element i lies on this pixel, if there is one.
          const int64_t top = y + kernel.padding - i / size, left = x + kernel.padding - i % size;
          if (top < 0 || left < 0 || top % kernel.stride || left % kernel.stride) continue;
          const int64_t row = top / kernel.stride, column = left / kernel.stride;
          if (row >= at.places_h || column >= at.places_w) continue;
          const int64_t place = (picture * at.places_h + row) * at.places_w + column;
          const scalar_t* copy = from + place * patch + i * at.channels;
          for (int64_t c = 0; c < at.channels; ++c) sum[c] += sum_t(copy[c]);
        }
        std::copy(sum.begin(), sum.end(), to + pixel * at.channels);
      }
    });
  });
  return result.permute({0, 3, 1, 2});
}

}  // namespace catscan
