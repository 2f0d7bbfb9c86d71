#include "serve/metrics.h"

#include <sstream>

#include "base/progress.h"

namespace addend {
namespace {

class Metrics {
 public:
  template <typename T>
  void Counter(const char* name, const char* help, T value) {
    Add(name, "counter", help, value);
  }
  template <typename T>
  void Gauge(const char* name, const char* help, T value) {
    Add(name, "gauge", help, value);
  }
  std::string text() const { return text_.str(); }
  Metrics() { text_.precision(15); }

 private:
  template <typename T>
  void Add(const char* name, const char* type, const char* help, T value) {
    text_ << "# HELP " << name << ' ' << help << "\n# TYPE " << name << ' ' << type << '\n'
          << name << ' ' << value << '\n';
  }
  std::ostringstream text_;
};

}  // namespace

std::string MetricsText(const BatchStatistics& statistics, std::time_t started) {
  const BatchCounters& counters = statistics.counters;
  Metrics metrics;
  metrics.Counter("addend_requests_accepted_total", "Requests for answers that were taken on.",
                  statistics.accepted);
  metrics.Counter("addend_requests_refused_total", "Requests refused because the queue was full.",
                  statistics.refused);
  metrics.Counter("addend_answers_finished_total", "Answers that came to their end.", counters.finished);
  metrics.Counter("addend_answers_cancelled_total", "Answers given up because the client left.",
                  counters.cancelled);
  metrics.Counter("addend_answers_failed_total", "Answers that ended by an error.", counters.failed);
  metrics.Counter("addend_prompt_tokens_total", "Prompt tokens read.", counters.prompt_tokens);
  metrics.Counter("addend_prompt_tokens_reused_total", "Prompt tokens that were known from other prompts.",
                  counters.reused_tokens);
  metrics.Counter("addend_written_tokens_total", "Tokens written.", counters.written_tokens);
  metrics.Counter("addend_decode_passes_total", "Passes through the model that wrote tokens.",
                  counters.decode_passes);
  metrics.Counter("addend_prompt_seconds_total", "Time spent on reading prompts.", counters.prompt_seconds);
  metrics.Counter("addend_decode_seconds_total", "Time spent on writing tokens.", counters.decode_seconds);
  metrics.Gauge("addend_slots", "Answers that can be written side by side.", statistics.slots);
  metrics.Gauge("addend_slots_busy", "Answers being written.", statistics.running);
  metrics.Gauge("addend_requests_waiting", "Requests that wait for a slot.", statistics.waiting);
  metrics.Gauge("process_start_time_seconds", "When the server started, in Unix time.", started);
  metrics.Counter("process_cpu_seconds_total", "CPU time used.", CpuSeconds());
  return metrics.text();
}

}  // namespace addend
