#include "fastnn/sparsemax.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, sparsemax_rows, (const T* x, T* y, Index rows, Index cols))
FASTNN_DECLARE(void, sparsemax_backward_rows, (const T* y, const T* dy, T* dx, Index rows, Index cols))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// The t with sum(max(x - m - t, 0)) = 1, where m is the row's maximum (Michelot, 1986): the threshold of
/// those above the last threshold, until none drops out. Some five passes instead of a sort, and no memory.
/// It starts at -1, which no threshold lies below.
template <class T> static inline Vec<T> threshold_of(const T* x, Index cols, Vec<T> m) {
  using V = Vec<T>;
  const V zero = V::set(0), one = V::set(1);
  V t = V::set(-1);
  for (T before = T(cols) + 1;;) {
    V total = zero, count = zero;
    row_each<T>(cols, [&](auto at) {
      const V z = at.load(x, T(-__builtin_inf())) - m;
      const auto below = z <= t;  // false for a NaN, which thus reaches t
      total = total + select(below, zero, z);
      count = count + select(below, zero, one);
    });
    const T left = sum(count);
    t = V::set((sum(total) - 1) / left);
    if (!(left < before)) return t;
    before = left;
  }
}

template <class T> void sparsemax_rows(const T* x, T* y, Index rows, Index cols) {
  using V = Vec<T>;
  for (Index r = 0; r < rows; ++r, x += cols, y += cols) {
    const V m = V::set(row_max(x, cols)), t = threshold_of(x, cols, m);
    row_each<T>(cols, [&](auto at) { at.store(y, max(V::set(0), at.load(x) - m - t)); });
  }
}
FASTNN_INSTANTIATE(sparsemax_rows)

template <class T> void sparsemax_backward_rows(const T* y, const T* dy, T* dx, Index rows, Index cols) {
  using V = Vec<T>;
  const V zero = V::set(0), one = V::set(1);
  for (Index r = 0; r < rows; ++r, y += cols, dy += cols, dx += cols) {
    const T total = row_sum<T>(cols, [&](auto at) { return select(at.load(y) > zero, at.load(dy), zero); });
    const T count = row_sum<T>(cols, [&](auto at) { return select(at.load(y) > zero, one, zero); });
    const V mean = V::set(total / count);
    row_each<T>(cols, [&](auto at) { at.store(dx, select(at.load(y) > zero, at.load(dy) - mean, zero)); });
  }
}
FASTNN_INSTANTIATE(sparsemax_backward_rows)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "row_maps.hpp"

namespace fastnn::cpu {

template <class T> void sparsemax(const T* x, T* y, Index rows, Index cols) {
  map_rows("sparsemax", FASTNN_SELECT(sparsemax_rows<T>), rows, cols, y, x);
}
FASTNN_INSTANTIATE(sparsemax)

template <class T> void sparsemax_backward(const T* y, const T* dy, T* dx, Index rows, Index cols) {
  map_rows("sparsemax_backward", FASTNN_SELECT(sparsemax_backward_rows<T>), rows, cols, dx, y, dy);
}
FASTNN_INSTANTIATE(sparsemax_backward)

}  // namespace fastnn::cpu
#endif
