#include "fastnn/adam.hpp"

#include "runs.hpp"

namespace py = pybind11;
using namespace fastnn::py;

namespace {

using Maybe = std::optional<Array>;

void adam(Array p, const Array& g, Array m, Array v, Maybe largest, const Array& runs, const Maybe& scales,
          const Array& learning_rate, const Array& step, double clip_value, double weight_decay,
          double beta_1, double beta_2, double epsilon, const std::string& placement, bool bias_correction) {
  with_float("adam", "p", p, [&](auto element) {
    using T = decltype(element);
    const Step<T> all("adam", p, g, runs, scales, learning_rate);
    invoke(&fastnn::cpu::adam<T>, all.p, all.g.data(), all.slot("m", m), all.slot("v", v),
           all.slot("largest", largest), all.runs.data(), all.runs.count(), all.scales, all.learning_rate,
           numbers<std::int64_t>("adam", "step", step, 1),
           fastnn::AdamSettings{beta_1,
                                beta_2,
                                epsilon,
                                epsilon_placement("adam", placement),
                                bias_correction,
                                {clip_value, weight_decay}});
  });
}

void adamax(Array p, const Array& g, Array m, Array u, const Array& runs, const Maybe& scales,
            const Array& learning_rate, const Array& step, double clip_value, double weight_decay,
            double beta_1, double beta_2, double epsilon) {
  with_float("adamax", "p", p, [&](auto element) {
    using T = decltype(element);
    const Step<T> all("adamax", p, g, runs, scales, learning_rate);
    invoke(&fastnn::cpu::adamax<T>, all.p, all.g.data(), all.slot("m", m), all.slot("u", u), all.runs.data(),
           all.runs.count(), all.scales, all.learning_rate, numbers<std::int64_t>("adamax", "step", step, 1),
           fastnn::AdamaxSettings{beta_1, beta_2, epsilon, {clip_value, weight_decay}});
  });
}

void nadam(Array p, const Array& g, Array m, Array v, Array product, const Array& runs, const Maybe& scales,
           const Array& learning_rate, const Array& step, double clip_value, double weight_decay,
           double beta_1, double beta_2, double epsilon) {
  with_float("nadam", "p", p, [&](auto element) {
    using T = decltype(element);
    const Step<T> all("nadam", p, g, runs, scales, learning_rate);
    invoke(&fastnn::cpu::nadam<T>, all.p, all.g.data(), all.slot("m", m), all.slot("v", v),
           updated<double>("nadam", "product", product, 2), all.runs.data(), all.runs.count(), all.scales,
           all.learning_rate, numbers<std::int64_t>("nadam", "step", step, 1),
           fastnn::NadamSettings{beta_1, beta_2, epsilon, {clip_value, weight_decay}});
  });
}

}  // namespace

void bind_adam(py::module_& m) {
  using py::arg;
  m.def("adam", &adam, arg("p"), arg("g"), arg("m"), arg("v"), arg("largest"), arg("runs"), arg("scales"),
        arg("learning_rate"), arg("step"), arg("clip_value"), arg("weight_decay"), arg("beta_1"),
        arg("beta_2"), arg("epsilon"), arg("placement"), arg("bias_correction"));
  m.def("adamax", &adamax, arg("p"), arg("g"), arg("m"), arg("u"), arg("runs"), arg("scales"),
        arg("learning_rate"), arg("step"), arg("clip_value"), arg("weight_decay"), arg("beta_1"),
        arg("beta_2"), arg("epsilon"));
  m.def("nadam", &nadam, arg("p"), arg("g"), arg("m"), arg("v"), arg("product"), arg("runs"), arg("scales"),
        arg("learning_rate"), arg("step"), arg("clip_value"), arg("weight_decay"), arg("beta_1"),
        arg("beta_2"), arg("epsilon"));
}
