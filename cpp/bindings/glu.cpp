#include "fastnn/glu.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;

namespace {

/// x as (outer, 2, inner), halved along `axis`, and the shape of what is left.
struct Halves {
  Index outer = 1, inner = 1;
  Shape shape;

  Halves(const char* op, const Array& x, Index axis) : shape(shape_of(x)) {
    require(op, axis >= 0 && axis < x.ndim(), "expected axis in [0, ", x.ndim(), "), got ", axis);
    Index& length = shape[std::size_t(axis)];
    require(op, length % 2 == 0, "expected an even length along axis ", axis, ", got x of shape ", x);
    length /= 2;
    for (std::size_t i = 0; i < shape.size(); ++i) (Index(i) < axis ? outer : inner) *= shape[i];
  }
};

Array glu(const Array& x, Index axis, const Out& out) {
  return with_float("glu", "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in("glu", "x", x);
    const Halves halves("glu", x, axis);
    Output<T> y("glu", halves.shape, out, {x});
    invoke(&fastnn::cpu::glu<T>, in.data(), y.data(), halves.outer, halves.inner);
    return y.array();
  });
}

Array glu_backward(const Array& x, const Array& dy, Index axis) {
  constexpr const char* op = "glu_backward";
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x), gradient(op, "dy", dy);
    const Halves halves(op, x, axis);
    require(op, shape_of(dy) == halves.shape, "expected dy of shape ", halves.shape, ", got ", dy);
    Output<T> dx(op, shape_of(x));
    invoke(&fastnn::cpu::glu_backward<T>, in.data(), gradient.data(), dx.data(), halves.outer, halves.inner);
    return dx.array();
  });
}

}  // namespace

void bind_glu(py::module_& m) {
  using py::arg;
  m.def("glu", &glu, arg("x"), arg("axis"), arg("out") = py::none());
  m.def("glu_backward", &glu_backward, arg("x"), arg("dy"), arg("axis"));
}
