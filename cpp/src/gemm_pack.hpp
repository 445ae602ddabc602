#pragma once

// Copies of matrices as the register tile wants to read them: rows that lie together, in one page after
// the other, padded with zeros to whole vectors.
//
// A block of B, (rows, cols), is stored panel after panel. A panel is what one tile multiplies with: up
// to tile.vectors vectors of columns, its rows one after the other:
//
//     b00 b01 b02 b03 | b04 b05       b00 b01 b02 b03 b10 b11 b12 b13 ... | b04 b05 b14 b15 ...
//     b10 b11 b12 b13 | b14 b15  ->
//
// A block of A is stored as rows.

#include "simd/transpose.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Columns [first, first + count) of panel i of `panels`, both multiples of the lanes, spread evenly.
template <class T> struct Panel {
  Index first, count;
  Panel(Index cols, Index panels, Index i) {
    constexpr Index lanes = Vec<T>::lanes;
    const Index vectors = (cols + lanes - 1) / lanes;
    first = vectors * i / panels * lanes;
    count = vectors * (i + 1) / panels * lanes - first;
  }
  /// How many of `count` are columns of a matrix with `cols`.
  Index width(Index cols) const { return cols - first < count ? cols - first : count; }
};

/// y = x for rows whose elements lie together; x has cols columns, y those and zeros up to a whole vector.
template <class T> static inline void pack_row(const T* x, T* y, Index cols) {
  using V = Vec<T>;
  Index j = 0;
  for (; j + V::lanes <= cols; j += V::lanes) V::load(x + j).store(y + j);
  if (j < cols) V::load_n(x + j, int(cols - j)).store(y + j);
}

/// The same for x whose columns lie together (x[r, j] at x + r + j x_col), a square of lanes at a time.
/// exact: nothing is written behind y's columns.
template <class T, bool exact = false>
static void pack_transposed(const T* x, Index x_col, T* y, Index y_row, Index rows, Index cols) {
  using V = Vec<T>;
  for (Index j = 0; j < cols; j += V::lanes) {
    const int width = int(cols - j < V::lanes ? cols - j : V::lanes);
    for (Index r = 0; r < rows; r += V::lanes) {
      const int height = int(rows - r < V::lanes ? rows - r : V::lanes);
      const T* from = x + r + j * x_col;
      T* to = y + r * y_row + j;
      V square[V::lanes];
      if (height == V::lanes && width == V::lanes) {
#pragma GCC unroll 16
        for (int i = 0; i < V::lanes; ++i) square[i] = V::load(from + i * x_col);
        transpose(square);
#pragma GCC unroll 16
        for (int i = 0; i < V::lanes; ++i) square[i].store(to + i * y_row);
      } else {
        for (int i = 0; i < V::lanes; ++i)
          square[i] = i < width ? V::load_n(from + i * x_col, height) : V::set(0);
        transpose(square);
        for (int i = 0; i < height; ++i)
          exact ? square[i].store_n(to + i * y_row, width) : square[i].store(to + i * y_row);
      }
    }
  }
}

/// y (rows, cols) with rows of y_row elements, a multiple of the lanes that holds cols, from any strides.
template <class T>
static void pack_matrix(const T* x, Index x_row, Index x_col, T* y, Index y_row, Index rows, Index cols) {
  if (x_col == 1) {
    for (Index r = 0; r < rows; ++r) pack_row(x + r * x_row, y + r * y_row, cols);
  } else if (x_row == 1) {
    pack_transposed(x, x_col, y, y_row, rows, cols);
  } else {
    constexpr Index lanes = Vec<T>::lanes;
    for (Index r = 0; r < rows; ++r)
      for (Index j = 0; j < (cols + lanes - 1) / lanes * lanes; ++j)
        y[r * y_row + j] = j < cols ? x[r * x_row + j * x_col] : T(0);
  }
}

/// Panels [begin, end) of the panels of x, (rows, cols), packed to y, where panel 0 would begin.
template <class T> static void pack_panel_range(const T* x, Index x_row, Index x_col, T* y, Index rows,
                                                Index cols, Index panels, Index begin, Index end) {
  for (Index i = begin; i < end; ++i) {
    const Panel<T> panel(cols, panels, i);
    pack_matrix(x + panel.first * x_col, x_row, x_col, y + panel.first * rows, panel.count, rows,
                panel.width(cols));
  }
}

/// How many rows early pack_row_asking asks for memory.
constexpr Index kAhead = 8;

/// pack_row that asks for x + ahead as well, unless that is 0.
template <class T> static inline void pack_row_asking(const T* x, Index ahead, T* y, Index cols) {
  if (ahead)
    for (Index j = 0; j < cols; j += Vec<T>::lanes) __builtin_prefetch(x + ahead + j);
  pack_row(x, y, cols);
}

/// Rows [begin, end) of all panels of x, whose rows lie together. Walking along the rows of x and asking
/// for later ones early is 25 % faster from the third-level cache than one panel after the other.
template <class T> static void pack_panel_rows(const T* x, Index x_row, T* y, Index rows, Index cols,
                                               Index panels, Index begin, Index end) {
  for (Index r = begin; r < end; ++r) {
    for (Index i = 0; i < panels; ++i) {
      const Panel<T> panel(cols, panels, i);
      pack_row_asking(x + r * x_row + panel.first, r + kAhead < end ? kAhead * x_row : 0,
                      y + panel.first * rows + r * panel.count, panel.width(cols));
    }
  }
}

}  // namespace fastnn::cpu::FASTNN_ISA
