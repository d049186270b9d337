// Batch norm, ReLU and the addition between them, each direction in as few walks through memory as
// its data dependencies allow: what they compute is little, what they touch is much.
//
// build.rs compiles this file once per instruction set, with CATSCAN_KERNELS as the table's name.
// No two pointers of a loop over channels overlap, unless they are equal: hence `omp simd`. Sums run over tiles of a size
// that depends on the map alone, and tiles are added in order: the number of threads changes no
// bit of a result.

#include "kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace catscan {
namespace {

struct BFloat16 {
  uint16_t bits;
};

inline float load(float x) { return x; }
inline double load(double x) { return x; }
inline float load(BFloat16 x) {
  const uint32_t bits = uint32_t(x.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline void store(float& to, float x) { to = x; }
inline void store(double& to, double x) { to = x; }
/// Rounds to the nearest, ties to even; a NaN stays one.
inline void store(BFloat16& to, float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  to.bits = uint16_t(x != x ? 0x7fc0u : rounded);
}

/// Rows of a tile: a sixteenth of the map, so that all threads have some of a small one, and at most
/// 64 Ki values, which stay in a core's second-level cache.
inline int64_t tile_rows(const Problem& p) {
  constexpr int64_t LEAST = 1 << 14, MOST = 1 << 16;
  const int64_t values = std::clamp(p.rows * p.channels / 16, LEAST, MOST);
  return std::max<int64_t>(1, values / p.channels);
}

inline int64_t tile_count(const Problem& p) {
  return (p.rows + tile_rows(p) - 1) / tile_rows(p);
}

/// `work(tile, first row, row after the last)` for every tile.
template <typename Work>
void for_tiles(const Problem& p, const Work& work) {
  const int64_t size = tile_rows(p), tiles = tile_count(p);
#pragma omp parallel for schedule(static) if (tiles > 1)
  for (int64_t tile = 0; tile < tiles; ++tile) {
    work(tile, tile * size, std::min(p.rows, (tile + 1) * size));
  }
}

template <typename T>
T* row(const Rows& rows, int64_t number) {
  return static_cast<T*>(rows.data) + number * rows.stride;
}

/// Asks memory for a row's values, or for their place, before it is their turn: rows of some channels
/// of a larger map lie apart, and the processor does not guess the next by itself.
class Ahead {
 public:
  explicit Ahead(const Problem& p)
      : channels(p.channels), rows(std::max<int64_t>(1, VALUES / p.channels)) {}

  template <typename T>
  void read(const Rows& map, int64_t number) const { fetch<T, 0>(map, number + rows); }

  template <typename T>
  void write(const Rows& map, int64_t number) const { fetch<T, 1>(map, number + rows); }

 private:
  /// Half of it or twice as much is slower by 2 %.
  static constexpr int64_t VALUES = 1024;
  static constexpr int64_t LINE_BYTES = 64;

  /// Of what is no memory a prefetch does nothing.
  template <typename T, int WRITE>
  void fetch(const Rows& map, int64_t number) const {
    const char* line = reinterpret_cast<const char*>(row<T>(map, number));
    for (const char* end = line + channels * sizeof(T); line < end; line += LINE_BYTES) {
      __builtin_prefetch(line, WRITE);
    }
  }

  int64_t channels, rows;
};

/// For maps of few channels, whose rows are too short to be worth a call each.
template <typename T>
void copy_of(const Problem& p, Rows from, Rows to) {
  const int64_t channels = p.channels;
  for_tiles(p, [&](int64_t, int64_t first, int64_t end) {
    for (int64_t r = first; r < end; ++r) {
      const T* values = row<T>(from, r);
      T* copies = row<T>(to, r);
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) copies[c] = values[c];
    }
  });
}

/// norm(x) = scale x + shift, by channel.
template <typename P>
struct Affine {
  std::vector<P> scale, shift, inverse;  // inverse: 1 / standard deviation

  explicit Affine(const Problem& p) : scale(p.channels), shift(p.channels), inverse(p.channels) {
    const P *weight = static_cast<const P*>(p.weight), *bias = static_cast<const P*>(p.bias);
    const P *mean = static_cast<const P*>(p.mean), *var = static_cast<const P*>(p.var);
    for (int64_t c = 0; c < p.channels; ++c) {
      inverse[c] = P(1) / std::sqrt(var[c] + P(p.eps));
      scale[c] = weight[c] * inverse[c];
      shift[c] = bias[c] - mean[c] * scale[c];
    }
  }
};

/// Chan, Golub & LeVeque 1983: the mean and squared deviations of each tile, in two walks through
/// the cache, then of their union. No cancellation, whatever the mean.
template <typename T, typename P, bool COPIES>
void moments_of(const Problem& p, Rows x, Rows copy, P* mean, P* var) {
  const int64_t channels = p.channels, tiles = tile_count(p);
  std::vector<P> means(tiles * channels), squares(tiles * channels);
  const Ahead ahead(p);
  for_tiles(p, [&](int64_t tile, int64_t first, int64_t end) {
    P* m = &means[tile * channels];
    P* s = &squares[tile * channels];
    for (int64_t r = first; r < end; ++r) {
      const T* values = row<T>(x, r);
      T* copies = COPIES ? row<T>(copy, r) : nullptr;
      ahead.read<T>(x, r);
      if (COPIES) ahead.write<T>(copy, r);
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) {
        m[c] += load(values[c]);
        if (COPIES) copies[c] = values[c];
      }
    }
    for (int64_t c = 0; c < channels; ++c) m[c] /= P(end - first);
    for (int64_t r = first; r < end; ++r) {
      const T* values = row<T>(x, r);
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) {
        const P d = load(values[c]) - m[c];
        s[c] += d * d;
      }
    }
  });
  std::vector<double> center(channels), deviation(channels);
  double before = 0;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const double here = double(std::min(p.rows, (tile + 1) * tile_rows(p)) - tile * tile_rows(p));
    const double share = here / (before + here);
    for (int64_t c = 0; c < channels; ++c) {
      const double d = double(means[tile * channels + c]) - center[c];
      center[c] += d * share;
      deviation[c] += double(squares[tile * channels + c]) + d * d * before * share;
    }
    before += here;
  }
  for (int64_t c = 0; c < channels; ++c) {
    mean[c] = P(center[c]);
    var[c] = P(deviation[c] / double(p.rows));
  }
}

