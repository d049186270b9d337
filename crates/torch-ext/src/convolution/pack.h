// What dots.cpp and tiles.cpp share: where a kernel's taps lie, and a weight in the order in which
// both multiply by it. Compiled for AVX-512 with bf16.
#pragma once

#include "pairs.h"

#include <immintrin.h>

#include <cstring>

namespace catscan {
namespace pairs {

/// Numbers of 32 bits in a register.
constexpr int64_t LANES = 16;

// Each of both files has its own, since the linker could keep the other's.
namespace {

/// Where a kernel's tap lies off its middle.
struct Tap {
  int64_t down, right;

  Tap(const Shape& shape, int64_t number)
      : down(number / shape.size - shape.size / 2), right(number % shape.size - shape.size / 2) {}
};

inline __m512i load(const void* from) { return _mm512_loadu_si512(from); }

/// CHANNELS numbers of a weight.
inline __m512i rounded(const uint16_t* from) { return load(from); }
inline __m512i rounded(const float* from) {
  return (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + LANES), _mm512_loadu_ps(from));
}

/// The largest of many numbers without their signs. Its bits are the largest whole number too, and
/// those of a NaN are larger than all others.
class Largest {
 public:
  void look(__m512 numbers) {
    const __m512i bits = _mm512_castps_si512(numbers);
    found = _mm512_max_epi32(found, _mm512_and_si512(bits, _mm512_set1_epi32(INT32_MAX)));
  }

  int32_t bits() const { return _mm512_reduce_max_epi32(found); }

  static float of(int32_t bits) {
    float number;
    std::memcpy(&number, &bits, sizeof number);
    return number;
  }

 private:
  __m512i found = _mm512_setzero_si512();
};

/// Of a matrix of LANES by LANES numbers of 32 bits, in place.
inline __attribute__((always_inline)) void transpose(__m512i (&rows)[LANES]) {
  __m512i pairs[LANES];
#pragma GCC unroll 8
  for (int64_t i = 0; i < LANES; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  // rows[4·i + j]: of each lane the j-th column, of four rows.
#pragma GCC unroll 4
  for (int64_t i = 0; i < LANES; i += 4) {
    rows[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
  }
#pragma GCC unroll 4
  for (int64_t j = 0; j < 4; ++j) {
    const __m512i even = _mm512_shuffle_i32x4(rows[j], rows[4 + j], 0x88);
    const __m512i odd = _mm512_shuffle_i32x4(rows[j], rows[4 + j], 0xdd);
    const __m512i even_too = _mm512_shuffle_i32x4(rows[8 + j], rows[12 + j], 0x88);
    const __m512i odd_too = _mm512_shuffle_i32x4(rows[8 + j], rows[12 + j], 0xdd);
    rows[j] = _mm512_shuffle_i32x4(even, even_too, 0x88);
    rows[4 + j] = _mm512_shuffle_i32x4(odd, odd_too, 0x88);
    rows[8 + j] = _mm512_shuffle_i32x4(even, even_too, 0xdd);
    rows[12 + j] = _mm512_shuffle_i32x4(odd, odd_too, 0xdd);
  }
}

/// For every CHANNELS outputs, for every tap, for every pair of inputs: the outputs' pairs.
template <typename Number>
void pack(const Shape& shape, const Number* weight, uint16_t* packed) {
  const int64_t taps = shape.taps(), inputs = shape.inputs;
#pragma omp for schedule(static)
  for (int64_t item = 0; item < shape.outputs / CHANNELS * taps; ++item) {
    const int64_t panel = item / taps, tap = item % taps;
    for (int64_t o = 0; o < CHANNELS; o += LANES) {
      const Number* from = weight + ((panel * CHANNELS + o) * taps + tap) * inputs;
      uint16_t* to = packed + item * inputs * CHANNELS + 2 * o;
      for (int64_t c = 0; c < inputs; c += CHANNELS) {
        __m512i rows[LANES];
        for (int64_t i = 0; i < LANES; ++i) rows[i] = rounded(from + i * taps * inputs + c);
        transpose(rows);
        for (int64_t i = 0; i < LANES; ++i, to += 2 * CHANNELS) _mm512_storeu_si512(to, rows[i]);
      }
    }
  }
}

/// The same of its transpose, whose inputs are the weight's outputs, with the taps turned round.
template <typename Number>
void pack_transposed(const Shape& shape, const Number* weight, uint16_t* packed) {
  const int64_t taps = shape.taps(), inputs = shape.inputs, outputs = shape.outputs;
  uint16_t order[2 * CHANNELS];  // the one's first number, the other's first, and so on
  for (int64_t i = 0; i < CHANNELS; ++i) {
    order[2 * i] = uint16_t(i);
    order[2 * i + 1] = uint16_t(CHANNELS + i);
  }
  const __m512i left = load(order), right = load(order + CHANNELS);
  // In the order in which the weight lies: it comes from afar, what it is packed into is near.
#pragma omp for schedule(static)
  for (int64_t o = 0; o < outputs; o += 2) {
    const Number* from = weight + o * taps * inputs;
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t panel = 0; panel < inputs / CHANNELS; ++panel, from += CHANNELS) {
        const __m512i one = rounded(from), other = rounded(from + taps * inputs);
        uint16_t* to = packed + ((panel * taps + taps - 1 - tap) * outputs + o) * CHANNELS;
        _mm512_storeu_si512(to, _mm512_permutex2var_epi16(one, left, other));
        _mm512_storeu_si512(to + CHANNELS, _mm512_permutex2var_epi16(one, right, other));
      }
    }
  }
}

void pack(const Shape& shape, Weight weight, bool transposed, uint16_t* packed) {
  const auto work = [&](const auto* numbers) {
    transposed ? pack_transposed(shape, numbers, packed) : pack(shape, numbers, packed);
  };
  weight.wide ? work(static_cast<const float*>(weight.numbers))
              : work(static_cast<const uint16_t*>(weight.numbers));
}

}  // namespace
}  // namespace pairs
}  // namespace catscan
