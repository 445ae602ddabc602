#include "fastnn/cross_entropy.hpp"

#include "losses.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;
using fastnn::Reduction;

namespace {

bool is_floating(const Array& x) { return x.dtype().kind() == 'f'; }

/// Integers of any width as dense int64.
Array wide_labels(const Array& labels) {
  return py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>(labels);
}

/// Labels of softmax cross-entropy: integers by row, or floating targets of logits' shape.
template <class T> struct Labels {
  std::optional<Input<std::int64_t>> integers;
  std::optional<Input<T>> targets;

  Labels(const char* op, const Array& labels, const Shape& shape) {
    if (is_floating(labels)) {
      fastnn::py::require_shape(op, "floating labels", shape, labels);
      targets.emplace(op, "labels", labels);
    } else {
      fastnn::py::require_shape(op, "integer labels", without_last(shape), labels);
      integers.emplace(op, "labels", wide_labels(labels));
    }
  }
  const std::int64_t* rows() const { return integers ? integers->data() : nullptr; }
  const T* dense() const { return targets ? targets->data() : nullptr; }
};

fastnn::SoftmaxCrossEntropy settings(const char* op, const Array& x, int reduction, double smoothing,
                                     std::optional<std::int64_t> ignored) {
  require(op, x.ndim() > 0, "expected logits with at least 1 axis, got a scalar");
  const Index cols = x.shape(x.ndim() - 1);
  return {cols ? x.size() / cols : size_of(without_last(shape_of(x))),
          cols,
          reduction_of(op, reduction),
          smoothing,
          ignored.has_value(),
          ignored.value_or(0)};
}

py::tuple softmax_cross_entropy(const Array& x, const Array& labels, const Out& weight, int reduction,
                                double smoothing, std::optional<std::int64_t> ignored) {
  constexpr const char* op = "softmax_cross_entropy";
  return with_float(op, "logits", x, [&](auto element) {
    using T = decltype(element);
    const auto s = settings(op, x, reduction, smoothing, ignored);
    const Shape shape = shape_of(x), rows = without_last(shape);
    const Input<T> logits(op, "logits", x);
    const Labels<T> given(op, labels, shape);
    fastnn::py::require_shape(op, "sample_weight", rows, weight);
    const OptionalInput<T> weights(op, "sample_weight", weight);
    Output<T> loss(op, s.reduction == Reduction::none ? rows : Shape{}), y(op, shape), scale(op, Shape{});
    invoke(&fastnn::cpu::softmax_cross_entropy<T>, s, logits.data(), given.rows(), given.dense(),
           weights.data(), loss.data(), y.data(), scale.data());
    return py::make_tuple(loss.array(), y.array(), scale.array());
  });
}

Array softmax_cross_entropy_backward(const Array& y, const Array& labels, const Out& weight,
                                     const Array& scale, const Array& dy, int reduction, double smoothing,
                                     std::optional<std::int64_t> ignored) {
  constexpr const char* op = "softmax_cross_entropy_backward";
  return with_float(op, "y", y, [&](auto element) {
    using T = decltype(element);
    const auto s = settings(op, y, reduction, smoothing, ignored);
    const Shape shape = shape_of(y), rows = without_last(shape);
    const Input<T> softmax(op, "y", y), gradient(op, "dy", dy), factor(op, "scale", scale);
    const Labels<T> given(op, labels, shape);
    const OptionalInput<T> weights(op, "sample_weight", weight);
    fastnn::py::require_shape(op, "dy", s.reduction == Reduction::none ? rows : Shape{}, dy);
    Output<T> dx(op, shape);
    invoke(&fastnn::cpu::softmax_cross_entropy_backward<T>, s, softmax.data(), given.rows(), given.dense(),
           weights.data(), factor.data(), gradient.data(), dx.data());
    return dx.array();
  });
}

fastnn::SigmoidCrossEntropy sigmoid_settings(const char* op, const Array& x, const Array& labels,
                                             const Out& weight, int reduction, double smoothing) {
  if (!same_shape(x, labels))
    throw py::value_error(message(op, "expected labels of logits' shape ", text(x), ", got ", text(labels)));
  const Shape shape = shape_of(x);
  if (weight && shape_of(*weight) != shape && shape_of(*weight) != without_last(shape))
    throw py::value_error(message(op, "expected sample_weight of shape ", text(shape), " or ",
                                  text(without_last(shape)), ", got ", text(*weight)));
  const Index rows = weight ? weight->size() : 1;
  return {rows, rows ? x.size() / rows : 0, reduction_of(op, reduction), smoothing};
}

Array sigmoid_cross_entropy(const Array& x, const Array& labels, const Out& weight, int reduction,
                            double smoothing) {
  constexpr const char* op = "sigmoid_cross_entropy";
  return with_float(op, "logits", x, [&](auto element) {
    using T = decltype(element);
    const auto s = sigmoid_settings(op, x, labels, weight, reduction, smoothing);
    const Input<T> logits(op, "logits", x), targets(op, "labels", labels);
    const OptionalInput<T> weights(op, "sample_weight", weight);
    Output<T> loss(op, s.reduction == Reduction::none ? shape_of(x) : Shape{});
    invoke(&fastnn::cpu::sigmoid_cross_entropy<T>, s, logits.data(), targets.data(), weights.data(),
           loss.data());
    return loss.array();
  });
}

Array sigmoid_cross_entropy_backward(const Array& x, const Array& labels, const Out& weight, const Array& dy,
                                     int reduction, double smoothing) {
  constexpr const char* op = "sigmoid_cross_entropy_backward";
  return with_float(op, "logits", x, [&](auto element) {
    using T = decltype(element);
    const auto s = sigmoid_settings(op, x, labels, weight, reduction, smoothing);
    const Input<T> logits(op, "logits", x), targets(op, "labels", labels), gradient(op, "dy", dy);
    const OptionalInput<T> weights(op, "sample_weight", weight);
    fastnn::py::require_shape(op, "dy", s.reduction == Reduction::none ? shape_of(x) : Shape{}, dy);
    Output<T> dx(op, shape_of(x));
    invoke(&fastnn::cpu::sigmoid_cross_entropy_backward<T>, s, logits.data(), targets.data(), weights.data(),
           gradient.data(), dx.data());
    return dx.array();
  });
}

void require_probabilities(const Array& p) {
  constexpr const char* op = "crossentropy";
  with_float(op, "probabilities", p, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "probabilities", p);
    invoke(&fastnn::cpu::require_probabilities<T>, in.data(), in.size());
  });
}

}  // namespace

void bind_cross_entropy(py::module_& m) {
  using py::arg;
  m.def("require_probabilities", &require_probabilities, arg("p"));
  m.def("softmax_cross_entropy", &softmax_cross_entropy, arg("logits"), arg("labels"), arg("sample_weight"),
        arg("reduction"), arg("label_smoothing"), arg("ignore_class"), "Returns (loss, softmax, scale).");
  m.def("softmax_cross_entropy_backward", &softmax_cross_entropy_backward, arg("y"), arg("labels"),
        arg("sample_weight"), arg("scale"), arg("dy"), arg("reduction"), arg("label_smoothing"),
        arg("ignore_class"));
  m.def("sigmoid_cross_entropy", &sigmoid_cross_entropy, arg("logits"), arg("labels"), arg("sample_weight"),
        arg("reduction"), arg("label_smoothing"));
  m.def("sigmoid_cross_entropy_backward", &sigmoid_cross_entropy_backward, arg("logits"), arg("labels"),
        arg("sample_weight"), arg("dy"), arg("reduction"), arg("label_smoothing"));
}
