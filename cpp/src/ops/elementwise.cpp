#include "fastnn/elementwise.hpp"

#include "blocks.hpp"
#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, unary_span, (Unary op, const T* x, T* y, Index n, const UnaryParameters& p))
FASTNN_DECLARE(void, unary_backward_span,
               (Unary op, const T* saved, const T* dy, T* dx, Index n, const UnaryParameters& p))
FASTNN_DECLARE(void, binary_block, (Binary op, const T* a, const T* b, T* y, const Block<3>& block))
FASTNN_DECLARE(void, binary_backward_block,
               (Binary op, bool second, const T* a, const T* b, const T* dy, T* dx, const Block<3>& block))
FASTNN_DECLARE(void, compare_block,
               (Compare op, const T* a, const T* b, std::uint8_t* y, const Block<3>& block))
FASTNN_DECLARE(void, where_block,
               (const std::uint8_t* condition, const T* a, const T* b, T* y, const Block<4>& block))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "elementwise.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class Functor, class T>
static void unary_loop(const T* x, T* y, Index n, const Parameters<Vec<T>>& p) {
  using V = Vec<T>;
  Index i = 0;
  for (; i + V::lanes <= n; i += V::lanes) Functor::value(V::load(x + i), p).store(y + i);
  if (const int tail = int(n - i)) Functor::value(V::load_n(x + i, tail, 1), p).store_n(y + i, tail);
}

template <class Functor, class T>
static void unary_backward_loop(const T* saved, const T* dy, T* dx, Index n, const Parameters<Vec<T>>& p) {
  using V = Vec<T>;
  Index i = 0;
  for (; i + V::lanes <= n; i += V::lanes)
    (V::load(dy + i) * Functor::slope(V::load(saved + i), p)).store(dx + i);
  if (const int tail = int(n - i))
    (V::load_n(dy + i, tail) * Functor::slope(V::load_n(saved + i, tail, 1), p)).store_n(dx + i, tail);
}

template <class T> void unary_span(Unary op, const T* x, T* y, Index n, const UnaryParameters& given) {
  const auto p = Parameters<Vec<T>>::of(given);
  switch (op) {
#define FASTNN_UNARY(name, Functor, saved) \
  case Unary::name:                        \
    return unary_loop<Functor>(x, y, n, p);
#include "fastnn/elementwise.def"
#undef FASTNN_UNARY
  }
}
FASTNN_INSTANTIATE(unary_span)

template <class T>
void unary_backward_span(Unary op, const T* from, const T* dy, T* dx, Index n, const UnaryParameters& given) {
  const auto p = Parameters<Vec<T>>::of(given);
  switch (op) {
#define FASTNN_UNARY(name, Functor, saved) \
  case Unary::name:                        \
    return unary_backward_loop<Functor>(from, dy, dx, n, p);
#include "fastnn/elementwise.def"
#undef FASTNN_UNARY
  }
}
FASTNN_INSTANTIATE(unary_backward_span)

// One row of an operand that is either walked (kStep 1) or broadcast (kStep 0).
template <int kStep, class T> static inline Vec<T> operand(const T* row, Index i) {
  return kStep ? Vec<T>::load(row + i) : Vec<T>::set(*row);
}
template <int kStep, class T> static inline Vec<T> operand_n(const T* row, Index i, int n) {
  return kStep ? Vec<T>::load_n(row + i, n, 1) : Vec<T>::set(*row);
}

struct ValueOf {
  template <class Functor, class V> static V apply(V a, V b, V) { return Functor::value(a, b); }
};
struct GradientA {
  template <class Functor, class V> static V apply(V a, V b, V dy) { return dy * Functor::slope_a(a, b); }
};
struct GradientB {
  template <class Functor, class V> static V apply(V a, V b, V dy) { return dy * Functor::slope_b(a, b); }
};

