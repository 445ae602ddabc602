#pragma once

// The transforms of Winograd's algorithm (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks,
// 2016, section 4): a tile of results from fewer products than there are taps for it,
//
//     y = A^T [(G g G^T) * (B^T d B)] A,
//
// where d is a patch of pixels, g the kernel, * the product element by element, which sums over channels.
//
//     results    taps              products    in place of
//     4 x 4      3 x 3                   36            144
//     3 x 3      4 x 4                   36            144
//     2 x 2      5 x 5                   36            100
//     2 x 2      3 x 3, stride 2         25             36
//     4 x 4      its input gradient      25             36
//     2 x 2      2 x 2                    9             16
//
// Vectors hold neighbouring channels, so no lanes ever change places.
//
// The gradient with respect to the kernel is the same three transforms turned round: dg = G^T [(B^T d B) * (A
// dy A^T)] G, where * sums over tiles.

#include "conv_kernels.hpp"
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class V> static inline V number(double x) { return V::set(typename V::T(x)); }

/// F(R x R, K x K) with R + K = 7, by the values at 0, 1, -1, 2, -2 and infinity of polynomials with results,
/// pixels and taps as coefficients.
template <int R, int K> struct SixPoints {
  static constexpr WinogradForm kForm = six_points(R, K);
  using Patch = SixPoints<4, 3>;  // whose pixels are transformed in the same way

  /// o = B^T d
  template <class V> static inline void input(const V (&d)[6], V (&o)[6]) {
    const V four = number<V>(4), five = number<V>(5), two = number<V>(2);
    o[0] = fma(four, d[0], fnma(five, d[2], d[4]));
    const V a = fnma(four, d[2], d[4]), b = fnma(four, d[1], d[3]);
    o[1] = a + b;
    o[2] = a - b;
    const V p = d[4] - d[2], q = two * (d[3] - d[1]);
    o[3] = p + q;
    o[4] = p - q;
    o[5] = fma(four, d[1], fnma(five, d[3], d[5]));
  }

  /// o = G g
  template <class V> static inline void weights(const V (&g)[K], V (&o)[6]) {
    const V minus = number<V>(-1.0 / 6), scale = number<V>(1.0 / 24);
    const V even = minus * terms<0, 1>(g), odd = minus * terms<1, 1>(g);
    o[0] = number<V>(0.25) * g[0];
    o[1] = even + odd;
    o[2] = even - odd;
    const V outer = scale * terms<0, 4>(g), inner = scale * (number<V>(2) * terms<1, 4>(g));
    o[3] = outer + inner;
    o[4] = outer - inner;
    o[5] = g[K - 1];
  }

  /// o = A^T m
  template <class V> static inline void output(const V (&m)[6], V (&o)[R]) {
    const V s = m[1] + m[2], d = m[1] - m[2], p = m[3] + m[4], q = m[3] - m[4];
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) {
      o[i] = i % 2 ? d : s;
      if (i == 0) o[i] = m[0] + o[i];
      if (i == R - 1) o[i] = o[i] + m[5];
      o[i] = fma(number<V>(1 << i), i % 2 ? q : p, o[i]);
    }
  }

  /// o = A y
  template <class V> static inline void spread(const V (&y)[R], V (&o)[6]) {
    const V even = terms<0, 1>(y), odd = terms<1, 1>(y);
    o[0] = y[0];
    o[1] = even + odd;
    o[2] = even - odd;
    const V p = terms<0, 4>(y), q = number<V>(2) * terms<1, 4>(y);
    o[3] = p + q;
    o[4] = p - q;
    o[5] = y[R - 1];
  }

  /// o = G^T m
  template <class V> static inline void taps(const V (&m)[6], V (&o)[K]) {
    const V sixth = number<V>(1.0 / 6), s = m[1] + m[2], d = m[1] - m[2], p = m[3] + m[4], q = m[3] - m[4];
#pragma GCC unroll 5
    for (int i = 0; i < K; ++i) {
      o[i] = fnma(sixth, i % 2 ? d : s, number<V>((1 << i) / 24.0) * (i % 2 ? q : p));
      if (i == 0) o[i] = fma(number<V>(0.25), m[0], o[i]);
      if (i == K - 1) o[i] = o[i] + m[5];
    }
  }

 private:
  /// The sum of g[first], step g[first + 2], step^2 g[first + 4] ...
  template <int first, int step, class V, int n> static inline V terms(const V (&g)[n]) {
    if constexpr (first + 2 < n) {
      const V rest = terms<first + 2, step>(g);
      return step == 1 ? g[first] + rest : fma(number<V>(step), rest, g[first]);
    } else {
      return g[first];
    }
  }
};

/// Windows of 3 with stride 2: F(2, 2) for the taps beside the middle, which read every other pixel, and the
/// middle one by itself, 5 products for 6.
struct StrideTwo {
  static constexpr WinogradForm kForm = kWinogradStrideTwo;
  using Patch = StrideTwo;

