// Sums of products of bf16 pairs, in 32 bits, by AMX: `tdpbf16ps` adds to a tile of 16 by 16 sums
// the products of 16 rows of 16 pairs with 16 rows of 16 columns' pairs. As in dots.cpp two kernels
// compute three things:
//
// - `Product`, rows of a map by a weight, where pairs are of channels.
// - `outer`, the weight's gradient: for each tap the outer products of y's gradient with what of x
//   lies under it, where pairs are of pictures: so a pair stays one whatever the tap.
//
// For kernels larger than 1×1 some rows at a time are laid in a grid with a margin of zeros, which
// stays in a cache until it was used. No patches are gathered. What lies in a margin is multiplied
// like all else: an infinite weight or gradient makes a NaN there, where dots.cpp leaves edges out.
//
// The order of a sum depends on the shape alone: the number of threads changes no bit of a result.

#include "grid.h"
#include "pack.h"

#include <algorithm>
#include <cstring>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace catscan {
namespace pairs {
namespace {

/// Rows of a tile, which are as many pairs, and bytes of a row.
constexpr int64_t TILE = 16, ROW_BYTES = 64;
/// Numbers of 16 bits in a tile.
constexpr int64_t NUMBERS = TILE * 2 * TILE;
/// Bytes of a map's rows that stay in the second-level cache while a weight passes by.
constexpr int64_t NEAR_BYTES = 512 << 10;
/// Bytes of both maps' rows that are packed at once for a weight's gradient, if a map is not larger.
constexpr int64_t PACKED_BYTES = 1 << 20;
/// Of so many tiles of pairs at most, writing a weight's gradient is more work than computing it.
constexpr int64_t FEW_TILES = 16;
/// Numbers of a weight whose gradient, 256 KiB, leaves the caches before the optimiser takes it.
constexpr int64_t LARGE_WEIGHT = 1 << 16;

int threads() {
#ifdef _OPENMP
  return omp_get_num_threads();
#else
  return 1;
#endif
}

/// A thread's tiles, all eight of full size, until they are let go: then others, such as oneDNN, may
/// set up theirs.
class FullTiles {
 public:
  FullTiles() { _tile_loadconfig(&FULL); }
  ~FullTiles() { _tile_release(); }

 private:
  struct Config {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  };
  static_assert(sizeof(Config) == 64, "as the processor reads it");
  // A constant, not a value made on the way: GCC before 14 believes that only its first bytes are read.
  alignas(64) static constexpr Config FULL = {1, 0, {}, {64, 64, 64, 64, 64, 64, 64, 64},
                                              {16, 16, 16, 16, 16, 16, 16, 16}};
};

/// GCC does not know that tiles are loaded from memory: what was written before must be there.
inline void written() { asm volatile("" ::: "memory"); }

/// Sums of HEIGHT·TILE rows by CHANNELS columns. Tiles of the processor's have fixed numbers: 0 to 3
/// are sums, 4 and 5 rows, 6 and 7 columns.
template <int HEIGHT>
struct Sums {
  static void zero() {
    _tile_zero(0);
    _tile_zero(1);
    if (HEIGHT == 2) {
      _tile_zero(2);
      _tile_zero(3);
    }
  }

  /// Adds the products of pairs: of rows so many numbers apart, by CHANNELS columns. The lower rows
  /// lie `lower` numbers behind the upper ones.
  static void add(const uint16_t* rows, int64_t apart, int64_t lower, const uint16_t* columns) {
    constexpr int64_t COLUMNS_APART = 2 * ROW_BYTES;
    const int64_t bytes = apart * sizeof *rows;
    _tile_loadd(4, rows, bytes);
    _tile_loadd(6, columns, COLUMNS_APART);
    _tile_loadd(7, columns + 2 * TILE, COLUMNS_APART);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if (HEIGHT == 2) {
      _tile_loadd(5, rows + lower, bytes);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }

  /// From, and to, rows so many numbers apart.
  static void load(const float* from, int64_t apart) {
    const int64_t bytes = apart * sizeof *from;
    _tile_loadd(0, from, bytes);
    _tile_loadd(1, from + TILE, bytes);
    if (HEIGHT == 2) {
      _tile_loadd(2, from + TILE * apart, bytes);
      _tile_loadd(3, from + TILE * apart + TILE, bytes);
    }
  }
  static void store(float* to, int64_t apart) {
    const int64_t bytes = apart * sizeof *to;
    _tile_stored(0, to, bytes);
    _tile_stored(1, to + TILE, bytes);
    if (HEIGHT == 2) {
      _tile_stored(2, to + TILE * apart, bytes);
      _tile_stored(3, to + TILE * apart + TILE, bytes);
    }
  }
  /// The same, looking at each number.
  static void store(float* to, int64_t apart, Largest& largest) {
    store(to, apart);
    for (int64_t i = 0; i < HEIGHT * TILE; ++i, to += apart) {
      largest.look(_mm512_loadu_ps(to));
      largest.look(_mm512_loadu_ps(to + LANES));
    }
  }
  /// Past the caches, which then need not read first what is overwritten. `to` is aligned.
  static void stream(float* to, int64_t apart, Largest& largest) {
    alignas(64) float sums[HEIGHT * TILE * CHANNELS];
    store(sums, CHANNELS, largest);
    for (int64_t i = 0; i < HEIGHT * TILE; ++i, to += apart) {
      _mm512_stream_ps(to, _mm512_load_ps(sums + i * CHANNELS));
      _mm512_stream_ps(to + LANES, _mm512_load_ps(sums + i * CHANNELS + LANES));
    }
  }
};

/// A map's rows by their places in a grid.
class GridRows {
 public:
  GridRows(const Shape& shape, const Grid& grid, const uint16_t* map, int64_t channels)
      : shape(shape), grid(grid), map(map), channels(channels) {}

