#include "fastnn/copy.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;

namespace {

Array full(const Shape& shape, double value, const py::dtype& dtype) {
  for (const auto length : shape) require("full", length >= 0, "expected lengths >= 0, got ", shape);
  return with_float("full", "dtype", Array(dtype, Shape{0}), [&](auto element) {
    using T = decltype(element);
    Output<T> y("full", shape);
    invoke(&fastnn::cpu::fill<T>, y.data(), y.size(), T(value));
    return y.array();
  });
}

void assign(const Array& x, Array y) {
  require_shape("assign", "x", y, x);
  if (type_number(x) != type_number(y)) refuse_dtype("assign", "x", type_number(y), x);
  require("assign", y.writeable(), "expected a writable y, got a read-only array");
  copy_into(dense(x), y);
}

/// Arrays of one dtype, a number, and of one shape but for `axis`.
Array concatenate(const std::vector<Array>& arrays, Index axis, const Out& out) {
  constexpr const char* op = "concatenate";
  require(op, !arrays.empty(), "expected at least 1 array, got none");
  const Array& first = arrays.front();
  const Index ndim = first.ndim();
  require(op, axis >= -ndim && axis < ndim, "expected axis in [", -ndim, ", ", ndim, "), got ", axis);
  const auto at = std::size_t(axis < 0 ? axis + ndim : axis);
  const int type = type_number(first);
  Shape shape = shape_of(first);
  shape[at] = 0;
  for (const Array& x : arrays) {
    Shape own = shape_of(x);
    const bool fits = own.size() == shape.size();
    const py::ssize_t length = fits ? own[at] : 0;
    if (fits) own[at] = shape[at];
    require(op, own == shape, "expected shapes that differ in axis ", axis, " only, got ", first, " and ", x);
    if (type_number(x) != type) refuse_dtype(op, "arrays", type, x);
    shape[at] += length;
  }
  if (out)
    for (const Array& x : arrays) check_out(op, *out, shape, type, {x}, {});
  const bool direct = !out || is_dense(*out);
  Array y = out && direct ? *out : empty(shape, type);
  Index outer = 1, inner = first.itemsize();
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (i != at) (i < at ? outer : inner) *= shape[i];
  char* to = static_cast<char*>(y.mutable_data());
  for (const Array& x : arrays) {
    const Array in = dense(x);
    const Index bytes = x.shape(py::ssize_t(at)) * inner;
    invoke(&fastnn::cpu::copy_pieces, in.data(), static_cast<void*>(to), outer, bytes, shape[at] * inner);
    to += bytes;
  }
  if (direct) return y;
  Array result = *out;
  copy_into(y, result);
  return result;
}

}  // namespace

void bind_copy(py::module_& m) {
  using py::arg;
  m.def("full", &full, arg("shape"), arg("value"), arg("dtype"), "A new array with one value everywhere.");
  m.def("assign", &assign, arg("x"), arg("y"),
        "y[...] = x for arrays of one shape and dtype, whatever their strides.");
  m.def("concatenate", &concatenate, arg("arrays"), arg("axis"), arg("out") = py::none(),
        "Arrays of one dtype one after the other along axis.");
  m.def("dense", &dense, arg("x"), "x itself if it is C-contiguous, aligned and native, else such a copy.");
}
