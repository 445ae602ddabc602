#include "fastnn/additive_scores.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, score_rows,
               (const T* q, const T* k, const T* w, T* s, Index queries, Index keys, Index features))
FASTNN_DECLARE(void, score_slopes,
               (const T* q, const T* k, const T* w, const T* ds, T* dq, T* dk, T* dw, Index queries,
                Index keys, Index features))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T>
void score_rows(const T* q, const T* k, const T* w, T* s, Index queries, Index keys, Index features) {
  for (Index i = 0; i < queries; ++i, q += features, s += keys)
    for (Index j = 0; j < keys; ++j) {
      const T* const key = k + j * features;
      s[j] = row_sum<T>(features, [&](auto at) { return at.load(w) * tanh(at.load(q) + at.load(key)); });
    }
}
FASTNN_INSTANTIATE(score_rows)

template <class T> static void zeros(T* x, Index n) {
  row_each<T>(n, [&](auto at) { at.store(x, Vec<T>::set(0)); });
}

template <class T> void score_slopes(const T* q, const T* k, const T* w, const T* ds, T* dq, T* dk, T* dw,
                                     Index queries, Index keys, Index features) {
  using V = Vec<T>;
  zeros(dq, queries * features);
  zeros(dk, keys * features);
  zeros(dw, features);
  for (Index i = 0; i < queries; ++i, q += features, dq += features)
    for (Index j = 0; j < keys; ++j) {
      const V g = V::set(ds[i * keys + j]);
      const T* const key = k + j * features;
      T* const dkey = dk + j * features;
      row_each<T>(features, [&](auto at) {
        const V t = tanh(at.load(q) + at.load(key)), slope = g * at.load(w) * fnma(t, t, V::set(1));
        at.store(dq, at.load(dq) + slope);
        at.store(dkey, at.load(dkey) + slope);
        at.store(dw, fma(g, t, at.load(dw)));
      });
    }
}
FASTNN_INSTANTIATE(score_slopes)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn {

void ScoresShape::check(const char* op) const {
  fastnn::check(op, n >= 0 && tq >= 0 && tk >= 0 && d >= 0, "expected n, tq, tk, d >= 0, got (", n, ", ", tq,
                ", ", tk, ", ", d, ")");
}

namespace cpu {

/// What a tanh costs, in elements of a pass over memory.
constexpr Index kTanh = 4;

template <class T> void additive_scores(const T* q, const T* k, const T* w, T* s, const ScoresShape& shape) {
  shape.check("additive_scores");
  const auto [n, tq, tk, d] = shape;
  const auto kernel = FASTNN_SELECT(score_rows<T>);
  parallel_ranges(n * tq, kTanh * tk * d, [=, tq = tq, tk = tk, d = d](Index begin, Index end) {
    for (Index row = begin; row < end; ++row)
      kernel(q + row * d, k + row / tq * tk * d, w, s + row * tk, 1, tk, d);
  });
}
FASTNN_INSTANTIATE(additive_scores)

template <class T> void additive_scores_backward(const T* q, const T* k, const T* w, const T* ds, T* dq,
                                                 T* dk, T* dw, const ScoresShape& shape) {
  shape.check("additive_scores_backward");
  const Index n = shape.n, tq = shape.tq, tk = shape.tk, d = shape.d;
  const Workspace<T> sums(std::size_t(n * d));
  T* const parts = sums.data();
  const auto kernel = FASTNN_SELECT(score_slopes<T>);
  parallel_ranges(n, 2 * kTanh * tq * tk * d, [=](Index begin, Index end) {
    for (Index b = begin; b < end; ++b)
      kernel(q + b * tq * d, k + b * tk * d, w, ds + b * tq * tk, dq + b * tq * d, dk + b * tk * d,
             parts + b * d, tq, tk, d);
  });
  for (Index c = 0; c < d; ++c) {
    dw[c] = 0;
    for (Index b = 0; b < n; ++b) dw[c] += parts[b * d + c];
  }
}
FASTNN_INSTANTIATE(additive_scores_backward)

}  // namespace cpu
}  // namespace fastnn
#endif
