#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "model/model.h"
#include "model/test_support.h"

namespace addend {
namespace {

using test::CopyWithConfig;
using test::CopyWithTensors;
using test::TemporaryFolder;
using test::TinyModel;
using testing::AllOf;
using testing::ElementsAre;
using testing::FloatEq;
using testing::FloatNear;
using testing::HasSubstr;
using testing::ThrowsMessage;

// ---- What config.json says ----

TEST(LoadHuggingFace, SizesAreThoseOfTheTinyModels) {
  for (const char* name : test::kTinyModels) {
    SCOPED_TRACE(name);
    const Model model = LoadModel(TinyModel(name));
    EXPECT_EQ(model.config.blocks, 3u);
    EXPECT_EQ(model.config.hidden, 64u);
    EXPECT_EQ(model.config.heads, 4u);
    EXPECT_EQ(model.config.kv_heads, 2u);
    EXPECT_EQ(model.config.feed_forward, 176u);
    EXPECT_EQ(model.config.vocabulary, 320u);
    EXPECT_EQ(model.config.context, 512u);
    EXPECT_EQ(model.config.norm_epsilon, 1e-5f);
    EXPECT_EQ(model.config.name, name);
    EXPECT_EQ(model.head.has_value(), !model.config.tied_head);
    EXPECT_EQ(model.blocks[2][LinearKind::kDown].inputs(), 176u);
    EXPECT_NO_THROW(CheckFinite(model));
  }
}

TEST(LoadHuggingFace, LlamaHasItsOwnHead) {
  const ModelConfig config = LoadModel(TinyModel("llama")).config;
  EXPECT_EQ(config.architecture, Architecture::kLlama);
  EXPECT_EQ(config.head_dim, 16u);
  EXPECT_FALSE(config.tied_head);
  EXPECT_EQ(config.activation, Activation::kSilu);
  EXPECT_EQ(config.attention_scale, 0.25f);
  EXPECT_EQ(config.embedding_scale, 1.0f);
  EXPECT_EQ(config.sliding_window, 0u);
}

TEST(LoadHuggingFace, Llama3RopeIsRead) {
  const ModelConfig config = LoadModel(TinyModel("llama3-rope")).config;
  EXPECT_EQ(config.rope_theta, 500000.0f);
  EXPECT_EQ(config.rope_scaling.kind, RopeScaling::Kind::kLlama3);
  EXPECT_EQ(config.rope_scaling.factor, 8.0f);
  EXPECT_EQ(config.rope_scaling.low_frequency_factor, 1.0f);
  EXPECT_EQ(config.rope_scaling.high_frequency_factor, 4.0f);
  EXPECT_EQ(config.rope_scaling.original_context, 64u);
}

TEST(LoadHuggingFace, MistralSlidesEverywhere) {
  const ModelConfig config = LoadModel(TinyModel("mistral")).config;
  EXPECT_EQ(config.sliding_window, 24u);
  EXPECT_THAT(config.slides, ElementsAre(true, true, true));
}

TEST(LoadHuggingFace, Qwen2HasBiasesOnQkvOnly) {
  const Model model = LoadModel(TinyModel("qwen2"));
  EXPECT_EQ(model.blocks[0][LinearKind::kQ].bias.size(), 64u);
  EXPECT_EQ(model.blocks[0][LinearKind::kK].bias.size(), 32u);
  EXPECT_EQ(model.blocks[0][LinearKind::kV].bias.size(), 32u);
  EXPECT_TRUE(model.blocks[0][LinearKind::kO].bias.empty());
}

TEST(LoadHuggingFace, Qwen3HasHeadNorms) {
  const Model model = LoadModel(TinyModel("qwen3"));
  EXPECT_TRUE(model.config.qk_norm);
  EXPECT_EQ(model.config.head_dim, 32u);
  EXPECT_EQ(model.blocks[2].q_norm.size(), 32u);
}

TEST(LoadHuggingFace, Gemma2) {
  const Model model = LoadModel(TinyModel("gemma2"));
  EXPECT_TRUE(model.config.post_norms);
  EXPECT_EQ(model.config.activation, Activation::kGeluTanh);
  EXPECT_EQ(model.config.embedding_scale, 8.0f);
  EXPECT_THAT(model.config.attention_scale, FloatEq(1 / std::sqrt(32.0f)));
  EXPECT_EQ(model.config.attention_softcap, 50.0f);
  EXPECT_EQ(model.config.logit_softcap, 30.0f);
  EXPECT_THAT(model.config.slides, ElementsAre(true, false, true));
  // Gains are 1 + w.
  const SafetensorsFolder files(TinyModel("gemma2"));
  const float* w = reinterpret_cast<const float*>(
      files.Tensor("model.layers.1.pre_feedforward_layernorm.weight").bytes.data());
  EXPECT_EQ(model.blocks[1].feed_forward_norm[5], 1 + w[5]);
}

TEST(LoadHuggingFace, Gemma3HasTwoRopes) {
  const ModelConfig config = LoadModel(TinyModel("gemma3")).config;
  EXPECT_EQ(config.architecture, Architecture::kGemma3);
  EXPECT_TRUE(config.qk_norm);
  EXPECT_EQ(config.rope_theta, 1e6f);
  EXPECT_EQ(config.rope_theta_sliding, 1e4f);
  EXPECT_EQ(config.attention_softcap, 0.0f);
  EXPECT_EQ(config.logit_softcap, 0.0f);
  EXPECT_THAT(config.slides, ElementsAre(true, true, true));
}

TEST(LoadHuggingFace, OldSpellingsOfRopeMeanTheSame) {
  const TemporaryFolder folder;
  CopyWithConfig("llama3-rope", folder / "llama3-rope", [](Json& config) {
    config["rope_scaling"] = config["rope_parameters"];
    config["rope_scaling"]["type"] = config["rope_scaling"]["rope_type"];  // the older name of the two
    config["rope_scaling"].erase("rope_type");
    config["rope_scaling"].erase("rope_theta");
    config["rope_theta"] = 500000.0;
    config.erase("rope_parameters");
  });
  EXPECT_EQ(LoadModel(folder / "llama3-rope").config, LoadModel(TinyModel("llama3-rope")).config);

  CopyWithConfig("gemma3", folder / "gemma3", [](Json& config) {
    config.erase("rope_parameters");
    config.erase("layer_types");
    config["rope_theta"] = 1000000;
    config["rope_local_base_freq"] = 10000;
    config["sliding_window_pattern"] = 6;
  });
  EXPECT_EQ(LoadModel(folder / "gemma3").config, LoadModel(TinyModel("gemma3")).config);
}

// Left out, a field has the value that transformers gives it; here such that the tensors still fit.
TEST(LoadHuggingFace, MissingFieldsHaveTheirDefaults) {
  const TemporaryFolder folder;
  CopyWithConfig("llama", folder / "llama", [](Json& config) {
    for (const char* key : {"head_dim", "rms_norm_eps", "max_position_embeddings", "rope_parameters",
                            "hidden_act", "attention_bias", "mlp_bias", "tie_word_embeddings"}) {
      config.erase(key);
    }
  });
  const ModelConfig llama = LoadModel(folder / "llama").config;
  EXPECT_EQ(llama.head_dim, 16u);
  EXPECT_EQ(llama.norm_epsilon, 1e-6f);
  EXPECT_EQ(llama.context, 2048u);
  EXPECT_EQ(llama.rope_theta, 10000.0f);
  EXPECT_FALSE(llama.tied_head);

  CopyWithConfig("gemma2", folder / "gemma2", [](Json& config) {
    for (const char* key : {"tie_word_embeddings", "layer_types", "sliding_window", "final_logit_softcapping",
                            "attn_logit_softcapping", "query_pre_attn_scalar"}) {
      config.erase(key);
    }
  });
  const ModelConfig gemma2 = LoadModel(folder / "gemma2").config;
  EXPECT_TRUE(gemma2.tied_head);
  EXPECT_EQ(gemma2.sliding_window, 4096u);
  EXPECT_THAT(gemma2.slides, ElementsAre(true, false, true));
  EXPECT_EQ(gemma2.logit_softcap, 30.0f);
  EXPECT_EQ(gemma2.attention_softcap, 50.0f);
  EXPECT_EQ(gemma2.attention_scale, 1 / 16.0f);

  CopyWithConfig("mistral", folder / "mistral", [](Json& config) { config["sliding_window"] = nullptr; });
  EXPECT_EQ(LoadModel(folder / "mistral").config.sliding_window, 0u);
}

TEST(LoadHuggingFace, Qwen2SlidesFromMaxWindowLayers) {
  const TemporaryFolder folder;
  CopyWithConfig("qwen2", folder.path(), [](Json& config) {
    config.erase("layer_types");
    config["use_sliding_window"] = true;
    config["sliding_window"] = 24;
    config["max_window_layers"] = 1;
  });
  const ModelConfig config = LoadModel(folder.path()).config;
  EXPECT_THAT(config.slides, ElementsAre(false, true, true));
  EXPECT_EQ(config.sliding_window, 24u);
}

TEST(LoadHuggingFace, TheTextModelOfAMultimodalGemma3IsTaken) {
  for (const std::string prefix :
       {"language_model.", "model.language_"}) {  // before and since transformers 4.52
    SCOPED_TRACE(prefix);
    const TemporaryFolder folder;
    CopyWithTensors("gemma3", folder.path(), [&](SafetensorsTensor& tensor) {
      tensor.name = prefix + tensor.name;
      return true;
    });
    const Json text = ParseJson(ReadTextFile(folder / "config.json"), "config");
    WriteFileAtomically(folder / "config.json", Json{{"model_type", "gemma3"}, {"text_config", text}}.dump());
    EXPECT_EQ(test::AllNumbers(LoadModel(folder.path())), test::AllNumbers(LoadModel(TinyModel("gemma3"))));
  }
}

TEST(LoadHuggingFace, RefusesConfigsThatItWouldNotHonour) {
  struct Case {
    const char* model;
    const char* message;
    std::function<void(Json&)> spoil;
  };
  const Case cases[] = {
      {"llama", "'model_type' is missing", [](Json& c) { c.erase("model_type"); }},
      {"llama", "model_type 'mamba' is not supported", [](Json& c) { c["model_type"] = "mamba"; }},
      {"llama", "'hidden_size' is missing", [](Json& c) { c.erase("hidden_size"); }},
      {"llama", "'hidden_size' has the wrong type", [](Json& c) { c["hidden_size"] = "64"; }},
      {"llama", "'hidden_size' has the wrong type", [](Json& c) { c["hidden_size"] = -64; }},
      {"llama", "'num_hidden_layers' has the wrong type", [](Json& c) { c["num_hidden_layers"] = 3.5; }},
      {"llama", "number of blocks", [](Json& c) { c["num_hidden_layers"] = 4000000000; }},
      {"llama", "num_attention_heads is 0", [](Json& c) { c["num_attention_heads"] = 0; }},
      {"llama", "'tie_word_embeddings' has the wrong type", [](Json& c) { c["tie_word_embeddings"] = 1; }},
      {"llama", "hidden_act 'relu' is not supported", [](Json& c) { c["hidden_act"] = "relu"; }},
      {"llama", "rope type 'yarn' is not supported",
       [](Json& c) {
         c["rope_parameters"] = {{"rope_type", "yarn"}, {"factor", 4.0}};
       }},
      {"llama", "'rope_parameters' is not an object", [](Json& c) { c["rope_parameters"] = "llama3"; }},
      {"llama3-rope", "'factor' is missing", [](Json& c) { c["rope_parameters"].erase("factor"); }},
      {"llama", "quant_method 'gptq'",
       [](Json& c) {
         c["quantization_config"] = {{"quant_method", "gptq"}};
       }},
      {"llama", "partial_rotary_factor", [](Json& c) { c["partial_rotary_factor"] = 0.5; }},
      {"gemma3", "use_bidirectional_attention", [](Json& c) { c["use_bidirectional_attention"] = true; }},
      {"gemma2", "layer type 'linear_attention'", [](Json& c) { c["layer_types"][1] = "linear_attention"; }},
      {"gemma2", "one entry for each block", [](Json& c) { c["layer_types"].push_back("full_attention"); }},
      {"llama", "tensor 'model.layers.0.mlp.gate_proj.weight' is f32 [176, 64]",
       [](Json& c) { c["intermediate_size"] = 175; }},
      {"llama", "tensor 'model.layers.3.", [](Json& c) { c["num_hidden_layers"] = 4; }},
      {"llama", "tensor 'model.layers.2.", [](Json& c) { c["num_hidden_layers"] = 2; }},
      {"gemma2", "tensor 'lm_head.weight' is missing", [](Json& c) { c["tie_word_embeddings"] = false; }},
      {"llama", "bias' is missing", [](Json& c) { c["attention_bias"] = true; }},
  };
  for (const Case& spoiled : cases) {
    SCOPED_TRACE(spoiled.message);
    const TemporaryFolder folder;
    CopyWithConfig(spoiled.model, folder.path(), spoiled.spoil);
    EXPECT_THAT([&] { LoadModel(folder.path()); },
                ThrowsMessage<Error>(AllOf(HasSubstr(folder.path().string()), HasSubstr(spoiled.message))));
  }
}

TEST(LoadHuggingFace, RefusesBrokenFolders) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { LoadModel(folder / "nowhere"); },
              ThrowsMessage<Error>(HasSubstr("no such file or folder")));
  EXPECT_THAT([&] { LoadModel(folder.path()); }, ThrowsMessage<Error>(HasSubstr("no config.json")));
  WriteFileAtomically(folder / "config.json", "{\"model_type\": ");
  EXPECT_THAT([&] { LoadModel(folder.path()); }, ThrowsMessage<Error>(HasSubstr("not valid JSON")));
  WriteFileAtomically(folder / "config.json", "[]");
  EXPECT_THAT([&] { LoadModel(folder.path()); }, ThrowsMessage<Error>(HasSubstr("'model_type' is missing")));
}

