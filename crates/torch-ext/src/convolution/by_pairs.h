// Tensors for pairs.h, and which it takes.
#pragma once

#include "../pieces/noted.h"
#include "chosen.h"
#include "columns.h"

namespace catscan {

/// Whether channels lie next to each other, without gaps.
inline bool in_channels_last(const at::Tensor& x) {
  return x.permute({0, 2, 3, 1}).is_contiguous();
}

/// Rows as the pixels of a map [n, .., h, w] in channels_last.
inline at::Tensor map(const at::Tensor& rows, int64_t n, int64_t h, int64_t w) {
  return rows.view({n, h, w, rows.size(1)}).permute({0, 3, 1, 2});
}

#ifdef CATSCAN_PAIRS

/// Whether such maps and such a weight are taken. The weight may be of 32 bits.
inline bool fits_pairs(const at::Tensor& x, const at::Tensor& weight, bool has_bias) {
  return kernels() && !has_bias && x.dim() == 4 && x.device().is_cpu() && x.numel() > 0 &&
         x.scalar_type() == at::kBFloat16 &&
         (weight.scalar_type() == at::kBFloat16 || weight.scalar_type() == at::kFloat) &&
         weight.size(2) == weight.size(3) && weight.size(0) % pairs::CHANNELS == 0 &&
         weight.size(1) == x.size(1) && x.size(1) % pairs::CHANNELS == 0 && in_channels_last(x) &&
         in_channels_last(weight);
}

/// Whether the convolution is taken as products of pairs, over the map as it lies.
inline bool is_pairs(const at::Tensor& x, const at::Tensor& weight, bool has_bias,
                     const Kernel& kernel) {
  return fits_pairs(x, weight, has_bias) && kernel.stride == 1 && kernel.size % 2 == 1 &&
         kernel.padding == kernel.size / 2;
}

inline pairs::Shape pairs_shape(const at::Tensor& x, const at::Tensor& weight) {
  return {x.size(0), x.size(2), x.size(3), weight.size(2), x.size(1), weight.size(0)};
}

inline const uint16_t* bits(const at::Tensor& x) {
  return reinterpret_cast<const uint16_t*>(x.const_data_ptr<at::BFloat16>());
}

inline uint16_t* bits_of(const at::Tensor& x) {
  return reinterpret_cast<uint16_t*>(x.mutable_data_ptr<at::BFloat16>());
}

/// A map of the size of `x` with so many channels.
inline at::Tensor map_like(const at::Tensor& x, int64_t channels) {
  const int64_t n = x.size(0), h = x.size(2), w = x.size(3);
  return map(at::empty({n * h * w, channels}, x.options()), n, h, w);
}

/// Room for so many numbers, the calling thread's until it asks again. That it is kept saves 1 % of
/// a step of DenseNet-121 at 64 px.
inline uint16_t* scratch(int64_t numbers) {
  static thread_local at::Tensor room;
  if (!room.defined() || room.numel() < numbers) room = at::empty({numbers}, at::kBFloat16);
  return bits_of(room);
}

inline pairs::Weight numbers(const at::Tensor& weight) {
  return {weight.const_data_ptr(), weight.scalar_type() == at::kFloat};
}

inline at::Tensor by_pairs(const at::Tensor& x, const at::Tensor& weight) {
  at::Tensor y = map_like(x, weight.size(0));
  kernels()->forward(pairs_shape(x, weight), bits(x), numbers(weight), scratch(weight.numel()),
                     bits_of(y));
  return y;
}

/// The gradients of x and of weight, those that are wanted; that of weight in 32 bits.
inline std::tuple<at::Tensor, at::Tensor, at::Tensor> by_pairs_backward(
    const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight, bool of_x,
    bool of_weight) {
  const pairs::Shape shape = pairs_shape(x, weight);
  const at::Tensor g = gradient.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor grad_x, grad_weight;
  if (of_x) {
    grad_x = map_like(x, shape.inputs);
    kernels()->gradient_of_x(shape, bits(g), numbers(weight), scratch(weight.numel()),
                             bits_of(grad_x));
  }
  if (of_weight) {
    const at::Tensor rows =
        at::empty({shape.outputs * shape.taps(), shape.inputs}, x.options().dtype(at::kFloat));
    const float largest = kernels()->gradient_of_weight(
        shape, bits(g), bits(x), scratch(kernels()->room(shape)), rows.mutable_data_ptr<float>());
    note_largest(rows, largest);
    grad_weight = map(rows, shape.outputs, shape.size, shape.size);
  }
  return {grad_x, grad_weight, at::Tensor()};
}

#else

inline const pairs::Kernels* kernels() { return nullptr; }

inline bool fits_pairs(const at::Tensor&, const at::Tensor&, bool) { return false; }

inline bool is_pairs(const at::Tensor&, const at::Tensor&, bool, const Kernel&) { return false; }

inline at::Tensor by_pairs(const at::Tensor&, const at::Tensor&) { return {}; }

inline std::tuple<at::Tensor, at::Tensor, at::Tensor> by_pairs_backward(
    const at::Tensor&, const at::Tensor&, const at::Tensor&, bool, bool) {
  return {};
}

#endif

}  // namespace catscan
