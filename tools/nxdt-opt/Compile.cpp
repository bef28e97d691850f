//===- Compile.cpp - from a configuration to a plan -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Compile.h"

#include "PlanFolder.h"
#include "ReadableText.h"
#include "StrategyAttributes.h"
#include "nxdt/Capture/Capture.h"
#include "nxdt/Emit/EmitPlan.h"
#include "nxdt/Passes/Passes.h"
#include "nxdt/Passes/Pipeline.h"
#include "nxdt/Schedule/FamilySchedule.h"
#include "nxdt/Support/UserError.h"
#include "nxdt/Verify/VerifyComm.h"
#include "nxdt/Verify/VerifySpmd.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

#include <dlfcn.h>
#include <filesystem>

using namespace mlir;
using namespace nxdt;
namespace fs = std::filesystem;

Compilation::Compilation(const RunConfig &run, const CompileOptions &options)
    : config(run), options(options), context(MLIRContext::Threading::DISABLED) {
  context.loadDialect<NxdtDialect, func::FuncDialect>();
  context.printOpOnDiagnostic(false);
  // "model.layers.3.mlp: error: ..." instead of MLIR's <unknown>:0.
  context.getDiagEngine().registerHandler(
      [quiet = options.quiet](Diagnostic &diagnostic) {
        if (quiet && diagnostic.getSeverity() != DiagnosticSeverity::Error)
          return success();
        auto print = [](Diagnostic &d, llvm::StringRef kind) {
          llvm::errs() << kind << ": ";
          if (auto name = dyn_cast<NameLoc>(d.getLocation()))
            llvm::errs() << name.getName().getValue() << ": ";
          else if (!isa<UnknownLoc>(d.getLocation()))
            llvm::errs() << d.getLocation() << ": ";
          llvm::errs() << d << '\n';
        };
        switch (diagnostic.getSeverity()) {
        case DiagnosticSeverity::Error:
          print(diagnostic, "error");
          break;
        case DiagnosticSeverity::Warning:
          print(diagnostic, "warning");
          break;
        case DiagnosticSeverity::Note:
          print(diagnostic, "note");
          break;
        case DiagnosticSeverity::Remark:
          print(diagnostic, "remark");
          break;
        }
        for (Diagnostic &note : diagnostic.getNotes())
          print(note, "note");
        return success();
      });
}

std::string nxdt::deviceOf(const RunConfig &run) {
  switch (run.trainer.accelerator) {
  case Accelerator::Cpu:
    return "cpu";
  case Accelerator::Gpu:
    return "cuda";
  case Accelerator::Auto:
    // What a driver makes visible where there is a GPU.
    return fs::exists("/dev/nvidia0") ? "cuda" : "cpu";
  }
  return "cpu";
}

/// The capture library beside this program: build/bin/../lib.
static void *openCaptureLibrary() {
  std::error_code ignored;
  fs::path self = fs::read_symlink("/proc/self/exe", ignored);
  fs::path library =
      self.parent_path().parent_path() / "lib" / "libnxdt_capture.so";
  void *handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    throw UserError("cannot load " + library.string() + ": " + dlerror());
  return handle;
}

LogicalResult Compilation::capture() {
  void *library = openCaptureLibrary();
  auto version = reinterpret_cast<CaptureVersionFn>(
      dlsym(library, "nxdt_capture_version"));
  auto entry = reinterpret_cast<CaptureFn>(dlsym(library, "nxdt_capture"));
  if (!version || !entry || version() != kCaptureVersion)
    throw UserError("the capture library beside nxdt-opt is of another build");
  CaptureRequest request;
  request.model = config.model;
  request.precision = config.precision;
  // The micro-batches of all data-parallel ranks at once: dp splits them.
  request.microBatchSize =
      config.data.microBatchSize * config.strategy.dataParallelSize;
  request.sequenceLength = config.model.encoderSeqLength;
  Operation *captured = nullptr;
  if (!entry(&context, &request, &captured))
    return failure();
  module = cast<ModuleOp>(captured);
  return verify(*module);
}

/// Hands the configuration to the passes, as attributes.
void Compilation::annotate() {
  Builder b(&context);
  const OptimizerConfig &optim = config.model.optim;
  NamedAttrList train;
  auto number = [&](llvm::StringRef key, double value) {
    train.set(key, b.getF64FloatAttr(value));
  };
  number("weight_decay", optim.weightDecay);
  train.set("decay_norms", b.getBoolAttr(config.model.doLayerNormWeightDecay));
  if (config.trainer.gradientClipVal)
    number("max_norm", *config.trainer.gradientClipVal);
  if (optim.kind == OptimizerKind::Sgd) {
    train.set("optimizer", b.getStringAttr("sgd"));
    number("momentum", optim.momentum);
    number("dampening", optim.dampening);
    train.set("nesterov", b.getBoolAttr(optim.nesterov));
  } else {
    train.set("optimizer", b.getStringAttr(optim.kind == OptimizerKind::AdamW
                                               ? "adamw"
                                               : "adamw_fp32OptState"));
    number("beta1", optim.beta1);
    number("beta2", optim.beta2);
    number("eps", optim.eps);
    train.set("correct_bias", b.getBoolAttr(optim.correctBias));
  }
  module->getOperation()->setAttr(kTrainAttr, train.getDictionary(&context));
  annotateStrategy(*module, config);
}

std::string Compilation::text() {
  std::string text;
  llvm::raw_string_ostream os(text);
  OpPrintingFlags flags;
  flags.enableDebugInfo();
  module->print(os, flags);
  return readableText(text);
}

void Compilation::dump(const std::string &phase) {
  if (options.dumpPhases.empty())
    return;
  std::string number = std::to_string(dumped++);
  if (number.size() < 2)
    number = "0" + number;
  writeText((fs::path(options.dumpPhases) / (number + "-" + phase + ".mlir"))
                .string(),
            text());
}

void Compilation::finishPlans(int64_t vocabSize) {
  for (plan::Plan &plan : result.stages) {
    plan.device = deviceOf(config);
    plan.microBatchSize = config.data.microBatchSize;
    plan.sequenceLength = config.model.encoderSeqLength;
    plan.vocabSize = vocabSize;
    if (!config.model.plugin.empty())
      plan.libraries.push_back(config.model.plugin);
  }
}

LogicalResult Compilation::run() {
  if (failed(capture()))
    return failure();
  annotate();
  auto forward = module->lookupSymbol<func::FuncOp>("forward");
  int64_t vocabSize =
      cast<RankedTensorType>(forward.getResultTypes()[0]).getShape().back();
  dump("captured");
  if (options.stopAfter == "captured")
    return success();

  PipelineOptions pipeline;
  pipeline.fuseAttention = config.model.fuseFlashAttention;
  pipeline.device = deviceOf(config);
  pipeline.markOrigins = options.markOrigins;
  pipeline.overlapCollectives = options.overlapCollectives;
  for (const Phase &phase : trainingPhases(pipeline)) {
    PassManager pm(&context);
    phase.build(pm);
    if (failed(pm.run(*module)))
      return failure();
    dump(phase.name);
    if (options.stopAfter == phase.name)
      return success();
  }
  FailureOr<plan::PlanFamily> emitted = emitFamily(*module);
  if (failed(emitted))
    return failure();
  result = std::move(*emitted);
  finishPlans(vocabSize);
  // The ranks' programs, proven without what made them.
  verifyComm(result, "the plan");
  schedule::verifySchedules(result, "the plan");
  for (const plan::Plan &plan : result.stages)
    verifySpmd(plan, "the plan");
  return success();
}
