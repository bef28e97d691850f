//===- nxdt-ckpt.cpp - looks at checkpoints and exports them --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Without libtorch, so that it starts at once.

#include "Reshard.h"
#include "nxdt/Support/Compiler.h"
#include "nxdt/Support/Format.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Checkpoint.h"
#include "runtime/Checkpoint/HuggingFace.h"
#include "runtime/Checkpoint/Manifest.h"

#include <cstdio>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

using namespace nxdt;
using namespace nxdt::runtime;

namespace {

constexpr const char *kUsage =
    R"(usage: nxdt-ckpt to-hf CKPT OUT [--dtype fp32|bf16|fp16] [--force]
       nxdt-ckpt reshard CKPT CONFIG.yaml OUT
       nxdt-ckpt show CKPT
       nxdt-ckpt verify CKPT

CKPT is a checkpoint (a folder ending in .ckpt), or a folder of checkpoints, of
which the newest complete one is taken.

to-hf   Writes a Hugging Face folder: config.json and model.safetensors, as
        save_pretrained does. The weights are the fp32 masters, rounded to
        --dtype (default: fp32). OUT must be new or empty; --force replaces the
        model in it and leaves other files alone.
reshard Writes weights and optimizer state for the ranks of another
        distributed_strategy, which the nxdt-opt beside this program compiles
        from CONFIG.yaml (a folder of --emit=plan will do as well). OUT is the
        new checkpoint (*.ckpt), or a folder for one of the same name.
show    Prints the step, the samples, and the tensors with types and sizes.
verify  Reads everything and checks the checksums.

  -h, --help   this text
)";

/// A wrong command line: usage is printed behind it.
struct UsageError {
  std::string message;
};

struct Options {
  std::string command;
  std::vector<std::string> paths;
  plan::DType dtype = plan::DType::F32;
  bool force = false;
};

plan::DType dtypeNamed(const std::string &name) {
  if (name == "fp32")
    return plan::DType::F32;
  if (name == "bf16")
    return plan::DType::BF16;
  if (name == "fp16")
    return plan::DType::F16;
  throw UsageError{"--dtype " + name + ": must be fp32, bf16 or fp16"};
}

Options parse(const std::vector<std::string> &arguments) {
  Options options;
  bool hasDtype = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string &argument = arguments[i];
    if (argument == "--force") {
      options.force = true;
    } else if (argument == "--dtype") {
      if (++i == arguments.size())
        throw UsageError{"--dtype needs a value: fp32, bf16 or fp16"};
      options.dtype = dtypeNamed(arguments[i]);
      hasDtype = true;
    } else if (argument.starts_with("--dtype=")) {
      options.dtype = dtypeNamed(argument.substr(8));
      hasDtype = true;
    } else if (argument.size() > 1 && argument.front() == '-') {
      throw UsageError{"unknown argument '" + argument + "'"};
    } else if (options.command.empty()) {
      options.command = argument;
    } else {
      options.paths.push_back(argument);
    }
  }
  if (options.command.empty())
    throw UsageError{"a command is missing"};
  bool exports = options.command == "to-hf";
  bool reshards = options.command == "reshard";
  if (!exports && !reshards && options.command != "show" &&
      options.command != "verify")
    throw UsageError{"unknown command '" + options.command +
                     "': must be to-hf, reshard, show or verify"};
  if (!exports && (options.force || hasDtype))
    throw UsageError{"--dtype and --force belong to to-hf"};
  if (options.paths.size() != (exports ? 2 : reshards ? 3 : 1))
    throw UsageError{options.command + " needs " +
                     (exports    ? "CKPT and OUT"
                      : reshards ? "CKPT, CONFIG.yaml and OUT"
                                 : "one CKPT") +
                     ", " + std::to_string(options.paths.size()) +
                     " paths are given"};
  return options;
}

