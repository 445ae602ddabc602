#include "fastnn/gemm.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::GemmShape;
using fastnn::Index;

namespace {

/// Stacks of matrices (..., rows, cols) as the product reads them: any array whose rows or columns lie
/// together is taken as it is, any other copied.
template <class T> class Matrices {
 public:
  Matrices(const char* op, const char* name, const Array& x, bool transposed)
      : array_(readable(x) ? x : dense(x)) {
    if (type_number(array_) != kTypeNumber<T>) refuse_dtype(op, name, kTypeNumber<T>, x);
    require(op, axes() >= 2, "expected ", name, " with at least 2 axes, got ", x);
    row_ = axes() - 2 + transposed;
    col_ = axes() - 1 - transposed;
  }
  const T* data() const { return static_cast<const T*>(array_.data()); }
  int axes() const { return int(array_.ndim()); }
  Index rows() const { return array_.shape(row_); }
  Index cols() const { return array_.shape(col_); }
  Index row_stride() const { return stride(row_); }
  Index col_stride() const { return stride(col_); }
  /// Length and stride of leading axis `axis` of `leading`, aligned at the last; broadcast where there is
  /// none.
  std::pair<Index, Index> leading(int axis, int leading) const {
    const int own = axis - (leading - (axes() - 2));
    if (own < 0 || array_.shape(own) == 1) return {1, 0};
    return {array_.shape(own), stride(own)};
  }

 private:
  Index stride(int axis) const { return array_.strides(axis) / Index(sizeof(T)); }

  static bool readable(const Array& x) {
    if (is_dense(x)) return x.dtype().byteorder() == '=';
    const auto axes = x.ndim();
    if (axes < 2 || !(x.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) || x.dtype().byteorder() != '=')
      return false;
    for (py::ssize_t i = 0; i < axes; ++i)
      if (x.strides(i) % py::ssize_t(sizeof(T))) return false;
    return x.strides(axes - 1) == py::ssize_t(sizeof(T)) || x.strides(axes - 2) == py::ssize_t(sizeof(T));
  }

  Array array_;
  int row_ = 0, col_ = 0;
};

/// The shape of the result, with the batch of `product` set up.
template <class T> Shape result_shape(const char* op, const Matrices<T>& a, const Matrices<T>& b,
                                      const Array& given_a, const Array& given_b, GemmShape& product) {
  const int leading = std::max(a.axes(), b.axes()) - 2;
  Shape shape(std::size_t(leading + 2));
  shape[std::size_t(leading)] = product.m;
  shape[std::size_t(leading + 1)] = product.n;
  for (int axis = 0; axis < leading; ++axis) {
    const Index in_a = a.leading(axis, leading).first, in_b = b.leading(axis, leading).first;
    require(op, in_a == in_b || in_a == 1 || in_b == 1, "expected leading axes that broadcast together, got ",
            given_a, " and ", given_b);
    shape[std::size_t(axis)] = in_a == 1 ? in_b : in_a;
  }
  Index step = product.m * product.n;
  std::vector<Index> steps(std::size_t(leading), 0);
  for (int axis = leading - 1; axis >= 0; --axis) {
    steps[std::size_t(axis)] = step;
    step *= shape[std::size_t(axis)];
  }
  for (int axis = 0; axis < leading; ++axis) {
    const auto i = std::size_t(axis);
    const bool fits = product.batch.push(
        shape[i], {a.leading(axis, leading).second, b.leading(axis, leading).second, steps[i]});
    require(op, fits, "expected at most ", fastnn::kMaxAxes, " leading axes, got ", leading);
  }
  return shape;
}

Array multiply(const char* op, const char* name_a, const char* name_b, const Array& a, const Array& b,
               bool transpose_a, bool transpose_b, const Out& out) {
  return with_float(op, name_a, a, [&](auto element) {
    using T = decltype(element);
    const Matrices<T> left(op, name_a, a, transpose_a), right(op, name_b, b, transpose_b);
    require(op, left.cols() == right.rows(), "expected ", name_b, " with ", left.cols(), " rows for ", name_a,
            " ", a, transpose_a ? " transposed" : "", ", got ", b, transpose_b ? " transposed" : "");
    GemmShape shape{left.rows(),       right.cols(),       left.cols(),        left.row_stride(),
                    left.col_stride(), right.row_stride(), right.col_stride(), right.cols()};
    Output<T> c(op, result_shape(op, left, right, a, b, shape), out, {a, b});
    invoke(&fastnn::cpu::gemm<T>, left.data(), right.data(), c.data(), shape, fastnn::Epilogue<T>{});
    return c.array();
  });
}

}  // namespace

void bind_gemm(py::module_& m) {
  using py::arg;
  m.def(
      "gemm",
      [](const Array& a, const Array& b, bool transpose_a, bool transpose_b, const Out& out) {
        return multiply("gemm", "a", "b", a, b, transpose_a, transpose_b, out);
      },
      arg("a"), arg("b"), arg("transpose_a") = false, arg("transpose_b") = false, arg("out") = py::none());
  m.def(
      "matmul",
      [](const Array& x1, const Array& x2, const Out& out) {
        return multiply("matmul", "x1", "x2", x1, x2, false, false, out);
      },
      arg("x1"), arg("x2"), arg("out") = py::none());
}
