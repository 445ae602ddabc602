#pragma once

// The inner loops of the matrix product, in terms of Vec<T>. Notation: a (rows, depth), b (depth, cols),
// c (rows, cols); strides in elements.
//
// tile      R x N vectors of c stay in registers over the whole depth: N vectors of a row of b are
//           loaded, R elements of a column of a are broadcast, R N multiply-adds follow.
// stream    up to 3 rows of c: b is read row by row, once.
// dot       columns of b lie together: vectors run along the depth.
//
// tile and stream add the products of one element one after the other, from p = 0 on, so the two and every
// way of cutting c or the depth give the same bits.

#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

// R N accumulators, N vectors of b and one of a have to fit the registers: 32 or 16 of them.
#if defined(FASTNN_ISA_avx512)
constexpr int kTileRows = 8, kTileVectors = 3, kDotColumns = 4;
#elif defined(FASTNN_ISA_neon)
constexpr int kTileRows = 8, kTileVectors = 2, kDotColumns = 4;
#elif defined(FASTNN_ISA_avx2)
constexpr int kTileRows = 6, kTileVectors = 2, kDotColumns = 2;
#else
constexpr int kTileRows = 4, kTileVectors = 2, kDotColumns = 2;
#endif
/// Rows of b that stream reads together. With 8, rows a power of two apart (1024 floats) push each other out
/// of the first-level cache's sets: 11 % slower on Zen 4.
constexpr int kStreamDepth = 4;

template <class T> using Tile = void (*)(Index depth, const T* a, Index a_row, Index a_col, const T* b,
                                         Index b_row, T* c, Index c_row, int last, bool accumulate);

/// What a tile may do beside its multiplications. ask: row after row of b, ask for a line of memory that will
/// be read later; pack: that, and keep a packed copy of what it reads. look_ahead: ask for the rows of c of
/// the next tile, and for a piece of memory, line after line, both once in kAskDepth rows of b.
template <class T> struct Aside {
  const T* line;
  Index line_row;
  T* copy = nullptr;
  const T* next_c = nullptr;
  Index lines = 0;
};
enum class Does { multiply, ask, pack, look_ahead };
constexpr Index kAskDepth = 8;

template <int R, int N, bool kMasked, Does does, class T>
[[gnu::always_inline]] static inline void tile_with(Index depth, const T* a, Index a_row, Index a_col,
                                                    const T* b, Index b_row, T* c, Index c_row, int last,
                                                    bool accumulate, Aside<T> aside) {
  using V = Vec<T>;
  constexpr int L = V::lanes;
  V sums[R][N];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) sums[i][j] = V::set(0);
  if (accumulate) {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j)
        sums[i][j] = j < N - 1 ? V::load(c + i * c_row + j * L) : V::load_n(c + i * c_row + j * L, last);
  }
  const auto step = [&] {
    V row[N];
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j)
      row[j] = kMasked && j == N - 1 ? V::load_n(b + j * L, last) : V::load(b + j * L);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const V x = V::set(a[i * a_row]);
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) sums[i][j] = fma(x, row[j], sums[i][j]);
    }
    if constexpr (does == Does::pack) {
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) row[j].store(aside.copy + j * L);
      aside.copy += N * L;
    }
    if constexpr (does == Does::ask || does == Does::pack) {
      __builtin_prefetch(aside.line, 0, 2);
      aside.line += aside.line_row;
    }
    a += a_col;
    b += b_row;
  };
  Index p = 0;
  if constexpr (does == Does::look_ahead) {
    for (Index asked = 0; p + kAskDepth <= depth; ++asked) {
      if (asked < R)
#pragma GCC unroll 4
        for (int j = 0; j < N; ++j) __builtin_prefetch(aside.next_c + asked * c_row + j * L, 0, 2);
      if (asked < aside.lines) __builtin_prefetch(aside.line + asked * L, 0, 2);
#pragma GCC unroll 1
      for (const Index end = p + kAskDepth; p < end; ++p) step();
    }
  }
#pragma GCC unroll 1
  for (; p < depth; ++p) step();
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < N - 1; ++j) sums[i][j].store(c + i * c_row + j * L);
    T* end = c + i * c_row + (N - 1) * L;
    last == L ? sums[i][N - 1].store(end) : sums[i][N - 1].store_n(end, last);
  }
}

/// c = a b, or c + a b, for R rows and N vectors of columns, the last of them with `last` columns. kMasked:
/// b ends there as well; else it is padded.
template <int R, int N, bool kMasked, class T> static void tile(Index depth, const T* a, Index a_row,
                                                                Index a_col, const T* b, Index b_row, T* c,
                                                                Index c_row, int last, bool accumulate) {
  tile_with<R, N, kMasked, Does::multiply, T>(depth, a, a_row, a_col, b, b_row, c, c_row, last, accumulate,
                                              {});
}

template <class T, int R = kTileRows, int N = kTileVectors>
static Tile<T> select_tile(int rows, int vectors, bool masked) {
  if constexpr (R > 1)
    if (rows < R) return select_tile<T, R - 1, N>(rows, vectors, masked);
  if constexpr (N > 1)
    if (vectors < N) return select_tile<T, R, N - 1>(rows, vectors, masked);
  return masked ? &tile<R, N, true, T> : &tile<R, N, false, T>;
}

