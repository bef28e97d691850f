//===- CliTest.cpp - nxdt-ckpt as a user runs it --------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "runtime/Checkpoint/Safetensors.h"

#include <cstdio>
#include <sys/wait.h>

namespace fs = std::filesystem;

using namespace nxdt::runtime;
using namespace nxdt::runtime::test;
using nxdt::plan::DType;

namespace {

struct Result {
  int exitCode;
  std::string output; ///< of both streams
};

Result run(const std::string &arguments) {
  std::string command = std::string(NXDT_CKPT) + " " + arguments + " 2>&1";
  std::FILE *pipe = ::popen(command.c_str(), "r");
  Result result{-1, ""};
  char buffer[4096];
  for (size_t size; (size = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;)
    result.output.append(buffer, size);
  int status = ::pclose(pipe);
  if (WIFEXITED(status))
    result.exitCode = WEXITSTATUS(status);
  return result;
}

void expectRun(const std::string &arguments, int exitCode,
               std::initializer_list<std::string> parts) {
  SCOPED_TRACE(arguments);
  Result result = run(arguments);
  EXPECT_EQ(result.exitCode, exitCode) << result.output;
  for (const std::string &part : parts)
    EXPECT_NE(result.output.find(part), std::string::npos)
        << result.output << "\nlacks: " << part;
}

} // namespace

TEST(Cli, Usage) {
  expectRun("--help", 0, {"usage: nxdt-ckpt to-hf CKPT OUT"});
  expectRun("show -h", 0, {"usage: nxdt-ckpt"});
  expectRun("", 1, {"error: a command is missing", "usage:"});
  expectRun("shw x", 1, {"error: unknown command 'shw'", "usage:"});
  expectRun("show", 1, {"error: show needs one CKPT, 0 paths", "usage:"});
  expectRun("to-hf x", 1, {"error: to-hf needs CKPT and OUT, 1 paths"});
  expectRun("to-hf x y --dtype", 1, {"error: --dtype needs a value"});
  expectRun("to-hf x y --dtype int8", 1, {"must be fp32, bf16 or fp16"});
  expectRun("to-hf x y --forse", 1, {"unknown argument '--forse'", "usage:"});
  expectRun("show x --force", 1, {"--dtype and --force belong to to-hf"});
  expectRun("show /none", 1, {"error: /none: there is no such folder"});
}

TEST(Cli, ShowAndVerify) {
  TempDir dir;
  expectRun("show " + dir.path, 1,
            {dir.path + ": is no checkpoint, and holds no complete one"});
  saveCheckpoint(dir.path, "a", sampleCheckpoint(3));
  std::string newest = saveCheckpoint(dir.path, "b", sampleCheckpoint(7));
  // A tag, or the newest of a folder.
  expectRun("show " + dir / "a.ckpt", 0, {"step: 3\n", "consumed samples: 24"});
  expectRun("show " + dir.path, 0,
            {newest, "step: 7\n", "model: 2 tensors, 6 elements",
             "model.embed_tokens.weight", "f32   [2,2]", "bf16  [2]",
             "optimizer exp_avg: 2 tensors"});
  expectRun("verify " + dir.path, 0,
            {newest + ": complete and undamaged (step 7, 5 tensors)"});
  spoil(newest + "/user_content.pt", 300);
  expectRun("verify " + dir.path, 1,
            {"error: " + newest + "/user_content.pt: is damaged"});
  fs::remove(newest + "/done");
  expectRun("verify " + newest, 1, {"is incomplete"});
  expectRun("verify " + dir.path, 0, {dir / "a.ckpt"});
}

TEST(Cli, ToHuggingFace) {
  TempDir dir;
  CheckpointData data = sampleCheckpoint(4);
  // Beyond bf16: the export must come from the master.
  data.optimizer["master"]["model.norm.weight"] = floats({2}, {4.0001f, 5});
  std::string tag = saveCheckpoint(dir.path, "a", data);
  std::string out = dir / "hf";
  expectRun("to-hf " + dir.path + " " + out, 0, {out + ": step 4 of " + tag});
  TensorMap weights = readSafetensors(out + "/model.safetensors");
  ASSERT_EQ(weights.size(), 2u); // no lm_head.weight: it is tied
  EXPECT_TRUE(same(weights["model.norm.weight"], floats({2}, {4.0001f, 5})));
  EXPECT_NE(readFile(out + "/config.json").find("\"float32\""),
            std::string::npos);
  expectRun("to-hf " + tag + " " + out, 1, {"--force replaces"});
  expectRun("to-hf " + tag + " " + out + "/ --force --dtype=bf16", 0, {});
  weights = readSafetensors(out + "/model.safetensors");
  EXPECT_EQ(weights["model.norm.weight"].dtype, DType::BF16);
  expectRun("to-hf --dtype fp16 " + tag + " " + dir / "half", 0, {});
  EXPECT_EQ(readSafetensorsFolder(dir / "half").begin()->second.dtype,
            DType::F16);

  data.hfConfigJson.clear();
  std::string plugin = saveCheckpoint(dir / "p", "p", data);
  expectRun("to-hf " + plugin + " " + dir / "plugin", 0,
            {"note: no config.json"});
  EXPECT_FALSE(fs::exists(dir / "plugin/config.json"));
}
