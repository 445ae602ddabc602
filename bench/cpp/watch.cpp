// For every line that it reads, prints the operations per second that threads get at that moment, measured
// for some 2 ms; bench/machine.py compiles and runs it.

#include <cstdio>
#include <cstdlib>

#include "peak.hpp"

int main(int, char** argv) {
  const int threads = std::atoi(argv[1]);
  char line[8];
  while (std::fgets(line, sizeof line, stdin)) {
    std::printf("%g\n", peak::flops(threads, 400'000));
    std::fflush(stdout);
  }
}
