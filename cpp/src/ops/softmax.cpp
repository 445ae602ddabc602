#include "fastnn/softmax.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, softmax_rows, (const T* x, T* y, Index rows, Index cols))
FASTNN_DECLARE(void, softmax_backward_rows, (const T* y, const T* dy, T* dx, Index rows, Index cols))
FASTNN_DECLARE(void, log_softmax_rows, (const T* x, T* y, Index rows, Index cols))
FASTNN_DECLARE(void, log_softmax_backward_rows, (const T* y, const T* dy, T* dx, Index rows, Index cols))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Sum of exp(x - m) over the row, where m is its maximum: nothing overflows, and what lies beyond the row
/// adds exp(-infinity). use(at, e) gets each of them.
template <class T, class Use> static inline T sum_of_exp(const T* x, Index cols, Vec<T> m, const Use& use) {
  using V = Vec<T>;
  V total = V::set(0);
  row_each<T>(cols, [&](auto at) {
    const V e = exp_below(at.load(x, T(-__builtin_inf())) - m);
    use(at, e);
    total = total + e;
  });
  return sum(total);
}

template <class T> void softmax_rows(const T* x, T* y, Index rows, Index cols) {
  using V = Vec<T>;
  for (Index r = 0; r < rows; ++r, x += cols, y += cols) {
    const V m = V::set(row_max(x, cols));
    const V scale = V::set(1 / sum_of_exp(x, cols, m, [&](auto at, V e) { at.store(y, e); }));
    row_each<T>(cols, [&](auto at) { at.store(y, at.load(y) * scale); });
  }
}
FASTNN_INSTANTIATE(softmax_rows)

template <class T> void softmax_backward_rows(const T* y, const T* dy, T* dx, Index rows, Index cols) {
  using V = Vec<T>;
  for (Index r = 0; r < rows; ++r, y += cols, dy += cols, dx += cols) {
    const V dot = V::set(row_sum<T>(cols, [&](auto at) { return at.load(y) * at.load(dy); }));
    row_each<T>(cols, [&](auto at) { at.store(dx, at.load(y) * (at.load(dy) - dot)); });
  }
}
FASTNN_INSTANTIATE(softmax_backward_rows)

template <class T> void log_softmax_rows(const T* x, T* y, Index rows, Index cols) {
  using V = Vec<T>;
  for (Index r = 0; r < rows; ++r, x += cols, y += cols) {
    const V m = V::set(row_max(x, cols));
    const V log_total = log(V::set(sum_of_exp(x, cols, m, [](auto, V) {})));
    row_each<T>(cols, [&](auto at) { at.store(y, at.load(x) - m - log_total); });
  }
}
FASTNN_INSTANTIATE(log_softmax_rows)

template <class T> void log_softmax_backward_rows(const T* y, const T* dy, T* dx, Index rows, Index cols) {
  using V = Vec<T>;
  for (Index r = 0; r < rows; ++r, y += cols, dy += cols, dx += cols) {
    const V total = V::set(row_sum<T>(cols, [&](auto at) { return at.load(dy); }));
    row_each<T>(cols, [&](auto at) { at.store(dx, fnma(exp(at.load(y)), total, at.load(dy))); });
  }
}
FASTNN_INSTANTIATE(log_softmax_backward_rows)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "row_maps.hpp"

namespace fastnn::cpu {

template <class T> void softmax(const T* x, T* y, Index rows, Index cols) {
  map_rows("softmax", FASTNN_SELECT(softmax_rows<T>), rows, cols, y, x);
}
FASTNN_INSTANTIATE(softmax)

template <class T> void softmax_backward(const T* y, const T* dy, T* dx, Index rows, Index cols) {
  map_rows("softmax_backward", FASTNN_SELECT(softmax_backward_rows<T>), rows, cols, dx, y, dy);
}
FASTNN_INSTANTIATE(softmax_backward)

template <class T> void log_softmax(const T* x, T* y, Index rows, Index cols) {
  map_rows("log_softmax", FASTNN_SELECT(log_softmax_rows<T>), rows, cols, y, x);
}
FASTNN_INSTANTIATE(log_softmax)

template <class T> void log_softmax_backward(const T* y, const T* dy, T* dx, Index rows, Index cols) {
  map_rows("log_softmax_backward", FASTNN_SELECT(log_softmax_backward_rows<T>), rows, cols, dx, y, dy);
}
FASTNN_INSTANTIATE(log_softmax_backward)

}  // namespace fastnn::cpu
#endif