/// A tile of kTileRows rows that does something beside. Apart from tile(), which is 1 to 6 % slower with it
/// on Sapphire Rapids, 15 % where the depth is 32.
template <int N, Does does, class T> static void busy_tile(Index depth, const T* a, Index a_row, Index a_col,
                                                           const T* b, Index b_row, T* c, Index c_row,
                                                           int last, bool accumulate, Aside<T> aside) {
  tile_with<kTileRows, N, does == Does::pack, does, T>(depth, a, a_row, a_col, b, b_row, c, c_row, last,
                                                       accumulate, aside);
}

template <class T, Does does, int N = kTileVectors> static auto select_busy_tile(int vectors) {
  if constexpr (N > 1)
    if (vectors < N) return select_busy_tile<T, does, N - 1>(vectors);
  return &busy_tile<N, does, T>;
}

/// Vectors of columns for one row: as many sums as hide the latency of a multiply-add, 4 cycles on 2 units.
constexpr int kRowVectors = 8;

/// c = a b, or c + a b, for one row and N vectors of columns, the last of them with `last` columns.
template <int N, class T> static void row_tile(Index depth, const T* a, Index a_col, const T* b, Index b_row,
                                               T* c, int last, bool accumulate) {
  using V = Vec<T>;
  constexpr int L = V::lanes;
  V sums[N];
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j)
    sums[j] = !accumulate ? V::set(0) : j < N - 1 ? V::load(c + j * L) : V::load_n(c + j * L, last);
#pragma GCC unroll 1
  for (Index p = 0; p < depth; ++p, a += a_col, b += b_row) {
    const V x = V::set(*a);
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) sums[j] = fma(x, V::load(b + j * L), sums[j]);
  }
#pragma GCC unroll 8
  for (int j = 0; j < N - 1; ++j) sums[j].store(c + j * L);
  last == L ? sums[N - 1].store(c + (N - 1) * L) : sums[N - 1].store_n(c + (N - 1) * L, last);
}

template <class T, int N = kRowVectors> static auto select_row(int vectors) {
  if constexpr (N > 1)
    if (vectors < N) return select_row<T, N - 1>(vectors);
  return &row_tile<N, T>;
}

/// One vector of columns of stream_pass, with a broadcast in x.
template <int R, int P, class T, class At>
static inline void stream_columns(const Vec<T> (&x)[R][P], const T* b, Index b_row, T* c, Index c_row,
                                  bool accumulate, At at) {
  using V = Vec<T>;
  V sums[R];
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i) sums[i] = accumulate ? at.load(c + i * c_row) : V::set(0);
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    const V row = at.load(b + p * b_row);
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) sums[i] = fma(x[i][p], row, sums[i]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i) at.store(c + i * c_row, sums[i]);
}

/// c = a b, or c + a b, for R rows and a depth of P.
template <int R, int P, class T> static void stream_pass(const T* a, Index a_row, Index a_col, const T* b,
                                                         Index b_row, T* c, Index c_row, Index cols,
                                                         bool accumulate) {
  using V = Vec<T>;
  V x[R][P];
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) x[i][p] = V::set(a[i * a_row + p * a_col]);
  row_each<T>(cols, [&](auto at) { stream_columns<R, P, T>(x, b, b_row, c, c_row, accumulate, at); });
}

/// c = a b for R rows, kStreamDepth rows of b at a time.
template <int R, class T> static void stream(Index depth, const T* a, Index a_row, Index a_col, const T* b,
                                             Index b_row, T* c, Index c_row, Index cols) {
  Index p = 0;
  for (; p + kStreamDepth <= depth; p += kStreamDepth)
    stream_pass<R, kStreamDepth>(a + p * a_col, a_row, a_col, b + p * b_row, b_row, c, c_row, cols, p > 0);
  for (; p < depth; ++p)
    stream_pass<R, 1>(a + p * a_col, a_row, a_col, b + p * b_row, b_row, c, c_row, cols, p > 0);
}

/// c = a b for R rows of a and N columns of b, all of which lie together. The first `head` elements, less
/// than a vector, go to the last lanes: a turn of the lanes, which leaves the bits of their sum, as it adds
/// halves.
template <int R, int N, class T>
static void dot(Index depth, const T* a, Index a_row, const T* b, Index b_col, T* c, Index c_row, int head) {
  using V = Vec<T>;
  V sums[R][N];
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) sums[i][j] = V::set(0);
  const auto step = [&](auto load) {
    V columns[N];
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) columns[j] = load(b + j * b_col);
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) {
      const V x = load(a + i * a_row);
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) sums[i][j] = fma(x, columns[j], sums[i][j]);
    }
  };
  if (head) step([head](const T* at) { return V::load_last(at, head); });
  Index p = head;
  a += head;
  b += head;
#pragma GCC unroll 1
  for (; p + V::lanes <= depth; p += V::lanes, a += V::lanes, b += V::lanes)
    step([](const T* at) { return V::load(at); });
  if (const int n = int(depth - p)) step([n](const T* at) { return V::load_n(at, n); });
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) c[i * c_row + j] = sum(sums[i][j]);
}

}  // namespace fastnn::cpu::FASTNN_ISA
