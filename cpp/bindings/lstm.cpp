#include "fastnn/lstm.hpp"

#include "recurrent.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::RnnShape;

namespace {

constexpr fastnn::Index kLstmGates = 4;

/// (y, h, c, gates, cells, hidden): y is None unless it is wanted, the last three unless they are to be kept.
py::tuple lstm_forward(const Array& x, const Array& w, const Array& r, const Out& b, const Out& h0,
                       const Out& c0, const Out& mask, const Out& drop, bool reverse, bool zero_masked,
                       const Activation& activation, const Activation& recurrent_activation, bool want_y,
                       bool keep) {
  constexpr const char* op = "lstm";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const RnnShape s = rnn_shape(op, x, w, r, kLstmGates, reverse, zero_masked);
    const Shape state{s.n, s.u};
    const Input<T> input(op, "x", x), kernel(op, "w", w), recurrent(op, "r", r);
    const OptionalInput<T> bias(op, "b", b, {kLstmGates * s.u}), h_first(op, "h0", h0, state),
        c_first(op, "c0", c0, state), factors(op, "drop", drop, state);
    const OptionalInput<bool> valid(op, "mask", mask, {s.n, s.t});
    OptionalOutput<T> y(op, want_y, {s.n, s.t, s.u});
    Output<T> h(op, state), c(op, state);
    OptionalOutput<T> gates(op, keep, {s.t, s.n, kLstmGates * s.u}), cells(op, keep, {s.t + 1, s.n, s.u}),
        hidden(op, keep, {s.t + 1, s.n, s.u});
    invoke(&fastnn::cpu::lstm<T>, input.data(), kernel.data(), recurrent.data(), bias.data(), h_first.data(),
           c_first.data(), valid.data(), factors.data(), y.data(), h.data(), c.data(), gates.data(),
           cells.data(), hidden.data(), s, activations_of(op, activation, recurrent_activation));
    return py::make_tuple(y.object(), h.array(), c.array(), gates.object(), cells.object(), hidden.object());
  });
}

/// (dx, dw, dr, db, dh0, dc0), each None unless it is needed.
py::tuple lstm_backward(const Array& x, const Array& w, const Array& r, const Out& mask, const Out& drop,
                        const Array& gates, const Array& cells, const Array& hidden, const Out& dy,
                        const Out& dh, const Out& dc, bool reverse, bool zero_masked,
                        const Activation& activation, const Activation& recurrent_activation, bool need_dx,
                        bool need_dw, bool need_dr, bool need_db, bool need_dh0, bool need_dc0,
                        const Out& dw_out, const Out& dr_out, const Out& db_out) {
  constexpr const char* op = "lstm_backward";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const RnnShape s = rnn_shape(op, x, w, r, kLstmGates, reverse, zero_masked);
    const Shape state{s.n, s.u}, states{s.t + 1, s.n, s.u};
    const Input<T> input(op, "x", x), kernel(op, "w", w), recurrent(op, "r", r);
    const OptionalInput<T> kept_gates(op, "gates", gates, {s.t, s.n, kLstmGates * s.u}),
        kept_cells(op, "cells", cells, states), kept_hidden(op, "hidden", hidden, states);
    const OptionalInput<T> factors(op, "drop", drop, state), y_slope(op, "dy", dy, {s.n, s.t, s.u}),
        h_slope(op, "dh", dh, state), c_slope(op, "dc", dc, state);
    const OptionalInput<bool> valid(op, "mask", mask, {s.n, s.t});
    OptionalOutput<T> dx(op, need_dx, shape_of(x)), dw(op, need_dw, shape_of(w), dw_out, {x, w, r}),
        dr(op, need_dr, shape_of(r), dr_out, {x, w, r}),
        db(op, need_db, {kLstmGates * s.u}, db_out, {x, w, r});
    OptionalOutput<T> dh0(op, need_dh0, state), dc0(op, need_dc0, state);
    invoke(&fastnn::cpu::lstm_backward<T>, input.data(), kernel.data(), recurrent.data(), valid.data(),
           factors.data(), kept_gates.data(), kept_cells.data(), kept_hidden.data(), y_slope.data(),
           h_slope.data(), c_slope.data(), dx.data(), dw.data(), dr.data(), db.data(), dh0.data(), dc0.data(),
           s, activations_of(op, activation, recurrent_activation));
    return py::make_tuple(dx.object(), dw.object(), dr.object(), db.object(), dh0.object(), dc0.object());
  });
}

}  // namespace

void bind_lstm(py::module_& m) {
  using py::arg;
  m.def("lstm_forward", &lstm_forward, arg("x"), arg("w"), arg("r"), arg("b"), arg("h0"), arg("c0"),
        arg("mask"), arg("drop"), arg("reverse"), arg("zero_masked"), arg("activation"),
        arg("recurrent_activation"), arg("want_y"), arg("keep"));
  m.def("lstm_backward", &lstm_backward, arg("x"), arg("w"), arg("r"), arg("mask"), arg("drop"), arg("gates"),
        arg("cells"), arg("hidden"), arg("dy"), arg("dh"), arg("dc"), arg("reverse"), arg("zero_masked"),
        arg("activation"), arg("recurrent_activation"), arg("need_dx"), arg("need_dw"), arg("need_dr"),
        arg("need_db"), arg("need_dh0"), arg("need_dc0"), arg("dw_out") = py::none(),
        arg("dr_out") = py::none(), arg("db_out") = py::none());
}
