#pragma once

// The kernels behind panel_product.hpp.

#include "gemm_kernel.hpp"
#include "gemm_pack.hpp"
#include "panel_product.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// One panel, `last` columns of whose last vector are wanted.
template <class T> static void multiply_one(const PanelProduct<T>& x, const Panel<T>& panel, int last) {
  const T* const b = x.b_row ? x.b + panel.first : x.b + panel.first * x.depth;
  const Index b_row = x.b_row ? x.b_row : panel.count;
  const int vectors = int(panel.count / Vec<T>::lanes);
  T* const c = x.c + panel.first;
  if (x.rows == 1) return select_row<T>(vectors)(x.depth, x.a, x.a_col, b, b_row, c, last, x.accumulate);
  const Index tiles = (x.rows + kTileRows - 1) / kTileRows;
  for (Index k = 0; k < tiles; ++k) {
    const Index i = x.rows * k / tiles, end = x.rows * (k + 1) / tiles;
    select_tile<T>(int(end - i), vectors, false)(x.depth, x.a + i * x.a_row, x.a_row, x.a_col, b, b_row,
                                                 c + i * x.c_row, x.c_row, last, x.accumulate);
  }
}

template <class T> static void multiply_panels(const PanelProduct<T>& x) {
  constexpr Index L = Vec<T>::lanes;
  for (Index k = 0; k < x.panels; ++k) {
    const Panel<T> panel(x.cols, x.panels, x.back ? x.panels - 1 - k : k);
    if (panel.first >= x.seen) continue;
    const Index rest = x.cols - (panel.first + panel.count - L);
    multiply_one(x, panel, int(x.exact && rest < L ? rest : L));
  }
}

template <int R, class T> static void stream_rows_onto(const T* a, Index a_row, const T* b, Index b_row, T* c,
                                                       Index c_row, Index cols, Index depth) {
  Index p = 0;
  for (; p + kStreamDepth <= depth; p += kStreamDepth)
    stream_pass<R, kStreamDepth>(a + p, a_row, 1, b + p * b_row, b_row, c, c_row, cols, true);
  for (; p < depth; ++p) stream_pass<R, 1>(a + p, a_row, 1, b + p * b_row, b_row, c, c_row, cols, true);
}

template <class T> static void stream_onto(const T* a, Index a_row, const T* b, Index b_row, T* c,
                                           Index c_row, Index rows, Index cols, Index depth) {
  switch (rows) {
    case 1: return stream_rows_onto<1>(a, a_row, b, b_row, c, c_row, cols, depth);
    case 2: return stream_rows_onto<2>(a, a_row, b, b_row, c, c_row, cols, depth);
    case 3: return stream_rows_onto<3>(a, a_row, b, b_row, c, c_row, cols, depth);
  }
}

template <class T> const PanelKernels<T>& panel_kernels() {
  static constexpr PanelKernels<T> kKernels{Vec<T>::lanes,        kTileVectors,        kRowVectors,
                                            &pack_panel_range<T>, &multiply_panels<T>, &stream_onto<T>};
  return kKernels;
}
FASTNN_INSTANTIATE(panel_kernels)

}  // namespace fastnn::cpu::FASTNN_ISA
