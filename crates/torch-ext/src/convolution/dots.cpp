// Sums of products of bf16 pairs, in 32 bits: `vdpbf16ps` multiplies 16 pairs by a pair and adds.
// Two kernels compute three things:
//
// - `multiply`, rows of a map by a weight, where pairs are of channels. A row of y is the sum over
//   the taps of the row of x under the tap, zeros beyond the edge, by the tap's part of the weight.
//   No patches are gathered (Dukhan 2019, The Indirect Convolution Algorithm, arXiv:1907.02129).
//   The gradient of x is the same, of that of y by the weight's transpose, its taps turned round.
// - `outer`, the weight's gradient: for each tap the outer products of y's gradient with what of x
//   lies under it, where pairs are of pictures: so a pair stays one whatever the tap, and edges are
//   left out. Some pictures at a time, which stay in a cache from their pairing to their use.
//
// Tiles are of ROWS by CHANNELS: 16 registers of sums, enough to keep both of a core's units for
// dot products busy. Sums run in an order that depends on the shape alone: the number of threads
// changes no bit of a result.

#include "pack.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace catscan {
namespace pairs {
namespace {

/// Of a tile.
constexpr int64_t ROWS = 8;
/// Registers in a row of a tile.
constexpr int64_t PARTS = CHANNELS / LANES;
/// Of a weight's outputs, that one thread takes at a time.
constexpr int64_t BLOCK = 4 * ROWS;
static_assert(CHANNELS % BLOCK == 0, "outputs are whole blocks");
/// Pairs of rows whose CHANNELS stay in the first-level cache: 16 KiB.
constexpr int64_t NEAR = 128;
/// Pairs of pixels that are packed at once for a weight's gradient, if a map is not larger: they stay
/// in a cache until they are used.
constexpr int64_t PAIRS = 1024;

/// Pixels of pairs of pictures; the last of an odd number of pictures is paired with zeros.
int64_t pairs_of(const Shape& shape) { return (shape.n + 1) / 2 * shape.h * shape.w; }

/// The pictures from `first` on that are packed at once.
Shape part_of(const Shape& shape, int64_t first) {
  Shape part = shape;
  part.n = std::min(shape.n - first, 2 * std::max<int64_t>(1, PAIRS / (shape.h * shape.w)));
  return part;
}

/// A register of bf16 pairs: one pair everywhere, or 16 from memory. Their order in memory is that
/// of two numbers of 16 bits.
inline __m512bh everywhere(const uint16_t* from) {
  int32_t both;
  std::memcpy(&both, from, sizeof both);
  return (__m512bh)_mm512_set1_epi32(both);
}
inline __m512bh from_memory(const uint16_t* from) { return (__m512bh)load(from); }

/// ROWS by CHANNELS sums.
struct Tile {
  __m512 sums[ROWS][PARTS] = {};

  /// Adds the product of each row's pair with CHANNELS pairs.
  template <typename RowOf>
  inline __attribute__((always_inline)) void add(const uint16_t* columns, const RowOf& row) {
    const __m512bh left = from_memory(columns), right = from_memory(columns + 2 * LANES);
#pragma GCC unroll 8
    for (int64_t i = 0; i < ROWS; ++i) {
      const __m512bh both = everywhere(row(i));
      sums[i][0] = _mm512_dpbf16_ps(sums[i][0], both, left);
      sums[i][1] = _mm512_dpbf16_ps(sums[i][1], both, right);
    }
  }
};

/// The rows of a map under a tap.
class Under {
 public:
  Under(const Shape& shape, const uint16_t* map, int64_t channels)
      : shape(shape), map(map), channels(channels), zeros(channels) {}

  /// For ROWS rows from `first` on; zeros beyond the map's edges and its end.
  void find(int64_t first, const Tap& tap, const uint16_t** found) const {
    const int64_t w = shape.w, h = shape.h, rows = shape.rows();
    const uint16_t* from = map + (first + tap.down * w + tap.right) * channels;
    int64_t x = first % w, y = first / w % h;
    for (int64_t i = 0; i < ROWS; ++i, from += channels) {
      const int64_t to_x = x + tap.right, to_y = y + tap.down;
      const bool inside = to_x >= 0 && to_x < w && to_y >= 0 && to_y < h && first + i < rows;
      found[i] = inside ? from : zeros.data();
      if (++x == w) {
        x = 0;
        y = y + 1 == h ? 0 : y + 1;
      }
    }
  }

