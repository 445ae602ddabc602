#pragma once

// AVX-512 (F, BW, DQ, VL): 16 floats or 8 doubles.

#include <immintrin.h>

#include <cstdint>

namespace fastnn::cpu::avx512 {

struct F32 {
  using T = float;
  static constexpr int lanes = 16;
  struct Mask {
    __mmask16 m;
    friend Mask operator&(Mask a, Mask b) { return {__mmask16(a.m & b.m)}; }
    friend Mask operator|(Mask a, Mask b) { return {__mmask16(a.m | b.m)}; }
  };
  __m512 v;

  static F32 set(float x) { return {_mm512_set1_ps(x)}; }
  static F32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static F32 load_n(const float* p, int n, float fill = 0) {
    return {_mm512_mask_loadu_ps(_mm512_set1_ps(fill), first(n), p)};
  }
  static F32 load_last(const float* p, int n) {
    return {_mm512_maskz_loadu_ps(__mmask16(0xffffu << (lanes - n)), p + n - lanes)};
  }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void stream(float* p) const { _mm512_stream_ps(p, v); }
  void store_n(float* p, int n) const { _mm512_mask_storeu_ps(p, first(n), v); }
  static __mmask16 first(int n) { return __mmask16(~(0xffffu << n)); }
};

struct F64 {
  using T = double;
  static constexpr int lanes = 8;
  struct Mask {
    __mmask8 m;
    friend Mask operator&(Mask a, Mask b) { return {__mmask8(a.m & b.m)}; }
    friend Mask operator|(Mask a, Mask b) { return {__mmask8(a.m | b.m)}; }
  };
  __m512d v;

