#include "fastnn/reduce.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Extreme;
using fastnn::Index;

namespace {

using Axes = std::vector<bool>;  // for each axis of x: is it reduced

void mark(const char* op, Axes& axes, const py::handle& axis) {
  const Py_ssize_t given = PyNumber_AsSsize_t(axis.ptr(), nullptr), ndim = Py_ssize_t(axes.size());
  if (given == -1 && PyErr_Occurred()) throw py::error_already_set();
  if (given < -ndim || given >= ndim)
    throw py::value_error(message(op, "expected axis in [", -ndim, ", ", ndim, "), got ", given));
  const auto at = std::size_t(given < 0 ? given + ndim : given);
  if (axes[at]) throw py::value_error(message(op, "expected each axis once, got ", given, " again"));
  axes[at] = true;
}

/// axis: None for all, an integer, or a sequence of integers.
Axes reduced_axes(const char* op, Index ndim, const py::object& axis) {
  if (axis.is_none()) return Axes(std::size_t(ndim), true);
  Axes axes(std::size_t(ndim), false);
  if (PyIndex_Check(axis.ptr())) {
    mark(op, axes, axis);
  } else {
    require_type(op, py::isinstance<py::iterable>(axis),
                 "expected axis to be None, an integer or several integers");
    for (const py::handle each : axis) mark(op, axes, each);
  }
  return axes;
}

/// x's shape with the reduced axes of length 1, or left out.
Shape reduced_shape(const Array& x, const Axes& axes, bool keepdims) {
  Shape shape;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (!axes[i])
      shape.push_back(x.shape(py::ssize_t(i)));
    else if (keepdims)
      shape.push_back(1);
  }
  return shape;
}

/// x as (outer, n, inner) with n the last group of adjacent reduced axes.
struct Group {
  Index outer = 1, n = 1, inner = 1;
  Axes rest;    // the axes in front of the group
  Shape front;  // and their lengths
};

Group last_group(const Shape& shape, const Axes& axes) {
  Group g;
  std::size_t i = axes.size();
  for (; i > 0 && !axes[i - 1]; --i) g.inner *= shape[i - 1];
  for (; i > 0 && axes[i - 1]; --i) g.n *= shape[i - 1];
  for (std::size_t k = 0; k < i; ++k) g.outer *= shape[k];
  g.rest.assign(axes.begin(), axes.begin() + std::ptrdiff_t(i));
  g.front.assign(shape.begin(), shape.begin() + std::ptrdiff_t(i));
  return g;
}

bool has_more(const Axes& axes) { return std::find(axes.begin(), axes.end(), true) != axes.end(); }

/// Calls reduce(x, y, outer, n, inner, last) for one group of adjacent reduced axes after the other, from the
/// innermost to the outermost.
template <class T, typename Reduce>
void by_groups(const T* x, T* y, Shape shape, Axes axes, const Reduce& reduce) {
  Array held;
  while (true) {
    const Group g = last_group(shape, axes);
    if (!has_more(g.rest)) return reduce(x, y, g.outer, g.n, g.inner, true);
    shape = g.front;
    axes = g.rest;
    shape.push_back(g.inner);
    axes.push_back(false);
    Array part = empty<T>(shape);
    T* to = static_cast<T*>(part.mutable_data());
    reduce(x, to, g.outer, g.n, g.inner, false);
    held = part;
    x = to;
  }
}

/// Number of elements that go into each result.
Index reduced_count(const Array& x, const Axes& axes) {
  Index count = 1;
  for (std::size_t i = 0; i < axes.size(); ++i)
    if (axes[i]) count *= x.shape(py::ssize_t(i));
  return count;
}

Array sum(const char* op, bool mean, const Array& x, const py::object& axis, bool keepdims, const Out& out) {
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const Axes axes = reduced_axes(op, x.ndim(), axis);
    Output<T> y(op, reduced_shape(x, axes, keepdims), out, {x});
    const T divisor = mean ? T(reduced_count(x, axes)) : T(1);
    by_groups(in.data(), y.data(), shape_of(x), axes,
              [&](const T* from, T* to, Index outer, Index n, Index inner, bool last) {
                invoke(&fastnn::cpu::sum<T>, from, to, outer, n, inner, last ? divisor : T(1));
              });
    return y.array();
  });
}

/// dy, of the reduced shape with or without axes of length 1, as one with all axes of x.
Array with_all_axes(const char* op, const Array& dy, const Shape& shape, const Axes& axes) {
  Shape kept(shape);
  Index size = 1;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i]) kept[i] = 1;
    size *= kept[i];
  }
  if (dy.size() != size) throw py::value_error(message(op, "expected dy of shape ", kept, ", got ", dy));
  return Array(dense(dy)).reshape(kept);
}

Array sum_backward(const char* op, bool mean, const Array& dy, const Shape& shape, const py::object& axis) {
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Axes axes = reduced_axes(op, Index(shape.size()), axis);
    const Input<T> gradient(op, "dy", with_all_axes(op, dy, shape, axes));
    const Shape shapes[2] = {shape_of(gradient.array()), shape};
    Index count = 1;
    for (std::size_t i = 0; i < axes.size(); ++i)
      if (axes[i]) count *= shape[i];
    Output<T> dx(op, shape);
    invoke(&fastnn::cpu::sum_backward<T>, gradient.data(), dx.data(), broadcast_walk(op, shape, shapes),
           mean ? T(count) : T(1));
    return dx.array();
  });
}

