#include "fastnn/gru.hpp"

#include "recurrent.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::RnnShape;

namespace {

constexpr fastnn::Index kGruGates = 3;

Shape bias_shape(const RnnShape& s, bool reset_after) {
  return reset_after ? Shape{2, kGruGates * s.u} : Shape{kGruGates * s.u};
}

/// (y, h, gates, inner, hidden): y is None unless it is wanted, the last three unless they are to be kept.
py::tuple gru_forward(const Array& x, const Array& w, const Array& r, const Out& b, const Out& h0,
                      const Out& mask, const Out& drop, bool reverse, bool zero_masked,
                      const Activation& activation, const Activation& recurrent_activation, bool reset_after,
                      bool want_y, bool keep) {
  constexpr const char* op = "gru";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const RnnShape s = rnn_shape(op, x, w, r, kGruGates, reverse, zero_masked);
    const Shape state{s.n, s.u};
    const Input<T> input(op, "x", x), kernel(op, "w", w), recurrent(op, "r", r);
    const OptionalInput<T> bias(op, "b", b, bias_shape(s, reset_after)), h_first(op, "h0", h0, state),
        factors(op, "drop", drop, state);
    const OptionalInput<bool> valid(op, "mask", mask, {s.n, s.t});
    OptionalOutput<T> y(op, want_y, {s.n, s.t, s.u});
    Output<T> h(op, state);
    OptionalOutput<T> gates(op, keep, {s.t, s.n, kGruGates * s.u}), inner(op, keep, {s.t, s.n, s.u}),
        hidden(op, keep, {s.t + 1, s.n, s.u});
    invoke(&fastnn::cpu::gru<T>, input.data(), kernel.data(), recurrent.data(), bias.data(), h_first.data(),
           valid.data(), factors.data(), y.data(), h.data(), gates.data(), inner.data(), hidden.data(), s,
           activations_of(op, activation, recurrent_activation), reset_after);
    return py::make_tuple(y.object(), h.array(), gates.object(), inner.object(), hidden.object());
  });
}

/// (dx, dw, dr, db, dh0), each None unless it is needed.
py::tuple gru_backward(const Array& x, const Array& w, const Array& r, const Out& mask, const Out& drop,
                       const Array& gates, const Array& inner, const Array& hidden, const Out& dy,
                       const Out& dh, bool reverse, bool zero_masked, const Activation& activation,
                       const Activation& recurrent_activation, bool reset_after, bool need_dx, bool need_dw,
                       bool need_dr, bool need_db, bool need_dh0, const Out& dw_out, const Out& dr_out,
                       const Out& db_out) {
  constexpr const char* op = "gru_backward";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const RnnShape s = rnn_shape(op, x, w, r, kGruGates, reverse, zero_masked);
    const Shape state{s.n, s.u};
    const Input<T> input(op, "x", x), kernel(op, "w", w), recurrent(op, "r", r);
    const OptionalInput<T> kept_gates(op, "gates", gates, {s.t, s.n, kGruGates * s.u}),
        kept_inner(op, "inner", inner, {s.t, s.n, s.u}),
        kept_hidden(op, "hidden", hidden, {s.t + 1, s.n, s.u});
    const OptionalInput<T> factors(op, "drop", drop, state), y_slope(op, "dy", dy, {s.n, s.t, s.u}),
        h_slope(op, "dh", dh, state);
    const OptionalInput<bool> valid(op, "mask", mask, {s.n, s.t});
    OptionalOutput<T> dx(op, need_dx, shape_of(x)), dw(op, need_dw, shape_of(w), dw_out, {x, w, r}),
        dr(op, need_dr, shape_of(r), dr_out, {x, w, r}),
        db(op, need_db, bias_shape(s, reset_after), db_out, {x, w, r}), dh0(op, need_dh0, state);
    invoke(&fastnn::cpu::gru_backward<T>, input.data(), kernel.data(), recurrent.data(), valid.data(),
           factors.data(), kept_gates.data(), kept_inner.data(), kept_hidden.data(), y_slope.data(),
           h_slope.data(), dx.data(), dw.data(), dr.data(), db.data(), dh0.data(), s,
           activations_of(op, activation, recurrent_activation), reset_after);
    return py::make_tuple(dx.object(), dw.object(), dr.object(), db.object(), dh0.object());
  });
}

}  // namespace

void bind_gru(py::module_& m) {
  using py::arg;
  m.def("gru_forward", &gru_forward, arg("x"), arg("w"), arg("r"), arg("b"), arg("h0"), arg("mask"),
        arg("drop"), arg("reverse"), arg("zero_masked"), arg("activation"), arg("recurrent_activation"),
        arg("reset_after"), arg("want_y"), arg("keep"));
  m.def("gru_backward", &gru_backward, arg("x"), arg("w"), arg("r"), arg("mask"), arg("drop"), arg("gates"),
        arg("inner"), arg("hidden"), arg("dy"), arg("dh"), arg("reverse"), arg("zero_masked"),
        arg("activation"), arg("recurrent_activation"), arg("reset_after"), arg("need_dx"), arg("need_dw"),
        arg("need_dr"), arg("need_db"), arg("need_dh0"), arg("dw_out") = py::none(),
        arg("dr_out") = py::none(), arg("db_out") = py::none());
}
