#pragma once

#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn {

/// Sum of fn(begin, end) over ranges that cover [0, count), in order. The ranges hold about a grain of
/// elements, where one item has `cost` of them, and run in parallel.
template <typename Fn> double partial_sums(Index count, Index cost, const Fn& fn) {
  const Index items = std::max<Index>(1, kGrain / std::max<Index>(1, cost));
  const Index tasks = (count + items - 1) / items;
  if (tasks <= 0) return 0;
  const Workspace<double> parts(static_cast<std::size_t>(tasks));
  parallel_tasks(tasks, [&](Index t) { parts.data()[t] = fn(t * items, std::min(count, (t + 1) * items)); });
  double total = 0;
  for (Index t = 0; t < tasks; ++t) total += parts.data()[t];
  return total;
}

}  // namespace fastnn