template <class Functor, class What, int kStepA, int kStepB, class T>
static void binary_rows(const T* a, const T* b, const T* dy, T* y, const Block<3>& block) {
  using V = Vec<T>;
  for (Index r = 0; r < block.rows; ++r) {
    Index i = 0;
    for (; i + V::lanes <= block.cols; i += V::lanes)
      What::template apply<Functor>(operand<kStepA>(a, i), operand<kStepB>(b, i), V::load(dy + i))
          .store(y + i);
    if (const int tail = int(block.cols - i))
      What::template apply<Functor>(operand_n<kStepA>(a, i, tail), operand_n<kStepB>(b, i, tail),
                                    V::load_n(dy + i, tail))
          .store_n(y + i, tail);
    a += block.row_stride[0];
    b += block.row_stride[1];
    dy += block.row_stride[2];
    y += block.row_stride[2];
  }
}

// For a plain value the place of dy is taken by a, which is there in any case and not used.
template <class Functor, class What, class T>
static void binary_steps(const T* a, const T* b, const T* dy, T* y, const Block<3>& block) {
  if (block.col_stride[0] && block.col_stride[1]) return binary_rows<Functor, What, 1, 1>(a, b, dy, y, block);
  if (block.col_stride[0]) return binary_rows<Functor, What, 1, 0>(a, b, dy, y, block);
  if (block.col_stride[1]) return binary_rows<Functor, What, 0, 1>(a, b, dy, y, block);
  return binary_rows<Functor, What, 0, 0>(a, b, dy, y, block);
}

template <class T> void binary_block(Binary op, const T* a, const T* b, T* y, const Block<3>& block) {
  a += block.offset[0];
  b += block.offset[1];
  y += block.offset[2];
  switch (op) {
#define FASTNN_BINARY(name, Functor) \
  case Binary::name:                 \
    return binary_steps<Functor, ValueOf>(a, b, y, y, block);
#include "fastnn/elementwise.def"
#undef FASTNN_BINARY
  }
}
FASTNN_INSTANTIATE(binary_block)

template <class T> void binary_backward_block(Binary op, bool second, const T* a, const T* b, const T* dy,
                                              T* dx, const Block<3>& block) {
  a += block.offset[0];
  b += block.offset[1];
  dy += block.offset[2];
  dx += block.offset[2];
  switch (op) {
#define FASTNN_BINARY(name, Functor)                                      \
  case Binary::name:                                                      \
    return second ? binary_steps<Functor, GradientB>(a, b, dy, dx, block) \
                  : binary_steps<Functor, GradientA>(a, b, dy, dx, block);
#include "fastnn/elementwise.def"
#undef FASTNN_BINARY
  }
}
FASTNN_INSTANTIATE(binary_backward_block)

template <class Functor, int kStepA, int kStepB, class T>
static void compare_rows(const T* a, const T* b, std::uint8_t* y, const Block<3>& block) {
  using V = Vec<T>;
  for (Index r = 0; r < block.rows; ++r) {
    for (Index i = 0; i < block.cols; i += V::lanes) {
      const int count = int(block.cols - i < V::lanes ? block.cols - i : V::lanes);
      const unsigned found =
          bits(Functor::value(operand_n<kStepA>(a, i, count), operand_n<kStepB>(b, i, count)));
      for (int lane = 0; lane < count; ++lane) y[i + lane] = std::uint8_t((found >> lane) & 1u);
    }
    a += block.row_stride[0];
    b += block.row_stride[1];
    y += block.row_stride[2];
  }
}

template <class Functor, class T>
static void compare_steps(const T* a, const T* b, std::uint8_t* y, const Block<3>& block) {
  if (block.col_stride[0] && block.col_stride[1]) return compare_rows<Functor, 1, 1>(a, b, y, block);
  if (block.col_stride[0]) return compare_rows<Functor, 1, 0>(a, b, y, block);
  if (block.col_stride[1]) return compare_rows<Functor, 0, 1>(a, b, y, block);
  return compare_rows<Functor, 0, 0>(a, b, y, block);
}

