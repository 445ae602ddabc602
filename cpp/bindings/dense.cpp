#include "fastnn/dense.hpp"

#include "arrays.hpp"
#include "unary_codes.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::DenseShape;
using fastnn::Index;
using fastnn::Unary;
using fastnn::UnaryParameters;

namespace {

DenseShape layer_shape(const char* op, const Array& x, const Array& w) {
  require(op, w.ndim() == 2, "expected w with 2 axes (i, u), got ", w);
  const Index features = w.shape(0);
  require(op, x.ndim() > 0 && x.shape(x.ndim() - 1) == features, "expected x (..., ", features, ") for w ", w,
          ", got x ", x);
  Index samples = 1;
  for (py::ssize_t i = 0; i + 1 < x.ndim(); ++i) samples *= x.shape(i);
  return {samples, features, w.shape(1)};
}

Shape output_shape(const Array& x, const DenseShape& shape) {
  Shape y = shape_of(x);
  y.back() = shape.u;
  return y;
}

/// y, or (y, z) if keep_z.
py::object dense_forward(const Array& x, const Array& w, const Out& b, int activation, double p_a, double p_b,
                         double p_c, bool keep_z, const Out& out) {
  constexpr const char* op = "dense";
  return with_float(op, "x", x, [&](auto element) -> py::object {
    using T = decltype(element);
    const Input<T> input(op, "x", x), weight(op, "w", w);
    const DenseShape shape = layer_shape(op, x, w);
    std::optional<Input<T>> bias;
    if (b) {
      require(op, b->ndim() == 1 && b->shape(0) == shape.u, "expected b (", shape.u, ",) for w ", w,
              ", got b ", *b);
      bias.emplace(op, "b", *b);
    }
    const Shape result = output_shape(x, shape);
    Output<T> y(op, result, out, {x, w});
    std::optional<Output<T>> z;
    if (keep_z) z.emplace(op, result);
    invoke(&fastnn::cpu::dense<T>, input.data(), weight.data(), bias ? bias->data() : nullptr, y.data(),
           z ? z->data() : nullptr, shape, unary_of(op, activation), UnaryParameters{p_a, p_b, p_c});
    if (!z) return y.array();
    return py::make_tuple(y.array(), z->array());
  });
}

/// (dx, dw, db), each None unless it is needed.
py::tuple dense_backward(const Array& x, const Array& w, const Array& saved, const Array& dy, int activation,
                         double p_a, double p_b, double p_c, bool need_dx, bool need_dw, bool need_db,
                         const Out& dw_out, const Out& db_out) {
  constexpr const char* op = "dense_backward";
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> input(op, "x", x), weight(op, "w", w), from(op, "saved", saved), gradient(op, "dy", dy);
    const DenseShape shape = layer_shape(op, x, w);
    const Shape wanted = output_shape(x, shape);
    require(op, shape_of(saved) == wanted, "expected saved of shape ", wanted, ", got ", saved);
    require(op, shape_of(dy) == wanted, "expected dy of shape ", wanted, ", got ", dy);
    std::optional<Output<T>> dx, dw, db;
    if (need_dx) dx.emplace(op, shape_of(x));
    if (need_dw) dw.emplace(op, shape_of(w), dw_out, std::initializer_list<Array>{x, w, saved, dy});
    if (need_db) db.emplace(op, Shape{shape.u}, db_out, std::initializer_list<Array>{x, w, saved, dy});
    const auto data = [](std::optional<Output<T>>& output) { return output ? output->data() : nullptr; };
    const auto result = [](std::optional<Output<T>>& output) -> py::object {
      return output ? py::object(output->array()) : py::none();
    };
    invoke(&fastnn::cpu::dense_backward<T>, input.data(), weight.data(), from.data(), gradient.data(),
           data(dx), data(dw), data(db), shape, unary_of(op, activation), UnaryParameters{p_a, p_b, p_c});
    return py::make_tuple(result(dx), result(dw), result(db));
  });
}

}  // namespace

void bind_dense(py::module_& m) {
  using py::arg;
  m.def("dense_forward", &dense_forward, arg("x"), arg("w"), arg("b") = py::none(),
        arg("activation") = int(Unary::linear), arg("p_a") = 0.0, arg("p_b") = 0.0, arg("p_c") = 0.0,
        arg("keep_z") = false, arg("out") = py::none());
  m.def("dense_backward", &dense_backward, arg("x"), arg("w"), arg("saved"), arg("dy"),
        arg("activation") = int(Unary::linear), arg("p_a") = 0.0, arg("p_b") = 0.0, arg("p_c") = 0.0,
        arg("need_dx") = true, arg("need_dw") = true, arg("need_db") = true, arg("dw_out") = py::none(),
        arg("db_out") = py::none());
  py::dict codes;  // by name: what `activation` takes
#define FASTNN_UNARY(name, Functor, saved) codes[#name] = int(Unary::name);
#include "fastnn/elementwise.def"
#undef FASTNN_UNARY
  m.attr("unary_codes") = codes;
}
