#pragma once

// The transforms of Winograd's F(4 x 4, 3 x 3) (Lavin and Gray, Fast Algorithms for Convolutional Neural
// Networks, 2016, section 4.1 with the points 0, 1, -1, 2, -2): 16 results of a 3 x 3 window from 36 products
// instead of 144,
//
//     y = A^T [(G g G^T) * (B^T d B)] A,
//
// where d is a patch of 6 x 6 pixels, g the kernel, * the product element by element, which sums over
// channels. Vectors hold neighbouring channels, so no lanes ever change places.
//
// The gradient with respect to the kernel is the same three transforms turned round: dg = G^T [(B^T d B) * (A
// dy A^T)] G, where * sums over tiles.

#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class V> static inline V number(double x) { return V::set(typename V::T(x)); }

/// o = B^T d
template <class V> static inline void winograd_input(const V (&d)[6], V (&o)[6]) {
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
template <class V> static inline void winograd_weights(const V (&g)[3], V (&o)[6]) {
  const V sixth = number<V>(1.0 / 6);
  o[0] = number<V>(0.25) * g[0];
  const V even = sixth * (g[0] + g[2]), odd = sixth * g[1];
  o[1] = number<V>(0) - (even + odd);
  o[2] = odd - even;
  const V outer = fma(number<V>(1.0 / 24), g[0], sixth * g[2]), inner = number<V>(1.0 / 12) * g[1];
  o[3] = outer + inner;
  o[4] = outer - inner;
  o[5] = g[2];
}

/// o = A^T m
template <class V> static inline void winograd_output(const V (&m)[6], V (&o)[4]) {
  const V s = m[1] + m[2], d = m[1] - m[2], p = m[3] + m[4], q = m[3] - m[4];
  o[0] = (m[0] + s) + p;
  o[1] = fma(number<V>(2), q, d);
  o[2] = fma(number<V>(4), p, s);
  o[3] = fma(number<V>(8), q, d + m[5]);
}

/// o = A y
template <class V> static inline void winograd_spread(const V (&y)[4], V (&o)[6]) {
  const V four = number<V>(4), even = y[0] + y[2], odd = y[1] + y[3];
  o[0] = y[0];
  o[1] = even + odd;
  o[2] = even - odd;
  const V p = fma(four, y[2], y[0]), q = number<V>(2) * fma(four, y[3], y[1]);
  o[3] = p + q;
  o[4] = p - q;
  o[5] = y[3];
}

/// o = G^T m
template <class V> static inline void winograd_taps(const V (&m)[6], V (&o)[3]) {
  const V sixth = number<V>(1.0 / 6), s = m[1] + m[2], p = m[3] + m[4];
  o[0] = fma(number<V>(0.25), m[0], fnma(sixth, s, number<V>(1.0 / 24) * p));
  o[1] = fma(sixth, m[2] - m[1], number<V>(1.0 / 12) * (m[3] - m[4]));
  o[2] = fma(sixth, p - s, m[5]);
}

/// v[6 i + j] (v_step apart) = element (i, j) of B^T x B for a patch of x.
template <class T>
static void winograd_patch(const T* x, Index x_row, Index x_pixel, T* v, Index v_step, Index channels) {
  using V = Vec<T>;
  row_each<T>(channels, [&](auto at) {
    V half[6][6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) {
      V d[6], o[6];
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) d[i] = at.load(x + i * x_row + j * x_pixel);
      winograd_input(d, o);
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) half[i][j] = o[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
      V o[6];
      winograd_input(half[i], o);
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) at.store(v + (6 * i + j) * v_step, o[j]);
    }
  });
}

/// v[6 i + j] (v_step apart) = element (i, j) of A y A^T for 4 x 4 gradients of y.
template <class T>
static void winograd_gradients(const T* y, Index y_row, Index y_pixel, T* v, Index v_step, Index channels) {
  using V = Vec<T>;
  row_each<T>(channels, [&](auto at) {
    V half[6][4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      V column[4], o[6];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) column[i] = at.load(y + i * y_row + j * y_pixel);
      winograd_spread(column, o);
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) half[i][j] = o[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
      V o[6];
      winograd_spread(half[i], o);
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) at.store(v + (6 * i + j) * v_step, o[j]);
    }
  });
}

/// g[3 i + j] (g_step apart) = element (i, j) of G^T m G, for n gradients of kernels that lie side by side.
template <class T>
static void winograd_kernel_gradient(const T* m, Index m_step, T* g, Index g_step, Index n) {
  using V = Vec<T>;
  row_each<T>(n, [&](auto at) {
    V half[3][6];
    for (int j = 0; j < 6; ++j) {
      V column[6], o[3];
      for (int i = 0; i < 6; ++i) column[i] = at.load(m + (6 * i + j) * m_step);
      winograd_taps(column, o);
      for (int i = 0; i < 3; ++i) half[i][j] = o[i];
    }
    for (int i = 0; i < 3; ++i) {
      V o[3];
      winograd_taps(half[i], o);
      for (int j = 0; j < 3; ++j) at.store(g + (3 * i + j) * g_step, o[j]);
    }
  });
}

/// u[6 i + j] (u_step apart) = element (i, j) of G g G^T, for n kernels that lie side by side, taps g_step
/// apart.
template <class T> static void winograd_kernel(const T* g, Index g_step, T* u, Index u_step, Index n) {
  using V = Vec<T>;
  row_each<T>(n, [&](auto at) {
    V half[6][3];
    for (int j = 0; j < 3; ++j) {
      const V column[3] = {at.load(g + j * g_step), at.load(g + (3 + j) * g_step),
                           at.load(g + (6 + j) * g_step)};
      V o[6];
      winograd_weights(column, o);
      for (int i = 0; i < 6; ++i) half[i][j] = o[i];
    }
    for (int i = 0; i < 6; ++i) {
      V o[6];
      winograd_weights(half[i], o);
      for (int j = 0; j < 6; ++j) at.store(u + (6 * i + j) * u_step, o[j]);
    }
  });
}

/// The first rows x cols of the 4 x 4 results from m[6 i + j] (m_step apart), with a bias for each channel if
/// there is one, and relu after that if so.
template <class T> static void winograd_results(const T* m, Index m_step, const T* bias,
                                                const ColumnNorm<T>& norm, bool relu, T* y, Index y_row,
                                                Index y_pixel, int rows, int cols, Index channels) {
  using V = Vec<T>;
  const V least = V::set(relu ? T(0) : T(-__builtin_inf()));
  row_each<T>(channels, [&](auto at) {
    V half[4][6];
    const V b = bias ? at.load(bias) : V::set(0);
    // Without a norm (v - 0) 1 + -0, which is v, also where v is -0.
    const V mean = norm.mean ? at.load(norm.mean) : V::set(0);
    const V scale = norm.mean ? at.load(norm.scale) : V::set(1);
    const V shift = norm.mean ? at.load(norm.shift) : V::set(T(-0.0));
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) {
      V column[6], o[4];
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) column[i] = at.load(m + (6 * i + j) * m_step);
      winograd_output(column, o);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) half[i][j] = o[i];
    }
    const auto row = [&](int i, int count) {
      V o[4];
      winograd_output(half[i], o);
      for (int j = 0; j < count; ++j)
        at.store(y + i * y_row + j * y_pixel, max(least, fma((o[j] + b) - mean, scale, shift)));
    };
    if (rows == 4 && cols == 4) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) row(i, 4);
    } else {
      for (int i = 0; i < rows; ++i) row(i, cols);
    }
  });
}

}  // namespace fastnn::cpu::FASTNN_ISA
