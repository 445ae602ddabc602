#pragma once

// Advanced SIMD of AArch64: 4 floats or 2 doubles.

#include <arm_neon.h>

#include <cstdint>

namespace fastnn::cpu::neon {

struct F32 {
  using T = float;
  static constexpr int lanes = 4;
  struct Mask {
    uint32x4_t m;
    friend Mask operator&(Mask a, Mask b) { return {vandq_u32(a.m, b.m)}; }
    friend Mask operator|(Mask a, Mask b) { return {vorrq_u32(a.m, b.m)}; }
  };
  float32x4_t v;

  static F32 set(float x) { return {vdupq_n_f32(x)}; }
  static F32 load(const float* p) { return {vld1q_f32(p)}; }
  static F32 load_n(const float* p, int n, float fill = 0) {
    float lane[lanes] = {fill, fill, fill, fill};
    for (int i = 0; i < n; ++i) lane[i] = p[i];
    return load(lane);
  }
  static F32 load_last(const float* p, int n) {
    float lane[lanes] = {};
    for (int i = 0; i < n; ++i) lane[lanes - n + i] = p[i];
    return load(lane);
  }
  void store(float* p) const { vst1q_f32(p, v); }
  void stream(float* p) const { store(p); }
  void store_n(float* p, int n) const {
    float lane[lanes];
    store(lane);
    for (int i = 0; i < n; ++i) p[i] = lane[i];
  }
};

struct F64 {
  using T = double;
  static constexpr int lanes = 2;
  struct Mask {
    uint64x2_t m;
    friend Mask operator&(Mask a, Mask b) { return {vandq_u64(a.m, b.m)}; }
    friend Mask operator|(Mask a, Mask b) { return {vorrq_u64(a.m, b.m)}; }
  };
  float64x2_t v;

  static F64 set(double x) { return {vdupq_n_f64(x)}; }
  static F64 load(const double* p) { return {vld1q_f64(p)}; }
  static F64 load_n(const double* p, int n, double fill = 0) {
    const double lane[lanes] = {n > 0 ? p[0] : fill, n > 1 ? p[1] : fill};
    return load(lane);
  }
  static F64 load_last(const double* p, int n) {
    double lane[lanes] = {};
    for (int i = 0; i < n; ++i) lane[lanes - n + i] = p[i];
    return load(lane);
  }
  void store(double* p) const { vst1q_f64(p, v); }
  void stream(double* p) const { store(p); }
  void store_n(double* p, int n) const {
    if (n > 0) p[0] = vgetq_lane_f64(v, 0);
    if (n > 1) p[1] = vgetq_lane_f64(v, 1);
  }
};

static inline void stream_end() {}

static inline F32 operator+(F32 a, F32 b) { return {vaddq_f32(a.v, b.v)}; }
static inline F32 operator-(F32 a, F32 b) { return {vsubq_f32(a.v, b.v)}; }
static inline F32 operator*(F32 a, F32 b) { return {vmulq_f32(a.v, b.v)}; }
static inline F32 operator/(F32 a, F32 b) { return {vdivq_f32(a.v, b.v)}; }
static inline F32 fma(F32 a, F32 b, F32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
static inline F32 fnma(F32 a, F32 b, F32 c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
// Not vminq and vmaxq, which return NaN if either is NaN.
static inline F32 min(F32 a, F32 b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
static inline F32 max(F32 a, F32 b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
static inline F32 sqrt(F32 a) { return {vsqrtq_f32(a.v)}; }
static inline F32 quick_sqrt(F32 a) { return sqrt(a); }
static inline F32 abs(F32 a) { return {vabsq_f32(a.v)}; }
static inline F32 round(F32 a) { return {vrndnq_f32(a.v)}; }
static inline F32 copysign(F32 magnitude, F32 sign) {
  return {vbslq_f32(vdupq_n_u32(0x80000000u), sign.v, magnitude.v)};
}
static inline F32::Mask operator<(F32 a, F32 b) { return {vcltq_f32(a.v, b.v)}; }
static inline F32::Mask operator<=(F32 a, F32 b) { return {vcleq_f32(a.v, b.v)}; }
static inline F32::Mask operator>(F32 a, F32 b) { return {vcgtq_f32(a.v, b.v)}; }
static inline F32::Mask operator>=(F32 a, F32 b) { return {vcgeq_f32(a.v, b.v)}; }
static inline F32::Mask operator==(F32 a, F32 b) { return {vceqq_f32(a.v, b.v)}; }
static inline F32::Mask operator!=(F32 a, F32 b) { return {vmvnq_u32(vceqq_f32(a.v, b.v))}; }
static inline F32 select(F32::Mask m, F32 yes, F32 no) { return {vbslq_f32(m.m, yes.v, no.v)}; }
static inline unsigned bits(F32::Mask m) {
  const uint32x4_t weight = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32(m.m, weight));
}
static inline bool any(F32::Mask m) { return vmaxvq_u32(m.m) != 0; }
static inline F32 exponent(F32 a) {
  const uint32x4_t e = vshrq_n_u32(vshlq_n_u32(vreinterpretq_u32_f32(a.v), 1), 24);
  return {vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(e), vdupq_n_s32(127)))};
}
static inline F32 mantissa(F32 a) { return {vbslq_f32(vdupq_n_u32(0x807fffffu), a.v, vdupq_n_f32(1.0f))}; }
static inline F32 pow2(F32 n) {
  const int32x4_t e = vaddq_s32(vcvtq_s32_f32(n.v), vdupq_n_s32(127));
  return {vreinterpretq_f32_s32(vshlq_n_s32(e, 23))};
}
// A NaN in n becomes 0: a NaN in x stays what it is.
static inline F32 scale(F32 x, F32 n) {
  const int32x4_t up = vshlq_n_s32(vcvtq_s32_f32(n.v), 23);
  return {vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x.v), up))};
}
static inline F32 inverse(F32 a) { return F32::set(1) / a; }
static inline float sum(F32 a) {
  const float32x2_t s = vadd_f32(vget_low_f32(a.v), vget_high_f32(a.v));
  return vget_lane_f32(s, 0) + vget_lane_f32(s, 1);
}
static inline float max_lane(F32 a) { return vmaxvq_f32(a.v); }
static inline float min_lane(F32 a) { return vminvq_f32(a.v); }

