// Errors of the vector functions in units in the last place (ulp), on every instruction set of this machine.
//
//   test_math                 edge cases, every 1021st float32, 1.4 million float64 arguments per function
//   test_math --full          every float32, 20 million float64 arguments per function (tens of minutes)
//   test_math ... exp tanh    these functions only
//   test_math --time          ns per element instead, against the C library called element by element
//
// The reference is the C library one precision up. Exits with 1 if anything is wrong or above 2 ulp.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "fastnn/core/isa.hpp"
#include "math_probe.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {

template <class T> void probe(MathFunction f, const T* x, T* y, Index n) {
  FASTNN_SELECT(math_probe<T>)(f, x, y, n);
}

}  // namespace fastnn::cpu

namespace {

using fastnn::Isa;
using fastnn::cpu::MathFunction;
namespace cpu = fastnn::cpu;

constexpr double kAllowedUlp = 2;
constexpr std::size_t kBlock = 4096;

template <class W> W sigmoid(W x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

struct Function {
  MathFunction id;
  const char* name;
  double lo, hi;  // float64 arguments are densest here
  double (*c64)(double);
  long double (*c80)(long double);
  float (*c32)(float);
};

const Function kFunctions[] = {
    {MathFunction::exp, "exp", -709, 710, std::exp, std::exp, std::exp},
    {MathFunction::expm1, "expm1", -40, 40, std::expm1, std::expm1, std::expm1},
    {MathFunction::log, "log", 0, 4, std::log, std::log, std::log},
    {MathFunction::log1p, "log1p", -1, 4, std::log1p, std::log1p, std::log1p},
    {MathFunction::tanh, "tanh", -20, 20, std::tanh, std::tanh, std::tanh},
    {MathFunction::sigmoid, "sigmoid", -709, 40, sigmoid, sigmoid, sigmoid},
    {MathFunction::erf, "erf", -6, 6, std::erf, std::erf, std::erf},
    {MathFunction::sin, "sin", -1e6, 1e6, std::sin, std::sin, std::sin},
    {MathFunction::cos, "cos", -1e6, 1e6, std::cos, std::cos, std::cos},
    {MathFunction::quick_sqrt, "quick_sqrt", 0, 4, std::sqrt, std::sqrt, std::sqrt},
};

double reference(const Function& f, float x) { return f.c64(x); }
long double reference(const Function& f, double x) { return f.c80(x); }
float in_c(const Function& f, float x) { return f.c32(x); }
double in_c(const Function& f, double x) { return f.c64(x); }

template <class T> void run(const Function& f, const T* x, T* y, std::size_t n) {
  const fastnn::FlushDenormals flush;
  cpu::probe(f.id, x, y, fastnn::Index(n));
}

std::vector<Isa> machine_isas() {
  std::vector<Isa> found;
  for (Isa isa : fastnn::kAllIsas)
    if (fastnn::supported(isa)) found.push_back(isa);
  return found;
}

template <class T> T flushed(T x) {
  return std::fabs(x) < std::numeric_limits<T>::min() ? std::copysign(T(0), x) : x;
}

/// |y - exact| in units in the last place of T at `exact`. Where one of them is infinite or NaN, 0 if y is
/// exact rounded to T, infinity if not. A result that would be denormal may be 0.
template <class T, class W> double ulp_error(T y, W exact) {
  const T rounded = T(exact);
  constexpr double wrong = std::numeric_limits<double>::infinity();
  if (std::isnan(rounded) || std::isnan(y)) return std::isnan(rounded) && std::isnan(y) ? 0 : wrong;
  if (std::isinf(rounded) || std::isinf(y)) return rounded == y ? 0 : wrong;
  if (std::fabs(rounded) < std::numeric_limits<T>::min() && y == 0) return 0;
  const int exponent =
      std::max(exact == 0 ? -100000 : std::ilogb(exact), std::numeric_limits<T>::min_exponent - 1);
  return double(std::scalbn(std::fabs(W(y) - exact), std::numeric_limits<T>::digits - 1 - exponent));
}

/// The error of y = f(x). `exact` is f(x), with a denormal x taken as 0; taking it as it is is right, too.
template <class T, class W> double error_at(const Function& f, T x, T y, W exact) {
  const double e = ulp_error(y, exact);
  return e > 0 && flushed(x) != x ? std::min(e, ulp_error(y, reference(f, x))) : e;
}

template <class T> struct Worst {
  double ulp = 0;
  T at = 0;
};

/// One function over many arguments on every ISA, block by block: the reference is computed once.
template <class T> class Sweep {
 public:
  explicit Sweep(const Function& f) : f_(f), isas_(machine_isas()), worst_(isas_.size()) {}

  void add(T x) {
    x_.push_back(x);
    if (x_.size() == kBlock) flush_block();
  }

  /// Prints a row per ISA; false if one is above kAllowedUlp.
  bool report() {
    flush_block();
    bool ok = true;
    for (std::size_t i = 0; i < isas_.size(); ++i) {
      std::printf("%-8s %-8s %-8s %8.3f  %.17g\n", fastnn::name(isas_[i]), f_.name,
                  sizeof(T) == 4 ? "float32" : "float64", worst_[i].ulp, double(worst_[i].at));
      ok = ok && worst_[i].ulp <= kAllowedUlp;
    }
    return ok;
  }

 private:
  using Wide = decltype(reference(kFunctions[0], T(0)));

  void flush_block() {
    std::vector<Wide> exact(x_.size());
    for (std::size_t k = 0; k < x_.size(); ++k) exact[k] = reference(f_, flushed(x_[k]));
    std::vector<T> y(x_.size());
    for (std::size_t i = 0; i < isas_.size(); ++i) {
      fastnn::set_active_isa(isas_[i]);
      run(f_, x_.data(), y.data(), y.size());
      for (std::size_t k = 0; k < y.size(); ++k) {
        if (y[k] == T(exact[k])) continue;  // correctly rounded, as most are
        if (const double e = error_at(f_, x_[k], y[k], exact[k]); e > worst_[i].ulp) worst_[i] = {e, x_[k]};
      }
    }
    x_.clear();
  }

  const Function& f_;
  std::vector<Isa> isas_;
  std::vector<Worst<T>> worst_;
  std::vector<T> x_;
};

bool sweep_float(const Function& f, std::uint64_t stride) {
  Sweep<float> sweep(f);
  for (std::uint64_t i = 0; i < (1ull << 32); i += stride) {
    const std::uint32_t pattern = std::uint32_t(i);
    float x;
    std::memcpy(&x, &pattern, sizeof x);
    sweep.add(x);
  }
  return sweep.report();
}

/// Weyl sequence through a mixing function: the same arguments on every machine.
class Bits {
 public:
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 32)) * 0xd6e8feb86659fd93u;
    z = (z ^ (z >> 32)) * 0xd6e8feb86659fd93u;
    return z ^ (z >> 32);
  }
  /// Uniform in [0, 1).
  double unit() { return double(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_ = 1;
};

/// Half uniform in [lo, hi), a quarter in [-2, 2), an eighth with exponents in [-40, 8) of either sign, an
/// eighth any double at all.
bool sweep_double(const Function& f, std::size_t count) {
  Sweep<double> sweep(f);
  Bits bits;
  for (std::size_t i = 0; i < count / 8; ++i) {
    for (int k = 0; k < 4; ++k) sweep.add(f.lo + (f.hi - f.lo) * bits.unit());
    for (int k = 0; k < 2; ++k) sweep.add(4 * bits.unit() - 2);
    const double magnitude = std::scalbn(1 + bits.unit(), int(bits.next() % 48) - 40);
    sweep.add(bits.next() % 2 ? magnitude : -magnitude);
    const std::uint64_t any = bits.next();
    double x;
    std::memcpy(&x, &any, sizeof x);
    sweep.add(x);
  }
  return sweep.report();
}

/// Infinities, NaNs, signed zeros, denormals, and neighbours of the arguments where something changes.
template <class T> std::vector<T> edges() {
  using L = std::numeric_limits<T>;
  const T inf = L::infinity();
  std::vector<T> x{0, L::min(), L::denorm_min(), L::min() / 2, L::max(), inf, L::quiet_NaN(), L::epsilon(),
                   1};
  for (T centre : {T(std::log(L::max())),
                   T(-std::log(L::min())),
                   T(M_LN2) / 2,
                   T(M_LN2),
                   T(M_SQRT2),
                   T(M_SQRT1_2),
                   T(0.55),
                   T(1),
                   T(4),
                   T(6),
                   T(10),
                   T(18),
                   T(20),
                   T(40),
                   T(0x1p24),
                   T(M_PI_4),
                   T(M_PI_2),
                   T(M_PI),
                   T(6000),
                   T(1e6)}) {
    T below = centre, above = centre;
    for (int i = 0; i < 8; ++i) {
      x.push_back(below = std::nextafter(below, -inf));
      x.push_back(above = std::nextafter(above, inf));
    }
    x.push_back(centre);
  }
  for (std::size_t i = x.size(); i-- > 0;) x.push_back(-x[i]);
  return x;
}

/// The bits of a NaN whose payload is all ones: integer arithmetic on it must not make a number of it.
template <class T> T full_nan() {
  T x;
  std::memset(&x, 0xff, sizeof x);
  return x;
}

/// Within kAllowedUlp and of the right sign; exact where the argument is an infinity or a zero.
template <class T> bool edge_ok(const Function& f, T x, T y) {
  const auto exact = reference(f, flushed(x));
  if (std::isnan(exact)) return std::isnan(y);
  if (std::signbit(y) != std::signbit(exact)) return false;
  return std::isinf(x) || x == 0 ? y == T(exact) : error_at(f, x, y, exact) <= kAllowedUlp;
}

template <class T> bool check_edges(const Function& f) {
  std::vector<T> x = edges<T>();
  x.push_back(full_nan<T>());
  x.push_back(std::copysign(full_nan<T>(), T(1)));
  std::vector<T> y(x.size());
  bool ok = true;
  for (Isa isa : machine_isas()) {
    fastnn::set_active_isa(isa);
    run(f, x.data(), y.data(), x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (edge_ok(f, x[i], y[i])) continue;
      std::printf("%s %s(%.17g): expected %.17g, got %.17g\n", fastnn::name(isa), f.name, double(x[i]),
                  double(reference(f, flushed(x[i]))), double(y[i]));
      ok = false;
    }
  }
  return ok;
}

/// Best ns per element over 16384 arguments in [-4, 4), in [0.1, 8.1) for logarithms.
template <class Fn> double best_ns(std::size_t n, const Fn& fn) {
  double best = 1e9;
  for (int i = 0; i < 30; ++i) {
    const auto start = std::chrono::steady_clock::now();
    fn();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count() / double(n));
  }
  return best;
}

