//===- TestSupport.h - shared by the tests of files -------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_UNIT_RUNTIMEIO_TESTSUPPORT_H
#define NXDT_TEST_UNIT_RUNTIMEIO_TESTSUPPORT_H

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Checkpoint.h"
#include "runtime/Checkpoint/Files.h"

#include "gtest/gtest.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>

namespace nxdt::runtime::test {

/// A folder of its own, removed at the end.
class TempDir {
public:
  TempDir() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "nxdt-io-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string operator/(const std::string &name) const {
    return path + "/" + name;
  }
  std::string path;
};

/// Expects one UserError whose message holds all `parts`.
template <typename Function>
void expectError(Function function, std::initializer_list<std::string> parts) {
  try {
    function();
  } catch (const UserError &error) {
    std::string message = error.what();
    for (const std::string &part : parts)
      EXPECT_NE(message.find(part), std::string::npos)
          << "message: " << message << "\nlacks: " << part;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return;
  }
  FAIL() << "no UserError; expected: " << *parts.begin();
}

inline HostTensor floats(std::vector<int64_t> shape,
                         const std::vector<float> &values) {
  return makeHostTensor(plan::DType::F32, std::move(shape), values.data());
}

inline bool same(const HostTensor &a, const HostTensor &b) {
  return a.dtype == b.dtype && a.shape == b.shape &&
         std::memcmp(a.data.get(), b.data.get(),
                     static_cast<size_t>(a.sizeBytes())) == 0;
}

/// A file's text, without waiting for the disk.
inline void put(const std::string &path, const std::string &text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

inline void spoil(const std::string &path, size_t at) {
  std::string text = readFile(path);
  text.at(at) = static_cast<char>(text.at(at) ^ 0x40);
  put(path, text);
}

inline void truncateTo(const std::string &path, size_t size) {
  put(path, readFile(path).substr(0, size));
}

/// A small checkpoint whose every value depends on the step.
inline CheckpointData sampleCheckpoint(int64_t step) {
  auto base = static_cast<float>(step);
  CheckpointData data;
  data.step = step;
  data.consumedSamples = step * 8;
  data.seed = 1234;
  uint16_t halves[2] = {floatToBf16(base), floatToBf16(base + 1)};
  data.model["model.embed_tokens.weight"] = floats({2, 2}, {base, 1, 2, 3});
  data.model["model.norm.weight"] =
      makeHostTensor(plan::DType::BF16, {2}, halves);
  data.optimizer["master"]["model.norm.weight"] = floats({2}, {base, base + 1});
  data.optimizer["exp_avg"]["model.embed_tokens.weight"] =
      floats({2, 2}, {base, base, base, base});
  data.optimizer["exp_avg"]["model.norm.weight"] = floats({2}, {4, base});
  data.tied = {{"lm_head.weight", "model.embed_tokens.weight"}};
  data.configJson = R"({"name":"x","lr":0.001,"a":[1,null,true],"n":{}})";
  data.hfConfigJson = "{\"model_type\": \"llama\", \"rms_norm_eps\": 1e-05}";
  data.metrics = {{"loss", 1.0 / (1.0 + static_cast<double>(step))}};
  data.extra.emplace_back("rng", PtList{int64_t{1} << 40, -3});
  return data;
}

} // namespace nxdt::runtime::test

#endif // NXDT_TEST_UNIT_RUNTIMEIO_TESTSUPPORT_H
