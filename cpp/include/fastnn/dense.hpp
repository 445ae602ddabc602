#pragma once

#include "fastnn/elementwise.hpp"

namespace fastnn {

/// Sizes of a dense layer: m samples, i input features, u units.
struct DenseShape {
  Index m = 0, i = 0, u = 0;

  /// Throws std::invalid_argument("[op] ...") if one is negative.
  void check(const char* op) const;
};

namespace cpu {

/// Dense layer: z = x w + b, y = activation(z).
///
/// x: (m, i), w: (i, u), b: (u) or null, y: (m, u), all dense; T is float or double. z: (m, u), kept for the
/// backward pass if given. y and z overlap nothing. Sizes may be 0. Parallel.
template <class T> void dense(const T* x, const T* w, const T* b, T* y, T* z, const DenseShape& shape,
                              Unary activation, const UnaryParameters& parameters);

/// Gradients of dense: dz = dy activation'(saved), dx = dz w^T, dw = x^T dz, db[j] = sum_r dz[r, j].
///
/// saved: (m, u), the y or the z of the forward call, as saved_for(activation) says; not read if the
/// activation is linear. dx: (m, i), dw: (i, u), db: (u); one that is null is not computed. The outputs
/// overlap nothing. Sums are taken in an order that depends on the shape alone. Parallel.
template <class T> void dense_backward(const T* x, const T* w, const T* saved, const T* dy, T* dx, T* dw,
                                       T* db, const DenseShape& shape, Unary activation,
                                       const UnaryParameters& parameters);

}  // namespace cpu
}  // namespace fastnn