template <typename T, typename P, bool ADDS>
void forward_of(const Problem& p, Rows x, Rows addend, Rows y) {
  const Affine<P> affine(p);
  const P *scale = affine.scale.data(), *shift = affine.shift.data();
  const Ahead ahead(p);
  for_tiles(p, [&](int64_t, int64_t first, int64_t end) {
    for (int64_t r = first; r < end; ++r) {
      const T* values = row<T>(x, r);
      const T* added = ADDS ? row<T>(addend, r) : nullptr;
      ahead.read<T>(x, r);
      T* results = row<T>(y, r);
#pragma omp simd
      for (int64_t c = 0; c < p.channels; ++c) {
        P value = load(values[c]) * scale[c] + shift[c];
        if (ADDS) value += load(added[c]);
        store(results[c], value < P(0) ? P(0) : value);  // a NaN stays one
      }
    }
  });
}

template <typename T, typename P, bool GIVEN>
void reduce_of(const Problem& p, Rows x, Rows y, Rows grad, P* gamma, P* beta) {
  const Affine<P> affine(p);
  const P *scale = affine.scale.data(), *shift = affine.shift.data();
  const P *inverse = affine.inverse.data(), *mean = static_cast<const P*>(p.mean);
  const int64_t channels = p.channels, tiles = tile_count(p);
  std::vector<P> sums(2 * tiles * channels);
  const Ahead ahead(p);
  for_tiles(p, [&](int64_t tile, int64_t first, int64_t end) {
    P* sum = &sums[2 * tile * channels];
    P* product = sum + channels;
    for (int64_t r = first; r < end; ++r) {
      const T* values = row<T>(x, r);
      const T* results = GIVEN ? row<T>(y, r) : nullptr;
      const T* gradients = row<T>(grad, r);
      ahead.read<T>(x, r);
      ahead.read<T>(grad, r);
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) {
        const P value = load(values[c]);
        const P result = GIVEN ? load(results[c]) : value * scale[c] + shift[c];
        const P gradient = load(gradients[c]);  // read always, or it is not vectorised
        const P g = result > P(0) ? gradient : P(0);
        sum[c] += g;
        product[c] += g * (value - mean[c]);
      }
    }
  });
  std::vector<double> all(2 * channels);
  for (int64_t tile = 0; tile < tiles; ++tile) {
    for (int64_t c = 0; c < 2 * channels; ++c) all[c] += double(sums[2 * tile * channels + c]);
  }
  for (int64_t c = 0; c < channels; ++c) {
    beta[c] = P(all[c]);
    gamma[c] = P(all[channels + c] * double(inverse[c]));
  }
}

