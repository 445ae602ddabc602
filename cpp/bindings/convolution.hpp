#pragma once

// What the bindings of convolutions share. Whatever is 1D is 2D with one row.

#include "arrays.hpp"
#include "fastnn/conv2d.hpp"
#include "numbers.hpp"
#include "optional.hpp"
#include "unary_codes.hpp"

namespace fastnn::py {

/// How a kernel moves: strides, dilations, whether padding is "same", explicit padding (top, bottom, left,
/// right), groups.
using Window = Numbers<10>;

/// The sizes of a convolution of x (n, h, w, c) or (n, w, c) with a kernel whose last two axes are
/// `channels`.
inline Conv2dShape convolution_shape(const char* op, const Array& x, const Array& w, int axes,
                                     const Window& window, const char* channels) {
  require(op, x.ndim() == axes + 2, "expected x with ", axes + 2, " axes ",
          axes == 2 ? "(n, h, w, c)" : "(n, w, c)", ", got x ", x);
  require(op, w.ndim() == axes + 2, "expected w with ", axes + 2, " axes ", axes == 2 ? "(kh, kw, " : "(kw, ",
          channels, "), got w ", w);
  Conv2dShape s;
  s.n = x.shape(0), s.h = axes == 2 ? x.shape(1) : 1, s.w = x.shape(axes), s.c = x.shape(axes + 1);
  s.kh = axes == 2 ? w.shape(0) : 1, s.kw = w.shape(axes - 1), s.o = w.shape(axes + 1);
  s.stride_h = window[0], s.stride_w = window[1], s.dilation_h = window[2], s.dilation_w = window[3];
  s.top = window[5], s.bottom = window[6], s.left = window[7], s.right = window[8], s.groups = window[9];
  if (window[4]) s.pad_same();
  return s;
}

/// (n, h, w, c), without the one row of what is 1D.
inline Shape image_shape(int axes, Index n, Index h, Index w, Index c) {
  if (axes == 1) return {n, w, c};
  return {n, h, w, c};
}

/// b, which has to be (units,), or none.
template <class T>
std::optional<Input<T>> bias_of(const char* op, const Out& b, Index units, const Array& w) {
  if (!b) return std::nullopt;
  require(op, b->ndim() == 1 && b->shape(0) == units, "expected b (", units, ",) for w ", w, ", got b ", *b);
  return Input<T>(op, "b", *b);
}

/// An activation as Python hands it over: its code and parameters.
using Activation = std::tuple<int, double, double, double>;

inline UnaryParameters parameters_of(const Activation& activation) {
  return {std::get<1>(activation), std::get<2>(activation), std::get<3>(activation)};
}

/// y of shape `result` with `units` channels, or (y, z) if keep_z. select: the entry point for an element
/// type; more: its arguments after those that all convolutions have.
template <typename Select, typename... More>
pyb::object convolve(const char* op, const Array& x, const Array& w, const Out& b, Index units,
                     const Shape& result, const Conv2dShape& shape, const Activation& activation, bool keep_z,
                     const Out& out, const Select& select, const More&... more) {
  return with_float(op, "x", x, [&](auto element) -> pyb::object {
    using T = decltype(element);
    const Input<T> input(op, "x", x), weight(op, "w", w);
    const std::optional<Input<T>> bias = bias_of<T>(op, b, units, w);
    Output<T> y(op, result, out, {x, w});
    std::optional<Output<T>> z;
    if (keep_z) z.emplace(op, result);
    invoke(select(element), input.data(), weight.data(), bias ? bias->data() : nullptr, y.data(),
           z ? z->data() : nullptr, shape, unary_of(op, std::get<0>(activation)), parameters_of(activation),
           more...);
    if (!z) return y.array();
    return pyb::make_tuple(y.array(), z->array());
  });
}

/// What a layer of batch normalisation has for each channel, and epsilon.
using Statistics = std::tuple<Out, Out, Array, Array, double>;  // gamma, beta, mean, variance

/// y of shape `result` with `units` channels, normalised by given statistics.
inline pyb::object convolve_and_normalise(const char* op, const Array& x, const Array& w, const Out& b,
                                          Index units, const Shape& result, const Conv2dShape& shape,
                                          const Statistics& statistics, const Activation& activation,
                                          const KeptKernel& kept) {
  return with_float(op, "x", x, [&](auto element) -> pyb::object {
    using T = decltype(element);
    const auto& [gamma, beta, mean, variance, epsilon] = statistics;
    const Input<T> input(op, "x", x), weight(op, "w", w);
    const std::optional<Input<T>> bias = bias_of<T>(op, b, units, w);
    const OptionalInput<T> scale(op, "gamma", gamma, {units}), shift(op, "beta", beta, {units}),
        center(op, "mean", mean, {units}), spread(op, "variance", variance, {units});
    Output<T> y(op, result);
    invoke(&cpu::conv2d_batch_norm<T>, input.data(), weight.data(), bias ? bias->data() : nullptr,
           scale.data(), shift.data(), center.data(), spread.data(), y.data(), shape, epsilon,
           unary_of(op, std::get<0>(activation)), parameters_of(activation), kept);
    return y.array();
  });
}

/// Which gradients are wanted, and where those of w and b go, or None.
struct WantedGradients {
  bool dx, dw, db;
  const Out &dw_out, &db_out;
};

/// (dx, dw, db), each None unless it is wanted.
template <typename Select> pyb::tuple convolve_backward(const char* op, const Array& x, const Array& w,
                                                        const Array& saved, const Array& dy, Index units,
                                                        const Shape& result, const Conv2dShape& shape,
                                                        const Activation& activation,
                                                        const WantedGradients& wanted, const Select& select) {
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> input(op, "x", x), weight(op, "w", w), from(op, "saved", saved), gradient(op, "dy", dy);
    require(op, shape_of(saved) == result, "expected saved of shape ", result, ", got ", saved);
    require(op, shape_of(dy) == result, "expected dy of shape ", result, ", got ", dy);
    std::optional<Output<T>> dx, dw, db;
    if (wanted.dx) dx.emplace(op, shape_of(x));
    if (wanted.dw) dw.emplace(op, shape_of(w), wanted.dw_out, std::initializer_list<Array>{x, w, saved, dy});
    if (wanted.db) db.emplace(op, Shape{units}, wanted.db_out, std::initializer_list<Array>{x, w, saved, dy});
    const auto data = [](std::optional<Output<T>>& output) { return output ? output->data() : nullptr; };
    const auto array = [](std::optional<Output<T>>& output) -> pyb::object {
      return output ? pyb::object(output->array()) : pyb::none();
    };
    invoke(select(element), input.data(), weight.data(), from.data(), gradient.data(), data(dx), data(dw),
           data(db), shape, unary_of(op, std::get<0>(activation)), parameters_of(activation));
    return pyb::make_tuple(array(dx), array(dw), array(db));
  });
}

/// Binds name_forward and name_backward. more: arguments of the former after those that all have.
template <typename Forward, typename Backward, typename... More>
void bind_convolution(pyb::module_& m, const std::string& name, Forward forward, Backward backward,
                      const More&... more) {
  using pyb::arg;
  const Activation linear{int(Unary::linear), 0, 0, 0};
  m.def((name + "_forward").c_str(), forward, arg("x"), arg("w"), arg("b"), arg("axes"), arg("window"),
        arg("activation") = linear, arg("keep_z") = false, arg("out") = pyb::none(), more...);
  m.def((name + "_backward").c_str(), backward, arg("x"), arg("w"), arg("saved"), arg("dy"), arg("axes"),
        arg("window"), arg("activation") = linear, arg("need_dx") = true, arg("need_dw") = true,
        arg("need_db") = true, arg("dw_out") = pyb::none(), arg("db_out") = pyb::none());
}

}  // namespace fastnn::py
