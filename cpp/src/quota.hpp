#pragma once

#include <string>

namespace fastnn {

/// Processors a container's CPU quota allows, the tightest of this process's control group and all
/// groups around it; 0 if there is none.
///
/// groups: a file of lines "id:controllers:path", /proc/self/cgroup on Linux. root: where control groups
/// are mounted. Versions 1 and 2.
double cpu_quota(const std::string& groups, const std::string& root);

}  // namespace fastnn
