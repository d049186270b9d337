// Many tensors as one row of numbers, walked by all threads in stretches of one length. See
// ../pieces.rs. Each number is computed by itself and rounded after every operation (build.rs keeps
// the compiler from fusing two), or the largest is sought, which no order changes: so neither threads
// nor processors change a bit.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

namespace {

/// Some numbers of the row.
struct Piece {
  float* numbers;
  int64_t length;
};

/// Coefficients of a step; ../pieces.rs has the formula.
struct Descent {
  float scale, decay, momentum, take, rate, keep;
  bool nesterov;
};

/// 64 KiB a tensor: what a step touches of a stretch stays in a core's second-level cache.
constexpr int64_t STRETCH = 1 << 14;

/// `work(piece, from where in it, where that is in the row, how many numbers)` for all of the row.
template <typename Work>
void for_all(const Piece* pieces, int64_t count, const Work& work) {
  int64_t total = 0;
  for (int64_t i = 0; i < count; ++i) total += pieces[i].length;
  const int64_t stretches = (total + STRETCH - 1) / STRETCH;
#pragma omp parallel if (stretches > 1)
  {
    int64_t piece = 0, start = 0;  // of the piece in the row; stretches of a thread only go on
#pragma omp for schedule(static)
    for (int64_t stretch = 0; stretch < stretches; ++stretch) {
      const int64_t end = std::min(total, (stretch + 1) * STRETCH);
      for (int64_t at = stretch * STRETCH; at < end;) {
        while (start + pieces[piece].length <= at) start += pieces[piece++].length;
        const int64_t length = std::min(end, start + pieces[piece].length) - at;
        work(piece, at - start, at, length);
        at += length;
      }
    }
  }
}

/// What the gradient asks for, with a coupled decay.
inline float pull(const Descent& d, float g, float w) {
  const float pulled = d.decay == 0 ? g : w * d.decay + g;
  return pulled * d.scale;
}

inline float moved(const Descent& d, float w, float change) {
  return w * d.keep + change * d.rate;
}

}  // namespace

extern "C" void catscan_gather(const Piece* pieces, int64_t count, float* row) {
  for_all(pieces, count, [=](int64_t piece, int64_t from, int64_t at, int64_t length) {
    std::memcpy(row + at, pieces[piece].numbers + from, length * sizeof(float));
  });
}

/// Without its sign a number is the larger the larger its bits are as a whole number, and those of a
/// NaN are the largest.
extern "C" float catscan_largest(const Piece* pieces, int64_t count) {
  std::atomic<int32_t> largest{0};
  for_all(pieces, count, [&](int64_t piece, int64_t from, int64_t, int64_t length) {
    const float* numbers = pieces[piece].numbers + from;
    // Each place by itself, so that one comparison need not wait for another.
    constexpr int64_t PLACES = 32, AHEAD = 1024;
    int32_t found[PLACES] = {};
    const auto look = [&](int64_t at, int64_t places) {
      for (int64_t place = 0; place < places; ++place) {
        int32_t bits;
        std::memcpy(&bits, numbers + at + place, sizeof bits);
        found[place] = std::max(found[place], bits & INT32_MAX);
      }
    };
    const int64_t whole = length / PLACES * PLACES;
    for (int64_t i = 0; i < whole; i += PLACES) {
#ifdef __GNUC__
      // A single row of memory is not asked for early enough, least of all across its pages.
      for (int64_t line = 0; line < PLACES; line += 16) __builtin_prefetch(numbers + i + AHEAD + line);
#endif
      look(i, PLACES);
    }
    look(whole, length - whole);
    const int32_t here = *std::max_element(found, found + PLACES);
    int32_t before = largest.load();
    while (before < here && !largest.compare_exchange_weak(before, here)) {
    }
  });
  const int32_t bits = largest.load();
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

/// A weight's gradient has its length. `velocity` is a row, or null without momentum.
extern "C" void catscan_descend(const Descent* descent, const Piece* pieces, int64_t count,
                                const Piece* gradients, float* velocity) {
  const Descent d = *descent;
  for_all(pieces, count, [=](int64_t piece, int64_t from, int64_t at, int64_t length) {
    float* weights = pieces[piece].numbers + from;
    const float* g = gradients[piece].numbers + from;
    if (!velocity) {
#pragma omp simd
      for (int64_t i = 0; i < length; ++i) {
        weights[i] = moved(d, weights[i], pull(d, g[i], weights[i]));
      }
      return;
    }
    float* v = velocity + at;
    if (d.nesterov) {
#pragma omp simd
      for (int64_t i = 0; i < length; ++i) {
        const float q = pull(d, g[i], weights[i]);
        v[i] = v[i] * d.momentum + q * d.take;
        weights[i] = moved(d, weights[i], v[i] * d.momentum + q);
      }
    } else {
#pragma omp simd
      for (int64_t i = 0; i < length; ++i) {
        const float q = pull(d, g[i], weights[i]);
        v[i] = v[i] * d.momentum + q * d.take;
        weights[i] = moved(d, weights[i], v[i]);
      }
    }
  });
}
