// RUN: nxdt-opt %s --append-loss --verify-roundtrip | FileCheck %s

// Logits are widened, targets become an argument, buffers stay behind the loss.
// CHECK: nxdt.buffer @targets {role = "input"} : tensor<1x4xi64>
// CHECK-LABEL: func @forward
// CHECK-SAME: %[[T:[a-z0-9]+]]: tensor<1x4xi64> {nxdt.buffer = @targets}) -> (tensor<f32>, tensor<i64>, tensor<8xf32> {nxdt.buffer = @b})
nxdt.buffer @x {role = "input"} : tensor<1x4x8xbf16>
nxdt.buffer @b {role = "buffer"} : tensor<8xf32>
func.func @forward(%x: tensor<1x4x8xbf16> {nxdt.buffer = @x}, %b: tensor<8xf32> {nxdt.buffer = @b})
    -> (tensor<1x4x8xbf16>, tensor<8xf32> {nxdt.buffer = @b}) {
  // CHECK: %[[W:.*]] = nxdt.aten "aten::to.dtype"(%{{.*}}, f32, false, false, none)
  // CHECK: %[[L:.*]], %[[C:.*]], %{{.*}} = nxdt.cross_entropy %[[W]], %[[T]] {ignore_index = -100 : i64}
  // CHECK: return %[[L]], %[[C]], %{{.*}} : tensor<f32>, tensor<i64>, tensor<8xf32>
  return %x, %b : tensor<1x4x8xbf16>, tensor<8xf32>
}
