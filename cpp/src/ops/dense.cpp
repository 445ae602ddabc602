#include "fastnn/dense.hpp"

#include "slope.hpp"

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "elementwise.hpp"
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class Functor> constexpr bool kIsLinear = false;
template <> constexpr bool kIsLinear<Linear> = true;

template <class Functor, class T> static void slope_loop(const T* saved, const T* dy, T* dz, T* sums,
                                                         Index rows, Index cols,
                                                         const Parameters<Vec<T>>& p) {
  using V = Vec<T>;
  row_each<T>(cols, [&](auto at) {
    V total = V::set(0);
    for (Index i = 0; i < rows * cols; i += cols) {
      V v = at.load(dy + i);
      if constexpr (!kIsLinear<Functor>) {
        v = v * Functor::slope(at.load(saved + i, 1), p);
        at.store(dz + i, v);
      }
      total = total + v;
    }
    if (sums) at.store(sums, total);
  });
}

template <class T> void dense_slope(Unary op, const T* from, const T* dy, T* dz, T* sums, Index rows,
                                    Index cols, const UnaryParameters& given) {
  const auto p = Parameters<Vec<T>>::of(given);
  switch (op) {
#define FASTNN_UNARY(name, Functor, saved) \
  case Unary::name:                        \
    return slope_loop<Functor>(from, dy, dz, sums, rows, cols, p);
#include "fastnn/elementwise.def"
#undef FASTNN_UNARY
  }
}
FASTNN_INSTANTIATE(dense_slope)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include <optional>

#include "check.hpp"
#include "fastnn/gemm.hpp"

namespace fastnn {

void DenseShape::check(const char* op) const {
  fastnn::check(op, m >= 0 && i >= 0 && u >= 0, "expected m, i, u >= 0, got (", m, ", ", i, ", ", u, ")");
}

namespace cpu {
template <class T> void dense(const T* x, const T* w, const T* b, T* y, T* z, const DenseShape& s,
                              Unary activation, const UnaryParameters& parameters) {
  s.check("dense");
  gemm<T>(x, w, y, GemmShape::dense(s.m, s.u, s.i), {b, activation, parameters, z});
}
FASTNN_INSTANTIATE(dense)

template <class T> void dense_backward(const T* x, const T* w, const T* saved, const T* dy, T* dx, T* dw,
                                       T* db, const DenseShape& s, Unary activation,
                                       const UnaryParameters& parameters) {
  s.check("dense_backward");
  if (!dx && !dw && !db) return;
  std::optional<Workspace<T>> memory;
  const T* dz = dy;
  if (activation != Unary::linear) {
    T* const product = memory.emplace(std::size_t(s.m * s.u)).data();
    slope(saved, dy, product, db, s.m, s.u, activation, parameters);
    dz = product;
  } else if (db) {
    slope<T>(dy, dy, nullptr, db, s.m, s.u, activation, parameters);
  }
  if (dw) gemm<T>(x, dz, dw, GemmShape::dense(s.i, s.u, s.m, true, false));
  if (dx) gemm<T>(dz, w, dx, GemmShape::dense(s.m, s.i, s.u, false, true));
}
FASTNN_INSTANTIATE(dense_backward)

}  // namespace cpu
}  // namespace fastnn
#endif