/// Ioffe & Szegedy 2015, the gradients after algorithm 1, gathered to a g + b x + c by channel.
template <typename T, typename P, bool GIVEN, bool BASED>
void backward_of(const Problem& p, Rows x, Rows y, Rows grad, const P* gamma, const P* beta,
                 Rows base, Split grad_x, Rows grad_addend) {
  const Affine<P> affine(p);
  const P *scale = affine.scale.data(), *shift = affine.shift.data();
  const P* mean = static_cast<const P*>(p.mean);
  std::vector<P> slopes(p.channels), rests(p.channels);
  for (int64_t c = 0; gamma && c < p.channels; ++c) {
    slopes[c] = -scale[c] * affine.inverse[c] * gamma[c] / P(p.rows);
    rests[c] = -scale[c] * beta[c] / P(p.rows);
  }
  const P *slope = slopes.data(), *rest = rests.data();
  const Ahead ahead(p);
  for_tiles(p, [&](int64_t, int64_t first, int64_t end) {
    for (int64_t r = first; r < end; ++r) {
      const T* values = row<T>(x, r);
      const T* results = GIVEN ? row<T>(y, r) : nullptr;
      const T* gradients = row<T>(grad, r);
      const T* bases = BASED ? row<T>(base, r) : nullptr;
      ahead.read<T>(x, r);
      ahead.read<T>(grad, r);
      if (BASED) ahead.write<T>(base, r);  // where the result goes, mostly
      T* to_addend = grad_addend.data ? row<T>(grad_addend, r) : nullptr;
      const auto channels = [&](int64_t from, int64_t to, T* place) {
#pragma omp simd
        for (int64_t c = from; c < to; ++c) {
          const P value = load(values[c]);
          const P result = GIVEN ? load(results[c]) : value * scale[c] + shift[c];
          const P gradient = load(gradients[c]);
          const P g = result > P(0) ? gradient : P(0);
          P d = scale[c] * g + slope[c] * (value - mean[c]) + rest[c];
          if (BASED) d += load(bases[c]);
          if (GIVEN && to_addend) store(to_addend[c], g);
          store(place[c - from], d);
        }
      };
      channels(0, grad_x.first_channels, row<T>(grad_x.first, r));
      channels(grad_x.first_channels, p.channels, row<T>(grad_x.rest, r));
    }
  });
}

/// Calls `work` with a value of the kind's type of map and of parameter.
template <typename Work>
void with_types(Kind kind, const Work& work) {
  switch (kind) {
    case FLOAT32: return work(float{}, float{});
    case BFLOAT16: return work(BFloat16{}, float{});
    case FLOAT64: return work(double{}, double{});
  }
}

void copy(const Problem& p, Rows from, Rows to) {
  with_types(p.kind, [&](auto t, auto) { copy_of<decltype(t)>(p, from, to); });
}

void moments(const Problem& p, Rows x, Rows copy, void* mean, void* var) {
  with_types(p.kind, [&](auto t, auto q) {
    using T = decltype(t);
    using P = decltype(q);
    P *to_mean = static_cast<P*>(mean), *to_var = static_cast<P*>(var);
    copy.data ? moments_of<T, P, true>(p, x, copy, to_mean, to_var)
              : moments_of<T, P, false>(p, x, copy, to_mean, to_var);
  });
}

void forward(const Problem& p, Rows x, Rows addend, Rows y) {
  with_types(p.kind, [&](auto t, auto q) {
    using T = decltype(t);
    using P = decltype(q);
    addend.data ? forward_of<T, P, true>(p, x, addend, y) : forward_of<T, P, false>(p, x, addend, y);
  });
}

void reduce(const Problem& p, Rows x, Rows y, Rows grad, void* gamma, void* beta) {
  with_types(p.kind, [&](auto t, auto q) {
    using T = decltype(t);
    using P = decltype(q);
    P *to_gamma = static_cast<P*>(gamma), *to_beta = static_cast<P*>(beta);
    y.data ? reduce_of<T, P, true>(p, x, y, grad, to_gamma, to_beta)
           : reduce_of<T, P, false>(p, x, y, grad, to_gamma, to_beta);
  });
}

void backward(const Problem& p, Rows x, Rows y, Rows grad, const void* gamma, const void* beta,
              Rows base, Split grad_x, Rows grad_addend) {
  with_types(p.kind, [&](auto t, auto q) {
    using T = decltype(t);
    using P = decltype(q);
    const P *of_gamma = static_cast<const P*>(gamma), *of_beta = static_cast<const P*>(beta);
    const auto go = [&](auto given, auto based) {
      backward_of<T, P, given.value, based.value>(p, x, y, grad, of_gamma, of_beta, base, grad_x,
                                                  grad_addend);
    };
    using Yes = std::true_type;
    using No = std::false_type;
    if (y.data) {
      base.data ? go(Yes{}, Yes{}) : go(Yes{}, No{});
    } else {
      base.data ? go(No{}, Yes{}) : go(No{}, No{});
    }
  });
}

}  // namespace

extern const Kernels CATSCAN_KERNELS;
const Kernels CATSCAN_KERNELS = {copy, moments, forward, reduce, backward};

}  // namespace catscan
