// RUN: not nxdt-opt %s --split-stages 2>&1 | FileCheck %s --check-prefix=FEW
// FEW: error: pipeline * virtual stages = 4 * 2 = 8 are more than the 2 layers of the model [a.yaml:1:1: pp = 4]; nearest legal: pipeline_model_parallel_size = 2, virtual_pipeline_model_parallel_size = 1
// RUN: sed 's/pp = 4>/pp = 2>/; s/chunks_per_stage = 2/chunks_per_stage = 1, cuts = ["layers.7"], cuts_origin = "a.yaml:2:3: model.pipeline_cuts"/' %s | not nxdt-opt --split-stages 2>&1 | FileCheck %s --check-prefix=CUT
// CUT: error: a.yaml:2:3: model.pipeline_cuts: 'layers.7' is no layer of the model; they are layers.0 to layers.1
// RUN: sed 's/pp = 4>/pp = 2>/; s/chunks_per_stage = 2/chunks_per_stage = 1, cuts = ["layers.1"], cuts_origin = "a.yaml:2:3: model.pipeline_cuts"/' %s | not nxdt-opt --split-stages 2>&1 | FileCheck %s --check-prefix=LAST
// LAST: error: a.yaml:2:3: model.pipeline_cuts: 'layers.1': cuts name ascending layers, each once, and not the last one: every chunk holds a layer
// RUN: sed 's/pp = 4>/pp = 2>/; s/chunks_per_stage = 2/chunks_per_stage = 1, cuts = ["layers.0", "layers.1"], cuts_origin = "a.yaml:2:3: model.pipeline_cuts"/' %s | not nxdt-opt --split-stages 2>&1 | FileCheck %s --check-prefix=COUNT
// COUNT: error: a.yaml:2:3: model.pipeline_cuts: names 2 cuts; pipeline * virtual - 1 = 1 are needed
// RUN: sed 's/@layers.\([01]\).weight/@layer\1_weight/' %s | not nxdt-opt --split-stages 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: the model has no list of layers that stages could share: parameters named like layers.0.weight
// RUN: sed 's/, nxdt.pipeline = {.*}} {$/} {/' %s | not nxdt-opt --split-stages 2>&1 | FileCheck %s --check-prefix=ATTR
// ATTR: error: a mesh with stages needs the module attribute 'nxdt.pipeline'
// RUN: sed 's/nxdt.pipeline = /nxdt.scales = {train_step = {"aten::mul.Scalar by 3" = 1 : i64}}, nxdt.pipeline = /' %S/split-stages.mlir | not nxdt-opt --split-stages 2>&1 | FileCheck %s --check-prefix=LOST
// LOST: error: the stages' parts of program 'train_step' have lost a 'aten::mul.Scalar by 3'
// RUN: sed 's/nxdt.pipeline = /nxdt.scales = {train_step = {}}, nxdt.pipeline = /' %S/split-stages.mlir | not nxdt-opt --split-stages 2>&1 | FileCheck %s --check-prefix=MORE
// MORE: error: the stages' parts of program 'train_step' have a 'nxdt.accumulate', which the step as it was built has not
module attributes {nxdt.mesh = #nxdt.mesh<pp = 4>, nxdt.pipeline = {chunks_per_stage = 2 : i64, micro_batches = 8 : i64, origin = "a.yaml:1:1: pp = 4"}} {
  nxdt.buffer @layers.0.weight {role = "param"} : tensor<4x4xf32>
  nxdt.buffer @layers.1.weight {role = "param"} : tensor<4x4xf32>
  func.func @train_step() {
    return
  }
}
