#pragma once

#include "fastnn/core/strided.hpp"
#include "fastnn/elementwise.hpp"

namespace fastnn {

/// Sizes and strides of the product c = a b. Row and column strides of a and b are free, so transposed
/// matrices and views need no copy.
struct GemmShape {
  Index m = 0, n = 0, k = 0;   ///< a: (m, k), b: (k, n), c: (m, n)
  Index a_row = 0, a_col = 1;  ///< strides of a
  Index b_row = 0, b_col = 1;  ///< strides of b
  Index c_row = 0;             ///< stride of the rows of c; its columns lie together
  Strided<3> batch = {};       ///< how a, b and c move from product to product; none means one product

  /// One product of dense matrices: a is stored as (k, m) if transpose_a, b as (n, k) if transpose_b.
  static GemmShape dense(Index m, Index n, Index k, bool transpose_a = false, bool transpose_b = false) {
    GemmShape shape{m, n, k, k, 1, n, 1, n};
    if (transpose_a) shape.a_row = 1, shape.a_col = m;
    if (transpose_b) shape.b_row = 1, shape.b_col = k;
    return shape;
  }

  /// Throws std::invalid_argument("[op] ...") if a size is negative or rows of c overlap.
  void check(const char* op) const;
};

/// What is done to c while it is in cache: z = a b + bias, c = activation(z).
template <class T> struct Epilogue {
  const T* bias = nullptr;  ///< (n), or none
  Unary activation = Unary::linear;
  UnaryParameters parameters = {};
  T* z = nullptr;  ///< if given, z is kept there; laid out as c

  bool empty() const { return !bias && !z && activation == Unary::linear; }
};

namespace cpu {

/// Matrix product: c[i, j] = sum_p a[i, p] b[p, j] for every matrix of the batch, then the epilogue.
///
/// T is float or double. c overlaps neither input and is written everywhere; nothing is done if m or n is
/// 0; the sums are 0 if k is. Every sum is taken in an order that depends on the shape alone. Throws
/// std::invalid_argument as GemmShape::check does, std::bad_alloc for scratch memory. Parallel.
template <class T>
void gemm(const T* a, const T* b, T* c, const GemmShape& shape, const Epilogue<T>& epilogue = {});

}  // namespace cpu
}  // namespace fastnn
