#include "fastnn/clipping.hpp"

#include "runs.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;

namespace {

void squared_norms(const Array& g, Array squares, const Array& runs) {
  constexpr const char* op = "squared_norms";
  with_float(op, "g", g, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "g", g);
    const Runs where(op, runs, in.size());
    invoke(&fastnn::cpu::squared_norms<T>, in.data(), updated<double>(op, "squares", squares, where.count()),
           where.data(), where.count());
  });
}

void clip_factors(const Array& squares, Array scales, double limit, double factor, bool joint) {
  constexpr const char* op = "clip_factors";
  const Index count = squares.size();
  invoke(&fastnn::cpu::clip_factors, numbers<double>(op, "squares", squares, count),
         updated<double>(op, "scales", scales, count), count, fastnn::ClipSettings{limit, factor, joint});
}

}  // namespace

void bind_clipping(py::module_& m) {
  using py::arg;
  m.def("squared_norms", &squared_norms, arg("g"), arg("squares"), arg("runs"));
  m.def("clip_factors", &clip_factors, arg("squares"), arg("scales"), arg("limit"), arg("factor"),
        arg("joint"));
}
