// One update step of each optimizer over a flat buffer of a small network, of a large one, and beyond the
// caches.

#include "fastnn/adam.hpp"
#include "fastnn/optimizers.hpp"

#include "runner.hpp"

using bench::Index;

/// Parameters, gradients and two slots, updated in place.
struct State {
  Index n;
  std::vector<float> y = bench::normal(n), g = y, first = std::vector<float>(y.size()), second = first;
  double learning_rate = 1e-3;
  std::int64_t step = 1;
  fastnn::Run runs[1] = {{0, n}};
};

struct Sgd : State {
  void operator()() {
    fastnn::cpu::sgd<float>(y.data(), g.data(), nullptr, runs, 1, nullptr, &learning_rate, {});
  }
};

struct Momentum : State {
  void operator()() {
    fastnn::cpu::sgd(y.data(), g.data(), first.data(), runs, 1, nullptr, &learning_rate, {.momentum = 0.9});
  }
};

struct Rmsprop : State {
  void operator()() {
    fastnn::cpu::rmsprop<float>(y.data(), g.data(), first.data(), nullptr, nullptr, runs, 1, nullptr,
                                &learning_rate, {});
  }
};

struct Adam : State {
  void operator()() {
    fastnn::cpu::adam<float>(y.data(), g.data(), first.data(), second.data(), nullptr, runs, 1, nullptr,
                             &learning_rate, &step, {});
    ++step;
  }
};

/// read, written: how many arrays; those written are read as well.
template <class Step> void add(const std::string& name, Index n, int read, int written) {
  const double array = 4.0 * double(n);
  bench::add(name + bench::label({n}), {.bytes = (read + written) * array, .footprint = read * array},
             [=] { return Step{{n}}; });
}

int main(int argc, char** argv) {
  for (Index n : {Index{10'000}, Index{1'000'000}, Index{10'000'000}}) {
    add<Sgd>("sgd", n, 2, 1);
    add<Momentum>("momentum", n, 3, 2);
    add<Rmsprop>("rmsprop", n, 3, 2);
    add<Adam>("adam", n, 4, 3);
  }
  return bench::run(argc, argv);
}
