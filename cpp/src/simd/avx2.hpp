#pragma once

// AVX2 and FMA: 8 floats or 4 doubles.

#include <immintrin.h>

#include <cstdint>

namespace fastnn::cpu::avx2 {

struct F32 {
  using T = float;
  static constexpr int lanes = 8;
  struct Mask {
    __m256 m;
    friend Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.m, b.m)}; }
    friend Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.m, b.m)}; }
  };
  __m256 v;

  static F32 set(float x) { return {_mm256_set1_ps(x)}; }
  static F32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static F32 load_n(const float* p, int n, float fill = 0) {
    const __m256i m = first(n);
    return {_mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, m), _mm256_castsi256_ps(m))};
  }
  static F32 load_last(const float* p, int n) {
    const __m256i m =
        _mm256_cmpgt_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(lanes - 1 - n));
    return {_mm256_maskload_ps(p + n - lanes, m)};
  }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void stream(float* p) const { _mm256_stream_ps(p, v); }
  void store_n(float* p, int n) const { _mm256_maskstore_ps(p, first(n), v); }
  static __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
};

struct F64 {
  using T = double;
  static constexpr int lanes = 4;
  struct Mask {
    __m256d m;
    friend Mask operator&(Mask a, Mask b) { return {_mm256_and_pd(a.m, b.m)}; }
    friend Mask operator|(Mask a, Mask b) { return {_mm256_or_pd(a.m, b.m)}; }
  };
  __m256d v;

  static F64 set(double x) { return {_mm256_set1_pd(x)}; }
  static F64 load(const double* p) { return {_mm256_loadu_pd(p)}; }
  static F64 load_n(const double* p, int n, double fill = 0) {
    const __m256i m = first(n);
    return {_mm256_blendv_pd(_mm256_set1_pd(fill), _mm256_maskload_pd(p, m), _mm256_castsi256_pd(m))};
  }
  static F64 load_last(const double* p, int n) {
    const __m256i m = _mm256_cmpgt_epi64(_mm256_setr_epi64x(0, 1, 2, 3), _mm256_set1_epi64x(lanes - 1 - n));
    return {_mm256_maskload_pd(p + n - lanes, m)};
  }
  void store(double* p) const { _mm256_storeu_pd(p, v); }
  void stream(double* p) const { _mm256_stream_pd(p, v); }
  void store_n(double* p, int n) const { _mm256_maskstore_pd(p, first(n), v); }
  static __m256i first(int n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
  }
};

static inline void stream_end() { _mm_sfence(); }

static inline F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
static inline F32 operator-(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
static inline F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
static inline F32 operator/(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
static inline F32 fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
static inline F32 fnma(F32 a, F32 b, F32 c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
static inline F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
static inline F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
static inline F32 sqrt(F32 a) { return {_mm256_sqrt_ps(a.v)}; }
static inline F32 quick_sqrt(F32 a) { return sqrt(a); }
static inline F32 abs(F32 a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
static inline F32 round(F32 a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
static inline F32 copysign(F32 magnitude, F32 sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(_mm256_andnot_ps(bit, magnitude.v), _mm256_and_ps(bit, sign.v))};
}
static inline F32::Mask operator<(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
static inline F32::Mask operator<=(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
static inline F32::Mask operator>(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
static inline F32::Mask operator>=(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)}; }
static inline F32::Mask operator==(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
static inline F32::Mask operator!=(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NEQ_UQ)}; }
static inline F32 select(F32::Mask m, F32 yes, F32 no) { return {_mm256_blendv_ps(no.v, yes.v, m.m)}; }
static inline unsigned bits(F32::Mask m) { return unsigned(_mm256_movemask_ps(m.m)); }
static inline bool any(F32::Mask m) { return bits(m) != 0; }
static inline F32 exponent(F32 a) {
  const __m256i e = _mm256_srli_epi32(_mm256_slli_epi32(_mm256_castps_si256(a.v), 1), 24);
  return {_mm256_cvtepi32_ps(_mm256_sub_epi32(e, _mm256_set1_epi32(127)))};
}
static inline F32 mantissa(F32 a) {
  const __m256 keep = _mm256_castsi256_ps(_mm256_set1_epi32(int(0x807fffffu)));
  return {_mm256_or_ps(_mm256_and_ps(a.v, keep), _mm256_set1_ps(1.0f))};
}
static inline F32 pow2(F32 n) {
  const __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(e, 23))};
}
// A NaN in n becomes the smallest integer, whose low bits are zero: a NaN in x stays what it is.
static inline F32 scale(F32 x, F32 n) {
  const __m256i up = _mm256_slli_epi32(_mm256_cvtps_epi32(n.v), 23);
  return {_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x.v), up))};
}
static inline F32 inverse(F32 a) { return F32::set(1) / a; }
static inline float sum(F32 a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
static inline float max_lane(F32 a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}
static inline float min_lane(F32 a) {
  __m128 s = _mm_min_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_min_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_min_ss(s, _mm_shuffle_ps(s, s, 1)));
}

