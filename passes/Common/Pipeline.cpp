//===- Pipeline.cpp - which passes run, in which order --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Passes/Pipeline.h"

#include "nxdt/Passes/Passes.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace nxdt;

/// Operators that differ in nothing become one, what nobody reads goes.
static void cleanUp(OpPassManager &pm) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

std::vector<Phase> nxdt::trainingPhases(const PipelineOptions &options) {
  std::vector<Phase> phases;
  auto phase = [&](StringRef name, auto build) {
    phases.push_back({name.str(), build});
  };

  // Views and in-place operators first: everything behind relies on values
  // that never change.
  phase("functionalized", [](OpPassManager &pm) {
    pm.addPass(createFunctionalize());
    pm.addPass(createVerifyCapture());
    cleanUp(pm);
  });
  // The loss belongs to nxdt, not to the model; it comes before fusion so that
  // fusions may reach into it.
  phase("loss", [](OpPassManager &pm) { pm.addPass(createAppendLoss()); });
  // Before autodiff: a fused op has a gradient of its own, and the written-out
  // form would leave its intermediate results to be kept.
  phase("fused", [fuse = options.fuseAttention](OpPassManager &pm) {
    if (fuse)
      pm.addPass(createFuseAttention());
    cleanUp(pm);
  });
  phase("autodiff", [](OpPassManager &pm) {
    pm.addPass(createAutodiff());
    pm.addPass(createVerifyGradients());
    cleanUp(pm);
  });
  phase("step", [mark = options.markOrigins](OpPassManager &pm) {
    pm.addPass(createBuildStep());
    cleanUp(pm);
    pm.addPass(createRecordScales());
    if (mark)
      pm.addPass(createMarkOrigins());
  });
  // Shardings of all values, while shapes are still those of the whole: one
  // rank is the case where nothing is split.
  phase("sharded", [](OpPassManager &pm) {
    pm.addPass(createApplyStrategy());
    pm.addPass(createPartition());
    cleanUp(pm);
    // What goes on, not what partition meant.
    pm.addPass(createVerifySharding());
    pm.addPass(createVerifyReductionScale());
  });
  // Shardings are known, so that what is exchanged is known; local shapes are
  // not needed. From here on equal ops may be apart on purpose.
  phase("recomputed", [](OpPassManager &pm) {
    pm.addPass(createRecompute());
    pm.addPass(createVerifySharding());
    pm.addPass(createVerifyReductionScale());
  });
  // Local sizes are known, so that borders can be where little is sent; ranks
  // of a stage are still one program.
  phase("staged", [](OpPassManager &pm) {
    pm.addPass(createSplitStages());
    pm.addPass(createScheduleStages());
    pm.addPass(createVerifyReductionScale());
  });
  phase("spmd", [](OpPassManager &pm) {
    pm.addPass(createLowerToSpmd());
    cleanUp(pm);
    pm.addPass(createVerifyReductionScale());
  });
  // Collectives are known, and values still never change: what may run beside
  // what is a question of who reads whose results.
  phase("overlapped",
        [overlap = options.overlapCollectives](OpPassManager &pm) {
          if (!overlap)
            return;
          pm.addPass(createBucketCollectives());
          pm.addPass(createOverlapCollectives());
        });
  // The last merging of equal ops lies between the two: store-in-place makes
  // order matter.
  phase("lowered", [device = options.device](OpPassManager &pm) {
    LowerToAtenOptions lower;
    lower.device = device;
    pm.addPass(createLowerToAten(lower));
    cleanUp(pm);
    pm.addPass(createStoreInPlace());
    pm.addPass(createVerifyPlanReady());
  });
  return phases;
}
