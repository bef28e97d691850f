//===- FilesTest.cpp - the examples of NxD Training and the reference runs ===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TestSupport.h"

#include <algorithm>
#include <sstream>

using namespace nxdt;
using namespace nxdt::test;
namespace fs = std::filesystem;

static std::vector<fs::path> filesIn(const char *dir, const char *extension) {
  std::vector<fs::path> files;
  std::error_code ec;
  for (const auto &entry : fs::directory_iterator(dir, ec))
    if (entry.path().extension() == extension)
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

TEST(UpstreamFiles, AreExplainedKeyByKey) {
  auto files = filesIn(NXDT_UPSTREAM_CONFIGS, ".yaml");
  if (files.empty())
    GTEST_SKIP() << "no examples under " << NXDT_UPSTREAM_CONFIGS;
  EXPECT_EQ(files.size(), 22u);
  for (const fs::path &file : files) {
    std::istringstream text(explainConfig({file.string(), {}, false}));
    size_t lines = 0;
    for (std::string line; std::getline(text, line); ++lines) {
      bool known = line.find(": honoured: ") != std::string::npos ||
                   line.find(": equivalent: ") != std::string::npos ||
                   line.find(": ignored because ") != std::string::npos ||
                   line.find("not supported yet") != std::string::npos;
      // Upstream's examples hold no key that is wrong or unknown.
      EXPECT_TRUE(known) << file << ": " << line;
    }
    EXPECT_GT(lines, 60u) << file;
  }
}

TEST(UpstreamFiles, LlamasLoadForAReport) {
  auto files = filesIn(NXDT_UPSTREAM_CONFIGS, ".yaml");
  if (files.empty())
    GTEST_SKIP() << "no examples under " << NXDT_UPSTREAM_CONFIGS;
  size_t loaded = 0;
  for (const fs::path &file : files) {
    std::string name = file.filename().string();
    if (!name.starts_with("hf_llama"))
      continue;
    std::string shape = name.find("405B") != std::string::npos ? "llama3.1-405b"
                        : name.find("70B") != std::string::npos ? "llama3-70b"
                        : name.find("7B") != std::string::npos  ? "llama-7b"
                                                                : "llama3-8b";
    LoadOptions options{file.string(),
                        {"model.model_config=" NXDT_MODEL_SHAPES "/" + shape},
                        false};
    LoadedConfig config;
    EXPECT_EQ(errorOf([&] { config = loadRunConfig(options); }), "") << name;
    EXPECT_GT(config.run.strategy.tensorModelParallelSize, 1) << name;
    EXPECT_EQ(config.run.trainer.devices * config.run.trainer.numNodes,
              config.run.strategy.dataParallelSize *
                  config.run.strategy.tensorModelParallelSize *
                  config.run.strategy.pipelineModelParallelSize *
                  config.run.strategy.contextParallelSize)
        << name;
    // What else a file may ask for, its tensor and pipeline parallelism run.
    options.forExecution = true;
    std::string error = errorOf([&] { loadRunConfig(options); });
    EXPECT_EQ(error.find("tensor_model_parallel_size"), std::string::npos);
    EXPECT_EQ(error.find("pipeline_model_parallel_size"), std::string::npos)
        << name << ": " << error;
    ++loaded;
  }
  EXPECT_EQ(loaded, 13u);
}

TEST(GoldenRuns, Load) {
  size_t cases = 0;
  std::error_code ec;
  for (const auto &entry : fs::directory_iterator(NXDT_GOLDEN_DIR, ec)) {
    fs::path file = entry.path() / "config.yaml";
    if (!fs::exists(file))
      continue;
    ++cases;
    LoadedConfig config = loadRunConfig({file.string(), {}, true});
    const RunConfig &run = config.run;
    EXPECT_EQ(run.trainer.maxSteps, 10);
    EXPECT_EQ(run.model.optim.sched.maxSteps, 10);
    EXPECT_EQ(run.trainer.gradientClipVal, 1.0);
    EXPECT_EQ(run.expManager.resumeFromCheckpoint,
              (entry.path() / "hf").lexically_normal().string());
    EXPECT_EQ(run.data.trainDir,
              (entry.path() / "train").lexically_normal().string());
    EXPECT_EQ(run.model.optim.beta2, 0.95);
    EXPECT_TRUE(run.model.weightInitOnly);
    EXPECT_GT(run.model.llama.vocabSize, 0);
  }
  if (!cases)
    GTEST_SKIP() << "no cases under " << NXDT_GOLDEN_DIR;
}

TEST(ModelShapes, Load) {
  TempDir dir;
  std::string yaml = dir.write("run.yaml", smallYaml());
  struct Shape {
    const char *name;
    int64_t layers, width, vocabulary;
  };
  for (const Shape &shape :
       {Shape{"tiny", 4, 64, 512}, Shape{"llama-7b", 32, 4096, 32000},
        Shape{"llama3-8b", 32, 4096, 128256},
        Shape{"llama3-70b", 80, 8192, 128256},
        Shape{"llama3.2-1b", 16, 2048, 128256},
        Shape{"llama3.1-405b", 126, 16384, 128256}}) {
    LlamaConfig llama =
        loadRunConfig(
            {yaml,
             {std::string("model.model_config=" NXDT_MODEL_SHAPES "/") +
              shape.name},
             true})
            .run.model.llama;
    EXPECT_EQ(llama.numHiddenLayers, shape.layers) << shape.name;
    EXPECT_EQ(llama.hiddenSize, shape.width) << shape.name;
    EXPECT_EQ(llama.vocabSize, shape.vocabulary) << shape.name;
  }
}
