#include "fastnn/copy.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;

namespace {

Array full(const Shape& shape, double value, const py::dtype& dtype) {
  for (const auto length : shape)
    require("full", length >= 0, "expected lengths >= 0, got ", shape);
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

}  // namespace

void bind_copy(py::module_& m) {
  using py::arg;
  m.def("full", &full, arg("shape"), arg("value"), arg("dtype"), "A new array with one value everywhere.");
  m.def("assign", &assign, arg("x"), arg("y"), "y[...] = x for arrays of one shape and dtype, whatever their strides.");
  m.def("dense", &dense, arg("x"), "x itself if it is C-contiguous, aligned and native, else such a copy.");
}
