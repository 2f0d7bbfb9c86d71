#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "base/error.h"
#include "base/hash.h"
#include "formats/file_bytes.h"
#include "model/compressed_format.h"
#include "model/model.h"
#include "model/test_support.h"

namespace addend {
namespace {

using test::AllNumbers;
using test::FactoredTinyModel;
using test::TemporaryFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(SaveModel, WhatIsReadBackIsTheSame) {
  const TemporaryFolder folder;
  for (const char* name : test::kTinyModels) {
    SCOPED_TRACE(name);
    Model model = FactoredTinyModel(name);
    model.embedding.weight = StoredMatrix::FromFloats(model.embedding.ToDense(), DType::kQ8_0);
    model.metadata.Set("tokenizer.ggml.model", std::string("gpt2"));
    model.metadata.Set("addend.recipe", std::string("{\"bits\": 1}"));
    SaveModel(model, folder / "once.gguf");

    const Model read = LoadModel(folder / "once.gguf");
    EXPECT_EQ(read.config, model.config);
    EXPECT_EQ(AllNumbers(read), AllNumbers(model));
    EXPECT_TRUE(read.blocks[0][LinearKind::kQ].factored());
    EXPECT_FALSE(read.blocks[2][LinearKind::kQ].factored());
    EXPECT_EQ(std::get<StoredMatrix>(read.embedding.weight).type(), DType::kQ8_0);
    EXPECT_EQ(read.metadata.String("tokenizer.ggml.model"), "gpt2");
    EXPECT_EQ(read.metadata.String("addend.recipe"), "{\"bits\": 1}");
    EXPECT_EQ(read.metadata.entries().size(), 2u) << "the config's keys are no metadata of the model";

    SaveModel(read, folder / "twice.gguf");
    EXPECT_EQ(ReadTextFile(folder / "once.gguf"), ReadTextFile(folder / "twice.gguf"));
  }
}

TEST(SaveModel, AFactoredEmbeddingIsReadBack) {
  const TemporaryFolder folder;
  for (const char* name : test::kTinyModels) {  // with tied and untied heads
    SCOPED_TRACE(name);
    const Model model = test::AllFactoredTinyModel(name);
    SaveModel(model, folder / "model.gguf");
    const Model read = LoadModel(folder / "model.gguf");
    EXPECT_NO_THROW(CheckFinite(read));
    EXPECT_EQ(read.config, model.config);
    const auto factors = [](const Linear& linear) { return std::get<FactoredWeight>(linear.weight); };
    EXPECT_EQ(factors(read.embedding), factors(model.embedding));
    EXPECT_EQ(read.head.has_value(), model.head.has_value());
    EXPECT_EQ(factors(read.HeadMatrix()), factors(model.HeadMatrix()));
    EXPECT_EQ(AllNumbers(read), AllNumbers(model));
  }
}

TEST(SaveModel, EveryFieldOfTheConfigIsKept) {
  const TemporaryFolder folder;
  Model model = LoadModel(test::TinyModel("gemma3"));
  model.config.slides = {true, false, true};
  model.config.attention_softcap = 3;
  model.config.logit_softcap = 5;
  model.config.rope_scaling.kind = RopeScaling::Kind::kFactors;
  model.config.rope_scaling.factors.assign(model.config.head_dim / 2, 1.5f);
  SaveModel(model, folder / "model.gguf");
  EXPECT_EQ(LoadModel(folder / "model.gguf").config, model.config);
}

TEST(SaveModel, CountBitsIsWhatTheFileHolds) {
  const TemporaryFolder folder;
  for (const Model& model : {FactoredTinyModel("qwen2"), test::AllFactoredTinyModel("llama")}) {
    SaveModel(model, folder / "model.gguf");
    const GgufFile file(folder / "model.gguf");
    double bits = 0;
    for (const GgufTensor& tensor : file.tensors()) {
      bits += 8.0 * static_cast<double>(tensor.bytes.size());
    }
    EXPECT_EQ(CountBits(model).total_bits, bits);
  }
}

// A saved model whose bytes, tensors or metadata a test spoils.
class DamagedFile : public testing::Test {
 protected:
  DamagedFile() { SaveModel(FactoredTinyModel("llama"), good_); }

