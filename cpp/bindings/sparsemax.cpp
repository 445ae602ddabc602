#include "fastnn/sparsemax.hpp"

#include "row_maps.hpp"

namespace py = pybind11;
using namespace fastnn::py;

void bind_sparsemax(py::module_& m) {
  using py::arg;
  m.def(
      "sparsemax",
      [](const Array& x, const Out& out) {
        return map_rows("sparsemax", x, out, [](auto e) { return &fastnn::cpu::sparsemax<decltype(e)>; });
      },
      arg("x"), arg("out") = py::none());
  m.def(
      "sparsemax_backward",
      [](const Array& y, const Array& dy) {
        return map_rows_backward("sparsemax_backward", y, dy,
                                 [](auto e) { return &fastnn::cpu::sparsemax_backward<decltype(e)>; });
      },
      arg("y"), arg("dy"));
}
