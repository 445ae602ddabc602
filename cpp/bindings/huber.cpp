#include "fastnn/huber.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;

namespace {

Array huber(const Array& x, const Array& t, double delta) {
  require_shape("huber", "target", x, t);
  return with_float("huber", "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> prediction("huber", "x", x), target("huber", "target", t);
    Output<T> y("huber", shape_of(x));
    invoke(&fastnn::cpu::huber<T>, prediction.data(), target.data(), y.data(), y.size(), delta);
    return y.array();
  });
}

Array huber_backward(const Array& x, const Array& t, const Array& dy, double delta) {
  constexpr const char* op = "huber_backward";
  require_shape(op, "target", x, t);
  require_shape(op, "dy", x, dy);
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> prediction(op, "x", x), target(op, "target", t), gradient(op, "dy", dy);
    Output<T> dx(op, shape_of(x));
    invoke(&fastnn::cpu::huber_backward<T>, prediction.data(), target.data(), gradient.data(), dx.data(),
           dx.size(), delta);
    return dx.array();
  });
}

}  // namespace

void bind_huber(py::module_& m) {
  using py::arg;
  m.def("huber", &huber, arg("x"), arg("target"), arg("delta"));
  m.def("huber_backward", &huber_backward, arg("x"), arg("target"), arg("dy"), arg("delta"));
}
