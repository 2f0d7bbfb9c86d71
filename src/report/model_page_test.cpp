#include "report/model_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace addend {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A compressed model of two blocks with one linear each, as `inspect --json --layers` shows it.
Json Compressed() {
  return ParseJson(R"({
    "file": "m.gguf", "name": "Small", "architecture": "llama",
    "config": {"blocks": 2, "hidden": 64},
    "size": {"bytes": 1000.0, "weights": 8192, "linear_weights": 8192, "linear_bits_per_weight": 1.0,
             "file_bits_per_weight": 1.5, "parts": {"signs": 700.0, "scales": 300.0, "head": 0.0}},
    "linears": [{"name": "attn_q", "type": "factored", "count": 2, "outputs": 64, "inputs": 64,
                 "least_rank": 20, "most_rank": 30, "bits_per_weight": 1.0}],
    "embedding": {"type": "q8_0", "rows": 320, "columns": 64, "rank": 0, "bits_per_weight": 8.5},
    "head": null,
    "tokenizer": {"tokens": 320},
    "layers": [
      {"name": "blk.0.attn_q", "block": 0, "kind": "attn_q", "type": "factored", "outputs": 64, "inputs": 64,
       "rank": 20, "bits_per_weight": 0.9, "weighted_error": 0.25, "output_error": 0.1},
      {"name": "blk.1.attn_q", "block": 1, "kind": "attn_q", "type": "factored", "outputs": 64, "inputs": 64,
       "rank": 30, "bits_per_weight": 1.1, "weighted_error": 0.05, "output_error": 0.02}],
    "recipe": {"bits": 1.0, "effort": "fast",
               "tuning": {"steps": [0, 10, 20], "held_out_kl": [0.9, 0.7, 0.6]},
               "test": {"protocol": "hf", "window": 512, "tokens": 4096, "dense_perplexity": 20.0,
                        "perplexity": 31.25, "kl_divergence": 0.5, "top1_agreement": 0.75}}})",
                   "test");
}

TEST(ModelPage, HasASectionForEverythingThatIsKnown) {
  const Json job = {{"stage_seconds", {{"text", 1.0}, {"factorize", 9.0}}}, {"peak_memory_bytes", 2e9}};
  const std::string page = ModelPage(Compressed(), job);
  for (const char* part :
       {"<h1>Small</h1>", "Quality", "31.25", "By layer: bits a weight", "By layer: weighted error",
        "Error against rate", "Gaussian bound", "step 10: 0.7", "Where the bytes are", "70.0 %", "90.0 %",
        "Peak memory 2.00 GB", "<dt>effort</dt><dd>fast</dd>", "tied to the embedding"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
}

TEST(ModelPage, DoesWithoutWhatIsNotKnown) {
  Json dense = Compressed();
  dense["recipe"] = Json::object();
  for (Json& layer : dense["layers"]) {
    layer.erase("weighted_error");
    layer["bits_per_weight"] = 16;
  }
  const std::string page = ModelPage(dense, {});
  for (const char* part :
       {"Quality", "By layer", "Error against rate", "Tuning", "Where the time", "Recipe"}) {
    EXPECT_THAT(page, Not(HasSubstr(part)));
  }
  EXPECT_THAT(page, HasSubstr("Where the bytes are"));
}

TEST(ModelPage, ARecipeMayHoldAnything) {
  Json hostile = Compressed();
  for (const char* value :
       {"5", "\"</script><b>\"", "[1, [2]]", "{\"steps\": 1, \"perplexity\": {}}", "true"}) {
    for (const char* key : {"test", "tuning", "start", "bits", "<img src=x onerror=alert(1)>"}) {
      hostile["recipe"][key] = ParseJson(value, "test");
    }
    hostile["layers"][0]["weighted_error"] = ParseJson(value, "test");
    const std::string page = ModelPage(hostile, ParseJson(value, "test"));
    EXPECT_THAT(page, Not(HasSubstr("<img"))) << value;
    EXPECT_THAT(page, Not(HasSubstr("<b></dd>"))) << value;
    EXPECT_THAT(page, Not(HasSubstr("</script>"))) << value;
  }
}

TEST(ModelPage, NamesAreEscaped) {
  Json hostile = Compressed();
  hostile["name"] = "<script>alert(1)</script>";
  hostile["file"] = "a\"b'<c>.gguf";
  const std::string page = ModelPage(hostile, {});
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("a&quot;b&#39;&lt;c&gt;.gguf"));
}

TEST(ModelPage, ARefinedFileShowsBothJobs) {
  Json refined = Compressed();
  const Json first = refined["recipe"];
  refined["recipe"]["start"] = first;
  refined["recipe"]["start"]["linears"] = {{"blk.0.attn_q", {{"rank", 1}}}};
  const std::string page = ModelPage(refined, {});
  EXPECT_THAT(page, HasSubstr("step 10: 0.7"));
  EXPECT_THAT(page, HasSubstr("step 30: 0.7")) << "behind the 20 steps of the first";
  EXPECT_THAT(page, HasSubstr("Job 2"));
  EXPECT_THAT(page, Not(HasSubstr("linears")));
}

}  // namespace
}  // namespace addend
