#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "model/export_tokenizer.h"
#include "model/gguf_architecture.h"
#include "model/model.h"
#include "model/test_support.h"
#include "tokenizer/tokenizer.h"

namespace addend {
namespace {

using test::AllNumbers;
using test::TemporaryFolder;
using test::TinyModel;
using testing::AllOf;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;
using testing::ThrowsMessage;

TEST(ExportGguf, IsReadBackTheSame) {
  const TemporaryFolder folder;
  for (const char* name : test::kTinyModels) {
    SCOPED_TRACE(name);
    const Model model = LoadModel(TinyModel(name));
    ExportGguf(model, folder / "model.gguf", DType::kF32);
    const Model read = LoadModel(folder / "model.gguf");
    EXPECT_EQ(AllNumbers(read), AllNumbers(model));
    EXPECT_EQ(read.config, model.config);
  }
}

// Golden: permute() of llama.cpp's convert_hf_to_gguf.py as numpy has it, for one head of 4 values:
//   np.arange(4).reshape(1, 2, 2).swapaxes(1, 2).reshape(4) -> [0, 2, 1, 3]
TEST(ExportGguf, LlamaHeadsAreInterleaved) {
  const TemporaryFolder folder;
  Model model = LoadModel(TinyModel("llama"));
  ExportGguf(model, folder / "model.gguf", DType::kF32);
  const GgufFile file(folder / "model.gguf");
  const GgufTensor& q = file.Tensor("blk.0.attn_q.weight");
  const auto row = [&](size_t r) { return q.bytes.subspan(r * 64 * 4, 64 * 4); };
  const StoredMatrix& in_halves = std::get<StoredMatrix>(model.blocks[0][LinearKind::kQ].weight);
  // Head 1 (rows 16 to 31) in halves of 8: x0 y0 x1 y1 ..
  EXPECT_TRUE(std::ranges::equal(row(16), in_halves.RowBytes(16)));
  EXPECT_TRUE(std::ranges::equal(row(17), in_halves.RowBytes(24)));
  EXPECT_TRUE(std::ranges::equal(row(18), in_halves.RowBytes(17)));
  EXPECT_TRUE(std::ranges::equal(row(31), in_halves.RowBytes(31)));
  const GgufTensor& v = file.Tensor("blk.0.attn_v.weight");
  EXPECT_TRUE(
      std::ranges::equal(v.bytes, std::get<StoredMatrix>(model.blocks[0][LinearKind::kV].weight).bytes()));
}

// llama.cpp knows these by itself, and its Gemma reads the pattern as a number, not as a list.
TEST(ExportGguf, WritesNoKeyForWhatTheArchitectureImplies) {
  const TemporaryFolder folder;
  for (const std::string name : {"gemma2", "gemma3"}) {
    ExportGguf(LoadModel(TinyModel(name)), folder / "model.gguf", DType::kF32);
    const GgufMetadata metadata = GgufFile(folder / "model.gguf").metadata();
    EXPECT_EQ(metadata.Integer(name + ".attention.sliding_window"), 24u);
    EXPECT_FALSE(metadata.Has(name + ".attention.sliding_window_pattern"));
    EXPECT_FALSE(metadata.Has(name + ".attention.scale"));
  }
}

// Gemma 2 27B: query_pre_attn_scalar 144 = 4608 / 32 in its config.json, not the 128 of its heads.
TEST(ExportGguf, The27BGemmaScalesByItsWidth) {
  ModelConfig config;
  config.architecture = Architecture::kGemma2;
  config.blocks = 46;
  config.hidden = 4608;
  config.heads = 32;
  config.head_dim = 128;
  EXPECT_FLOAT_EQ(gguf_architecture::AttentionScale(config), 1 / 12.0f);
  config.blocks = 42;  // 9B
  EXPECT_FLOAT_EQ(gguf_architecture::AttentionScale(config), 1 / std::sqrt(128.0f));
}

TEST(ExportGguf, TheUsualLlama3ScalingIsRecognised) {
  const TemporaryFolder folder;
  Model model = LoadModel(TinyModel("llama3-rope"));
  model.config.rope_scaling.factor = 32;
  model.config.rope_scaling.original_context = 8192;
  ExportGguf(model, folder / "model.gguf", DType::kF16);
  EXPECT_EQ(LoadModel(folder / "model.gguf").config.rope_scaling, model.config.rope_scaling);
}

TEST(ExportGguf, AListOfRopeFactorsThatIsNotLlama3sIsKept) {
  const TemporaryFolder folder;
  Model model = LoadModel(TinyModel("llama"));
  model.config.rope_scaling = {.kind = RopeScaling::Kind::kFactors, .factors = {1, 2, 3, 4, 5, 6, 7, 8}};
  ExportGguf(model, folder / "model.gguf", DType::kF32);
  EXPECT_EQ(LoadModel(folder / "model.gguf").config.rope_scaling, model.config.rope_scaling);
}

TEST(Export, AValueThatTheTypeCannotHoldIsNamed) {
  const TemporaryFolder folder;
  Model model = LoadModel(TinyModel("llama"));
  Matrix embedding = model.embedding.ToDense();
  embedding(3, 5) = 1e6f;
  model.embedding.weight = StoredMatrix::FromFloats(embedding, DType::kF32);
  EXPECT_THAT([&] { ExportGguf(model, folder / "m.gguf", DType::kF16); },
              ThrowsMessage<Error>(AllOf(HasSubstr("m.gguf: tensor 'token_embd.weight'"),
                                         HasSubstr("1e+06 is too large for f16"), HasSubstr("bf16"))));
  EXPECT_THAT([&] { ExportHuggingFace(model, folder.path(), DType::kF16); },
              ThrowsMessage<Error>(HasSubstr("'model.embed_tokens.weight': the value 1e+06")));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_NO_THROW(ExportGguf(model, folder / "m.gguf", DType::kBF16));
}

TEST(Export, ScalesWhoseProductIsTooLargeAreNamed) {
  const TemporaryFolder folder;
  Model model = test::FactoredTinyModel("llama");
  auto& weight = std::get<FactoredWeight>(model.blocks[1][LinearKind::kUp].weight);
  for (std::vector<float>* scales : {&weight.a, &weight.mid, &weight.b})
    scales->assign(scales->size(), 65504);
  EXPECT_THAT([&] { ExportGguf(model, folder / "m.gguf", DType::kF16); },
              ThrowsMessage<Error>(HasSubstr("tensor 'blk.1.ffn_up.weight': the value")));
}

TEST(ExportHuggingFace, IsReadBackTheSame) {
  const TemporaryFolder folder;
  for (const char* name : test::kTinyModels) {
    SCOPED_TRACE(name);
    const Model model = LoadModel(TinyModel(name));
    ExportHuggingFace(model, folder / name, DType::kF32);
    const Model read = LoadModel(folder / name);
    EXPECT_EQ(read.config, model.config);
    const auto expected = AllNumbers(model), found = AllNumbers(read);
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [tensor, values] : expected) {
      // Gains of Gemma lose 1 and get it back.
      EXPECT_THAT(found.at(tensor), Pointwise(FloatNear(1e-7f), values)) << tensor;
    }
  }
}

TEST(ExportHuggingFace, FactorsAreMultipliedOut) {
  const TemporaryFolder folder;
  const Model model = test::FactoredTinyModel("llama");
  ExportHuggingFace(model, folder.path(), DType::kF32);
  const Model read = LoadModel(folder.path());
  const auto& weight = std::get<FactoredWeight>(model.blocks[1][LinearKind::kDown].weight);
  const Matrix expected = weight.ToDense(), found = read.blocks[1][LinearKind::kDown].ToDense();
  ASSERT_EQ(found.rows(), 64u);
  // Sums of rank() products in another order.
  const float bound = static_cast<float>(weight.rank()) * 1e-6f * 100;
  EXPECT_THAT(found.values(), Pointwise(FloatNear(bound), expected.values()));
}

TEST(ExportHuggingFace, WritesTheTokenizerThatItHas) {
  const TemporaryFolder folder;
  Model model = LoadModel(TinyModel("llama"));
  model.metadata.Set("tokenizer.huggingface.json", std::string("{\"version\": \"1.0\"}"));
  model.metadata.Set("tokenizer.ggml.tokens", GgufArray(std::vector<std::string>{"<unk>", "<s>", "</s>"}));
  model.metadata.Set("tokenizer.ggml.bos_token_id", uint32_t{1});
  model.metadata.Set("tokenizer.ggml.eos_token_id", uint32_t{2});
  model.metadata.Set("tokenizer.chat_template", std::string("{{ messages }}"));
  ExportHuggingFace(model, folder.path(), DType::kF16);
  EXPECT_EQ(ReadTextFile(folder / "tokenizer.json"), "{\"version\": \"1.0\"}");
  const Json config = ParseJson(ReadTextFile(folder / "tokenizer_config.json"), "tokenizer_config.json");
  EXPECT_EQ(config["bos_token"], "<s>");
  EXPECT_EQ(config["eos_token"], "</s>");
  EXPECT_EQ(config["chat_template"], "{{ messages }}");
  EXPECT_EQ(ParseJson(ReadTextFile(folder / "config.json"), "config.json")["eos_token_id"], 2);
}

TEST(ExportHuggingFace, MakesATokenizerFromAByteLevelVocabulary) {
  const auto path = test::SmolLm2();
  ADDEND_SKIP_WITHOUT(path, "SmolLM2");
  const Tokenizer original = LoadTokenizer(*path);
  const GgufMetadata metadata = GgufFile(*path).metadata();
  const Tokenizer made =
      Tokenizer::FromJson(TokenizerJsonText(metadata), TokenizerConfigText(metadata), "tokenizer.json");
  const Json golden = ParseJson(ReadTextFile(test::GoldenPath("tokenizer") / "smollm2.json"), "smollm2.json");
  for (const Json& example : golden["cases"]) {
    const auto text = example["text"].get<std::string>();
    EXPECT_EQ(made.Encode(text, {.parse_special = true}), example["ids"].get<std::vector<TokenId>>()) << text;
  }
  EXPECT_EQ(made.vocabulary_size(), original.vocabulary_size());
  EXPECT_EQ(made.bos(), original.bos());
  EXPECT_EQ(made.eos(), original.eos());
  EXPECT_EQ(made.chat_template(), original.chat_template());
}

TEST(Export, RefusesWhatTheFormatCannotSay) {
  const TemporaryFolder folder;
  Model model = LoadModel(TinyModel("llama"));
  EXPECT_THAT([&] { ExportGguf(model, folder / "model.gguf", DType::kQ8_0); },
              ThrowsMessage<Error>(HasSubstr("q8_0 is not supported")));
  EXPECT_THAT([&] { ExportHuggingFace(model, folder / "folder", DType::kQ8_0); },
              ThrowsMessage<Error>(HasSubstr("q8_0 is not supported")));
  model.config.rope_scaling.kind = RopeScaling::Kind::kFactors;
  EXPECT_THAT([&] { ExportHuggingFace(model, folder / "folder", DType::kF32); },
              ThrowsMessage<Error>(HasSubstr("rope factors")));
  EXPECT_FALSE(std::filesystem::exists(folder / "folder"));
}

}  // namespace
}  // namespace addend
