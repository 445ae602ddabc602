#include "fastnn/regression_loss.hpp"

#include "losses.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;
using fastnn::Reduction;
using fastnn::Residual;

namespace {

/// The ops by number of their residual.
constexpr const char* kNames[fastnn::kResiduals] = {"mean_squared_error", "mean_absolute_error", "huber",
                                                    "log_cosh"};

const char* name_of(int residual) {
  require("regression_loss", residual >= 0 && residual < fastnn::kResiduals, "expected residual in [0, ",
          fastnn::kResiduals, "), got ", residual);
  return kNames[residual];
}

fastnn::RegressionLoss settings(const char* op, const Array& x, const Array& target, const Out& weight,
                                int residual, int reduction, double delta, double factor) {
  require_shape(op, "target", x, target);
  require(op, x.ndim() > 0, "expected x with at least 1 axis, got a scalar");
  fastnn::py::require_shape(op, "sample_weight", without_last(shape_of(x)), weight);
  return {size_of(without_last(shape_of(x))),
          x.shape(x.ndim() - 1),
          Residual(residual),
          reduction_of(op, reduction),
          delta,
          factor};
}

Array regression_loss(const Array& x, const Array& target, const Out& weight, int residual, int reduction,
                      double delta, double factor) {
  const char* op = name_of(residual);
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const auto s = settings(op, x, target, weight, residual, reduction, delta, factor);
    const Input<T> in(op, "x", x), wanted(op, "target", target);
    const OptionalInput<T> weights(op, "sample_weight", weight);
    Output<T> loss(op, s.reduction == Reduction::none ? without_last(shape_of(x)) : Shape{});
    invoke(&fastnn::cpu::regression_loss<T>, s, in.data(), wanted.data(), weights.data(), loss.data());
    return loss.array();
  });
}

Array regression_loss_backward(const Array& x, const Array& target, const Out& weight, const Array& dy,
                               int residual, int reduction, double delta, double factor, double sign) {
  const char* op = name_of(residual);
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const auto s = settings(op, x, target, weight, residual, reduction, delta, factor);
    const Input<T> in(op, "x", x), wanted(op, "target", target), gradient(op, "dy", dy);
    const OptionalInput<T> weights(op, "sample_weight", weight);
    fastnn::py::require_shape(op, "dy", s.reduction == Reduction::none ? without_last(shape_of(x)) : Shape{},
                              dy);
    Output<T> dx(op, shape_of(x));
    invoke(&fastnn::cpu::regression_loss_backward<T>, s, in.data(), wanted.data(), weights.data(),
           gradient.data(), dx.data(), T(sign));
    return dx.array();
  });
}

}  // namespace

void bind_regression_loss(py::module_& m) {
  using py::arg;
  m.def("regression_loss", &regression_loss, arg("x"), arg("target"), arg("sample_weight"), arg("residual"),
        arg("reduction"), arg("delta"), arg("factor"));
  m.def("regression_loss_backward", &regression_loss_backward, arg("x"), arg("target"), arg("sample_weight"),
        arg("dy"), arg("residual"), arg("reduction"), arg("delta"), arg("factor"), arg("sign"));
}
