// RUN: nxdt-opt %s | nxdt-opt | FileCheck %s

#mesh = #nxdt.mesh<pp = 2, dp = 2>

// CHECK: nxdt.buffer @x.0 {role = "carry"}
nxdt.buffer @x.0 {role = "carry"} : tensor<4xf32>
nxdt.buffer @x.1 {role = "carry"} : tensor<4xf32>
// CHECK: nxdt.channel @"x.0-1" from 0 @x.0 to 1 @x.1 {after = "forward.0", before = "forward.1", reason = "why"}
nxdt.channel @"x.0-1" from 0 @x.0 to 1 @x.1 {after = "forward.0", before = "forward.1", reason = "why"}
// CHECK: nxdt.channel @w from 1 @x.1 to 0 @x.0 {after = "a", before = "b", once, reason = "why"}
nxdt.channel @w from 1 @x.1 to 0 @x.0 {after = "a", before = "b", once, reason = "why"}
// CHECK: nxdt.schedule @s {actions = ["run forward.0 0", "send x.0-1 0"], micro_batches = 1 : i64, program = "train_step", stage = 0 : i64}
nxdt.schedule @s {actions = ["run forward.0 0", "send x.0-1 0"], micro_batches = 1 : i64, program = "train_step", stage = 0 : i64}
// CHECK: nxdt.stage_term %{{.*}} : tensor<f32, #{{.*}}> -> tensor<f32, #{{.*}}>
func.func @term(%x: tensor<f32, #nxdt.sharding<#mesh, [], partial [dp]>>) -> tensor<f32, #nxdt.sharding<#mesh, [], partial [pp, dp]>> {
  %0 = nxdt.stage_term %x : tensor<f32, #nxdt.sharding<#mesh, [], partial [dp]>> -> tensor<f32, #nxdt.sharding<#mesh, [], partial [pp, dp]>>
  return %0 : tensor<f32, #nxdt.sharding<#mesh, [], partial [pp, dp]>>
}
