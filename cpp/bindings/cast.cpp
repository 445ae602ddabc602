#include "fastnn/cast.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Element;

namespace {

Element element_of(const Array& x) {
  const char kind = x.dtype().kind();
  const auto bytes = x.itemsize();
  const auto pick = [&](Element one, Element two, Element four, Element eight) {
    return bytes == 1 ? one : bytes == 2 ? two : bytes == 4 ? four : eight;
  };
  if (kind == 'b') return Element::boolean;
  if (kind == 'i') return pick(Element::int8, Element::int16, Element::int32, Element::int64);
  if (kind == 'u') return pick(Element::uint8, Element::uint16, Element::uint32, Element::uint64);
  if (kind == 'f' && bytes == 4) return Element::float32;
  if (kind == 'f' && bytes == 8) return Element::float64;
  throw py::type_error(message("cast", "expected real numbers, got ", dtype_text(x)));
}

Array cast(const Array& x, const py::dtype& dtype) {
  const Element from = element_of(x);
  if (x.dtype().num() == dtype.num() && dtype.byteorder() == '=') return dense(x);
  const Array in = dense(x);
  const auto run = [&](auto element) {
    Output<decltype(element)> y("cast", shape_of(x));
    invoke(&fastnn::cpu::cast<decltype(element)>, from, in.data(), y.data(), y.size());
    return y.array();
  };
  switch (dtype.num()) {
    case kTypeNumber<float>: return run(float{});
    case kTypeNumber<double>: return run(double{});
    case kTypeNumber<std::int64_t>: return run(std::int64_t{});
  }
  throw py::type_error(message("cast", "expected dtype float32, float64 or int64, got ",
                               py::str(py::handle(dtype)).cast<std::string>()));
}

}  // namespace

void bind_cast(py::module_& m) {
  using py::arg;
  m.def("cast", &cast, arg("x"), arg("dtype"),
        "x as dense float32, float64 or, if it holds integers, int64; x itself if it is that already.");
}
