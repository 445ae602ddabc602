#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn {

/// Sizes of scaled dot-product attention: n sequences, tq queries, tk keys, heads of the queries and kv_heads
/// of keys and values (each serves heads / kv_heads heads of queries, neighbours), d features of a key, dv of
/// a value.
struct AttentionShape {
  Index n = 0, tq = 0, tk = 0, heads = 1, kv_heads = 1, d = 0, dv = 0;
  double scale = 1;     ///< of the products
  double rate = 0;      ///< of dropout
  bool causal = false;  ///< query i sees the keys j <= i alone
  /// Distances in the mask and in the bias along n, heads, tq, tk: 0 where they are broadcast.
  Index mask_strides[4] = {}, bias_strides[4] = {};

  /// Throws std::invalid_argument("[op] ...") if a size is negative, heads no multiple of kv_heads, or the
  /// rate not in [0, 1).
  void check(const char* op) const;
};

namespace cpu {

/// Scaled dot-product attention: s = scale q k^T + bias, p = softmax(s) over the keys that the mask lets
/// through, y = p v. A query that sees no key gets zeros.
///
/// q: (n, tq, heads, d), k: (n, tk, kv_heads, d), v: (n, tk, kv_heads, dv), y: (n, tq, heads, dv), dense and
/// apart from each other; T is float or double; sizes may be 0. mask: bytes, 0 for a key that is not seen, or
/// null. bias: or null. logs: (n, heads, tq), the logarithm of what each softmax was divided by, infinity for
/// a query that sees nothing: for the backward pass.
///
/// state: a random stream for dropout (see dropout.hpp), not read at rate 0; it moves on by one step. Element
/// e of p, (n, heads, tq, tk), is dropped as dropout() would. used: (3), the state before, for the backward
/// pass.
///
/// Memory: a few hundred KB for each thread; nothing grows with tq tk. Parallel over n, heads and blocks of
/// queries, in an order of summation that depends on the shape alone.
template <class T> void attention(const T* q, const T* k, const T* v, const std::uint8_t* mask, const T* bias,
                                  std::uint64_t* state, std::uint64_t* used, T* y, T* logs,
                                  const AttentionShape& shape);

/// Gradients of attention, with s and p computed anew. dq, dk, dv: as q, k, v; one that is null is not
/// computed. dbias: (n, heads, tq, tk), not summed over broadcast axes, or null.
///
/// Memory: where n kv_heads is small, up to 8 arrays of dq's size besides. Parallel over n, kv_heads and
/// blocks of keys.
template <class T> void attention_backward(const T* q, const T* k, const T* v, const std::uint8_t* mask,
                                           const T* bias, const std::uint64_t* used, const T* y,
                                           const T* logs, const T* dy, T* dq, T* dk, T* dv, T* dbias,
                                           const AttentionShape& shape);

}  // namespace cpu
}  // namespace fastnn
