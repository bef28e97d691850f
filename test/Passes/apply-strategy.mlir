// RUN: nxdt-opt %s --apply-strategy --split-input-file | FileCheck %s

// Column- and row-parallel weights; ZeRO-1 adds dp, minor to tp; inputs are split over dp, buffers over nothing.
// CHECK: nxdt.buffer @m.up.weight {role = "param"} : tensor<64x16xf32, #tp-_>
// CHECK: nxdt.buffer @m.down.weight {role = "param"} : tensor<16x64xf32, #_-tp>
// CHECK: nxdt.buffer @m.norm.weight {role = "param"} : tensor<16xf32, #_>
// CHECK: nxdt.buffer @m.up.weight.exp_avg {{.*}} : tensor<64x16xf32, #tp_dp-_>
// CHECK: nxdt.buffer @m.down.weight.exp_avg {{.*}} : tensor<16x64xf32, #dp-tp>
// CHECK: nxdt.buffer @m.norm.weight.master {{.*}} : tensor<16xf32, #dp>
// CHECK: nxdt.buffer @m.up.weight.grad {param = "m.up.weight", role = "grad"} : tensor<64x16xf32>
// CHECK: nxdt.buffer @input_ids {role = "input"} : tensor<4x8xi64, #dp-_>
// CHECK: nxdt.buffer @lr {role = "input"} : tensor<f64, #scalar>
// CHECK: nxdt.buffer @inv_freq {role = "buffer"} : tensor<4xf32, #_>
module attributes {nxdt.mesh = #nxdt.mesh<pp = 1, dp = 2, cp = 1, tp = 4>, nxdt.strategy = {zero1 = true},
                   nxdt.sharding_rules = [{pattern = "*.up.weight", dims = [["tp"], []]}, {pattern = "*.down.weight", dims = [[], ["tp"]]}]} {
  nxdt.buffer @m.up.weight {role = "param"} : tensor<64x16xf32>
  nxdt.buffer @m.down.weight {role = "param"} : tensor<16x64xf32>
  nxdt.buffer @m.norm.weight {role = "param"} : tensor<16xf32>
  nxdt.buffer @m.up.weight.exp_avg {param = "m.up.weight", role = "opt_state", state = "exp_avg"} : tensor<64x16xf32>
  nxdt.buffer @m.down.weight.exp_avg {param = "m.down.weight", role = "opt_state", state = "exp_avg"} : tensor<16x64xf32>
  nxdt.buffer @m.norm.weight.master {param = "m.norm.weight", role = "master"} : tensor<16xf32>
  nxdt.buffer @m.up.weight.grad {param = "m.up.weight", role = "grad"} : tensor<64x16xf32>
  nxdt.buffer @input_ids {role = "input"} : tensor<4x8xi64>
  nxdt.buffer @lr {role = "input"} : tensor<f64>
  nxdt.buffer @inv_freq {role = "buffer"} : tensor<4xf32>
}

// -----

// Without ZeRO-1 state lies as its parameter; key/value heads that several ranks share split over a part of tp.
// CHECK: nxdt.buffer @k {role = "param"} : tensor<16x16xf32, #tp$1$2-_>
// CHECK: nxdt.buffer @k.exp_avg {{.*}} : tensor<16x16xf32, #tp$1$2-_>
module attributes {nxdt.mesh = #nxdt.mesh<dp = 2, tp = 4>, nxdt.strategy = {zero1 = false},
                   nxdt.sharding_rules = [{pattern = "k", dims = [[#nxdt.axis<tp:(1)2>], []]}]} {
  nxdt.buffer @k {role = "param"} : tensor<16x16xf32>
  nxdt.buffer @k.exp_avg {param = "k", role = "opt_state", state = "exp_avg"} : tensor<16x16xf32>
}
