// Where a compress job keeps what it has finished, so that it can be killed at any moment and go on.
#pragma once
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "compress/checkpoint.h"

namespace addend {

class WorkFolder {
 public:
  // Creates `path`, or goes on with it when it holds a job with equal `settings` (anything that the result
  // depends on). Throws Error naming the first setting that differs, or when another process is at work in
  // it.
  WorkFolder(const Path& path, const Json& settings);
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const Path& path() const { return path_; }
  bool resumed() const { return resumed_; }  // there was an earlier run

  bool Has(const std::string& name) const;
  Checkpoint Load(const std::string& name) const;
  void Save(const std::string& name, const Checkpoint& checkpoint) const;
  void Delete();  // the job is done and its result stands elsewhere

 private:
  Path path_;
  int lock_ = -1;
  bool resumed_ = false;
};

}  // namespace addend
