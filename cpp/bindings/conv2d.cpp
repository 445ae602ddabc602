#include "fastnn/conv2d.hpp"

#include "convolution.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Conv2dShape;
using fastnn::Index;

namespace {

Conv2dShape conv2d_shape(const char* op, const Array& x, const Array& w, int axes, const Window& window) {
  const Conv2dShape s = convolution_shape(op, x, w, axes, window, "c / groups, o");
  s.check(op);
  require(op, s.group_c() == w.shape(axes), "expected w with ", s.c, " / ", s.groups, " channels in for x ",
          x, " and groups ", s.groups, ", got w ", w);
  return s;
}

py::object conv2d_forward(const Array& x, const Array& w, const Out& b, int axes, const Window& window,
                          const Activation& activation, bool keep_z, const Out& out,
                          const std::optional<fastnn::KeptKernel>& kept) {
  const char* const op = axes == 1 ? "conv1d" : "conv2d";
  const Conv2dShape s = conv2d_shape(op, x, w, axes, window);
  return convolve(
      op, x, w, b, s.o, image_shape(axes, s.n, s.out_h(), s.out_w(), s.o), s, activation, keep_z, out,
      [](auto element) { return &fastnn::cpu::conv2d<decltype(element)>; }, kept.value_or(nullptr));
}

py::object conv2d_batch_norm(const Array& x, const Array& w, const Out& b, int axes, const Window& window,
                             const Statistics& statistics, const Activation& activation,
                             const std::optional<fastnn::KeptKernel>& kept) {
  const char* const op = axes == 1 ? "conv1d" : "conv2d";
  const Conv2dShape s = conv2d_shape(op, x, w, axes, window);
  return convolve_and_normalise(op, x, w, b, s.o, image_shape(axes, s.n, s.out_h(), s.out_w(), s.o), s,
                                statistics, activation, kept.value_or(nullptr));
}

py::tuple conv2d_backward(const Array& x, const Array& w, const Array& saved, const Array& dy, int axes,
                          const Window& window, const Activation& activation, bool need_dx, bool need_dw,
                          bool need_db, const Out& dw_out, const Out& db_out) {
  const char* const op = axes == 1 ? "conv1d_backward" : "conv2d_backward";
  const Conv2dShape s = conv2d_shape(op, x, w, axes, window);
  return convolve_backward(op, x, w, saved, dy, s.o, image_shape(axes, s.n, s.out_h(), s.out_w(), s.o), s,
                           activation, {need_dx, need_dw, need_db, dw_out, db_out},
                           [](auto element) { return &fastnn::cpu::conv2d_backward<decltype(element)>; });
}

/// The convolution whose gradient it is. Padding after the image is less than 0 where y goes on beyond what
/// the kernels reach.
Conv2dShape transposed_shape(const char* op, const Array& x, const Array& w, int axes, const Window& window) {
  Conv2dShape s = convolution_shape(op, x, w, axes, window, "o, c");
  require(op, s.c == w.shape(axes + 1), "expected w with ", s.c, " channels in for x ", x, ", got w ", w);
  const Index in_h = s.h, in_w = s.w;
  s.c = w.shape(axes), s.o = w.shape(axes + 1);
  s.h = (in_h - 1) * s.stride_h + s.window_h() - s.top - s.bottom;
  s.w = (in_w - 1) * s.stride_w + s.window_w() - s.left - s.right;
  require(op, s.h >= 0 && s.w >= 0, "expected padding that leaves something of the output, got x ", x,
          " and w ", w);
  s.bottom = std::max<Index>(0, s.bottom), s.right = std::max<Index>(0, s.right);
  s.check(op);
  require(op, s.out_h() == in_h && s.out_w() == in_w, "expected output_padding smaller than strides (",
          s.stride_h, ", ", s.stride_w, "), got an output of ", s.h, " x ", s.w, " for x ", x);
  return s;
}

py::object transposed(const Array& x, const Array& w, const Out& b, int axes, const Window& window,
                      const Activation& activation, bool keep_z, const Out& out) {
  const char* const op = axes == 1 ? "conv_transpose1d" : "conv_transpose2d";
  const Conv2dShape s = transposed_shape(op, x, w, axes, window);
  return convolve(op, x, w, b, s.c, image_shape(axes, s.n, s.h, s.w, s.c), s, activation, keep_z, out,
                  [](auto element) { return &fastnn::cpu::conv_transpose2d<decltype(element)>; });
}

py::tuple transposed_backward(const Array& x, const Array& w, const Array& saved, const Array& dy, int axes,
                              const Window& window, const Activation& activation, bool need_dx, bool need_dw,
                              bool need_db, const Out& dw_out, const Out& db_out) {
  const char* const op = axes == 1 ? "conv_transpose1d_backward" : "conv_transpose2d_backward";
  const Conv2dShape s = transposed_shape(op, x, w, axes, window);
  return convolve_backward(op, x, w, saved, dy, s.c, image_shape(axes, s.n, s.h, s.w, s.c), s, activation,
                           {need_dx, need_dw, need_db, dw_out, db_out}, [](auto element) {
                             return &fastnn::cpu::conv_transpose2d_backward<decltype(element)>;
                           });
}

}  // namespace

void bind_conv2d(py::module_& m) {
  using fastnn::PackedKernel;
  py::class_<PackedKernel, fastnn::KeptKernel>(m, "PackedKernel")
      .def(py::init<>())
      .def_property_readonly("bytes", &PackedKernel::bytes);
  // Recorded, so that a replayed step that writes weights says so, too.
  m.def("weights_changed", [] { invoke(&PackedKernel::weights_changed); });
  m.def("conv2d_batch_norm", &conv2d_batch_norm, py::arg("x"), py::arg("w"), py::arg("b"), py::arg("axes"),
        py::arg("window"), py::arg("statistics"), py::arg("activation"), py::arg("kept") = py::none());
  bind_convolution(m, "conv2d", &conv2d_forward, &conv2d_backward, py::arg("kept") = py::none());
  bind_convolution(m, "conv_transpose2d", &transposed, &transposed_backward);
}
