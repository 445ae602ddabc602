#pragma once

#include "fastnn/core/recurrent.hpp"

namespace fastnn::cpu {

/// Simple recurrent layer over whole sequences: a^<t> = candidate(x^<t> w + (drop * a^<t-1>) r + b).
///
/// x: (n, t, i), w: (i, u), r: (u, u), b: (u) or null, h0: (n, u), null for zeros. mask: (n, t) or null;
/// where it is false, the state stays as it is. drop: (n, u) or null, the factors that dropout gives the
/// recurrent input. y: (n, t, u), a^<t> of every step in the order in which they were taken; h: (n, u), the
/// last one; each may be null.
///
/// kept: (t, n, u), hidden: (t + 1, n, u), what the backward pass wants, or null, both, where there is none.
/// Of the activations the gates' is not used. All arrays are dense and overlap nothing; T is float or double.
/// Sizes may be 0. Throws std::invalid_argument as RnnShape::check does, std::bad_alloc for scratch memory.
/// Parallel over sequences, or over units where sequences are few.
template <class T> void simple_rnn(const T* x, const T* w, const T* r, const T* b, const T* h0,
                                   const bool* mask, const T* drop, T* y, T* h, T* kept, T* hidden,
                                   const RnnShape& shape, const RnnActivations& activations);

/// Gradients of simple_rnn, in one sweep from the last step to the first.
///
/// kept, hidden: what simple_rnn has kept. dy, dh: the gradients of y and h, null where there is none. dx:
/// (n, t, i), dw: (i, u), dr: (u, u), db: (u), dh0: (n, u); one that is null is not computed. Sums are taken
/// in an order that depends on the shape alone.
template <class T> void simple_rnn_backward(const T* x, const T* w, const T* r, const bool* mask,
                                            const T* drop, const T* kept, const T* hidden, const T* dy,
                                            const T* dh, T* dx, T* dw, T* dr, T* db, T* dh0,
                                            const RnnShape& shape, const RnnActivations& activations);

}  // namespace fastnn::cpu
