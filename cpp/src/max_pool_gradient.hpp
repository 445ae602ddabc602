#pragma once

// The gradient of the largest element where windows overlap or channels are few. First the place of the
// largest element in each window of a row is found; then every element of dx takes in dy from those windows
// whose place it is, and is written once. Rows of windows that reach into one row of dx stay in a ring of as
// many rows of places.
//
// With few channels, vectors lie along the row. Then places, and dy with zeros between, stand where windows
// begin on the padded row, and element e of it takes in what stands at e - q c, q = 0 ... size - 1. So with
// windows of 3, 2 apart, one pixel of padding in front and dy = (g, h):
//
//   padded row   - a b c d     of x
//   dy spread    g 0 h 0 0     the first window is - a b, the second b c d
//   dx of b      g if the first one's place is 2, and h if the second one's is 0
//
// It costs the places of windows that are not there, between those that are, but no vector with empty lanes:
// with 1 channel and windows of 3 x 3 it takes a seventh of the time.
//
// A place is r side + q, for row r and column q of the window.

#include "fastnn/core/windows.hpp"
#include "kernel.hpp"

namespace fastnn::cpu {

/// Positions [begin, end).
struct Span {
  Index begin, end;
  bool operator==(const Span&) const = default;
};

/// Which windows cover what.
struct WindowMap {
  const Span *rows, *cols;            ///< of x, by row and column of windows
  const Span *over_rows, *over_cols;  ///< of windows, by row and column of x
  Index depth, breadth;               ///< the most rows, and columns, of windows over one of x
  Index side;                         ///< at least the columns of a window
  bool streams = false;               ///< whether dx goes past the caches
};

/// A row of windows over a row of x: places, dy, and the place of the row's first column in these windows.
template <class T> struct OverRow {
  const T *places, *dy;
  T line;
};

/// Lengths of the rows that the gradient works in where channels are few.
struct FoldedRow {
  Index starts;  ///< elements from where the first window begins to where the last one does
  Index all;     ///< elements of the padded row that windows cover
  Index before;  ///< elements of padding in front of x
  Index margin;  ///< elements from where a window begins to where its last pixel does
  Index length;  ///< of a row of places, margin included
  Index padded;  ///< elements of x's rows with padding, 0 if windows lie inside them

