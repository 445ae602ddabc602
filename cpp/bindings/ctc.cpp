#include "fastnn/ctc.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::CtcShape;
using fastnn::Index;

namespace {

constexpr const char* kCtc = "ctc";

CtcShape ctc_shape(const Array& logits, const Array& labels, const Array& label_lengths,
                   const Array& logit_lengths, Index blank) {
  require(kCtc, logits.ndim() == 3, "expected output (n, t, classes), got ", logits);
  const Index n = logits.shape(0);
  require(kCtc, labels.ndim() == 2 && labels.shape(0) == n, "expected target (", n, ", labels), got ",
          labels);
  for (const Array* x : {&label_lengths, &logit_lengths})
    require(kCtc, shape_of(*x) == Shape{n}, "expected lengths (", n, ",), got ", *x);
  return {n, logits.shape(1), logits.shape(2), labels.shape(1), blank};
}

struct CtcTargets {
  CtcShape shape;
  Input<std::int64_t> labels, label_lengths, logit_lengths;

  CtcTargets(const Array& logits, const Array& labels_, const Array& label_lengths_,
             const Array& logit_lengths_, Index blank)
      : shape(ctc_shape(logits, labels_, label_lengths_, logit_lengths_, blank)),
        labels(kCtc, "target", labels_),
        label_lengths(kCtc, "target_length", label_lengths_),
        logit_lengths(kCtc, "output_length", logit_lengths_) {}
};

Array ctc(const Array& logits, const Array& labels, const Array& label_lengths, const Array& logit_lengths,
          Index blank) {
  return with_float(kCtc, "output", logits, [&](auto element) {
    using T = decltype(element);
    const CtcTargets targets(logits, labels, label_lengths, logit_lengths, blank);
    const Input<T> in(kCtc, "output", logits);
    Output<T> loss(kCtc, Shape{targets.shape.n});
    invoke(&fastnn::cpu::ctc<T>, in.data(), targets.labels.data(), targets.label_lengths.data(),
           targets.logit_lengths.data(), loss.data(), targets.shape);
    return loss.array();
  });
}

Array ctc_backward(const Array& logits, const Array& labels, const Array& label_lengths,
                   const Array& logit_lengths, Index blank, const Array& dloss) {
  return with_float(kCtc, "output", logits, [&](auto element) {
    using T = decltype(element);
    const CtcTargets targets(logits, labels, label_lengths, logit_lengths, blank);
    const Input<T> in(kCtc, "output", logits), slope(kCtc, "dloss", dloss);
    require(kCtc, shape_of(dloss) == Shape{targets.shape.n}, "expected another dloss, got ", dloss);
    Output<T> dlogits(kCtc, shape_of(logits));
    invoke(&fastnn::cpu::ctc_backward<T>, in.data(), targets.labels.data(), targets.label_lengths.data(),
           targets.logit_lengths.data(), slope.data(), dlogits.data(), targets.shape);
    return dlogits.array();
  });
}

}  // namespace

void bind_ctc(py::module_& m) {
  using py::arg;
  m.def("ctc", &ctc, arg("logits"), arg("labels"), arg("label_lengths"), arg("logit_lengths"), arg("blank"));
  m.def("ctc_backward", &ctc_backward, arg("logits"), arg("labels"), arg("label_lengths"),
        arg("logit_lengths"), arg("blank"), arg("dloss"));
}
