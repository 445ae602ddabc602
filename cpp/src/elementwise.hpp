#pragma once

// The elementwise functions as functors over a vector type V: `value`, and the derivative. Included by
// kernels only; every instruction set gets its own copies. Parameters come in p.a, p.b and p.c.
//
// Where a product of an infinity with a 0 would make a NaN of a limit that exists, x is clipped first, to
// where nothing changes any more.

#include <math.h>

#include "simd/math.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class V> struct Parameters {
  V a, b, c;

  template <class P> static Parameters of(const P& p) {
    using T = typename V::T;
    return {V::set(T(p.a)), V::set(T(p.b)), V::set(T(p.c))};
  }
};

template <class V> static inline V constant(double x) { return V::set(typename V::T(x)); }

/// x in [-limit, limit]; a NaN stays.
template <class V> static inline V clipped(V x, double limit) {
  return min(constant<V>(limit), max(constant<V>(-limit), x));
}

// ---- one argument: value(x, p), and slope(saved, p) from x or y as the table says -------------------

struct Negative {
  template <class V> static V value(V x, const Parameters<V>&) { return constant<V>(-1) * x; }
  template <class V> static V slope(V, const Parameters<V>&) { return constant<V>(-1); }
};

struct Absolute {
  template <class V> static V value(V x, const Parameters<V>&) { return abs(x); }
  template <class V> static V slope(V x, const Parameters<V>&) {
    return select(x == constant<V>(0), constant<V>(0), copysign(constant<V>(1), x));
  }
};

struct Square {
  template <class V> static V value(V x, const Parameters<V>&) { return x * x; }
  template <class V> static V slope(V x, const Parameters<V>&) { return x + x; }
};

struct Sqrt {
  template <class V> static V value(V x, const Parameters<V>&) { return sqrt(x); }
  template <class V> static V slope(V y, const Parameters<V>&) { return constant<V>(0.5) / y; }
};

struct Exp {
  template <class V> static V value(V x, const Parameters<V>&) { return exp(x); }
  template <class V> static V slope(V y, const Parameters<V>&) { return y; }
};

struct Log {
  template <class V> static V value(V x, const Parameters<V>&) { return log(x); }
  template <class V> static V slope(V x, const Parameters<V>&) { return constant<V>(1) / x; }
};

// The derivative at the bounds is 1. A NaN stays: min and max return their second argument then.
struct Clip {
  template <class V> static V value(V x, const Parameters<V>& p) { return min(p.b, max(p.a, x)); }
  template <class V> static V slope(V x, const Parameters<V>& p) {
    return select((x >= p.a) & (x <= p.b), constant<V>(1), constant<V>(0));
  }
};

struct Linear {
  template <class V> static V value(V x, const Parameters<V>&) { return x; }
  template <class V> static V slope(V, const Parameters<V>&) { return constant<V>(1); }
};

// The derivative at 0 is 0: the negative branch owns the kink. max returns its second argument, so a
// NaN stays.
struct Relu {
  template <class V> static V value(V x, const Parameters<V>&) { return max(constant<V>(0), x); }
  template <class V> static V slope(V y, const Parameters<V>&) {
    return select(y > constant<V>(0), constant<V>(1), constant<V>(0));
  }
};

struct LeakyRelu {
  template <class V> static V value(V x, const Parameters<V>& p) {
    return select(x > constant<V>(0), x, p.a * x);
  }
  template <class V> static V slope(V x, const Parameters<V>& p) {
    return select(x > constant<V>(0), constant<V>(1), p.a);
  }
};

struct Sigmoid {
  template <class V> static V value(V x, const Parameters<V>&) { return sigmoid(x); }
  template <class V> static V slope(V y, const Parameters<V>&) { return y * (constant<V>(1) - y); }
};

struct Tanh {
  template <class V> static V value(V x, const Parameters<V>&) { return tanh(x); }
  template <class V> static V slope(V y, const Parameters<V>&) { return constant<V>(1) - y * y; }
};

// ln(1 + e^x) as max(x, 0) + ln(1 + e^-|x|), which neither overflows nor cancels.
struct Softplus {
  template <class V> static V value(V x, const Parameters<V>&) {
    return max(constant<V>(0), x) + softplus_rest(x);
  }
  template <class V> static V slope(V x, const Parameters<V>&) { return sigmoid(x); }
};

// Hendrycks and Gimpel, 2016: x times the normal distribution function.
struct Gelu {
  template <class V> static V value(V x, const Parameters<V>&) {
    return max(constant<V>(-1000), x) * normal_cdf(x);
  }
  template <class V> static V slope(V x, const Parameters<V>&) {
    const V z = clipped(x, 1000),
            density = constant<V>(0.39894228040143268) * exp_below(constant<V>(-0.5) * z * z);
    return fma(z, density, normal_cdf(z));
  }
};