  explicit FoldedRow(const Pool2dShape& s) {
    starts = s.w.out > 0 ? ((s.w.out - 1) * s.w.step + 1) * s.c : 0;
    margin = (s.w.size - 1) * s.c;
    all = starts + margin;
    before = s.w.before * s.c;
    length = margin + (starts > before + s.x_row() ? starts : before + s.x_row());
    padded = before == 0 && all <= s.x_row() ? 0 : s.h.size * all;
  }
  /// Elements of scratch memory.
  Index scratch(Index depth) const { return padded + 2 * depth * length; }
};

FASTNN_DECLARE(void, max_pool_gather,
               (const T* x, const T* dy, T* dx, const Span& band, const WindowMap& map,
                const Pool2dShape& shape, T* ring, OverRow<T>* over))
FASTNN_DECLARE(void, max_pool_gather_folded,
               (const T* x, const T* dy, T* dx, const Span& band, const WindowMap& map,
                const Pool2dShape& shape, const T* first, T* scratch, OverRow<T>* over))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T> static inline void fill(T* y, Index n, T value) {
  const auto v = Vec<T>::set(value);
  row_each<T>(n, [&](auto at) { at.store(y, v); });
}

/// Place of the largest of rows x cols elements, the first of equal ones and the last NaN. place: the one if
/// all are -infinity.
template <class T, class At> static inline Vec<T> place_of_largest(const T* x, Index row, Index c, Index rows,
                                                                   Index cols, T side, Vec<T> place, At at) {
  using V = Vec<T>;
  V m = V::set(T(-__builtin_inf()));
  T first = 0;
  for (Index r = 0; r < rows; ++r, x += row, first += side) {
    for (Index q = 0; q < cols; ++q) {
      const V v = at.load(x + q * c);
      const auto better = (v > m) | (v != v);
      m = select(better, v, m);
      place = select(better, V::set(first + T(q)), place);
    }
  }
  return place;
}

template <class T> static inline void row_of_places(const T* x, T* places, const Span& rows, const Span* cols,
                                                    T side, const Pool2dShape& shape) {
  using V = Vec<T>;
  const Index c = shape.c, row = shape.x_row(), height = rows.end - rows.begin;
  x += rows.begin * row;
  for (Index j = 0; j < shape.w.out; ++j, places += c) {
    const T* from = x + cols[j].begin * c;
    const Index width = cols[j].end - cols[j].begin;
    if (height == 3 && width == 3 && side == 3)
      row_each<T>(c, [&](auto at) {
        at.store(places, place_of_largest<T>(from, row, c, 3, 3, T(3), V::set(0), at));
      });
    else
      row_each<T>(c, [&](auto at) {
        at.store(places, place_of_largest<T>(from, row, c, height, width, side, V::set(0), at));
      });
  }
}

template <int n> struct Known { static constexpr int value = n; };

/// dx of one row of x, over which there are 1 or 2 rows of windows, and as many columns over each pixel.
template <class T, int kRows>
static inline void gather_row(const OverRow<T>* over, T* dx, const WindowMap& map, const Pool2dShape& shape) {
  using V = Vec<T>;
  const Index c = shape.c;
  const V zero = V::set(0);
  for (Index p = 0; p < shape.w.in; ++p, dx += c) {
    const Span across = map.over_cols[p];
    const Index j = across.begin;
    const auto take = [&](auto columns) {
      constexpr int kCols = decltype(columns)::value;
      V place[kRows][kCols];
      for (int i = 0; i < kRows; ++i)
        for (int k = 0; k < kCols; ++k) place[i][k] = V::set(over[i].line + T(p - map.cols[j + k].begin));
      row_each<T>(c, [&](auto at) {
        V total = zero;
        for (int i = 0; i < kRows; ++i)
          for (int k = 0; k < kCols; ++k)
            total = total + select(at.load(over[i].places + (j + k) * c) == place[i][k],
                                   at.load(over[i].dy + (j + k) * c), zero);
        put(map.streams, at, dx, total);
      });
    };
    if (across.end - j == 1)
      take(Known<1>{});
    else if (across.end - j == 2)
      take(Known<2>{});
    else
      fill(dx, c, T(0));
  }
}

/// The same for any number of windows.
template <class T> static inline void gather_row(const OverRow<T>* over, Index rows, T* dx,
                                                 const WindowMap& map, const Pool2dShape& shape) {
  using V = Vec<T>;
  const Index c = shape.c;
  const V zero = V::set(0);
  for (Index p = 0; p < shape.w.in; ++p, dx += c) {
    const Span across = map.over_cols[p];
    row_each<T>(c, [&](auto at) {
      V total = zero;
      for (Index i = 0; i < rows; ++i)
        for (Index j = across.begin; j < across.end; ++j)
          total = total +
                  select(at.load(over[i].places + j * c) == V::set(over[i].line + T(p - map.cols[j].begin)),
                         at.load(over[i].dy + j * c), zero);
      at.store(dx, total);
    });
  }
}

/// ring: map.depth rows of places; over: as many OverRows.
template <class T> void max_pool_gather(const T* x, const T* dy, T* dx, const Span& band,
                                        const WindowMap& map, const Pool2dShape& shape, T* ring,
                                        OverRow<T>* over) {
  const Index y_row = shape.y_row();
  Index next = 0;
  for (Index r = band.begin; r < band.end; ++r) {
    const Span windows = map.over_rows[r];
    if (next < windows.begin) next = windows.begin;
    for (; next < windows.end; ++next)
      row_of_places(x, ring + next % map.depth * y_row, map.rows[next], map.cols, T(map.side), shape);
    const Index rows = windows.end - windows.begin;
    for (Index i = 0; i < rows; ++i) {
      const Index window = windows.begin + i;
      over[i] = {ring + window % map.depth * y_row, dy + window * y_row,
                 T((r - map.rows[window].begin) * map.side)};
    }
    T* to = dx + r * shape.x_row();
    if (rows == 1 && map.breadth <= 2)
      gather_row<T, 1>(over, to, map, shape);
    else if (rows == 2 && map.breadth <= 2)
      gather_row<T, 2>(over, to, map, shape);
    else
      gather_row(over, rows, to, map, shape);
  }
  if (map.streams) stream_end();
}
FASTNN_INSTANTIATE(max_pool_gather)

/// Puts the pixels of a row `step` pixels apart.
template <class T> static inline void spread(const T* from, T* to, Index pixels, Index c, Index step) {
  if (c == 1)
    for (Index j = 0; j < pixels; ++j) to[j * step] = from[j];
  else
    for (Index j = 0; j < pixels; ++j, from += c, to += step * c)
      row_each<T>(c, [&](auto at) { at.store(to, at.load(from)); });
}

/// Rows of x with -infinity around them, unless windows lie inside.
template <class T>
static inline void pad_rows(const T* x, const Span& rows, const FoldedRow& f, Index row, T* to) {
  if (f.padded == 0) return;
  x += rows.begin * row;
  const Index inside = f.all - f.before < row ? f.all - f.before : row;
  for (Index r = rows.begin; r < rows.end; ++r, x += row, to += f.all) {
    fill(to, f.before, T(-__builtin_inf()));
    row_each<T>(inside, [&](auto at) { at.store(to + f.before, at.load(x)); });
    fill(to + f.before + inside, f.all - f.before - inside, T(-__builtin_inf()));
  }
}

/// dx of one row from rows of windows.
template <class T> static inline void gather_folded_row(const OverRow<T>* over, Index count, T* dx, Index row,
                                                        Index width, Index c) {
  using V = Vec<T>;
  const V zero = V::set(0);
  row_each<T>(row, [&](auto at) {
    V total = zero;
    for (Index i = 0; i < count; ++i)
      for (Index q = width - 1; q >= 0; --q)
        total = total + select(at.load(over[i].places - q * c) == V::set(over[i].line + T(q)),
                               at.load(over[i].dy - q * c), zero);
    at.store(dx, total);
  });
}

/// The whole band, with windows of a width that is known (0: it is not).
template <class T, int kWidth>
static inline void gather_folded(const T* x, const T* dy, T* dx, const Span& band, const WindowMap& map,
                                 const Pool2dShape& shape, const T* first, T* scratch, OverRow<T>* over) {
  const FoldedRow f(shape);
  const Index c = shape.c, row = shape.x_row(), width = kWidth ? kWidth : shape.w.size;
  const T side = T(width);
  T *const padded = scratch, *const places = scratch + f.padded,
           *const gradients = places + map.depth * f.length;
  fill(places, 2 * map.depth * f.length, T(0));
  Index next = 0;
  for (Index r = band.begin; r < band.end; ++r, dx += row) {
    const Span windows = map.over_rows[r];
    if (next < windows.begin) next = windows.begin;
    for (; next < windows.end; ++next) {
      const Span& rows = map.rows[next];
      const Index own = next % map.depth * f.length + f.margin, stride = f.padded ? f.all : row;
      pad_rows(x, rows, f, row, padded);
      const T* from = f.padded ? padded : x + rows.begin * row;
      row_each<T>(f.starts, [&](auto at) {
        at.store(places + own, place_of_largest<T>(from, stride, c, rows.end - rows.begin, width, side,
                                                   at.load(first), at));
      });
      spread(dy + next * shape.y_row(), gradients + own, shape.w.out, c, shape.w.step);
    }
    const Index count = windows.end - windows.begin;
    for (Index i = 0; i < count; ++i) {
      const Index window = windows.begin + i, own = window % map.depth * f.length + f.margin + f.before;
      over[i] = {places + own, gradients + own, T(r - map.rows[window].begin) * side};
    }
    if (count == 1)
      gather_folded_row(over, 1, dx, row, width, c);
    else
      gather_folded_row(over, count, dx, row, width, c);
  }
}

template <class T> void max_pool_gather_folded(const T* x, const T* dy, T* dx, const Span& band,
                                               const WindowMap& map, const Pool2dShape& shape, const T* first,
                                               T* scratch, OverRow<T>* over) {
  dx += band.begin * shape.x_row();
  if (shape.w.size == 2) return gather_folded<T, 2>(x, dy, dx, band, map, shape, first, scratch, over);
  if (shape.w.size == 3) return gather_folded<T, 3>(x, dy, dx, band, map, shape, first, scratch, over);
  gather_folded<T, 0>(x, dy, dx, band, map, shape, first, scratch, over);
}
FASTNN_INSTANTIATE(max_pool_gather_folded)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif
