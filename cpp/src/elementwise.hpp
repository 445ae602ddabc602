#pragma once

// The elementwise functions as functors over a vector type V: `value`, and the derivative. Included by
// kernels only; every instruction set gets its own copies. Parameters come in p.a and p.b.

#include <math.h>

#include "simd/math.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class V> struct Parameters { V a, b; };

template <class V> static inline V constant(double x) { return V::set(typename V::T(x)); }

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
    return max(constant<V>(0), x) + log1p(exp(constant<V>(0) - abs(x)));
  }
  template <class V> static V slope(V x, const Parameters<V>&) { return sigmoid(x); }
};

// Hendrycks and Gimpel, 2016: x times the normal distribution function.
struct Gelu {
  template <class V> static V cdf(V x) {
    return constant<V>(0.5) * (constant<V>(1) + erf(x * constant<V>(0.70710678118654752)));
  }
  template <class V> static V value(V x, const Parameters<V>&) { return x * cdf(x); }
  template <class V> static V slope(V x, const Parameters<V>&) {
    const V density = constant<V>(0.39894228040143268) * exp(constant<V>(-0.5) * x * x);
    return fma(x, density, cdf(x));
  }
};

// The same paper's approximation: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
struct GeluTanh {
  template <class V> static V inner_tanh(V x) {
    return tanh(constant<V>(0.79788456080286536) * fma(constant<V>(0.044715) * x * x, x, x));
  }
  template <class V> static V value(V x, const Parameters<V>&) {
    return constant<V>(0.5) * x * (constant<V>(1) + inner_tanh(x));
  }
  template <class V> static V slope(V x, const Parameters<V>&) {
    const V t = inner_tanh(x), one = constant<V>(1), half = constant<V>(0.5);
    const V inner_slope = constant<V>(0.79788456080286536) * fma(constant<V>(3 * 0.044715) * x, x, one);
    return fma(half * x * (one - t * t), inner_slope, half * (one + t));
  }
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
