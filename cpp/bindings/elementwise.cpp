#include "fastnn/elementwise.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Binary;
using fastnn::Compare;
using fastnn::Saved;
using fastnn::Unary;
using fastnn::UnaryParameters;

namespace {

Array unary(const char* name, Unary op, const Array& x, UnaryParameters p, const Out& out) {
  return with_float(name, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(name, "x", x);
    Output<T> y(name, shape_of(x), out, {}, {x});
    invoke(&fastnn::cpu::unary<T>, op, in.data(), y.data(), in.size(), p);
    return y.array();
  });
}

Array unary_backward(const char* name, Unary op, const Array& saved, const Array& dy, UnaryParameters p) {
  require_shape(name, "dy", saved, dy);
  return with_float(name, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> from(name, fastnn::saved_for(op) == Saved::x ? "x" : "y", saved), gradient(name, "dy", dy);
    Output<T> dx(name, shape_of(dy));
    invoke(&fastnn::cpu::unary_backward<T>, op, from.data(), gradient.data(), dx.data(), from.size(), p);
    return dx.array();
  });
}

Array binary(const char* name, Binary op, const Array& a, const Array& b, const Out& out) {
  return with_float(name, "x1", a, [&](auto element) {
    using T = decltype(element);
    const Input<T> left(name, "x1", a), right(name, "x2", b);
    const Shape shapes[3] = {shape_of(a), shape_of(b), broadcast_shape(name, {shape_of(a), shape_of(b)})};
    const auto walk = broadcast_walk(name, shapes[2], shapes);
    Output<T> y(name, shapes[2], out, {}, {a, b});
    invoke(&fastnn::cpu::binary<T>, op, left.data(), right.data(), y.data(), walk);
    return y.array();
  });
}

Array binary_backward(const char* name, Binary op, bool second, const Array& a, const Array& b,
                      const Array& dy) {
  return with_float(name, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> left(name, "x1", a), right(name, "x2", b), gradient(name, "dy", dy);
    const Shape shapes[3] = {shape_of(a), shape_of(b), broadcast_shape(name, {shape_of(a), shape_of(b)})};
    require(name, shape_of(dy) == shapes[2], "expected dy of shape ", shapes[2], ", got ", dy);
    const auto walk = broadcast_walk(name, shapes[2], shapes);
    Output<T> dx(name, shapes[2]);
    invoke(&fastnn::cpu::binary_backward<T>, op, second, left.data(), right.data(), gradient.data(),
           dx.data(), walk);
    return dx.array();
  });
}

Array compare(const char* name, Compare op, const Array& a, const Array& b, const Out& out) {
  return with_float(name, "x1", a, [&](auto element) {
    using T = decltype(element);
    const Input<T> left(name, "x1", a), right(name, "x2", b);
    const Shape shapes[3] = {shape_of(a), shape_of(b), broadcast_shape(name, {shape_of(a), shape_of(b)})};
    const auto walk = broadcast_walk(name, shapes[2], shapes);
    Output<bool> y(name, shapes[2], out, {a, b});
    invoke(&fastnn::cpu::compare<T>, op, left.data(), right.data(), reinterpret_cast<std::uint8_t*>(y.data()),
           walk);
    return y.array();
  });
}

Array where(const Array& condition, const Array& a, const Array& b, const Out& out) {
  constexpr const char* name = "where";
  return with_float(name, "x1", a, [&](auto element) {
    using T = decltype(element);
    const Input<bool> chosen(name, "condition", condition);
    const Input<T> left(name, "x1", a), right(name, "x2", b);
    const Shape each[3] = {shape_of(condition), shape_of(a), shape_of(b)};
    const Shape shape = broadcast_shape(name, {each[0], each[1], each[2]});
    const Shape shapes[4] = {each[0], each[1], each[2], shape};
    const auto walk = broadcast_walk(name, shape, shapes);
    Output<T> y(name, shape, out, {condition}, {a, b});
    invoke(&fastnn::cpu::where<T>, reinterpret_cast<const std::uint8_t*>(chosen.data()), left.data(),
           right.data(), y.data(), walk);
    return y.array();
  });
}

/// Rows of the table, so that one function binds them all: a lambda each costs compile time.
struct UnaryRow {
  const char* name;
  const char* backward;
  Unary op;
  const char* saved;
};
constexpr UnaryRow kUnaryRows[] = {
#define FASTNN_UNARY(name, Functor, saved) {#name, #name "_backward", Unary::name, #saved},
#include "fastnn/elementwise.def"
#undef FASTNN_UNARY
};

void bind_unary(py::module_& m, const UnaryRow& row) {
  using py::arg;
  const UnaryRow* const r = &row;
  m.def(
      r->name,
      [r](const Array& x, double a, double b, double c, const Out& out) {
        return unary(r->name, r->op, x, {a, b, c}, out);
      },
      arg("x"), arg("a") = 0.0, arg("b") = 0.0, arg("c") = 0.0, arg("out") = py::none());
  m.def(
      r->backward,
      [r](const Array& from, const Array& dy, double a, double b, double c) {
        return unary_backward(r->backward, r->op, from, dy, {a, b, c});
      },
      arg(r->saved), arg("dy"), arg("a") = 0.0, arg("b") = 0.0, arg("c") = 0.0);
}

}  // namespace

void bind_elementwise(py::module_& m) {
  using py::arg;
  for (const UnaryRow& row : kUnaryRows) bind_unary(m, row);
#define FASTNN_BINARY(name, Functor)                                                                         \
  m.def(                                                                                                     \
      #name,                                                                                                 \
      [](const Array& a, const Array& b, const Out& out) { return binary(#name, Binary::name, a, b, out); }, \
      arg("x1"), arg("x2"), arg("out") = py::none());                                                        \
  m.def(                                                                                                     \
      #name "_backward",                                                                                     \
      [](bool second, const Array& a, const Array& b, const Array& dy) {                                     \
        return binary_backward(#name "_backward", Binary::name, second, a, b, dy);                           \
      },                                                                                                     \
      arg("second"), arg("x1"), arg("x2"), arg("dy"));
#define FASTNN_COMPARE(name, Functor)                      \
  m.def(                                                   \
      #name,                                               \
      [](const Array& a, const Array& b, const Out& out) { \
        return compare(#name, Compare::name, a, b, out);   \
      },                                                   \
      arg("x1"), arg("x2"), arg("out") = py::none());
#include "fastnn/elementwise.def"
#undef FASTNN_BINARY
#undef FASTNN_COMPARE
  m.def("where", &where, arg("condition"), arg("x1"), arg("x2"), arg("out") = py::none());

  py::dict saved;  // by name: whether the derivative is computed from "x" or "y"
  for (const UnaryRow& row : kUnaryRows) saved[row.name] = row.saved;
  m.attr("unary_saved") = saved;
}
