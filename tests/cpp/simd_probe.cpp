#include "simd_probe.hpp"

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/simd.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class V> static inline V one_if(typename V::Mask m) { return select(m, V::set(1), V::set(0)); }

template <class V> static inline V from_bits_of(typename V::Mask m) {
  typename V::T lane[V::lanes];
  for (int i = 0; i < V::lanes; ++i) lane[i] = typename V::T((bits(m) >> i) & 1u);
  return V::load(lane);
}

template <class V> static V apply(SimdOp op, V a, V b, V c) {
  switch (op) {
    case SimdOp::add: return a + b;
    case SimdOp::subtract: return a - b;
    case SimdOp::multiply: return a * b;
    case SimdOp::divide: return a / b;
    case SimdOp::fma: return fma(a, b, c);
    case SimdOp::fnma: return fnma(a, b, c);
    case SimdOp::min: return min(a, b);
    case SimdOp::max: return max(a, b);
    case SimdOp::abs: return abs(a);
    case SimdOp::sqrt: return sqrt(a);
    case SimdOp::round: return round(a);
    case SimdOp::copysign: return copysign(a, b);
    case SimdOp::less: return one_if<V>(a < b);
    case SimdOp::less_equal: return one_if<V>(a <= b);
    case SimdOp::greater: return one_if<V>(a > b);
    case SimdOp::greater_equal: return one_if<V>(a >= b);
    case SimdOp::equal: return one_if<V>(a == b);
    case SimdOp::not_equal: return one_if<V>(a != b);
    case SimdOp::both: return one_if<V>((a < b) & (b < c));
    case SimdOp::either: return one_if<V>((a < b) | (b < c));
    case SimdOp::bits: return from_bits_of<V>(a < b);
    case SimdOp::exponent: return exponent(a);
    case SimdOp::mantissa: return mantissa(a);
    case SimdOp::pow2: return pow2(a);
    case SimdOp::scale: return scale(a, b);
    case SimdOp::inverse: return inverse(a);
    case SimdOp::quick_sqrt: return quick_sqrt(a);
  }
  return a;
}

template <class T> void simd_probe(SimdOp op, const T* a, const T* b, const T* c, T* y, Index n) {
  using V = Vec<T>;
  Index i = 0;
  for (; i + V::lanes <= n; i += V::lanes)
    apply(op, V::load(a + i), V::load(b + i), V::load(c + i)).store(y + i);
  const int rest = int(n - i);
  apply(op, V::load_n(a + i, rest), V::load_n(b + i, rest), V::load_n(c + i, rest)).store_n(y + i, rest);
}
FASTNN_INSTANTIATE(simd_probe)

template <class T> T simd_reduce(Reduction op, const T* a, Index n, T fill) {
  using V = Vec<T>;
  const V v = V::load_n(a, n < V::lanes ? int(n) : V::lanes, fill);
  switch (op) {
    case Reduction::sum: return sum(v);
    case Reduction::max_lane: return max_lane(v);
    case Reduction::min_lane: return min_lane(v);
    case Reduction::any_positive: return any(v > V::set(0)) ? T(1) : T(0);
  }
  return fill;
}
FASTNN_INSTANTIATE(simd_reduce)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif
