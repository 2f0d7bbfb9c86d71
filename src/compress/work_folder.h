// Where a compress job keeps what it has finished, so that it can be killed at any moment and go on.
//
// The names of all files in it end alike (.addend-work), and nothing else may be in it. So a folder with
// anything of the user's is refused, and what is deleted in the end was written here.
#pragma once
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "compress/checkpoint.h"

namespace addend {

class WorkFolder {
 public:
  // Throws Error when `path` is there and is not a folder, or holds files of others. Changes nothing.
  static void Check(const Path& path);

  // Creates `path`, or goes on with what it holds of a job with equal `settings` (anything that the result
  // depends on; their names are those of the command line's options, with underscores). A folder without a
  // finished part is any job's. Throws Error as Check does, naming the first setting that differs, or when
  // another process is at work in it.
  WorkFolder(const Path& path, const Json& settings);
  // Deletes it when nothing in it is finished.
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  // What was finished, but is damaged: Has() no longer knows it, so that it is made again.
  const std::vector<std::string>& damaged() const { return damaged_; }

  bool Has(const std::string& name) const;
  Checkpoint Load(const std::string& name) const;
  void Save(const std::string& name, const Checkpoint& checkpoint) const;
  // Where to write a file that only this process needs.
  Path Scratch(const std::string& name) const;
  // The job is done and its result stands elsewhere. The folder itself goes only when then it is empty.
  void Delete();

 private:
  Path PathOf(const std::string& name) const;
  std::vector<std::string> Finished() const;
  void Open(const Json& settings);
  void DropDamaged();

  Path path_;
  int lock_ = -1;
  bool deleted_ = false;
  std::vector<std::string> damaged_;
};

}  // namespace addend
