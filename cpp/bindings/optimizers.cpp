#include "fastnn/optimizers.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::Index;
using fastnn::Run;

namespace {

/// A buffer that is updated in place: dense, writable, of type T, as long as `size`.
template <class T> T* updated(const char* op, const char* name, Array& buffer, Index size) {
  if (type_number(buffer) != kTypeNumber<T>) refuse_dtype(op, name, kTypeNumber<T>, buffer);
  require(op, is_dense(buffer) && buffer.writeable(), "expected a dense, writable array to update in place");
  require(op, buffer.size() == size, "expected ", name, " of ", size, " elements, got ", buffer.size());
  return static_cast<T*>(buffer.mutable_data());
}

template <class T> T* updated(const char* op, const char* name, std::optional<Array>& buffer, Index size) {
  return buffer ? updated<T>(op, name, *buffer, size) : nullptr;
}

/// int64 (r, 2): offsets and lengths, inside a buffer of `size` elements.
class Runs {
 public:
  Runs(const char* op, const Array& runs, Index size) : runs_(op, "runs", runs) {
    require(op, runs_.axes() == 2 && runs_.shape(1) == 2, "expected runs of shape (r, 2)");
    for (Index r = 0; r < count(); ++r)
      require(op,
              data()[r].offset >= 0 && data()[r].length >= 0 && data()[r].offset + data()[r].length <= size,
              "expected runs inside the buffer, got one that leaves it");
  }
  const Run* data() const { return reinterpret_cast<const Run*>(runs_.data()); }
  Index count() const { return runs_.shape(0); }

 private:
  Input<std::int64_t> runs_;
};

/// One number in memory.
template <class T> const T* scalar(const char* op, const char* name, const Array& x) {
  if (type_number(x) != kTypeNumber<T>) refuse_dtype(op, name, kTypeNumber<T>, x);
  require(op, x.size() == 1, "expected learning rate and step as arrays of one element");
  return static_cast<const T*>(x.data());
}

void sgd(Array p, const Array& g, std::optional<Array> velocity, const Array& runs,
         const Array& learning_rate, double momentum, bool nesterov) {
  with_float("sgd", "p", p, [&](auto element) {
    using T = decltype(element);
    const Index n = p.size();
    T* const values = updated<T>("sgd", "p", p, n);
    const Runs where("sgd", runs, n);
    require_shape("sgd", "g", p, g);
    const Input<T> gradient("sgd", "g", g);
    invoke(&fastnn::cpu::sgd<T>, values, gradient.data(), updated<T>("sgd", "velocity", velocity, n),
           where.data(), where.count(), scalar<double>("sgd", "learning_rate", learning_rate),
           fastnn::SgdSettings{momentum, nesterov});
  });
}

void rmsprop(Array p, const Array& g, Array s, std::optional<Array> mean, std::optional<Array> velocity,
             const Array& runs, const Array& learning_rate, double rho, double momentum, double epsilon) {
  with_float("rmsprop", "p", p, [&](auto element) {
    using T = decltype(element);
    const Index n = p.size();
    T* const values = updated<T>("rmsprop", "p", p, n);
    const Runs where("rmsprop", runs, n);
    require_shape("rmsprop", "g", p, g);
    const Input<T> gradient("rmsprop", "g", g);
    invoke(&fastnn::cpu::rmsprop<T>, values, gradient.data(), updated<T>("rmsprop", "s", s, n),
           updated<T>("rmsprop", "mean", mean, n), updated<T>("rmsprop", "velocity", velocity, n),
           where.data(), where.count(), scalar<double>("rmsprop", "learning_rate", learning_rate),
           fastnn::RmspropSettings{rho, momentum, epsilon});
  });
}

void adam(Array p, const Array& g, Array m, Array v, std::optional<Array> largest, const Array& runs,
          const Array& learning_rate, const Array& step, double beta_1, double beta_2, double epsilon) {
  with_float("adam", "p", p, [&](auto element) {
    using T = decltype(element);
    const Index n = p.size();
    T* const values = updated<T>("adam", "p", p, n);
    const Runs where("adam", runs, n);
    require_shape("adam", "g", p, g);
    const Input<T> gradient("adam", "g", g);
    invoke(&fastnn::cpu::adam<T>, values, gradient.data(), updated<T>("adam", "m", m, n),
           updated<T>("adam", "v", v, n), updated<T>("adam", "largest", largest, n), where.data(),
           where.count(), scalar<double>("adam", "learning_rate", learning_rate),
           scalar<std::int64_t>("adam", "step", step), fastnn::AdamSettings{beta_1, beta_2, epsilon});
  });
}

}  // namespace

void bind_optimizers(py::module_& m) {
  using py::arg;
  m.def("sgd", &sgd, arg("p"), arg("g"), arg("velocity"), arg("runs"), arg("learning_rate"), arg("momentum"),
        arg("nesterov"));
  m.def("rmsprop", &rmsprop, arg("p"), arg("g"), arg("s"), arg("mean"), arg("velocity"), arg("runs"),
        arg("learning_rate"), arg("rho"), arg("momentum"), arg("epsilon"));
  m.def("adam", &adam, arg("p"), arg("g"), arg("m"), arg("v"), arg("largest"), arg("runs"),
        arg("learning_rate"), arg("step"), arg("beta_1"), arg("beta_2"), arg("epsilon"));
}
