#include "fastnn/additive_scores.hpp"

#include "arrays.hpp"

namespace py = pybind11;
using namespace fastnn::py;
using fastnn::ScoresShape;

namespace {

constexpr const char* kAdditiveScores = "additive_scores";

ScoresShape sizes_of(const Array& q, const Array& k, const Array& w) {
  require(kAdditiveScores, q.ndim() == 3 && k.ndim() == 3,
          "expected query and key with 3 axes (n, t, d), got ", q, " and ", k);
  require(kAdditiveScores, q.shape(0) == k.shape(0) && q.shape(2) == k.shape(2), "expected key (", q.shape(0),
          ", t, ", q.shape(2), ") for query ", q, ", got ", k);
  require(kAdditiveScores, shape_of(w) == Shape{q.shape(2)}, "expected a scale (", q.shape(2), ",), got ", w);
  return {q.shape(0), q.shape(1), k.shape(1), q.shape(2)};
}

Array additive_scores(const Array& q, const Array& k, const Array& w) {
  return with_float(kAdditiveScores, "query", q, [&](auto element) {
    using T = decltype(element);
    const ScoresShape s = sizes_of(q, k, w);
    const Input<T> query(kAdditiveScores, "query", q), key(kAdditiveScores, "key", k),
        scale(kAdditiveScores, "scale", w);
    Output<T> scores(kAdditiveScores, Shape{s.n, s.tq, s.tk});
    invoke(&fastnn::cpu::additive_scores<T>, query.data(), key.data(), scale.data(), scores.data(), s);
    return scores.array();
  });
}

/// (dq, dk, dw).
py::tuple additive_scores_backward(const Array& q, const Array& k, const Array& w, const Array& ds) {
  return with_float(kAdditiveScores, "query", q, [&](auto element) {
    using T = decltype(element);
    const ScoresShape s = sizes_of(q, k, w);
    const Input<T> query(kAdditiveScores, "query", q), key(kAdditiveScores, "key", k),
        scale(kAdditiveScores, "scale", w), slope(kAdditiveScores, "ds", ds);
    require(kAdditiveScores, shape_of(ds) == Shape{s.n, s.tq, s.tk}, "expected other gradients, got ", ds);
    Output<T> dq(kAdditiveScores, shape_of(q)), dk(kAdditiveScores, shape_of(k)),
        dw(kAdditiveScores, shape_of(w));
    invoke(&fastnn::cpu::additive_scores_backward<T>, query.data(), key.data(), scale.data(), slope.data(),
           dq.data(), dk.data(), dw.data(), s);
    return py::make_tuple(dq.array(), dk.array(), dw.array());
  });
}

}  // namespace

void bind_additive_scores(py::module_& m) {
  using py::arg;
  m.def("additive_scores", &additive_scores, arg("q"), arg("k"), arg("w"));
  m.def("additive_scores_backward", &additive_scores_backward, arg("q"), arg("k"), arg("w"), arg("ds"));
}
