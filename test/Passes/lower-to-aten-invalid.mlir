// RUN: nxdt-opt %s --lower-to-aten=device=tpu --split-input-file --verify-diagnostics
// RUN: not nxdt-opt %s --lower-to-aten --split-input-file 2>&1 | FileCheck %s

// expected-error @+1 {{unknown device 'tpu'; known are cpu, cuda}}
module {
  func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    // CHECK: has no lowering to libtorch's operators
    %0 = tensor.cast %x : tensor<4xf32> to tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}