 private:
  Shape shape;
  const uint16_t* map;
  int64_t channels;
  std::vector<uint16_t> zeros;
};

/// `weight` is packed: for every CHANNELS outputs, for every tap, for every pair of inputs.
void multiply(const Shape& shape, const uint16_t* x, int64_t inputs, const uint16_t* weight,
              int64_t outputs, uint16_t* y) {
  const int64_t rows = shape.rows(), taps = shape.taps(), panels = outputs / CHANNELS;
  const int64_t tiles = (rows + ROWS - 1) / ROWS;
  const Under under(shape, x, inputs);
#pragma omp for schedule(static)
  for (int64_t item = 0; item < panels * tiles; ++item) {
    const int64_t panel = item / tiles, first = item % tiles * ROWS;
    const uint16_t* columns = weight + panel * taps * inputs * CHANNELS;
    Tile tile;
    for (int64_t tap = 0; tap < taps; ++tap) {
      const uint16_t* from[ROWS];
      under.find(first, Tap(shape, tap), from);
      for (int64_t c = 0; c < inputs; c += 2, columns += 2 * CHANNELS) {
        tile.add(columns, [&](int64_t i) { return from[i] + c; });
      }
    }
    uint16_t* to = y + first * outputs + panel * CHANNELS;
    for (int64_t i = 0; i < ROWS && first + i < rows; ++i, to += outputs) {
      const auto& [left, right] = tile.sums[i];
      _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(right, left));
    }
  }
}

/// `work(pair, row of the one picture, row of the other)` for every pair of rows.
template <typename Work>
void for_pairs(const Shape& shape, const uint16_t* map, int64_t channels, const Work& work) {
  const int64_t pixels = shape.h * shape.w;
  const std::vector<uint16_t> zeros(channels);
#pragma omp for schedule(static)
  for (int64_t pair = 0; pair < pairs_of(shape); ++pair) {
    const int64_t row = pair + pair / pixels * pixels;
    const uint16_t* one = map + row * channels;
    work(pair, one, row + pixels < shape.rows() ? one + pixels * channels : zeros.data());
  }
}

/// For every CHANNELS inputs, for every pair of rows: those of the first half of each lane's
/// channels, then the others.
void pair_columns(const Shape& shape, const uint16_t* x, uint16_t* packed) {
  for_pairs(shape, x, shape.inputs, [&](int64_t pair, const uint16_t* one, const uint16_t* other) {
    for (int64_t c = 0; c < shape.inputs; c += CHANNELS) {
      const __m512i up = load(one + c), down = load(other + c);
      uint16_t* to = packed + 2 * (c * pairs_of(shape) + pair * CHANNELS);
      _mm512_storeu_si512(to, _mm512_unpacklo_epi16(up, down));
      _mm512_storeu_si512(to + 2 * LANES, _mm512_unpackhi_epi16(up, down));
    }
  });
}

/// For every ROWS outputs, for every pair of rows.
void pair_rows(const Shape& shape, const uint16_t* gradient, uint16_t* packed) {
  const auto work = [&](int64_t pair, const uint16_t* one, const uint16_t* other) {
    for (int64_t o = 0; o < shape.outputs; o += ROWS) {
      const __m128i up = _mm_loadu_si128(reinterpret_cast<const __m128i*>(one + o));
      const __m128i down = _mm_loadu_si128(reinterpret_cast<const __m128i*>(other + o));
      uint16_t* to = packed + 2 * (o * pairs_of(shape) + pair * ROWS);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_unpacklo_epi16(up, down));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + ROWS), _mm_unpackhi_epi16(up, down));
    }
  };
  for_pairs(shape, gradient, shape.outputs, work);
}

/// The pairs of pixels of y under whose tap one of x lies.
std::vector<int64_t> met(const Shape& shape, const Tap& tap) {
  const auto from = [](int64_t off) { return std::max<int64_t>(0, -off); };
  const auto to = [](int64_t side, int64_t off) { return side - std::max<int64_t>(0, off); };
  std::vector<int64_t> pairs;
  pairs.reserve(pairs_of(shape));
  for (int64_t map = 0; map < pairs_of(shape); map += shape.h * shape.w) {
    for (int64_t y = from(tap.down); y < to(shape.h, tap.down); ++y) {
      for (int64_t x = from(tap.right); x < to(shape.w, tap.right); ++x) {
        pairs.push_back(map + y * shape.w + x);
      }
    }
  }
  return pairs;
}

