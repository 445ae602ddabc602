#include "fastnn/softmax.hpp"

#include "row_maps.hpp"

namespace py = pybind11;
using namespace fastnn::py;

void bind_softmax(py::module_& m) {
  using py::arg;
  m.def(
      "softmax",
      [](const Array& x, const Out& out) {
        return map_rows("softmax", x, out, [](auto e) { return &fastnn::cpu::softmax<decltype(e)>; });
      },
      arg("x"), arg("out") = py::none());
  m.def(
      "softmax_backward",
      [](const Array& y, const Array& dy) {
        return map_rows_backward("softmax_backward", y, dy,
                                 [](auto e) { return &fastnn::cpu::softmax_backward<decltype(e)>; });
      },
      arg("y"), arg("dy"));
  m.def(
      "log_softmax",
      [](const Array& x, const Out& out) {
        return map_rows("log_softmax", x, out, [](auto e) { return &fastnn::cpu::log_softmax<decltype(e)>; });
      },
      arg("x"), arg("out") = py::none());
  m.def(
      "log_softmax_backward",
      [](const Array& y, const Array& dy) {
        return map_rows_backward("log_softmax_backward", y, dy,
                                 [](auto e) { return &fastnn::cpu::log_softmax_backward<decltype(e)>; });
      },
      arg("y"), arg("dy"));
}
