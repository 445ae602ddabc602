// Every name of simd/simd.hpp means the same on every instruction set of this machine: its results are
// compared with plain C++, bit for bit, at lengths around every vector width. Exits with 1 if one differs.

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#include "fastnn/core/isa.hpp"
#include "simd_probe.hpp"

namespace fastnn::cpu {

template <class T> void probe(SimdOp op, const T* a, const T* b, const T* c, T* y, Index n) {
  FASTNN_SELECT(simd_probe<T>)(op, a, b, c, y, n);
}

template <class T> T reduce(Reduction op, const T* a, Index n, T fill) {
  return FASTNN_SELECT(simd_reduce<T>)(op, a, n, fill);
}

}  // namespace fastnn::cpu

namespace {

using fastnn::cpu::Reduction;
using fastnn::cpu::SimdOp;

template <class T> T expected(SimdOp op, T a, T b, T c) {
  switch (op) {
    case SimdOp::add: return a + b;
    case SimdOp::subtract: return a - b;
    case SimdOp::multiply: return a * b;
    case SimdOp::divide: return a / b;
    case SimdOp::fma: return std::fma(a, b, c);
    case SimdOp::fnma: return std::fma(-a, b, c);
    case SimdOp::min: return a < b ? a : b;
    case SimdOp::max: return a > b ? a : b;
    case SimdOp::abs: return std::fabs(a);
    case SimdOp::sqrt: return std::sqrt(a);
    case SimdOp::round: return std::nearbyint(a);
    case SimdOp::copysign: return std::copysign(a, b);
    case SimdOp::less:
    case SimdOp::bits: return a < b;
    case SimdOp::less_equal: return a <= b;
    case SimdOp::greater: return a > b;
    case SimdOp::greater_equal: return a >= b;
    case SimdOp::equal: return a == b;
    case SimdOp::not_equal: return a != b;
    case SimdOp::both: return a < b && b < c;
    case SimdOp::either: return a < b || b < c;
    case SimdOp::exponent: return std::logb(a);
    case SimdOp::mantissa: return std::scalbn(a, -std::ilogb(a));
    case SimdOp::pow2: return std::exp2(a);
    case SimdOp::scale: return std::scalbn(a, int(b));
    case SimdOp::inverse: return 1 / a;
    case SimdOp::quick_sqrt: return std::sqrt(a);
  }
  return a;
}

template <class T> bool same(T x, T y) {
  return (std::isnan(x) && std::isnan(y)) || (x == y && std::signbit(x) == std::signbit(y));
}

/// The products of the arguments below are exact, so that fma() gives the same with one rounding or two.
template <class T> std::vector<T> arguments(SimdOp op) {
  using L = std::numeric_limits<T>;
  if (op == SimdOp::exponent || op == SimdOp::mantissa)
    return {1, -1, 2, T(1.75), -3, L::min(), L::max(), 1 - L::epsilon(), -L::max(), T(1e-30)};
  if (op == SimdOp::pow2) {
    const T lowest = T(L::min_exponent - 1), highest = T(L::max_exponent - 1);
    return {0, 1, -1, lowest, highest, lowest + 1, highest - 1, 23, -24};
  }
  if (op == SimdOp::scale) return {1, -3, 5, -100, 60};
  // Powers of 2, and of 4 below, which have no rounding; tests of the functions that use it bound the error.
  if (op == SimdOp::inverse) return {1, -2, T(0.25), T(0x1p125), T(-0x1p-125), L::quiet_NaN()};
  if (op == SimdOp::quick_sqrt)
    return {0, T(-0.0), 1, 4, T(0.25), T(0x1p100), T(-1), -L::infinity(), L::infinity(), L::quiet_NaN()};
  return {0,       T(-0.0),  1, -1,   T(0.5),         T(1.5),        T(2.5),
          T(-2.5), T(-0.25), 7, 1000, -L::infinity(), L::infinity(), L::quiet_NaN()};
}

/// Every pair of arguments, the third argument walking along.
template <class T> bool check_op(SimdOp op) {
  const std::vector<T> x = arguments<T>(op);
  std::vector<T> a, b, c;
  for (T first : x)
    for (T second : x) {
      a.push_back(first);
      b.push_back(second);
      c.push_back(x[(a.size() * 5) % x.size()]);
    }
  bool ok = true;
  for (std::size_t n = 0; n <= a.size(); n = n < 40 || n == a.size() ? n + 1 : a.size()) {
    const T untouched = 12345;
    std::vector<T> y(n + 1, untouched);
    // Copies of exactly n elements, so that a sanitizer sees a read beyond them.
    const std::vector<T> a_n(a.begin(), a.begin() + long(n)), b_n(b.begin(), b.begin() + long(n)),
        c_n(c.begin(), c.begin() + long(n));
    fastnn::cpu::probe(op, a_n.data(), b_n.data(), c_n.data(), y.data(), fastnn::Index(n));
    for (std::size_t i = 0; i <= n; ++i) {
      const T want = i < n ? expected(op, a[i], b[i], c[i]) : untouched;
      if (same(y[i], want)) continue;
      std::printf("%s op %d, length %zu, element %zu: (%g, %g, %g): expected %g, got %g\n",
                  fastnn::name(fastnn::active_isa()), int(op), n, i, i < n ? double(a[i]) : 0,
                  i < n ? double(b[i]) : 0, i < n ? double(c[i]) : 0, double(want), double(y[i]));
      ok = false;
    }
  }
  return ok;
}

/// Lanes of the active instruction set's vector, counted by adding up ones.
template <class T> int lanes() {
  return int(fastnn::cpu::reduce(Reduction::sum, std::vector<T>(16, 1).data(), 16, T(0)));
}

/// Integers, whose sum is exact in any order: the first n of them, the other lanes filled.
template <class T> bool check_reductions() {
  const std::vector<T> x{3, -7, 12, 4, -20, 33, 1, 2, 100, -100, 64, 8, -1, 5, 9, -2};
  bool ok = true;
  T total = 0, most = -1000, least = 1000, any = 0;
  for (int n = 1; n <= lanes<T>(); ++n) {
    const T last = x[std::size_t(n) - 1];
    total += last;
    most = std::fmax(most, last);
    least = std::fmin(least, last);
    std::vector<T> a(x.begin(), x.begin() + n), one(std::size_t(n), -1);
    one.back() = 1;
    any += fastnn::cpu::reduce(Reduction::any_positive, one.data(), n, T(-1));
    ok = ok && fastnn::cpu::reduce(Reduction::sum, a.data(), n, T(0)) == total;
    ok = ok && fastnn::cpu::reduce(Reduction::max_lane, a.data(), n, T(-1000)) == most;
    ok = ok && fastnn::cpu::reduce(Reduction::min_lane, a.data(), n, T(1000)) == least;
  }
  ok = ok && any == T(lanes<T>()) && fastnn::cpu::reduce(Reduction::any_positive, x.data(), 0, T(-1)) == 0;
  if (!ok) std::printf("%s: a reduction is wrong\n", fastnn::name(fastnn::active_isa()));
  return ok;
}

template <class T> bool check_all() {
  bool ok = check_reductions<T>();
  for (int op = 0; op <= int(SimdOp::quick_sqrt); ++op) ok = check_op<T>(SimdOp(op)) && ok;
  return ok;
}

}  // namespace

int main() {
  bool ok = true;
  for (fastnn::Isa isa : fastnn::kAllIsas) {
    if (!fastnn::supported(isa)) continue;
    fastnn::set_active_isa(isa);
    ok = check_all<float>() && ok;
    ok = check_all<double>() && ok;
  }
  std::puts(ok ? "simd: ok" : "simd: FAILED");
  return ok ? 0 : 1;
}
