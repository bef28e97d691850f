// RUN: nxdt-opt %s --record-scales | FileCheck %s

// What multiplies floating-point values, by program; no integers, no zeros, and alpha only where it is not one.
// CHECK: module attributes {nxdt.scales = {f = {"aten::add.Tensor by 2" = 1 : i64, "aten::div.Scalar by 8" = 1 : i64, "aten::full by 3" = 1 : i64, "aten::mul.Scalar by 0.10000000000000001" = 2 : i64}, g = {}}}
module {
  func.func @f(%x: tensor<4xf32>, %i: tensor<4xi64>) -> (tensor<4xf32>, tensor<4xi64>) {
    %0 = nxdt.aten "aten::mul.Scalar"(%x, 0.1) : (tensor<4xf32>) -> tensor<4xf32>
    %1 = nxdt.aten "aten::mul.Scalar"(%0, 0.1) : (tensor<4xf32>) -> tensor<4xf32>
    %2 = nxdt.aten "aten::div.Scalar"(%1, 8) : (tensor<4xf32>) -> tensor<4xf32>
    %3 = nxdt.aten "aten::add.Tensor"(%2, %x, 2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %4 = nxdt.aten "aten::add.Tensor"(%3, %x, 1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %5 = nxdt.aten "aten::full"(array<i64: 4>, 3.0, f32, none, device, none) : () -> tensor<4xf32>
    %6 = nxdt.aten "aten::full"(array<i64: 4>, 0.0, f32, none, device, none) : () -> tensor<4xf32>
    %7 = nxdt.aten "aten::mul.Tensor"(%5, %6) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %8 = nxdt.aten "aten::add.Tensor"(%4, %7, 1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %9 = nxdt.aten "aten::mul.Scalar"(%i, 2) : (tensor<4xi64>) -> tensor<4xi64>
    return %8, %9 : tensor<4xf32>, tensor<4xi64>
  }
  func.func @g() {
    return
  }
}
