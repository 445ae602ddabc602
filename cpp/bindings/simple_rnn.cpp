#include "fastnn/simple_rnn.hpp"

#include "recurrent.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::RnnShape;

namespace {

/// (y, h, kept, hidden): y is None unless it is wanted, the last two unless they are to be kept.
py::tuple simple_rnn_forward(const Array& x, const Array& w, const Array& r, const Out& b, const Out& h0,
                             const Out& mask, const Out& drop, bool reverse, bool zero_masked,
                             const Activation& activation, bool want_y, bool keep) {
  constexpr const char* op = "simple_rnn";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const RnnShape s = rnn_shape(op, x, w, r, 1, reverse, zero_masked);
    const Shape state{s.n, s.u};
    const Input<T> input(op, "x", x), kernel(op, "w", w), recurrent(op, "r", r);
    const OptionalInput<T> bias(op, "b", b, {s.u}), h_first(op, "h0", h0, state),
        factors(op, "drop", drop, state);
    const OptionalInput<bool> valid(op, "mask", mask, {s.n, s.t});
    OptionalOutput<T> y(op, want_y, {s.n, s.t, s.u});
    Output<T> h(op, state);
    OptionalOutput<T> kept(op, keep, {s.t, s.n, s.u}), hidden(op, keep, {s.t + 1, s.n, s.u});
    invoke(&fastnn::cpu::simple_rnn<T>, input.data(), kernel.data(), recurrent.data(), bias.data(),
           h_first.data(), valid.data(), factors.data(), y.data(), h.data(), kept.data(), hidden.data(), s,
           activations_of(op, activation));
    return py::make_tuple(y.object(), h.array(), kept.object(), hidden.object());
  });
}

/// (dx, dw, dr, db, dh0), each None unless it is needed.
py::tuple simple_rnn_backward(const Array& x, const Array& w, const Array& r, const Out& mask,
                              const Out& drop, const Array& kept, const Array& hidden, const Out& dy,
                              const Out& dh, bool reverse, bool zero_masked, const Activation& activation,
                              bool need_dx, bool need_dw, bool need_dr, bool need_db, bool need_dh0,
                              const Out& dw_out, const Out& dr_out, const Out& db_out) {
  constexpr const char* op = "simple_rnn_backward";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const RnnShape s = rnn_shape(op, x, w, r, 1, reverse, zero_masked);
    const Shape state{s.n, s.u};
    const Input<T> input(op, "x", x), kernel(op, "w", w), recurrent(op, "r", r);
    const OptionalInput<T> kept_steps(op, "kept", kept, {s.t, s.n, s.u}),
        kept_hidden(op, "hidden", hidden, {s.t + 1, s.n, s.u});
    const OptionalInput<T> factors(op, "drop", drop, state), y_slope(op, "dy", dy, {s.n, s.t, s.u}),
        h_slope(op, "dh", dh, state);
    const OptionalInput<bool> valid(op, "mask", mask, {s.n, s.t});
    OptionalOutput<T> dx(op, need_dx, shape_of(x)), dw(op, need_dw, shape_of(w), dw_out, {x, w, r}),
        dr(op, need_dr, shape_of(r), dr_out, {x, w, r}), db(op, need_db, {s.u}, db_out, {x, w, r}),
        dh0(op, need_dh0, state);
    invoke(&fastnn::cpu::simple_rnn_backward<T>, input.data(), kernel.data(), recurrent.data(), valid.data(),
           factors.data(), kept_steps.data(), kept_hidden.data(), y_slope.data(), h_slope.data(), dx.data(),
           dw.data(), dr.data(), db.data(), dh0.data(), s, activations_of(op, activation));
    return py::make_tuple(dx.object(), dw.object(), dr.object(), db.object(), dh0.object());
  });
}

}  // namespace

void bind_simple_rnn(py::module_& m) {
  using py::arg;
  m.def("simple_rnn_forward", &simple_rnn_forward, arg("x"), arg("w"), arg("r"), arg("b"), arg("h0"),
        arg("mask"), arg("drop"), arg("reverse"), arg("zero_masked"), arg("activation"), arg("want_y"),
        arg("keep"));
  m.def("simple_rnn_backward", &simple_rnn_backward, arg("x"), arg("w"), arg("r"), arg("mask"), arg("drop"),
        arg("kept"), arg("hidden"), arg("dy"), arg("dh"), arg("reverse"), arg("zero_masked"),
        arg("activation"), arg("need_dx"), arg("need_dw"), arg("need_dr"), arg("need_db"), arg("need_dh0"),
        arg("dw_out") = py::none(), arg("dr_out") = py::none(), arg("db_out") = py::none());
}