// ---- What the tensors are ----

TEST(LoadHuggingFace, RefusesMissingAndUnknownTensors) {
  const TemporaryFolder folder;
  CopyWithTensors("llama", folder / "missing", [](SafetensorsTensor& tensor) {
    return tensor.name != "model.layers.1.self_attn.k_proj.weight";
  });
  EXPECT_THAT([&] { LoadModel(folder / "missing"); },
              ThrowsMessage<Error>(HasSubstr("tensor 'model.layers.1.self_attn.k_proj.weight' is missing")));

  CopyWithTensors("qwen3", folder / "unknown", [](SafetensorsTensor& tensor) {
    if (tensor.name == "model.norm.weight") tensor.name = "model.norm.gain";
    return true;
  });
  EXPECT_THAT([&] { LoadModel(folder / "unknown"); },
              ThrowsMessage<Error>(HasSubstr("tensor 'model.norm.weight'")));

  CopyWithConfig("qwen2", folder / "left-over", [](Json& config) { config["model_type"] = "mistral"; });
  EXPECT_THAT([&] { LoadModel(folder / "left-over"); },
              ThrowsMessage<Error>(HasSubstr("proj.bias' is not a part of the model")));
}

TEST(LoadHuggingFace, IgnoresWhatIsKnownToBeUnused) {
  const TemporaryFolder folder;
  const std::vector<float> frequencies(8, 1.0f);
  SafetensorsFolder source(TinyModel("llama3-rope"));
  SafetensorsWriter writer(folder / "model.safetensors");
  for (const SafetensorsTensor& tensor : source.tensors())
    writer.Describe(tensor.name, tensor.type, tensor.shape);
  const SafetensorsTensor& embedding = source.Tensor("model.embed_tokens.weight");
  writer.Describe("model.layers.0.self_attn.rotary_emb.inv_freq", DType::kF32, {8});
  writer.Describe("lm_head.weight", embedding.type, embedding.shape);  // the head is tied
  for (const SafetensorsTensor& tensor : source.tensors()) writer.Data(tensor.bytes);
  writer.Data(std::as_bytes(std::span(frequencies)));
  writer.Data(embedding.bytes);
  writer.Commit();
  std::filesystem::copy_file(TinyModel("llama3-rope") / "config.json", folder / "config.json");
  EXPECT_FALSE(LoadModel(folder.path()).head.has_value());
}

