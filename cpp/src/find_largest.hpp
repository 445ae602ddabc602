#pragma once

// The largest elements of a window and where they are: what pool2d.cpp and global_max_pool.cpp share.

#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Vectors of a pixel that are gone down with at a time, as far as there are so many. One alone goes down a
/// window as large as the image in steps of up to some KiB, which takes half as long again.
constexpr int kLargestVectors = 4;

/// Largest elements and their places among those of a window, of n vectors of channels.
template <class V, int n> struct Found { V m[n], place[n]; };

/// Of equal elements the first, of several NaNs the last; the first of all if they are -infinity.
template <int n, class T, class At>
static inline Found<Vec<T>, n> find_largest(const T* x, Index row, Index c, Index rows, Index cols, At at) {
  using V = Vec<T>;
  const V one = V::set(1);
  Found<V, n> found;
  V here = V::set(0);
  for (int v = 0; v < n; ++v) found.m[v] = V::set(T(-__builtin_inf())), found.place[v] = here;
  for (Index r = 0; r < rows; ++r, x += row)
    for (Index q = 0; q < cols; ++q, here = here + one)
      for (int v = 0; v < n; ++v) {
        const V value = at.load(x + q * c + v * V::lanes);
        const auto better = (value > found.m[v]) | (value != value);
        found.m[v] = select(better, value, found.m[v]);
        found.place[v] = select(better, here, found.place[v]);
      }
  return found;
}

}  // namespace fastnn::cpu::FASTNN_ISA
