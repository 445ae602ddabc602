#pragma once

// Products inside the kernels of other ops: the steps of recurrent nets, the blocks of attention. The
// register tiles are a hundred kilobytes for each instruction set, so there is one copy of them, in gemm.cpp,
// and this table leads there.

#include "kernel.hpp"

namespace fastnn::cpu {

/// c = a b, or c + a b. Every sum is taken in the order of the depth.
template <class T> struct PanelProduct {
  const T* a;
  Index a_row, a_col;
  const T* b;
  Index b_row, panels;  // rows of b, padded to whole vectors, lie b_row apart; 0: packed in panels
  T* c;
  Index c_row;
  Index rows, depth, cols;
  Index seen;  // columns from here on may be left as they are
  bool exact;  // nothing is stored beyond cols; else up to a whole vector of it
  bool accumulate;
  bool back;  // from the last panel to the first: what was used last is still in the cache
};

template <class T> struct PanelKernels {
  Index lanes, tile_vectors;
  Index row_vectors;  // in the panels that a single row is multiplied with
  void (*pack)(const T* x, Index x_row, Index x_col, T* y, Index rows, Index cols, Index panels, Index begin,
               Index end);
  void (*multiply)(const PanelProduct<T>&);
  /// c += a b for up to 3 rows, with b read row by row.
  void (*stream_onto)(const T* a, Index a_row, const T* b, Index b_row, T* c, Index c_row, Index rows,
                      Index cols, Index depth);

  Index panels(Index cols, Index vectors) const {
    return ((cols + lanes - 1) / lanes + vectors - 1) / vectors;
  }
};

FASTNN_DECLARE(const PanelKernels<T>&, panel_kernels, ())

}  // namespace fastnn::cpu
