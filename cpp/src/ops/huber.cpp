#include "fastnn/huber.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, huber_span, (const T* x, const T* t, T* y, Index n, T delta))
FASTNN_DECLARE(void, huber_backward_span, (const T* x, const T* t, const T* dy, T* dx, Index n, T delta))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T> void huber_span(const T* x, const T* t, T* y, Index n, T delta) {
  using V = Vec<T>;
  const V d = V::set(delta), half = V::set(T(0.5));
  row_each<T>(n, [&](auto at) {
    const V r = abs(at.load(x) - at.load(t));
    at.store(y, select(r > d, d * (r - half * d), half * r * r));  // a NaN stays: the comparison is false
  });
}
FASTNN_INSTANTIATE(huber_span)

template <class T> void huber_backward_span(const T* x, const T* t, const T* dy, T* dx, Index n, T delta) {
  using V = Vec<T>;
  const V low = V::set(-delta), high = V::set(delta);
  row_each<T>(n, [&](auto at) {
    const V r = at.load(x) - at.load(t);
    at.store(dx, at.load(dy) * min(high, max(low, r)));
  });
}
FASTNN_INSTANTIATE(huber_backward_span)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {
namespace {

void check_arguments(const char* op, Index n, double delta) {
  check(op, n >= 0, "expected n >= 0, got ", n);
  check(op, delta >= 0, "expected delta >= 0, got ", delta);
}

}  // namespace

template <class T> void huber(const T* x, const T* t, T* y, Index n, double delta) {
  check_arguments("huber", n, delta);
  const auto kernel = FASTNN_SELECT(huber_span<T>);
  parallel_ranges(
      n, 1, [=](Index begin, Index end) { kernel(x + begin, t + begin, y + begin, end - begin, T(delta)); },
      64);
}
FASTNN_INSTANTIATE(huber)

template <class T> void huber_backward(const T* x, const T* t, const T* dy, T* dx, Index n, double delta) {
  check_arguments("huber_backward", n, delta);
  const auto kernel = FASTNN_SELECT(huber_backward_span<T>);
  parallel_ranges(
      n, 1,
      [=](Index begin, Index end) {
        kernel(x + begin, t + begin, dy + begin, dx + begin, end - begin, T(delta));
      },
      64);
}
FASTNN_INSTANTIATE(huber_backward)

}  // namespace fastnn::cpu
#endif
