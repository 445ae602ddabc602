#include "fastnn/penalty.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;

namespace {

Array penalty(const Array& x, double l1, double l2) {
  return with_float("penalty", "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in("penalty", "x", x);
    Output<T> y("penalty", Shape{});
    invoke(&fastnn::cpu::penalty<T>, in.data(), in.size(), l1, l2, y.data());
    return y.array();
  });
}

Array penalty_backward(const Array& x, const Array& dy, double l1, double l2) {
  constexpr const char* op = "penalty_backward";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x), gradient(op, "dy", dy);
    require(op, dy.ndim() == 0, "expected dy to be a scalar, got ", dy);
    Output<T> dx(op, shape_of(x));
    invoke(&fastnn::cpu::penalty_backward<T>, in.data(), gradient.data(), in.size(), l1, l2, dx.data());
    return dx.array();
  });
}

}  // namespace

void bind_penalty(py::module_& m) {
  using py::arg;
  m.def("penalty", &penalty, arg("x"), arg("l1"), arg("l2"));
  m.def("penalty_backward", &penalty_backward, arg("x"), arg("dy"), arg("l1"), arg("l2"));
}
