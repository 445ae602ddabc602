#pragma once

// Products over windows of one pixel, in terms of Vec<T>:
//
//     c[i, :] (+)= sum_p a[i a_row + p a_col] b[p, :]
//
// forward, input gradient   rows are pixels, a_row apart, the depth their channels, b is the kernel
// kernel gradient           rows are channels of x or of dy, the depth the pixels of a chunk, b is the other
//
// b is packed in panels as in gemm_pack.hpp. While a tile multiplies, it asks for some of the lines of memory
// that the next chunk lies in: with so few multiply-adds for each element they would come too late from the
// third-level cache.

#include "conv_kernels.hpp"
#include "gemm_pack.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Vectors of c that stay in registers, beside those of b and one of a. 0: scalar code goes the general way.
#if defined(FASTNN_ISA_avx512) || defined(FASTNN_ISA_neon)
constexpr int kPointRows = 8, kPointVectors = 3;
#elif defined(FASTNN_ISA_avx2)
constexpr int kPointRows = 4, kPointVectors = 3;
#else
constexpr int kPointRows = 0, kPointVectors = 0;
#endif
/// Steps of the depth between lines that are asked for, at least.
constexpr Index kPointAskSteps = 2;
static_assert(kPointRows == 0 || kPointChannels % kPointRows == 0);

/// kPointRows rows and N vectors of columns from `column` on, the last of them with `last` columns. Asks for
/// so many lines of memory. kSideBySide: rows lie side by side, as in kernel gradients, not their elements.
template <int N, bool kSideBySide, class T> static void point_tile(const PointProduct<T>& x, const T* a,
                                                                   const T* b, T* c, int last, Index column,
                                                                   const char* line, Index lines) {
  using V = Vec<T>;
  constexpr int L = V::lanes, R = kPointRows;
  const bool accumulate = kSideBySide && x.accumulate;
  V sums[R][N];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) sums[i][j] = accumulate ? V::load(c + i * x.c_row + j * L) : V::set(0);
  const Index a_row = kSideBySide ? 1 : x.a_row, a_col = kSideBySide ? x.a_col : 1;
  const auto step = [&] {
    V row[N];
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) row[j] = V::load(b + j * L);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const V v = V::set(a[i * a_row]);
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) sums[i][j] = fma(v, row[j], sums[i][j]);
    }
    a += a_col, b += N * L;
  };
  const Index depth = x.depth;
  Index p = 0;
  if (lines > 0) {
    const Index share = depth / lines, every = share < kPointAskSteps ? kPointAskSteps : share;
    const T* next_c = c + R * x.c_row;
    for (; lines > 0 && p + every <= depth; --lines, line += kLineBytes) {
      __builtin_prefetch(line, 0, 2);
      if (accumulate && lines <= R) {
#pragma GCC unroll 4
        for (int j = 0; j < N; ++j) __builtin_prefetch(next_c + j * L, 0, 2);
        next_c += x.c_row;
      }
#pragma GCC unroll 1
      for (const Index end = p + every; p < end; ++p) step();
    }
  }
#pragma GCC unroll 1
  for (; p < depth; ++p) step();
  if constexpr (!kSideBySide) finish_sums(x, sums, last, column);
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    T* const to = c + i * x.c_row;
#pragma GCC unroll 4
    for (int j = 0; j < N - 1; ++j) sums[i][j].store(to + j * L);
    last == L ? sums[i][N - 1].store(to + (N - 1) * L) : sums[i][N - 1].store_n(to + (N - 1) * L, last);
  }
}

template <class T, int N = kPointVectors> static auto select_point_tile(Index vectors, bool side_by_side) {
  if constexpr (N > 1)
    if (vectors < N) return select_point_tile<T, N - 1>(vectors, side_by_side);
  return side_by_side ? &point_tile<N, true, T> : &point_tile<N, false, T>;
}

/// Panels [panel, panel_end) of all rows, kPointRows at least. Where rows are no multiple of that, the last
/// tile takes some again.
template <class T> static void point_multiply(const PointProduct<T>& x, Index panel, Index panel_end) {
  const Index tiles = (x.rows + kPointRows - 1) / kPointRows, all = tiles * (panel_end - panel);
  Index lines = 0, tile = 0, asked = 0;  // of the first of the pieces that are left
  const Piece* next = x.next;
  const Piece* const end = x.next + x.nexts;
  for (const Piece* piece = next; piece < end; ++piece) lines += piece->lines;
  for (Index i = panel; i < panel_end; ++i) {
    constexpr Index L = Vec<T>::lanes;
    const Panel<T> columns(x.cols, x.panels, i);
    const auto multiply = select_point_tile<T>(columns.count / L, x.a_col != 1);
    const int last = int(columns.width(x.cols) - columns.count + L);
    for (Index t = 0; t < tiles; ++t, ++tile) {
      const Index row = t + 1 < tiles ? t * kPointRows : x.rows - kPointRows;
      Index asks = lines * (tile + 1) / all - lines * tile / all;
      if (next < end && asked == next->lines) ++next, asked = 0;
      asks = next == end ? 0 : asks < next->lines - asked ? asks : next->lines - asked;
      multiply(x, x.a + row * x.a_row, x.b + columns.first * x.depth, x.c + row * x.c_row + columns.first,
               last, columns.first,
               asks ? static_cast<const char*>(next->begin) + asked * kLineBytes : nullptr, asks);
      asked += asks;
    }
  }
}

template <class T> static constexpr auto point_kernel() -> void (*)(const PointProduct<T>&, Index, Index) {
  if constexpr (kPointRows > 0)
    return &point_multiply<T>;
  else
    return nullptr;
}

}  // namespace fastnn::cpu::FASTNN_ISA
