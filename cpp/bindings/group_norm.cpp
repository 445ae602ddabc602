#include "fastnn/group_norm.hpp"

#include "norms.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::GroupNormShape;
using fastnn::Index;

namespace {

GroupNormShape shape_for(const char* op, const Array& x, Index groups) {
  require(op, x.ndim() > 1, "expected x with at least 2 axes, got ", x);
  const RowsOf all(op, x);
  const Index samples = x.shape(0);
  return {samples, samples ? all.rows / samples : 0, all.cols, groups};
}

/// (y, mean, inverse)
py::tuple group_norm(const Array& x, const Out& gamma, const Out& beta, Index groups, double epsilon,
                     const Out& out) {
  constexpr const char* op = "group_norm";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const GroupNormShape shape = shape_for(op, x, groups);
    const OptionalInput<T> scale(op, "gamma", gamma, {shape.channels}),
        shift(op, "beta", beta, {shape.channels});
    Output<T> y(op, shape_of(x), out, {x}), mean(op, {shape.samples, std::max<Index>(0, groups)}),
        inverse(op, {shape.samples, std::max<Index>(0, groups)});
    invoke(&fastnn::cpu::group_norm<T>, in.data(), scale.data(), shift.data(), y.data(), mean.data(),
           inverse.data(), shape, epsilon);
    return py::make_tuple(y.array(), mean.array(), inverse.array());
  });
}

/// (dx, dgamma, dbeta), each None unless it is needed.
py::tuple group_norm_backward(const Array& x, const Out& gamma, const Array& mean, const Array& inverse,
                              const Array& dy, bool need_dx, bool need_dgamma, bool need_dbeta,
                              const Out& dgamma_out, const Out& dbeta_out) {
  constexpr const char* op = "group_norm_backward";
  require_shape(op, "dy", x, dy);
  require(op, mean.ndim() == 2 && same_shape(mean, inverse),
          "expected mean and inverse with 2 axes (samples, groups), got ", mean, " and ", inverse);
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const GroupNormShape shape = shape_for(op, x, mean.shape(1));
    require(op, mean.shape(0) == shape.samples, "expected mean for the samples of x ", x, ", got ", mean);
    const Input<T> in(op, "x", x), gradient(op, "dy", dy), center(op, "mean", mean),
        spread(op, "inverse", inverse);
    const OptionalInput<T> scale(op, "gamma", gamma, {shape.channels});
    OptionalOutput<T> dx(op, need_dx, shape_of(x)),
        dgamma(op, need_dgamma, {shape.channels}, dgamma_out, {x, dy}),
        dbeta(op, need_dbeta, {shape.channels}, dbeta_out, {x, dy});
    invoke(&fastnn::cpu::group_norm_backward<T>, in.data(), scale.data(), center.data(), spread.data(),
           gradient.data(), dx.data(), dgamma.data(), dbeta.data(), shape);
    return py::make_tuple(dx.object(), dgamma.object(), dbeta.object());
  });
}

}  // namespace

void bind_group_norm(py::module_& m) {
  using py::arg;
  m.def("group_norm", &group_norm, arg("x"), arg("gamma"), arg("beta"), arg("groups"), arg("epsilon"),
        arg("out") = py::none());
  m.def("group_norm_backward", &group_norm_backward, arg("x"), arg("gamma"), arg("mean"), arg("inverse"),
        arg("dy"), arg("need_dx") = true, arg("need_dgamma") = true, arg("need_dbeta") = true,
        arg("dgamma_out") = py::none(), arg("dbeta_out") = py::none());
}