  // Writes the good file again with edited tensors and metadata. Without `fix_checksums` those of tensors
  // stay.
  void Rewrite(const std::function<void(std::vector<GgufTensor>&, GgufMetadata&)>& edit, bool fix_checksums) {
    const GgufFile good(good_);
    std::vector<GgufTensor> tensors = good.tensors();
    GgufMetadata metadata = good.metadata();
    edit(tensors, metadata);
    if (fix_checksums) {
      std::vector<std::string> checksums;
      for (const GgufTensor& tensor : tensors)
        checksums.push_back(tensor.name + " " + HashText(Hash64(tensor.bytes)));
      metadata.Set("addend.checksums", GgufArray(checksums));
    }
    // Else nothing but it would be found.
    const std::string key(compressed_format::kMetadataChecksumKey);
    if (metadata.Has(key)) metadata.Set(key, compressed_format::MetadataChecksum(metadata));
    GgufWriter writer(bad_, metadata);
    for (const GgufTensor& tensor : tensors) writer.Describe(tensor.name, tensor.type, tensor.shape);
    for (const GgufTensor& tensor : tensors) writer.Data(tensor.bytes);
    writer.Commit();
  }

  static GgufTensor& Find(std::vector<GgufTensor>& tensors, std::string_view name) {
    for (GgufTensor& tensor : tensors) {
      if (tensor.name == name) return tensor;
    }
    throw Error("no tensor ", name);
  }

  // Value `index` of a tensor of fp16 becomes `bits`; its checksum follows.
  void SetHalf(std::string_view name, size_t index, uint16_t bits) {
    std::vector<std::byte> values;
    Rewrite(
        [&](std::vector<GgufTensor>& tensors, GgufMetadata&) {
          GgufTensor& tensor = Find(tensors, name);
          values.assign(tensor.bytes.begin(), tensor.bytes.end());
          std::memcpy(values.data() + 2 * index, &bits, 2);
          tensor.bytes = values;
        },
        true);
  }

  void ExpectError(const std::string& message) const {
    EXPECT_THAT([&] { LoadModel(bad_); },
                ThrowsMessage<Error>(AllOf(HasSubstr(bad_.string()), HasSubstr(message))));
  }

