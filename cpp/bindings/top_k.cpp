#include "fastnn/top_k.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;

namespace {

constexpr const char* kTopK = "top_k";

/// (values, indices).
py::tuple top_k(const Array& x, Index k) {
  return with_float(kTopK, "x", x, [&](auto element) {
    using T = decltype(element);
    require(kTopK, x.ndim() > 0, "expected x with at least 1 axis, got a scalar");
    const Input<T> in(kTopK, "x", x);
    const Index cols = x.shape(x.ndim() - 1), rows = cols ? x.size() / cols : 0;
    require(kTopK, k >= 0 && k <= cols, "expected k in [0, ", cols, "], got ", k);
    Shape shape = shape_of(x);
    shape.back() = k;
    Output<T> values(kTopK, shape);
    Output<std::int64_t> indices(kTopK, shape);
    invoke(&fastnn::cpu::top_k<T>, in.data(), values.data(), indices.data(), rows, cols, k);
    return py::make_tuple(values.array(), indices.array());
  });
}

Array top_k_backward(const Array& dvalues, const Array& indices, const Shape& shape) {
  return with_float(kTopK, "dvalues", dvalues, [&](auto element) {
    using T = decltype(element);
    const Input<T> slope(kTopK, "dvalues", dvalues);
    const Input<std::int64_t> places(kTopK, "indices", indices);
    Output<T> dx(kTopK, shape);
    const Index cols = shape.back(), k = indices.shape(indices.ndim() - 1);
    require(kTopK, dvalues.size() == indices.size(), "expected dvalues of shape ", indices, ", got ",
            dvalues);
    invoke(&fastnn::cpu::top_k_backward<T>, slope.data(), places.data(), dx.data(),
           cols ? size_of(shape) / cols : 0, cols, k);
    return dx.array();
  });
}

}  // namespace

void bind_top_k(py::module_& m) {
  using py::arg;
  m.def("top_k", &top_k, arg("x"), arg("k"));
  m.def("top_k_backward", &top_k_backward, arg("dvalues"), arg("indices"), arg("shape"));
}
