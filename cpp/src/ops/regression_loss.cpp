#include "fastnn/regression_loss.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(double, residual_span, (const RegressionLoss& s, const T* x, const T* target, Index n))
FASTNN_DECLARE(double, residual_rows,
               (const RegressionLoss& s, const T* x, const T* target, const T* weight, T* loss, Index rows))
FASTNN_DECLARE(void, residual_backward_span,
               (const RegressionLoss& s, const T* x, const T* target, T factor, T* dx, Index n))
FASTNN_DECLARE(void, residual_backward_rows,
               (const RegressionLoss& s, const T* x, const T* target, const T* weight, T factor, const T* dy,
                T* dx, Index rows))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

// value(d) and slope(d) of each residual; a NaN stays.

template <class V> struct SquaredResidual {
  V value(V d) const { return d * d; }
  V slope(V d) const { return d + d; }
};

template <class V> struct AbsoluteResidual {
  V value(V d) const { return abs(d); }
  V slope(V d) const { return select(abs(d) > V::set(0), copysign(V::set(1), d), d); }
};

template <class V> struct HuberResidual {
  V delta;
  V value(V d) const {
    const V r = abs(d), half = V::set(typename V::T(0.5));
    return select(r > delta, delta * (r - half * delta), half * r * r);
  }
  V slope(V d) const { return min(delta, max(V::set(0) - delta, d)); }
};

// With e = exp(|d|) - 1, cosh(d) = 1 + e^2 / (2 (1 + e)): no difference of nearly equal numbers for small d.
// From |d| = 20 on ln(cosh(d)) = |d| - ln(2) in either type.
template <class V> struct LogCoshResidual {
  V value(V d) const {
    using T = typename V::T;
    const V r = abs(d), far = V::set(20), one = V::set(1);
    const V e = expm1(min(far, r));
    return select(r > far, r - V::set(T(0.69314718055994531)), log1p(e * e / ((one + e) * V::set(2))));
  }
  V slope(V d) const { return tanh(d); }
};

// fn(f) with f the residual of s.
template <class T, class Fn> static inline auto with_residual(const RegressionLoss& s, const Fn& fn) {
  using V = Vec<T>;
  switch (s.residual) {
    case Residual::absolute: return fn(AbsoluteResidual<V>{});
    case Residual::huber: return fn(HuberResidual<V>{V::set(T(s.delta))});
    case Residual::log_cosh: return fn(LogCoshResidual<V>{});
    default: return fn(SquaredResidual<V>{});
  }
}

template <class T, class F>
static inline double value_span(const F& f, const T* x, const T* target, Index n) {
  return long_sum<T>(n, [&](auto at) { return f.value(at.load(x) - at.load(target)); });
}

template <class T, class F>
static inline void slope_span(const F& f, const T* x, const T* target, T factor, T* dx, Index n) {
  const auto g = Vec<T>::set(factor);
  row_each<T>(n, [&](auto at) { at.store(dx, g * f.slope(at.load(x) - at.load(target))); });
}

template <class T> double residual_span(const RegressionLoss& s, const T* x, const T* target, Index n) {
  return with_residual<T>(s, [&](const auto& f) { return value_span(f, x, target, n); });
}
FASTNN_INSTANTIATE(residual_span)

template <class T> double residual_rows(const RegressionLoss& s, const T* x, const T* target, const T* weight,
                                        T* loss, Index rows) {
  const Index cols = s.cols;
  return with_residual<T>(s, [&](const auto& f) {
    if (cols == 1)  // as fast as many columns
      return s.factor * long_sum<T>(rows, [&](auto at) {
               const auto each = f.value(at.load(x) - at.load(target));
               const auto value = weight ? at.load(weight) * each : each;
               if (loss) at.store(loss, Vec<T>::set(T(s.factor)) * value);
               return value;
             });
    double total = 0;
    for (Index r = 0; r < rows; ++r) {
      const double mean = s.factor * value_span(f, x + r * cols, target + r * cols, cols) / double(cols);
      const double value = weight ? double(weight[r]) * mean : mean;
      if (loss) loss[r] = T(value);
      total += value;
    }
    return total;
  });
}
FASTNN_INSTANTIATE(residual_rows)

