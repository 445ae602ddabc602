#include "fastnn/optimizers.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, sgd_span, (T * p, const T* g, T* velocity, Index n, T rate, T momentum, bool nesterov))
FASTNN_DECLARE(void, rmsprop_span,
               (T * p, const T* g, T* s, T* mean, T* velocity, Index n, T rate, T rho, T momentum, T epsilon))
FASTNN_DECLARE(void, adam_span,
               (T * p, const T* g, T* m, T* v, T* largest, Index n, T rate, T beta_1, T beta_2, T epsilon))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T> void sgd_span(T* p, const T* g, T* velocity, Index n, T rate, T momentum, bool nesterov) {
  using V = Vec<T>;
  const V lr = V::set(rate), mu = V::set(momentum);
  if (!velocity) return row_each<T>(n, [&](auto at) { at.store(p, fnma(lr, at.load(g), at.load(p))); });
  row_each<T>(n, [&](auto at) {
    const V step = lr * at.load(g);
    const V v = mu * at.load(velocity) - step;
    at.store(velocity, v);
    at.store(p, at.load(p) + (nesterov ? mu * v - step : v));
  });
}
FASTNN_INSTANTIATE(sgd_span)

template <class T> void rmsprop_span(T* p, const T* g, T* s, T* mean, T* velocity, Index n, T rate, T rho,
                                     T momentum, T epsilon) {
  using V = Vec<T>;
  const V lr = V::set(rate), keep = V::set(rho), add = V::set(1 - rho), mu = V::set(momentum),
          eps = V::set(epsilon);
  row_each<T>(n, [&](auto at) {
    const V gradient = at.load(g);
    const V square = fma(add * gradient, gradient, keep * at.load(s));
    at.store(s, square);
    V variance = square + eps;
    if (mean) {
      const V average = fma(add, gradient, keep * at.load(mean));
      at.store(mean, average);
      variance = fnma(average, average, square) + eps;
    }
    V update = lr * gradient / sqrt(variance);
    if (velocity) {
      update = fma(mu, at.load(velocity), update);
      at.store(velocity, update);
    }
    at.store(p, at.load(p) - update);
  });
}
FASTNN_INSTANTIATE(rmsprop_span)

template <class T>
void adam_span(T* p, const T* g, T* m, T* v, T* largest, Index n, T rate, T beta_1, T beta_2, T epsilon) {
  using V = Vec<T>;
  const V lr = V::set(rate), add_1 = V::set(1 - beta_1), add_2 = V::set(1 - beta_2), eps = V::set(epsilon);
  row_each<T>(n, [&](auto at) {
    const V gradient = at.load(g), m_before = at.load(m), v_before = at.load(v);
    const V m_now = fma(add_1, gradient - m_before, m_before);
    const V v_now = fma(add_2, gradient * gradient - v_before, v_before);
    at.store(m, m_now);
    at.store(v, v_now);
    V scale = v_now;
    if (largest) {
      scale = max(at.load(largest), v_now);
      at.store(largest, scale);
    }
    at.store(p, fnma(lr, m_now / (sqrt(scale) + eps), at.load(p)));
  });
}
FASTNN_INSTANTIATE(adam_span)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include <cmath>

#include "check.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {
namespace {

// A part of a buffer that may be absent.
template <class T> T* shifted(T* buffer, Index by) { return buffer ? buffer + by : nullptr; }

/// Calls fn(begin, length) on pieces that cover the runs.
template <typename Fn> void parallel_runs(const char* op, const Run* runs, Index run_count, const Fn& fn) {
  for (Index r = 0; r < run_count; ++r)
    check(op, runs[r].offset >= 0 && runs[r].length >= 0, "expected runs with offset, length >= 0, got (",
          runs[r].offset, ", ", runs[r].length, ")");
  for (Index r = 0; r < run_count; ++r) {
    const Index offset = runs[r].offset;
    parallel_ranges(
        runs[r].length, 1, [&](Index begin, Index end) { fn(offset + begin, end - begin); }, 64);
  }
}

}  // namespace

template <class T> void sgd(T* p, const T* g, T* velocity, const Run* runs, Index run_count,
                            const double* learning_rate, const SgdSettings& settings) {
  const auto kernel = FASTNN_SELECT(sgd_span<T>);
  const T rate = T(*learning_rate);
  parallel_runs("sgd", runs, run_count, [&](Index i, Index n) {
    kernel(p + i, g + i, shifted(velocity, i), n, rate, T(settings.momentum), settings.nesterov);
  });
}
FASTNN_INSTANTIATE(sgd)

template <class T> void rmsprop(T* p, const T* g, T* s, T* mean, T* velocity, const Run* runs,
                                Index run_count, const double* learning_rate,
                                const RmspropSettings& settings) {
  const auto kernel = FASTNN_SELECT(rmsprop_span<T>);
  const T rate = T(*learning_rate);
  parallel_runs("rmsprop", runs, run_count, [&](Index i, Index n) {
    kernel(p + i, g + i, s + i, shifted(mean, i), shifted(velocity, i), n, rate, T(settings.rho),
           T(settings.momentum), T(settings.epsilon));
  });
}
FASTNN_INSTANTIATE(rmsprop)

template <class T> void adam(T* p, const T* g, T* m, T* v, T* largest, const Run* runs, Index run_count,
                             const double* learning_rate, const std::int64_t* step,
                             const AdamSettings& settings) {
  const double t = double(*step);
  check("adam", t >= 1, "expected step >= 1, got ", *step);
  const double correction = std::sqrt(1 - std::pow(settings.beta_2, t)) / (1 - std::pow(settings.beta_1, t));
  const auto kernel = FASTNN_SELECT(adam_span<T>);
  const T rate = T(*learning_rate * correction);
  parallel_runs("adam", runs, run_count, [&](Index i, Index n) {
    kernel(p + i, g + i, m + i, v + i, shifted(largest, i), n, rate, T(settings.beta_1), T(settings.beta_2),
           T(settings.epsilon));
  });
}
FASTNN_INSTANTIATE(adam)

}  // namespace fastnn::cpu
#endif
