#include "fastnn/optimizers.hpp"

#include "runs.hpp"

namespace py = pybind11;
using namespace fastnn::py;

namespace {

using Maybe = std::optional<Array>;

void sgd(Array p, const Array& g, Maybe velocity, const Array& runs, const Maybe& scales,
         const Array& learning_rate, double clip_value, double weight_decay, double momentum,
         double dampening, bool nesterov) {
  with_float("sgd", "p", p, [&](auto element) {
    using T = decltype(element);
    const Step<T> all("sgd", p, g, runs, scales, learning_rate);
    invoke(&fastnn::cpu::sgd<T>, all.p, all.g.data(), all.slot("velocity", velocity), all.runs.data(),
           all.runs.count(), all.scales, all.learning_rate,
           fastnn::SgdSettings{momentum, dampening, nesterov, {clip_value, weight_decay}});
  });
}

void rmsprop(Array p, const Array& g, Array s, Maybe mean, Maybe velocity, const Array& runs,
             const Maybe& scales, const Array& learning_rate, double clip_value, double weight_decay,
             double rho, double momentum, double epsilon, const std::string& placement) {
  with_float("rmsprop", "p", p, [&](auto element) {
    using T = decltype(element);
    const Step<T> all("rmsprop", p, g, runs, scales, learning_rate);
    invoke(&fastnn::cpu::rmsprop<T>, all.p, all.g.data(), all.slot("s", s), all.slot("mean", mean),
           all.slot("velocity", velocity), all.runs.data(), all.runs.count(), all.scales, all.learning_rate,
           fastnn::RmspropSettings{
               rho, momentum, epsilon, epsilon_placement("rmsprop", placement), {clip_value, weight_decay}});
  });
}

void adagrad(Array p, const Array& g, Array s, const Array& runs, const Maybe& scales,
             const Array& learning_rate, double clip_value, double weight_decay, double epsilon,
             const std::string& placement) {
  with_float("adagrad", "p", p, [&](auto element) {
    using T = decltype(element);
    const Step<T> all("adagrad", p, g, runs, scales, learning_rate);
    invoke(&fastnn::cpu::adagrad<T>, all.p, all.g.data(), all.slot("s", s), all.runs.data(), all.runs.count(),
           all.scales, all.learning_rate,
           fastnn::AdagradSettings{
               epsilon, epsilon_placement("adagrad", placement), {clip_value, weight_decay}});
  });
}

void adadelta(Array p, const Array& g, Array s, Array d, const Array& runs, const Maybe& scales,
              const Array& learning_rate, double clip_value, double weight_decay, double rho,
              double epsilon) {
  with_float("adadelta", "p", p, [&](auto element) {
    using T = decltype(element);
    const Step<T> all("adadelta", p, g, runs, scales, learning_rate);
    invoke(&fastnn::cpu::adadelta<T>, all.p, all.g.data(), all.slot("s", s), all.slot("d", d),
           all.runs.data(), all.runs.count(), all.scales, all.learning_rate,
           fastnn::AdadeltaSettings{rho, epsilon, {clip_value, weight_decay}});
  });
}

void lion(Array p, const Array& g, Array m, const Array& runs, const Maybe& scales,
          const Array& learning_rate, double clip_value, double weight_decay, double beta_1, double beta_2) {
  with_float("lion", "p", p, [&](auto element) {
    using T = decltype(element);
    const Step<T> all("lion", p, g, runs, scales, learning_rate);
    invoke(&fastnn::cpu::lion<T>, all.p, all.g.data(), all.slot("m", m), all.runs.data(), all.runs.count(),
           all.scales, all.learning_rate, fastnn::LionSettings{beta_1, beta_2, {clip_value, weight_decay}});
  });
}

void ftrl(Array p, const Array& g, Array s, Array z, const Array& runs, const Maybe& scales,
          const Array& learning_rate, double clip_value, double weight_decay, double power, double l1,
          double l2, double shrinkage, double beta) {
  with_float("ftrl", "p", p, [&](auto element) {
    using T = decltype(element);
    const Step<T> all("ftrl", p, g, runs, scales, learning_rate);
    invoke(&fastnn::cpu::ftrl<T>, all.p, all.g.data(), all.slot("s", s), all.slot("z", z), all.runs.data(),
           all.runs.count(), all.scales, all.learning_rate,
           fastnn::FtrlSettings{power, l1, l2, shrinkage, beta, {clip_value, weight_decay}});
  });
}

}  // namespace

void bind_optimizers(py::module_& m) {
  using py::arg;
  m.def("sgd", &sgd, arg("p"), arg("g"), arg("velocity"), arg("runs"), arg("scales"), arg("learning_rate"),
        arg("clip_value"), arg("weight_decay"), arg("momentum"), arg("dampening"), arg("nesterov"));
  m.def("rmsprop", &rmsprop, arg("p"), arg("g"), arg("s"), arg("mean"), arg("velocity"), arg("runs"),
        arg("scales"), arg("learning_rate"), arg("clip_value"), arg("weight_decay"), arg("rho"),
        arg("momentum"), arg("epsilon"), arg("placement"));
  m.def("adagrad", &adagrad, arg("p"), arg("g"), arg("s"), arg("runs"), arg("scales"), arg("learning_rate"),
        arg("clip_value"), arg("weight_decay"), arg("epsilon"), arg("placement"));
  m.def("adadelta", &adadelta, arg("p"), arg("g"), arg("s"), arg("d"), arg("runs"), arg("scales"),
        arg("learning_rate"), arg("clip_value"), arg("weight_decay"), arg("rho"), arg("epsilon"));
  m.def("lion", &lion, arg("p"), arg("g"), arg("m"), arg("runs"), arg("scales"), arg("learning_rate"),
        arg("clip_value"), arg("weight_decay"), arg("beta_1"), arg("beta_2"));
  m.def("ftrl", &ftrl, arg("p"), arg("g"), arg("s"), arg("z"), arg("runs"), arg("scales"),
        arg("learning_rate"), arg("clip_value"), arg("weight_decay"), arg("power"), arg("l1"), arg("l2"),
        arg("shrinkage"), arg("beta"));
}
