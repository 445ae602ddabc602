#include "fastnn/mean_squared_error.hpp"

#include "losses.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;
using fastnn::Reduction;

namespace {

fastnn::MeanSquaredError settings(const char* op, const Array& x, const Array& target, const Out& weight,
                                  int reduction) {
  require_shape(op, "target", x, target);
  require(op, x.ndim() > 0, "expected x with at least 1 axis, got a scalar");
  fastnn::py::require_shape(op, "sample_weight", without_last(shape_of(x)), weight);
  return {size_of(without_last(shape_of(x))), x.shape(x.ndim() - 1), reduction_of(op, reduction)};
}

Array mean_squared_error(const Array& x, const Array& target, const Out& weight, int reduction) {
  constexpr const char* op = "mean_squared_error";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const auto s = settings(op, x, target, weight, reduction);
    const Input<T> in(op, "x", x), wanted(op, "target", target);
    const OptionalInput<T> weights(op, "sample_weight", weight);
    Output<T> loss(op, s.reduction == Reduction::none ? without_last(shape_of(x)) : Shape{});
    invoke(&fastnn::cpu::mean_squared_error<T>, s, in.data(), wanted.data(), weights.data(), loss.data());
    return loss.array();
  });
}

Array mean_squared_error_backward(const Array& x, const Array& target, const Out& weight, const Array& dy,
                                  int reduction, double sign) {
  constexpr const char* op = "mean_squared_error_backward";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const auto s = settings(op, x, target, weight, reduction);
    const Input<T> in(op, "x", x), wanted(op, "target", target), gradient(op, "dy", dy);
    const OptionalInput<T> weights(op, "sample_weight", weight);
    fastnn::py::require_shape(op, "dy", s.reduction == Reduction::none ? without_last(shape_of(x)) : Shape{},
                              dy);
    Output<T> dx(op, shape_of(x));
    invoke(&fastnn::cpu::mean_squared_error_backward<T>, s, in.data(), wanted.data(), weights.data(),
           gradient.data(), dx.data(), T(sign));
    return dx.array();
  });
}

}  // namespace

void bind_mean_squared_error(py::module_& m) {
  using py::arg;
  m.def("mean_squared_error", &mean_squared_error, arg("x"), arg("target"), arg("sample_weight"),
        arg("reduction"));
  m.def("mean_squared_error_backward", &mean_squared_error_backward, arg("x"), arg("target"),
        arg("sample_weight"), arg("dy"), arg("reduction"), arg("sign"));
}
