//===- Layers.h - the layers of a model, and who has them -------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_PIPELINE_LAYERS_H
#define NXDT_PASSES_PIPELINE_LAYERS_H

#include "nxdt/Passes/Passes.h"

#include <optional>
#include <string>

namespace nxdt {

/// The module attributes `nxdt.mesh` and `nxdt.pipeline`.
struct PipelineSettings {
  int64_t stages = 1;
  int64_t chunksPerStage = 1;
  int64_t microBatches = 1;
  /// Last layer of each chunk but the last; empty = by cost.
  llvm::SmallVector<llvm::StringRef> cuts;
  std::string cutsOrigin;
  std::string origin; ///< of pipeline_model_parallel_size

  int64_t chunks() const { return stages * chunksPerStage; }
  int64_t stageOf(int64_t chunk) const { return chunk % stages; }
};
mlir::FailureOr<PipelineSettings> readPipeline(mlir::ModuleOp module);

/// The numbered modules that hold most of the parameters, e.g.
/// "model.layers" 0 .. 31.
class Layers {
public:
  explicit Layers(mlir::ModuleOp module);

  size_t size() const { return numbers.size(); }
  /// "model.layers.3"; `index` counts from 0.
  std::string nameOf(size_t index) const;
  /// Which layer a parameter or module path belongs to.
  std::optional<size_t> indexOf(llvm::StringRef path) const;

private:
  std::string list;
  llvm::SmallVector<int64_t> numbers; ///< ascending
};

/// Chunk of each layer: as `cuts` says, or so that the most expensive chunk
/// costs as little as can be. `costs` holds one entry per layer; what comes
/// before the first and after the last layer is counted with them.
mlir::FailureOr<llvm::SmallVector<int64_t>>
cutLayers(mlir::ModuleOp module, const PipelineSettings &settings,
          const Layers &layers, llvm::ArrayRef<double> costs);

} // namespace nxdt

#endif // NXDT_PASSES_PIPELINE_LAYERS_H
