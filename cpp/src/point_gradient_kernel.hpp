#pragma once

// The gradient of windows of one pixel with respect to their kernel, in terms of Vec<T>: a product over the
// pixels of a chunk,
//
//     c[i, j] (+)= sum_p a[p, i] b[p, j],
//
// where one of a and b holds pixels of x and the other gradients of y; a is read where it lies, b is packed
// in panels as in gemm_pack.hpp. While a tile multiplies, it asks for some of the lines of memory that the
// next chunk lies in, and for the next tile's c: with so few multiply-adds for each element they would come
// too late from the third-level cache.

#include "conv_kernels.hpp"
#include "gemm_pack.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Vectors of c that stay in registers, beside those of b and one of a. The rows divide kPointChannels.
#if defined(FASTNN_ISA_avx512) || defined(FASTNN_ISA_neon)
constexpr int kPointRows = 8, kPointVectors = 3;
#else
constexpr int kPointRows = 4, kPointVectors = 3;
#endif
/// Pixels between lines that are asked for, at least.
constexpr Index kPointAskPixels = 2;
static_assert(kPointChannels % kPointRows == 0);

/// Asks for one piece of memory after the other, line by line.
struct PointAsker {
  const Piece* next;
  const Piece* end;
  const char* line = nullptr;
  Index left = 0;
  void operator()() {
    if (left == 0) {
      if (next == end) return;
      line = static_cast<const char*>(next->begin), left = next->lines, ++next;
    }
    __builtin_prefetch(line, 0, 2);
    line += kLineBytes, --left;
  }
};

/// kPointRows rows and N vectors of columns of c. asks: how many lines to ask for.
template <int N, class T> static void point_tile(const PointProduct<T>& x, const T* a, const T* b, T* c,
                                                 Index asks, PointAsker& asker) {
  using V = Vec<T>;
  constexpr int L = V::lanes, R = kPointRows;
  V sums[R][N];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) sums[i][j] = x.accumulate ? V::load(c + i * x.c_row + j * L) : V::set(0);
  const auto step = [&] {
    V row[N];
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) row[j] = V::load(b + j * L);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const V v = V::set(a[i]);
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) sums[i][j] = fma(v, row[j], sums[i][j]);
    }
    a += x.a_pixel, b += N * L;
  };
  const Index share = asks > 0 ? x.pixels / asks : 0,
              every = share < kPointAskPixels ? kPointAskPixels : share;
  Index p = 0;
  for (Index asked = 0; asked < asks && p + every <= x.pixels; ++asked) {
    asker();
    if (asked < R)
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) __builtin_prefetch(c + (R + asked) * x.c_row + j * L, 0, 2);
#pragma GCC unroll 1
    for (const Index end = p + every; p < end; ++p) step();
  }
#pragma GCC unroll 1
  for (; p < x.pixels; ++p) step();
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) sums[i][j].store(c + i * x.c_row + j * L);
}

template <class T, int N = kPointVectors> static auto select_point_tile(Index vectors) {
  if constexpr (N > 1)
    if (vectors < N) return select_point_tile<T, N - 1>(vectors);
  return &point_tile<N, T>;
}

/// The products of one chunk.
template <class T> static void point_gradient(const PointProduct<T>& x) {
  const Index tiles = x.panels * (x.rows / kPointRows);
  PointAsker asker{x.next, x.next + x.nexts};
  Index lines = 0, tile = 0;
  for (Index i = 0; i < x.nexts; ++i) lines += x.next[i].lines;
  for (Index i = 0; i < x.panels; ++i) {
    const Panel<T> panel(x.cols, x.panels, i);
    const auto multiply = select_point_tile<T>(panel.count / Vec<T>::lanes);
    for (Index row = 0; row < x.rows; row += kPointRows, ++tile)
      multiply(x, x.a + row, x.b + panel.first * x.pixels, x.c + row * x.c_row + panel.first,
               lines * (tile + 1) / tiles - lines * tile / tiles, asker);
  }
}

}  // namespace fastnn::cpu::FASTNN_ISA