  /// The row of the place `first`. Those of the next `count` places follow it, and so do those that
  /// are reached from them, before and behind, until it is asked again.
  const uint16_t* from(int64_t first, int64_t count) {
    if (grid.reach == 0 && first + count <= shape.rows()) return map + first * channels;
    const int64_t length = (count + 2 * grid.reach) * channels;
    if (int64_t(copied.size()) < length) copied.resize(length);
    uint16_t* to = copied.data();
    Place place(grid, first - grid.reach);
    for (; to < copied.data() + length; to += channels, place.next()) {
      const int64_t row = place.row(shape.n);
      for (int64_t c = 0; c < channels; c += CHANNELS) {
        const __m512i numbers = row < 0 ? _mm512_setzero_si512() : load(map + row * channels + c);
        _mm512_storeu_si512(to + c, numbers);
      }
    }
    written();
    return copied.data() + grid.reach * channels;
  }

 private:
  const Shape& shape;
  const Grid& grid;
  const uint16_t* map;
  int64_t channels;
  std::vector<uint16_t> copied;
};

/// A convolution from `x` to `y`, its weight packed; the gradient of x is one too.
struct Product {
  const Shape& shape;
  const Grid& grid;
  const uint16_t* x;
  int64_t inputs;
  const uint16_t* weight;
  int64_t outputs;
  uint16_t* y;

  /// HEIGHT·TILE places from `first` on, whose rows of x begin at `rows`, by CHANNELS outputs.
  template <int HEIGHT>
  void block(const uint16_t* rows, int64_t first, int64_t panel) const {
    alignas(64) float sums[HEIGHT * TILE * CHANNELS];
    const uint16_t* columns = weight + panel * shape.taps() * inputs * CHANNELS;
    Sums<HEIGHT>::zero();
    for (int64_t number = 0; number < shape.taps(); ++number) {
      const uint16_t* under = rows + grid.off(Tap(shape, number)) * inputs;
      for (int64_t c = 0; c < inputs; c += CHANNELS, columns += CHANNELS * CHANNELS) {
        Sums<HEIGHT>::add(under + c, inputs, TILE * inputs, columns);
      }
    }
    Sums<HEIGHT>::store(sums, CHANNELS);
    Place place(grid, first);
    for (int64_t i = 0; i < HEIGHT * TILE; ++i, place.next()) {
      const int64_t row = place.row(shape.n);
      if (row >= 0) {
        _mm512_storeu_si512(y + row * outputs + panel * CHANNELS, rounded(sums + i * CHANNELS));
      }
    }
  }

  template <int HEIGHT>
  void run() const {
    constexpr int64_t BLOCK = HEIGHT * TILE;
    const int64_t panels = outputs / CHANNELS;
    const int64_t blocks = (grid.places(shape.n) + BLOCK - 1) / BLOCK;
    // Of blocks, that a panel of the weight meets while they are near: every thread gets several.
    const int64_t near = NEAR_BYTES / (BLOCK * inputs * int64_t(sizeof *x));
    const int64_t shared = blocks * panels / (4 * threads());
    const int64_t group = std::max<int64_t>(1, std::min({near, shared, blocks}));
    const int64_t groups = (blocks + group - 1) / group;
    GridRows places(shape, grid, x, inputs);
    int64_t at = -1;
    const uint16_t* rows = nullptr;
#pragma omp for schedule(static)
    for (int64_t item = 0; item < groups * panels; ++item) {
      const int64_t panel = item % panels, first = item / panels * group;
      const int64_t count = std::min(group, blocks - first);
      if (at != first) rows = places.from(first * BLOCK, count * BLOCK);
      at = first;
      for (int64_t i = 0; i < count; ++i) {
        block<HEIGHT>(rows + i * BLOCK * inputs, (first + i) * BLOCK, panel);
      }
    }
  }
};

void multiply(const Shape& shape, const uint16_t* x, int64_t inputs, Weight weight, bool transposed,
              uint16_t* packed, int64_t outputs, uint16_t* y) {
  const Grid grid(shape);
#pragma omp parallel
  {
    const FullTiles tiles;
    pack(shape, weight, transposed, packed);
    written();
    const Product product{shape, grid, x, inputs, packed, outputs, y};
    // Few places are shared out in single tiles.
    const int64_t blocks = grid.places(shape.n) / (2 * TILE) * (outputs / CHANNELS);
    if (blocks < 8 * threads()) {
      product.run<1>();
    } else {
      product.run<2>();
    }
  }
}

/// Some pictures in pairs, as they are packed at once: pairs of pixels lie in a grid.
struct Paired {
  const Shape& shape;
  Grid grid;
  int64_t first, pictures;

  Paired(const Shape& shape, int64_t first)
      : shape(shape), grid(shape), first(first), pictures(std::min(shape.n - first, most())) {}

  /// So many stay in a cache from their packing to their use.
  int64_t most() const {
    const int64_t bytes = 2 * sizeof(uint16_t) * (shape.inputs + shape.outputs);
    return 2 * std::max<int64_t>(1, PACKED_BYTES / (bytes * grid.places(1)));
  }

  /// In whole tiles.
  int64_t tiles() const { return (grid.places((pictures + 1) / 2) + TILE - 1) / TILE; }
  int64_t pairs() const { return tiles() * TILE; }
  /// With what is reached before the first and behind the last.
  int64_t reached() const { return pairs() + 2 * grid.reach; }

  /// LANES pairs of a map's numbers at a place, from a channel on.
  struct Rows {
    const uint16_t *one, *other;