/// For each tap the sum of the outer products of paired rows with the paired columns under them, on
/// top of `result` if it `adds`. `largest` sees all of it if it is not null.
void outer(const Shape& shape, const uint16_t* rows, const uint16_t* columns,
           const std::vector<std::vector<int64_t>>& met_by, bool adds, float* result,
           Largest* largest) {
  const int64_t inputs = shape.inputs, panels = inputs / CHANNELS, groups = shape.outputs / BLOCK;
  // Undoes the order of `pair_columns`.
  const __m512i left = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i right = _mm512_add_epi32(left, _mm512_set1_epi32(8));
#pragma omp for schedule(static)
  for (int64_t item = 0; item < shape.taps() * panels * groups; ++item) {
    const int64_t output = item % groups * BLOCK, panel = item / groups % panels;
    const int64_t number = item / groups / panels;
    const Tap tap(shape, number);
    const std::vector<int64_t>& pairs = met_by[number];
    const int64_t off = panel * pairs_of(shape) + tap.down * shape.w + tap.right;
    const uint16_t* under = columns + 2 * off * CHANNELS;
    Tile tiles[BLOCK / ROWS];
    const auto last = std::lower_bound(pairs.begin(), pairs.end(), pairs_of(shape));
    for (auto begin = pairs.begin(); begin < last;) {
      const auto end = begin + std::min<int64_t>(NEAR, last - begin);
      for (int64_t o = 0; o < BLOCK; o += ROWS) {
        const uint16_t* over = rows + 2 * (output + o) * pairs_of(shape);
        Tile tile = tiles[o / ROWS];
        for (auto pair = begin; pair < end; ++pair) {
          const uint16_t* row = over + 2 * *pair * ROWS;
          tile.add(under + 2 * *pair * CHANNELS, [&](int64_t i) { return row + 2 * i; });
        }
        tiles[o / ROWS] = tile;
      }
      begin = end;
    }
    for (int64_t o = 0; o < BLOCK; ++o) {
      const auto& [front, back] = tiles[o / ROWS].sums[o % ROWS];
      float* to = result + ((output + o) * shape.taps() + number) * inputs + panel * CHANNELS;
      __m512 one = _mm512_permutex2var_ps(front, left, back);
      __m512 other = _mm512_permutex2var_ps(front, right, back);
      if (adds) {
        one = _mm512_add_ps(_mm512_loadu_ps(to), one);
        other = _mm512_add_ps(_mm512_loadu_ps(to + LANES), other);
      }
      if (largest) {
        largest->look(one);
        largest->look(other);
      }
      _mm512_storeu_ps(to, one);
      _mm512_storeu_ps(to + LANES, other);
    }
  }
}

void forward(const Shape& shape, const uint16_t* x, Weight weight, uint16_t* packed, uint16_t* y) {
#pragma omp parallel
  {
    pack(shape, weight, /*transposed=*/false, packed);
    multiply(shape, x, shape.inputs, packed, shape.outputs, y);
  }
}

void gradient_of_x(const Shape& shape, const uint16_t* gradient, Weight weight, uint16_t* packed,
                   uint16_t* result) {
#pragma omp parallel
  {
    pack(shape, weight, /*transposed=*/true, packed);
    multiply(shape, gradient, shape.outputs, packed, shape.inputs, result);
  }
}

int64_t room(const Shape& shape) {
  return 2 * pairs_of(part_of(shape, 0)) * (shape.inputs + shape.outputs);
}

float gradient_of_weight(const Shape& shape, const uint16_t* gradient, const uint16_t* x,
                         uint16_t* packed, float* result) {
  const Shape most = part_of(shape, 0);
  uint16_t* columns = packed + 2 * pairs_of(most) * shape.outputs;
  std::vector<std::vector<int64_t>> met_by;
  for (int64_t tap = 0; tap < shape.taps(); ++tap) met_by.push_back(met(most, Tap(shape, tap)));
  int32_t bits = 0;
#pragma omp parallel reduction(max : bits)
  {
    Largest largest;
    for (int64_t first = 0; first < shape.n; first += most.n) {
      const Shape part = part_of(shape, first);
      const int64_t row = first * shape.h * shape.w;
      const bool last = first + part.n == shape.n;
      pair_rows(part, gradient + row * shape.outputs, packed);
      pair_columns(part, x + row * shape.inputs, columns);
      outer(part, packed, columns, met_by, first > 0, result, last ? &largest : nullptr);
    }
    bits = largest.bits();
  }
  return Largest::of(bits);
}

}  // namespace

const Kernels dots = {forward, gradient_of_x, gradient_of_weight, room};

}  // namespace pairs
}  // namespace catscan