// The same paper's approximation: 0.5 x (1 + tanh(u)) = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
struct GeluTanh {
  template <class V> static V gate(V x) {
    return sigmoid(constant<V>(1.5957691216057308) * fma(constant<V>(0.044715) * x * x, x, x));
  }
  template <class V> static V value(V x, const Parameters<V>&) {
    return max(constant<V>(-1000), x) * gate(x);
  }
  template <class V> static V slope(V x, const Parameters<V>&) {
    const V z = clipped(x, 1000), s = gate(z), one = constant<V>(1);
    const V inner_slope = constant<V>(1.5957691216057308) * fma(constant<V>(3 * 0.044715) * z, z, one);
    return s * fma(z * (one - s), inner_slope, one);
  }
};

struct Expm1 {
  template <class V> static V value(V x, const Parameters<V>&) { return expm1(x); }
  template <class V> static V slope(V y, const Parameters<V>&) { return y + constant<V>(1); }
};

struct Log1p {
  template <class V> static V value(V x, const Parameters<V>&) { return log1p(x); }
  template <class V> static V slope(V x, const Parameters<V>&) {
    return constant<V>(1) / (constant<V>(1) + x);
  }
};

struct Sin {
  template <class V> static V value(V x, const Parameters<V>&) { return sin(x); }
  template <class V> static V slope(V x, const Parameters<V>&) { return cos(x); }
};

struct Cos {
  template <class V> static V value(V x, const Parameters<V>&) { return cos(x); }
  template <class V> static V slope(V x, const Parameters<V>&) { return constant<V>(-1) * sin(x); }
};

struct Erf {
  template <class V> static V value(V x, const Parameters<V>&) { return erf(x); }
  template <class V> static V slope(V x, const Parameters<V>&) {
    return constant<V>(1.1283791670955126) * exp_below(constant<V>(-1) * x * x);
  }
};

/// What is constant piece by piece: its derivative is 0 everywhere.
struct Step {
  template <class V> static V slope(V, const Parameters<V>&) { return constant<V>(0); }
};

struct Sign : Step {
  template <class V> static V value(V x, const Parameters<V>&) {
    return select(abs(x) > constant<V>(0), copysign(constant<V>(1), x), x + constant<V>(0));
  }
};

struct Floor : Step {
  template <class V> static V value(V x, const Parameters<V>&) {
    const V y = round(x);
    return select(y > x, y - constant<V>(1), y);
  }
};

struct Ceil : Step {
  template <class V> static V value(V x, const Parameters<V>&) {
    const V y = round(x);
    return copysign(select(y < x, y + constant<V>(1), y), x);
  }
};

struct Round : Step {
  template <class V> static V value(V x, const Parameters<V>&) { return copysign(round(x), x); }
};

// Lane by lane through the C library, as pow.
struct Arctan {
  static float arctan_one(float x) { return atanf(x); }
  static double arctan_one(double x) { return atan(x); }
  template <class V> static V value(V x, const Parameters<V>&) {
    typename V::T lane[V::lanes];
    x.store(lane);
    for (int i = 0; i < V::lanes; ++i) lane[i] = arctan_one(lane[i]);
    return V::load(lane);
  }
  template <class V> static V slope(V x, const Parameters<V>&) {
    return constant<V>(1) / fma(x, x, constant<V>(1));
  }
};

struct BinaryStep : Step {
  template <class V> static V value(V x, const Parameters<V>&) {
    return select(x >= constant<V>(0), constant<V>(1), select(x < constant<V>(0), constant<V>(0), x));
  }
};

// The flat and the negative branch own their kinks.
struct BoundedRelu {
  template <class V> static V value(V x, const Parameters<V>& p) {
    const V zero = constant<V>(0);
    const V below = select((p.a == zero) & (x == x), zero, p.a * (x - p.c));
    return select(x > p.c, min(p.b, x), below);
  }
  template <class V> static V slope(V x, const Parameters<V>& p) {
    return select(x > p.c, select(x < p.b, constant<V>(1), constant<V>(0)), p.a);
  }
};

// a (e^(b x) - 1) for x < 0, c x for x > 0: ELU (Clevert et al., 2015) and its kin. With a, b >= 0 the sign
// of y is that of x. The negative branch owns the kink, where the slope is a b.
struct Elu {
  template <class V> static V value(V x, const Parameters<V>& p) {
    return select(x > constant<V>(0), p.c * x, p.a * expm1(p.b * x));
  }
  template <class V> static V slope(V y, const Parameters<V>& p) {
    return select(y > constant<V>(0), p.c, p.b * (y + p.a));
  }
};

