//===- Model.h - bring your own model ---------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The public header of plug-ins: a shared library that holds a libtorch module
// and is named by `model.plugin`. docs/CustomModel.md is the guide.
//
//   struct Mine : nxdt::Model { at::Tensor forward(at::Tensor ids) override; };
//   NXDT_REGISTER_MODEL([](const nxdt::ModelSpec &spec) {
//     return std::make_shared<Mine>(spec);
//   })
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_MODEL_H
#define NXDT_MODEL_H

#include <ATen/record_function.h>
#include <torch/headeronly/version.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>

/// Raised whenever a type of this header changes its layout or its meaning.
#define NXDT_MODEL_ABI_VERSION 1

#define NXDT_STRINGIZE_IMPL(x) #x
#define NXDT_STRINGIZE(x) NXDT_STRINGIZE_IMPL(x)
#if defined(_LIBCPP_VERSION)
#define NXDT_CXX_ABI "libc++"
#elif defined(_GLIBCXX_USE_CXX11_ABI) && _GLIBCXX_USE_CXX11_ABI
#define NXDT_CXX_ABI "libstdc++ with the C++11 ABI"
#else
#define NXDT_CXX_ABI "libstdc++ without the C++11 ABI"
#endif
/// What a plug-in and the tool that loads it must agree on.
#define NXDT_MODEL_ABI_TAG                                                     \
  "nxdt model ABI " NXDT_STRINGIZE(                                            \
      NXDT_MODEL_ABI_VERSION) ", torch " TORCH_VERSION ", " NXDT_CXX_ABI

namespace nxdt {

/// What a factory gets.
struct ModelSpec {
  /// The YAML's `model` section as JSON, interpolations resolved. Settings of
  /// the plug-in's own belong under `plugin_config`.
  std::string sectionJson;
  /// Samples of one forward (B of input_ids).
  int64_t microBatchSize = 0;
  /// Tokens of one sample (S of input_ids): `model.encoder_seq_length`.
  int64_t sequenceLength = 0;
};

/// A model: an ordinary libtorch module which knows nothing of parallelism.
/// It runs once, on tensors without data, to be captured.
struct Model : torch::nn::Module {
  /// `inputIds` [B, S] i64 -> logits [B, S, V], floating. The tool adds the
  /// shift by one, the mask and the loss.
  virtual at::Tensor forward(at::Tensor inputIds) = 0;
};

using ModelFactory = std::shared_ptr<Model> (*)(const ModelSpec &);

/// The symbol `nxdt_model_plugin` of a plug-in. The tag comes first and is
/// plain C, so that it can be read whatever the rest looks like.
struct ModelPlugin {
  const char *abiTag;
  ModelFactory create;
};

/// Optional: says that what follows, in this scope, belongs to `module`, so
/// that messages, profiles and pipeline cuts name it exactly. Without it the
/// module of an operator is derived from the parameters that it and its
/// neighbours use. Costs nothing outside of capture and profilers.
class ModuleScope {
public:
  explicit ModuleScope(const torch::nn::Module &module)
      : guard(at::RecordScope::USER_SCOPE) {
    // The event's number carries the module's address.
    if (guard.isActive())
      guard.before(kName,
                   static_cast<int64_t>(reinterpret_cast<intptr_t>(&module)));
  }
  ModuleScope(const ModuleScope &) = delete;
  ModuleScope &operator=(const ModuleScope &) = delete;

  /// Name of the event that capture listens to.
  static constexpr const char *kName = "nxdt::module";

private:
  at::RecordFunction guard;
};

} // namespace nxdt

/// Exports `factory`, anything that converts to nxdt::ModelFactory (a lambda
/// without captures, a function). Once per shared library.
#define NXDT_REGISTER_MODEL(...)                                               \
  extern "C" __attribute__((visibility("default")))                            \
  const ::nxdt::ModelPlugin nxdt_model_plugin = {NXDT_MODEL_ABI_TAG,           \
                                                 __VA_ARGS__};

#endif // NXDT_MODEL_H
