#pragma once

// Elementary functions once, in terms of the vector types, for float and double on every instruction set:
//
//   exp  expm1  log  log1p  tanh  sigmoid(x) = 1 / (1 + e^-x)  erf  sin  cos
//
// All are within 2 ulp of the exact value; tests/cpp/test_math.cpp measures it, docs/numerics.md has the
// table. Kernels flush denormals: such an argument counts as 0 and such a result may be 0. NaN gives NaN,
// infinities, signed zeros and overflow are those of the C library.
//
// The polynomials come from scripts/math_coefficients.py, constant term first. There are no tables (a gather
// costs more than the polynomial it shortens; two registers of AVX-512 are one for tanh), no branches, and no
// call, but for arguments of sin and cos beyond sine_max, which the C library gets. Every bound also holds
// where fma() rounds twice: products that must be exact have a factor with trailing zeros or a power of two.

#include <math.h>

#include "simd/simd.hpp"
#if defined(FASTNN_ISA_avx512)
#include "simd/tanh_table.hpp"
#endif

namespace fastnn::cpu::FASTNN_ISA {

template <class T> struct MathConstants;

template <> struct MathConstants<float> {
  static constexpr float nearest = 12582912.0f;  // 1.5 * 2^23
  static constexpr float smallest = 0x1p-126f;
  static constexpr float epsilon = 0x1p-25f;
  static constexpr float log2_e = 1.442695f;
  // n * ln2_head is exact for every exponent n.
  static constexpr float ln2_head = 0.69314575f;
  static constexpr float ln2_rest = 1.4286068e-06f;
  // e^x is normal and finite in [exp_min, exp_max], to the last bit.
  static constexpr float exp_min = -87.33654f;
  static constexpr float exp_max = 88.72283f;
  static constexpr float expm1_min = -18;    // below it -1
  static constexpr float sigmoid_min = -88;  // below it 0
  static constexpr float tanh_max = 10;      // above it 1
  static constexpr float erf_max = 4;        // above it 1
  // pi / 2 in parts of 12 bits: n times one of the first three is exact for |n| < 2^12.
  static constexpr float half_pi[] = {1.5703125f, 0.0004837513f, 7.5495336e-08f, 2.563344e-12f};
  static constexpr float sine_max = 6000;
  static constexpr float exp[] = {0.5f, 0.1666654f, 0.041666478f, 0.008366838f, 0.001393371f};
  static constexpr float log[] = {0.3333331f,   -0.25000015f, 0.20002227f,  -0.16667727f, 0.14217563f,
                                  -0.12409747f, 0.11905413f,  -0.11655146f, 0.06684156f};
  static constexpr float tanh[] = {-0.33333316f, 0.13332558f, -0.05384987f, 0.021063065f, -0.0062634824f};
  static constexpr float erf[] = {0.12837917f,   -0.37612626f,   0.112835824f, -0.026853643f,
                                  0.0051879627f, -0.0008006793f, 7.842288e-05f};
  static constexpr float erf_tail[] = {0.99981225f,     -0.28072515f,  -0.123759605f,  0.023635607f,
                                       0.0088520525f,   0.006627283f,  -0.0062224185f, 0.0017654372f,
                                       -0.00022744694f, 1.1510485e-05f};
  static constexpr float normal[] = {0.1401494f,      -0.0045972466f, -0.00913406f,
                                     -0.0007421603f,  0.0005000615f,  8.578446e-05f,
                                     -4.1431693e-05f, 4.2134525e-06f, -8.853367e-08f};
  static constexpr float sin[] = {-0.16666654f, 0.00833212f, -0.00019510802f};
  static constexpr float cos[] = {0.041666646f, -0.001388731f, 2.4432338e-05f};
};

template <> struct MathConstants<double> {
  static constexpr double nearest = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double smallest = 0x1p-1022;
  static constexpr double epsilon = 0x1p-54;
  static constexpr double log2_e = 1.4426950408889634;
  static constexpr double ln2_head = 0.6931471805598903;
  static constexpr double ln2_rest = 5.497923018708371e-14;
  static constexpr double exp_min = -708.3964185322641;
  static constexpr double exp_max = 709.782712893384;
  static constexpr double expm1_min = -40;
  static constexpr double sigmoid_min = -709;
  static constexpr double tanh_max = 20;
  static constexpr double erf_max = 6;
  // In parts of 33 bits, for |n| < 2^20.
  static constexpr double half_pi[] = {1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21,
                                       8.4784276603689e-32};
  static constexpr double sine_max = 1e6;
  static constexpr double exp[] = {0.5,
                                   0.16666666666666677,
                                   0.04166666666666668,
                                   0.008333333333321428,
                                   0.0013888888888877432,
                                   0.00019841269886631242,
                                   2.4801587340668924e-05,
                                   2.7557243702649166e-06,
                                   2.755725914106419e-07,
                                   2.510921428216453e-08,
                                   2.0919526883209687e-09};
  static constexpr double log[] = {0.6666666666666736,  0.39999999999405483, 0.28571428744061894,
                                   0.22222198426151224, 0.18183571057432849, 0.15313895728652202,
                                   0.1479736350587642};
  static constexpr double tanh[] = {-0.333333333333333,    0.1333333333332661,     -0.05396825396376355,
                                    0.0218694883860839,    -0.008863232606640285,  0.0035920920925950122,
                                    -0.001455543287971718, 0.0005884464250902402,  -0.0002333867116736725,
                                    8.332403889106473e-05, -1.9499467221367055e-05};
  static constexpr double erf[] = {0.1283791670955126,     -0.37612638903183876,    0.11283791670958743,
                                   -0.02686617064561954,   0.005223977629095658,    -0.0008548327189606624,
                                   0.00012055337777810952, -1.4925738504204218e-05, 1.646308709483387e-06,
                                   -1.637063829093387e-07, 1.4786548418167036e-08,  -1.1830590465705277e-09,
                                   6.684830822627492e-11};
  static constexpr double erf_tail[] = {
      -7.53288853517426e-06, 0.5645941706768933, 1.1183548703527129, 2.126262290701699,  1.2617376612542412,
      14.169115322314441,    -62.41177545419399, 240.4314641561507,  -731.1630117255376, 1447.5727260908216,
      -1821.134673754633,    1418.3787330779762, -622.1112442953845, 115.42675901191456};
  static constexpr double sin[] = {-0.1666666666666663,   0.008333333333321888,   -0.0001984126982941891,
                                   2.755731356505335e-06, -2.505073921556132e-08, 1.5895744543462727e-10};
  static constexpr double cos[] = {0.04166666666666659,    -0.0013888888888872318, 2.4801587288437122e-05,
                                   -2.755731406911518e-07, 2.0875686841899258e-09, -1.1357850815217086e-11};
};

template <class V> using MathOf = MathConstants<typename V::T>;

/// c[0] + c[1] x + c[2] x^2 + ... by Horner's rule: vectors next to each other hide its latency.
template <class V, int n> static inline V polynomial(V x, const typename V::T (&c)[n]) {
  V y = V::set(c[n - 1]);
  for (int i = n - 2; i >= 0; --i) y = fma(y, x, V::set(c[i]));
  return y;
}

/// e^x = 2^n (1 + r + rest), n integral, |r| <= ln(2) / 2. Needs |x| < 2^20.
template <class V> struct ExpParts {
  V n, r, rest;

  explicit ExpParts(V x) {
    using M = MathOf<V>;
    const V shift = V::set(M::nearest);
    n = fma(x, V::set(M::log2_e), shift) - shift;
    r = fnma(n, V::set(M::ln2_rest), fnma(n, V::set(M::ln2_head), x));
    rest = r * r * polynomial(r, M::exp);
  }
};

/// e^x = s (1 + f) with s = 2^n, |f| < 0.42, for n in the normal range. s times f is exact.
template <class V> struct ExpFactors {
  V s, f;

  explicit ExpFactors(V x) {
    const ExpParts<V> e(x);
    s = pow2(e.n);
    f = e.r + e.rest;
  }
};

/// e^x for x in [exp_min, exp_max] or NaN.
template <class V> static inline V exp_in_range(V x) {
  const ExpParts<V> e(x);
  return scale(V::set(1) + (e.r + e.rest), e.n);
}

/// e^x for x <= exp_max or NaN.
template <class V> static inline V exp_below(V x) {
  return select(x < V::set(MathOf<V>::exp_min), V::set(0), exp_in_range(x));
}

template <class V> static inline V exp_of(V x) {
  return select(x > V::set(MathOf<V>::exp_max), V::set(typename V::T(__builtin_inf())), exp_below(x));
}

// e^x - 1 = 2 ((s - 1/2) + s r + s rest) with s = 2^(n - 1), which is finite for every n that occurs.
template <class V> static inline V expm1_of(V x) {
  using M = MathOf<V>;
  const ExpParts<V> e(max(V::set(M::expm1_min), x));
  const V half = V::set(typename V::T(0.5));
  const V s = pow2(e.n - V::set(1));
  const V y = fma(s, e.rest, fma(s, e.r, s - half));
  const V all = select(x > V::set(M::exp_max), V::set(typename V::T(__builtin_inf())), y + y);
  return select(abs(x) < V::set(M::epsilon), x, all);  // keeps -0 and what s r would flush
}

/// x = 2^e m with m in [1/sqrt(2), sqrt(2)], for normal x > 0.
template <class V> struct LogParts {
  V e, m;

  explicit LogParts(V x) {
    const V half = V::set(typename V::T(0.5));
    e = exponent(x);
    m = mantissa(x);
    const auto upper = m > V::set(typename V::T(1.4142135623730951));
    e = select(upper, e + V::set(1), e);
    m = select(upper, m * half, m);
  }
};

/// log(1 + f) - f for 1 + f in [1/sqrt(2), sqrt(2)].
static inline F32 log_rest(F32 f) {
  return f * f * fma(f, polynomial(f, MathConstants<float>::log), F32::set(-0.5f));
}
// With s = f / (2 + f): log(1 + f) = 2 atanh(s) = f - s (f - s^2 P(s^2)). A polynomial in f itself would
// need three times as many terms in double, which costs more than the division.
static inline F64 log_rest(F64 f) {
  const F64 s = f / (F64::set(2) + f);
  const F64 z = s * s;
  return s * fma(z, polynomial(z, MathConstants<double>::log), F64::set(0) - f);
}

/// log(2^e (1 + f)) for x > 0 finite; what log does elsewhere, for the argument x.
template <class V> static inline V log_finish(V x, V e, V f) {
  using M = MathOf<V>;
  using T = typename V::T;
  const V head = V::set(M::ln2_head), rest = V::set(M::ln2_rest);
  const V y = fma(e, head, f + fma(e, rest, log_rest(f)));
  const V inf = V::set(T(__builtin_inf()));
  const V special = select(x == V::set(0), V::set(0) - inf, V::set(T(__builtin_nan(""))));
  return select(x == inf, x, select(x > V::set(0), y, special));
}

template <class V> static inline V log_of(V x) {
  const LogParts<V> parts(x);
  return log_finish(x, parts.e, parts.m - V::set(1));
}

// u = 1 + x rounds; what it loses, x - (u - 1), is exact below 2^24 and too small to matter above.
template <class V> static inline V log1p_of(V x) {
  const V one = V::set(1);
  const V u = one + x;
  const V lost = x - (u - one);
  const LogParts<V> parts(u);
  const V unscale = pow2(max(V::set(-64), V::set(0) - parts.e));
  const V f = fma(lost, unscale, parts.m - one);
  return copysign(log_finish(u, parts.e, f), x);
}

/// ln(1 + e^-|x|), what softplus adds to max(x, 0): the argument of the logarithm lies in (1, 2], so that
/// half of what log1p does falls away.
template <class V> static inline V softplus_rest(V x) {
  using M = MathOf<V>;
  using T = typename V::T;
  const V one = V::set(1), zero = V::set(0), e = exp_below(zero - abs(x));
  const auto upper = e > V::set(T(0.41421356237309505));  // then 1 + e = 2 (1 + f)
  const V f = select(upper, (e - one) * V::set(T(0.5)), e);
  const V head = select(upper, V::set(M::ln2_head), zero), rest = select(upper, V::set(M::ln2_rest), zero);
  return head + (f + (rest + log_rest(f)));
}

// Below 0.55 an odd polynomial, above it 1 - 2 / (e^(2|x|) + 1), where the fraction is at most 1/2 and its
// error counts half. (e - 1) / (e + 1) for all x would be as fast, but is off by 2.7 ulp.
template <class V> static inline V tanh_of(V x) {
  using M = MathOf<V>;
  const V one = V::set(1), a = abs(x), z = x * x;
  const V small = fma(a * z, polynomial(z, M::tanh), a);
  const V b = min(V::set(M::tanh_max), a);
  const ExpFactors<V> e(b + b);
  const V large = fnma(V::set(2), inverse(fma(e.s, e.f, e.s + one)), one);
  return copysign(select(a >= V::set(typename V::T(0.55)), large, small), x);
}

// x - tanh(x), below 0.55 by the polynomial of the difference: nothing cancels.
template <class V> static inline V x_minus_tanh(V x) {
  using M = MathOf<V>;
  const V a = abs(x), z = x * x;
  const V small = x * (V::set(0) - z * polynomial(z, M::tanh));
  return select(a >= V::set(typename V::T(0.55)), x - tanh_of(x), small);
}

// 1 / (1 + s + s f) with e^-x = s (1 + f). What 1 + s loses, where they are 2^24 or 2^53 apart, goes to s f,
// which is exact otherwise: the denominator is rounded once, or the error exceeds 2 ulp near -17 and -37.
template <class V> static inline V sigmoid_of(V x) {
  const V one = V::set(1), zero = V::set(0);
  const ExpFactors<V> e(max(V::set(-40), zero - x));
  const V base = one + e.s, lost = one - (base - e.s);
  const V y = inverse(base + fma(e.s, e.f, lost));
  return select(x < V::set(MathOf<V>::sigmoid_min), zero, y);
}

/// 1 - erf(a) for a in [1, erf_max]: the fourth power of a polynomial, half the terms of a polynomial alone.
static inline F32 erf_tail(F32 a) {
  const F32 p = polynomial(a, MathConstants<float>::erf_tail);
  const F32 square = p * p;
  return square * square;
}
static inline F64 erf_tail(F64 a) {
  const F64 t = F64::set(1) / (a + F64::set(2));
  return exp_in_range(F64::set(0) - a * a) * polynomial(t, MathConstants<double>::erf_tail);
}

// Below 1 an odd polynomial, b + b P(b^2), above it 1 - erf_tail. b is scaled so that no product is flushed
// where the result is normal.
template <class V> static inline V erf_of(V x) {
  using M = MathOf<V>;
  using T = typename V::T;
  const V a = abs(x), one = V::set(1);
  const V b = min(V::set(M::erf_max), a), scaled = b * V::set(T(0x1p8));
  const V small = fma(scaled, polynomial(b * b, M::erf), scaled) * V::set(T(0x1p-8));
  return copysign(select(b >= one, one - erf_tail(b), small), x);
}

// sin(x + quarter pi / 2), with x = n pi / 2 + r + rest, n integral, |r| <= pi / 4 (Cody and Waite): what
// cancels is exact and what rounding takes goes to the rest, so that the sum is right next to every multiple
// of pi / 2, too.
template <class V> static inline V sine_in_range(V x, double quarter) {
  using M = MathOf<V>;
  using T = typename V::T;
  const V one = V::set(1);
  const V n = round(x * V::set(T(0.63661977236758134)));
  const V p1 = V::set(M::half_pi[1]), p2 = V::set(M::half_pi[2]), p3 = V::set(M::half_pi[3]);
  const V far = fnma(n, V::set(M::half_pi[0]), x);
  const V near = fnma(n, p1, far), r = fnma(n, p2, near);
  const V rest = fnma(n, p3, fnma(n, p1, far - near) + fnma(n, p2, near - r));
  const V z = r * r;
  const V sine = r + fma(r * z, polynomial(z, M::sin), rest);
  const V cosine = fnma(z, V::set(T(0.5)), one) + fnma(r, rest, z * z * polynomial(z, M::cos));
  const V turns = n + V::set(T(quarter));
  const V k =
      fnma(round(turns * V::set(T(0.25))), V::set(4), turns);  // of -2 to 2: quarters past a full turn
  const V y = select(abs(k) == one, cosine, sine);
  return select((k == V::set(-1)) | (abs(k) > one), V::set(-1) * y, y);
}

static inline float sine_one(float x, double quarter) { return quarter == 0 ? sinf(x) : cosf(x); }
static inline double sine_one(double x, double quarter) { return quarter == 0 ? ::sin(x) : ::cos(x); }

template <class V> static inline V sine_of(V x, double quarter) {
  const auto far = abs(x) > V::set(MathOf<V>::sine_max);
  V y = sine_in_range(x, quarter);
  if (quarter == 0) y = select(x == V::set(0), x, y);  // keeps -0
  if (any(far)) {
    typename V::T from[V::lanes], to[V::lanes];
    x.store(from);
    y.store(to);
    for (int i = 0; i < V::lanes; ++i)
      if (bits(far) >> i & 1u) to[i] = sine_one(from[i], quarter);
    y = V::load(to);
  }
  return y;
}

/// P(X <= x) for a standard normal X, to 2e-7 in float and 1e-16 in double: what gelu needs.
///
/// In float one polynomial for all x, where erf has two: P(X > a) is the fourth power of (6 - a) times it.
static inline F32 normal_cdf(F32 x) {
  const F32 six = F32::set(6), a = min(six, abs(x));
  const F32 root = (six - a) * polynomial(a, MathConstants<float>::normal), square = root * root;
  const F32 tail = square * square;
  return select(x < F32::set(0), tail, F32::set(1) - tail);
}
static inline F64 normal_cdf(F64 x) {
  const F64 half = F64::set(0.5);
  return fma(half, erf_of(x * F64::set(0.70710678118654752)), half);
}

static inline F32 exp(F32 x) { return exp_of(x); }
static inline F64 exp(F64 x) { return exp_of(x); }
static inline F32 expm1(F32 x) { return expm1_of(x); }
static inline F64 expm1(F64 x) { return expm1_of(x); }
static inline F32 log(F32 x) { return log_of(x); }
static inline F64 log(F64 x) { return log_of(x); }
static inline F32 log1p(F32 x) { return log1p_of(x); }
static inline F64 log1p(F64 x) { return log1p_of(x); }
#if defined(FASTNN_ISA_avx512)
static inline F32 tanh(F32 x) { return tanh_by_table(x); }
#else
static inline F32 tanh(F32 x) { return tanh_of(x); }
#endif
static inline F64 tanh(F64 x) { return tanh_of(x); }
static inline F32 sigmoid(F32 x) { return sigmoid_of(x); }
static inline F64 sigmoid(F64 x) { return sigmoid_of(x); }
static inline F32 erf(F32 x) { return erf_of(x); }
static inline F64 erf(F64 x) { return erf_of(x); }
static inline F32 sin(F32 x) { return sine_of(x, 0); }
static inline F64 sin(F64 x) { return sine_of(x, 0); }
static inline F32 cos(F32 x) { return sine_of(x, 1); }
static inline F64 cos(F64 x) { return sine_of(x, 1); }

}  // namespace fastnn::cpu::FASTNN_ISA