/// The tag folder that CKPT means.
std::string resolveTag(const std::string &path) {
  if (!std::filesystem::is_directory(path))
    throw UserError(path + ": there is no such folder");
  if (isTagFolder(path))
    return path;
  if (auto latest = findLatest(path))
    return latest->path;
  throw UserError(path + ": is no checkpoint, and holds no complete one");
}

int toHuggingFace(const Options &options) {
  std::string tag = resolveTag(options.paths[0]);
  CheckpointData data = loadCheckpoint(tag);
  exportHuggingFace(options.paths[1], data.hfConfigJson,
                    exportableWeights(data), options.dtype, data.tied,
                    options.force);
  std::printf("%s: step %lld of %s\n", options.paths[1].c_str(),
              static_cast<long long>(data.step), tag.c_str());
  if (data.hfConfigJson.empty())
    std::printf("note: no config.json is written, as the model is not one of "
                "Hugging Face (model.plugin)\n");
  return 0;
}

/// A group of tensors; returns their bytes.
int64_t print(const std::string &title, const ManifestTensors &tensors) {
  int64_t bytes = 0;
  int64_t elements = 0;
  for (const auto &[name, parts] : tensors) {
    const ManifestTensor &tensor = parts.at(0);
    int64_t count = 1;
    for (int64_t size : tensor.logicalShape)
      count *= size;
    elements += count;
    bytes += count * plan::byteSize(tensor.dtype);
  }
  std::printf("%s: %zu tensors, %s elements, %s\n", title.c_str(),
              tensors.size(), withCommas(elements).c_str(),
              humanBytes(bytes).c_str());
  for (const auto &[name, parts] : tensors)
    std::printf(
        "  %-60s %-5s %s%s\n", name.c_str(),
        std::string(plan::name(parts.at(0).dtype)).c_str(),
        shapeText(parts.at(0).logicalShape).c_str(),
        parts.size() == 1
            ? ""
            : (" in " + std::to_string(parts.size()) + " files").c_str());
  return bytes;
}

int show(const Options &options) {
  std::string tag = resolveTag(options.paths[0]);
  TagInfo info = readTagInfo(tag);
  Manifest manifest = readManifest(tag);
  std::printf("%s\nstep: %lld\nconsumed samples: %lld\n", tag.c_str(),
              static_cast<long long>(info.step),
              static_cast<long long>(info.consumedSamples));
  if (!info.mesh.empty())
    std::printf("ranks: %s\n", info.mesh.c_str());
  for (const auto &[name, value] : info.metrics)
    std::printf("%s: %.9g\n", name.c_str(), value);
  int64_t bytes = print("model", manifest.model);
  for (const auto &[state, tensors] : manifest.optimizer)
    bytes += print("optimizer " + state, tensors);
  std::printf("total: %s\n", humanBytes(bytes).c_str());
  return 0;
}

int verify(const Options &options) {
  std::string tag = resolveTag(options.paths[0]);
  CheckpointData data = loadCheckpoint(tag);
  size_t tensors = data.model.size();
  for (const auto &[state, group] : data.optimizer)
    tensors += group.size();
  std::printf("%s: complete and undamaged (step %lld, %zu tensors)\n",
              tag.c_str(), static_cast<long long>(data.step), tensors);
  return 0;
}

int run(const std::vector<std::string> &arguments) {
  for (const std::string &argument : arguments)
    if (argument == "--help" || argument == "-h") {
      std::fputs(kUsage, stdout);
      return 0;
    }
  Options options = parse(arguments);
  if (options.command == "to-hf")
    return toHuggingFace(options);
  if (options.command == "reshard")
    return ckpt::reshard(resolveTag(options.paths[0]), options.paths[1],
                         options.paths[2]);
  return options.command == "show" ? show(options) : verify(options);
}

} // namespace

int main(int argc, char **argv) {
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const CompileFailed &) {
    // It has told why.
  } catch (const UsageError &error) {
    std::fprintf(stderr, "error: %s\n\n%s", error.message.c_str(), kUsage);
  } catch (const UserError &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "error: out of memory\n");
  } catch (const std::exception &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
  }
  return 1;
}
