#include "fastnn/penalty.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(double, penalty_span, (const T* x, Index n, T l1, T l2))
FASTNN_DECLARE(void, penalty_backward_span, (const T* x, Index n, T l1, T l2, T* dx))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T> double penalty_span(const T* x, Index n, T l1, T l2) {
  using V = Vec<T>;
  const V a = V::set(l1), b = V::set(l2);
  return long_sum<T>(n, [&](auto at) {
    const V r = abs(at.load(x));
    return r * fma(b, r, a);
  });
}
FASTNN_INSTANTIATE(penalty_span)

template <class T> void penalty_backward_span(const T* x, Index n, T l1, T l2, T* dx) {
  using V = Vec<T>;
  const V a = V::set(l1), b = V::set(2 * l2);
  row_each<T>(n, [&](auto at) {
    const V v = at.load(x);
    at.store(dx, select(v == V::set(0), v, fma(b, v, copysign(a, v))));
  });
}
FASTNN_INSTANTIATE(penalty_backward_span)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "partial_sums.hpp"

namespace fastnn::cpu {

template <class T> void penalty(const T* x, Index n, double l1, double l2, T* y) {
  const auto kernel = FASTNN_SELECT(penalty_span<T>);
  *y = T(partial_sums(n, 1,
                      [&](Index begin, Index end) { return kernel(x + begin, end - begin, T(l1), T(l2)); }));
}
FASTNN_INSTANTIATE(penalty)

template <class T> void penalty_backward(const T* x, const T* dy, Index n, double l1, double l2, T* dx) {
  const auto kernel = FASTNN_SELECT(penalty_backward_span<T>);
  const T a = T(l1) * dy[0], b = T(l2) * dy[0];
  parallel_ranges(
      n, 1, [=](Index begin, Index end) { kernel(x + begin, end - begin, a, b, dx + begin); }, 64);
}
FASTNN_INSTANTIATE(penalty_backward)

}  // namespace fastnn::cpu
#endif
