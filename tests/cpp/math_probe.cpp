#include "math_probe.hpp"

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/math.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T, class Fn> static inline void each(const T* x, T* y, Index n, const Fn& fn) {
  using V = Vec<T>;
  Index i = 0;
  for (; i + V::lanes <= n; i += V::lanes) fn(V::load(x + i)).store(y + i);
  if (i < n) fn(V::load_n(x + i, int(n - i))).store_n(y + i, int(n - i));
}

template <class T> void math_probe(MathFunction f, const T* x, T* y, Index n) {
  using V = Vec<T>;
  switch (f) {
    case MathFunction::exp: return each(x, y, n, [](V v) { return exp(v); });
    case MathFunction::expm1: return each(x, y, n, [](V v) { return expm1(v); });
    case MathFunction::log: return each(x, y, n, [](V v) { return log(v); });
    case MathFunction::log1p: return each(x, y, n, [](V v) { return log1p(v); });
    case MathFunction::tanh: return each(x, y, n, [](V v) { return tanh(v); });
    case MathFunction::sigmoid: return each(x, y, n, [](V v) { return sigmoid(v); });
    case MathFunction::erf: return each(x, y, n, [](V v) { return erf(v); });
    case MathFunction::sin: return each(x, y, n, [](V v) { return sin(v); });
    case MathFunction::cos: return each(x, y, n, [](V v) { return cos(v); });
    case MathFunction::quick_sqrt: return each(x, y, n, [](V v) { return quick_sqrt(v); });
  }
}
FASTNN_INSTANTIATE(math_probe)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif
