#pragma once

// One lane, in plain C: the baseline that every machine has, and the reference for the others.

#include <math.h>
#include <stdint.h>
#include <string.h>

namespace fastnn::cpu::scalar {

template <class T_, class Bits_, int kMantissaBits, Bits_ kBias>
struct One {
  using T = T_;
  using Bits = Bits_;
  using Mask = bool;
  static constexpr int lanes = 1;
  T v;

  static One set(T x) { return {x}; }
  static One load(const T* p) { return {*p}; }
  static One load_n(const T* p, int n, T fill = 0) { return {n > 0 ? *p : fill}; }
  void store(T* p) const { *p = v; }
  void store_n(T* p, int n) const {
    if (n > 0) *p = v;
  }

  static Bits to_bits(T x) {
    Bits bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
  }
  static T from_bits(Bits bits) {
    T x;
    memcpy(&x, &bits, sizeof x);
    return x;
  }

  friend One operator+(One a, One b) { return {a.v + b.v}; }
  friend One operator-(One a, One b) { return {a.v - b.v}; }
  friend One operator*(One a, One b) { return {a.v * b.v}; }
  friend One operator/(One a, One b) { return {a.v / b.v}; }
  friend One fma(One a, One b, One c) { return {a.v * b.v + c.v}; }
  friend One fnma(One a, One b, One c) { return {c.v - a.v * b.v}; }
  friend One min(One a, One b) { return {a.v < b.v ? a.v : b.v}; }
  friend One max(One a, One b) { return {a.v > b.v ? a.v : b.v}; }
  friend Mask operator<(One a, One b) { return a.v < b.v; }
  friend Mask operator<=(One a, One b) { return a.v <= b.v; }
  friend Mask operator>(One a, One b) { return a.v > b.v; }
  friend Mask operator>=(One a, One b) { return a.v >= b.v; }
  friend Mask operator==(One a, One b) { return a.v == b.v; }
  friend Mask operator!=(One a, One b) { return a.v != b.v; }
  friend One select(Mask m, One yes, One no) { return m ? yes : no; }
  friend One exponent(One a) { return {T(Bits((to_bits(a.v) << 1) >> (kMantissaBits + 1))) - T(kBias)}; }
  friend One mantissa(One a) {
    const Bits keep = (Bits(1) << kMantissaBits) - 1 + (Bits(1) << (8 * sizeof(Bits) - 1));
    return {from_bits((to_bits(a.v) & keep) | (kBias << kMantissaBits))};
  }
  friend One pow2(One n) { return {from_bits(Bits(int64_t(n.v) + int64_t(kBias)) << kMantissaBits)}; }
  friend T sum(One a) { return a.v; }
  friend T max_lane(One a) { return a.v; }
  friend T min_lane(One a) { return a.v; }
};

using F32 = One<float, uint32_t, 23, 127>;
using F64 = One<double, uint64_t, 52, 1023>;

static inline F32 abs(F32 a) { return {fabsf(a.v)}; }
static inline F64 abs(F64 a) { return {fabs(a.v)}; }
static inline F32 sqrt(F32 a) { return {sqrtf(a.v)}; }
static inline F64 sqrt(F64 a) { return {::sqrt(a.v)}; }
static inline F32 round(F32 a) { return {rintf(a.v)}; }
static inline F64 round(F64 a) { return {rint(a.v)}; }
static inline F32 copysign(F32 magnitude, F32 sign) { return {copysignf(magnitude.v, sign.v)}; }
static inline F64 copysign(F64 magnitude, F64 sign) { return {::copysign(magnitude.v, sign.v)}; }
static inline bool any(bool m) { return m; }
static inline unsigned bits(bool m) { return m; }

}  // namespace fastnn::cpu::scalar
