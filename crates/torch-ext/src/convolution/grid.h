// Where the rows of a map lie once each picture has a margin of zeros.
#pragma once

#include "pack.h"

#include <cstdint>

namespace catscan {
namespace pairs {
namespace {

/// Pictures one behind the other, each with a margin of zeros to its right and below it, which is the
/// next one's to the left and above: so what lies under a tap is everywhere the same way off. A 1×1
/// needs no margin.
struct Grid {
  int64_t h, w, height, width;
  /// The farthest that a tap reaches.
  int64_t reach;

  explicit Grid(const Shape& shape)
      : h(shape.h), w(shape.w), height(h + shape.size / 2), width(w + shape.size / 2),
        reach(shape.size / 2 * (width + 1)) {}

  int64_t places(int64_t pictures) const { return pictures * height * width; }

  int64_t off(const Tap& tap) const { return tap.down * width + tap.right; }
};

/// Walks through the places of a grid.
class Place {
 public:
  Place(const Grid& grid, int64_t place)
      : grid(grid), x(place % grid.width), y(place / grid.width % grid.height),
        picture(place / (grid.width * grid.height)) {
    if (place < 0) {  // what is reached before the first picture is its margin
      x = grid.w, y = grid.h, picture = -1, before = -place;
    }
  }

  /// The number of its pixel's row in a map of so many pictures, -1 for none.
  int64_t row(int64_t pictures) const {
    const bool inside = x < grid.w && y < grid.h && picture < pictures;
    return inside ? (picture * grid.h + y) * grid.w + x : -1;
  }

  void next() {
    if (before > 0) {
      if (--before == 0) x = y = picture = 0;
    } else if (++x == grid.width) {
      x = 0;
      if (++y == grid.height) {
        y = 0;
        ++picture;
      }
    }
  }

 private:
  const Grid& grid;
  int64_t x, y, picture, before = 0;
};

}  // namespace
}  // namespace pairs
}  // namespace catscan
