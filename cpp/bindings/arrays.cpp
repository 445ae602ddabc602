#include "arrays.hpp"

namespace fastnn::py {
namespace {

/// Memory and what gives it back when the last array on it goes.
struct Owned {
  void* start;
  pyb::capsule owner;
};

Owned from_pool(std::size_t bytes) {
  void* const block = pool_allocate(bytes);
  return {block, pyb::capsule(block, [](void* held) { pool_release(held); })};
}

Owned from_step(std::size_t bytes) {
  struct Lease {
    std::shared_ptr<StepMemory> memory;
    char* start;
  };
  auto lease = std::make_unique<Lease>(recorder->memory, nullptr);
  lease->start = recorder->memory->allocate(bytes, recorder->program.size());
  char* const start = lease->start;
  return {start, pyb::capsule(lease.release(), [](void* held) {
            const std::unique_ptr<Lease> ended(static_cast<Lease*>(held));
            ended->memory->give_back(ended->start);
          })};
}

/// First byte and one past the last byte that x may touch.
std::pair<const char*, const char*> extent(const Array& x) {
  const char* low = static_cast<const char*>(x.data());
  const char* high = low + x.itemsize();
  if (x.size() == 0) return {low, low};
  for (pyb::ssize_t i = 0; i < x.ndim(); ++i) {
    const pyb::ssize_t reach = (x.shape(i) - 1) * x.strides(i);
    (reach < 0 ? low : high) += reach;
  }
  return {low, high};
}

bool overlap(const Array& a, const Array& b) {
  const auto [a_low, a_high] = extent(a);
  const auto [b_low, b_high] = extent(b);
  return a_low < b_high && b_low < a_high;
}

bool same_elements(const Array& a, const Array& b) {
  return a.data() == b.data() && a.itemsize() == b.itemsize() && same_shape(a, b) &&
         std::equal(a.strides(), a.strides() + a.ndim(), b.strides());
}

/// Calls the copy kernel if it can do the job: aligned elements of 1, 4 or 8 bytes, few enough axes.
bool copy_by_kernel(const Array& x, Array& y) {
  const pyb::ssize_t item = x.itemsize();
  if (item != 1 && item != 4 && item != 8) return false;
  Strided<2> walk;
  for (pyb::ssize_t i = 0; i < x.ndim(); ++i) {
    if (x.strides(i) % item || y.strides(i) % item) return false;
    if (!walk.push(x.shape(i), {x.strides(i) / item, y.strides(i) / item})) return false;
  }
  const auto run = [&](auto element) {
    using T = decltype(element);
    constexpr void (*copy)(const T*, T*, const Strided<2>&) = &cpu::copy;
    invoke(copy, static_cast<const T*>(x.data()), static_cast<T*>(y.mutable_data()), walk);
  };
  item == 1 ? run(std::uint8_t{}) : item == 4 ? run(float{}) : run(double{});
  return true;
}

bool is_native(const Array& x) { return x.dtype().byteorder() == '=' || x.dtype().byteorder() == '|'; }

}  // namespace

std::string text(const Shape& shape) {
  std::string all = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) all += (i ? ", " : "") + std::to_string(shape[i]);
  return all + (shape.size() == 1 ? ",)" : ")");
}

std::string text(const Array& x) { return text(shape_of(x)); }

void raise_value_error(const char* op, std::initializer_list<Part> parts) {
  throw pyb::value_error(fastnn::message(op, parts));
}

void raise_type_error(const char* op, std::initializer_list<Part> parts) {
  throw pyb::type_error(fastnn::message(op, parts));
}

std::string dtype_text(const Array& x) { return pyb::str(x.dtype()).cast<std::string>(); }

void refuse_dtype(const char* op, const char* name, int wanted, const Array& got) {
  const std::string dtype = dtype_text(Array(pyb::dtype(wanted), Shape{0}));
  throw pyb::type_error(message(op, "expected ", name, " of ", dtype, ", got ", dtype_text(got)));
}

Array empty(const Shape& shape, int type_number) {
  // Straight to NumPy's C API: pybind11's own constructors cost twice as much for a small array.
  auto& numpy = pyb::detail::npy_api::get();
  const auto dtype = pyb::reinterpret_steal<pyb::dtype>(numpy.PyArray_DescrFromType_(type_number));
  Index bytes = dtype.itemsize();
  for (const auto length : shape)
    if (__builtin_mul_overflow(bytes, Index(length), &bytes)) throw std::bad_alloc();
  const Owned memory = recorder ? from_step(std::size_t(bytes)) : from_pool(std::size_t(bytes));
  constexpr int kFlags =
      int(pyb::detail::npy_api::NPY_ARRAY_WRITEABLE_) | int(pyb::detail::npy_api::NPY_ARRAY_ALIGNED_);
  const auto array = pyb::reinterpret_steal<Array>(
      numpy.PyArray_NewFromDescr_(numpy.PyArray_Type_, dtype.inc_ref().ptr(), int(shape.size()), shape.data(),
                                  nullptr, memory.start, kFlags, nullptr));
  if (!array) throw pyb::error_already_set();
  numpy.PyArray_SetBaseObject_(array.ptr(), memory.owner.inc_ref().ptr());
  return array;
}

Array dense(const Array& x) {
  if (is_dense(x) && is_native(x)) return x;
  const int flags = x.flags();
  if ((flags & pyb::detail::npy_api::NPY_ARRAY_ALIGNED_) && is_native(x)) {
    Array y = empty(shape_of(x), type_number(x));
    if (copy_by_kernel(x, y)) return y;
  }
  // Odd strides, odd alignment or the other byte order: NumPy knows how.
  return pyb::module_::import("numpy").attr("require")(x, x.dtype().attr("newbyteorder")("="), "CA");
}

void copy_into(const Array& x, Array& y) {
  if (!copy_by_kernel(x, y)) y[pyb::ellipsis()] = x;
}

void check_out(const char* op, const Array& out, const Shape& shape, int type_number,
               std::initializer_list<Array> inputs, std::initializer_list<Array> aliases) {
  if (py::type_number(out) != type_number || !is_native(out)) refuse_dtype(op, "out", type_number, out);
  require(op, shape_of(out) == shape, "expected out of shape ", shape, ", got ", out);
  require(op, out.writeable(), "expected a writable out, got a read-only array");
  for (const Array& input : inputs)
    require(op, !overlap(out, input), "expected out to share no memory with the inputs, got an overlap");
  for (const Array& input : aliases)
    require(op, !overlap(out, input) || same_elements(out, input),
            "expected out to be exactly an input or apart from it, got a partial overlap");
}

Shape broadcast_shape(const char* op, std::initializer_list<Shape> shapes) {
  std::size_t axes = 0;
  for (const Shape& shape : shapes) axes = std::max(axes, shape.size());
  Shape result(axes, 1);
  for (const Shape& shape : shapes) {
    for (std::size_t i = 0; i < shape.size(); ++i) {
      auto& length = result[axes - shape.size() + i];
      if (length == 1) length = shape[i];
      if (shape[i] == 1 || shape[i] == length) continue;
      std::string all;
      for (const Shape& each : shapes) all += (all.empty() ? "" : " and ") + text(each);
      require(op, false, "expected shapes that broadcast together, got ", all);
    }
  }
  return result;
}

}  // namespace fastnn::py
