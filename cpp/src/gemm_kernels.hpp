#pragma once

// What gemm.cpp asks of its kernels: one table for each element type and instruction set.

#include "epilogue.hpp"

namespace fastnn::cpu {

/// What the tile kernel multiplies: one block of the depth.
template <class T> struct Product {
  const T* a;
  Index a_row, a_col;  // within a chunk
  Index a_step;        // chunk i begins at a + i a_step chunk_rows: a_row, or the depth of packed columns
  const T* b;
  Index b_row;  // 0: packed in panels
  T* c;
  Index c_row;
  Index rows, cols, depth, panels;
  bool accumulate;
};

/// One array element type and instruction set.
template <class T> struct GemmKernels {
  Index lanes, tile_rows, tile_vectors, chunk_rows;
  void (*tiles)(const Product<T>&, const Epilogue<T>*, Index row, Index rows, Index panel, Index panels);
  void (*few)(const Product<T>&, const Epilogue<T>*, Index rows, Index block, Index stretch, T* scratch);
  void (*stream)(const T* a, Index a_row, Index a_col, const T* b, Index b_row, T* c, Index c_row, Index rows,
                 Index cols, Index depth);
  void (*dot)(const T* a, Index a_row, const T* b, Index b_col, T* c, Index c_row, Index rows, Index cols,
              Index depth);
  void (*pack)(const T* x, Index x_row, Index x_col, T* y, Index y_row, Index rows, Index cols);
  void (*turn)(const T* x, Index x_col, T* y, Index y_row, Index rows, Index cols);
  void (*pack_chunks)(const T* x, Index x_row, T* y, Index rows, Index cols);
  void (*pack_panels)(const T* x, Index x_row, Index x_col, T* y, Index rows, Index cols, Index panels,
                      Index begin, Index end);
  void (*pack_panel_rows)(const T* x, Index x_row, T* y, Index rows, Index cols, Index panels, Index begin,
                          Index end);
};

}  // namespace fastnn::cpu
