#pragma once

#include "fastnn/core/recurrent.hpp"

namespace fastnn::cpu {

/// Long short-term memory over whole sequences. Step <t> with input x^<t>, from a^<t-1> and c^<t-1>:
///
///   z = x^<t> w + (drop * a^<t-1>) r + b           (n, 4u), split into z_i, z_f, z_c, z_o
///   i = gate(z_i)   f = gate(z_f)   o = gate(z_o)   input, forget and output gate
///   c^<t> = f * c^<t-1> + i * candidate(z_c)
///   a^<t> = o * candidate(c^<t>)
///
/// x: (n, t, i), w: (i, 4u), r: (u, 4u), b: (4u) or null, h0, c0: (n, u), the states before the first step,
/// null for zeros. mask: (n, t) or null; where it is false, states stay as they are. drop: (n, u) or null,
/// the factors that dropout gives the recurrent input. y: (n, t, u), a^<t> of every step in the order in
/// which they were taken; h, c: (n, u), the last states; each may be null.
///
/// gates: (t, n, 4u), cells, hidden: (t + 1, n, u), what the backward pass wants, or null, all three, where
/// there is none. All arrays are dense and overlap nothing; T is float or double. Sizes may be 0. Throws
/// std::invalid_argument as RnnShape::check does, std::bad_alloc for scratch memory. Parallel over sequences,
/// or over units where sequences are few.
template <class T> void lstm(const T* x, const T* w, const T* r, const T* b, const T* h0, const T* c0,
                             const bool* mask, const T* drop, T* y, T* h, T* c, T* gates, T* cells, T* hidden,
                             const RnnShape& shape, const RnnActivations& activations);

/// Gradients of lstm, in one sweep from the last step to the first.
///
/// gates, cells, hidden: what lstm has kept. dy, dh, dc: the gradients of y, h, c, null where there is none.
/// dx: (n, t, i), dw: (i, 4u), dr: (u, 4u), db: (4u), dh0, dc0: (n, u); one that is null is not computed.
/// Sums are taken in an order that depends on the shape alone.
template <class T> void lstm_backward(const T* x, const T* w, const T* r, const bool* mask, const T* drop,
                                      const T* gates, const T* cells, const T* hidden, const T* dy,
                                      const T* dh, const T* dc, T* dx, T* dw, T* dr, T* db, T* dh0, T* dc0,
                                      const RnnShape& shape, const RnnActivations& activations);

}  // namespace fastnn::cpu
