#include "fastnn/batch_norm.hpp"

#include "norms.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::BatchNormShape;
using fastnn::Index;
using fastnn::Unary;
using fastnn::UnaryParameters;

namespace {

BatchNormShape shape_for(const char* op, const Array& x) {
  const RowsOf all(op, x);
  return {all.rows, all.cols};
}

/// A value for each channel that is changed where it lies, or null.
template <class T>
T* moving(const char* op, const char* name, const Out& given, const BatchNormShape& shape) {
  if (!given) return nullptr;
  if (type_number(*given) != kTypeNumber<T>) refuse_dtype(op, name, kTypeNumber<T>, *given);
  require(op, given->ndim() == 1 && given->shape(0) == shape.channels, "expected ", name, " of shape (",
          shape.channels, ",), got ", *given);
  require(op, given->writeable() && is_dense(*given), "expected ", name,
          " as a dense, writable array, got one that is not");
  return static_cast<T*>(Array(*given).mutable_data());
}

/// One byte for each row, or null.
class Kept {
 public:
  Kept(const char* op, const Out& given, const BatchNormShape& shape) {
    if (!given) return;
    require(op, given->size() == shape.rows, "expected a mask of ", shape.rows, " elements, got ", *given);
    own_.emplace(op, "mask", *given);
  }
  const std::uint8_t* data() const {
    return own_ ? reinterpret_cast<const std::uint8_t*>(own_->data()) : nullptr;
  }

 private:
  std::optional<Input<bool>> own_;
};

struct Epilogue {
  Unary activation;
  UnaryParameters parameters;
};

Epilogue epilogue(int activation, double p_a, double p_b, double p_c) {
  return {Unary(activation), {p_a, p_b, p_c}};
}

/// (y, mean, inverse)
py::tuple batch_norm(const Array& x, const Out& gamma, const Out& beta, const Out& mask,
                     const Out& moving_mean, const Out& moving_variance, double momentum, double epsilon,
                     int activation, double p_a, double p_b, double p_c, const Out& out) {
  constexpr const char* op = "batch_norm";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const BatchNormShape shape = shape_for(op, x);
    const OptionalInput<T> scale(op, "gamma", gamma, {shape.channels}),
        shift(op, "beta", beta, {shape.channels});
    const Kept keep(op, mask, shape);
    Output<T> y(op, shape_of(x), out, {x}), mean(op, {shape.channels}), inverse(op, {shape.channels});
    const Epilogue last = epilogue(activation, p_a, p_b, p_c);
    invoke(&fastnn::cpu::batch_norm<T>, in.data(), scale.data(), shift.data(), keep.data(), y.data(),
           mean.data(), inverse.data(), moving<T>(op, "moving_mean", moving_mean, shape),
           moving<T>(op, "moving_variance", moving_variance, shape), shape, momentum, epsilon,
           last.activation, last.parameters);
    return py::make_tuple(y.array(), mean.array(), inverse.array());
  });
}

/// (y, inverse)
py::tuple batch_norm_inference(const Array& x, const Out& gamma, const Out& beta, const Array& mean,
                               const Array& variance, double epsilon, int activation, double p_a, double p_b,
                               double p_c, const Out& out) {
  constexpr const char* op = "batch_norm_inference";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const BatchNormShape shape = shape_for(op, x);
    const OptionalInput<T> scale(op, "gamma", gamma, {shape.channels}),
        shift(op, "beta", beta, {shape.channels}), center(op, "mean", mean, {shape.channels}),
        spread(op, "variance", variance, {shape.channels});
    Output<T> y(op, shape_of(x), out, {x}), inverse(op, {shape.channels});
    const Epilogue last = epilogue(activation, p_a, p_b, p_c);
    invoke(&fastnn::cpu::batch_norm_inference<T>, in.data(), scale.data(), shift.data(), center.data(),
           spread.data(), y.data(), inverse.data(), shape, epsilon, last.activation, last.parameters);
    return py::make_tuple(y.array(), inverse.array());
  });
}

/// (dx, dgamma, dbeta), each None unless it is needed.
py::tuple batch_norm_backward(const Array& x, const Out& gamma, const Out& beta, const Out& mask,
                              const Array& mean, const Array& inverse, const Array& dy, bool given,
                              int activation, double p_a, double p_b, double p_c, bool need_dx,
                              bool need_dgamma, bool need_dbeta, const Out& dgamma_out,
                              const Out& dbeta_out) {
  constexpr const char* op = "batch_norm_backward";
  require_shape(op, "dy", x, dy);
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x), gradient(op, "dy", dy);
    const BatchNormShape shape = shape_for(op, x);
    const OptionalInput<T> scale(op, "gamma", gamma, {shape.channels}),
        shift(op, "beta", beta, {shape.channels}), center(op, "mean", mean, {shape.channels}),
        spread(op, "inverse", inverse, {shape.channels});
    const Kept keep(op, mask, shape);
    OptionalOutput<T> dx(op, need_dx, shape_of(x)),
        dgamma(op, need_dgamma, {shape.channels}, dgamma_out, {x, dy}),
        dbeta(op, need_dbeta, {shape.channels}, dbeta_out, {x, dy});
    const Epilogue last = epilogue(activation, p_a, p_b, p_c);
    if (given)
      invoke(&fastnn::cpu::batch_norm_inference_backward<T>, in.data(), scale.data(), shift.data(),
             center.data(), spread.data(), gradient.data(), dx.data(), dgamma.data(), dbeta.data(), shape,
             last.activation, last.parameters);
    else
      invoke(&fastnn::cpu::batch_norm_backward<T>, in.data(), scale.data(), shift.data(), keep.data(),
             center.data(), spread.data(), gradient.data(), dx.data(), dgamma.data(), dbeta.data(), shape,
             last.activation, last.parameters);
    return py::make_tuple(dx.object(), dgamma.object(), dbeta.object());
  });
}

}  // namespace

void bind_batch_norm(py::module_& m) {
  using py::arg;
  m.def("batch_norm", &batch_norm, arg("x"), arg("gamma"), arg("beta"), arg("mask"), arg("moving_mean"),
        arg("moving_variance"), arg("momentum"), arg("epsilon"), arg("activation") = int(Unary::linear),
        arg("p_a") = 0.0, arg("p_b") = 0.0, arg("p_c") = 0.0, arg("out") = py::none());
  m.def("batch_norm_inference", &batch_norm_inference, arg("x"), arg("gamma"), arg("beta"), arg("mean"),
        arg("variance"), arg("epsilon"), arg("activation") = int(Unary::linear), arg("p_a") = 0.0,
        arg("p_b") = 0.0, arg("p_c") = 0.0, arg("out") = py::none());
  m.def("batch_norm_backward", &batch_norm_backward, arg("x"), arg("gamma"), arg("beta"), arg("mask"),
        arg("mean"), arg("inverse"), arg("dy"), arg("given") = false, arg("activation") = int(Unary::linear),
        arg("p_a") = 0.0, arg("p_b") = 0.0, arg("p_c") = 0.0, arg("need_dx") = true,
        arg("need_dgamma") = true, arg("need_dbeta") = true, arg("dgamma_out") = py::none(),
        arg("dbeta_out") = py::none());
}
