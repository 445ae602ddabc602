#include "fastnn/optimizers.hpp"

#include "update.hpp"

namespace fastnn::cpu {

// Where two epsilons are given, the root of s is sqrt(s + inside) + outside. What is added to an average
// (1 - rho) comes from double: in float, 1 - 0.999f is wrong by 1e-5.
FASTNN_DECLARE(void, sgd_span,
               (T * p, const T* g, T* velocity, Index n, const Before<T>& before, T rate, T momentum,
                bool nesterov))
FASTNN_DECLARE(void, rmsprop_span,
               (T * p, const T* g, T* s, T* mean, T* velocity, Index n, const Before<T>& before, T rate,
                T rho, T added, T momentum, T inside, T outside))
FASTNN_DECLARE(void, adagrad_span,
               (T * p, const T* g, T* s, Index n, const Before<T>& before, T rate, T inside, T outside))
FASTNN_DECLARE(void, adadelta_span,
               (T * p, const T* g, T* s, T* d, Index n, const Before<T>& before, T rate, T rho, T added,
                T epsilon))
FASTNN_DECLARE(void, lion_span,
               (T * p, const T* g, T* m, Index n, const Before<T>& before, T rate, T beta_1, T added_1,
                T beta_2, T added_2))
FASTNN_DECLARE(void, ftrl_span,
               (T * p, const T* g, T* s, T* z, Index n, const Before<T>& before, T rate, T power, T l1,
                T ridge, T shrinkage))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
namespace fastnn::cpu::FASTNN_ISA {

template <class T> void sgd_span(T* p, const T* g, T* velocity, Index n, const Before<T>& before, T rate,
                                 T momentum, bool nesterov) {
  using V = Vec<T>;
  const V lr = V::set(rate), mu = V::set(momentum);
  if (!velocity)
    return update_each(p, g, n, before,
                       [&](auto, V gradient, V weight) { return fnma(lr, gradient, weight); });
  update_each(p, g, n, before, [&](auto at, V gradient, V weight) {
    const V step = lr * gradient;
    const V v = mu * at.load(velocity) - step;
    at.store(velocity, v);
    return weight + (nesterov ? mu * v - step : v);
  });
}
FASTNN_INSTANTIATE(sgd_span)

template <class T> void rmsprop_span(T* p, const T* g, T* s, T* mean, T* velocity, Index n,
                                     const Before<T>& before, T rate, T rho, T added, T momentum, T inside,
                                     T outside) {
  using V = Vec<T>;
  const V lr = V::set(rate), keep = V::set(rho), add = V::set(added), mu = V::set(momentum),
          in = V::set(inside), out = V::set(outside);
  update_each(p, g, n, before, [&](auto at, V gradient, V weight) {
    const V square = fma(add * gradient, gradient, keep * at.load(s)), zero = V::set(0);
    const V average = mean ? fma(add, gradient, keep * at.load(mean)) : zero;
    const V momentum_now = velocity ? mu * at.load(velocity) : zero;
    at.store(s, square);
    V variance = square + in;
    if (mean) {
      at.store(mean, average);
      variance = fnma(average, average, square) + in;
    }
    const V update = lr * gradient / (quick_sqrt(variance) + out) + momentum_now;
    if (velocity) at.store(velocity, update);
    return weight - update;
  });
}
FASTNN_INSTANTIATE(rmsprop_span)

template <class T>
void adagrad_span(T* p, const T* g, T* s, Index n, const Before<T>& before, T rate, T inside, T outside) {
  using V = Vec<T>;
  const V lr = V::set(rate), in = V::set(inside), out = V::set(outside);
  update_each(p, g, n, before, [&](auto at, V gradient, V weight) {
    const V square = fma(gradient, gradient, at.load(s));
    at.store(s, square);
    return weight - lr * gradient / (quick_sqrt(square + in) + out);
  });
}
FASTNN_INSTANTIATE(adagrad_span)

// Two roots rather than the root of a quotient, which leaves the range of float where either is still in it.
template <class T> void adadelta_span(T* p, const T* g, T* s, T* d, Index n, const Before<T>& before, T rate,
                                      T rho, T added, T epsilon) {
  using V = Vec<T>;
  const V lr = V::set(rate), keep = V::set(rho), add = V::set(added), eps = V::set(epsilon);
  update_each(p, g, n, before, [&](auto at, V gradient, V weight) {
    const V square = fma(add * gradient, gradient, keep * at.load(s)), before_it = at.load(d);
    at.store(s, square);
    const V update = quick_sqrt(before_it + eps) / quick_sqrt(square + eps) * gradient;
    at.store(d, fma(add * update, update, keep * before_it));
    return fnma(lr, update, weight);
  });
}
FASTNN_INSTANTIATE(adadelta_span)

template <class T> void lion_span(T* p, const T* g, T* m, Index n, const Before<T>& before, T rate, T beta_1,
                                  T added_1, T beta_2, T added_2) {
  using V = Vec<T>;
  const V lr = V::set(rate), keep_1 = V::set(beta_1), add_1 = V::set(added_1), keep_2 = V::set(beta_2),
          add_2 = V::set(added_2), zero = V::set(0), one = V::set(1);
  update_each(p, g, n, before, [&](auto at, V gradient, V weight) {
    const V m_before = at.load(m), blend = fma(add_1, gradient, keep_1 * m_before);
    at.store(m, fma(add_2, gradient, keep_2 * m_before));
    const V sign = select(blend > zero, one, select(blend < zero, zero - one, blend));  // 0 and NaN stay
    return fnma(lr, sign, weight);
  });
}
FASTNN_INSTANTIATE(lion_span)

// rate: 1 / lr. power: that of s. ridge: what is added to power of s / lr. shrinkage: twice the setting.
template <class T> void ftrl_span(T* p, const T* g, T* s, T* z, Index n, const Before<T>& before, T rate,
                                  T power, T l1, T ridge, T shrinkage) {
  using V = Vec<T>;
  const V inverse = V::set(rate), low = V::set(-l1), high = V::set(l1), add = V::set(ridge),
          shrink = V::set(shrinkage), zero = V::set(0), of_zero = V::set(power == 0),
          exponent = V::set(power);
  const auto each = [&](auto to_power) {
    update_each(p, g, n, before, [&](auto at, V gradient, V weight) {
      const V before_it = at.load(s), linear = at.load(z);
      const V square = fma(gradient, gradient, before_it), root = to_power(square);
      const V moved = (root - to_power(before_it)) * inverse;
      const V now = fnma(moved, weight, linear + fma(shrink, weight, gradient));
      at.store(s, square);
      at.store(z, now);
      return (min(high, max(low, now)) - now) / fma(root, inverse, add);
    });
  };
  if (power == T(0.5)) return each([](V x) { return sqrt(x); });
  each([&](V x) { return select(x > zero, exp(exponent * log(x)), select(x < zero, x, of_zero)); });
}
FASTNN_INSTANTIATE(ftrl_span)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
namespace fastnn::cpu {
template <class T> void sgd(T* p, const T* g, T* velocity, const Run* runs, Index run_count,
                            const double* scales, const double* learning_rate, const SgdSettings& settings) {
  const auto kernel = FASTNN_SELECT(sgd_span<T>);
  const T rate = T(*learning_rate * (1 - settings.dampening));
  parallel_updates<T>("sgd", runs, run_count, scales, *learning_rate, settings.update,
                      [&](Index i, Index n, const Before<T>& before) {
                        kernel(p + i, g + i, shifted(velocity, i), n, before, rate, T(settings.momentum),
                               settings.nesterov);
                      });
}
FASTNN_INSTANTIATE(sgd)

template <class T> void rmsprop(T* p, const T* g, T* s, T* mean, T* velocity, const Run* runs,
                                Index run_count, const double* scales, const double* learning_rate,
                                const RmspropSettings& settings) {
  const auto kernel = FASTNN_SELECT(rmsprop_span<T>);
  const T rate = T(*learning_rate);
  const Epsilons epsilon(settings.epsilon, settings.placement);
  parallel_updates<T>("rmsprop", runs, run_count, scales, *learning_rate, settings.update,
                      [&](Index i, Index n, const Before<T>& before) {
                        kernel(p + i, g + i, s + i, shifted(mean, i), shifted(velocity, i), n, before, rate,
                               T(settings.rho), T(1 - settings.rho), T(settings.momentum), T(epsilon.inside),
                               T(epsilon.outside));
                      });
}
FASTNN_INSTANTIATE(rmsprop)

template <class T> void adagrad(T* p, const T* g, T* s, const Run* runs, Index run_count,
                                const double* scales, const double* learning_rate,
                                const AdagradSettings& settings) {
  const auto kernel = FASTNN_SELECT(adagrad_span<T>);
  const T rate = T(*learning_rate);
  const Epsilons epsilon(settings.epsilon, settings.placement);
  parallel_updates<T>("adagrad", runs, run_count, scales, *learning_rate, settings.update,
                      [&](Index i, Index n, const Before<T>& before) {
                        kernel(p + i, g + i, s + i, n, before, rate, T(epsilon.inside), T(epsilon.outside));
                      });
}
FASTNN_INSTANTIATE(adagrad)

template <class T> void adadelta(T* p, const T* g, T* s, T* d, const Run* runs, Index run_count,
                                 const double* scales, const double* learning_rate,
                                 const AdadeltaSettings& settings) {
  const auto kernel = FASTNN_SELECT(adadelta_span<T>);
  const T rate = T(*learning_rate);
  parallel_updates<T>("adadelta", runs, run_count, scales, *learning_rate, settings.update,
                      [&](Index i, Index n, const Before<T>& before) {
                        kernel(p + i, g + i, s + i, d + i, n, before, rate, T(settings.rho),
                               T(1 - settings.rho), T(settings.epsilon));
                      });
}
FASTNN_INSTANTIATE(adadelta)

template <class T> void lion(T* p, const T* g, T* m, const Run* runs, Index run_count, const double* scales,
                             const double* learning_rate, const LionSettings& settings) {
  const auto kernel = FASTNN_SELECT(lion_span<T>);
  const T rate = T(*learning_rate);
  parallel_updates<T>("lion", runs, run_count, scales, *learning_rate, settings.update,
                      [&](Index i, Index n, const Before<T>& before) {
                        kernel(p + i, g + i, m + i, n, before, rate, T(settings.beta_1),
                               T(1 - settings.beta_1), T(settings.beta_2), T(1 - settings.beta_2));
                      });
}
FASTNN_INSTANTIATE(lion)

template <class T> void ftrl(T* p, const T* g, T* s, T* z, const Run* runs, Index run_count,
                             const double* scales, const double* learning_rate,
                             const FtrlSettings& settings) {
  check("ftrl", settings.power <= 0, "expected power <= 0, got ", settings.power);
  const auto kernel = FASTNN_SELECT(ftrl_span<T>);
  const double inverse = 1 / *learning_rate, ridge = settings.beta * inverse + 2 * settings.l2;
  parallel_updates<T>("ftrl", runs, run_count, scales, *learning_rate, settings.update,
                      [&](Index i, Index n, const Before<T>& before) {
                        kernel(p + i, g + i, s + i, z + i, n, before, T(inverse), T(-settings.power),
                               T(settings.l1), T(ridge), T(2 * settings.shrinkage));
                      });
}
FASTNN_INSTANTIATE(ftrl)

}  // namespace fastnn::cpu
#endif
