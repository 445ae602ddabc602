#include "fastnn/dropout.hpp"

#include <array>

#include "arrays.hpp"
#include "random_state.hpp"

namespace py = pybind11;
using namespace fastnn::py;

namespace {

constexpr const char* kDropout = "dropout";

std::uint8_t* bytes(Output<bool>& mask) { return reinterpret_cast<std::uint8_t*>(mask.data()); }

template <class T> Array apply(const Input<T>& x, const Array& mask, double rate) {
  const Shape shape = shape_of(x.array());
  const Shape shapes[3] = {shape, shape_of(mask), shape};
  require(kDropout, broadcast_shape(kDropout, {shape, shapes[1]}) == shape,
          "expected noise_shape that broadcasts to ", shape, ", got ", mask);
  const Input<bool> kept(kDropout, "mask", mask);
  Output<T> y(kDropout, shape);
  invoke(&fastnn::cpu::dropout_apply<T>, x.data(), reinterpret_cast<const std::uint8_t*>(kept.data()),
         y.data(), broadcast_walk(kDropout, shape, shapes), rate);
  return y.array();
}

/// Returns (y, mask).
py::tuple dropout(const Array& x, Array state, double rate, const std::optional<Shape>& noise_shape) {
  return with_float(kDropout, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(kDropout, "x", x);
    const Shape shape = shape_of(x);
    Output<bool> mask(kDropout, noise_shape.value_or(shape));
    if (noise_shape && *noise_shape != shape) {
      invoke(&fastnn::cpu::dropout_mask, state_of(kDropout, state), bytes(mask), mask.size(), rate);
      return py::make_tuple(apply(in, mask.array(), rate), mask.array());
    }
    Output<T> y(kDropout, shape);
    invoke(&fastnn::cpu::dropout<T>, state_of(kDropout, state), in.data(), y.data(), bytes(mask), in.size(),
           rate);
    return py::make_tuple(y.array(), mask.array());
  });
}

Array dropout_backward(const Array& dy, const Array& mask, double rate) {
  return with_float(kDropout, "dy", dy, [&](auto element) {
    return apply(Input<decltype(element)>(kDropout, "dy", dy), mask, rate);
  });
}

template <std::size_t kCount> using Words = std::array<std::uint32_t, kCount>;

Words<4> philox(const Words<4>& counter, const Words<2>& key) {
  Words<4> words;
  invoke(&fastnn::cpu::philox, counter.data(), key.data(), words.data());
  return words;
}

}  // namespace

void bind_dropout(py::module_& m) {
  using py::arg;
  m.def("dropout", &dropout, arg("x"), arg("state"), arg("rate"), arg("noise_shape") = py::none(),
        "Returns (y, mask); moves the step in state on.");
  m.def("dropout_backward", &dropout_backward, arg("dy"), arg("mask"), arg("rate"));
  m.def("philox", &philox, arg("counter"), arg("key"), "Philox4x32-10, for tests.");
}