// -ln(1 + e^-x), as Softplus.
struct LogSigmoid {
  template <class V> static V value(V x, const Parameters<V>&) {
    return min(constant<V>(0), x) - softplus_rest(x);
  }
  template <class V> static V slope(V x, const Parameters<V>&) { return sigmoid(constant<V>(0) - x); }
};

// The flat branches own the kinks.
struct HardSigmoid {
  template <class V> static V value(V x, const Parameters<V>& p) {
    return min(constant<V>(1), max(constant<V>(0), fma(p.b, x, constant<V>(0.5))));
  }
  template <class V> static V slope(V x, const Parameters<V>& p) {
    return select(abs(x) < p.a, p.b, constant<V>(0));
  }
};

struct Silu {
  template <class V> static V value(V x, const Parameters<V>&) {
    return max(constant<V>(-1000), x) * sigmoid(x);
  }
  template <class V> static V slope(V x, const Parameters<V>&) {
    const V z = clipped(x, 1000), s = sigmoid(z);
    return s * fma(z, constant<V>(1) - s, constant<V>(1));
  }
};

// x min(max(x + 3, 0), 6) / 6 (Howard et al., 2019). The outer branches own the kinks.
struct HardSilu {
  template <class V> static V value(V x, const Parameters<V>&) {
    const V ramp = fma(constant<V>(1.0 / 6), x, constant<V>(0.5));
    return max(constant<V>(-3), x) * min(constant<V>(1), max(constant<V>(0), ramp));
  }
  template <class V> static V slope(V x, const Parameters<V>&) {
    const V three = constant<V>(3), inner = fma(constant<V>(1.0 / 3), x, constant<V>(0.5));
    const V outer = select(x >= three, constant<V>(1), constant<V>(0));
    return select(abs(x) < three, inner, outer);
  }
};

// x tanh(ln(1 + e^x)) = x n / (n + 2) with n = e^x (e^x + 2) (Misra, 2019): one exponential, one division.
struct Mish {
  template <class V> static V value(V x, const Parameters<V>&) {
    const V e = exp(min(constant<V>(20), x)), n = e * (e + constant<V>(2));
    return max(constant<V>(-1000), x) * (n / (n + constant<V>(2)));
  }
  template <class V> static V slope(V x, const Parameters<V>&) {
    const V z = min(constant<V>(20), max(constant<V>(-1000), x)), e = exp(z), two = constant<V>(2);
    const V n = e * (e + two), over = constant<V>(1) / (n + two);
    return over * fma(constant<V>(4) * z * over, fma(e, e, e), n);
  }
};

struct Softsign {
  template <class V> static V value(V x, const Parameters<V>&) {
    const V a = min(constant<V>(1e30), abs(x));
    return copysign(a / (constant<V>(1) + a), x);
  }
  template <class V> static V slope(V x, const Parameters<V>&) {
    const V over = constant<V>(1) / (constant<V>(1) + abs(x));
    return over * over;
  }
};

// x less what of it lies in [-a, a]: a NaN stays. The flat branch owns the kinks, here and below.
struct SoftShrink {
  template <class V> static V value(V x, const Parameters<V>& p) {
    return x - min(p.a, max(constant<V>(-1) * p.a, x));
  }
  template <class V> static V slope(V x, const Parameters<V>& p) {
    return select(abs(x) > p.a, constant<V>(1), constant<V>(0));
  }
};

struct HardShrink {
  template <class V> static V value(V x, const Parameters<V>& p) {
    return select(abs(x) <= p.a, constant<V>(0), x);
  }
  template <class V> static V slope(V x, const Parameters<V>& p) { return SoftShrink::slope(x, p); }
};

// x - tanh(x), which is good to the last bits near 0, too.
struct TanhShrink {
  template <class V> static V value(V x, const Parameters<V>&) { return x_minus_tanh(x); }
  template <class V> static V slope(V x, const Parameters<V>&) {
    const V t = tanh(x);
    return t * t;
  }
};

struct Threshold {
  template <class V> static V value(V x, const Parameters<V>& p) { return select(x <= p.a, p.b, x); }
  template <class V> static V slope(V x, const Parameters<V>& p) {
    return select(x > p.a, constant<V>(1), constant<V>(0));
  }
};

// (x + s) / 2 with s = sqrt(x^2 + b) (Barron, 2021), written for x < 0 so that nothing cancels. The slope is
// y / s. x^2 overflows where b does not count any more.
struct Squareplus {
  template <class V> static V root(V x, V b) {
    const V a = abs(x);
    return select(a > constant<V>(1e15), a, sqrt(fma(x, x, b)));
  }
  template <class V> static V from_root(V x, V s, V b) {
    const V half = constant<V>(0.5), zero = constant<V>(0);
    return select(x < zero, half * b / (s - x), fma(half, x, half * s));
  }
  template <class V> static V value(V x, const Parameters<V>& p) { return from_root(x, root(x, p.a), p.a); }
  template <class V> static V slope(V x, const Parameters<V>& p) {
    const V z = clipped(x, 1e16), s = root(z, p.a);
    return select(s == constant<V>(0), s, from_root(z, s, p.a) / s);
  }
};

