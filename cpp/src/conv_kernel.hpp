#pragma once

// The inner loops of convolution, in terms of Vec<T>: a matrix product whose left operand is never written
// down. Its rows are places in an image, its depth runs over stretches of memory:
//
//     c[i, :] (+)= sum_{s, p} a[row[i] + stretch[s] + p step] * b[s length + p, :]
//
// forward, input gradient   rows are pixels of the result; a stretch is what the window covers in one row
//                           of the source (all its channels lie together), step is 1, b the packed kernel
// kernel gradient           rows are elements of the window; a stretch is a row of output pixels, step their
//                           distance in x, b the packed gradients of these pixels
//
// b is packed in panels as in gemm_pack.hpp, so a tile reads it in order. All products of an element are
// added one after the other, in the order of b's rows.

#include "gemm_pack.hpp"
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

#if defined(FASTNN_ISA_avx512)
constexpr int kConvRows = 8, kConvVectors = 3;
#elif defined(FASTNN_ISA_neon)
constexpr int kConvRows = 8, kConvVectors = 2;
#elif defined(FASTNN_ISA_avx2)
constexpr int kConvRows = 6, kConvVectors = 2;
#else
constexpr int kConvRows = 4, kConvVectors = 2;
#endif

/// Adds the bias, norms, and makes relu of the sums of R rows and N vectors of columns from `column` on. x: a
/// product with these.
template <int R, int N, class V, class Product>
[[gnu::always_inline]] static inline void finish_sums(const Product& x, V (&sums)[R][N], int last,
                                                      Index column) {
  using T = typename V::T;
  constexpr int L = V::lanes;
  const auto of_columns = [&](const T* p, int j) {
    return j < N - 1 ? V::load(p + j * L) : V::load_n(p + j * L, last);
  };
  if (x.bias) {
    const T* const bias = x.bias + column;
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) {
      const V add = of_columns(bias, j);
#pragma GCC unroll 8
      for (int i = 0; i < R; ++i) sums[i][j] = sums[i][j] + add;
    }
  }
  if (x.norm.mean) {
    const ColumnNorm<T> norm = x.norm.from(column);
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) {
      const V mean = of_columns(norm.mean, j), scale = of_columns(norm.scale, j),
              shift = of_columns(norm.shift, j);
#pragma GCC unroll 8
      for (int i = 0; i < R; ++i) sums[i][j] = fma(sums[i][j] - mean, scale, shift);
    }
  }
  if (x.relu) {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) sums[i][j] = max(V::set(0), sums[i][j]);
  }
}

template <class T> using ConvTile = void (*)(const ConvProduct<T>&, const Index* a_rows, const T* b,
                                             const Index* c_rows, T* c, int last, Index column);

/// R rows and N vectors of columns from `column` on, the last of them with `last` columns.
template <int R, int N, class T> static void conv_tile(const ConvProduct<T>& x, const Index* a_rows,
                                                       const T* b, const Index* c_rows, T* c, int last,
                                                       Index column) {
  using V = Vec<T>;
  constexpr int L = V::lanes;
  V sums[R][N];
  const T* a[R];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    a[i] = x.a + a_rows[i];
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) sums[i][j] = V::set(0);
  }
  if (x.accumulate) {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) {
        const T* from = c + c_rows[i] + j * L;
        sums[i][j] = j < N - 1 ? V::load(from) : V::load_n(from, last);
      }
  }
  for (Index s = 0; s < x.stretches; ++s) {
    const Index begin = x.stretch[s], end = begin + x.length * x.step;
#pragma GCC unroll 1
    for (Index p = begin; p != end; p += x.step) {
      V row[N];
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) row[j] = V::load(b + j * L);
#pragma GCC unroll 8
      for (int i = 0; i < R; ++i) {
        const V v = V::set(a[i][p]);
#pragma GCC unroll 4
        for (int j = 0; j < N; ++j) sums[i][j] = fma(v, row[j], sums[i][j]);
      }
      b += N * L;
    }
  }
  finish_sums(x, sums, last, column);
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    T* to = c + c_rows[i];
#pragma GCC unroll 4
    for (int j = 0; j < N - 1; ++j) sums[i][j].store(to + j * L);
    last == L ? sums[i][N - 1].store(to + (N - 1) * L) : sums[i][N - 1].store_n(to + (N - 1) * L, last);
  }
}

