// The bookkeeping of a tensor writer: names and sizes first, then the data of each in the same order.
#pragma once
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace addend {

class TensorSequence {
 public:
  void Add(std::string_view name, uint64_t bytes);  // Error when the name was used, or data was already given
  void Take(uint64_t bytes);  // the next tensor's data; Error when it has another size, or none is left
  bool started() const { return next_ > 0; }
  void CheckComplete() const;  // Error naming the first tensor without data

 private:
  struct Entry {
    std::string name;
    uint64_t bytes;
  };
  std::vector<Entry> entries_;
  std::set<std::string, std::less<>> names_;
  size_t next_ = 0;
};

}  // namespace addend
