// RUN: nxdt-opt %s --store-in-place --split-input-file --verify-diagnostics

nxdt.buffer @x {role = "input"} : tensor<4xf32>
// expected-error @+1 {{result 0 of program 'f' is not written to a buffer}}
func.func @f(%x: tensor<4xf32> {nxdt.buffer = @x}) -> tensor<4xf32> { return %x : tensor<4xf32> }

// -----

nxdt.buffer @x {role = "input"} : tensor<4xf32>
nxdt.buffer @n {role = "scalar"} : tensor<f32>
func.func @f(%x: tensor<4xf32> {nxdt.buffer = @x}) -> (tensor<f32> {nxdt.buffer = @n}) {
  // expected-error @+1 {{is still there; run lower-to-aten first}}
  %n = nxdt.global_norm(%x) : (tensor<4xf32>) -> tensor<f32>
  return %n : tensor<f32>
}

// -----

nxdt.buffer @p {role = "param"} : tensor<4xf32>
nxdt.buffer @m {role = "opt_state", param = "p", state = "exp_avg"} : tensor<4xf32>
nxdt.buffer @v {role = "opt_state", param = "p", state = "exp_avg_sq"} : tensor<4xf32>
nxdt.buffer @lr {role = "input"} : tensor<f64>
nxdt.buffer @s {role = "input"} : tensor<f32>
func.func @f(%p: tensor<4xf32> {nxdt.buffer = @p}, %m: tensor<4xf32> {nxdt.buffer = @m}, %v: tensor<4xf32> {nxdt.buffer = @v},
             %lr: tensor<f64> {nxdt.buffer = @lr}, %s: tensor<f32> {nxdt.buffer = @s})
    -> (tensor<4xf32> {nxdt.buffer = @p}, tensor<4xf32> {nxdt.buffer = @m}, tensor<4xf32> {nxdt.buffer = @v}) {
  %g = nxdt.aten "aten::exp"(%m) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{takes its gradient from a buffer}}
  %0:3 = nxdt.adamw %p, %g, %m, %v, %lr, %s, %s {beta1 = 0.9 : f64, beta2 = 0.95 : f64, eps = 1.0e-8 : f64, weight_decay = 0.1 : f64, variant = "adamw", correct_bias = true} : tensor<4xf32>, tensor<4xf32>, tensor<f64>, tensor<f32>, tensor<f32>
  return %0#0, %0#1, %0#2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