template <class T>
void compare_block(Compare op, const T* a, const T* b, std::uint8_t* y, const Block<3>& block) {
  a += block.offset[0];
  b += block.offset[1];
  y += block.offset[2];
  switch (op) {
#define FASTNN_COMPARE(name, Functor) \
  case Compare::name:                 \
    return compare_steps<Functor>(a, b, y, block);
#include "fastnn/elementwise.def"
#undef FASTNN_COMPARE
  }
}
FASTNN_INSTANTIATE(compare_block)

template <class T>
void where_block(const std::uint8_t* condition, const T* a, const T* b, T* y, const Block<4>& block) {
  condition += block.offset[0];
  a += block.offset[1];
  b += block.offset[2];
  y += block.offset[3];
  const Index step = block.col_stride[0], step_a = block.col_stride[1], step_b = block.col_stride[2];
  for (Index r = 0; r < block.rows; ++r) {
    for (Index i = 0; i < block.cols; ++i) y[i] = condition[i * step] ? a[i * step_a] : b[i * step_b];
    condition += block.row_stride[0];
    a += block.row_stride[1];
    b += block.row_stride[2];
    y += block.row_stride[3];
  }
}
FASTNN_INSTANTIATE(where_block)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------

namespace fastnn {

Saved saved_for(Unary op) {
  switch (op) {
#define FASTNN_UNARY(name, Functor, saved) \
  case Unary::name:                        \
    return Saved::saved;
#include "fastnn/elementwise.def"
#undef FASTNN_UNARY
  }
  return Saved::x;
}

namespace cpu {

template <class T> void unary(Unary op, const T* x, T* y, Index n, const UnaryParameters& p) {
  const auto kernel = FASTNN_SELECT(unary_span<T>);
  parallel_ranges(
      n, 1, [&](Index begin, Index end) { kernel(op, x + begin, y + begin, end - begin, p); }, 64);
}
FASTNN_INSTANTIATE(unary)

template <class T>
void unary_backward(Unary op, const T* saved, const T* dy, T* dx, Index n, const UnaryParameters& p) {
  const auto kernel = FASTNN_SELECT(unary_backward_span<T>);
  parallel_ranges(
      n, 1,
      [&](Index begin, Index end) { kernel(op, saved + begin, dy + begin, dx + begin, end - begin, p); }, 64);
}
FASTNN_INSTANTIATE(unary_backward)

template <class T> void binary(Binary op, const T* a, const T* b, T* y, const Strided<3>& walk) {
  const auto kernel = FASTNN_SELECT(binary_block<T>);
  parallel_blocks(walk, [&](const Block<3>& block) { kernel(op, a, b, y, block); });
}
FASTNN_INSTANTIATE(binary)

template <class T> void binary_backward(Binary op, bool second, const T* a, const T* b, const T* dy, T* dx,
                                        const Strided<3>& walk) {
  const auto kernel = FASTNN_SELECT(binary_backward_block<T>);
  parallel_blocks(walk, [&](const Block<3>& block) { kernel(op, second, a, b, dy, dx, block); });
}
FASTNN_INSTANTIATE(binary_backward)

template <class T> void compare(Compare op, const T* a, const T* b, std::uint8_t* y, const Strided<3>& walk) {
  const auto kernel = FASTNN_SELECT(compare_block<T>);
  parallel_blocks(walk, [&](const Block<3>& block) { kernel(op, a, b, y, block); });
}
FASTNN_INSTANTIATE(compare)

template <class T>
void where(const std::uint8_t* condition, const T* a, const T* b, T* y, const Strided<4>& walk) {
  const auto kernel = FASTNN_SELECT(where_block<T>);
  parallel_blocks(walk, [&](const Block<4>& block) { kernel(condition, a, b, y, block); });
}
FASTNN_INSTANTIATE(where)

}  // namespace cpu
}  // namespace fastnn
#endif
