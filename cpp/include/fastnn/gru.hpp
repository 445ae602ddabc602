#pragma once

#include "fastnn/core/recurrent.hpp"

namespace fastnn::cpu {

/// Gated recurrent unit over whole sequences. Step <t> with input x^<t>, from a^<t-1>:
///
///   z = gate(x^<t> w_z + b_z + (drop * a^<t-1>) r_z)         update gate: how much of the state stays
///   r = gate(x^<t> w_r + b_r + (drop * a^<t-1>) r_r)         reset gate
///   g = candidate(x^<t> w_h + b_h + (r * drop * a^<t-1>) r_h)
///   a^<t> = z * a^<t-1> + (1 - z) * g
///
/// and with reset_after, where each recurrent product has a bias of its own, b'_z, b'_r, b'_h:
///
///   g = candidate(x^<t> w_h + b_h + r * ((drop * a^<t-1>) r_h + b'_h))
///
/// x: (n, t, i), w: (i, 3u), r: (u, 3u), in the order z, r, h; b: (3u), or (2, 3u) with reset_after, or null;
/// h0: (n, u), null for zeros. mask: (n, t) or null; where it is false, the state stays as it is. drop: (n,
/// u) or null, the factors that dropout gives the recurrent input. y: (n, t, u), a^<t> of every step in the
/// order in which they were taken; h: (n, u), the last one; each may be null.
///
/// gates: (t, n, 3u), inner: (t, n, u), hidden: (t + 1, n, u), what the backward pass wants, or null, all
/// three, where there is none. All arrays are dense and overlap nothing; T is float or double. Sizes may be
/// 0. Throws std::invalid_argument as RnnShape::check does, std::bad_alloc for scratch memory. Parallel over
/// sequences, or over units where sequences are few.
template <class T> void gru(const T* x, const T* w, const T* r, const T* b, const T* h0, const bool* mask,
                            const T* drop, T* y, T* h, T* gates, T* inner, T* hidden, const RnnShape& shape,
                            const RnnActivations& activations, bool reset_after);

/// Gradients of gru, in one sweep from the last step to the first.
///
/// gates, inner, hidden: what gru has kept. dy, dh: the gradients of y and h, null where there is none. dx:
/// (n, t, i), dw: (i, 3u), dr: (u, 3u), db as b, dh0: (n, u); one that is null is not computed. Sums are
/// taken in an order that depends on the shape alone.
template <class T> void gru_backward(const T* x, const T* w, const T* r, const bool* mask, const T* drop,
                                     const T* gates, const T* inner, const T* hidden, const T* dy,
                                     const T* dh, T* dx, T* dw, T* dr, T* db, T* dh0, const RnnShape& shape,
                                     const RnnActivations& activations, bool reset_after);

}  // namespace fastnn::cpu
