#include "fastnn/adam.hpp"

#include "update.hpp"

namespace fastnn::cpu {

// The root of v is sqrt(v + inside) + outside. What is added to an average (1 - beta) comes from double: in
// float, 1 - 0.999f is wrong by 1e-5.
FASTNN_DECLARE(void, adam_span,
               (T * p, const T* g, T* m, T* v, T* largest, Index n, const Before<T>& before, T rate, T add_1,
                T add_2, T inside, T outside))
FASTNN_DECLARE(void, adamax_span,
               (T * p, const T* g, T* m, T* u, Index n, const Before<T>& before, T rate, T add_1, T keep_2,
                T epsilon))
FASTNN_DECLARE(void, nadam_span,
               (T * p, const T* g, T* m, T* v, Index n, const Before<T>& before, T of_m, T of_g, T add_1,
                T add_2, T correction, T epsilon))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
namespace fastnn::cpu::FASTNN_ISA {

template <class T> void adam_span(T* p, const T* g, T* m, T* v, T* largest, Index n, const Before<T>& before,
                                  T rate, T add_1, T add_2, T inside, T outside) {
  using V = Vec<T>;
  const V lr = V::set(rate), c_1 = V::set(add_1), c_2 = V::set(add_2), in = V::set(inside),
          out = V::set(outside);
  update_each(p, g, n, before, [&](auto at, V gradient, V weight) {
    const V m_before = at.load(m), v_before = at.load(v);
    const V m_now = fma(c_1, gradient - m_before, m_before);
    const V v_now = fma(c_2, gradient * gradient - v_before, v_before);
    const V root_of = largest ? max(at.load(largest), v_now) : v_now;
    at.store(m, m_now);
    at.store(v, v_now);
    if (largest) at.store(largest, root_of);
    return fnma(lr, m_now / (quick_sqrt(root_of + in) + out), weight);
  });
}
FASTNN_INSTANTIATE(adam_span)

template <class T> void adamax_span(T* p, const T* g, T* m, T* u, Index n, const Before<T>& before, T rate,
                                    T add_1, T keep_2, T epsilon) {
  using V = Vec<T>;
  const V lr = V::set(rate), add = V::set(add_1), keep = V::set(keep_2), eps = V::set(epsilon);
  update_each(p, g, n, before, [&](auto at, V gradient, V weight) {
    const V m_before = at.load(m), largest = max(keep * at.load(u), abs(gradient));
    const V m_now = fma(add, gradient - m_before, m_before);
    at.store(m, m_now);
    at.store(u, largest);
    return fnma(lr, m_now / (largest + eps), weight);
  });
}
FASTNN_INSTANTIATE(adamax_span)

template <class T> void nadam_span(T* p, const T* g, T* m, T* v, Index n, const Before<T>& before, T of_m,
                                   T of_g, T add_1, T add_2, T correction, T epsilon) {
  using V = Vec<T>;
  const V c_1 = V::set(add_1), c_2 = V::set(add_2), c_m = V::set(of_m), c_g = V::set(of_g),
          c_v = V::set(correction), eps = V::set(epsilon);
  update_each(p, g, n, before, [&](auto at, V gradient, V weight) {
    const V m_before = at.load(m), v_before = at.load(v);
    const V m_now = fma(c_1, gradient - m_before, m_before);
    const V v_now = fma(c_2, gradient * gradient - v_before, v_before);
    at.store(m, m_now);
    at.store(v, v_now);
    return weight - fma(c_m, m_now, c_g * gradient) / (quick_sqrt(c_v * v_now) + eps);
  });
}
FASTNN_INSTANTIATE(nadam_span)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
namespace fastnn::cpu {
namespace {

/// The step count as a number, at least 1.
double count(const char* op, const std::int64_t* step) {
  check(op, *step >= 1, "expected step >= 1, got ", *step);
  return double(*step);
}

}  // namespace

template <class T> void adam(T* p, const T* g, T* m, T* v, T* largest, const Run* runs, Index run_count,
                             const double* scales, const double* learning_rate, const std::int64_t* step,
                             const AdamSettings& settings) {
  const double t = count("adam", step);
  const double c_1 = settings.bias_correction ? 1 - std::pow(settings.beta_1, t) : 1;
  const double c_2 = settings.bias_correction ? 1 - std::pow(settings.beta_2, t) : 1;
  const auto kernel = FASTNN_SELECT(adam_span<T>);
  const T rate = T(*learning_rate * std::sqrt(c_2) / c_1);
  const Epsilons epsilon(settings.epsilon, settings.placement, c_2);
  parallel_updates<T>("adam", runs, run_count, scales, *learning_rate, settings.update,
                      [&](Index i, Index n, const Before<T>& before) {
                        kernel(p + i, g + i, m + i, v + i, shifted(largest, i), n, before, rate,
                               T(1 - settings.beta_1), T(1 - settings.beta_2), T(epsilon.inside),
                               T(epsilon.outside));
                      });
}
FASTNN_INSTANTIATE(adam)

template <class T> void adamax(T* p, const T* g, T* m, T* u, const Run* runs, Index run_count,
                               const double* scales, const double* learning_rate, const std::int64_t* step,
                               const AdamaxSettings& settings) {
  const double t = count("adamax", step);
  const auto kernel = FASTNN_SELECT(adamax_span<T>);
  const T rate = T(*learning_rate / (1 - std::pow(settings.beta_1, t)));
  parallel_updates<T>("adamax", runs, run_count, scales, *learning_rate, settings.update,
                      [&](Index i, Index n, const Before<T>& before) {
                        kernel(p + i, g + i, m + i, u + i, n, before, rate, T(1 - settings.beta_1),
                               T(settings.beta_2), T(settings.epsilon));
                      });
}
FASTNN_INSTANTIATE(adamax)

template <class T> void nadam(T* p, const T* g, T* m, T* v, double* product, const Run* runs, Index run_count,
                              const double* scales, const double* learning_rate, const std::int64_t* step,
                              const NadamSettings& settings) {
  const double t = count("nadam", step);
  const auto beta = [&](double at) { return settings.beta_1 * (1 - 0.5 * std::pow(0.96, at)); };
  if (product[0] > t) product[0] = 0, product[1] = 1;
  while (product[0] < t) product[1] *= beta(product[0] += 1);
  const auto kernel = FASTNN_SELECT(nadam_span<T>);
  const double next = beta(t + 1);
  const T of_m = T(*learning_rate * next / (1 - product[1] * next));
  const T of_g = T(*learning_rate * (1 - beta(t)) / (1 - product[1]));
  const T correction = T(1 / (1 - std::pow(settings.beta_2, t)));
  parallel_updates<T>("nadam", runs, run_count, scales, *learning_rate, settings.update,
                      [&](Index i, Index n, const Before<T>& before) {
                        kernel(p + i, g + i, m + i, v + i, n, before, of_m, of_g, T(1 - settings.beta_1),
                               T(1 - settings.beta_2), correction, T(settings.epsilon));
                      });
}
FASTNN_INSTANTIATE(nadam)

}  // namespace fastnn::cpu
#endif
