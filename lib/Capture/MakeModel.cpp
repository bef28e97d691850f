//===- MakeModel.cpp - the model that a request asks for ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "MakeModel.h"

#include "CaptureModule.h"

#include "Models/Llama.h"
#include "Models/PluginLoader.h"
#include "nxdt/Support/UserError.h"

using namespace nxdt;
using namespace nxdt::capture;

std::optional<CapturedModel>
nxdt::capture::captureRequest(const CaptureRequest &request,
                              Problems &problems) {
  CaptureOptions options;
  options.microBatchSize = request.microBatchSize;
  options.sequenceLength = request.sequenceLength;
  options.toBFloat16 = request.precision == Precision::MixedPrecision;
  try {
    if (options.microBatchSize < 1)
      throw UserError("data.micro_batch_size is " +
                      std::to_string(options.microBatchSize) +
                      ", must be at least 1");
    if (options.sequenceLength < 1)
      throw UserError("model.encoder_seq_length is " +
                      std::to_string(options.sequenceLength) +
                      ", must be at least 1");
    if (request.model.plugin.empty()) {
      verifyLlamaConfig(request.model.llama);
      return captureModule([&] { return makeLlama(request.model.llama); },
                           options, problems);
    }
    // Loading runs the library's static initialisers, which are no part of
    // the model: outside of the recorded constructor.
    ModelFactory factory = loadModelPlugin(request.model.plugin);
    ModelSpec spec;
    spec.sectionJson = request.model.sectionJson;
    spec.microBatchSize = options.microBatchSize;
    spec.sequenceLength = options.sequenceLength;
    return captureModule([&] { return factory(spec); }, options, problems);
  } catch (const UserError &error) {
    problems.add(error.what(), "");
    return std::nullopt;
  }
}
