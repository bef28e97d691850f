// RUN: nxdt-opt %s --partition --split-input-file --verify-diagnostics

// expected-error @+1 {{needs the module attribute 'nxdt.mesh'}}
module {
}

// -----

module attributes {nxdt.mesh = #nxdt.mesh<tp = 2>} {
  // expected-error @+1 {{argument 0 of program 'train_step' is no buffer}}
  func.func @train_step(%x: tensor<4xf32>) {
    return
  }
}

// -----

module attributes {nxdt.mesh = #nxdt.mesh<tp = 2>} {
  nxdt.buffer @x {role = "input"} : tensor<4xf32>
  // expected-error @+1 {{result 0 of program 'train_step' is not written to a buffer}}
  func.func @train_step(%x: tensor<4xf32> {nxdt.buffer = @x}) -> tensor<4xf32> {
    return %x : tensor<4xf32>
  }
}

// -----

// An operator without a rule works on whole tensors, and says so.
#mesh = #nxdt.mesh<tp = 2>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @w {role = "param"} : tensor<4x4xf32, #nxdt.sharding<#mesh, [[tp], []]>>
  nxdt.buffer @y {role = "scalar"} : tensor<4x4xf32>
  func.func @train_step(%w: tensor<4x4xf32> {nxdt.buffer = @w}) -> (tensor<4x4xf32> {nxdt.buffer = @y}) {
    // expected-remark @+1 {{no sharding rule is known for it: operand 0 is made whole on every rank (64 bytes)}}
    %0 = nxdt.aten "mylib::foo"(%w) : (tensor<4x4xf32>) -> tensor<4x4xf32>
    return %0 : tensor<4x4xf32>
  }
}
