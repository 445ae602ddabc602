#include "fastnn/softmax.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;

namespace {

Index last_axis(const char* op, const Array& x) {
  require(op, x.ndim() > 0, "expected x with at least 1 axis, got a scalar");
  return x.shape(x.ndim() - 1);
}

/// y = fn(x) over the rows of x.
template <typename Select>
Array forward(const char* op, const Array& x, const Out& out, const Select& select) {
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const Index cols = last_axis(op, x), rows = cols ? in.size() / cols : 0;
    Output<T> y(op, shape_of(x), out, {x});
    invoke(select(element), in.data(), y.data(), rows, cols);
    return y.array();
  });
}

template <typename Select>
Array backward(const char* op, const Array& y, const Array& dy, const Select& select) {
  require_shape(op, "dy", y, dy);
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> out(op, "y", y), gradient(op, "dy", dy);
    const Index cols = last_axis(op, y), rows = cols ? out.size() / cols : 0;
    Output<T> dx(op, shape_of(y));
    invoke(select(element), out.data(), gradient.data(), dx.data(), rows, cols);
    return dx.array();
  });
}

}  // namespace

void bind_softmax(py::module_& m) {
  using py::arg;
  m.def(
      "softmax",
      [](const Array& x, const Out& out) {
        return forward("softmax", x, out, [](auto e) { return &fastnn::cpu::softmax<decltype(e)>; });
      },
      arg("x"), arg("out") = py::none());
  m.def(
      "softmax_backward",
      [](const Array& y, const Array& dy) {
        return backward("softmax_backward", y, dy,
                        [](auto e) { return &fastnn::cpu::softmax_backward<decltype(e)>; });
      },
      arg("y"), arg("dy"));
  m.def(
      "log_softmax",
      [](const Array& x, const Out& out) {
        return forward("log_softmax", x, out, [](auto e) { return &fastnn::cpu::log_softmax<decltype(e)>; });
      },
      arg("x"), arg("out") = py::none());
  m.def(
      "log_softmax_backward",
      [](const Array& y, const Array& dy) {
        return backward("log_softmax_backward", y, dy,
                        [](auto e) { return &fastnn::cpu::log_softmax_backward<decltype(e)>; });
      },
      arg("y"), arg("dy"));
}