template <class T, int R = kConvRows, int N = kConvVectors>
static ConvTile<T> select_conv_tile(int rows, int vectors) {
  if constexpr (R > 1)
    if (rows < R) return select_conv_tile<T, R - 1, N>(rows, vectors);
  if constexpr (N > 1)
    if (vectors < N) return select_conv_tile<T, R, N - 1>(rows, vectors);
  return &conv_tile<R, N, T>;
}

/// Panels [panel, panel + panels) of all rows, evenly cut into tiles.
template <class T> static void conv_multiply(const ConvProduct<T>& x, Index panel, Index panels) {
  constexpr Index L = Vec<T>::lanes;
  const Index tiles = (x.rows + kConvRows - 1) / kConvRows;
  for (Index i = panel; i < panel + panels; ++i) {
    const Panel<T> columns(x.cols, x.panels, i);
    const Index left = x.cols - columns.first, width = left < columns.count ? left : columns.count;
    const int vectors = int(columns.count / L), last = int(width - columns.count + L);
    const T* const b = x.b + columns.first * x.depth + x.first * columns.count;
    for (Index t = 0; t < tiles; ++t) {
      const Index row = x.rows * t / tiles, end = x.rows * (t + 1) / tiles;
      select_conv_tile<T>(int(end - row), vectors)(x, x.a_rows + row, b, x.c_rows + row, x.c + columns.first,
                                                   last, columns.first);
    }
  }
}

/// Rows [first, first + rows) of all panels of a packed matrix of `depth` rows, from x (rows, cols) of any
/// strides.
template <class T> static void conv_pack(const T* x, Index x_row, Index x_col, T* y, Index depth, Index first,
                                         Index rows, Index cols, Index panels, Index panel) {
  const Panel<T> columns(cols, panels, panel);
  const Index left = cols - columns.first;
  pack_matrix(x + columns.first * x_col, x_row, x_col, y + columns.first * depth + first * columns.count,
              columns.count, rows, left < columns.count ? left : columns.count);
}

/// y = x for N elements.
template <int N, class T> static inline void copy_some(const T* x, T* y) {
  using V = Vec<T>;
  if constexpr (N >= V::lanes) V::load(x).store(y);
  if constexpr (N > V::lanes) copy_some<N - V::lanes>(x + V::lanes, y + V::lanes);
  if constexpr (N < V::lanes) V::load_n(x, N).store_n(y, N);
}

/// A row of pixels cut by channels: y + i y_block holds kConvRows channels from i kConvRows on, pixel by
/// pixel.
template <class T>
static void conv_block(const T* x, Index x_pixel, Index pixels, Index channels, T* y, Index y_block) {
  for (Index c = 0; c < channels; c += kConvRows, y += y_block) {
    const int some = int(channels - c < kConvRows ? channels - c : kConvRows);
    for (Index p = 0; p < pixels; ++p) {
      const T* const from = x + p * x_pixel + c;
      T* const to = y + p * kConvRows;
      if (some == kConvRows)
        copy_some<kConvRows>(from, to);
      else
        for (int i = 0; i < some; ++i) to[i] = from[i];
    }
  }
}

/// y = the sum of `count` rows that lie `stride` apart, of n elements each.
template <class T> static void conv_add(const T* x, Index stride, Index count, T* y, Index n) {
  row_each<T>(n, [&](auto at) {
    Vec<T> total = at.load(x);
    for (Index i = 1; i < count; ++i) total = total + at.load(x + i * stride);
    at.store(y, total);
  });
}

/// y[places[r] + i] += g[r, i] for rows that lie g_step apart, of n elements each.
template <class T>
static void conv_scatter(const T* g, Index g_step, Index rows, Index n, const Index* places, T* y) {
  for (Index r = 0; r < rows; ++r, g += g_step) {
    T* const to = y + places[r];
    row_each<T>(n, [&](auto at) { at.store(to, at.load(to) + at.load(g)); });
  }
}

}  // namespace fastnn::cpu::FASTNN_ISA