TEST(LoadHuggingFace, RefusesValuesThatAreNotFinite) {
  const TemporaryFolder folder;
  std::vector<float> values(64 * 64, 1.0f);
  values[3 * 64 + 1] = std::numeric_limits<float>::quiet_NaN();
  CopyWithTensors("llama", folder / "norm", [&](SafetensorsTensor& tensor) {
    if (tensor.name == "model.layers.1.input_layernorm.weight") {
      tensor.bytes = std::as_bytes(std::span(values).subspan(3 * 64, 64));
    }
    return true;
  });
  EXPECT_THAT(
      [&] { LoadModel(folder / "norm"); },
      ThrowsMessage<Error>(HasSubstr("'model.layers.1.input_layernorm.weight': value 1 is not finite")));

  CopyWithTensors("llama", folder / "matrix", [&](SafetensorsTensor& tensor) {
    if (tensor.name == "model.layers.1.self_attn.q_proj.weight")
      tensor.bytes = std::as_bytes(std::span(values));
    return true;
  });
  const Model model = LoadModel(folder / "matrix");
  EXPECT_THAT([&] { CheckFinite(model); },
              ThrowsMessage<Error>(
                  AllOf(HasSubstr(folder.path().string()), HasSubstr("'blk.1.attn_q.weight': row 3 "))));
}