static inline F64 operator+(F64 a, F64 b) { return {vaddq_f64(a.v, b.v)}; }
static inline F64 operator-(F64 a, F64 b) { return {vsubq_f64(a.v, b.v)}; }
static inline F64 operator*(F64 a, F64 b) { return {vmulq_f64(a.v, b.v)}; }
static inline F64 operator/(F64 a, F64 b) { return {vdivq_f64(a.v, b.v)}; }
static inline F64 fma(F64 a, F64 b, F64 c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
static inline F64 fnma(F64 a, F64 b, F64 c) { return {vfmsq_f64(c.v, a.v, b.v)}; }
static inline F64 min(F64 a, F64 b) { return {vbslq_f64(vcltq_f64(a.v, b.v), a.v, b.v)}; }
static inline F64 max(F64 a, F64 b) { return {vbslq_f64(vcgtq_f64(a.v, b.v), a.v, b.v)}; }
static inline F64 sqrt(F64 a) { return {vsqrtq_f64(a.v)}; }
static inline F64 quick_sqrt(F64 a) { return sqrt(a); }
static inline F64 abs(F64 a) { return {vabsq_f64(a.v)}; }
static inline F64 round(F64 a) { return {vrndnq_f64(a.v)}; }
static inline F64 copysign(F64 magnitude, F64 sign) {
  return {vbslq_f64(vdupq_n_u64(0x8000000000000000u), sign.v, magnitude.v)};
}
static inline F64::Mask operator<(F64 a, F64 b) { return {vcltq_f64(a.v, b.v)}; }
static inline F64::Mask operator<=(F64 a, F64 b) { return {vcleq_f64(a.v, b.v)}; }
static inline F64::Mask operator>(F64 a, F64 b) { return {vcgtq_f64(a.v, b.v)}; }
static inline F64::Mask operator>=(F64 a, F64 b) { return {vcgeq_f64(a.v, b.v)}; }
static inline F64::Mask operator==(F64 a, F64 b) { return {vceqq_f64(a.v, b.v)}; }
static inline F64::Mask operator!=(F64 a, F64 b) {
  return {vreinterpretq_u64_u32(vmvnq_u32(vreinterpretq_u32_u64(vceqq_f64(a.v, b.v))))};
}
static inline F64 select(F64::Mask m, F64 yes, F64 no) { return {vbslq_f64(m.m, yes.v, no.v)}; }
static inline unsigned bits(F64::Mask m) {
  return unsigned((vgetq_lane_u64(m.m, 0) & 1) | (vgetq_lane_u64(m.m, 1) & 2));
}
static inline bool any(F64::Mask m) { return bits(m) != 0; }
static inline F64 exponent(F64 a) {
  const uint64x2_t e = vshrq_n_u64(vshlq_n_u64(vreinterpretq_u64_f64(a.v), 1), 53);
  return {vcvtq_f64_s64(vsubq_s64(vreinterpretq_s64_u64(e), vdupq_n_s64(1023)))};
}
static inline F64 mantissa(F64 a) {
  return {vbslq_f64(vdupq_n_u64(0x800fffffffffffffu), a.v, vdupq_n_f64(1.0))};
}
static inline F64 pow2(F64 n) {
  const int64x2_t e = vaddq_s64(vcvtq_s64_f64(n.v), vdupq_n_s64(1023));
  return {vreinterpretq_f64_s64(vshlq_n_s64(e, 52))};
}
static inline F64 scale(F64 x, F64 n) {
  const int64x2_t up = vshlq_n_s64(vcvtq_s64_f64(n.v), 52);
  return {vreinterpretq_f64_s64(vaddq_s64(vreinterpretq_s64_f64(x.v), up))};
}
static inline F64 inverse(F64 a) { return F64::set(1) / a; }
static inline double sum(F64 a) { return vgetq_lane_f64(a.v, 0) + vgetq_lane_f64(a.v, 1); }
static inline double max_lane(F64 a) { return vmaxvq_f64(a.v); }
static inline double min_lane(F64 a) { return vminvq_f64(a.v); }

struct U64 {
  static constexpr int lanes = 2;
  uint64x2_t v;
  static U64 set(std::uint64_t x) { return {vdupq_n_u64(x)}; }
  static U64 count(std::uint64_t first) { return {vcombine_u64(vcreate_u64(first), vcreate_u64(first + 1))}; }
};
static inline U64 low_product(U64 a, U64 b) { return {vmull_u32(vmovn_u64(a.v), vmovn_u64(b.v))}; }
static inline U64 high(U64 a) { return {vshrq_n_u64(a.v, 32)}; }
static inline U64 xor3(U64 a, U64 b, U64 c) { return {veorq_u64(a.v, veorq_u64(b.v, c.v))}; }
static inline void store_words(std::uint32_t* p, U64 a, U64 b, U64 c, U64 d) {
  const uint32x2x4_t words = {{vmovn_u64(a.v), vmovn_u64(b.v), vmovn_u64(c.v), vmovn_u64(d.v)}};
  vst4_u32(p, words);
}

}  // namespace fastnn::cpu::neon