  template <class V> static inline void input(const V (&d)[5], V (&o)[5]) {
    o[0] = d[0] - d[2], o[1] = d[2], o[2] = d[4] - d[2], o[3] = d[1], o[4] = d[3];
  }
  template <class V> static inline void weights(const V (&g)[3], V (&o)[4]) {
    o[0] = g[0], o[1] = g[0] + g[2], o[2] = g[2], o[3] = g[1];
  }
  template <class V> static inline void output(const V (&m)[5], V (&o)[2]) {
    o[0] = (m[0] + m[1]) + m[3], o[1] = (m[1] + m[2]) + m[4];
  }
  template <class V> static inline void spread(const V (&y)[2], V (&o)[5]) {
    o[0] = y[0], o[1] = y[0] + y[1], o[2] = y[1], o[3] = y[0], o[4] = y[1];
  }
  template <class V> static inline void taps(const V (&m)[4], V (&o)[3]) {
    o[0] = m[0] + m[1], o[1] = m[3], o[2] = m[1] + m[2];
  }
};

/// The input gradient of these: pixel 2 t has the middle tap alone, pixel 2 t + 1 the others, from d[t] and
/// d[t + 1]: F(2, 2) for two such.
struct StrideTwoGradient {
  static constexpr WinogradForm kForm = kWinogradStrideTwoGradient;

  template <class V> static inline void input(const V (&d)[3], V (&o)[5]) {
    o[0] = d[0] - d[1], o[1] = d[1], o[2] = d[2] - d[1], o[3] = d[0], o[4] = d[1];
  }
  template <class V> static inline void output(const V (&m)[5], V (&o)[4]) {
    o[0] = m[3], o[1] = m[0] + m[1], o[2] = m[4], o[3] = m[1] + m[2];
  }
};

/// F(2, 2).
struct ThreePoints {
  static constexpr WinogradForm kForm = kWinogradThreePoints;
  using Patch = ThreePoints;

  template <class V> static inline void input(const V (&d)[3], V (&o)[3]) {
    o[0] = d[0] - d[1], o[1] = d[1], o[2] = d[2] - d[1];
  }
  template <class V> static inline void weights(const V (&g)[2], V (&o)[3]) {
    o[0] = g[0], o[1] = g[0] + g[1], o[2] = g[1];
  }
  template <class V> static inline void output(const V (&m)[3], V (&o)[2]) {
    o[0] = m[0] + m[1], o[1] = m[1] + m[2];
  }
  template <class V> static inline void spread(const V (&y)[2], V (&o)[3]) {
    o[0] = y[0], o[1] = y[0] + y[1], o[2] = y[1];
  }
  template <class V> static inline void taps(const V (&m)[3], V (&o)[2]) {
    o[0] = m[0] + m[1], o[1] = m[1] + m[2];
  }
};

