#include "fastnn/averages.hpp"

#include "runs.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;

namespace {

void accumulate(Array total, const std::optional<Array>& x, const Array& runs) {
  constexpr const char* op = "accumulate";
  with_float(op, "total", total, [&](auto element) {
    using T = decltype(element);
    const Index n = total.size();
    T* const to = updated<T>(op, "total", total, n);
    const Runs where(op, runs, n);
    if (x) require_shape(op, "x", total, *x);
    const auto in = x ? std::optional<Input<T>>(std::in_place, op, "x", *x) : std::nullopt;
    invoke(&fastnn::cpu::accumulate<T>, to, in ? in->data() : nullptr, where.data(), where.count());
  });
}

void move_average(Array average, const Array& x, const Array& runs, const Array& step, double momentum) {
  constexpr const char* op = "move_average";
  with_float(op, "average", average, [&](auto element) {
    using T = decltype(element);
    const Index n = average.size();
    T* const to = updated<T>(op, "average", average, n);
    const Runs where(op, runs, n);
    require_shape(op, "x", average, x);
    const Input<T> in(op, "x", x);
    invoke(&fastnn::cpu::move_average<T>, to, in.data(), where.data(), where.count(),
           numbers<std::int64_t>(op, "step", step, 1), momentum);
  });
}

}  // namespace

void bind_averages(py::module_& m) {
  using py::arg;
  m.def("accumulate", &accumulate, arg("total"), arg("x"), arg("runs"));
  m.def("move_average", &move_average, arg("average"), arg("x"), arg("runs"), arg("step"), arg("momentum"));
}