  static F64 set(double x) { return {_mm512_set1_pd(x)}; }
  static F64 load(const double* p) { return {_mm512_loadu_pd(p)}; }
  static F64 load_n(const double* p, int n, double fill = 0) {
    return {_mm512_mask_loadu_pd(_mm512_set1_pd(fill), first(n), p)};
  }
  static F64 load_last(const double* p, int n) {
    return {_mm512_maskz_loadu_pd(__mmask8(0xffu << (lanes - n)), p + n - lanes)};
  }
  void store(double* p) const { _mm512_storeu_pd(p, v); }
  void stream(double* p) const { _mm512_stream_pd(p, v); }
  void store_n(double* p, int n) const { _mm512_mask_storeu_pd(p, first(n), v); }
  static __mmask8 first(int n) { return __mmask8(~(0xffu << n)); }
};

static inline void stream_end() { _mm_sfence(); }

static inline F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
static inline F32 operator-(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
static inline F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
static inline F32 operator/(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
static inline F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
static inline F32 fnma(F32 a, F32 b, F32 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
static inline F32 min(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
static inline F32 max(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
static inline F32 sqrt(F32 a) { return {_mm512_sqrt_ps(a.v)}; }
static inline F32 abs(F32 a) { return {_mm512_abs_ps(a.v)}; }
static inline F32 round(F32 a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
static inline F32 copysign(F32 magnitude, F32 sign) {
  const __m512 bit = _mm512_set1_ps(-0.0f);
  return {_mm512_or_ps(_mm512_andnot_ps(bit, magnitude.v), _mm512_and_ps(bit, sign.v))};
}
static inline F32::Mask operator<(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
static inline F32::Mask operator<=(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
static inline F32::Mask operator>(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
static inline F32::Mask operator>=(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
static inline F32::Mask operator==(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
static inline F32::Mask operator!=(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
static inline F32 select(F32::Mask m, F32 yes, F32 no) { return {_mm512_mask_blend_ps(m.m, no.v, yes.v)}; }
static inline unsigned bits(F32::Mask m) { return m.m; }
static inline bool any(F32::Mask m) { return m.m != 0; }
static inline F32 exponent(F32 a) { return {_mm512_getexp_ps(a.v)}; }
static inline F32 mantissa(F32 a) { return {_mm512_getmant_ps(a.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src)}; }
static inline F32 pow2(F32 n) { return {_mm512_scalef_ps(_mm512_set1_ps(1), n.v)}; }
static inline F32 scale(F32 x, F32 n) { return {_mm512_scalef_ps(x.v, n.v)}; }
// An estimate of 14 bits and Newton's steps, each of which doubles them: half the time of a division.
static inline F32 inverse(F32 a) {
  const F32 one = F32::set(1), y = {_mm512_rcp14_ps(a.v)};
  return fma(y, fnma(a, y, one), y);
}
// Newton's step from an estimate of 14 bits, which for x = 0 and infinity makes NaN of it. A division and a
// root take turns in one unit; this takes others.
static inline F32 quick_sqrt(F32 x) {
  const F32 half = F32::set(0.5f), y = {_mm512_rsqrt14_ps(x.v)}, near = x * y;
  const F32 root = fma(near, fnma(near, half * y, half), near);
  constexpr int kZero = 0x02, kNegativeZero = 0x04, kInfinity = 0x08;
  const __mmask16 own_root = _mm512_fpclass_ps_mask(x.v, kZero | kNegativeZero | kInfinity);
  return {
      _mm512_mask_add_ps(root.v, own_root, x.v, x.v)};  // a sum, which flushes denormals where they are zeros
}
static inline float sum(F32 a) { return _mm512_reduce_add_ps(a.v); }
static inline float max_lane(F32 a) { return _mm512_reduce_max_ps(a.v); }
static inline float min_lane(F32 a) { return _mm512_reduce_min_ps(a.v); }

static inline F64 operator+(F64 a, F64 b) { return {_mm512_add_pd(a.v, b.v)}; }
static inline F64 operator-(F64 a, F64 b) { return {_mm512_sub_pd(a.v, b.v)}; }
static inline F64 operator*(F64 a, F64 b) { return {_mm512_mul_pd(a.v, b.v)}; }
static inline F64 operator/(F64 a, F64 b) { return {_mm512_div_pd(a.v, b.v)}; }
static inline F64 fma(F64 a, F64 b, F64 c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
static inline F64 fnma(F64 a, F64 b, F64 c) { return {_mm512_fnmadd_pd(a.v, b.v, c.v)}; }
static inline F64 min(F64 a, F64 b) { return {_mm512_min_pd(a.v, b.v)}; }
static inline F64 max(F64 a, F64 b) { return {_mm512_max_pd(a.v, b.v)}; }
static inline F64 sqrt(F64 a) { return {_mm512_sqrt_pd(a.v)}; }
static inline F64 abs(F64 a) { return {_mm512_abs_pd(a.v)}; }
static inline F64 round(F64 a) {
  return {_mm512_roundscale_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
static inline F64 copysign(F64 magnitude, F64 sign) {
  const __m512d bit = _mm512_set1_pd(-0.0);
  return {_mm512_or_pd(_mm512_andnot_pd(bit, magnitude.v), _mm512_and_pd(bit, sign.v))};
}
static inline F64::Mask operator<(F64 a, F64 b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ)}; }
static inline F64::Mask operator<=(F64 a, F64 b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LE_OQ)}; }
static inline F64::Mask operator>(F64 a, F64 b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ)}; }
static inline F64::Mask operator>=(F64 a, F64 b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GE_OQ)}; }
static inline F64::Mask operator==(F64 a, F64 b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ)}; }
static inline F64::Mask operator!=(F64 a, F64 b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
static inline F64 select(F64::Mask m, F64 yes, F64 no) { return {_mm512_mask_blend_pd(m.m, no.v, yes.v)}; }
static inline unsigned bits(F64::Mask m) { return m.m; }
static inline bool any(F64::Mask m) { return m.m != 0; }
static inline F64 exponent(F64 a) { return {_mm512_getexp_pd(a.v)}; }
static inline F64 mantissa(F64 a) { return {_mm512_getmant_pd(a.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src)}; }
static inline F64 pow2(F64 n) { return {_mm512_scalef_pd(_mm512_set1_pd(1), n.v)}; }
static inline F64 scale(F64 x, F64 n) { return {_mm512_scalef_pd(x.v, n.v)}; }
static inline F64 inverse(F64 a) {
  const F64 one = F64::set(1);
  F64 y = {_mm512_rcp14_pd(a.v)};
  y = fma(y, fnma(a, y, one), y);
  return fma(y, fnma(a, y, one), y);
}
static inline F64 quick_sqrt(F64 x) { return sqrt(x); }
static inline double sum(F64 a) { return _mm512_reduce_add_pd(a.v); }
static inline double max_lane(F64 a) { return _mm512_reduce_max_pd(a.v); }
static inline double min_lane(F64 a) { return _mm512_reduce_min_pd(a.v); }

struct U64 {
  static constexpr int lanes = 8;
  __m512i v;
  static U64 set(std::uint64_t x) { return {_mm512_set1_epi64(static_cast<long long>(x))}; }
  static U64 count(std::uint64_t first) {
    return {_mm512_add_epi64(set(first).v, _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7))};
  }
};
static inline U64 low_product(U64 a, U64 b) { return {_mm512_mul_epu32(a.v, b.v)}; }
static inline U64 high(U64 a) { return {_mm512_srli_epi64(a.v, 32)}; }
static inline U64 xor3(U64 a, U64 b, U64 c) { return {_mm512_ternarylogic_epi64(a.v, b.v, c.v, 0x96)}; }
static inline void store_words(std::uint32_t* p, U64 a, U64 b, U64 c, U64 d) {
  const __m512i ab = _mm512_mask_shuffle_epi32(a.v, 0xAAAA, b.v, _MM_PERM_CCAA);
  const __m512i cd = _mm512_mask_shuffle_epi32(c.v, 0xAAAA, d.v, _MM_PERM_CCAA);
  _mm512_storeu_si512(p, _mm512_unpacklo_epi64(ab, cd));
  _mm512_storeu_si512(p + 16, _mm512_unpackhi_epi64(ab, cd));
}

}  // namespace fastnn::cpu::avx512