/// v[points i + j] (v_step apart) = element (i, j) of B^T x B for a patch of x.
template <class Form, class T>
static void winograd_patch(const T* x, Index x_row, Index x_pixel, T* v, Index v_step, Index channels) {
  using V = Vec<T>;
  constexpr int kSide = Form::kForm.side, kPoints = Form::kForm.points;
  row_each<T>(channels, [&](auto at) {
    V half[kPoints][kSide];
#pragma GCC unroll 6
    for (int j = 0; j < kSide; ++j) {
      V d[kSide], o[kPoints];
#pragma GCC unroll 6
      for (int i = 0; i < kSide; ++i) d[i] = at.load(x + i * x_row + j * x_pixel);
      Form::input(d, o);
#pragma GCC unroll 6
      for (int i = 0; i < kPoints; ++i) half[i][j] = o[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < kPoints; ++i) {
      V o[kPoints];
      Form::input(half[i], o);
#pragma GCC unroll 6
      for (int j = 0; j < kPoints; ++j) at.store(v + (kPoints * i + j) * v_step, o[j]);
    }
  });
}

/// v[points i + j] (v_step apart) = element (i, j) of A y A^T for the gradients of a tile of y.
template <class Form, class T>
static void winograd_gradients(const T* y, Index y_row, Index y_pixel, T* v, Index v_step, Index channels) {
  using V = Vec<T>;
  constexpr int kResults = Form::kForm.results, kPoints = Form::kForm.points;
  row_each<T>(channels, [&](auto at) {
    V half[kPoints][kResults];
#pragma GCC unroll 4
    for (int j = 0; j < kResults; ++j) {
      V column[kResults], o[kPoints];
#pragma GCC unroll 4
      for (int i = 0; i < kResults; ++i) column[i] = at.load(y + i * y_row + j * y_pixel);
      Form::spread(column, o);
#pragma GCC unroll 6
      for (int i = 0; i < kPoints; ++i) half[i][j] = o[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < kPoints; ++i) {
      V o[kPoints];
      Form::spread(half[i], o);
#pragma GCC unroll 6
      for (int j = 0; j < kPoints; ++j) at.store(v + (kPoints * i + j) * v_step, o[j]);
    }
  });
}

/// g[taps i + j] (g_step apart) = element (i, j) of G^T m G, for n gradients of kernels that lie side by
/// side. Once for a gradient, so its loops stay loops: less code, and no time that shows.
template <class Form, class T>
static void winograd_kernel_gradient(const T* m, Index m_step, T* g, Index g_step, Index n) {
  using V = Vec<T>;
  constexpr int kTaps = Form::kForm.taps, kWeights = Form::kForm.weights;
  row_each<T>(n, [&](auto at) {
    V half[kTaps][kWeights];
#pragma GCC unroll 1
    for (int j = 0; j < kWeights; ++j) {
      V column[kWeights], o[kTaps];
      for (int i = 0; i < kWeights; ++i) column[i] = at.load(m + (kWeights * i + j) * m_step);
      Form::taps(column, o);
      for (int i = 0; i < kTaps; ++i) half[i][j] = o[i];
    }
#pragma GCC unroll 1
    for (int i = 0; i < kTaps; ++i) {
      V o[kTaps];
      Form::taps(half[i], o);
      for (int j = 0; j < kTaps; ++j) at.store(g + (kTaps * i + j) * g_step, o[j]);
    }
  });
}

/// u[weights i + j] (u_step apart) = element (i, j) of G g G^T, for n kernels that lie side by side, in
/// whole vectors, taps g_step apart.
template <class Form, class T>
static void winograd_kernel(const T* g, Index g_step, T* u, Index u_step, Index n) {
  using V = Vec<T>;
  constexpr int kTaps = Form::kForm.taps, kWeights = Form::kForm.weights;
  for (Whole<V> at{0}; at.i < n; at.i += V::lanes) {
    V half[kWeights][kTaps];
    for (int j = 0; j < kTaps; ++j) {
      V column[kTaps], o[kWeights];
      for (int i = 0; i < kTaps; ++i) column[i] = at.load(g + (kTaps * i + j) * g_step);
      Form::weights(column, o);
      for (int i = 0; i < kWeights; ++i) half[i][j] = o[i];
    }
    for (int i = 0; i < kWeights; ++i) {
      V o[kWeights];
      Form::weights(half[i], o);
      for (int j = 0; j < kWeights; ++j) at.store(u + (kWeights * i + j) * u_step, o[j]);
    }
  }
}

/// The first rows x cols of the results of a tile from m[points i + j] (m_step apart), with a bias for each
/// channel if there is one, and relu after that if so.
template <class Form, class T>
static void winograd_results(const T* m, Index m_step, const T* bias, const ColumnNorm<T>& norm, bool relu,
                             T* y, Index y_row, Index y_pixel, int rows, int cols, Index channels) {
  using V = Vec<T>;
  constexpr int kResults = Form::kForm.results, kPoints = Form::kForm.points;
  const V least = V::set(relu ? T(0) : T(-__builtin_inf()));
  row_each<T>(channels, [&](auto at) {
    V half[kResults][kPoints];
    const V b = bias ? at.load(bias) : V::set(0);
    // Without a norm (v - 0) 1 + -0, which is v, also where v is -0.
    const V mean = norm.mean ? at.load(norm.mean) : V::set(0);
    const V scale = norm.mean ? at.load(norm.scale) : V::set(1);
    const V shift = norm.mean ? at.load(norm.shift) : V::set(T(-0.0));
#pragma GCC unroll 6
    for (int j = 0; j < kPoints; ++j) {
      V column[kPoints], o[kResults];
#pragma GCC unroll 6
      for (int i = 0; i < kPoints; ++i) column[i] = at.load(m + (kPoints * i + j) * m_step);
      Form::output(column, o);
#pragma GCC unroll 4
      for (int i = 0; i < kResults; ++i) half[i][j] = o[i];
    }
    const auto row = [&](int i, int count) {
      V o[kResults];
      Form::output(half[i], o);
      for (int j = 0; j < count; ++j)
        at.store(y + i * y_row + j * y_pixel, max(least, fma((o[j] + b) - mean, scale, shift)));
    };
#pragma GCC unroll 1
    for (int i = 0; i < rows; ++i) row(i, cols);
  });
}

template <class Form, class T> static constexpr WinogradKernels<T> winograd_kernels() {
  return {Form::kForm,
          &winograd_patch<typename Form::Patch, T>,
          &winograd_kernel<Form, T>,
          &winograd_results<Form, T>,
          &winograd_gradients<Form, T>,
          &winograd_kernel_gradient<Form, T>};
}

template <class T> static constexpr WinogradKernels<T> winograd_stride_two_gradient() {
  using Form = StrideTwoGradient;
  return {Form::kForm,
          &winograd_patch<Form, T>,
          &winograd_kernel<StrideTwo, T>,
          &winograd_results<Form, T>,
          nullptr,
          nullptr};
}

}  // namespace fastnn::cpu::FASTNN_ISA
