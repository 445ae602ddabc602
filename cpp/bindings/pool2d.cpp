#include "fastnn/pool2d.hpp"

#include <map>

#include "arrays.hpp"
#include "numbers.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;
using fastnn::cpu::PoolDivisor;

namespace {

/// out, step, size, divisor, before of Windows.
using Axis = Numbers<5>;

fastnn::Windows windows(Index in, const Axis& axis) {
  return {in, axis[0], axis[1], axis[2], axis[3], axis[4]};
}

fastnn::Pool2dShape pool_shape(const char* op, const Shape& x, const Axis& h, const Axis& w) {
  require(op, x.size() == 4, "expected x of shape (n, h, w, c), got ", x);
  return {x[0], windows(x[1], h), windows(x[2], w), x[3]};
}

Shape y_shape(const fastnn::Pool2dShape& shape) { return {shape.n, shape.h.out, shape.w.out, shape.c}; }

Array max_pool2d(const Array& x, const Axis& h, const Axis& w) {
  constexpr const char* op = "max_pool2d";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const auto shape = pool_shape(op, shape_of(x), h, w);
    Output<T> y(op, y_shape(shape));
    invoke(&fastnn::cpu::max_pool2d<T>, in.data(), y.data(), shape);
    return y.array();
  });
}

Array max_pool2d_backward(const Array& x, const Array& dy, const Axis& h, const Axis& w) {
  constexpr const char* op = "max_pool2d_backward";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x), gradient(op, "dy", dy);
    const auto shape = pool_shape(op, shape_of(x), h, w);
    require(op, shape_of(dy) == y_shape(shape), "expected dy of shape ", y_shape(shape), ", got ", dy);
    Output<T> dx(op, shape_of(x));
    invoke(&fastnn::cpu::max_pool2d_backward<T>, in.data(), gradient.data(), dx.data(), shape);
    return dx.array();
  });
}

Array avg_pool2d(const Array& x, const Axis& h, const Axis& w, int divisor) {
  constexpr const char* op = "avg_pool2d";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const auto shape = pool_shape(op, shape_of(x), h, w);
    Output<T> y(op, y_shape(shape));
    invoke(&fastnn::cpu::avg_pool2d<T>, in.data(), y.data(), shape, PoolDivisor(divisor));
    return y.array();
  });
}

Array avg_pool2d_backward(const Array& dy, const Numbers<4>& like, const Axis& h, const Axis& w,
                          int divisor) {
  constexpr const char* op = "avg_pool2d_backward";
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> gradient(op, "dy", dy);
    const Shape x_shape(like.begin(), like.end());
    const auto shape = pool_shape(op, x_shape, h, w);
    require(op, shape_of(dy) == y_shape(shape), "expected dy of shape ", y_shape(shape), ", got ", dy);
    Output<T> dx(op, x_shape);
    invoke(&fastnn::cpu::avg_pool2d_backward<T>, gradient.data(), dx.data(), shape, PoolDivisor(divisor));
    return dx.array();
  });
}

}  // namespace

void bind_pool2d(py::module_& m) {
  using py::arg;
  m.attr("pool_divisors") = std::map<std::string, int>{{"covered", int(PoolDivisor::covered)},
                                                       {"window", int(PoolDivisor::window)},
                                                       {"none", int(PoolDivisor::none)}};
  m.def("max_pool2d", &max_pool2d, arg("x"), arg("h"), arg("w"),
        "h, w: windows as (out, step, size, divisor, before).");
  m.def("max_pool2d_backward", &max_pool2d_backward, arg("x"), arg("dy"), arg("h"), arg("w"));
  m.def("avg_pool2d", &avg_pool2d, arg("x"), arg("h"), arg("w"), arg("divisor"));
  m.def("avg_pool2d_backward", &avg_pool2d_backward, arg("dy"), arg("x_shape"), arg("h"), arg("w"),
        arg("divisor"));
}
