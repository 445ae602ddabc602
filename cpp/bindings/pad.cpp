#include "fastnn/pad.hpp"

#include <map>

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;
using fastnn::cpu::PadMode;

namespace {

using Pairs = std::vector<std::pair<Index, Index>>;

fastnn::cpu::PadShape pad_shape(const char* op, const Shape& x, const Pairs& width) {
  require(op, x.size() == width.size(), "expected padding of ", x.size(), " axes, got ", width.size());
  require(op, x.size() <= fastnn::kMaxAxes, "expected at most ", fastnn::kMaxAxes, " axes, got ", x.size());
  fastnn::cpu::PadShape shape;
  shape.axes = int(x.size());
  for (std::size_t axis = 0; axis < x.size(); ++axis) {
    shape.shape[axis] = x[axis];
    shape.before[axis] = width[axis].first;
    shape.after[axis] = width[axis].second;
  }
  return shape;
}

Shape y_shape(const fastnn::cpu::PadShape& shape) {
  Shape y;
  for (int axis = 0; axis < shape.axes; ++axis) y.push_back(std::max<Index>(0, shape.out(axis)));
  return y;
}

Array pad(const Array& x, const Pairs& width, int mode, double value) {
  constexpr const char* op = "pad";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const auto shape = pad_shape(op, shape_of(x), width);
    Output<T> y(op, y_shape(shape));
    invoke(&fastnn::cpu::pad<T>, in.data(), y.data(), shape, PadMode(mode), T(value));
    return y.array();
  });
}

Array pad_backward(const Array& dy, const Shape& x_shape, const Pairs& width, int mode) {
  constexpr const char* op = "pad_backward";
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> gradient(op, "dy", dy);
    const auto shape = pad_shape(op, x_shape, width);
    require(op, shape_of(dy) == y_shape(shape), "expected dy of shape ", y_shape(shape), ", got ", dy);
    Output<T> dx(op, x_shape);
    invoke(&fastnn::cpu::pad_backward<T>, gradient.data(), dx.data(), shape, PadMode(mode));
    return dx.array();
  });
}

}  // namespace

void bind_pad(py::module_& m) {
  using py::arg;
  m.attr("pad_modes") = std::map<std::string, int>{{"constant", int(PadMode::constant)},
                                                   {"edge", int(PadMode::edge)},
                                                   {"reflect", int(PadMode::reflect)},
                                                   {"symmetric", int(PadMode::symmetric)}};
  m.def("pad", &pad, arg("x"), arg("pad_width"), arg("mode"), arg("value"));
  m.def("pad_backward", &pad_backward, arg("dy"), arg("x_shape"), arg("pad_width"), arg("mode"));
}
