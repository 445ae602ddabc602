#pragma once

// What the recurrent kernels share. A kernel takes some sequences of the batch, or some units of all of them,
// one step further. Arrays of the steps are time-major, (t, n, ...): the rows of a step lie together, and so
// do the rows of all steps, which makes each gradient of a weight one product.
//
// A step's product, c += a b with a row for each sequence, reads b from a copy in panels, made once, or, for
// few sequences and steps, streams it as it is. Every sum goes on from what c holds, in the order of the
// depth, so the bits do not depend on how sequences and units are shared out.

#include "elementwise.hpp"
#include "recurrent.hpp"
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

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

/// y = 0 for `count` units of each of a row's gates, which begin u apart.
template <class T> static void zero_gates(T* y, int gates, Index u, Index count) {
  for (int gate = 0; gate < gates; ++gate) zero_row(y + gate * u, count);
}

// ---- masks and outputs ----------------------------------------------------------------------------------

static inline bool is_masked(const bool* mask, const RnnShape& s, Index row, Index step) {
  return mask && !mask[row * s.t + s.time(step)];
}

/// The output y, (n, t, u), of one row and step: a piece's units, which h begins with.
template <class T> static void put_output(const T* h, T* y, const RnnShape& s, Index row, Index step,
                                          const RnnPiece& piece, bool masked) {
  if (!y) return;
  y += (row * s.t + step) * s.u + piece.first;
  s.zero_masked&& masked ? zero_row(y, piece.count) : copy_row(h, y, piece.count);
}

/// dh += the gradient of that output.
template <class T> static void add_output_slope(const T* dy, T* dh, const RnnShape& s, Index row, Index step,
                                                const RnnPiece& piece, bool masked) {
  if (dy && !(s.zero_masked && masked)) add_row(dy + (row * s.t + step) * s.u + piece.first, dh, piece.count);
}

// ---- the state's way through a step -----------------------------------------------------------------------

/// c += a b for the columns of a piece's units; a, c: the rows of its sequences. Odd steps go through the
/// panels from the last to the first: what the step before read last is in the cache still, of weights larger
/// than that a good part. Not inlined, which saves 37 KB of code.
template <class T> [[gnu::noinline]] static void multiply_onto(const Factor<T>& b, const T* a, Index a_row,
                                                               T* c, Index c_row, Index step,
                                                               const RnnPiece& piece) {
  const bool back = step % 2 != 0;
  const Index cols = piece.count * b.wide, panels = b.vectors ? b.run->panels(cols, b.vectors) : 0;
  for (Index k = 0; k < b.groups; ++k) {
    const Index group = back ? b.groups - 1 - k : k;
    const T* const from = b.data + group * b.next_group + piece.first * b.next_unit;
    T* const to = c + (group * b.units + piece.first) * b.wide;
    if (panels == 0)
      b.run->stream_onto(a, a_row, from, b.row, to, c_row, piece.rows(), cols, b.depth);
    else
      b.run->multiply(
          {a, a_row, 1, from, 0, panels, to, c_row, piece.rows(), b.depth, cols, cols, true, true, back});
  }
}

/// The states of a piece's sequences, all units, as the product of a step takes them: with dropout in
/// scratch.
template <class T>
static const T* dropped(const T* a, const T* drop, const RnnShape& s, const RnnPiece& piece, T* scratch) {
  if (!drop) return a;
  multiply_row(a, drop + piece.begin * s.u, scratch, piece.rows() * s.u);
  return scratch;
}

/// dh += drop * (dz r^T) for a piece; dz, (rows, columns): the gradient of what a step adds to its state's
/// product.
template <class T> static void add_state_slope(const Factor<T>& r_transposed, const T* dz, Index columns,
                                               const T* drop, T* dh, const RnnShape& s, Index step,
                                               const RnnPiece& piece, T* scratch) {
  const Index rows = piece.rows(), at = piece.begin * s.u;
  if (!drop) return multiply_onto(r_transposed, dz, columns, dh + at, s.u, step, piece);
  for (Index row = 0; row < rows; ++row) zero_row(scratch + row * s.u + piece.first, piece.count);
  multiply_onto(r_transposed, dz, columns, scratch, s.u, step, piece);
  for (Index k = piece.first; k < rows * s.u; k += s.u)
    add_product_row(scratch + k, drop + at + k, dh + at + k, piece.count);
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
