#include "fastnn/conv2d.hpp"

#include "convolution.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Conv2dShape;
using fastnn::UnaryParameters;

namespace {

Conv2dShape layer_shape(const char* op, const Array& x, const Array& w, int axes, const Window& window) {
  const Conv2dShape s = convolution_shape(op, x, w, axes, window);
  s.check(op);
  require(op, s.group_c() == w.shape(axes), "expected w with ", s.c, " / ", s.groups, " channels in for x ",
          x, " and groups ", s.groups, ", got w ", w);
  return s;
}

/// y, or (y, z) if keep_z.
py::object conv2d_forward(const Array& x, const Array& w, const Out& b, int axes, const Window& window,
                          int activation, double p_a, double p_b, double p_c, bool keep_z, const Out& out) {
  const char* const op = axes == 1 ? "conv1d" : "conv2d";
  return with_float(op, "x", x, [&](auto element) -> py::object {
    using T = decltype(element);
    const Input<T> input(op, "x", x), weight(op, "w", w);
    const Conv2dShape shape = layer_shape(op, x, w, axes, window);
    const std::optional<Input<T>> bias = bias_of<T>(op, b, shape.o, w);
    const Shape result = convolved_shape(x, shape);
    Output<T> y(op, result, out, {x, w});
    std::optional<Output<T>> z;
    if (keep_z) z.emplace(op, result);
    invoke(&fastnn::cpu::conv2d<T>, input.data(), weight.data(), bias ? bias->data() : nullptr, y.data(),
           z ? z->data() : nullptr, shape, unary_of(op, activation), UnaryParameters{p_a, p_b, p_c});
    if (!z) return y.array();
    return py::make_tuple(y.array(), z->array());
  });
}

/// (dx, dw, db), each None unless it is needed.
py::tuple conv2d_backward(const Array& x, const Array& w, const Array& saved, const Array& dy, int axes,
                          const Window& window, int activation, double p_a, double p_b, double p_c,
                          bool need_dx, bool need_dw, bool need_db, const Out& dw_out, const Out& db_out) {
  const char* const op = axes == 1 ? "conv1d_backward" : "conv2d_backward";
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> input(op, "x", x), weight(op, "w", w), from(op, "saved", saved), gradient(op, "dy", dy);
    const Conv2dShape shape = layer_shape(op, x, w, axes, window);
    const Shape wanted = convolved_shape(x, shape);
    require(op, shape_of(saved) == wanted, "expected saved of shape ", wanted, ", got ", saved);
    require(op, shape_of(dy) == wanted, "expected dy of shape ", wanted, ", got ", dy);
    std::optional<Output<T>> dx, dw, db;
    if (need_dx) dx.emplace(op, shape_of(x));
    if (need_dw) dw.emplace(op, shape_of(w), dw_out, std::initializer_list<Array>{x, w, saved, dy});
    if (need_db) db.emplace(op, Shape{shape.o}, db_out, std::initializer_list<Array>{x, w, saved, dy});
    invoke(&fastnn::cpu::conv2d_backward<T>, input.data(), weight.data(), from.data(), gradient.data(),
           data_of(dx), data_of(dw), data_of(db), shape, unary_of(op, activation),
           UnaryParameters{p_a, p_b, p_c});
    return py::make_tuple(result_of(dx), result_of(dw), result_of(db));
  });
}

}  // namespace

void bind_conv2d(py::module_& m) {
  using py::arg;
  m.def("conv2d_forward", &conv2d_forward, arg("x"), arg("w"), arg("b"), arg("axes"), arg("window"),
        arg("activation") = int(fastnn::Unary::linear), arg("p_a") = 0.0, arg("p_b") = 0.0, arg("p_c") = 0.0,
        arg("keep_z") = false, arg("out") = py::none());
  m.def("conv2d_backward", &conv2d_backward, arg("x"), arg("w"), arg("saved"), arg("dy"), arg("axes"),
        arg("window"), arg("activation") = int(fastnn::Unary::linear), arg("p_a") = 0.0, arg("p_b") = 0.0,
        arg("p_c") = 0.0, arg("need_dx") = true, arg("need_dw") = true, arg("need_db") = true,
        arg("dw_out") = py::none(), arg("db_out") = py::none());
}
