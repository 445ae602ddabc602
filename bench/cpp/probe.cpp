// Prints the machine's limits for a number of threads as JSON; bench/machine.py compiles and runs it.

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "peak.hpp"

int main(int, char** argv) {
  const int threads = std::atoi(argv[1]);
  double best = 0;
  for (int attempt = 0; attempt < 8; ++attempt) best = std::max(best, peak::flops(threads));
  std::printf("{\"flops\": %g, \"bandwidth\": [", best);
  const std::size_t sizes[] = {16 << 10, 32 << 10, 128 << 10, 512 << 10,
                               2 << 20,  8 << 20,  32 << 20,  256 << 20};
  for (std::size_t size : sizes)
    std::printf("%s[%zu, %g]", size == sizes[0] ? "" : ", ", size, peak::bandwidth(threads, size));
  std::printf("]}\n");
}
