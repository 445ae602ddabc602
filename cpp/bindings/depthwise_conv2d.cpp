#include "fastnn/depthwise_conv2d.hpp"

#include "convolution.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Conv2dShape;

namespace {

Conv2dShape depthwise_shape(const char* op, const Array& x, const Array& w, int axes, const Window& window) {
  Conv2dShape s = convolution_shape(op, x, w, axes, window, "c, multiplier");
  require(op, s.c == w.shape(axes), "expected w with ", s.c, " channels for x ", x, ", got w ", w);
  s.groups = std::max<fastnn::Index>(1, s.c), s.o *= s.c;
  s.check(op);
  return s;
}

py::object depthwise_forward(const Array& x, const Array& w, const Out& b, int axes, const Window& window,
                             const Activation& activation, bool keep_z, const Out& out) {
  const char* const op = axes == 1 ? "depthwise_conv1d" : "depthwise_conv2d";
  const Conv2dShape s = depthwise_shape(op, x, w, axes, window);
  return convolve(op, x, w, b, s.o, image_shape(axes, s.n, s.out_h(), s.out_w(), s.o), s, activation, keep_z,
                  out, [](auto element) { return &fastnn::cpu::depthwise_conv2d<decltype(element)>; });
}

py::object depthwise_batch_norm(const Array& x, const Array& w, const Out& b, int axes, const Window& window,
                                const Statistics& statistics, const Activation& activation) {
  const char* const op = axes == 1 ? "depthwise_conv1d" : "depthwise_conv2d";
  const Conv2dShape s = depthwise_shape(op, x, w, axes, window);
  return convolve_and_normalise(op, x, w, b, s.o, image_shape(axes, s.n, s.out_h(), s.out_w(), s.o), s,
                                statistics, activation, nullptr);
}

py::tuple depthwise_backward(const Array& x, const Array& w, const Array& saved, const Array& dy, int axes,
                             const Window& window, const Activation& activation, bool need_dx, bool need_dw,
                             bool need_db, const Out& dw_out, const Out& db_out) {
  const char* const op = axes == 1 ? "depthwise_conv1d_backward" : "depthwise_conv2d_backward";
  const Conv2dShape s = depthwise_shape(op, x, w, axes, window);
  return convolve_backward(op, x, w, saved, dy, s.o, image_shape(axes, s.n, s.out_h(), s.out_w(), s.o), s,
                           activation, {need_dx, need_dw, need_db, dw_out, db_out}, [](auto element) {
                             return &fastnn::cpu::depthwise_conv2d_backward<decltype(element)>;
                           });
}

}  // namespace

void bind_depthwise_conv2d(py::module_& m) {
  m.def("depthwise_conv2d_batch_norm", &depthwise_batch_norm, py::arg("x"), py::arg("w"), py::arg("b"),
        py::arg("axes"), py::arg("window"), py::arg("statistics"), py::arg("activation"));
  bind_convolution(m, "depthwise_conv2d", &depthwise_forward, &depthwise_backward);
}
