#include "fastnn/resize2d.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;

namespace {

fastnn::cpu::Resize2dShape resize_shape(const char* op, const Shape& x, Index oh, Index ow) {
  require(op, x.size() == 4, "expected x of shape (n, h, w, c), got ", x);
  return {x[0], x[1], x[2], oh, ow, x[3]};
}

Array resize2d(const Array& x, Index oh, Index ow) {
  constexpr const char* op = "resize2d";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const auto shape = resize_shape(op, shape_of(x), oh, ow);
    Output<T> y(op, {shape.n, oh, ow, shape.c});
    invoke(&fastnn::cpu::resize2d<T>, in.data(), y.data(), shape);
    return y.array();
  });
}

Array resize2d_backward(const Array& dy, Index h, Index w) {
  constexpr const char* op = "resize2d_backward";
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> gradient(op, "dy", dy);
    require(op, dy.ndim() == 4, "expected dy of shape (n, oh, ow, c), got ", dy);
    const Shape x{dy.shape(0), h, w, dy.shape(3)};
    Output<T> dx(op, x);
    invoke(&fastnn::cpu::resize2d_backward<T>, gradient.data(), dx.data(),
           resize_shape(op, x, dy.shape(1), dy.shape(2)));
    return dx.array();
  });
}

}  // namespace

void bind_resize2d(py::module_& m) {
  using py::arg;
  m.def("resize2d", &resize2d, arg("x"), arg("oh"), arg("ow"));
  m.def("resize2d_backward", &resize2d_backward, arg("dy"), arg("h"), arg("w"));
}
