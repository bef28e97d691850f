// RUN: not nxdt-opt %s --schedule-stages 2>&1 | FileCheck %s --check-prefix=FEW
// FEW: error: 1f1b with 4 stages needs at least 4 micro-batches, not 2
// FEW-SAME: [a.yaml:1:1: pp = 4]
// RUN: sed 's/pp = 4>/pp = 2>/; s/chunks_per_stage = 1/chunks_per_stage = 2/; s/micro_batches = 2/micro_batches = 3/' %s | not nxdt-opt --schedule-stages 2>&1 | FileCheck %s --check-prefix=ODD
// ODD: error: interleaved {{.*}}3
// RUN: sed 's/micro_batches = 2 : i64/micro_batches = 0 : i64/' %s | not nxdt-opt --schedule-stages 2>&1 | FileCheck %s --check-prefix=ATTR
// ATTR: error: 'nxdt.pipeline' needs chunks_per_stage and micro_batches, at least 1
module attributes {nxdt.mesh = #nxdt.mesh<pp = 4>, nxdt.pipeline = {chunks_per_stage = 1 : i64, micro_batches = 2 : i64, origin = "a.yaml:1:1: pp = 4"}} {
}
