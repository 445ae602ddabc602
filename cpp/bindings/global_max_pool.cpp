#include "fastnn/global_max_pool.hpp"

#include <array>

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;

namespace {

/// n, pixels and c of (n, ..., c).
std::array<Index, 3> global_max_pool_images(const char* op, const Shape& x) {
  require(op, x.size() >= 3, "expected x of shape (n, ..., c), got ", x);
  Index pixels = 1;
  for (std::size_t i = 1; i + 1 < x.size(); ++i) pixels *= x[i];
  return {x.front(), pixels, x.back()};
}

/// (y, places), both (n, c).
py::tuple global_max_pool(const Array& x) {
  constexpr const char* op = "global_max_pool";
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const auto [n, pixels, c] = global_max_pool_images(op, shape_of(x));
    Output<T> y(op, {n, c}), places(op, {n, c});
    invoke(&fastnn::cpu::global_max_pool<T>, in.data(), y.data(), places.data(), n, pixels, c);
    return py::make_tuple(y.array(), places.array());
  });
}

Array global_max_pool_backward(const Array& places, const Array& dy, const Shape& x_shape) {
  constexpr const char* op = "global_max_pool_backward";
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> at(op, "places", places), gradient(op, "dy", dy);
    const auto [n, pixels, c] = global_max_pool_images(op, x_shape);
    const Shape y_shape{n, c};
    require(op, shape_of(dy) == y_shape && shape_of(places) == y_shape, "expected places and dy of shape ",
            y_shape, ", got ", places, " and ", dy);
    Output<T> dx(op, x_shape);
    invoke(&fastnn::cpu::global_max_pool_backward<T>, at.data(), gradient.data(), dx.data(), n, pixels, c);
    return dx.array();
  });
}

}  // namespace

void bind_global_max_pool(py::module_& m) {
  using py::arg;
  m.attr("most_places") = fastnn::cpu::kMostPlaces;
  m.def("global_max_pool", &global_max_pool, arg("x"), "(largest elements, their pixels) of each image.");
  m.def("global_max_pool_backward", &global_max_pool_backward, arg("places"), arg("dy"), arg("x_shape"));
}