// 0 below -1, ((x + 1) / 2)^2 to 1, x above: its slope has no jump.
struct SparsePlus {
  template <class V> static V ramp(V x) {
    return min(constant<V>(1), max(constant<V>(0), fma(constant<V>(0.5), x, constant<V>(0.5))));
  }
  template <class V> static V value(V x, const Parameters<V>&) {
    const V r = ramp(x);
    return select(x > constant<V>(1), x, r * r);
  }
  template <class V> static V slope(V x, const Parameters<V>&) { return ramp(x); }
};

// ---- two arguments: value(a, b), and the factors of dy in da and db ---------------------------------

struct Add {
  template <class V> static V value(V a, V b) { return a + b; }
  template <class V> static V slope_a(V, V) { return constant<V>(1); }
  template <class V> static V slope_b(V, V) { return constant<V>(1); }
};

struct Subtract {
  template <class V> static V value(V a, V b) { return a - b; }
  template <class V> static V slope_a(V, V) { return constant<V>(1); }
  template <class V> static V slope_b(V, V) { return constant<V>(-1); }
};

struct Multiply {
  template <class V> static V value(V a, V b) { return a * b; }
  template <class V> static V slope_a(V, V b) { return b; }
  template <class V> static V slope_b(V a, V) { return a; }
};

struct Divide {
  template <class V> static V value(V a, V b) { return a / b; }
  template <class V> static V slope_a(V, V b) { return constant<V>(1) / b; }
  template <class V> static V slope_b(V a, V b) { return constant<V>(-1) * (a / b) / b; }
};

// Lane by lane through the C library: pow is rare in networks and hard to do well.
struct Power {
  static float pow_one(float a, float b) { return powf(a, b); }
  static double pow_one(double a, double b) { return pow(a, b); }
  template <class V> static V value(V a, V b) {
    typename V::T x[V::lanes], y[V::lanes];
    a.store(x);
    b.store(y);
    for (int i = 0; i < V::lanes; ++i) x[i] = pow_one(x[i], y[i]);
    return V::load(x);
  }
  template <class V> static V slope_a(V a, V b) {
    const V zero = constant<V>(0);
    return select(b == zero, zero, b * value(a, b - constant<V>(1)));
  }
  // The limit for a -> 0 is 0, where log(a) alone would make it NaN.
  template <class V> static V slope_b(V a, V b) {
    const V zero = constant<V>(0);
    return select((a == zero) & (b >= zero), zero, value(a, b) * log(a));
  }
};

// A NaN in either argument stays. Where both are equal the gradient is shared.
struct Maximum {
  template <class V> static V value(V a, V b) { return select(a != a, a, max(a, b)); }
  template <class V> static V slope_a(V a, V b) {
    return select(a > b, constant<V>(1), select(a == b, constant<V>(0.5), constant<V>(0)));
  }
  template <class V> static V slope_b(V a, V b) { return slope_a(b, a); }
};

struct Minimum {
  template <class V> static V value(V a, V b) { return select(a != a, a, min(a, b)); }
  template <class V> static V slope_a(V a, V b) {
    return select(a < b, constant<V>(1), select(a == b, constant<V>(0.5), constant<V>(0)));
  }
  template <class V> static V slope_b(V a, V b) { return slope_a(b, a); }
};

// x where x > 0, a x elsewhere (He et al., 2015), which owns the kink.
struct Prelu {
  template <class V> static V value(V x, V a) { return select(x > constant<V>(0), x, a * x); }
  template <class V> static V slope_a(V x, V a) { return select(x > constant<V>(0), constant<V>(1), a); }
  template <class V> static V slope_b(V x, V) { return select(x > constant<V>(0), constant<V>(0), x); }
};

// ---- comparisons ----------------------------------------------------------------------------------

struct Equal {
  template <class V> static typename V::Mask value(V a, V b) { return a == b; }
};
struct NotEqual {
  template <class V> static typename V::Mask value(V a, V b) { return a != b; }
};
struct Less {
  template <class V> static typename V::Mask value(V a, V b) { return a < b; }
};
struct LessEqual {
  template <class V> static typename V::Mask value(V a, V b) { return a <= b; }
};
struct Greater {
  template <class V> static typename V::Mask value(V a, V b) { return a > b; }
};
struct GreaterEqual {
  template <class V> static typename V::Mask value(V a, V b) { return a >= b; }
};

}  // namespace fastnn::cpu::FASTNN_ISA
