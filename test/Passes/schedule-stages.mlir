// RUN: nxdt-opt %s --schedule-stages | FileCheck %s

// The first stage runs ahead by one micro-batch; what it has sent it lets go of.
// CHECK: nxdt.schedule @train_step.schedule.s0 {actions = ["run forward.0 0", {{.*}}"free x.0 0"{{.*}}"run forward.0 1", {{.*}}"run backward.0 0", {{.*}}"run backward.0 1", "wait x.0-1 1"], micro_batches = 2 : i64, program = "train_step", stage = 0 : i64}
// The receive begins before the pass that needs it, and is waited for right there.
// CHECK: nxdt.schedule @train_step.schedule.s1 {actions = ["recv x.0-1 0", {{.*}}"wait x.0-1 0", "run forward.1 0", {{.*}}"run backward.1 0"
// CHECK-NOT: eval_step
module attributes {nxdt.mesh = #nxdt.mesh<pp = 2>, nxdt.pipeline = {chunks_per_stage = 1 : i64, micro_batches = 2 : i64}} {
  nxdt.buffer @x.0 {role = "carry"} : tensor<4xf32>
  nxdt.buffer @x.1 {role = "carry"} : tensor<4xf32>
  nxdt.buffer @g.0 {role = "carry"} : tensor<4xf32>
  nxdt.buffer @g.1 {role = "carry"} : tensor<4xf32>
  nxdt.channel @"x.0-1" from 0 @x.0 to 1 @x.1 {after = "forward.0", before = "forward.1", reason = "x"}
  nxdt.channel @"g.1-0" from 1 @g.1 to 0 @g.0 {after = "backward.1", before = "backward.0", reason = "g"}
}
