#include "fastnn/gather.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;

namespace {

Array wide_indices(const Array& indices) {
  const char kind = indices.dtype().kind();
  if (kind != 'i' && kind != 'u' && indices.size() > 0)
    throw py::type_error(message("take", "expected integer indices, got ", dtype_text(indices)));
  return py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>(indices);
}

/// x around one axis: (outer, n, inner).
struct Around {
  Index outer = 1, n = 1, inner = 1;
  Around(const Shape& shape, Index axis) : n(shape[std::size_t(axis)]) {
    for (Index i = 0; i < Index(shape.size()); ++i)
      if (i != axis) (i < axis ? outer : inner) *= shape[std::size_t(i)];
  }
};

std::size_t axis_of(const char* op, Index axis, Index ndim) {
  require(op, axis >= -ndim && axis < ndim, "expected axis in [", -ndim, ", ", ndim, "), got ", axis);
  return std::size_t(axis < 0 ? axis + ndim : axis);
}

/// shape with `axis` replaced by `inside`.
Shape taken_shape(const Shape& shape, std::size_t axis, const Shape& inside) {
  Shape result(shape.begin(), shape.begin() + std::ptrdiff_t(axis));
  result.insert(result.end(), inside.begin(), inside.end());
  result.insert(result.end(), shape.begin() + std::ptrdiff_t(axis) + 1, shape.end());
  return result;
}

bool is_plain(const Array& x) {
  const char kind = x.dtype().kind();
  return kind == 'b' || kind == 'i' || kind == 'u' || kind == 'f' || kind == 'c';
}

/// True if the slices x[i] are dense, however far apart they are.
bool has_dense_rows(const Array& x) {
  Index step = x.itemsize();
  for (py::ssize_t i = x.ndim() - 1; i > 0; --i) {
    if (x.shape(i) != 1 && x.strides(i) != step) return false;
    step *= x.shape(i);
  }
  return x.strides(0) > 0 && x.dtype().byteorder() != '>';
}

Array take(const Array& x, const Array& indices, Index axis, const Out& out, bool wrap) {
  constexpr const char* op = "take";
  const std::size_t at = axis_of(op, axis, x.ndim());
  const Array wide = wide_indices(indices);
  if (!is_plain(x))  // strings, objects: NumPy knows how
    return x.attr("take")(wide, axis, out ? py::object(*out) : py::none());
  const bool in_place = at == 0 && x.size() > 0 && has_dense_rows(x);
  const Array in = in_place ? x : dense(x);
  const Around around(shape_of(x), Index(at));
  const Shape shape = taken_shape(shape_of(x), at, shape_of(indices));
  const int type = type_number(in);
  if (out) check_out(op, *out, shape, type, {x}, {});
  const bool direct = !out || is_dense(*out);
  Array y = out && direct ? *out : empty(shape, type);
  const Index bytes = around.inner * x.itemsize();
  invoke(&fastnn::cpu::gather, in.data(), static_cast<const std::int64_t*>(wide.data()), y.mutable_data(),
         around.outer, around.n, Index(wide.size()), bytes, in_place ? Index(x.strides(0)) : bytes, wrap);
  if (direct) return y;
  Array result = *out;
  copy_into(y, result);
  return result;
}

Array take_backward(const Array& dy, const Array& indices, const Shape& shape, Index axis, const Out& out) {
  constexpr const char* op = "take_backward";
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const std::size_t at = axis_of(op, axis, Index(shape.size()));
    const Array wide = wide_indices(indices);
    const Shape expected = taken_shape(shape, at, shape_of(indices));
    require(op, shape_of(dy) == expected, "expected dy of shape ", expected, ", got ", dy);
    const Input<T> gradient(op, "dy", dy);
    const Around around(shape, Index(at));
    Output<T> dx(op, shape, out, {dy});
    invoke(&fastnn::cpu::gather_backward<T>, gradient.data(), static_cast<const std::int64_t*>(wide.data()),
           dx.data(), around.outer, around.n, Index(wide.size()), around.inner);
    return dx.array();
  });
}

Array gather_rows(const Array& x, const Array& indices, const Out& out) {
  require("gather_rows", x.ndim() > 0, "expected x with at least 1 axis, got a scalar");
  return take(x, indices, 0, out, true);
}

Array one_hot(const Array& indices, Index classes, Index axis, const py::dtype& dtype) {
  constexpr const char* op = "one_hot";
  require(op, classes >= 0, "expected num_classes >= 0, got ", classes);
  return with_float(op, "dtype", Array(dtype, Shape{0}), [&](auto element) {
    using T = decltype(element);
    const std::size_t at = axis_of(op, axis, indices.ndim() + 1);
    const Array wide = wide_indices(indices);
    Shape shape = shape_of(indices);
    shape.insert(shape.begin() + std::ptrdiff_t(at), classes);
    const Around around(shape, Index(at));
    Output<T> y(op, shape);
    invoke(&fastnn::cpu::one_hot<T>, static_cast<const std::int64_t*>(wide.data()), y.data(), around.outer,
           classes, around.inner);
    return y.array();
  });
}

}  // namespace

void bind_gather(py::module_& m) {
  using py::arg;
  m.def("take", &take, arg("x"), arg("indices"), arg("axis"), arg("out") = py::none(), arg("wrap") = true);
  m.def("take_backward", &take_backward, arg("dy"), arg("indices"), arg("shape"), arg("axis"),
        arg("out") = py::none());
  m.def("gather_rows", &gather_rows, arg("x"), arg("indices"), arg("out") = py::none(),
        "x[indices] along the first axis, for any dtype.");
  m.def("one_hot", &one_hot, arg("indices"), arg("num_classes"), arg("axis"), arg("dtype"));
}
