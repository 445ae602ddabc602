#include "fastnn/mean_squared_error.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(double, squared_error_span, (const T* x, const T* target, Index n))
FASTNN_DECLARE(double, squared_error_rows,
               (const T* x, const T* target, const T* weight, T* loss, Index rows, Index cols))
FASTNN_DECLARE(void, squared_error_backward_span, (const T* x, const T* target, T factor, T* dx, Index n))
FASTNN_DECLARE(void, squared_error_backward_rows,
               (const T* x, const T* target, const T* weight, T factor, const T* dy, T* dx, Index rows,
                Index cols))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T> double squared_error_span(const T* x, const T* target, Index n) {
  constexpr Index kBlock = 32 * Vec<T>::lanes;  // at most 32 additions in T one after the other
  double total = 0;
  for (Index first = 0; first < n; first += kBlock)
    total += double(row_sum<T>(n - first < kBlock ? n - first : kBlock, [&](auto at) {
      const auto d = at.load(x + first) - at.load(target + first);
      return d * d;
    }));
  return total;
}
FASTNN_INSTANTIATE(squared_error_span)

// One column, as for targets of shape (n, 1), is as fast as many.
template <class T>
static inline double squared_error_column(const T* x, const T* target, const T* weight, T* loss, Index rows) {
  constexpr Index kBlock = 32 * Vec<T>::lanes;
  double total = 0;
  for (Index first = 0; first < rows; first += kBlock)
    total += double(row_sum<T>(rows - first < kBlock ? rows - first : kBlock, [&](auto at) {
      const auto d = at.load(x + first) - at.load(target + first);
      const auto value = weight ? at.load(weight + first) * (d * d) : d * d;
      if (loss) at.store(loss + first, value);
      return value;
    }));
  return total;
}

template <class T>
double squared_error_rows(const T* x, const T* target, const T* weight, T* loss, Index rows, Index cols) {
  if (cols == 1) return squared_error_column(x, target, weight, loss, rows);
  double total = 0;
  for (Index r = 0; r < rows; ++r) {
    const double mean = squared_error_span(x + r * cols, target + r * cols, cols) / double(cols);
    const double value = weight ? double(weight[r]) * mean : mean;
    if (loss) loss[r] = T(value);
    total += value;
  }
  return total;
}
FASTNN_INSTANTIATE(squared_error_rows)

template <class T> void squared_error_backward_span(const T* x, const T* target, T factor, T* dx, Index n) {
  const auto f = Vec<T>::set(factor);
  row_each<T>(n, [&](auto at) { at.store(dx, f * (at.load(x) - at.load(target))); });
}
FASTNN_INSTANTIATE(squared_error_backward_span)

template <class T> void squared_error_backward_rows(const T* x, const T* target, const T* weight, T factor,
                                                    const T* dy, T* dx, Index rows, Index cols) {
  if (cols == 1) {
    const auto f = Vec<T>::set(factor);
    return row_each<T>(rows, [&](auto at) {
      auto each = f * (at.load(x) - at.load(target));
      if (weight) each = each * at.load(weight);
      at.store(dx, dy ? each * at.load(dy) : each);
    });
  }
  for (Index r = 0; r < rows; ++r) {
    const T each = factor * (weight ? weight[r] : T(1)) * (dy ? dy[r] : T(1));
    squared_error_backward_span(x + r * cols, target + r * cols, each, dx + r * cols, cols);
  }
}
FASTNN_INSTANTIATE(squared_error_backward_rows)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "partial_sums.hpp"

namespace fastnn::cpu {

template <class T>
void mean_squared_error(const MeanSquaredError& s, const T* x, const T* target, const T* weight, T* loss) {
  const bool reduced = s.reduction != Reduction::none;
  const double divisor = s.reduction == Reduction::mean ? double(s.rows) : 1.0;
  if (reduced && !weight) {
    const auto kernel = FASTNN_SELECT(squared_error_span<T>);
    const double total = partial_sums(s.rows * s.cols, 1, [&](Index begin, Index end) {
      return kernel(x + begin, target + begin, end - begin);
    });
    *loss = T(total / (divisor * double(s.cols)));
    return;
  }
  const auto kernel = FASTNN_SELECT(squared_error_rows<T>);
  const double total = partial_sums(s.rows, s.cols, [&](Index begin, Index end) {
    return kernel(x + begin * s.cols, target + begin * s.cols, weight ? weight + begin : nullptr,
                  reduced ? nullptr : loss + begin, end - begin, s.cols);
  });
  if (reduced) *loss = T(total / divisor);
}
FASTNN_INSTANTIATE(mean_squared_error)

template <class T> void mean_squared_error_backward(const MeanSquaredError& s, const T* x, const T* target,
                                                    const T* weight, const T* dy, T* dx, T sign) {
  const bool reduced = s.reduction != Reduction::none;
  const double scale = s.reduction == Reduction::mean ? 1.0 / double(s.rows) : 1.0;
  const T factor = sign * T(2.0 * scale / double(s.cols)) * (reduced ? dy[0] : T(1));
  if (reduced && !weight) {
    const auto kernel = FASTNN_SELECT(squared_error_backward_span<T>);
    return parallel_ranges(
        s.rows * s.cols, 1,
        [&](Index begin, Index end) { kernel(x + begin, target + begin, factor, dx + begin, end - begin); },
        64);
  }
  const auto kernel = FASTNN_SELECT(squared_error_backward_rows<T>);
  parallel_ranges(s.rows, s.cols, [&](Index begin, Index end) {
    const Index at = begin * s.cols;
    kernel(x + at, target + at, weight ? weight + begin : nullptr, factor, reduced ? nullptr : dy + begin,
           dx + at, end - begin, s.cols);
  });
}
FASTNN_INSTANTIATE(mean_squared_error_backward)

}  // namespace fastnn::cpu
#endif