Array extreme(const char* op, Extreme which, const Array& x, const py::object& axis, bool keepdims,
              const Out& out) {
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const Axes axes = reduced_axes(op, x.ndim(), axis);
    Output<T> y(op, reduced_shape(x, axes, keepdims), out, {x});
    if (x.size() == 0 && y.size() > 0)
      throw py::value_error(message(op, "expected at least 1 element to reduce, got x of shape ", x));
    by_groups(in.data(), y.data(), shape_of(x), axes,
              [&](const T* from, T* to, Index outer, Index n, Index inner, bool) {
                invoke(&fastnn::cpu::extreme<T>, which, from, to, outer, n, inner);
              });
    return y.array();
  });
}

/// The reduced axes must lie side by side.
Array extreme_backward(const char* op, const Array& x, const Array& y, const Array& dy,
                       const py::object& axis) {
  require_shape(op, "dy", y, dy);
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x), value(op, "y", y), gradient(op, "dy", dy);
    const Group g = last_group(shape_of(x), reduced_axes(op, x.ndim(), axis));
    require(op, !has_more(g.rest), "expected adjacent axes, got several groups");
    if (value.size() != g.outer * g.inner)
      throw py::value_error(message(op, "expected dy of ", g.outer * g.inner, " elements, got ", dy));
    Output<T> dx(op, shape_of(x));
    invoke(&fastnn::cpu::extreme_backward<T>, in.data(), value.data(), gradient.data(), dx.data(), g.outer,
           g.n, g.inner);
    return dx.array();
  });
}

Array arg_extreme(const char* op, Extreme which, const Array& x, const py::object& axis, bool keepdims,
                  const Out& out) {
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    require_type(op, axis.is_none() || PyIndex_Check(axis.ptr()), "expected axis to be None or an integer");
    const Axes axes = reduced_axes(op, x.ndim(), axis);
    const Group g = last_group(shape_of(x), axes);
    Output<std::int64_t> y(op, reduced_shape(x, axes, keepdims), out, {x});
    if (g.n == 0 && y.size() > 0)
      throw py::value_error(message(op, "expected at least 1 element to reduce, got x of shape ", x));
    invoke(&fastnn::cpu::arg_extreme<T>, which, in.data(), y.data(), g.outer, g.n, g.inner);
    return y.array();
  });
}

Array count_correct(const Array& scores, const Array& labels) {
  constexpr const char* op = "count_correct";
  return with_float(op, "scores", scores, [&](auto element) {
    using T = decltype(element);
    require(op, scores.ndim() > 0, "expected scores with at least 1 axis, got a scalar");
    const Input<T> in(op, "scores", scores);
    const char kind = labels.dtype().kind();
    if (kind != 'i' && kind != 'u')
      throw py::type_error(message(op, "expected integer labels, got ", dtype_text(labels)));
    const Array wide = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>(labels);
    const Index cols = scores.shape(scores.ndim() - 1), rows = cols ? in.size() / cols : 0;
    if (wide.size() != rows)
      throw py::value_error(
          message(op, "expected labels for the rows of scores ", scores, ", got labels of shape ", labels));
    Output<std::int64_t> count(op, Shape{});
    invoke(&fastnn::cpu::count_correct<T>, in.data(), Input<std::int64_t>(op, "labels", wide).data(),
           count.data(), rows, cols);
    return count.array();
  });
}

template <typename Fn> void def_reduction(py::module_& m, const char* name, const Fn& fn) {
  using py::arg;
  m.def(name, fn, arg("x"), arg("axis") = py::none(), arg("keepdims") = false, arg("out") = py::none());
}

}  // namespace

void bind_reduce(py::module_& m) {
  using py::arg;
  using py::object;
  def_reduction(m, "sum", [](const Array& x, const object& axis, bool keepdims, const Out& out) {
    return sum("sum", false, x, axis, keepdims, out);
  });
  def_reduction(m, "mean", [](const Array& x, const object& axis, bool keepdims, const Out& out) {
    return sum("mean", true, x, axis, keepdims, out);
  });
  def_reduction(m, "max", [](const Array& x, const object& axis, bool keepdims, const Out& out) {
    return extreme("max", Extreme::max, x, axis, keepdims, out);
  });
  def_reduction(m, "min", [](const Array& x, const object& axis, bool keepdims, const Out& out) {
    return extreme("min", Extreme::min, x, axis, keepdims, out);
  });
  def_reduction(m, "argmax", [](const Array& x, const object& axis, bool keepdims, const Out& out) {
    return arg_extreme("argmax", Extreme::max, x, axis, keepdims, out);
  });
  def_reduction(m, "argmin", [](const Array& x, const object& axis, bool keepdims, const Out& out) {
    return arg_extreme("argmin", Extreme::min, x, axis, keepdims, out);
  });
  m.def(
      "sum_backward",
      [](const Array& dy, const Shape& shape, const object& axis) {
        return sum_backward("sum_backward", false, dy, shape, axis);
      },
      arg("dy"), arg("shape"), arg("axis"));
  m.def(
      "mean_backward",
      [](const Array& dy, const Shape& shape, const object& axis) {
        return sum_backward("mean_backward", true, dy, shape, axis);
      },
      arg("dy"), arg("shape"), arg("axis"));
  m.def(
      "extreme_backward",
      [](const Array& x, const Array& y, const Array& dy, const object& axis) {
        return extreme_backward("extreme_backward", x, y, dy, axis);
      },
      arg("x"), arg("y"), arg("dy"), arg("axis"));
  m.def("count_correct", &count_correct, arg("scores"), arg("labels"));
}
