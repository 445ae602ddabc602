#include "fastnn/lrn.hpp"

#include "norms.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;
using fastnn::LrnSettings;

namespace {

Array lrn(const Array& x, Index size, double alpha, double beta, double k, const Out& out) {
  return with_float("lrn", "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in("lrn", "x", x);
    const RowsOf shape("lrn", x);
    Output<T> y("lrn", shape_of(x), out, {x});
    invoke(&fastnn::cpu::lrn<T>, in.data(), y.data(), shape.rows, shape.cols,
           LrnSettings{size, alpha, beta, k});
    return y.array();
  });
}

Array lrn_backward(const Array& x, const Array& dy, Index size, double alpha, double beta, double k) {
  constexpr const char* op = "lrn_backward";
  require_shape(op, "dy", x, dy);
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x), gradient(op, "dy", dy);
    const RowsOf shape(op, x);
    Output<T> dx(op, shape_of(x));
    invoke(&fastnn::cpu::lrn_backward<T>, in.data(), gradient.data(), dx.data(), shape.rows, shape.cols,
           LrnSettings{size, alpha, beta, k});
    return dx.array();
  });
}

}  // namespace

void bind_lrn(py::module_& m) {
  using py::arg;
  m.def("lrn", &lrn, arg("x"), arg("size"), arg("alpha"), arg("beta"), arg("k"), arg("out") = py::none());
  m.def("lrn_backward", &lrn_backward, arg("x"), arg("dy"), arg("size"), arg("alpha"), arg("beta"), arg("k"));
}
