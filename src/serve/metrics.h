// What a monitoring system wants to know.
#pragma once
#include <ctime>
#include <string>

#include "generate/batch_engine.h"

namespace addend {

// In Prometheus's text format; docs/server.md lists the names.
std::string MetricsText(const BatchStatistics& statistics, std::time_t started);

}  // namespace addend