// ---- GGUF ----

TEST(LoadGguf, ReadsSmolLm2) {
  const auto path = test::SmolLm2();
  ADDEND_SKIP_WITHOUT(path, "SmolLM2");
  const Model model = LoadModel(*path);
  EXPECT_EQ(model.config.architecture, Architecture::kLlama);
  EXPECT_EQ(model.config.blocks, 30u);
  EXPECT_EQ(model.config.hidden, 576u);
  EXPECT_EQ(model.config.heads, 9u);
  EXPECT_EQ(model.config.kv_heads, 3u);
  EXPECT_EQ(model.config.head_dim, 64u);
  EXPECT_EQ(model.config.feed_forward, 1536u);
  EXPECT_EQ(model.config.vocabulary, 49152u);
  EXPECT_EQ(model.config.rope_theta, 100000.0f);
  EXPECT_TRUE(model.config.tied_head);
  EXPECT_TRUE(model.metadata.Has("tokenizer.ggml.tokens"));
  EXPECT_EQ(CountBits(model).linear_weights, 106'168'320u);
}

TEST(LoadGguf, RefusesWhatItWouldNotHonour) {
  struct Case {
    const char* message;
    const char* key;
    GgufValue value;
  };
  const Case cases[] = {
      {"architecture 'gpt2' is not supported", "general.architecture", std::string("gpt2")},
      {"rope scaling 'yarn' is not supported", "llama.rope.scaling.type", std::string("yarn")},
      {"mixtures of experts", "llama.expert_count", uint32_t{8}},
      {"llama.attention.value_length is 8", "llama.attention.value_length", uint32_t{8}},
      {"llama.rope.dimension_count is 8", "llama.rope.dimension_count", uint32_t{8}},
      {"llama.attention.head_count is 0", "llama.attention.head_count", uint32_t{0}},
      {"number of blocks", "llama.block_count", uint32_t{4000000000}},
      {"'llama.embedding_length'", "llama.embedding_length", std::string("64")},
      {"tensor 'token_embd.weight' is f32 [320, 64]", "llama.vocab_size", uint32_t{321}},
      {"tensor 'blk.2.", "llama.block_count", uint32_t{2}},
  };
  const TemporaryFolder folder;
  ExportGguf(LoadModel(TinyModel("llama")), folder / "good.gguf", DType::kF32);
  const GgufFile good(folder / "good.gguf");
  for (const Case& spoiled : cases) {
    SCOPED_TRACE(spoiled.message);
    GgufMetadata metadata = good.metadata();
    metadata.Set(spoiled.key, spoiled.value);
    GgufWriter writer(folder / "bad.gguf", metadata);
    for (const GgufTensor& tensor : good.tensors()) writer.Describe(tensor.name, tensor.type, tensor.shape);
    for (const GgufTensor& tensor : good.tensors()) writer.Data(tensor.bytes);
    writer.Commit();
    EXPECT_THAT([&] { LoadModel(folder / "bad.gguf"); },
                ThrowsMessage<Error>(AllOf(HasSubstr("bad.gguf: "), HasSubstr(spoiled.message))));
  }
}

}  // namespace
}  // namespace addend
