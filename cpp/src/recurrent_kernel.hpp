#pragma once

// What the recurrent kernels share. A kernel takes some sequences of the batch through all time steps, so
// threads meet only at the end. Arrays of the steps are time-major, (t, n, ...): the rows of a step lie
// together, and so do the rows of all steps, which makes each gradient of a weight one product.
//
// A step's product, c += a b with a row for each sequence, reads b from a copy in panels, made once, or, for
// few sequences and steps, streams it as it is. Every sum goes on from what c holds, in the order of the
// depth, so the bits do not depend on how sequences are shared out.

#include "elementwise.hpp"
#include "gemm_kernel.hpp"
#include "gemm_pack.hpp"
#include "recurrent.hpp"

namespace fastnn::cpu::FASTNN_ISA {

// ---- the product of a step ----------------------------------------------------------------------------

/// Copies b, (depth, cols), from any strides, to the panels of factor.
template <class T> static void pack_factor(const Factor<T>& factor, const T* b, Index b_row, Index b_col) {
  T* const to = const_cast<T*>(factor.data);
  pack_panel_range(b, b_row, b_col, to, factor.depth, factor.cols, factor.panels, 0, factor.panels);
}

/// c += a b for R rows, by rows of b.
template <int R, class T>
static void stream_onto(const Factor<T>& b, const T* a, Index a_row, T* c, Index c_row) {
  Index p = 0;
  for (; p + kStreamDepth <= b.depth; p += kStreamDepth)
    stream_pass<R, kStreamDepth>(a + p, a_row, 1, b.data + p * b.row, b.row, c, c_row, b.cols, true);
  for (; p < b.depth; ++p)
    stream_pass<R, 1>(a + p, a_row, 1, b.data + p * b.row, b.row, c, c_row, b.cols, true);
}

/// c += a b for R rows or more, by panels of b.
template <class T>
static void tiles_onto(const Factor<T>& b, const T* a, Index a_row, T* c, Index c_row, Index rows) {
  constexpr Index L = Vec<T>::lanes;
  const Index tiles = (rows + kTileRows - 1) / kTileRows;
  for (Index q = 0; q < b.panels; ++q) {
    const Panel<T> panel(b.cols, b.panels, q);
    const Index left = b.cols - panel.first, width = left < panel.count ? left : panel.count;
    const int vectors = int(panel.count / L), last = int(width - panel.count + L);
    for (Index k = 0; k < tiles; ++k) {
      const Index i = rows * k / tiles, end = rows * (k + 1) / tiles;
      select_tile<T>(int(end - i), vectors, false)(b.depth, a + i * a_row, a_row, 1,
                                                   b.data + panel.first * b.depth, panel.count,
                                                   c + i * c_row + panel.first, c_row, last, true);
    }
  }
}

/// c += a b.
template <class T>
static void multiply_onto(const Factor<T>& b, const T* a, Index a_row, T* c, Index c_row, Index rows) {
  if (b.panels > 0) return tiles_onto(b, a, a_row, c, c_row, rows);
  switch (rows) {
    case 1: return stream_onto<1>(b, a, a_row, c, c_row);
    case 2: return stream_onto<2>(b, a, a_row, c, c_row);
    case 3: return stream_onto<3>(b, a, a_row, c, c_row);
  }
}

// ---- rows ---------------------------------------------------------------------------------------------

template <class T> static void zero_row(T* y, Index n) {
  row_each<T>(n, [&](auto at) { at.store(y, Vec<T>::set(0)); });
}

template <class T> static void copy_row(const T* x, T* y, Index n) {
  row_each<T>(n, [&](auto at) { at.store(y, at.load(x)); });
}

template <class T> static void multiply_row(const T* a, const T* b, T* y, Index n) {
  row_each<T>(n, [&](auto at) { at.store(y, at.load(a) * at.load(b)); });
}

/// y += x for one row.
template <class T> static void add_row(const T* x, T* y, Index n) {
  row_each<T>(n, [&](auto at) { at.store(y, at.load(y) + at.load(x)); });
}

/// y += a b for one row.
template <class T> static void add_product_row(const T* a, const T* b, T* y, Index n) {
  row_each<T>(n, [&](auto at) { at.store(y, fma(at.load(a), at.load(b), at.load(y))); });
}

// ---- masks and outputs ----------------------------------------------------------------------------------

static inline bool is_masked(const bool* mask, const RnnShape& s, Index row, Index step) {
  return mask && !mask[row * s.t + s.time(step)];
}

/// The output y, (n, t, u), of one row and step.
template <class T>
static void put_output(const T* h, T* y, const RnnShape& s, Index row, Index step, bool masked) {
  if (!y) return;
  y += (row * s.t + step) * s.u;
  s.zero_masked&& masked ? zero_row(y, s.u) : copy_row(h, y, s.u);
}

/// dh += the gradient of that output.
template <class T>
static void add_output_slope(const T* dy, T* dh, const RnnShape& s, Index row, Index step, bool masked) {
  if (dy && !(s.zero_masked && masked)) add_row(dy + (row * s.t + step) * s.u, dh, s.u);
}

// ---- activation functions -----------------------------------------------------------------------------
//
// Of an activation the forward pass keeps one number: keep(z). value() and slope() are functions of that one.
// tanh and sigmoid keep their value; any other function is reached through pointers and keeps z.

template <class Functor> struct Fused {
  template <class V> V keep(V z) const { return Functor::value(z, Parameters<V>{}); }
  template <class V> V value(V kept) const { return kept; }
  template <class V> V slope(V kept) const { return Functor::slope(kept, Parameters<V>{}); }
};

template <class V> struct General {
  using Function = V (*)(V, const Parameters<V>&);
  Parameters<V> parameters;
  Function value_of, slope_of;

  V keep(V z) const { return z; }
  V value(V z) const { return value_of(z, parameters); }
  V slope(V z) const { return slope_of(z, parameters); }
};

template <class Functor, bool kFromX, class V> static V slope_at(V z, const Parameters<V>& p) {
  return Functor::slope(kFromX ? z : Functor::value(z, p), p);
}
template <class Functor, class V> static V value_at(V z, const Parameters<V>& p) {
  return Functor::value(z, p);
}

template <class T> static General<Vec<T>> general(Unary op, const UnaryParameters& given) {
  using V = Vec<T>;
  const auto p = Parameters<V>::of(given);
  constexpr bool x = true, y = false;
  switch (op) {
#define FASTNN_UNARY(name, Functor, saved) \
  case Unary::name:                        \
    return {p, &value_at<Functor, V>, &slope_at<Functor, saved, V>};
#include "fastnn/elementwise.def"
#undef FASTNN_UNARY
  }
  return {p, &value_at<Tanh, V>, &slope_at<Tanh, false, V>};
}

/// Calls fn(candidate, gate) with the activation functions.
template <class T, class Fn> static void with_activations(const RnnActivations& chosen, const Fn& fn) {
  if (chosen.candidate == Unary::tanh && chosen.gate == Unary::sigmoid)
    return fn(Fused<Tanh>{}, Fused<Sigmoid>{});
  fn(general<T>(chosen.candidate, chosen.candidate_parameters),
     general<T>(chosen.gate, chosen.gate_parameters));
}

}  // namespace fastnn::cpu::FASTNN_ISA
