// RUN: nxdt-opt %s --lower-to-aten | FileCheck %s --check-prefixes=CHECK,CPU
// RUN: nxdt-opt %s --lower-to-aten=device=cuda | FileCheck %s --check-prefixes=CHECK,CUDA

// CHECK-LABEL: func @loss
func.func @loss(%l: tensor<1x4x8xf32>, %t: tensor<1x4xi64>) -> (tensor<f32>, tensor<i64>, tensor<1x4x8xf32>) {
  // CHECK: %[[LP:.*]] = nxdt.aten "aten::_log_softmax"(%{{.*}}, 1, false) : (tensor<4x8xf32>)
  // CHECK: %[[NLL:.*]]:2 = nxdt.aten "aten::nll_loss_forward"(%[[LP]], %{{.*}}, none, 2, -100)
  // Counted in integers, not by the kernel's float weight.
  // CHECK: %[[NE:.*]] = nxdt.aten "aten::ne.Scalar"(%{{.*}}, -100)
  // CHECK: %[[C:.*]] = nxdt.aten "aten::sum"(%[[NE]], none) : (tensor<1x4xi1>) -> tensor<i64>
  // CHECK: return %[[NLL]]#0, %[[C]]
  %s, %c, %p = nxdt.cross_entropy %l, %t {ignore_index = -100 : i64} : tensor<1x4x8xf32>, tensor<1x4xi64> -> tensor<f32>, tensor<i64>, tensor<1x4x8xf32>
  return %s, %c, %p : tensor<f32>, tensor<i64>, tensor<1x4x8xf32>
}

// Keys are repeated for their query heads where the kernel wants it.
// CHECK-LABEL: func @attention
func.func @attention(%q: tensor<1x4x8x2xf32>, %k: tensor<1x2x8x2xf32>) -> tensor<1x4x8x2xf32> {
  // CHECK: nxdt.aten "aten::expand"(%{{.*}}, array<i64: 1, 2, 2, 8, 2>, false)
  // CHECK: nxdt.aten "aten::reshape"(%{{.*}}, array<i64: 1, 4, 8, 2>)
  // CPU: nxdt.aten "aten::_scaled_dot_product_flash_attention_for_cpu"(%{{.*}}, %{{.*}}, %{{.*}}, 0.000000e+00, true, none, 5.000000e-01)
  // CUDA-NOT: flash_attention
  // CUDA: nxdt.aten "aten::triu"(%{{.*}}, 1)
  // CUDA: nxdt.aten "aten::softmax.int"
  %o, %l = nxdt.sdpa %q, %k, %k {causal = true, scale = 0.5 : f64} : tensor<1x4x8x2xf32>, tensor<1x2x8x2xf32>, tensor<1x2x8x2xf32> -> tensor<1x4x8x2xf32>, tensor<1x4x8xf32>
  return %o : tensor<1x4x8x2xf32>
}

// CHECK-LABEL: func @clip
func.func @clip(%a: tensor<8xf32>, %c: tensor<i64>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  // CHECK: %[[A:.*]] = nxdt.aten "aten::linalg_vector_norm"(%{{.*}}, 2, none, false, f32)
  // CHECK: %[[S:.*]] = nxdt.aten "aten::stack"([%[[A]]], 0)
  // CHECK: %[[N:.*]] = nxdt.aten "aten::linalg_vector_norm"(%[[S]]
  %n = nxdt.global_norm(%a) : (tensor<8xf32>) -> tensor<f32>
  // CHECK: %[[CF:.*]] = nxdt.aten "aten::to.dtype"(%{{.*}}, f32
  // CHECK: %[[G:.*]] = nxdt.aten "aten::div.Tensor"(%[[N]], %[[CF]])
  // CHECK: nxdt.aten "aten::clamp_max"(%{{.*}}, 1.000000e+00)
  %g, %s = nxdt.clip_scale %n, %c {max_norm = 0.5 : f64} : tensor<f32>, tensor<i64> -> tensor<f32>, tensor<f32>
  // CHECK: %[[R:.*]] = nxdt.aten "aten::reciprocal"
  // CHECK: return %[[G]], %{{.*}}, %[[R]]
  %g2, %s2 = nxdt.clip_scale %n, %c : tensor<f32>, tensor<i64> -> tensor<f32>, tensor<f32>
  return %g, %s, %s2 : tensor<f32>, tensor<f32>, tensor<f32>
}
