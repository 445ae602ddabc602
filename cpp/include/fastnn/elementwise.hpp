#pragma once

#include "fastnn/core/strided.hpp"

namespace fastnn {

enum class Unary {
#define FASTNN_UNARY(name, Functor, saved) name,
#include "fastnn/elementwise.def"
#undef FASTNN_UNARY
};

enum class Binary {
#define FASTNN_BINARY(name, Functor) name,
#include "fastnn/elementwise.def"
#undef FASTNN_BINARY
};

enum class Compare {
#define FASTNN_COMPARE(name, Functor) name,
#include "fastnn/elementwise.def"
#undef FASTNN_COMPARE
};

/// What a unary function's derivative is computed from.
enum class Saved { x, y };
Saved saved_for(Unary op);

/// Parameters of the functions that have some, by position; see elementwise.def.
struct UnaryParameters {
  double a = 0, b = 0, c = 0;
};

namespace cpu {

// Everywhere: T is float or double, arrays are dense unless a walk says otherwise, n may be 0, and the
// output may be exactly an input, not part of one. Parallel above a grain.

/// y[i] = op(x[i]).
template <class T> void unary(Unary op, const T* x, T* y, Index n, const UnaryParameters& parameters);

/// dx[i] = op'(...) dy[i], with saved the x or the y of the forward call, as saved_for(op) says.
template <class T>
void unary_backward(Unary op, const T* saved, const T* dy, T* dx, Index n, const UnaryParameters& parameters);

/// y = op(a, b), broadcast. Strides of a, b, y; those of y dense, those of a and b in the innermost
/// axis 0 or 1.
template <class T> void binary(Binary op, const T* a, const T* b, T* y, const Strided<3>& walk);

/// dx = dy d op(a, b) / da, or / db if `second`, in the broadcast shape (not summed over broadcast
/// axes). Strides of a, b, and dy together with dx, as in binary().
template <class T> void binary_backward(Binary op, bool second, const T* a, const T* b, const T* dy, T* dx,
                                        const Strided<3>& walk);

/// y = op(a, b) ? 1 : 0, one byte each, broadcast as in binary(). False where a or b is NaN, but for
/// not_equal.
template <class T> void compare(Compare op, const T* a, const T* b, std::uint8_t* y, const Strided<3>& walk);

/// y = condition ? a : b, broadcast. Strides of condition, a, b, y as in binary().
template <class T>
void where(const std::uint8_t* condition, const T* a, const T* b, T* y, const Strided<4>& walk);

}  // namespace cpu
}  // namespace fastnn
