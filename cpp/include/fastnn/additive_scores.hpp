#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn {

/// Sizes of additive attention: n sequences, tq queries, tk keys, d features.
struct ScoresShape {
  Index n = 0, tq = 0, tk = 0, d = 0;

  /// Throws std::invalid_argument("[op] ...") if one is negative.
  void check(const char* op) const;
};

namespace cpu {

/// s[i, j] = sum of w[c] tanh(q[i, c] + k[j, c]) over c, for each sequence.
///
/// q: (n, tq, d), k: (n, tk, d), w: (d), s: (n, tq, tk), dense and apart from each other; T is float or
/// double. Sizes may be 0. Nothing of n tq tk d elements is made. Parallel over n and queries.
template <class T> void additive_scores(const T* q, const T* k, const T* w, T* s, const ScoresShape& shape);

/// Gradients of additive_scores, with the tanh computed anew: dq, dk, dw as q, k, w. Parallel over n.
template <class T> void additive_scores_backward(const T* q, const T* k, const T* w, const T* ds, T* dq,
                                                 T* dk, T* dw, const ScoresShape& shape);

}  // namespace cpu
}  // namespace fastnn
