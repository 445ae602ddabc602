#pragma once

// One lane, in plain C: the baseline that every machine has, and the reference for the others.

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <cstdint>

namespace fastnn::cpu::scalar {

template <class T_, class Bits_, int kMantissaBits, Bits_ kBias> struct One {
  using T = T_;
  using Bits = Bits_;
  using Mask = bool;
  static constexpr int lanes = 1;
  T v;

  static One set(T x) { return {x}; }
  static One load(const T* p) { return {*p}; }
  static One load_n(const T* p, int n, T fill = 0) { return {n > 0 ? *p : fill}; }
  static One load_last(const T* p, int n) { return load_n(p, n); }
  void store(T* p) const { *p = v; }
  void stream(T* p) const { *p = v; }
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
  friend One select(Mask m, One yes, One no) { return {m ? yes.v : no.v}; }
  // With 2^kMantissaBits on top, a small integer in the low bits reads as a number.
  friend One exponent(One a) {
    const T top = T(Bits(1) << kMantissaBits);
    return {from_bits(to_bits(top) | ((to_bits(a.v) << 1) >> (kMantissaBits + 1))) - (top + T(kBias))};
  }
  friend One mantissa(One a) {
    const Bits keep = (Bits(1) << kMantissaBits) - 1 + (Bits(1) << (8 * sizeof(Bits) - 1));
    return {from_bits((to_bits(a.v) & keep) | (kBias << kMantissaBits))};
  }
  // Adding 1.5 * 2^kMantissaBits leaves a small integer in the low bits, whatever its sign, and is defined
  // for every n: a conversion to int is not.
  static Bits integer_bits(T n) { return to_bits(n + T(Bits(3) << (kMantissaBits - 1))); }
  friend One pow2(One n) { return {from_bits((integer_bits(n.v) + kBias) << kMantissaBits)}; }
  friend One scale(One x, One n) {
    return select(x != x, x, One{from_bits(to_bits(x.v) + (integer_bits(n.v) << kMantissaBits))});
  }
  friend One inverse(One a) { return {1 / a.v}; }
  friend T sum(One a) { return a.v; }
  friend T max_lane(One a) { return a.v; }
  friend T min_lane(One a) { return a.v; }
};

using F32 = One<float, uint32_t, 23, 127>;
using F64 = One<double, uint64_t, 52, 1023>;

static inline F32 abs(F32 a) { return {fabsf(a.v)}; }
static inline F64 abs(F64 a) { return {fabs(a.v)}; }
static inline F32 sqrt(F32 a) { return {sqrtf(a.v)}; }
static inline F32 quick_sqrt(F32 a) { return sqrt(a); }
static inline F64 sqrt(F64 a) { return {::sqrt(a.v)}; }
static inline F64 quick_sqrt(F64 a) { return sqrt(a); }
static inline F32 round(F32 a) { return {rintf(a.v)}; }
static inline F64 round(F64 a) { return {rint(a.v)}; }
static inline F32 copysign(F32 magnitude, F32 sign) { return {copysignf(magnitude.v, sign.v)}; }
static inline F64 copysign(F64 magnitude, F64 sign) { return {::copysign(magnitude.v, sign.v)}; }
static inline bool any(bool m) { return m; }
static inline unsigned bits(bool m) { return m; }

static inline void stream_end() {}

struct U64 {
  static constexpr int lanes = 1;
  std::uint64_t v;
  static U64 set(std::uint64_t x) { return {x}; }
  static U64 count(std::uint64_t first) { return {first}; }
};
static inline U64 low_product(U64 a, U64 b) { return {(a.v & 0xFFFFFFFFu) * (b.v & 0xFFFFFFFFu)}; }
static inline U64 high(U64 a) { return {a.v >> 32}; }
static inline U64 xor3(U64 a, U64 b, U64 c) { return {a.v ^ b.v ^ c.v}; }
static inline void store_words(std::uint32_t* p, U64 a, U64 b, U64 c, U64 d) {
  p[0] = std::uint32_t(a.v), p[1] = std::uint32_t(b.v), p[2] = std::uint32_t(c.v), p[3] = std::uint32_t(d.v);
}

}  // namespace fastnn::cpu::scalar
