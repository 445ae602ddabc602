#include "fastnn/layer_norm.hpp"

#include "norms.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;

namespace {

/// (y, mean, inverse); mean is None if values are not centred.
py::tuple layer_norm(const char* op, bool centered, const Array& x, const Out& gamma, const Out& beta,
                     double epsilon, const Out& out) {
  return with_float(op, "x", x, [&](auto element) -> py::tuple {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const RowsOf shape(op, x);
    const OptionalInput<T> scale(op, "gamma", gamma, {shape.cols}), shift(op, "beta", beta, {shape.cols});
    Output<T> y(op, shape_of(x), out, {x}), inverse(op, {shape.rows});
    if (!centered) {
      invoke(&fastnn::cpu::rms_norm<T>, in.data(), scale.data(), y.data(), inverse.data(), shape.rows,
             shape.cols, epsilon);
      return py::make_tuple(y.array(), py::none(), inverse.array());
    }
    Output<T> mean(op, {shape.rows});
    invoke(&fastnn::cpu::layer_norm<T>, in.data(), scale.data(), shift.data(), y.data(), mean.data(),
           inverse.data(), shape.rows, shape.cols, epsilon);
    return py::make_tuple(y.array(), mean.array(), inverse.array());
  });
}

/// (dx, dgamma, dbeta), each None unless it is needed. mean: None if values were not centred.
py::tuple layer_norm_backward(const Array& x, const Out& gamma, const Out& mean, const Array& inverse,
                              const Array& dy, bool need_dx, bool need_dgamma, bool need_dbeta,
                              const Out& dgamma_out, const Out& dbeta_out) {
  constexpr const char* op = "layer_norm_backward";
  require_shape(op, "dy", x, dy);
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x), gradient(op, "dy", dy);
    const RowsOf shape(op, x);
    const OptionalInput<T> scale(op, "gamma", gamma, {shape.cols}), center(op, "mean", mean, {shape.rows}),
        spread(op, "inverse", inverse, {shape.rows});
    OptionalOutput<T> dx(op, need_dx, shape_of(x)),
        dgamma(op, need_dgamma, {shape.cols}, dgamma_out, {x, dy}),
        dbeta(op, need_dbeta, {shape.cols}, dbeta_out, {x, dy});
    if (mean)
      invoke(&fastnn::cpu::layer_norm_backward<T>, in.data(), scale.data(), center.data(), spread.data(),
             gradient.data(), dx.data(), dgamma.data(), dbeta.data(), shape.rows, shape.cols);
    else
      invoke(&fastnn::cpu::rms_norm_backward<T>, in.data(), scale.data(), spread.data(), gradient.data(),
             dx.data(), dgamma.data(), shape.rows, shape.cols);
    return py::make_tuple(dx.object(), dgamma.object(), dbeta.object());
  });
}

/// (y, inverse)
py::tuple unit_norm(const Array& x, double epsilon, const Out& out) {
  constexpr const char* op = "unit_norm";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const RowsOf shape(op, x);
    Output<T> y(op, shape_of(x), out, {x}), inverse(op, {shape.rows});
    invoke(&fastnn::cpu::unit_norm<T>, in.data(), y.data(), inverse.data(), shape.rows, shape.cols, epsilon);
    return py::make_tuple(y.array(), inverse.array());
  });
}

Array unit_norm_backward(const Array& y, const Array& inverse, const Array& dy, double epsilon) {
  constexpr const char* op = "unit_norm_backward";
  require_shape(op, "dy", y, dy);
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> value(op, "y", y), gradient(op, "dy", dy);
    const RowsOf shape(op, y);
    const OptionalInput<T> scale(op, "inverse", inverse, {shape.rows});
    Output<T> dx(op, shape_of(y));
    invoke(&fastnn::cpu::unit_norm_backward<T>, value.data(), scale.data(), gradient.data(), dx.data(),
           shape.rows, shape.cols, epsilon);
    return dx.array();
  });
}

}  // namespace

void bind_layer_norm(py::module_& m) {
  using py::arg;
  m.def(
      "layer_norm",
      [](const Array& x, const Out& gamma, const Out& beta, double epsilon, const Out& out) {
        return layer_norm("layer_norm", true, x, gamma, beta, epsilon, out);
      },
      arg("x"), arg("gamma"), arg("beta"), arg("epsilon"), arg("out") = py::none());
  m.def(
      "rms_norm",
      [](const Array& x, const Out& gamma, double epsilon, const Out& out) {
        return layer_norm("rms_norm", false, x, gamma, std::nullopt, epsilon, out);
      },
      arg("x"), arg("gamma"), arg("epsilon"), arg("out") = py::none());
  m.def("layer_norm_backward", &layer_norm_backward, arg("x"), arg("gamma"), arg("mean"), arg("inverse"),
        arg("dy"), arg("need_dx") = true, arg("need_dgamma") = true, arg("need_dbeta") = true,
        arg("dgamma_out") = py::none(), arg("dbeta_out") = py::none());
  m.def("unit_norm", &unit_norm, arg("x"), arg("epsilon"), arg("out") = py::none());
  m.def("unit_norm_backward", &unit_norm_backward, arg("y"), arg("inverse"), arg("dy"), arg("epsilon"));
}