template <class T>
void residual_backward_span(const RegressionLoss& s, const T* x, const T* target, T factor, T* dx, Index n) {
  with_residual<T>(s, [&](const auto& f) { slope_span(f, x, target, factor, dx, n); });
}
FASTNN_INSTANTIATE(residual_backward_span)

template <class T> void residual_backward_rows(const RegressionLoss& s, const T* x, const T* target,
                                               const T* weight, T factor, const T* dy, T* dx, Index rows) {
  const Index cols = s.cols;
  with_residual<T>(s, [&](const auto& f) {
    if (cols == 1) {
      const auto g = Vec<T>::set(factor);
      return row_each<T>(rows, [&](auto at) {
        auto each = g * f.slope(at.load(x) - at.load(target));
        if (weight) each = each * at.load(weight);
        at.store(dx, dy ? each * at.load(dy) : each);
      });
    }
    for (Index r = 0; r < rows; ++r) {
      const T each = factor * (weight ? weight[r] : T(1)) * (dy ? dy[r] : T(1));
      slope_span(f, x + r * cols, target + r * cols, each, dx + r * cols, cols);
    }
  });
}
FASTNN_INSTANTIATE(residual_backward_rows)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "partial_sums.hpp"

namespace fastnn::cpu {

template <class T>
void regression_loss(const RegressionLoss& s, const T* x, const T* target, const T* weight, T* loss) {
  check("huber", s.residual != Residual::huber || s.delta >= 0, "expected delta >= 0, got ", s.delta);
  const bool reduced = s.reduction != Reduction::none;
  const double divisor = s.reduction == Reduction::mean ? double(s.rows) : 1.0;
  if (reduced && !weight) {
    const auto kernel = FASTNN_SELECT(residual_span<T>);
    const double total = partial_sums(s.rows * s.cols, 1, [&](Index begin, Index end) {
      return kernel(s, x + begin, target + begin, end - begin);
    });
    *loss = T(s.factor * total / (divisor * double(s.cols)));
    return;
  }
  const auto kernel = FASTNN_SELECT(residual_rows<T>);
  const double total = partial_sums(s.rows, s.cols, [&](Index begin, Index end) {
    return kernel(s, x + begin * s.cols, target + begin * s.cols, weight ? weight + begin : nullptr,
                  reduced ? nullptr : loss + begin, end - begin);
  });
  if (reduced) *loss = T(total / divisor);
}
FASTNN_INSTANTIATE(regression_loss)

template <class T> void regression_loss_backward(const RegressionLoss& s, const T* x, const T* target,
                                                 const T* weight, const T* dy, T* dx, T sign) {
  const bool reduced = s.reduction != Reduction::none;
  const double scale = s.reduction == Reduction::mean ? s.factor / double(s.rows) : s.factor;
  const T factor = sign * T(scale / double(s.cols)) * (reduced ? dy[0] : T(1));
  if (reduced && !weight) {
    const auto kernel = FASTNN_SELECT(residual_backward_span<T>);
    return parallel_ranges(
        s.rows * s.cols, 1,
        [&](Index begin, Index end) {
          kernel(s, x + begin, target + begin, factor, dx + begin, end - begin);
        },
        64);
  }
  const auto kernel = FASTNN_SELECT(residual_backward_rows<T>);
  parallel_ranges(s.rows, s.cols, [&](Index begin, Index end) {
    const Index at = begin * s.cols;
    kernel(s, x + at, target + at, weight ? weight + begin : nullptr, factor, reduced ? nullptr : dy + begin,
           dx + at, end - begin);
  });
}
FASTNN_INSTANTIATE(regression_loss_backward)

}  // namespace fastnn::cpu
#endif
