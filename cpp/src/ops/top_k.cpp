#include "fastnn/top_k.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, top_k_row, (const T* x, T* values, std::int64_t* indices, Index cols, Index k))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Puts x[i] among the `count` values found so far, in their order, the last of them falling out if they are
/// k.
template <class T>
static inline void insert(T value, Index i, T* values, std::int64_t* indices, Index& count, Index k) {
  Index at = count < k ? count++ : k - 1;
  for (; at > 0 && (value > values[at - 1] || (values[at - 1] != values[at - 1] && value == value)); --at) {
    values[at] = values[at - 1];
    indices[at] = indices[at - 1];
  }
  values[at] = value;
  indices[at] = i;
}

// A vector without an element above the smallest found so far, as most are, costs one comparison.
template <class T> void top_k_row(const T* x, T* values, std::int64_t* indices, Index cols, Index k) {
  using V = Vec<T>;
  Index count = 0;
  const auto consider = [&](Index i) {
    const T least = values[k - 1];
    if (count < k || x[i] > least || (least != least && x[i] == x[i]))
      insert(x[i], i, values, indices, count, k);
  };
  if (k == 0) return;
  Index i = 0;
  for (; i < cols && i < k; ++i) consider(i);
  for (; i + V::lanes <= cols; i += V::lanes) {
    const T least = values[k - 1];
    if (least == least && !any(V::load(x + i) > V::set(least))) continue;
    for (Index j = 0; j < V::lanes; ++j) consider(i + j);
  }
  for (; i < cols; ++i) consider(i);
}
FASTNN_INSTANTIATE(top_k_row)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {

template <class T> void top_k(const T* x, T* values, std::int64_t* indices, Index rows, Index cols, Index k) {
  check("top_k", k >= 0 && k <= cols, "expected k in [0, ", cols, "], got ", k);
  const auto kernel = FASTNN_SELECT(top_k_row<T>);
  parallel_ranges(rows, cols + k * k, [=](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) kernel(x + r * cols, values + r * k, indices + r * k, cols, k);
  });
}
FASTNN_INSTANTIATE(top_k)

template <class T>
void top_k_backward(const T* dvalues, const std::int64_t* indices, T* dx, Index rows, Index cols, Index k) {
  parallel_ranges(rows, cols + k, [=](Index begin, Index end) {
    std::fill(dx + begin * cols, dx + end * cols, T(0));
    for (Index r = begin; r < end; ++r)
      for (Index j = 0; j < k; ++j) dx[r * cols + indices[r * k + j]] = dvalues[r * k + j];
  });
}
FASTNN_INSTANTIATE(top_k_backward)

}  // namespace fastnn::cpu
#endif
