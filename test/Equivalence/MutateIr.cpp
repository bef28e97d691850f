//===- MutateIr.cpp - wrong programs, and who refuses them ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// nxdt-mutate-ir FILE.mlir --phase=sharded|staged|spmd [--every=N]
// [--survivors=FOLDER]: breaks each reshard, collective and factor of what
// nxdt-opt --emit=PHASE wrote (of these ways every N-th), and prints a line per
// mutant: phase, kind, what was broken, who refused it, and the file in FOLDER
// with the plan that would run where nobody did ("-" otherwise). The input
// itself must be accepted: exit code 1 if it is not.
//
//===----------------------------------------------------------------------===//
#include "IrMutants.h"

#include "nxdt/Emit/EmitPlan.h"
#include "nxdt/Passes/Passes.h"
#include "nxdt/Passes/Pipeline.h"
#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Support/UserError.h"
#include "nxdt/Verify/VerifyComm.h"
#include "nxdt/Verify/VerifySpmd.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/raw_ostream.h"

#include <fstream>
#include <optional>

using namespace mlir;
using namespace nxdt;

namespace {
/// Who refuses; "survived" if nobody does, and then the plan that would run.
struct Verdict {
  std::string killer;
  std::optional<plan::PlanFamily> plan = std::nullopt;
};
} // namespace

/// Goes on from a phase to the plan, as nxdt-opt does.
static Verdict judgePlanOf(ModuleOp module, StringRef phase) {
  PassManager pm(module.getContext());
  bool isBehind = false;
  for (const Phase &step : trainingPhases({})) {
    if (isBehind)
      step.build(pm);
    isBehind = isBehind || step.name == phase;
  }
  if (failed(pm.run(module)))
    return {"passes behind it"};
  FailureOr<plan::PlanFamily> plan = emitFamily(module);
  if (failed(plan))
    return {"emit"};
  // What the IR does not say, the configuration does.
  std::vector<int64_t> batch = {1, 1};
  for (const plan::Plan &stage : plan->stages)
    for (const plan::Buffer &buffer : stage.buffers)
      if (buffer.role == plan::Role::Input && buffer.shape.size() == 2)
        batch = buffer.shape;
  for (plan::Plan &stage : plan->stages) {
    stage.microBatchSize = batch[0];
    stage.sequenceLength = batch[1];
    stage.vocabSize = 1;
  }
  const char *verifier = "plan::verifyFamily";
  try {
    plan::verifyFamily(*plan, "mutant");
    verifier = "verify-comm";
    verifyComm(*plan, "mutant");
    verifier = "verify-spmd";
    for (const plan::Plan &stage : plan->stages)
      verifySpmd(stage, "mutant");
  } catch (const UserError &error) {
    emitError(module.getLoc()) << error.what();
    return {verifier};
  }
  return {"survived", std::move(*plan)};
}

/// The first to refuse.
static Verdict judge(ModuleOp module, StringRef phase) {
  if (failed(verify(module)))
    return {"op verifiers"};
  auto accepts = [&](std::unique_ptr<Pass> pass) {
    PassManager pm(module.getContext());
    pm.addPass(std::move(pass));
    return succeeded(pm.run(module));
  };
  if (phase == "sharded" && !accepts(createVerifySharding()))
    return {"verify-sharding"};
  if (!accepts(createVerifyReductionScale()))
    return {"verify-reduction-scale"};
  return judgePlanOf(module, phase);
}

int main(int argc, char **argv) {
  StringRef path, phase = "sharded", survivors;
  int64_t every = 1, number = 0;
  for (int i = 1; i < argc; ++i) {
    StringRef argument = argv[i];
    if (argument.consume_front("--phase="))
      phase = argument;
    else if (argument.consume_front("--every="))
      every = std::stoll(argument.str());
    else if (argument.consume_front("--survivors="))
      survivors = argument;
    else
      path = argument;
  }
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<NxdtDialect, func::FuncDialect>();
  std::string said;
  context.getDiagEngine().registerHandler([&](Diagnostic &diagnostic) {
    if (said.empty())
      said = diagnostic.str();
    return success();
  });
  auto module = parseSourceFile<ModuleOp>(path, &context);
  // On a clone: what follows the phase changes it.
  OwningOpRef<ModuleOp> unchanged = module ? module->clone() : ModuleOp();
  if (!module || judge(*unchanged, phase).killer != "survived") {
    llvm::errs() << "error: " << path << " is refused as it is: " << said
                 << '\n';
    return 1;
  }
  forEachMutant(*module, [&](const IrChange &change) {
    if (number++ % every)
      return;
    // The change is undone by taking the next clone.
    IRMapping mapping;
    OwningOpRef<ModuleOp> mutant = cast<ModuleOp>((*module)->clone(mapping));
    change.apply(mapping);
    Verdict verdict = judge(*mutant, phase);
    std::string file = "-";
    if (verdict.plan && !survivors.empty()) {
      file = (survivors + "/" + phase + "-" + Twine(number) + ".json").str();
      std::ofstream(file) << plan::toJson(*verdict.plan);
    }
    llvm::outs() << phase << '\t' << change.kind << '\t' << change.place << '\t'
                 << verdict.killer << '\t' << file << '\n';
  });
}
