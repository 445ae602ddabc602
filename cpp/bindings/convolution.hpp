#pragma once

// Geometry of convolutions, from Python. Whatever is 1D is 2D with one row.

#include <pybind11/stl.h>

#include <array>

#include "arrays.hpp"
#include "fastnn/conv2d.hpp"
#include "unary_codes.hpp"

namespace fastnn::py {

/// How a kernel moves: strides, dilations, whether padding is "same", explicit padding (top, bottom, left,
/// right), groups.
using Window = std::array<Index, 10>;

/// The sizes of a convolution of x (n, h, w, c) or (n, w, c), and of w, in which `inner` and `outer` are the
/// axes from the end of channels in and out.
inline Conv2dShape convolution_shape(const char* op, const Array& x, const Array& w, int axes,
                                     const Window& window) {
  require(op, x.ndim() == axes + 2, "expected x with ", axes + 2, " axes ",
          axes == 2 ? "(n, h, w, c)" : "(n, w, c)", ", got x ", x);
  require(op, w.ndim() == axes + 2, "expected w with ", axes + 2, " axes ",
          axes == 2 ? "(kh, kw, c / groups, o)" : "(kw, c / groups, o)", ", got w ", w);
  Conv2dShape s;
  s.n = x.shape(0), s.h = axes == 2 ? x.shape(1) : 1, s.w = x.shape(axes), s.c = x.shape(axes + 1);
  s.kh = axes == 2 ? w.shape(0) : 1, s.kw = w.shape(axes - 1), s.o = w.shape(axes + 1);
  s.stride_h = window[0], s.stride_w = window[1], s.dilation_h = window[2], s.dilation_w = window[3];
  s.top = window[5], s.bottom = window[6], s.left = window[7], s.right = window[8], s.groups = window[9];
  if (window[4]) s.pad_same();
  return s;
}

/// The shape of y for x.
inline Shape convolved_shape(const Array& x, const Conv2dShape& s) {
  if (x.ndim() == 3) return {s.n, s.out_w(), s.o};
  return {s.n, s.out_h(), s.out_w(), s.o};
}

/// b, which has to be (o,), or none.
template <class T> std::optional<Input<T>> bias_of(const char* op, const Out& b, Index o, const Array& w) {
  if (!b) return std::nullopt;
  require(op, b->ndim() == 1 && b->shape(0) == o, "expected b (", o, ",) for w ", w, ", got b ", *b);
  return Input<T>(op, "b", *b);
}

/// A gradient that is computed only where it is needed: its memory or null, its array or None.
template <class T> T* data_of(std::optional<Output<T>>& output) { return output ? output->data() : nullptr; }
template <class T> pyb::object result_of(std::optional<Output<T>>& output) {
  return output ? pyb::object(output->array()) : pyb::none();
}

}  // namespace fastnn::py