    __m512i pairs(int64_t channel) const {
      const auto wide = [&](const uint16_t* row) {
        if (!row) return _mm512_setzero_si512();
        const auto* from = reinterpret_cast<const __m256i*>(row + channel);
        return _mm512_cvtepu16_epi32(_mm256_loadu_si256(from));
      };
      return _mm512_or_si512(wide(one), _mm512_slli_epi32(wide(other), 16));
    }
  };
  Rows rows(const uint16_t* map, int64_t channels, const Place& place) const {
    const int64_t row = place.row((pictures + 1) / 2), pixels = shape.h * shape.w;
    if (row < 0) return {nullptr, nullptr};
    const int64_t picture = row / pixels * 2;
    const uint16_t* one = map + ((first + picture) * pixels + row % pixels) * channels;
    return {one, picture + 1 < pictures ? one + pixels * channels : nullptr};
  }
};

/// For every CHANNELS inputs, for every place that is reached: their pairs.
void pack_columns(const Paired& paired, const uint16_t* x, int64_t inputs, uint16_t* packed) {
  const int64_t places = paired.reached();
#pragma omp for schedule(static)
  for (int64_t tile = 0; tile < (places + TILE - 1) / TILE; ++tile) {
    Place place(paired.grid, tile * TILE - paired.grid.reach);
    for (int64_t i = tile * TILE; i < std::min(places, (tile + 1) * TILE); ++i, place.next()) {
      const auto rows = paired.rows(x, inputs, place);
      for (int64_t c = 0; c < inputs; c += CHANNELS) {
        uint16_t* to = packed + 2 * (c * places + i * CHANNELS);
        _mm512_storeu_si512(to, rows.pairs(c));
        _mm512_storeu_si512(to + 2 * LANES, rows.pairs(c + LANES));
      }
    }
  }
}

/// For every TILE outputs, for every tile of places: each output's pairs.
void pack_rows(const Paired& paired, const uint16_t* gradient, int64_t outputs, uint16_t* packed) {
  const int64_t tiles = paired.tiles();
#pragma omp for schedule(static)
  for (int64_t tile = 0; tile < tiles; ++tile) {
    Paired::Rows places[TILE];
    Place place(paired.grid, tile * TILE);
    for (int64_t i = 0; i < TILE; ++i, place.next()) {
      places[i] = paired.rows(gradient, outputs, place);
    }
    for (int64_t o = 0; o < outputs; o += TILE) {
      __m512i rows[TILE];
      for (int64_t i = 0; i < TILE; ++i) rows[i] = places[i].pairs(o);
      transpose(rows);
      uint16_t* to = packed + (o / TILE * tiles + tile) * NUMBERS;
      for (int64_t i = 0; i < TILE; ++i) _mm512_storeu_si512(to + 2 * TILE * i, rows[i]);
    }
  }
}

/// For each tap the sum of the outer products of packed rows with the packed columns under them, on
/// top of `result` unless these are the first. `largest` sees what is final.
void outer(const Paired& paired, const uint16_t* rows, const uint16_t* columns, float* result,
           Largest& largest) {
  using Block = Sums<2>;
  const Shape& shape = paired.shape;
  const int64_t inputs = shape.inputs, taps = shape.taps(), tiles = paired.tiles();
  const int64_t panels = inputs / CHANNELS, groups = shape.outputs / CHANNELS;
  // Of few pairs most work is to write the result, so it goes in the order in which that lies; of
  // many, to read them, so taps follow each other, which see the same ones.
  const bool by_memory = tiles <= FEW_TILES;
  const bool last = paired.first + paired.pictures == shape.n;
  const bool streams = by_memory && paired.first == 0 && last &&
                       shape.outputs * taps * inputs >= LARGE_WEIGHT &&
                       reinterpret_cast<uintptr_t>(result) % 64 == 0;
#pragma omp for schedule(static) nowait
  for (int64_t item = 0; item < panels * groups * taps; ++item) {
    const int64_t panel = by_memory ? item % panels : item / taps / groups;
    const int64_t number = by_memory ? item / panels % taps : item % taps;
    const int64_t group = by_memory ? item / panels / taps : item / taps % groups;
    const int64_t off = paired.grid.reach + paired.grid.off(Tap(shape, number));
    const uint16_t* under = columns + 2 * CHANNELS * (panel * paired.reached() + off);
    const uint16_t* over = rows + 2 * group * tiles * NUMBERS;
    float* to = result + (group * CHANNELS * taps + number) * inputs + panel * CHANNELS;
    if (paired.first > 0) {
      Block::load(to, taps * inputs);
    } else {
      Block::zero();
    }
    for (int64_t tile = 0; tile < tiles; ++tile) {
      Block::add(over + tile * NUMBERS, 2 * TILE, tiles * NUMBERS,
                 under + 2 * tile * TILE * CHANNELS);
    }
    if (streams) {
      Block::stream(to, taps * inputs, largest);
    } else if (last) {
      Block::store(to, taps * inputs, largest);
    } else {
      Block::store(to, taps * inputs);
    }
  }
  _mm_sfence();
#pragma omp barrier
}

void forward(const Shape& shape, const uint16_t* x, Weight weight, uint16_t* packed, uint16_t* y) {
  multiply(shape, x, shape.inputs, weight, /*transposed=*/false, packed, shape.outputs, y);
}

void gradient_of_x(const Shape& shape, const uint16_t* gradient, Weight weight, uint16_t* packed,
                   uint16_t* result) {
  multiply(shape, gradient, shape.outputs, weight, /*transposed=*/true, packed, shape.inputs,
           result);
}

/// The pixels of a 1×1 convolution are pictures of one pixel: any two make a pair.
Shape flattened(const Shape& shape) {
  if (shape.taps() > 1) return shape;
  return {shape.rows(), 1, 1, 1, shape.inputs, shape.outputs};
}

int64_t room(const Shape& given) {
  const Shape shape = flattened(given);
  const Paired most(shape, 0);
  return 2 * (most.pairs() * shape.outputs + most.reached() * shape.inputs);
}

float gradient_of_weight(const Shape& given, const uint16_t* gradient, const uint16_t* x,
                         uint16_t* packed, float* result) {
  const Shape shape = flattened(given);
  int32_t most = 0;
#pragma omp parallel reduction(max : most)
  {
    const FullTiles tiles;
    Largest largest;
    for (int64_t first = 0; first < shape.n;) {
      const Paired paired(shape, first);
      uint16_t* columns = packed + 2 * paired.pairs() * shape.outputs;
      pack_rows(paired, gradient, shape.outputs, packed);
      pack_columns(paired, x, shape.inputs, columns);
      written();
      outer(paired, packed, columns, result, largest);
      first += paired.pictures;
    }
    most = largest.bits();
  }
  return Largest::of(most);
}

}  // namespace

const Kernels tiles = {forward, gradient_of_x, gradient_of_weight, room};

}  // namespace pairs
}  // namespace catscan
