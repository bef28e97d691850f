//===- TestSupport.h - shared by the tests of the configuration  -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_UNIT_CONFIG_TESTSUPPORT_H
#define NXDT_TEST_UNIT_CONFIG_TESTSUPPORT_H

#include "nxdt/Config/Document.h"
#include "nxdt/Config/Load.h"
#include "nxdt/Support/UserError.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <stdlib.h>

namespace nxdt::test {

/// The message of the UserError that `body` throws; "" if it throws none.
template <typename Body> std::string errorOf(Body body) {
  try {
    body();
  } catch (const UserError &error) {
    return error.what();
  }
  return {};
}

inline config::Document parse(const std::string &text,
                              const std::vector<std::string> &overrides = {}) {
  return config::Document::parse(text, "f.yaml", overrides);
}

inline std::string parseError(const std::string &text,
                              const std::vector<std::string> &overrides = {}) {
  return errorOf([&] { parse(text, overrides); });
}

/// A folder that is gone after the test.
class TempDir {
public:
  TempDir() {
    std::string name =
        (std::filesystem::temp_directory_path() / "nxdt-config-XXXXXX")
            .string();
    path = ::mkdtemp(name.data());
  }
  ~TempDir() {
    std::error_code ec;
    std::filesystem::remove_all(path, ec);
  }
  std::string write(const std::string &name, const std::string &text) const {
    std::filesystem::path file = path / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file.string();
  }
  std::filesystem::path path;
};

/// The smallest legal file: line numbers below are relied upon.
inline const char *smallYaml() {
  return "name: small\n"                    // 1
         "model_source: hf\n"               // 2
         "trainer:\n"                       // 3
         "  max_steps: 10\n"                // 4
         "data:\n"                          // 5
         "  micro_batch_size: 1\n"          // 6
         "  global_batch_size: 8\n"         // 7
         "  train_dir: train\n"             // 8
         "model:\n"                         // 9
         "  model_config: hf/config.json\n" // 10
         "  encoder_seq_length: 64\n"       // 11
         "  optim:\n"                       // 12
         "    name: adamw\n"                // 13
         "    lr: 1e-3\n"                   // 14
         "precision:\n"                     // 15
         "  type: fp32\n";                  // 16
}

inline const char *smallModel() {
  return "{\"model_type\": \"llama\", \"vocab_size\": 512, \"hidden_size\": "
         "64, \"intermediate_size\": 176, \"num_hidden_layers\": 4, "
         "\"num_attention_heads\": 8, \"num_key_value_heads\": 4, "
         "\"max_position_embeddings\": 128}";
}

/// smallYaml in a folder of its own, to be loaded with overrides.
class SmallRun : public ::testing::Test {
protected:
  TempDir dir;
  std::string yaml = dir.write("run.yaml", smallYaml());

  void SetUp() override { dir.write("hf/config.json", smallModel()); }

  LoadedConfig load(const std::vector<std::string> &overrides = {},
                    bool forExecution = false) const {
    return loadRunConfig({yaml, overrides, forExecution});
  }
  /// The error without the folder's path.
  std::string error(const std::vector<std::string> &overrides,
                    bool forExecution = false) const {
    std::string text = errorOf([&] { load(overrides, forExecution); });
    std::string prefix = dir.path.string() + "/";
    for (size_t at = text.find(prefix); at != std::string::npos;
         at = text.find(prefix))
      text.erase(at, prefix.size());
    return text;
  }
  void model(const std::string &json) const {
    dir.write("hf/config.json", json);
  }
  void config(const std::string &text) const { dir.write("run.yaml", text); }
};

} // namespace nxdt::test

#endif // NXDT_TEST_UNIT_CONFIG_TESTSUPPORT_H