template <class T> void time_function(const Function& f) {
  const bool logarithm = f.id == MathFunction::log || f.id == MathFunction::log1p;
  std::vector<T> x(16384), y(x.size());
  Bits bits;
  for (T& v : x) v = T(8 * bits.unit() + (logarithm ? 0.1 : -4));
  std::printf("%-8s %-8s", f.name, sizeof(T) == 4 ? "float32" : "float64");
  std::printf("  C %7.3f", best_ns(x.size(), [&] {
                for (std::size_t i = 0; i < x.size(); ++i) y[i] = in_c(f, x[i]);
              }));
  for (Isa isa : machine_isas()) {
    fastnn::set_active_isa(isa);
    std::printf("  %s %7.3f", fastnn::name(isa),
                best_ns(x.size(), [&] { run(f, x.data(), y.data(), x.size()); }));
  }
  std::printf("\n");
}

struct Options {
  bool full = false, time = false;
  std::vector<std::string> only;

  Options(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      if (word == "--full")
        full = true;
      else if (word == "--time")
        time = true;
      else
        only.push_back(word);
    }
  }
  bool wants(const Function& f) const {
    for (const std::string& name : only)
      if (name == f.name) return true;
    return only.empty();
  }
};

}  // namespace

int main(int argc, char** argv) {
  const Options options(argc, argv);
  bool ok = true;
  if (!options.time) std::printf("%-8s %-8s %-8s %8s  %s\n", "ISA", "function", "dtype", "max ulp", "at");
  for (const Function& f : kFunctions) {
    if (!options.wants(f)) continue;
    if (options.time) {
      time_function<float>(f);
      time_function<double>(f);
      continue;
    }
    ok = check_edges<float>(f) && ok;
    ok = check_edges<double>(f) && ok;
    ok = sweep_float(f, options.full ? 1 : 1021) && ok;
    ok = sweep_double(f, options.full ? 20'000'000 : 1'400'000) && ok;
    std::fflush(stdout);
  }
  return ok ? 0 : 1;
}