  TemporaryFolder folder_;
  Path good_ = folder_ / "good.gguf", bad_ = folder_ / "bad.gguf";
};

TEST_F(DamagedFile, TruncatedAnywhere) {
  const std::string whole = ReadTextFile(good_);
  for (size_t size :
       {size_t{0}, size_t{3}, size_t{11}, size_t{24}, size_t{1000}, whole.size() / 2, whole.size() - 1}) {
    SCOPED_TRACE(size);
    WriteFileAtomically(bad_, whole.substr(0, size));
    ExpectError("");
  }
}

TEST_F(DamagedFile, AFlippedBitNamesItsTensor) {
  const std::string whole = ReadTextFile(good_);
  const GgufFile file(good_);
  const auto* const start = reinterpret_cast<const char*>(file.tensors().front().bytes.data());
  const size_t data_at =
      whole.size() - static_cast<size_t>(reinterpret_cast<const char*>(file.tensors().back().bytes.data() +
                                                                       file.tensors().back().bytes.size()) -
                                         start);
  for (const char* name : {"token_embd.weight", "blk.0.attn_q.A", "blk.1.ffn_down.mid", "blk.2.attn_v.weight",
                           "blk.1.attn_norm.weight", "output.weight"}) {
    const GgufTensor& tensor = file.Tensor(name);
    const size_t offset = static_cast<size_t>(reinterpret_cast<const char*>(tensor.bytes.data()) - start);
    std::string damaged = whole;
    damaged[data_at / 32 * 32 + offset + tensor.bytes.size() / 2] ^= 0x10;
    WriteFileAtomically(bad_, damaged);
    ExpectError("tensor '" + std::string(name) + "' is damaged: its checksum differs");
  }
}

// Everything before the tensor data is either metadata, which has a checksum, or describes tensors that have.
TEST_F(DamagedFile, AFlippedBitAnywhereInTheHeaderIsFound) {
  const std::string whole = ReadTextFile(good_);
  const size_t last = whole.find(FileBytes().String("output.weight").text());
  ASSERT_NE(last, whole.npos);
  const size_t header = last + 8 + std::string_view("output.weight").size() + 4 + 2 * 8 + 4 + 8;
  std::filesystem::copy_file(good_, bad_);
  std::fstream file(bad_, std::ios::in | std::ios::out | std::ios::binary);
  const auto put = [&](size_t i, char byte) { file.seekp(static_cast<std::streamoff>(i)).put(byte).flush(); };
  for (size_t i = 0; i < header; ++i) {
    put(i, static_cast<char>(whole[i] ^ (1 << i % 8)));
    EXPECT_THROW(LoadModel(bad_), Error) << "byte " << i;
    put(i, whole[i]);
  }
}

TEST_F(DamagedFile, AChangedNumberOfTheConfigIsFound) {
  std::string damaged = ReadTextFile(good_);
  const std::string key = FileBytes().String("addend.rope.freq_base").text();
  damaged[damaged.find(key) + key.size() + 4] ^= 1;  // behind its type; still a finite number
  WriteFileAtomically(bad_, damaged);
  ExpectError("the metadata is damaged: its checksum differs");
}

// From docs/format.md, section 3: over the bytes of all other pairs.
TEST_F(DamagedFile, TheMetadataChecksumIsThatOfTheFormat) {
  const std::string whole = ReadTextFile(good_);
  const std::string checksum = GgufFile(good_).metadata().String("addend.metadata_checksum");
  const std::string pair =
      FileBytes().String("addend.metadata_checksum").Number<uint32_t>(8).String(checksum).text();
  const size_t begin = 4 + 4 + 8 + 8;  // behind magic, version and both counts
  const size_t end = whole.find(FileBytes().String("token_embd.weight").Number<uint32_t>(2).text());
  const size_t at = whole.find(pair);
  ASSERT_LT(at, end);
  const std::string others =
      whole.substr(begin, at - begin) + whole.substr(at + pair.size(), end - at - pair.size());
  EXPECT_EQ(checksum, HashText(Hash64(others)));
}

TEST_F(DamagedFile, OnlyFilesOfVersionOneMayLackTheMetadataChecksum) {
  const auto without_checksum = [&](uint32_t version) {
    Rewrite(
        [&](auto&, GgufMetadata& metadata) {
          GgufMetadata kept;
          for (const auto& [key, value] : metadata.entries()) {
            if (key != "addend.metadata_checksum") kept.Set(key, value);
          }
          kept.Set("addend.format_version", version);
          metadata = kept;
        },
        false);
  };
  without_checksum(1);
  EXPECT_NO_THROW(LoadModel(bad_));
  without_checksum(2);
  ExpectError("key 'addend.metadata_checksum' is missing");
}

TEST_F(DamagedFile, ChecksumsAreForAllTensorsAndNoOthers) {
  const auto with_checksums = [&](const std::function<void(std::vector<std::string>&)>& edit) {
    Rewrite(
        [&](auto&, GgufMetadata& metadata) {
          std::vector<std::string> checksums = metadata.Array<std::string>("addend.checksums");
          edit(checksums);
          metadata.Set("addend.checksums", GgufArray(checksums));
        },
        false);
  };
  with_checksums([](auto& checksums) { checksums.pop_back(); });
  ExpectError("tensor 'output.weight' has no checksum");
  with_checksums([](auto& checksums) { checksums.push_back("blk.7.attn_q.A 0000000000000000"); });
  ExpectError("no tensor 'blk.7.attn_q.A'");
  with_checksums([](auto& checksums) { checksums[0] = "nonsense"; });
  ExpectError("no tensor 'nonsense'");
}

TEST_F(DamagedFile, AScaleThatIsNotANumber) {
  SetHalf("blk.0.attn_k.mid", 5, 0x7e00);  // NaN
  ExpectError("tensor 'blk.0.attn_k.mid': value 5 is not finite");
}

TEST_F(DamagedFile, ARankThatTheSignsDoNotHave) {
  Rewrite(
      [](std::vector<GgufTensor>& tensors, GgufMetadata&) {
        GgufTensor& mid = Find(tensors, "blk.0.attn_q.mid");  // rank 13: A still has 2 bytes a row with 12
        mid.bytes = mid.bytes.first(24);
        mid.shape = {12};
      },
      true);
  ExpectError("tensor 'blk.0.attn_q.B' is i8 [13, 8], the model's config needs [12, 8]");
}

TEST_F(DamagedFile, SignsOfAnotherType) {
  Rewrite(
      [](std::vector<GgufTensor>& tensors, GgufMetadata&) {
        GgufTensor& signs =
            Find(tensors, "blk.0.attn_q.B");  // 13 x 8 bytes, as 13 x 8 floats of other tensors
        signs.type = DType::kF32;
        signs.bytes = Find(tensors, "token_embd.weight").bytes.first(13 * 8 * 4);
      },
      true);
  ExpectError("tensor 'blk.0.attn_q.B' is f32, signs are i8");
}

TEST_F(DamagedFile, TensorsMissingOrTooMany) {
  const auto drop = [&](std::string name) {
    Rewrite(
        [&](auto& tensors, auto&) { std::erase_if(tensors, [&](const auto& t) { return t.name == name; }); },
        true);
  };
  drop("blk.1.ffn_up.b");
  ExpectError("tensor 'blk.1.ffn_up.b' is missing");
  drop("blk.1.ffn_up.A");
  ExpectError("tensor 'blk.1.ffn_up.weight' is missing");
  drop("output_norm.weight");
  ExpectError("tensor 'output_norm.weight' is missing");
  Rewrite([](auto& tensors, auto&) { Find(tensors, "blk.1.ffn_norm.weight").name = "blk.1.ffn_gain.weight"; },
          true);
  ExpectError("tensor 'blk.1.ffn_norm.weight' is missing");
  Rewrite(
      [](auto& tensors, auto&) {
        tensors.push_back({"surplus", DType::kF32, {64}, tensors.back().bytes.first(256)});
      },
      true);
  ExpectError("tensor 'surplus' is not a part of the model");
}

class DamagedEmbedding : public DamagedFile {
 protected:
  DamagedEmbedding() { SaveModel(test::AllFactoredTinyModel("llama"), good_); }  // ranks 21 and 70
};

TEST_F(DamagedEmbedding, TensorsMissingOrTooMany) {
  const auto drop = [&](std::string name) {
    Rewrite(
        [&](auto& tensors, auto&) { std::erase_if(tensors, [&](const auto& t) { return t.name == name; }); },
        true);
  };
  drop("token_embd.A");
  ExpectError("tensor 'token_embd.weight' is missing");
  drop("token_embd.b");
  ExpectError("tensor 'token_embd.b' is missing");
  drop("output.mid");
  ExpectError("tensor 'output.mid' is missing");
  drop("output.A");  // as if the head were tied
  ExpectError("tensor 'output.B' is not a part of the model");
  Rewrite(
      [](auto& tensors, auto&) {
        tensors.push_back(
            {"token_embd.weight", DType::kF32, {64}, Find(tensors, "output_norm.weight").bytes});
      },
      true);
  ExpectError("tensor 'token_embd.weight' is not a part of the model");
}

TEST_F(DamagedEmbedding, AVocabularyThatTheSignsDoNotHave) {
  Rewrite([](auto&, GgufMetadata& metadata) { metadata.Set("addend.vocab_size", uint32_t{321}); }, false);
  ExpectError("tensor 'token_embd.a' is f16 [320], the model's config needs [321]");
}

TEST_F(DamagedEmbedding, ARankThatTheSignsDoNotHave) {
  Rewrite(
      [](std::vector<GgufTensor>& tensors, GgufMetadata&) {
        GgufTensor& mid = Find(tensors, "token_embd.mid");
        mid.bytes = mid.bytes.first(2 * 20);
        mid.shape = {20};
      },
      true);
  ExpectError("tensor 'token_embd.B' is i8 [21, 8], the model's config needs [20, 8]");
}

TEST_F(DamagedEmbedding, AScaleThatIsNotANumber) {
  SetHalf("token_embd.a", 300, 0x7c00);  // infinity
  ExpectError("tensor 'token_embd.a': value 300 is not finite");
}

TEST_F(DamagedFile, KeysThatAreWrong) {
  const auto set = [&](const char* key, GgufValue value) {
    Rewrite([&](auto&, GgufMetadata& metadata) { metadata.Set(key, value); }, false);
  };
  set("addend.format_version", uint32_t{3});
  ExpectError("format version 3, this program reads up to 2");
  set("addend.source_architecture", std::string("rwkv"));
  ExpectError("'addend.source_architecture' is 'rwkv'");
  set("addend.block_count", uint32_t{4000000000});
  ExpectError("number of blocks");
  set("addend.attention.head_count_kv", uint32_t{3});
  ExpectError("does not divide");
  set("addend.attention.slides", GgufArray(std::vector<bool>(3, true)));
  ExpectError("need each other");
  set("addend.rope.scaling.type", std::string("linear"));
  ExpectError("'addend.rope.scaling.factor'");
  set("addend.activation", uint32_t{1});
  ExpectError("'addend.activation'");
  set("addend.checksums", std::string("none"));
  ExpectError("'addend.checksums'");
}

}  // namespace
}  // namespace addend
