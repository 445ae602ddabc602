#include "fastnn/normal.hpp"

#include "arrays.hpp"
#include "random_state.hpp"

namespace py = pybind11;
using namespace fastnn::py;

namespace {

Array normal(Array state, const Shape& shape, double mean, double stddev, const py::dtype& dtype) {
  constexpr const char* op = "normal";
  require(op, stddev >= 0, "expected stddev >= 0, got ", stddev);
  return with_float(op, "dtype", Array(dtype, Shape{0}), [&](auto element) {
    using T = decltype(element);
    Output<T> y(op, shape);
    invoke(&fastnn::cpu::normal<T>, state_of(op, state), y.data(), y.size(), mean, stddev);
    return y.array();
  });
}

}  // namespace

void bind_normal(py::module_& m) {
  using py::arg;
  m.def("normal", &normal, arg("state"), arg("shape"), arg("mean"), arg("stddev"), arg("dtype"),
        "A new array; moves the step in state on.");
}
