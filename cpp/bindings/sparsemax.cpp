#include "fastnn/sparsemax.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;

namespace {

Index last_axis(const char* op, const Array& x) {
  require(op, x.ndim() > 0, "expected x with at least 1 axis, got a scalar");
  return x.shape(x.ndim() - 1);
}

Array sparsemax(const Array& x, const Out& out) {
  return with_float("sparsemax", "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in("sparsemax", "x", x);
    const Index cols = last_axis("sparsemax", x), rows = cols ? in.size() / cols : 0;
    Output<T> y("sparsemax", shape_of(x), out, {x});
    invoke(&fastnn::cpu::sparsemax<T>, in.data(), y.data(), rows, cols);
    return y.array();
  });
}

Array sparsemax_backward(const Array& y, const Array& dy) {
  constexpr const char* op = "sparsemax_backward";
  require_shape(op, "dy", y, dy);
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> result(op, "y", y), gradient(op, "dy", dy);
    const Index cols = last_axis(op, y), rows = cols ? result.size() / cols : 0;
    Output<T> dx(op, shape_of(y));
    invoke(&fastnn::cpu::sparsemax_backward<T>, result.data(), gradient.data(), dx.data(), rows, cols);
    return dx.array();
  });
}

}  // namespace

void bind_sparsemax(py::module_& m) {
  using py::arg;
  m.def("sparsemax", &sparsemax, arg("x"), arg("out") = py::none());
  m.def("sparsemax_backward", &sparsemax_backward, arg("y"), arg("dy"));
}