static inline F64 operator+(F64 a, F64 b) { return {_mm256_add_pd(a.v, b.v)}; }
static inline F64 operator-(F64 a, F64 b) { return {_mm256_sub_pd(a.v, b.v)}; }
static inline F64 operator*(F64 a, F64 b) { return {_mm256_mul_pd(a.v, b.v)}; }
static inline F64 operator/(F64 a, F64 b) { return {_mm256_div_pd(a.v, b.v)}; }
static inline F64 fma(F64 a, F64 b, F64 c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
static inline F64 fnma(F64 a, F64 b, F64 c) { return {_mm256_fnmadd_pd(a.v, b.v, c.v)}; }
static inline F64 min(F64 a, F64 b) { return {_mm256_min_pd(a.v, b.v)}; }
static inline F64 max(F64 a, F64 b) { return {_mm256_max_pd(a.v, b.v)}; }
static inline F64 sqrt(F64 a) { return {_mm256_sqrt_pd(a.v)}; }
static inline F64 quick_sqrt(F64 a) { return sqrt(a); }
static inline F64 abs(F64 a) { return {_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.v)}; }
static inline F64 round(F64 a) {
  return {_mm256_round_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
static inline F64 copysign(F64 magnitude, F64 sign) {
  const __m256d bit = _mm256_set1_pd(-0.0);
  return {_mm256_or_pd(_mm256_andnot_pd(bit, magnitude.v), _mm256_and_pd(bit, sign.v))};
}
static inline F64::Mask operator<(F64 a, F64 b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_LT_OQ)}; }
static inline F64::Mask operator<=(F64 a, F64 b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_LE_OQ)}; }
static inline F64::Mask operator>(F64 a, F64 b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_GT_OQ)}; }
static inline F64::Mask operator>=(F64 a, F64 b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_GE_OQ)}; }
static inline F64::Mask operator==(F64 a, F64 b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_EQ_OQ)}; }
static inline F64::Mask operator!=(F64 a, F64 b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_NEQ_UQ)}; }
static inline F64 select(F64::Mask m, F64 yes, F64 no) { return {_mm256_blendv_pd(no.v, yes.v, m.m)}; }
static inline unsigned bits(F64::Mask m) { return unsigned(_mm256_movemask_pd(m.m)); }
static inline bool any(F64::Mask m) { return bits(m) != 0; }
// AVX2 has no conversion between doubles and 64-bit integers; adding 2^52 + bias puts a small
// non-negative integer into the low mantissa bits, and taking it away reads it back.
static inline F64 exponent(F64 a) {
  const __m256i e = _mm256_srli_epi64(_mm256_slli_epi64(_mm256_castpd_si256(a.v), 1), 53);
  const __m256d shift = _mm256_set1_pd(4503599627370496.0);  // 2^52
  const __m256d biased = _mm256_sub_pd(_mm256_or_pd(_mm256_castsi256_pd(e), shift), shift);
  return {_mm256_sub_pd(biased, _mm256_set1_pd(1023.0))};
}
static inline F64 mantissa(F64 a) {
  const __m256d keep = _mm256_castsi256_pd(_mm256_set1_epi64x(static_cast<long long>(0x800fffffffffffffull)));
  return {_mm256_or_pd(_mm256_and_pd(a.v, keep), _mm256_set1_pd(1.0))};
}
static inline F64 pow2(F64 n) {
  const __m256d biased = _mm256_add_pd(n.v, _mm256_set1_pd(4503599627370496.0 + 1023.0));
  return {_mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(biased), 52))};
}
static inline F64 scale(F64 x, F64 n) {
  const __m256i up = _mm256_slli_epi64(_mm256_cvtepi32_epi64(_mm256_cvtpd_epi32(n.v)), 52);
  return {_mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(x.v), up))};
}
static inline F64 inverse(F64 a) { return F64::set(1) / a; }
static inline double sum(F64 a) {
  const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}
static inline double max_lane(F64 a) {
  const __m128d s = _mm_max_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
  return _mm_cvtsd_f64(_mm_max_sd(s, _mm_unpackhi_pd(s, s)));
}
static inline double min_lane(F64 a) {
  const __m128d s = _mm_min_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
  return _mm_cvtsd_f64(_mm_min_sd(s, _mm_unpackhi_pd(s, s)));
}

struct U64 {
  static constexpr int lanes = 4;
  __m256i v;
  static U64 set(std::uint64_t x) { return {_mm256_set1_epi64x(static_cast<long long>(x))}; }
  static U64 count(std::uint64_t first) {
    return {_mm256_add_epi64(set(first).v, _mm256_setr_epi64x(0, 2, 1, 3))};
  }
};
static inline U64 low_product(U64 a, U64 b) { return {_mm256_mul_epu32(a.v, b.v)}; }
static inline U64 high(U64 a) { return {_mm256_srli_epi64(a.v, 32)}; }
static inline U64 xor3(U64 a, U64 b, U64 c) { return {_mm256_xor_si256(a.v, _mm256_xor_si256(b.v, c.v))}; }
static inline void store_words(std::uint32_t* p, U64 a, U64 b, U64 c, U64 d) {
  const __m256i ab = _mm256_blend_epi32(a.v, _mm256_slli_epi64(b.v, 32), 0xAA);
  const __m256i cd = _mm256_blend_epi32(c.v, _mm256_slli_epi64(d.v, 32), 0xAA);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_unpacklo_epi64(ab, cd));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), _mm256_unpackhi_epi64(ab, cd));
}

}  // namespace fastnn::cpu::avx2
