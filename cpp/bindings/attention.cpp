#include "fastnn/attention.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::AttentionShape;
using fastnn::Index;

namespace {

constexpr const char* kAttention = "attention";

AttentionShape shape_of_call(const Array& q, const Array& k, const Array& v, double scale, double rate,
                             bool causal) {
  for (const Array* x : {&q, &k, &v})
    require(kAttention, x->ndim() == 4, "expected query, key and value with 4 axes (n, t, heads, d), got ",
            *x);
  AttentionShape s;
  s.n = q.shape(0), s.tq = q.shape(1), s.heads = q.shape(2), s.d = q.shape(3);
  s.tk = k.shape(1), s.kv_heads = k.shape(2), s.dv = v.shape(3);
  s.scale = scale, s.rate = rate, s.causal = causal;
  require(kAttention, k.shape(0) == s.n && k.shape(3) == s.d, "expected key (", s.n, ", t, heads, ", s.d,
          ") for query ", q, ", got ", k);
  require(kAttention, v.shape(0) == s.n && v.shape(1) == s.tk && v.shape(2) == s.kv_heads, "expected value (",
          s.n, ", ", s.tk, ", ", s.kv_heads, ", d) for key ", k, ", got ", v);
  return s;
}

/// Distances in x, dense, seen as (n, heads, tq, tk).
void put_strides(const char* name, const Array& x, const AttentionShape& s, Index (&strides)[4]) {
  const Index lengths[4] = {s.n, s.heads, s.tq, s.tk};
  bool fits = x.ndim() <= 4;
  Index step = 1;
  for (int axis = 3, own = int(x.ndim()) - 1; fits && own >= 0; --axis, --own) {
    const Index length = x.shape(own);
    fits = length == 1 || length == lengths[axis];
    strides[axis] = length == 1 ? 0 : step;
    step *= length;
  }
  require(kAttention, fits, "expected ", name, " that broadcasts to ", Shape(lengths, lengths + 4), ", got ",
          x);
}

template <class T> struct Call {
  AttentionShape shape;
  Input<T> q, k, v;
  std::optional<Input<T>> bias;
  std::optional<Input<bool>> mask;

  Call(const Array& q_, const Array& k_, const Array& v_, const Out& bias_, const Out& mask_, double scale,
       double rate, bool causal)
      : shape(shape_of_call(q_, k_, v_, scale, rate, causal)),
        q(kAttention, "query", q_),
        k(kAttention, "key", k_),
        v(kAttention, "value", v_) {
    if (bias_) {
      bias.emplace(kAttention, "bias", *bias_);
      put_strides("a bias", *bias_, shape, shape.bias_strides);
    }
    if (mask_) {
      mask.emplace(kAttention, "mask", *mask_);
      put_strides("a mask", *mask_, shape, shape.mask_strides);
    }
  }
  const T* bias_data() const { return bias ? bias->data() : nullptr; }
  const std::uint8_t* mask_data() const {
    return mask ? reinterpret_cast<const std::uint8_t*>(mask->data()) : nullptr;
  }
  Shape output() const { return {shape.n, shape.tq, shape.heads, shape.dv}; }
};

/// A random stream: seed, stream, step.
std::uint64_t* dropout_state(const Out& state, bool written) {
  if (!state) return nullptr;
  require_type(kAttention, state->dtype().kind() == 'u' && state->itemsize() == 8,
               "expected a state of uint64");
  require(kAttention, state->size() == 3 && is_dense(*state), "expected a state of shape (3,), got ", *state);
  require(kAttention, !written || state->writeable(), "expected a writable state, got a read-only array");
  return static_cast<std::uint64_t*>(const_cast<void*>(state->data()));
}

/// (y, logs, used).
py::tuple attention(const Array& q, const Array& k, const Array& v, const Out& bias, const Out& mask,
                    const Out& state, double scale, double rate, bool causal) {
  return with_float(kAttention, "query", q, [&](auto element) {
    using T = decltype(element);
    const Call<T> call(q, k, v, bias, mask, scale, rate, causal);
    require(kAttention, rate == 0 || state, "expected a state for dropout, got None");
    Output<T> y(kAttention, call.output()),
        logs(kAttention, Shape{call.shape.n, call.shape.heads, call.shape.tq});
    Array used = empty(Shape{3}, py::dtype::of<std::uint64_t>().num());
    auto* const before = static_cast<std::uint64_t*>(used.mutable_data());
    invoke(&fastnn::cpu::attention<T>, call.q.data(), call.k.data(), call.v.data(), call.mask_data(),
           call.bias_data(), rate > 0 ? dropout_state(state, true) : nullptr, rate > 0 ? before : nullptr,
           y.data(), logs.data(), call.shape);
    return py::make_tuple(y.array(), logs.array(), used);
  });
}

/// (dq, dk, dv, dbias), each None unless it is needed; dbias for every (n, heads, tq, tk).
py::tuple attention_backward(const Array& q, const Array& k, const Array& v, const Out& bias, const Out& mask,
                             const Array& used, double scale, double rate, bool causal, const Array& y,
                             const Array& logs, const Array& dy, bool need_dq, bool need_dk, bool need_dv,
                             bool need_dbias) {
  return with_float(kAttention, "query", q, [&](auto element) {
    using T = decltype(element);
    const Call<T> call(q, k, v, bias, mask, scale, rate, causal);
    const Input<T> saved(kAttention, "y", y), divisors(kAttention, "logs", logs),
        gradient(kAttention, "dy", dy);
    require(kAttention, shape_of(y) == call.output(), "expected y of shape ", call.output(), ", got ", y);
    require(kAttention, shape_of(dy) == call.output(), "expected dy of shape ", call.output(), ", got ", dy);
    const AttentionShape& s = call.shape;
    require(kAttention, shape_of(logs) == Shape{s.n, s.heads, s.tq}, "expected other logs, got ", logs);
    std::optional<Output<T>> dq, dk, dv, dbias;
    if (need_dq) dq.emplace(kAttention, shape_of(q));
    if (need_dk) dk.emplace(kAttention, shape_of(k));
    if (need_dv) dv.emplace(kAttention, shape_of(v));
    if (need_dbias) dbias.emplace(kAttention, Shape{s.n, s.heads, s.tq, s.tk});
    const auto data = [](auto& output) { return output ? output->data() : nullptr; };
    invoke(&fastnn::cpu::attention_backward<T>, call.q.data(), call.k.data(), call.v.data(), call.mask_data(),
           call.bias_data(), rate > 0 ? dropout_state(used, false) : nullptr, saved.data(), divisors.data(),
           gradient.data(), data(dq), data(dk), data(dv), data(dbias), s);
    const auto result = [](auto& output) { return output ? py::object(output->array()) : py::none(); };
    return py::make_tuple(result(dq), result(dk), result(dv), result(dbias));
  });
}

}  // namespace

void bind_attention(py::module_& m) {
  using py::arg;
  m.def("attention", &attention, arg("q"), arg("k"), arg("v"), arg("bias"), arg("mask"), arg("state"),
        arg("scale"), arg("rate"), arg("causal"), "Returns (y, logs, used); moves the step in state on.");
  m.def("attention_backward", &attention_backward, arg("q"), arg("k"), arg("v"), arg("bias"), arg("mask"),
        arg("used"), arg("scale"), arg("rate"), arg("causal"), arg("y"), arg("logs"), arg("dy"),
        arg("need_dq"), arg("need_dk"), arg("need_dv"), arg("need_dbias"));
}
